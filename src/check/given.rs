//! What the configuration alone, and the connection it leads to, show. No function here asks the database.

use super::{RefusedSecret, Seen, pooling::Pooling, transport};
use crate::{
    auth::Authenticator,
    config::{Config, ListenHost, OpenApiMode, Warning},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use std::net::IpAddr;

/// What there is besides the database.
pub(super) struct Given<'a> {
    pub(super) config: &'a Config,
    /// What was said of `config` when it was read.
    pub(super) warnings: &'a [Warning],
    /// The secrets that had to be left out of `config`.
    pub(super) refused: &'a [RefusedSecret],
    pub(super) pooling: Pooling,
}

impl Given<'_> {
    /// Why the server does not start with this secret.
    fn refusal(&self, option: &str) -> Option<String> {
        let refused = self.refused.iter().find(|refused| refused.option == option);
        refused.map(|refused| refused.error.to_string())
    }
}

pub(super) const JWT_SECRET: &str = "jwt-secret";
pub(super) const PAGE_TOKEN_SECRET: &str = "page-token-secret";

/// As long as what HS256 makes of it (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

/// Secrets that anybody can read: in the tutorial of PostgREST, in the examples of Supabase, in `pgduet demo` and in this
/// repository's `compose.yaml`.
const PUBLISHED: &[&[u8]] = &[
    b"example-of-a-secret-with-32-characters-or-more",
    b"reallyreallyreallyreallyverysafe",
    b"super-secret-jwt-token-with-at-least-32-characters-long",
    b"your-super-secret-jwt-token-with-at-least-32-characters-long",
    b"the-secret-of-the-pgduet-demo-is-public",
];

pub(super) fn secret(given: &Given<'_>) -> Option<Seen> {
    let unusable = || Authenticator::new(given.config, None).err().map(|error| error.to_string());
    let weak = || weakness(&given.config.jwt_key().ok().flatten()?).map(str::to_owned);
    let cause = given.refusal(JWT_SECRET).or_else(unusable).or_else(weak)?;
    Some(option(JWT_SECRET, cause, "jwt-secret = \"@/run/secrets/jwt\""))
}

/// What is wrong with a secret that can be used.
fn weakness(key: &[u8]) -> Option<&'static str> {
    if PUBLISHED.contains(&key) {
        return Some("It is published as an example.");
    }
    let document: Value = serde_json::from_slice(key).ok()?;
    let keys = match document.get("keys") {
        Some(Value::Array(keys)) => keys.as_slice(),
        _ => std::slice::from_ref(&document),
    };
    keys.iter().any(is_short).then_some("One of its symmetric keys is shorter than 32 bytes.")
}

fn is_short(key: &Value) -> bool {
    let text = |name| key.get(name).and_then(Value::as_str);
    // What is not base64 is refused elsewhere.
    let length = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map(|secret| secret.len());
    text("kty") == Some("oct")
        && text("k").and_then(|text| length(text).ok()).is_some_and(|n| n < SECRET_BYTES)
}

pub(super) fn page_token_secret(given: &Given<'_>) -> Option<Seen> {
    let short = || {
        let secret = given.config.page_token_secret.as_ref()?;
        (secret.bytes().len() < SECRET_BYTES).then(|| "It is shorter than 32 bytes.".to_owned())
    };
    let cause = given.refusal(PAGE_TOKEN_SECRET).or_else(short)?;
    Some(option(PAGE_TOKEN_SECRET, cause, "page-token-secret = \"@/run/secrets/page-tokens\""))
}

pub(super) fn keys_over_http(given: &Given<'_>) -> Option<Seen> {
    // Where there is no address the option has no effect, and will have one when there is.
    let cause = "Keys may be fetched by plain http from another machine.".to_owned();
    given
        .config
        .jwt_secret_allow_http
        .then(|| option("jwt-secret-allow-http", cause, "jwt-secret-allow-http = false"))
}

