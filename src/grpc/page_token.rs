//! Page tokens: a place in an order, sealed by AES-256-GCM so that a client can
//! neither read nor forge it, and bound to its query by the associated data.
//!
//! The key comes from the option `page-token-secret`, else from `jwt-secret` where
//! that is a secret, so that all replicas share it; else it is this process's own.
//! Public keys are known to everybody: no key comes from them.

use super::refuse::refuse;
use crate::{
    config::{Config, Secret},
    error::{Error, Fault, Result},
};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, hkdf, rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost_reflect::{DynamicMessage, prost::Message as _};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, Once},
};

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Position {
    /// After the row with these values in the columns of the order.
    #[serde(rename = "k")]
    Keyset(Vec<Option<String>>),
    /// After so many rows.
    #[serde(rename = "o")]
    Offset(u64),
}

/// The query that a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding(Vec<u8>);

impl Binding {
    /// The query of this method: what of its request decides which rows come in
    /// which order.
    pub(crate) fn new(method: &str, query: &DynamicMessage) -> Self {
        let mut text = method.as_bytes().to_vec();
        text.push(0);
        text.extend(query.encode_to_vec());
        Binding(digest::digest(&digest::SHA256, &text).as_ref().to_vec())
    }
}

/// A secret of this process, for where none is configured. One for all reloads: tokens are good across them.
#[derive(Clone)]
pub(crate) struct OwnSecret {
    secret: [u8; 32],
    /// Says once that it is used.
    told: Arc<Once>,
}

impl OwnSecret {
    /// Another one each time.
    pub(crate) fn random() -> Result<Self> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(broken)?;
        Ok(OwnSecret { secret, told: Arc::new(Once::new()) })
    }
}

impl fmt::Debug for OwnSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OwnSecret(…)")
    }
}

/// Seals and opens page tokens.
pub(crate) struct Sealer(LessSafeKey);

impl fmt::Debug for Sealer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sealer(…)")
    }
}

/// Keeps the key apart from any other use of the same secret.
const PURPOSE: &[u8] = b"pgduet page token 1";

impl Sealer {
    /// A sealer for this configuration; `of_tokens` is the secret of `jwt-secret`, if that is one, and `own` counts
    /// where there is neither.
    pub(crate) fn new(config: &Config, of_tokens: Option<&[u8]>, own: &OwnSecret) -> Result<Self> {
        let configured = config.page_token_secret.as_ref().map(Secret::bytes).or(of_tokens);
        let secret = configured.unwrap_or_else(|| {
            own.told.call_once(|| {
                tracing::warn!(
                    "without page-token-secret, and without a secret in jwt-secret, page tokens end with this process"
                );
            });
            &own.secret
        });
        let material = hkdf::Salt::new(hkdf::HKDF_SHA256, b"pgduet").extract(secret);
        let key = material.expand(&[PURPOSE], &AES_256_GCM).map_err(broken)?;
        Ok(Sealer(LessSafeKey::new(UnboundKey::from(key))))
    }

