//! THE option table: every option once, with its type, its default and its rules. The file,
//! the environment, the flags, the settings inside the database, `--dump-config`,
//! `--example` and CONFIG.md all read this table; none has a list of its own.
//!
//! A leaf: it imports nothing of the crate, and talks to no database. Settings inside the
//! database are handed in by whoever read them.

mod base_path;
pub mod claim_path;
pub mod connection;
mod error;
mod fields;
mod file;
mod key_address;
mod key_material;
mod networks;
mod option;
pub mod package;
mod publisher;
mod render;
mod sources;
mod types;
pub mod value;

use std::{collections::BTreeMap, fmt, num::NonZeroUsize, path::PathBuf, time::Duration};

pub use self::{
    base_path::BasePath,
    claim_path::ClaimPath,
    connection::Connection,
    error::{Error, Invalid, Origin, Warning},
    fields::{CookieName, RequestHeader},
    key_address::{KeyAddress, PlainHttp},
    key_material::{KeyMaterial, SHORTEST_SECRET},
    networks::Networks,
    option::{Alias, Change, Family, InDatabase, OptionRow, Rules},
    package::PackageTemplate,
    publisher::{Contact, License},
    render::{example, markdown},
    sources::{APP_SETTINGS, Sources},
    types::{
        Audience, DbUri, FileMode, FunctionName, GrpcReflection, GrpcTimestamps, ListenHost, LogFormat,
        LogLevel, Milliseconds, OpenApiMode, OpenApiVersion, Origins, ProxyUri, Schemas, Secret, Timeout,
        TxEnd, Verbosity,
    },
};
use self::{
    option::{AtFile, RELOAD, RESTART},
    sources::{DATABASE_PREFIX, Found, Lookup},
    value::{Rendered, Value},
};

