//! The id of a request, in `X-Request-Id`: it brings together what a client, the log and the proxies between them say of one
//! request. An id is no secret and decides nothing.
//!
//! Not tower-http's layer: it takes over whatever a client sends, and an id that it makes is written into the request, where
//! SQL would read it as if the client had sent it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header, in requests and in answers.
pub const NAME: HeaderName = HeaderName::from_static("x-request-id");

/// A client's id may have so many bytes: each answer and each line of the log repeats it.
const LONGEST: usize = 128;

/// Makes ids, each of which it makes once.
#[derive(Debug)]
pub struct RequestIds(AtomicU64);

impl Default for RequestIds {
    /// Another process begins elsewhere.
    fn default() -> Self {
        let mut first = [0; 8];
        // Without randomness ids differ within the process alone.
        let _ = aws_lc_rs::rand::fill(&mut first);
        Self(AtomicU64::new(u64::from_ne_bytes(first)))
    }
}

impl RequestIds {
    /// The id of a request with these headers: its own if that is short and visible ASCII, else a new one.
    pub fn of(&self, headers: &HeaderMap) -> RequestId {
        let sent = headers.get(NAME).filter(|sent| is_taken_over(sent.as_bytes()));
        match sent {
            Some(sent) => RequestId::Sent(sent.clone()),
            None => RequestId::Made(hex(scattered(self.0.fetch_add(1, Ordering::Relaxed)))),
        }
    }
}

/// The id of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestId {
    /// The client's.
    Sent(HeaderValue),
    /// One that was made here.
    Made([u8; 16]),
}

impl RequestId {
    /// Tells the id in an answer, unless somebody else has: code of the database's authors, or `server-trace-header`, which
    /// repeats whatever was sent.
    pub fn tell(&self, answer: &mut HeaderMap) {
        let value = match self {
            RequestId::Sent(value) => Ok(value.clone()),
            RequestId::Made(digits) => HeaderValue::from_bytes(digits),
        };
        if let Ok(mut value) = value {
            // The value does not come again, so it takes no room in HPACK's table from those that do.
            value.set_sensitive(true);
            answer.entry(NAME).or_insert(value);
        }
    }

    /// The id as text.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            RequestId::Sent(value) => String::from_utf8_lossy(value.as_bytes()),
            RequestId::Made(digits) => String::from_utf8_lossy(digits),
        }
    }
}

fn is_taken_over(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// Numbers in a row become numbers that have nothing in common, and no two become the same: the last steps of SplitMix64
/// (<https://doi.org/10.1145/2714064.2660195>).
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (at, digit) in digits.iter_mut().rev().enumerate() {
        let nibble = (number >> (4 * at)) as u8 & 0xf;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn of(sent: &[u8]) -> RequestId {
        let headers = HeaderMap::from_iter([(NAME, HeaderValue::from_bytes(sent).unwrap())]);
        RequestIds::default().of(&headers)
    }

    #[test]
    fn an_id_is_taken_over_where_it_is_short_and_visible() {
        for sent in ["r-1", "4bf92f35-77b3/x:y=\"z\"", &"a".repeat(LONGEST)] {
            assert_eq!(of(sent.as_bytes()).text(), sent);
        }
        let too_long = "a".repeat(LONGEST + 1);
        for sent in [&b""[..], b"two words", b"tab\tulator", "caf\u{e9}".as_bytes(), too_long.as_bytes()] {
            assert!(matches!(of(sent), RequestId::Made(_)), "{sent:?}");
        }
    }

    #[test]
    fn ids_that_are_made_differ() {
        let ids = RequestIds::default();
        let made: HashSet<String> =
            (0..10_000).map(|_| ids.of(&HeaderMap::new()).text().into_owned()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
        assert_eq!(hex(0x0123_4567_89ab_cdef), *b"0123456789abcdef");
    }

    #[test]
    fn what_an_answer_says_already_stays() {
        let mut answer = HeaderMap::new();
        of(b"first").tell(&mut answer);
        of(b"second").tell(&mut answer);
        assert_eq!(answer.get_all(NAME).iter().collect::<Vec<_>>(), ["first"]);
    }
}
