//! The keys of `jwt-secret`: a text, a JSON Web Key (RFC 7517), or a set of them. Each key
//! is pinned to the algorithms it can verify, so that no token chooses another
//! (RFC 8725, section 3.1). PS*, ES512 and encrypted tokens are not among them.
//!
//! It fails closed: what looks like keys is never a secret, and a key that is broken is an
//! error. Of a set, keys of a kind or for a purpose that is not known here are left out
//! (RFC 7517, section 5), as long as one remains.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{
        AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk,
        OctetKeyPairParameters, OctetKeyParameters, PublicKeyUse, RSAKeyParameters,
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{Error, KeyMaterial, SHORTEST_SECRET};

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];

/// Bytes of an RSA modulus below which no signature is verified: 2048 bits.
const SHORTEST_MODULUS: usize = 256;

/// Keys that tokens are verified with; at least one.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

/// A key and what it is for.
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    /// The key itself.
    pub(super) decoding: DecodingKey,
    /// Its bytes, where it is a secret and not public.
    secret: Option<Vec<u8>>,
}

/// Keys that an issuer may publish at most: a token without `kid` may be tried with each of them.
const MOST_PUBLISHED: usize = 100;

/// A member of a set.
enum Member {
    Usable(Key),
    /// Of another kind or for another purpose.
    Foreign,
}

impl Keys {
    /// Reads the key material.
    pub(super) fn new(material: &[u8]) -> Result<Keys, Error> {
        match KeyMaterial::of(material).map_err(unusable)? {
            KeyMaterial::Text(text) => Keys::of_text(text),
            KeyMaterial::Object(json) => Keys::of_object(json),
            KeyMaterial::Address(_) => Err(unusable("is an address")),
        }
    }

    /// Reads a set that an issuer publishes, and says why members of it are left out: broken ones (RFC 7517, section 5), and
    /// secrets, which everybody knows. The error is the end of a sentence.
    pub(super) fn published(json: &[u8]) -> Result<(Keys, Vec<String>), String> {
        let document: Value =
            serde_json::from_slice(json).map_err(|error| format!("is no valid JSON: {error}"))?;
        let Some(Value::Array(members)) = document.get("keys") else {
            return Err("has no array `keys`".to_owned());
        };
        if members.len() > MOST_PUBLISHED {
            return Err(format!("has more than {MOST_PUBLISHED} keys"));
        }
        let (mut usable, mut skipped) = (Vec::new(), Vec::new());
        for (at, member) in members.iter().enumerate() {
            match Key::of_member(member) {
                Ok(Member::Usable(Key { secret: Some(_), .. })) => {
                    skipped.push(format!("keys[{at}] is a symmetric key, and everybody can read it"));
                }
                Ok(Member::Usable(key)) => usable.push(key),
                Ok(Member::Foreign) => {}
                Err(why) => skipped.push(format!("keys[{at}] {why}")),
            }
        }
        match usable.is_empty() {
            true => Err("has no JSON Web Key that can verify a signature".to_owned()),
            false => Ok((Keys(usable), skipped)),
        }
    }

    fn of_text(material: &[u8]) -> Result<Keys, Error> {
        match material.len() < SHORTEST_SECRET {
            true => Err(Error::Unusable("The JWT secret must be at least 32 characters long.".to_owned())),
            false => Ok(Keys(vec![Key {
                id: None,
                algorithms: HMAC.to_vec(),
                decoding: DecodingKey::from_secret(material),
                secret: Some(material.to_vec()),
            }])),
        }
    }

    fn of_object(json: &[u8]) -> Result<Keys, Error> {
        let document: Value =
            serde_json::from_slice(json).map_err(|error| unusable(format!("is no valid JSON: {error}")))?;
        let members = match document.get("keys") {
            Some(Value::Array(members)) => {
                members.iter().enumerate().map(|(at, member)| (format!("keys[{at}]"), member)).collect()
            }
            Some(_) => return Err(unusable("has a member `keys` that is no array")),
            None => vec![("the key".to_owned(), &document)],
        };
        let mut usable = Vec::new();
        for (place, member) in &members {
            match Key::of_member(member).map_err(|why| unusable(format!("cannot be used: {place} {why}")))? {
                Member::Usable(key) => usable.push(key),
                Member::Foreign => {}
            }
        }
        match usable.is_empty() {
            true => Err(unusable("has no JSON Web Key that can verify a signature")),
            false => Ok(Keys(usable)),
        }
    }

