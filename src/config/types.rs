//! The types of options that are more than a number or a text: closed sets of words,
//! names, addresses, secrets. Each is checked when the configuration is read, so that
//! nobody downstream has to.

use std::{fmt, ops::Deref, str::FromStr, time::Duration};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::value::{Problem, Rendered, Value, words};

words! {
    /// How much is logged. Ordered: a level includes those before it.
    LogLevel, "crit, error, warn, info or debug",
    /// Nothing about requests.
    Crit = "crit",
    /// Requests answered with 500 and above.
    Error = "error",
    /// Requests answered with 400 and above.
    Warn = "warn",
    /// Every request.
    Info = "info",
    /// Every request, and what the pool and the caches do.
    Debug = "debug",
}

words! {
    /// What the lines of the logs look like.
    LogFormat, "text or json",
    /// For people: the access log in Apache's combined format.
    Text = "text",
    /// For programs: an object in each line.
    Json = "json",
}

words! {
    /// How much of an error a client is told.
    Verbosity, "verbose or minimal",
    /// Code and message.
    Minimal = "minimal",
    /// Code, message, details and hint.
    Verbose = "verbose",
}

words! {
    /// What the root document shows.
    OpenApiMode, "follow-privileges, ignore-privileges or disabled",
    /// What the caller's role may use.
    FollowPrivileges = "follow-privileges",
    /// Everything in the schema.
    IgnorePrivileges = "ignore-privileges",
    /// No document.
    Disabled = "disabled",
}

words! {
    /// The version of the OpenAPI specification that the root document follows.
    OpenApiVersion, "3.1 or 2.0",
    /// OpenAPI 3.1.
    V3_1 = "3.1",
    /// Swagger 2.0, as PostgREST writes it.
    V2_0 = "2.0",
}

words! {
    /// How a request's transaction ends, and whether `Prefer: tx=` may change it.
    TxEnd, "commit, commit-allow-override, rollback or rollback-allow-override",
    /// Always committed.
    Commit = "commit",
    /// Committed unless the client prefers `tx=rollback`.
    CommitAllowOverride = "commit-allow-override",
    /// Always rolled back.
    Rollback = "rollback",
    /// Rolled back unless the client prefers `tx=commit`.
    RollbackAllowOverride = "rollback-allow-override",
}

words! {
    /// Who may ask the gRPC side which services there are.
    GrpcReflection, "enabled, authenticated or disabled",
    /// Whoever may call anything: without an anonymous role, the bearers of tokens.
    Enabled = "enabled",
    /// The bearers of tokens.
    Authenticated = "authenticated",
    /// Nobody.
    Disabled = "disabled",
}

words! {
    /// What a `timestamptz` is over gRPC, where the lock file does not say it.
    GrpcTimestamps, "timestamp or string",
    /// `google.protobuf.Timestamp`, which has the years 1 to 9999 and no infinity.
    Timestamp = "timestamp",
    /// A string in ISO 8601, which has every time.
    String = "string",
}

impl Default for GrpcTimestamps {
    fn default() -> Self {
        Self::Timestamp
    }
}

/// Where a server listens: one of five wild cards, or a name or address to be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenHost {
    /// `*`: any interface, IPv4 or IPv6.
    Any,
    /// `*4`: any interface, IPv4 preferred.
    PreferIpv4,
    /// `!4`: any interface, IPv4 only.
    OnlyIpv4,
    /// `*6`: any interface, IPv6 preferred.
    PreferIpv6,
    /// `!6`: any interface, IPv6 only.
    OnlyIpv6,
    /// A host name or an address.
    Named(String),
}

impl ListenHost {
    /// What stands for it in an address: of a wild card, that of every interface.
    pub fn address(&self) -> &str {
        match self {
            ListenHost::Any
            | ListenHost::PreferIpv4
            | ListenHost::OnlyIpv4
            | ListenHost::PreferIpv6
            | ListenHost::OnlyIpv6 => "0.0.0.0",
            ListenHost::Named(name) => name,
        }
    }
}

