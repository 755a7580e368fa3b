//! Tokens that are wrong in one thing.

use super::SECRET;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

/// What is wrong with a token.
pub(super) enum Flaw {
    /// The signature is of another key.
    Forged,
    /// The signature is of other claims.
    ClaimsReplaced,
    /// `alg: none`, and no signature.
    AlgorithmNone,
    /// It says RS256 and is signed with the secret by HS256.
    AlgorithmRs256,
    /// These claims, well signed.
    Claims(&'static str),
}

const CLAIMS: &str = r#"{"role":"authenticated"}"#;

/// A token with this flaw.
pub(super) fn token(flaw: Flaw) -> String {
    match flaw {
        Flaw::Forged => signed("HS256", CLAIMS, "another secret of thirty-two bytes"),
        Flaw::ClaimsReplaced => {
            let token = signed("HS256", r#"{"role":"anonymous"}"#, SECRET);
            token.replace(&encode(r#"{"role":"anonymous"}"#), &encode(CLAIMS))
        }
        Flaw::AlgorithmNone => format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(CLAIMS)),
        Flaw::AlgorithmRs256 => signed("RS256", CLAIMS, SECRET),
        Flaw::Claims(claims) => signed("HS256", claims, SECRET),
    }
}

fn signed(algorithm: &str, claims: &str, secret: &str) -> String {
    let message = format!("{}.{}", encode(&format!("{{\"alg\":\"{algorithm}\"}}")), encode(claims));
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn encode(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}
