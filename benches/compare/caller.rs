//! Who asks: the role and the claims that a request runs with, and the token that says so.

use anyhow::Context;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::Value;

/// The key that tokens are signed with, and that servers check them with.
pub(crate) const SECRET: &str = "the-benchmark-signs-with-this-key";

/// One of two callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Sends no token.
    Anonymous,
    /// Sends a token, and sees by row-level security what is meant for it.
    User,
}

impl Caller {
    /// The role that statements run as.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::Anonymous => "bench_anonymous",
            Self::User => "bench_user",
        }
    }

    /// The claims that policies read.
    pub(crate) fn claims(self) -> &'static str {
        match self {
            Self::Anonymous => r#"{"role":"bench_anonymous"}"#,
            Self::User => r#"{"role":"bench_user","sub":"user7"}"#,
        }
    }

    /// The value of the header `Authorization`.
    pub(crate) fn authorization(self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Anonymous => Ok(None),
            Self::User => {
                let claims: Value = serde_json::from_str(self.claims())?;
                let key = EncodingKey::from_secret(SECRET.as_bytes());
                let token = encode(&Header::default(), &claims, &key).context("the token cannot be made")?;
                Ok(Some(format!("Bearer {token}")))
            }
        }
    }
}
