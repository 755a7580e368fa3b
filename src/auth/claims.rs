//! The claims of a token: their values, for what pgduet checks, and their own text, for SQL. A number has more digits than
//! a double holds, and two users who differ in the last one are two users; so no claim is written anew.

use bytes::Bytes;
use serde_json::{Map, Value, value::RawValue};
use std::collections::HashMap;

/// Claims by name.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    values: Map<String, Value>,
    /// Each as it was written; of several of one name the last.
    texts: HashMap<String, Box<RawValue>>,
}

impl Claims {
    /// The claims of a payload, which is a JSON object.
    pub(super) fn parse(payload: &[u8]) -> serde_json::Result<Claims> {
        Ok(Claims { values: serde_json::from_slice(payload)?, texts: serde_json::from_slice(payload)? })
    }

    /// Their values.
    pub(super) fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// Their values with this role among them, and the text of that.
    pub(super) fn with_role(self, role: &str) -> (Map<String, Value>, Bytes) {
        let Claims { mut values, mut texts } = self;
        values.insert("role".to_owned(), role.into());
        texts.remove("role");
        let mut json = String::from("{");
        for (name, value) in &values {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&Value::from(name.as_str()).to_string());
            json.push(':');
            match texts.get(name) {
                Some(text) => json.push_str(text.get()),
                None => json.push_str(&value.to_string()),
            }
        }
        json.push('}');
        (values, json.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_is_written_as_the_token_has_it() {
        let payload = br#"{ "n" : 123456789012345678901, "role": "x", "o": {"f": [1.0, 1e2, -0, 1.10]},
            "a": 1, "s": "\u00e4\/", "a": 12345678901234567890.5 }"#;
        let (values, json) = Claims::parse(payload).unwrap().with_role("author");
        let expected = r#"{"n":123456789012345678901,"role":"author","o":{"f": [1.0, 1e2, -0, 1.10]},"a":12345678901234567890.5,"s":"\u00e4\/"}"#;
        assert_eq!(json, expected);
        assert_eq!(values["role"], "author");
    }

    #[test]
    fn what_is_no_object_has_no_claims() {
        for payload in ["", "[]", "1", "\"a\"", "{", "{} {}", "null"] {
            assert!(Claims::parse(payload.as_bytes()).is_err(), "{payload}");
        }
        assert_eq!(Claims::default().with_role("a\"b").1, r#"{"role":"a\"b"}"#);
    }
}