macro_rules! options {
    ($($(#[doc = $help:literal])+ $field:ident $name:literal: $type:ty = $default:literal, $rules:expr;)+) => {
        /// A configuration: one field for each option, checked.
        #[derive(Clone, PartialEq)]
        pub struct Config {
            $($(#[doc = $help])+ pub $field: $type,)+
            /// Settings passed on to every transaction, by full name (`app.settings.x`).
            pub app_settings: BTreeMap<String, String>,
            /// The environment's `PG*` variables, which the connection falls back on.
            pub libpq_environment: BTreeMap<String, String>,
        }

        /// The options alone: application settings and the environment may hold secrets.
        impl fmt::Debug for Config {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Config")$(.field(stringify!($field), &self.$field))+.finish_non_exhaustive()
            }
        }

        /// The option table, in the order of the names within a family.
        pub const OPTIONS: &[OptionRow] = &[$(options!(@row $($help)+, $name, $type, $default, $rules)),+];

        impl Config {
            fn read(lookup: &Lookup<'_>, libpq_environment: BTreeMap<String, String>) -> Result<Config, Error> {
                Ok(Config {
                    $($field: value(lookup, &options!(@row $($help)+, $name, $type, $default, $rules))?,)+
                    app_settings: lookup.app_settings(),
                    libpq_environment,
                })
            }

            /// The values in the table's order.
            fn rendered(&self) -> Vec<Rendered> {
                vec![$(self.$field.render()),+]
            }

            /// Takes from `running` what only a restart changes; says which those would be.
            fn keep_until_restart(&mut self, running: &Config) -> Vec<Warning> {
                let mut changed = Vec::new();
                $(if $rules.change == Change::OnRestart && self.$field != running.$field {
                    self.$field = running.$field.clone();
                    changed.push(Warning::NeedsRestart($name));
                })+
                changed
            }
        }
    };
    (@row $($help:literal)+, $name:literal, $type:ty, $default:literal, $rules:expr) => {
        OptionRow {
            name: $name,
            help: concat!($($help),+),
            form: <$type as Value>::FORM,
            default: $default,
            rules: $rules,
        }
    };
}

options! {
    /// Address that the admin server listens on.
    admin_server_host "admin-server-host": ListenHost = "!4", RESTART.alias("server-host");
    /// Port of the admin server, which answers `/live`, `/ready`, `/metrics` and `/schema_cache`.
    /// There is none without a port or a socket.
    admin_server_port "admin-server-port": Option<u16> = "", RESTART;
    /// Unix socket of the admin server; takes the place of host and port.
    admin_server_unix_socket "admin-server-unix-socket": Option<PathBuf> = "", RESTART;
    /// Permissions of the admin server's socket.
    admin_server_unix_socket_mode "admin-server-unix-socket-mode": FileMode = "660", RESTART;
    /// How much of an error a client is told: all of it, or code and message only.
    client_error_verbosity "client-error-verbosity": Verbosity = "verbose", RELOAD.in_database();
    /// Whether clients may use aggregate functions in `select`; over gRPC, whether relations have a method for them.
    db_aggregates_enabled "db-aggregates-enabled": bool = "false", RELOAD.in_database();
    /// Role of requests without a token. Without one, such requests are refused.
    db_anon_role "db-anon-role": Option<String> = "", RELOAD.in_database();
    /// Name of the notification channel that triggers reloads.
    db_channel "db-channel": String = "pgrst", RELOAD;
    /// Whether to listen on the notification channel. Switch it off behind a transaction pooler.
    db_channel_enabled "db-channel-enabled": bool = "true", RELOAD;
    /// Whether settings inside the database (`pgrst.*`) are read.
    db_config "db-config": bool = "true", RELOAD;
    /// Schemas added to the search path of every request. Empty: none.
    db_extra_search_path "db-extra-search-path": Vec<String> = "public", RELOAD.in_database().may_be_empty();
    /// Settings of a function that take effect for the whole transaction that calls it.
    db_hoisted_tx_settings "db-hoisted-tx-settings": Vec<String>
        = "statement_timeout,plan_filter.statement_cost_limit,default_transaction_isolation", RELOAD.in_database();
    /// Largest number of rows in one answer. Empty: no limit. A gRPC stream that has more ends with an error.
    db_max_rows "db-max-rows": Option<u64> = "", RELOAD.in_database().alias("max-rows");
    /// Whether clients may ask for execution plans (`application/vnd.pgrst.plan`).
    db_plan_enabled "db-plan-enabled": bool = "false", RELOAD.in_database();
    /// Largest number of connections in the pool, which serve requests. Beside it there are one for loads, one that asks
    /// each second whether PostgreSQL answers, and one that listens. With 1 there are no gRPC streams, which may have half
    /// of the pool.
    db_pool "db-pool": NonZeroUsize = "10", RESTART;
    /// How long a request waits for a free connection.
    db_pool_acquisition_timeout "db-pool-acquisition-timeout": Duration = "10", RESTART;
    /// Whether a lost connection is made again. Otherwise the process exits.
    db_pool_automatic_recovery "db-pool-automatic-recovery": bool = "true", RELOAD;
    /// After how long an unused connection is closed.
    db_pool_max_idletime "db-pool-max-idletime": Duration = "30", RESTART.stronger_alias("db-pool-timeout");
    /// After how long a connection is replaced.
    db_pool_max_lifetime "db-pool-max-lifetime": Duration = "1800", RESTART;
    /// Function that is called for settings (`pgrst.*`) when the configuration is read.
    db_pre_config "db-pre-config": Option<FunctionName> = "", RELOAD.in_database();
    /// Function that is called in every transaction before the request's own statement.
    db_pre_request "db-pre-request": Option<FunctionName> = "", RELOAD.in_database().alias("pre-request");
    /// Whether statements are prepared, where no pooler forbids it: one that gives each transaction another session is
    /// recognised.
    db_prepared_statements "db-prepared-statements": bool = "true", RELOAD.in_database();
    /// Function that answers `GET /` in place of the OpenAPI document.
    db_root_spec "db-root-spec": Option<FunctionName> = "", RELOAD.in_database().alias("root-spec");
    /// Exposed schemas; the first is the one of requests that name none.
    db_schemas "db-schemas": Schemas = "public", RELOAD.in_database().alias("db-schema");
    /// How transactions end, and whether `Prefer: tx=` may change it.
    db_tx_end "db-tx-end": TxEnd = "commit", RESTART.in_database();
    /// The database: every form of libpq, whose `PG*` variables fill in what is missing.
    db_uri "db-uri": DbUri = "postgresql://", RESTART.or_file();
    /// Audience that tokens have to be for, where they name any.
    jwt_aud "jwt-aud": Option<Audience> = "", RELOAD.in_database();
    /// Number of verified tokens that are remembered. 0: none.
    jwt_cache_max_entries "jwt-cache-max-entries": usize = "1000", RELOAD;
    /// Where in the claims the role is.
    jwt_role_claim_key "jwt-role-claim-key": ClaimPath = "$.role", RELOAD.in_database().alias("role-claim-key");
    /// What tokens are verified with: a text of at least 32 bytes, a JSON Web Key, a set of them, or the `https` address of
    /// a set or of an OpenID Connect issuer. From an address the keys are fetched again as its `Cache-Control` says, at most
    /// each minute and at least each day, and where a token names an unknown key. An issuer's tokens have to name it (`iss`).
    jwt_secret "jwt-secret": Option<Secret> = "", RELOAD.in_database().or_file();
    /// Whether `jwt-secret` is the base64 of the secret.
    jwt_secret_is_base64 "jwt-secret-is-base64": bool = "false", RELOAD.in_database().alias("secret-is-base64");
    /// Which requests are logged: none, those answered with 500 and above, 400 and above, or all.
    log_level "log-level": LogLevel = "error", RELOAD;
    /// Whether the SQL of the requests that `log-level` shows is logged too.
    log_query "log-query": bool = "false", RELOAD;
    /// Whether the root document shows what the role may use, or everything, or is off.
    openapi_mode "openapi-mode": OpenApiMode = "follow-privileges", RELOAD.in_database();
    /// Whether the root document says that requests need a token.
    openapi_security_active "openapi-security-active": bool = "false", RELOAD.in_database();
    /// Address at which clients reach the API, for the root document.
    openapi_server_proxy_uri "openapi-server-proxy-uri": Option<ProxyUri> = "", RELOAD.in_database();
    /// Origins that browsers may call from. Empty or `*`: any.
    server_cors_allowed_origins "server-cors-allowed-origins": Origins = "", RESTART.in_database();
    /// Address that the server listens on.
    server_host "server-host": ListenHost = "!4", RESTART;
    /// Port that the server listens on. 0: one that is free.
    server_port "server-port": u16 = "3000", RESTART;
    /// Whether several processes may listen on the same port.
    server_reuseport "server-reuseport": bool = "false", RESTART;
    /// Whether answers carry a `Server-Timing` header.
    server_timing_enabled "server-timing-enabled": bool = "false", RELOAD.in_database();
    /// Request header that is repeated in the answer.
    server_trace_header "server-trace-header": Option<RequestHeader> = "", RELOAD.in_database();
    /// Unix socket that the server listens on; takes the place of host and port.
    server_unix_socket "server-unix-socket": Option<PathBuf> = "", RESTART;
    /// Permissions of the server's socket.
    server_unix_socket_mode "server-unix-socket-mode": FileMode = "660", RESTART;
    /// Whether filters on an embed may name its relation although the embed has an alias.
    url_use_legacy_target_names "url-use-legacy-target-names": bool = "true", RELOAD.in_database();

    /// How long a request's transaction may run, whatever the role may. Then it is cancelled. Empty: no limit but those in
    /// PostgreSQL.
    db_query_timeout "db-query-timeout": Option<Timeout> = "", RESTART.pgduet();
    /// Number of prepared statements that each connection keeps.
    db_statement_cache_size "db-statement-cache-size": NonZeroUsize = "256", RELOAD.pgduet();
    /// Whether Swagger UI is served at `/docs/`.
    docs_enabled "docs-enabled": bool = "true", RELOAD.pgduet();
    /// Lock file that keeps field numbers stable from one exported `.proto` to the next.
    grpc_lock "grpc-lock": Option<PathBuf> = "", RELOAD.pgduet();
    /// Largest gRPC message taken, in bytes.
    grpc_max_receive_bytes "grpc-max-receive-bytes": usize = "4194304", RESTART.pgduet();
    /// Proto package of a schema: `{schema}` and `{version}` are replaced. Every schema has to get one of its own.
    grpc_package "grpc-package": PackageTemplate = "{schema}.v{version}", RELOAD.pgduet();
    /// Who is told the services by reflection: `enabled`, everybody, or without `db-anon-role` whoever has a valid token;
    /// `authenticated`, whoever has a token for another role than the anonymous one; `disabled`, nobody.
    grpc_reflection "grpc-reflection": GrpcReflection = "enabled", RELOAD.pgduet();
    /// What a `timestamptz` is over gRPC: `timestamp`, `google.protobuf.Timestamp`, or `string`, text in ISO 8601, which can be
    /// `infinity` and lie before the year 1 or after 9999. Columns, arguments and results that `grpc-lock` knows keep the type
    /// that they have there.
    grpc_timestamps "grpc-timestamps": GrpcTimestamps = "timestamp", RELOAD.pgduet();
    /// Cookie that a token may come in, where neither `Authorization` nor `jwt-header` has one. It is not taken from a request
    /// that another site may have made (docs/security.md).
    jwt_cookie "jwt-cookie": Option<CookieName> = "", RELOAD.in_database().pgduet();
    /// Request header that a token may come in, where `Authorization` has none, such as `apikey`.
    jwt_header "jwt-header": Option<RequestHeader> = "", RELOAD.in_database().pgduet();
    /// Issuer that tokens have to name (`iss`). Where `jwt-secret` is the address of an issuer, that one unless this option
    /// names another.
    jwt_issuer "jwt-issuer": Option<String> = "", RELOAD.in_database().pgduet();
    /// Whether `jwt-secret` may be an address of plain `http` on another machine. Whoever can change answers on their way to
    /// pgduet can then sign tokens.
    jwt_secret_allow_http "jwt-secret-allow-http": bool = "false", RELOAD.pgduet();
    /// Whom to ask about the API, for the root document.
    openapi_contact "openapi-contact": Option<Contact> = "", RELOAD.in_database().pgduet();
    /// Licence under which the API may be used, for the root document.
    openapi_license "openapi-license": Option<License> = "", RELOAD.in_database().pgduet();
    /// Version of the OpenAPI specification that the root document follows.
    openapi_version "openapi-version": OpenApiVersion = "3.1", RELOAD.in_database().pgduet();
    /// What the lines of both logs look like: `text`, or `json`, an object in each line. In JSON a request is told with its
    /// ids, how long each stage took, and how many rows it had, and its path without the query unless `log-query` is on.
    log_format "log-format": LogFormat = "text", RESTART.pgduet();
    /// Requests that take longer than so many milliseconds are told in the log, with their statement and how long each stage
    /// took. Empty: none.
    log_slow "log-slow": Option<Milliseconds> = "", RELOAD.pgduet();
    /// What page tokens are sealed with, the same on all replicas: a text of at least 32 bytes. Without it, derived from
    /// `jwt-secret` where that is a secret and not public keys, else another one for each process.
    page_token_secret "page-token-secret": Option<Secret> = "", RELOAD.pgduet().or_file();
    /// Directory of the PostgreSQL binaries that `demo` starts.
    pg_bin "pg-bin": Option<PathBuf> = "", RESTART.pgduet();
    /// Path below which REST and its documents are, such as `/rest/v1`, where clients of Supabase expect them; elsewhere is
    /// nothing of REST then. gRPC is where it always is.
    server_base_path "server-base-path": Option<BasePath> = "", RESTART.pgduet();
    /// How long requests under way may take to end after a signal has announced the shutdown. Then they are cut off.
    server_drain_timeout "server-drain-timeout": Duration = "10", RESTART.pgduet();
    /// Whether REST's answers to GET carry an `ETag`, a hash of the answer; `If-None-Match` is answered by 304 then.
    server_etag "server-etag": bool = "false", RELOAD.pgduet();
    /// How long the head of a request may take to come, counted from the end of the answer before it: an idle connection
    /// over HTTP/1 is closed after that time.
    server_head_timeout "server-head-timeout": Timeout = "75", RESTART.pgduet();
    /// Largest request body taken, in bytes.
    server_max_body_bytes "server-max-body-bytes": usize = "134217728", RESTART.pgduet();
    /// Largest number of client connections. Beyond it the one that has been idle for the longest time is closed,
    /// or else the one that has waited for its client for the longest time.
    server_max_connections "server-max-connections": NonZeroUsize = "10000", RESTART.pgduet();
    /// Largest request line and headers taken, in bytes.
    server_max_header_bytes "server-max-header-bytes": usize = "131072", RESTART.pgduet();
    /// Bytes that the bodies and answers under way may hold together. Beyond it requests are answered with 503 and
    /// `Retry-After`, over gRPC with `RESOURCE_EXHAUSTED`.
    server_max_memory "server-max-memory": NonZeroUsize = "1073741824", RESTART.pgduet();
    /// Largest number of requests that are answered at once, over REST and gRPC together; health and reflection are not
    /// counted. Beyond it requests are answered with 503 and `Retry-After`, over gRPC with `UNAVAILABLE`. Empty: no limit.
    server_max_requests "server-max-requests": Option<NonZeroUsize> = "", RELOAD.pgduet();
    /// How long each 16 KiB of a request's body, and its end, may take to come.
    server_read_timeout "server-read-timeout": Timeout = "30", RESTART.pgduet();
    /// How long the server goes on as before after a signal has announced the shutdown, while `/ready` and gRPC's health say
    /// that it takes no more requests: balancers need a while to notice.
    server_shutdown_delay "server-shutdown-delay": Duration = "0", RESTART.pgduet();
    /// Certificate of the server, followed by those between it and the authority; a PEM file. With it the server speaks TLS
    /// 1.2 and 1.3 and nothing else. Read again with the configuration, and when it changes; so are the next two.
    server_tls_certificate "server-tls-certificate": Option<PathBuf> = "", RESTART.pgduet();
    /// Certificates of the authorities whose clients may show a certificate; a PEM file. Its subject is
    /// `request.tls.subject` in the transaction, such as `CN=reports,O=Example`. Who shows none is served all the same.
    server_tls_client_ca "server-tls-client-ca": Option<PathBuf> = "", RESTART.pgduet();
    /// Key of `server-tls-certificate`; a PEM file.
    server_tls_key "server-tls-key": Option<PathBuf> = "", RESTART.pgduet();
    /// Proxies that are believed in what `Forwarded`, or `X-Forwarded-For`, `-Host`, `-Proto` and `-Prefix`, but not both, says of a
    /// request: the client's address for the access log, and the server's address for the root document, which
    /// `openapi-server-proxy-uri` overrides. `unix` stands for clients of `server-unix-socket`.
    server_trusted_proxies "server-trusted-proxies": Option<Networks> = "", RELOAD.pgduet();
    /// How long each 16 KiB of an answer may wait for the client to read it.
    server_write_timeout "server-write-timeout": Timeout = "60", RESTART.pgduet();
    /// How long a gRPC stream waits for a reader that takes nothing, before it ends and its connection is free again.
    stream_idle_timeout "stream-idle-timeout": Timeout = "60", RELOAD.pgduet();
}

impl Config {
    /// Reads all options. Errors name the option, the source and the expected form.
    pub fn load(sources: &Sources) -> Result<(Config, Vec<Warning>), Error> {
        let lookup = sources.open()?;
        let libpq_environment = sources
            .environment
            .iter()
            .filter(|(name, _)| {
                name.starts_with("PG") && !name.starts_with("PGRST_") && !name.starts_with("PGDUET_")
            })
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect();
        let config = Config::read(&lookup, libpq_environment)?;
        config.check()?;
        let mut warnings = lookup.unused();
        if let ClaimPath::Legacy(_) = config.jwt_role_claim_key {
            warnings.push(Warning::LegacyClaimPath(config.jwt_role_claim_key.to_string()));
        }
        Ok((config, warnings))
    }

    /// Reads all options again while `self` is in force: what only a restart changes stays.
    pub fn reload(&self, sources: &Sources) -> Result<(Config, Vec<Warning>), Error> {
        let (mut config, mut warnings) = Config::load(sources)?;
        warnings.extend(config.keep_until_restart(self));
        Ok((config, warnings))
    }

    /// The key material of `jwt-secret`, decoded if it is base64.
    pub fn jwt_key(&self) -> Result<Option<Vec<u8>>, Error> {
        match (&self.jwt_secret, self.jwt_secret_is_base64) {
            (None, _) => Ok(None),
            (Some(secret), false) => Ok(Some(secret.bytes().to_vec())),
            (Some(secret), true) => secret
                .decode_base64()
                .map(Some)
                .map_err(|error| Error::Unusable(format!("jwt-secret is not base64: {error}"))),
        }
    }

    /// The address of the keys, if `jwt-secret` is one.
    pub fn key_address(&self) -> Result<Option<KeyAddress>, Error> {
        let key = self.jwt_key()?.unwrap_or_default();
        let unusable = |why| Error::Unusable(format!("jwt-secret {why}"));
        match KeyMaterial::of(&key).map_err(unusable)? {
            KeyMaterial::Address(text) => {
                KeyAddress::parse(text, self.plain_http()).map(Some).map_err(unusable)
            }
            KeyMaterial::Text(_) | KeyMaterial::Object(_) => Ok(None),
        }
    }

    /// Where keys may be fetched without encryption.
    pub fn plain_http(&self) -> PlainHttp {
        match self.jwt_secret_allow_http {
            true => PlainHttp::Anywhere,
            false => PlainHttp::Loopback,
        }
    }

    /// The names of the settings that are read inside the database, with their prefix.
    pub fn database_settings() -> impl Iterator<Item = String> {
        let allowed = OPTIONS.iter().filter(|row| row.rules.in_database == InDatabase::Allowed);
        allowed.map(|row| format!("{DATABASE_PREFIX}{}", row.name.replace('-', "_")))
    }

    /// What no single option can say.
    fn check(&self) -> Result<(), Error> {
        if self.admin_server_port == Some(self.server_port) {
            return Err(Error::Unusable("admin-server-port cannot be the same as server-port".to_owned()));
        }
        match (&self.server_tls_certificate, &self.server_tls_key, &self.server_tls_client_ca) {
            (None, None, None) | (Some(_), Some(_), _) => {}
            (Some(_), None, _) => {
                return Err(Error::Unusable("server-tls-certificate needs server-tls-key".to_owned()));
            }
            (None, Some(_), _) | (None, None, Some(_)) => {
                return Err(Error::Unusable(
                    "server-tls-key and server-tls-client-ca need server-tls-certificate".to_owned(),
                ));
            }
        }
        if self.server_tls_certificate.is_some() && self.server_unix_socket.is_some() {
            return Err(Error::Unusable(
                "server-tls-certificate is of no use on server-unix-socket".to_owned(),
            ));
        }
        if let Some((one, other)) = self.grpc_package.mixed_up(&self.db_schemas) {
            let template = self.grpc_package.render();
            return Err(Error::Unusable(format!(
                "grpc-package \"{}\" gives the schemas {one} and {other} the same package; with {{schema}} in it each has its own",
                template.text()
            )));
        }
        if let Some(key) = self.jwt_key()? {
            match KeyMaterial::of(&key) {
                Ok(KeyMaterial::Text(text)) if text.len() < SHORTEST_SECRET => {
                    return Err(Error::Unusable(
                        "The JWT secret must be at least 32 characters long.".to_owned(),
                    ));
                }
                // Whether keys in JSON can be used, only a look inside tells.
                Ok(KeyMaterial::Text(_) | KeyMaterial::Object(_)) => {}
                Ok(KeyMaterial::Address(_)) => self.key_address().map(drop)?,
                Err(why) => return Err(Error::Unusable(format!("jwt-secret {why}"))),
            }
        }
        if let Some(secret) = &self.page_token_secret {
            let why = match KeyMaterial::of(secret.bytes()) {
                Ok(KeyMaterial::Text(text)) if text.len() >= SHORTEST_SECRET => None,
                Ok(KeyMaterial::Text(_)) => Some("has to have at least 32 bytes"),
                Ok(KeyMaterial::Object(_)) => Some("is JSON: it has to be a text that nobody else knows"),
                Ok(KeyMaterial::Address(_)) => {
                    Some("is an address: it has to be a text that nobody else knows")
                }
                Err(why) => Some(why),
            };
            if let Some(why) = why {
                return Err(Error::Unusable(format!("page-token-secret {why}")));
            }
        }
        // To PostgreSQL it is not a role: it leaves the one that pgduet logs in with.
        if self.db_anon_role.as_deref() == Some("none") {
            return Err(Error::Unusable("db-anon-role cannot be none, which is no role".to_owned()));
        }
        Ok(())
    }
}

/// The value of one option.
fn value<T: Value>(lookup: &Lookup<'_>, row: &OptionRow) -> Result<T, Error> {
    let found = lookup.find(row)?;
    let Found { bytes, origin } = found.unwrap_or_else(|| Found {
        bytes: row.default.as_bytes().to_vec(),
        origin: Origin::Default(row.name),
    });
    T::from_bytes(&bytes).map_err(|problem| {
        // What may be read from a file is a secret or holds one.
        let text = match row.rules.at_file {
            AtFile::Read => None,
            AtFile::Literal => Some(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Error::Invalid(Box::new(Invalid { option: row.name, origin, text, form: row.form, problem }))
    })
}

#[cfg(test)]
mod tests;
