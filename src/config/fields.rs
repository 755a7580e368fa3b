//! Names of what a request's head carries: headers and cookies. It reads no request.

use super::value::{Problem, Rendered, Value};
use std::{ops::Deref, str::FromStr};

/// A header's name, as it was written; compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    text: String,
    name: http::HeaderName,
}

impl RequestHeader {
    /// The name for look-ups.
    pub fn name(&self) -> &http::HeaderName {
        &self.name
    }
}

impl Value for RequestHeader {
    const FORM: &'static str = "the name of a header";

    fn parse(text: &str) -> Result<Self, Problem> {
        match http::HeaderName::from_str(text) {
            Ok(name) => Ok(RequestHeader { text: text.to_owned(), name }),
            Err(_) => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.text.clone())
    }
}

/// The name of a cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieName(String);

impl Deref for CookieName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Value for CookieName {
    const FORM: &'static str = "the name of a cookie";

    fn parse(text: &str) -> Result<Self, Problem> {
        // Names of cookies and of headers have the same characters (RFC 6265, section 4.1.1).
        match http::HeaderName::from_str(text) {
            Ok(_) => Ok(CookieName(text.to_owned())),
            Err(_) => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_keeps_its_spelling_and_is_found_without_case() {
        let header = RequestHeader::parse("X-Request-Id").ok();
        assert_eq!(header.as_ref().map(|header| header.name().as_str()), Some("x-request-id"));
        assert_eq!(
            header.as_ref().map(|header| header.render().text().to_owned()).as_deref(),
            Some("X-Request-Id")
        );
        assert_eq!(RequestHeader::parse("X Request"), Err(Problem::Form));
    }

    #[test]
    fn a_cookie_has_a_name_of_its_own_case() {
        assert_eq!(CookieName::parse("__Host-Session").ok().as_deref(), Some("__Host-Session"));
        for text in ["", "a b", "a=b", "a;b"] {
            assert_eq!(CookieName::parse(text), Err(Problem::Form), "{text}");
        }
    }
}
