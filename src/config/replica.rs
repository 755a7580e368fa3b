//! Options about read replicas: where they are, and how far behind the primary they may be. It opens no connection.

use super::value::{Problem, Rendered, Value};
use std::{fmt, time::Duration};

/// The connection URIs of replicas, which may hold passwords: `Debug` shows none. What is in them is read by
/// [`Connection`](super::connection::Connection).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ReplicaUris(pub Vec<String>);

impl fmt::Debug for ReplicaUris {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ReplicaUris({} of them)", self.0.len())
    }
}

impl Value for ReplicaUris {
    const FORM: &'static str = "connection URIs (`postgresql://…`) separated by white space, or `@` and the path of a file with them";

    fn parse(text: &str) -> Result<Self, Problem> {
        let uris: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        // A comma is between the hosts of one URI, and white space between the pairs of the other form.
        let is_uri =
            |uri: &String| ["postgresql://", "postgres://"].iter().any(|scheme| uri.starts_with(scheme));
        match uris.iter().all(is_uri) {
            true => Ok(ReplicaUris(uris)),
            false => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.0.join(" "))
    }
}

/// How far behind the primary a replica may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaLag {
    /// In bytes of the write-ahead log.
    Bytes(u64),
    /// As the age of the oldest change that it has not replayed.
    Time(Duration),
}

/// The units and what they are in bytes or milliseconds, the largest first.
const BYTES: [(&str, u64); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
const MILLISECONDS: [(&str, u64); 3] = [("min", 60_000), ("s", 1000), ("ms", 1)];

/// Positions of the primary are remembered for so long at most.
const LONGEST: Duration = Duration::from_secs(3600);

impl Value for ReplicaLag {
    const FORM: &'static str =
        "a whole number with a unit: B, kB, MB or GB, or ms, s or min, of time at most 60min";

    fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let (digits, unit) =
            text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
        let number: u64 = digits.parse().map_err(|_| Problem::Form)?;
        let scaled = |units: &[(&str, u64)]| {
            let (_, size) = units.iter().find(|(name, _)| *name == unit.trim())?;
            number.checked_mul(*size)
        };
        match (scaled(&BYTES), scaled(&MILLISECONDS).map(Duration::from_millis)) {
            (Some(bytes), _) => Ok(ReplicaLag::Bytes(bytes)),
            (None, Some(time)) if time <= LONGEST => Ok(ReplicaLag::Time(time)),
            (None, _) => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        let written = |number: u64, units: &[(&str, u64)]| {
            let fitting = units.iter().find(|(_, size)| number.is_multiple_of(*size));
            fitting.map(|(unit, size)| format!("{}{unit}", number / size)).unwrap_or_default()
        };
        Rendered::Quoted(match self {
            ReplicaLag::Bytes(bytes) => written(*bytes, &BYTES),
            ReplicaLag::Time(time) => {
                written(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &MILLISECONDS)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_uris_may_have_several_hosts_in_each() {
        let text = "postgresql://one:5433,two/app\n  postgres://three/app?user=me ";
        let uris = ReplicaUris::parse(text).unwrap();
        assert_eq!(uris.0, ["postgresql://one:5433,two/app", "postgres://three/app?user=me"]);
        assert_eq!(ReplicaUris::parse(uris.render().text()), Ok(uris));
        assert_eq!(ReplicaUris::parse(""), Ok(ReplicaUris::default()));
        for text in ["host=one port=5432", "postgresql://one, postgresql://two?x,y extra", "one"] {
            assert_eq!(ReplicaUris::parse(text), Err(Problem::Form), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let uris = ReplicaUris::parse("postgresql://me:secret@one/app").unwrap();
        assert!(!format!("{uris:?}").contains("secret"));
    }

    #[test]
    fn a_lag_is_bytes_or_time_by_its_unit() {
        for (text, lag, rendered) in [
            ("16MB", ReplicaLag::Bytes(16 << 20), "16MB"),
            (" 1 kB ", ReplicaLag::Bytes(1024), "1kB"),
            ("1500ms", ReplicaLag::Time(Duration::from_millis(1500)), "1500ms"),
            ("10s", ReplicaLag::Time(Duration::from_secs(10)), "10s"),
            ("60min", ReplicaLag::Time(LONGEST), "60min"),
        ] {
            assert_eq!(ReplicaLag::parse(text), Ok(lag), "{text}");
            assert_eq!(lag.render().text(), rendered);
            assert_eq!(ReplicaLag::parse(rendered), Ok(lag));
        }
        for text in
            ["", "10", "s", "-1s", "1.5s", "61min", "1TB", "99999999999999999999GB", "18446744073709551615kB"]
        {
            assert_eq!(ReplicaLag::parse(text), Err(Problem::Form), "{text}");
        }
    }
}
