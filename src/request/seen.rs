//! What a client has seen: the position in PostgreSQL's log that the answer to a write has told it, and that it sends with
//! its reads. Both protocols have it under one name, as a header or metadata, and as a cookie by the option
//! `db-replica-cookie`. It decides nothing.

use super::cookie;
use crate::{
    error::{Error, Fault, Result},
    position::Position,
};

/// The name of the header, and of the metadata.
pub const HEADER: &str = "x-pgduet-lsn";

/// The latest of all positions that a request brings. A header that is none is an error, because its client would read
/// what is older than it asks for. A cookie that is none may come from anybody, and says nothing.
pub fn position<'h>(
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    cookie_name: Option<&str>,
) -> Result<Option<Position>> {
    let mut latest = None;
    for (name, value) in headers {
        if name == HEADER {
            let text = std::str::from_utf8(value).unwrap_or_default().trim();
            let position = text.parse().map_err(|_| malformed())?;
            latest = latest.max(Some(position));
        }
        if let ("cookie", Some(wanted)) = (name, cookie_name) {
            let found = cookie::pairs(value).into_iter().filter(|(name, _)| name == wanted);
            latest = found.filter_map(|(_, text)| text.parse().ok()).map(Some).fold(latest, Option::max);
        }
    }
    Ok(latest)
}

/// The value of `Set-Cookie` for a position. It ends with the browser's session: an old position costs nothing.
pub fn set_cookie(name: &str, position: Position) -> String {
    format!("{name}={position}; Path=/; HttpOnly; SameSite=Lax")
}

fn malformed() -> Box<Error> {
    Error::new(Fault::InvalidHeaders, format!("The header {HEADER} is malformed"))
        .hint(format!("It has the value that the answer to a write had in {HEADER}, such as 1-0/16B3748."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&str, &str)]) -> Result<Option<String>> {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        position(headers, Some("seen")).map(|position| position.map(|position| position.to_string()))
    }

    #[test]
    fn the_latest_position_counts_wherever_it_comes_from() {
        assert_eq!(found(&[]).unwrap(), None);
        assert_eq!(found(&[(HEADER, " 1-0/5 ")]).unwrap().as_deref(), Some("1-0/5"));
        let several = [(HEADER, "1-0/5"), ("cookie", "a=1; seen=2-0/3; seen=1-0/9"), (HEADER, "1-0/7")];
        assert_eq!(found(&several).unwrap().as_deref(), Some("2-0/3"));
    }

    #[test]
    fn a_malformed_header_is_an_error_and_a_malformed_cookie_is_none() {
        assert_eq!(found(&[(HEADER, "now")]).unwrap_err().code(), "PGDUET14");
        assert_eq!(found(&[("cookie", "seen=now"), ("cookie", "other=1-0/5")]).unwrap(), None);
    }
}