impl Value for ListenHost {
    const FORM: &'static str = "a host name, an address, or one of these for all interfaces: `!4` with IPv4 alone, `!6` with IPv6 alone, `*4` with IPv4 \
                                if there is any, `*6` with IPv6 if there is any, `*` with either";

    fn parse(text: &str) -> Result<Self, Problem> {
        Ok(match text {
            "*" => ListenHost::Any,
            "*4" => ListenHost::PreferIpv4,
            "!4" => ListenHost::OnlyIpv4,
            "*6" => ListenHost::PreferIpv6,
            "!6" => ListenHost::OnlyIpv6,
            name => ListenHost::Named(name.to_owned()),
        })
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.to_string())
    }
}

impl fmt::Display for ListenHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ListenHost::Any => "*",
            ListenHost::PreferIpv4 => "*4",
            ListenHost::OnlyIpv4 => "!4",
            ListenHost::PreferIpv6 => "*6",
            ListenHost::OnlyIpv6 => "!6",
            ListenHost::Named(name) => name,
        })
    }
}

/// The origins that browsers may call from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Any: nothing is listed, or `*` is.
    Any,
    /// These; at least one.
    Listed(Vec<String>),
}

impl Value for Origins {
    const FORM: &'static str = "a list of origins separated by commas, or `*` for any";

    fn parse(text: &str) -> Result<Self, Problem> {
        let origins = <Vec<String>>::parse(text)?;
        match origins.is_empty() || origins.iter().any(|origin| origin == "*") {
            true => Ok(Origins::Any),
            false => Ok(Origins::Listed(origins)),
        }
    }

    fn render(&self) -> Rendered {
        match self {
            Origins::Any => Rendered::Quoted(String::new()),
            Origins::Listed(origins) => origins.render(),
        }
    }
}

/// The exposed schemas; never empty, never a system schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schemas(Vec<String>);

impl Schemas {
    /// The schema of a request that names none.
    pub fn default_schema(&self) -> &str {
        &self.0[0]
    }
}

impl Deref for Schemas {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl Value for Schemas {
    const FORM: &'static str = "a list of schemas separated by commas, at least one";

    fn parse(text: &str) -> Result<Self, Problem> {
        let names = <Vec<String>>::parse(text)?;
        if let Some(name) =
            names.iter().find(|name| ["pg_catalog", "information_schema"].contains(&name.as_str()))
        {
            return Err(Problem::Because(format!("db-schemas does not allow schema: '{name}'")));
        }
        match names.is_empty() {
            true => Err(Problem::Form),
            false => Ok(Schemas(names)),
        }
    }

    fn render(&self) -> Rendered {
        self.0.render()
    }
}

/// A function's name, with or without its schema: everything before the first dot is the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    /// The schema; without one, the search path decides.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

impl Value for FunctionName {
    const FORM: &'static str = "a function name, qualified with its schema or not";

    fn parse(text: &str) -> Result<Self, Problem> {
        Ok(match text.split_once('.') {
            Some((schema, name)) => FunctionName { schema: Some(schema.to_owned()), name: name.to_owned() },
            None => FunctionName { schema: None, name: text.to_owned() },
        })
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        })
    }
}

/// The permissions of a socket's file: octal, 600 to 777.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Value for FileMode {
    const FORM: &'static str = "an octal number from 600 to 777";

    fn parse(text: &str) -> Result<Self, Problem> {
        match u32::from_str_radix(text, 8) {
            Ok(mode @ 0o600..=0o777) => Ok(FileMode(mode)),
            Ok(_) | Err(_) => Err(Problem::Form),
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(format!("{:o}", self.0))
    }
}

