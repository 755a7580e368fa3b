//! A position in PostgreSQL's write-ahead log: a timeline and an LSN. A write is answered with the position behind its
//! commit; a read that brings it runs on no server that has not replayed that far. A leaf: it reads and writes text, and
//! asks nobody.
//!
//! The text is `TIMELINE-LSN`, such as `2-0/3000148`. After a promotion two timelines can have the same LSN with different
//! contents, so that an LSN alone would let a server of the old timeline answer for a write of the new one.

use std::{fmt, str::FromStr};

/// An LSN: a byte's place in the write-ahead log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// A place in the log of one timeline. Ordered by the timeline first: a later one goes on where an earlier one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// PostgreSQL counts them from 1; each promotion begins another.
    pub timeline: u32,
    /// The LSN.
    pub lsn: Lsn,
}

/// A text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Position {
    /// Whether a server that has proved to be on `timeline`, and has replayed up to `replayed`, has all of the log before
    /// this position.
    pub fn is_reached(self, timeline: u32, replayed: Lsn) -> bool {
        timeline >= self.timeline && replayed >= self.lsn
    }
}

impl FromStr for Lsn {
    type Err = Malformed;

    /// As PostgreSQL writes it: two numbers of up to eight hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let half = |digits: &str| {
            let is_number =
                (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_number.then(|| u64::from_str_radix(digits, 16).ok()).flatten().ok_or(Malformed)
        };
        let (high, low) = text.split_once('/').ok_or(Malformed)?;
        Ok(Lsn(half(high)? << 32 | half(low)?))
    }
}

impl FromStr for Position {
    type Err = Malformed;

    /// An LSN without a timeline is one of the first timeline, of which every server is a continuation.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (timeline, lsn) = text.split_once('-').unwrap_or(("1", text));
        let is_number =
            (1..=10).contains(&timeline.len()) && timeline.bytes().all(|byte| byte.is_ascii_digit());
        let timeline = is_number.then(|| timeline.parse().ok()).flatten().filter(|timeline| *timeline > 0);
        Ok(Position { timeline: timeline.ok_or(Malformed)?, lsn: lsn.parse()? })
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.timeline, self.lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written() {
        for text in ["1-0/0", "2-0/3000148", "4294967295-FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Position>().map(|position| position.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("0/16b3748".parse(), Ok(Position { timeline: 1, lsn: Lsn(0x16B_3748) }));
    }

    #[test]
    fn what_is_no_position_is_malformed() {
        for text in [
            "",
            "/",
            "0",
            "0/",
            "/0",
            "0/0/0",
            "0/G",
            "+0/0",
            "0/-1",
            " 0/0",
            "0/0 ",
            "000000000/0",
            "0-0/0",
            "-0/0",
            "1-",
            "1--0/0",
            "+1-0/0",
            "4294967296-0/0",
            "99999999999-0/0",
            "1-0/\u{664}",
        ] {
            assert_eq!(text.parse::<Position>(), Err(Malformed), "{text:?}");
        }
    }

    #[test]
    fn a_server_of_an_earlier_timeline_has_not_reached_a_later_one() {
        let position = Position { timeline: 2, lsn: Lsn(100) };
        let reached = |timeline, lsn| position.is_reached(timeline, Lsn(lsn));
        assert!(reached(2, 100) && reached(3, 101));
        assert!(!reached(1, 1000), "the same LSN of another timeline has other contents");
        assert!(!reached(2, 99));
    }
}
