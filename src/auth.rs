//! Who asks: from the token of a request, over REST or gRPC alike, to the role
//! and the claims that its transaction runs with. Decides nothing about what a role may do;
//! PostgreSQL does.

mod cache;
mod carrier;
mod claims;
mod fetch;
mod jwks;
mod jwt;
mod remote;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};

use self::{
    cache::Cache,
    carrier::Places,
    jwks::Keys,
    jwt::{Expected, Refusal},
    remote::Remote,
};
pub use self::{cache::CacheCounters, carrier::Effect, claims::Claims};
use crate::{
    config::{self, ClaimPath, Config},
    error::{Caller, Error, Fault, Result},
};

/// A role and the claims it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The PostgreSQL role of the transaction.
    pub role: String,
    /// The values of the token's claims, all of them, with `role` set to [`Identity::role`].
    pub claims: Map<String, Value>,
    /// Whether the role is another than the anonymous one: a token without a role is anonymous.
    pub caller: Caller,
    claims_json: Bytes,
    role_value: Bytes,
}

impl Identity {
    /// An identity of these claims.
    pub fn new(role: impl Into<String>, claims: Claims, caller: Caller) -> Identity {
        let role = role.into();
        let (claims, claims_json) = claims.with_role(&role);
        let role_value = role.clone().into();
        Identity { role, claims, caller, claims_json, role_value }
    }

    /// The role as the setting `role` has it.
    pub fn role_value(&self) -> &Bytes {
        &self.role_value
    }

    /// The claims as the setting `request.jwt.claims` has them: each in the token's own words.
    pub fn claims_json(&self) -> &Bytes {
        &self.claims_json
    }
}

/// Turns tokens into identities. Belongs to one configuration: a reload makes a new one,
/// and with it an empty cache.
#[derive(Debug)]
pub struct Authenticator {
    places: Places,
    keys: Source,
    /// The issuer that tokens have to name, if the configuration names one.
    issuer: Option<String>,
    audience: Option<String>,
    role_path: ClaimPath,
    /// None: requests without a token are refused.
    anonymous: Option<Arc<Identity>>,
    /// The role that pgduet logs in with, which no token may name.
    login: Option<String>,
    cache: Cache,
}

/// Where the keys come from.
#[derive(Debug)]
enum Source {
    /// No token can be verified.
    None,
    /// They stand in the configuration.
    Given(Keys),
    /// They are fetched.
    Remote(Arc<Remote>),
}

/// The generation of keys that never change.
const UNCHANGING: u64 = 0;

impl Authenticator {
    /// Fails where `jwt-secret` is no secret. Keys that have to be fetched are those of `former`, if they are of the same
    /// address; [`Authenticator::keep_keys`] fetches them.
    pub fn new(
        config: &Config,
        former: Option<&Authenticator>,
    ) -> std::result::Result<Authenticator, config::Error> {
        let anonymous = config.db_anon_role.as_ref();
        let (connection, _) = config.connection()?;
        let keys = match (config.key_address()?, config.jwt_key()?) {
            (Some(address), _) => {
                let plain = config.plain_http();
                let known = former.and_then(Authenticator::remote);
                let known = known.filter(|known| known.is_for(&address, plain)).cloned();
                Source::Remote(known.unwrap_or_else(|| Arc::new(Remote::new(address, plain))))
            }
            (None, Some(key)) => Source::Given(Keys::new(&key)?),
            (None, None) => Source::None,
        };
        Ok(Authenticator {
            places: Places::of(config),
            keys,
            issuer: config.jwt_issuer.clone(),
            audience: config.jwt_aud.as_ref().map(|audience| audience.0.clone()),
            role_path: config.jwt_role_claim_key.clone(),
            anonymous: anonymous
                .map(|role| Arc::new(Identity::new(role, Claims::default(), Caller::Anonymous))),
            login: connection.postgres.get_user().map(str::to_owned),
            cache: Cache::new(config.jwt_cache_max_entries),
        })
    }

    /// Fetches the keys that are published at an address, and keeps them fresh for as long as this or a successor of it is
    /// there. Returns when there are keys or could be none. What stands in the configuration needs no fetching.
    pub async fn keep_keys(&self) {
        if let Some(remote) = self.remote() {
            remote.keep().await;
        }
    }