/// Bytes that are never shown: `Debug` redacts them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes as configured.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes that this is the base64 of: the standard or the URL alphabet, padded
    /// with `=` or `.` or not at all.
    pub fn decode_base64(&self) -> Result<Vec<u8>, base64::DecodeError> {
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        let text = self.0.trim_ascii().iter().map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            b'.' => b'=',
            byte => *byte,
        });
        LENIENT.decode(text.collect::<Vec<_>>())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Value for Secret {
    const FORM: &'static str = "text, or `@` and the path of a file";

    fn parse(text: &str) -> Result<Self, Problem> {
        Ok(Secret(text.as_bytes().to_vec()))
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(String::from_utf8_lossy(&self.0).into_owned())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Problem> {
        Ok(Secret(bytes.to_vec()))
    }
}

/// A connection string: may hold a password, so `Debug` does not show it.
/// It is taken apart by [`Connection`](super::connection::Connection), not here.
#[derive(Clone, PartialEq, Eq)]
pub struct DbUri(pub String);

impl fmt::Debug for DbUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DbUri(…)")
    }
}

impl Value for DbUri {
    const FORM: &'static str = "a connection URI or key=value pairs, or `@` and the path of a file";

    fn parse(text: &str) -> Result<Self, Problem> {
        Ok(DbUri(text.trim().to_owned()))
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.0.clone())
    }
}

/// A `StringOrURI` of RFC 7519: with a colon in it, it has to be a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience(pub String);

impl Value for Audience {
    const FORM: &'static str = "text or a URI";

    fn parse(text: &str) -> Result<Self, Problem> {
        match text.contains(':') && !is_uri(text) {
            true => Err(Problem::Because("jwt-aud should be a string or a valid URI".to_owned())),
            false => Ok(Audience(text.to_owned())),
        }
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.0.clone())
    }
}

/// The scheme and the characters of RFC 3986; `urn:` and the like have no authority, so
/// [`http::Uri`] would refuse them.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_holds = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        let holds = match byte {
            b'%' => {
                let mut digit = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
                digit() && digit()
            }
            byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
        };
        if !holds {
            return false;
        }
    }
    scheme_holds
}

/// An absolute `http` or `https` URI without user and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUri(http::Uri);

impl ProxyUri {
    /// The URI; scheme and authority are there.
    pub fn uri(&self) -> &http::Uri {
        &self.0
    }
}

impl Value for ProxyUri {
    const FORM: &'static str = "an address like https://example.com:8443/basePath";

    fn parse(text: &str) -> Result<Self, Problem> {
        let malformed = || {
            Problem::Because(
                "Malformed proxy uri, a correct example: https://example.com:8443/basePath".to_owned(),
            )
        };
        let uri = http::Uri::from_str(text).map_err(|_| malformed())?;
        let scheme_holds = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority_holds = uri.authority().is_some_and(|authority| {
            !authority.as_str().contains('@')
                && !authority.host().is_empty()
                && authority.port_u16() != Some(0)
        });
        match scheme_holds && authority_holds && uri.query().is_none() && !text.contains('#') {
            true => Ok(ProxyUri(uri)),
            false => Err(malformed()),
        }
    }

    fn render(&self) -> Rendered {
        // `Uri` writes an empty path as `/`; the text had none.
        let text = self.0.to_string();
        Rendered::Quoted(match self.0.path() {
            "/" => text.trim_end_matches('/').to_owned(),
            _ => text,
        })
    }
}

/// A time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milliseconds(pub Duration);

impl Value for Milliseconds {
    const FORM: &'static str = "a whole number of milliseconds";

    fn parse(text: &str) -> Result<Self, Problem> {
        u64::parse(text).map(|number| Milliseconds(Duration::from_millis(number)))
    }

    fn render(&self) -> Rendered {
        Rendered::Bare(self.0.as_millis().to_string())
    }
}

/// How long something is waited for: no time at all would be none to do anything in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(pub Duration);

impl Value for Timeout {
    const FORM: &'static str = "a whole number of seconds from 1 up";

    fn parse(text: &str) -> Result<Self, Problem> {
        match Duration::parse(text) {
            Ok(Duration::ZERO) | Err(_) => Err(Problem::Form),
            Ok(duration) => Ok(Timeout(duration)),
        }
    }

    fn render(&self) -> Rendered {
        self.0.render()
    }
}

#[cfg(test)]
mod tests;
