//! `application/x-www-form-urlencoded`, in query strings and in bodies
//! (<https://url.spec.whatwg.org/#application/x-www-form-urlencoded>). What the
//! pairs mean is decided elsewhere.

use crate::error::{Error, Fault, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode, utf8_percent_encode};
use std::borrow::Cow;

/// A key and, if `=` follows it, a value; both decoded.
pub type Pair<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The pairs in their order; `;` separates as `&` does, `+` is a blank.
pub fn pairs(text: &str) -> Result<Vec<Pair<'_>>> {
    text.split(['&', ';'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => Ok((decode(key)?, Some(decode(value)?))),
            None => Ok((decode(pair)?, None)),
        })
        .collect()
}

fn decode(text: &str) -> Result<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let blanks = text.replace('+', " ");
    let decoded = percent_decode(blanks.as_bytes()).decode_utf8();
    decoded.map(|decoded| Cow::Owned(decoded.into_owned())).map_err(|error| {
        Error::new(Fault::QueryParse, format!("percent-encoding that is not UTF-8 in {text}: {error}"))
    })
}

/// The text with all but unreserved characters percent-encoded.
pub fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_keep_their_order() {
        let pairs = pairs("b=1&a=%C3%BC+x;c&=&&d=e=f").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_ref(), value.as_deref())).collect();
        assert_eq!(
            pairs,
            [("b", Some("1")), ("a", Some("ü x")), ("c", None), ("", Some("")), ("d", Some("e=f"))]
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(pairs("a=%FF").unwrap_err().code(), "PGRST100");
    }

    #[test]
    fn a_percent_sign_without_digits_is_itself() {
        assert_eq!(pairs("a=100%&b=%zz").unwrap()[1].1.as_deref(), Some("%zz"));
    }

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(encode("a-_.~ *ü").to_string(), "a-_.~%20%2A%C3%BC");
    }
}