    /// The identity behind the headers of a request, which may have this effect.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        effect: Effect,
        now: SystemTime,
    ) -> Result<Arc<Identity>> {
        let Some(token) = self.places.token(headers, effect)? else {
            return self.anonymous.clone().ok_or_else(anonymous_disabled);
        };
        match (self.verify(token, now), self.remote()) {
            (Ok(identity), _) => Ok(identity),
            // Few requests wait, and the others need no room for it.
            (Err(Refusal::UnknownKey(_)), Some(remote)) => {
                Box::pin(async {
                    remote.demand().await;
                    self.verify(token, now).map_err(Refusal::into_error)
                })
                .await
            }
            (Err(refusal), _) => Err(refusal.into_error()),
        }
    }

    /// The identity of a token, by the keys there are.
    fn verify(&self, token: &[u8], now: SystemTime) -> std::result::Result<Arc<Identity>, Refusal> {
        match &self.keys {
            Source::None => Err(Error::new(Fault::JwtSecretMissing, "Server lacks JWT secret").into()),
            Source::Given(keys) => self.verify_with(keys, UNCHANGING, None, token, now),
            Source::Remote(remote) => match &*remote.published() {
                None => Err(keys_unavailable().into()),
                Some(published) => {
                    let (generation, issuer) = (published.generation, published.issuer.as_deref());
                    self.verify_with(&published.keys, generation, issuer, token, now)
                }
            },
        }
    }

    fn verify_with(
        &self,
        keys: &Keys,
        generation: u64,
        issuer: Option<&str>,
        token: &[u8],
        now: SystemTime,
    ) -> std::result::Result<Arc<Identity>, Refusal> {
        let expected =
            Expected { audience: self.audience.as_deref(), issuer: self.issuer.as_deref().or(issuer) };
        if let Some(identity) = self.cache.get(token, generation) {
            jwt::check(&identity.claims, expected, seconds(now))?;
            return Ok(identity);
        }
        let claims = jwt::verify(token, keys)?;
        jwt::check(claims.values(), expected, seconds(now))?;
        let identity = Arc::new(self.identity(claims)?);
        self.cache.insert(token, generation, identity.clone());
        Ok(identity)
    }

    fn remote(&self) -> Option<&Arc<Remote>> {
        match &self.keys {
            Source::Remote(remote) => Some(remote),
            Source::None | Source::Given(_) => None,
        }
    }

    /// What the cache of verified tokens has done so far.
    pub fn cache_counters(&self) -> CacheCounters {
        self.cache.counters()
    }

    /// How long ago the issuer last answered with keys, where they are fetched from one and have ever come.
    pub fn age_of_keys(&self) -> Option<Duration> {
        self.remote().and_then(|remote| remote.age())
    }

    /// The secret that tokens are signed with; none where the keys are public.
    pub fn secret(&self) -> Option<&[u8]> {
        match &self.keys {
            Source::Given(keys) => keys.secret(),
            Source::None | Source::Remote(_) => None,
        }
    }

    /// The role that the claims name, else the anonymous one.
    fn identity(&self, claims: Claims) -> Result<Identity> {
        let values = Value::Object(claims.values().clone());
        let named = self.role_path.find(&values).map(|role| match role {
            Value::String(role) => role.clone(),
            other => other.to_string(),
        });
        let anonymous = self.anonymous.as_ref().map(|identity| identity.role.as_str());
        let role = named.or_else(|| anonymous.map(str::to_owned)).ok_or_else(anonymous_disabled)?;
        if role.len() > LONGEST_ROLE || self.stays_logged_in(&role) {
            return Err(Error::new(Fault::JwtClaims, "The JWT role claim names no role to run as")
                .cause(format!("the role is or may become the one that pgduet logs in with: {role}")));
        }
        let caller = match Some(role.as_str()) == anonymous {
            true => Caller::Anonymous,
            false => Caller::Authenticated,
        };
        Ok(Identity::new(role, claims, caller))
    }
}

/// PostgreSQL cuts a longer name off after so many bytes, and takes it for the name that is left.
const LONGEST_ROLE: usize = 63;

impl Authenticator {
    /// Whether a transaction of this role would run as the login role. `none` is PostgreSQL's word for that
    /// (<https://www.postgresql.org/docs/current/sql-set-role.html>); an operator may let anonymous requests do so.
    fn stays_logged_in(&self, role: &str) -> bool {
        let is_anonymous = self.anonymous.as_ref().is_some_and(|anonymous| anonymous.role == role);
        role == "none" || (self.login.as_deref() == Some(role) && !is_anonymous)
    }
}

fn anonymous_disabled() -> Box<Error> {
    Error::new(Fault::AnonymousDisabled, "Anonymous access is disabled")
}

/// Whoever sends a token is never taken for anonymous: what cannot be checked is refused.
fn keys_unavailable() -> Box<Error> {
    Error::new(Fault::KeysUnavailable, "The keys that tokens are verified with could not be fetched")
}

/// The token after `Bearer`, in any case (RFC 9110, section 11.1); may be empty.
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let end = authorization.iter().position(u8::is_ascii_whitespace).unwrap_or(authorization.len());
    let (scheme, token) = authorization.split_at(end);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii())
}

/// Seconds since 1970; a clock before that is as good as 1970.
fn seconds(now: SystemTime) -> i64 {
    let elapsed = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