    /// A token for a place in a query.
    pub(crate) fn seal(&self, position: &Position, binding: &Binding) -> Result<String> {
        let mut sealed = serde_json::to_vec(position).map_err(broken)?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(broken)?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(unique, Aad::from(&binding.0), &mut sealed).map_err(broken)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The place that a token of this query says.
    pub(crate) fn open(&self, token: &str, binding: &Binding) -> Result<Position> {
        let opened = || {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
            let (nonce, sealed) = bytes.split_first_chunk()?;
            let mut sealed = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let plain = self.0.open_in_place(nonce, Aad::from(&binding.0), &mut sealed).ok()?;
            serde_json::from_slice(plain).ok()
        };
        opened().ok_or_else(|| {
            let mut error = refuse("page_token", "is no token of this query");
            error.origin = crate::error::Origin::Pgduet(Fault::InvalidPageToken);
            error
        })
    }
}

fn broken(error: impl fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "page tokens cannot be made").cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::Authenticator, config::Sources};

    fn config(settings: &[(&str, &str)]) -> Config {
        let environment =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(&Sources::new(None, environment, Default::default())).unwrap().0
    }

    fn sealer(settings: &[(&str, &str)]) -> Sealer {
        sealer_of(settings, &OwnSecret::random().unwrap())
    }

    fn sealer_of(settings: &[(&str, &str)], own: &OwnSecret) -> Sealer {
        let config = config(settings);
        let authenticator = Authenticator::new(&config, None).unwrap();
        Sealer::new(&config, authenticator.secret(), own).unwrap()
    }

    const SECRET: (&str, &str) = ("PGRST_JWT_SECRET", "reallyreallyreallyreallyverysafe");

    fn binding(name: &str) -> Binding {
        Binding(name.into())
    }

    #[test]
    fn a_token_opens_for_its_query_alone() {
        let sealer = sealer(&[SECRET]);
        let position = Position::Keyset(vec![Some("Łódź".to_owned()), None]);
        let token = sealer.seal(&position, &binding("a")).unwrap();
        assert_eq!(sealer.open(&token, &binding("a")).unwrap(), position);
        assert_eq!(sealer.open(&token, &binding("b")).unwrap_err().code(), "PGDUET05");
    }

    #[test]
    fn replicas_with_one_secret_open_each_others_tokens_and_no_others() {
        let token = sealer(&[SECRET]).seal(&Position::Offset(7), &binding("a")).unwrap();
        assert_eq!(sealer(&[SECRET]).open(&token, &binding("a")).unwrap(), Position::Offset(7));
        assert!(sealer(&[]).open(&token, &binding("a")).is_err());
        let own = ("PGDUET_PAGE_TOKEN_SECRET", "another secret of these tokens only");
        assert!(sealer(&[SECRET, own]).open(&token, &binding("a")).is_err());
    }

    #[test]
    fn nothing_is_derived_from_public_keys() {
        let public = r#"{"kty":"OKP","crv":"Ed25519","x":"NURoJTlSNWDcMGWi2XTWytMTfie1LA03kRuFU4Wr64Y"}"#;
        let keys = ("PGRST_JWT_SECRET", public);
        let token = sealer(&[keys]).seal(&Position::Offset(7), &binding("a")).unwrap();
        assert!(sealer(&[keys]).open(&token, &binding("a")).is_err(), "another process has another key");
        let own = OwnSecret { secret: [0; 32], told: Arc::new(Once::new()) };
        let forger = Sealer::new(&config(&[]), Some(public.as_bytes()), &own).unwrap();
        let forged = forger.seal(&Position::Offset(7), &binding("a")).unwrap();
        assert!(sealer(&[keys]).open(&forged, &binding("a")).is_err());
        // Of a set, the secret member counts, and of a single key its bytes.
        let secret = r#"{"kty":"oct","k":"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU"}"#;
        let set = format!(r#"{{"keys":[{public},{secret}]}}"#);
        let token = sealer(&[("PGRST_JWT_SECRET", &set)]).seal(&Position::Offset(7), &binding("a")).unwrap();
        for shared in [secret, set.as_str(), SECRET.1] {
            let opened = sealer(&[("PGRST_JWT_SECRET", shared)]).open(&token, &binding("a"));
            assert_eq!(opened.unwrap(), Position::Offset(7), "{shared}");
        }
        let both = [keys, ("PGDUET_PAGE_TOKEN_SECRET", "another secret of these tokens only")];
        let token = sealer(&both).seal(&Position::Offset(7), &binding("a")).unwrap();
        assert_eq!(sealer(&both).open(&token, &binding("a")).unwrap(), Position::Offset(7));
    }

    #[test]
    fn without_a_secret_tokens_are_good_as_long_as_the_process() {
        let own = OwnSecret::random().unwrap();
        let sealer = |own| sealer_of(&[], own);
        let token = sealer(&own).seal(&Position::Offset(7), &binding("a")).unwrap();
        assert_eq!(sealer(&own).open(&token, &binding("a")).unwrap(), Position::Offset(7));
        assert!(sealer(&OwnSecret::random().unwrap()).open(&token, &binding("a")).is_err());
    }

    #[test]
    fn a_token_that_was_touched_or_made_up_is_refused() {
        let sealer = sealer(&[SECRET]);
        let token = sealer.seal(&Position::Offset(1), &binding("a")).unwrap();
        let touched = format!("{}A", &token[..token.len() - 1]);
        for forged in ["", "x", "AAAA", "🦀", touched.as_str()] {
            assert!(forged == token || sealer.open(forged, &binding("a")).is_err(), "{forged}");
        }
    }
}
