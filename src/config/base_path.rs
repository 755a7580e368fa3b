//! The path below which REST is served. It is compared as it is, so only what nobody encodes may stand in it.

use super::value::{Problem, Rendered, Value};
use std::ops::Deref;

/// A path below which everything of REST is, such as `/rest/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePath(String);

impl Deref for BasePath {
    type Target = str;

    /// It begins with a slash and ends without one.
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Value for BasePath {
    const FORM: &'static str =
        "a path like /rest/v1 of letters, digits, `-`, `.`, `_` and `~`, without a slash at its end";

    fn parse(text: &str) -> Result<Self, Problem> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        let is_segment = |segment: &str| {
            !segment.is_empty() && segment != "." && segment != ".." && segment.chars().all(is_plain)
        };
        match text.strip_prefix('/') {
            Some(path) if path.split('/').all(is_segment) => Ok(BasePath(text.to_owned())),
            Some(_) | None => Err(Problem::Form),
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
    fn a_base_path_is_what_nobody_encodes() {
        for (text, is_one) in [
            ("/rest/v1", true),
            ("/a", true),
            ("/", false),
            ("/a/", false),
            ("a", false),
            ("/a//b", false),
            ("/a/../b", false),
            ("/a b", false),
            ("/a%20b", false),
        ] {
            assert_eq!(BasePath::parse(text).is_ok(), is_one, "{text}");
        }
    }
}
