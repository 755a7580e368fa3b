//! Who asks: from the `Authorization` of a request, over REST or gRPC alike, to the role
//! and the claims that its transaction runs with. Decides nothing about what a role may do;
//! PostgreSQL does.

mod cache;
mod claims;
mod jwks;
mod jwt;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde_json::{Map, Value};

use self::{cache::Cache, jwks::Keys};
pub use self::{cache::CacheCounters, claims::Claims};
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
    /// None: no token can be verified.
    keys: Option<Keys>,
    audience: Option<String>,
    role_path: ClaimPath,
    /// None: requests without a token are refused.
    anonymous: Option<Arc<Identity>>,
    /// The role that pgduet logs in with, which no token may name.
    login: Option<String>,
    cache: Cache,
}

impl Authenticator {
    /// Fails where `jwt-secret` is no secret.
    pub fn new(config: &Config) -> std::result::Result<Authenticator, config::Error> {
        let anonymous = config.db_anon_role.as_ref();
        let (connection, _) = config.connection()?;
        Ok(Authenticator {
            keys: config.jwt_key()?.as_deref().map(Keys::new).transpose()?,
            audience: config.jwt_aud.as_ref().map(|audience| audience.0.clone()),
            role_path: config.jwt_role_claim_key.clone(),
            anonymous: anonymous
                .map(|role| Arc::new(Identity::new(role, Claims::default(), Caller::Anonymous))),
            login: connection.postgres.get_user().map(str::to_owned),
            cache: Cache::new(config.jwt_cache_max_entries),
        })
    }

    /// The identity behind an `Authorization` header. Other schemes than `Bearer` are none.
    pub fn authenticate(&self, authorization: Option<&[u8]>, now: SystemTime) -> Result<Arc<Identity>> {
        let Some(token) = authorization.and_then(bearer) else {
            return self.anonymous.clone().ok_or_else(anonymous_disabled);
        };
        let keys = self
            .keys
            .as_ref()
            .ok_or_else(|| Error::new(Fault::JwtSecretMissing, "Server lacks JWT secret"))?;
        let identity = match self.cache.get(token) {
            Some(identity) => identity,
            None => {
                let claims = jwt::verify(token, keys)?;
                jwt::check(claims.values(), self.audience.as_deref(), seconds(now))?;
                let identity = Arc::new(self.identity(claims)?);
                self.cache.insert(token, identity.clone());
                return Ok(identity);
            }
        };
        jwt::check(&identity.claims, self.audience.as_deref(), seconds(now))?;
        Ok(identity)
    }

    /// What the cache of verified tokens has done so far.
    pub fn cache_counters(&self) -> CacheCounters {
        self.cache.counters()
    }

    /// The secret that tokens are signed with; none where the keys are public.
    pub fn secret(&self) -> Option<&[u8]> {
        self.keys.as_ref()?.secret()
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
