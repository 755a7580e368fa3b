//! JSON Web Tokens (RFC 7519, RFC 7515): the signature, then the registered claims. The
//! messages are PostgREST's. Does not know about roles.

use std::{slice, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, crypto};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{claims::Claims, jwks::Keys};
use crate::error::{Error, Fault, Result};

/// How far clocks may differ, in seconds.
const SKEW: i64 = 30;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    enc: Option<IgnoredAny>,
    /// Extensions that must be understood; none is (RFC 7515, section 4.1.11).
    crit: Option<IgnoredAny>,
}

/// Why a token is not believed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It names a key that is not among the keys.
    UnknownKey(Box<Error>),
    /// Other keys would change nothing.
    Final(Box<Error>),
}

impl Refusal {
    pub(super) fn into_error(self) -> Box<Error> {
        match self {
            Refusal::UnknownKey(error) | Refusal::Final(error) => error,
        }
    }
}

impl From<Box<Error>> for Refusal {
    fn from(error: Box<Error>) -> Refusal {
        Refusal::Final(error)
    }
}

/// The claims of a token whose signature one of the keys made.
pub(super) fn verify(token: &[u8], keys: &Keys) -> std::result::Result<Claims, Refusal> {
    if token.is_empty() {
        return Err(undecodable("Empty JWT is sent in Authorization header").into());
    }
    let parts = token.split(|byte| *byte == b'.').count();
    let malformed = || undecodable(format!("Expected 3 parts in JWT; got {parts}"));
    let text = std::str::from_utf8(token).map_err(|_| undecodable("JWT cryptographic operation failed"))?;
    let (message, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
    let (header, payload) = message.split_once('.').filter(|_| parts == 3).ok_or_else(malformed)?;

    let decoded = |part| {
        let decoded = BASE64_URL_SAFE_NO_PAD.decode::<&str>(part);
        decoded.map_err(|_| undecodable("JWT cryptographic operation failed"))
    };
    let (header, payload) = (decoded(header)?, decoded(payload)?);
    decoded(signature)?;
    let header: Header =
        serde_json::from_slice(&header).map_err(|_| undecodable("JWT couldn't be decoded"))?;
    if header.enc.is_some() || header.crit.is_some() {
        return Err(undecodable("Unsupported token type").into());
    }
    let algorithm = match header.alg.as_str() {
        "none" => Err(unsupported("JWT is unsecured but expected 'alg' was not 'none'".to_owned())),
        name => Algorithm::from_str(name).map_err(|_| unsupported(format!("Unsupported algorithm {name}"))),
    }?;

    let mut suitable = keys.suitable(header.kid.as_deref(), algorithm).peekable();
    if suitable.peek().is_none() {
        let error = no_key("No suitable key was found to decode the JWT");
        return Err(match &header.kid {
            Some(id) if !keys.has(id) => Refusal::UnknownKey(error),
            Some(_) | None => Refusal::Final(error),
        });
    }
    let verifies = |key| crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false);
    if !suitable.any(|key| verifies(&key.decoding)) {
        return Err(no_key("None of the keys was able to decode the JWT").into());
    }

    // The payload is no JSON object.
    Claims::parse(&payload).map_err(|_| refused("Parsing claims failed").into())
}

/// What the claims have to name, if anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) audience: Option<&'a str>,
    pub(super) issuer: Option<&'a str>,
}

/// Whether the claims hold at `now` (seconds since 1970) and are as expected. The first that does not is told.
pub(super) fn check(claims: &Map<String, Value>, expected: Expected<'_>, now: i64) -> Result<()> {
    let Expected { audience, issuer } = expected;
    if time(claims, "exp")?.is_some_and(|expiry| expiry < now.saturating_sub(SKEW)) {
        return Err(refused("JWT expired"));
    }
    if time(claims, "nbf")?.is_some_and(|start| start > now.saturating_add(SKEW)) {
        return Err(refused("JWT not yet valid"));
    }
    if time(claims, "iat")?.is_some_and(|issue| issue > now.saturating_add(SKEW)) {
        return Err(refused("JWT issued at future"));
    }
    // Another issuer's token is refused whether or not it names one.
    if issuer.is_some_and(|issuer| claims.get("iss").and_then(Value::as_str) != Some(issuer)) {
        return Err(refused("JWT not from the expected issuer"));
    }
    match audiences(claims)? {
        Some(named) if !named.is_empty() && audience.is_some_and(|audience| !named.contains(&audience)) => {
            Err(refused("JWT not in audience"))
        }
        Some(_) | None => Ok(()),
    }
}

/// A `NumericDate` in whole seconds. Null is as good as absent.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_i64().or_else(|| {
            // A fraction, or beyond what 64 bits hold: `as` rounds to the nearest there is.
            number.as_f64().map(|seconds| seconds.floor() as i64)
        })),
        Some(Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            Err(refused(format!("The JWT '{name}' claim must be a number")))
        }
    }
}

/// The audiences that a token is for: a text is one, an empty list is for everybody.
fn audiences(claims: &Map<String, Value>) -> Result<Option<Vec<&str>>> {
    let named = match claims.get("aud") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(named)) => named,
        Some(single) => slice::from_ref(single),
    };
    match named.iter().map(Value::as_str).collect() {
        Some(named) => Ok(Some(named)),
        None => Err(refused("The JWT 'aud' claim must be a string or an array of strings")),
    }
}

fn undecodable(message: impl Into<String>) -> Box<Error> {
    Error::new(Fault::JwtInvalid, message)
}

fn unsupported(details: String) -> Box<Error> {
    undecodable("Wrong or unsupported encoding algorithm").details(details)
}

fn no_key(details: &'static str) -> Box<Error> {
    undecodable("No suitable key or wrong key type").details(details)
}

fn refused(message: impl Into<String>) -> Box<Error> {
    Error::new(Fault::JwtClaims, message)
}