pub(super) fn prepared_behind_pooler(given: &Given<'_>) -> Option<Seen> {
    let seen = given.pooling == Pooling::Transaction && given.config.db_prepared_statements;
    let cause = "Statements are prepared, and db-uri leads to a transaction pooler.".to_owned();
    seen.then(|| option("db-prepared-statements", cause, "db-prepared-statements = false"))
}

pub(super) fn channel_behind_pooler(given: &Given<'_>) -> Option<Seen> {
    let seen = given.pooling == Pooling::Transaction && given.config.db_channel_enabled;
    let cause = "pgduet listens for notifications, and db-uri leads to a transaction pooler.".to_owned();
    seen.then(|| option("db-channel-enabled", cause, "db-channel-enabled = false"))
}

pub(super) fn admin_server_open(given: &Given<'_>) -> Option<Seen> {
    let config = given.config;
    let listens = config.admin_server_port.is_some() && config.admin_server_unix_socket.is_none();
    let host = &config.admin_server_host;
    let cause = format!("The admin server listens on {host}, not on the loopback address alone.");
    (listens && !is_loopback(host))
        .then(|| option("admin-server-host", cause, "admin-server-host = \"127.0.0.1\""))
}

fn is_loopback(host: &ListenHost) -> bool {
    match host {
        ListenHost::Named(name) if name == "localhost" => true,
        ListenHost::Named(name) => {
            name.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        ListenHost::Any
        | ListenHost::PreferIpv4
        | ListenHost::OnlyIpv4
        | ListenHost::PreferIpv6
        | ListenHost::OnlyIpv6 => false,
    }
}

pub(super) fn plans_shown(given: &Given<'_>) -> Option<Seen> {
    let cause = "Clients may ask for execution plans.".to_owned();
    given.config.db_plan_enabled.then(|| option("db-plan-enabled", cause, "db-plan-enabled = false"))
}

pub(super) fn no_effect(given: &Given<'_>) -> Option<Seen> {
    let idle = given.warnings.iter().filter(|warning| match warning {
        Warning::Unknown(_) | Warning::NotInDatabase(_) | Warning::IgnoredConnectionParameter(_) => true,
        Warning::NeedsRestart(_) | Warning::LegacyClaimPath(_) => false,
    });
    let causes: Vec<_> = idle.map(ToString::to_string).collect();
    (!causes.is_empty()).then(|| Seen {
        subject: "configuration".to_owned(),
        cause: causes.join("; "),
        remedy: "pgduet --example".to_owned(),
    })
}

pub(super) fn nobody_served(given: &Given<'_>) -> Option<Seen> {
    let config = given.config;
    let no_secret = config.jwt_secret.is_none() && given.refusal(JWT_SECRET).is_none();
    let nobody = config.db_anon_role.is_none() && no_secret;
    let cause = "There is neither a db-anon-role nor a jwt-secret.".to_owned();
    nobody.then(|| option(JWT_SECRET, cause, "jwt-secret = \"@/run/secrets/jwt\""))
}

pub(super) fn document_shows_all(given: &Given<'_>) -> Option<Seen> {
    let cause = "The root document shows everything in the schema to everyone.".to_owned();
    match given.config.openapi_mode {
        OpenApiMode::IgnorePrivileges => {
            Some(option("openapi-mode", cause, "openapi-mode = \"follow-privileges\""))
        }
        OpenApiMode::FollowPrivileges | OpenApiMode::Disabled => None,
    }
}

pub(super) fn database_not_verified(given: &Given<'_>) -> Option<Seen> {
    // What cannot be read has ended the check before.
    let (connection, _) = given.config.connection().ok()?;
    let cause =
        "The connection leaves this machine, and the database's certificate is not checked for its name.";
    (!transport::is_verified(&connection))
        .then(|| option("db-uri", cause.to_owned(), "sslmode=verify-full&sslrootcert=/etc/ssl/database.pem"))
}

fn option(name: &str, cause: String, remedy: &str) -> Seen {
    Seen { subject: format!("option {name}"), cause, remedy: remedy.to_owned() }
}
