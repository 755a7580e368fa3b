//! The keys of `jwt-secret`: a text, a JSON Web Key (RFC 7517), or a set of them. Each key
//! is pinned to the algorithms it can verify, so that no token chooses another
//! (RFC 8725, section 3.1). PS*, ES512 and encrypted tokens are not among them.

use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;

use crate::config::Error;

const HMAC: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: &[Algorithm] = &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];

/// Keys that tokens are verified with; at least one.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

/// A key and what it is for.
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    /// The key itself.
    pub(super) decoding: DecodingKey,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Set { keys: Vec<Jwk> },
    Single(Box<Jwk>),
}

impl Keys {
    /// Reads the key material. A text is any that is not a key or a set in JSON.
    pub(super) fn new(material: &[u8]) -> Result<Keys, Error> {
        let keys = match serde_json::from_slice(material) {
            Ok(Document::Set { keys }) => keys,
            Ok(Document::Single(key)) if !matches!(key.algorithm, AlgorithmParameters::Other(_)) => {
                vec![*key]
            }
            Ok(Document::Single(_)) | Err(_) => return Keys::of_text(material),
        };
        // A set may hold keys for other purposes; one that can verify is enough.
        let usable: Vec<_> = keys.iter().filter_map(Key::of_jwk).collect();
        match usable.is_empty() {
            true => {
                Err(Error::Unusable("jwt-secret has no JSON Web Key that can verify a signature".to_owned()))
            }
            false => Ok(Keys(usable)),
        }
    }

    fn of_text(material: &[u8]) -> Result<Keys, Error> {
        match material.len() < 32 {
            true => Err(Error::Unusable("The JWT secret must be at least 32 characters long.".to_owned())),
            false => Ok(Keys(vec![Key {
                id: None,
                algorithms: HMAC.to_vec(),
                decoding: DecodingKey::from_secret(material),
            }])),
        }
    }

    /// The keys that a token may be verified with: the one it names, or any of its algorithm.
    pub(super) fn suitable(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            key.algorithms.contains(&algorithm) && (id.is_none() || id == key.id.as_deref())
        })
    }
}

impl Key {
    fn of_jwk(jwk: &Jwk) -> Option<Key> {
        let possible: &[Algorithm] = match &jwk.algorithm {
            // An empty secret would let everybody in.
            AlgorithmParameters::OctetKey(key) if key.value.is_empty() => &[],
            AlgorithmParameters::OctetKey(_) => HMAC,
            AlgorithmParameters::RSA(_) => RSA,
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => &[Algorithm::ES256],
                EllipticCurve::P384 => &[Algorithm::ES384],
                EllipticCurve::P521 | EllipticCurve::Ed25519 => &[],
                // The enumeration is open: what it will hold is not known to be safe.
                _ => &[],
            },
            AlgorithmParameters::OctetKeyPair(key) => match key.curve {
                EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
                _ => &[],
            },
            // The same: an open enumeration.
            AlgorithmParameters::Other(_) | _ => &[],
        };
        let algorithms: Vec<_> = match jwk.common.key_algorithm {
            None => possible.to_vec(),
            Some(named) => possible
                .iter()
                .copied()
                .filter(|algorithm| Algorithm::try_from(named).ok() == Some(*algorithm))
                .collect(),
        };
        let for_signatures = match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
        };
        let decoding = DecodingKey::from_jwk(jwk).ok()?;
        let id = jwk.common.key_id.clone();
        (for_signatures && !algorithms.is_empty()).then_some(Key { id, algorithms, decoding })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