    /// The keys that a token may be verified with: the one it names, or any of its algorithm.
    pub(super) fn suitable(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            key.algorithms.contains(&algorithm) && (id.is_none() || id == key.id.as_deref())
        })
    }

    /// Whether a key has this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes of the first key that is a secret. The others are public, and nothing may be derived from them.
    pub(super) fn secret(&self) -> Option<&[u8]> {
        self.0.iter().find_map(|key| key.secret.as_deref())
    }
}

impl Key {
    /// Reads one JSON Web Key. The error says what is wrong with it, as the end of a sentence.
    fn of_member(member: &Value) -> Result<Member, String> {
        if !member.is_object() {
            return Err("is no object".to_owned());
        }
        let kind = match member.get("kty") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(_) => return Err("has a `kty` that is no text".to_owned()),
            None => return Err("has no `kty`".to_owned()),
        };
        let common: CommonParameters = read(member)?;
        let mut secret = None;
        let (possible, algorithm): (&[Algorithm], _) = match kind {
            "oct" => {
                let key: OctetKeyParameters = read(member)?;
                secret = Some(octets(&key.value)?);
                (HMAC, AlgorithmParameters::OctetKey(key))
            }
            "RSA" => {
                let key: RSAKeyParameters = read(member)?;
                let long_enough = decoded("n", &key.n)?.len() >= SHORTEST_MODULUS;
                decoded("e", &key.e)?;
                (if long_enough { RSA } else { &[] }, AlgorithmParameters::RSA(key))
            }
            "EC" | "OKP" if !has_known_curve(member)? => return Ok(Member::Foreign),
            "EC" => {
                let key: EllipticCurveKeyParameters = read(member)?;
                decoded("x", &key.x)?;
                decoded("y", &key.y)?;
                let possible: &[Algorithm] = match key.curve {
                    EllipticCurve::P256 => &[Algorithm::ES256],
                    EllipticCurve::P384 => &[Algorithm::ES384],
                    EllipticCurve::P521 | EllipticCurve::Ed25519 => &[],
                    // The enumeration is open: what it will hold is not known to be safe.
                    _ => &[],
                };
                (possible, AlgorithmParameters::EllipticCurve(key))
            }
            "OKP" => {
                let key: OctetKeyPairParameters = read(member)?;
                decoded("x", &key.x)?;
                let possible: &[Algorithm] = match key.curve {
                    EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
                    _ => &[],
                };
                (possible, AlgorithmParameters::OctetKeyPair(key))
            }
            _unknown => return Ok(Member::Foreign),
        };
        let algorithms: Vec<_> = match common.key_algorithm {
            None => possible.to_vec(),
            Some(named) => possible
                .iter()
                .copied()
                .filter(|algorithm| Algorithm::try_from(named).ok() == Some(*algorithm))
                .collect(),
        };
        let for_signatures = match &common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
        };
        if !for_signatures || algorithms.is_empty() {
            return Ok(Member::Foreign);
        }
        let id = common.key_id.clone();
        let decoding = DecodingKey::from_jwk(&Jwk { common, algorithm })
            .map_err(|error| format!("cannot be read: {error}"))?;
        Ok(Member::Usable(Key { id, algorithms, decoding, secret }))
    }
}

/// The members that every key, or one of this kind, has to have.
fn read<T: DeserializeOwned>(member: &Value) -> Result<T, String> {
    serde_json::from_value(member.clone()).map_err(|error| format!("is malformed: {error}"))
}

/// Whether the jsonwebtoken crate knows the curve of a key. A key on another curve is skipped, not refused.
fn has_known_curve(member: &Value) -> Result<bool, String> {
    match member.get("crv") {
        Some(curve @ Value::String(_)) => Ok(serde_json::from_value::<EllipticCurve>(curve.clone()).is_ok()),
        Some(_) => Err("has a `crv` that is no text".to_owned()),
        None => Err("has no `crv`".to_owned()),
    }
}

/// The bytes of a secret. Whoever knows one public message can try short ones at leisure.
fn octets(text: &str) -> Result<Vec<u8>, String> {
    let octets = decoded("k", text)?;
    match octets.len() < SHORTEST_SECRET {
        true => {
            Err(format!("has a `k` of {} bytes, and at least {SHORTEST_SECRET} are needed", octets.len()))
        }
        false => Ok(octets),
    }
}

fn decoded(name: &str, text: &str) -> Result<Vec<u8>, String> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| format!("has a `{name}` that is no base64url: {error}"))
}

fn unusable(why: impl fmt::Display) -> Error {
    Error::Unusable(format!("jwt-secret {why}"))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
