//! libpq's connection strings and `PG*` variables, turned into what tokio-postgres and a
//! TLS connector need (<https://www.postgresql.org/docs/current/libpq-connect.html>).
//! tokio-postgres parses such strings too, but not `verify-full`, certificates, `PG*` and
//! several smaller things. Opens no connection; reads a password file if there is one.

mod parse;
mod passfile;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use tokio_postgres::config::{
    ChannelBinding, Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs,
};

use super::{Config, Error, Warning};

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct Connection {
    /// All that tokio-postgres acts upon.
    pub postgres: tokio_postgres::Config,
    /// Whether servers that take no writes come first, which tokio-postgres cannot say.
    pub standby: Standby,
    /// All that the TLS connector acts upon. Whether TLS is used at all is in `postgres`.
    pub tls: Tls,
}

/// Whether a standby is wanted where several servers are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standby {
    /// As `target_session_attrs` of `postgres` says.
    Any,
    /// `prefer-standby`: a standby if there is one, else any server.
    Preferred,
}

/// What is expected of the server's certificate, and what the client shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// How far the server's certificate is checked.
    pub verification: Verification,
    /// The certificates that are trusted.
    pub roots: Roots,
    /// Files with lists of revoked certificates (`sslcrl`, and those in `sslcrldir`); PEM.
    pub revoked: Vec<PathBuf>,
    /// The client's own certificate.
    pub client: Option<ClientCertificate>,
}

/// How far the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// Not at all: `allow`, `prefer`, and `require` without `sslrootcert`.
    None,
    /// That a trusted authority signed it: `verify-ca`, and `require` with `sslrootcert`.
    Authority,
    /// That, and that it is for this host: `verify-full`.
    AuthorityAndName,
}

/// The certificates that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// A certificate and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, followed by those between it and the authority.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// What pgduet does with a parameter of libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It acts upon it.
    Acted,
    /// Nothing, and nothing is lost.
    Silent,
    /// Nothing, which the user should know.
    Warned,
}

/// Every parameter of libpq's, the environment variable it falls back on, and its use.
const PARAMETERS: &[(&str, &str, Use)] = &[
    ("application_name", "PGAPPNAME", Use::Acted),
    ("channel_binding", "PGCHANNELBINDING", Use::Acted),
    ("client_encoding", "PGCLIENTENCODING", Use::Silent),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Use::Acted),
    ("dbname", "PGDATABASE", Use::Acted),
    ("fallback_application_name", "", Use::Acted),
    ("gssdelegation", "PGGSSDELEGATION", Use::Silent),
    ("gssencmode", "PGGSSENCMODE", Use::Silent),
    ("gsslib", "PGGSSLIB", Use::Silent),
    ("host", "PGHOST", Use::Acted),
    ("hostaddr", "PGHOSTADDR", Use::Acted),
    ("keepalives", "", Use::Acted),
    ("keepalives_count", "", Use::Acted),
    ("keepalives_idle", "", Use::Acted),
    ("keepalives_interval", "", Use::Acted),
    ("krbsrvname", "PGKRBSRVNAME", Use::Silent),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Use::Acted),
    ("options", "PGOPTIONS", Use::Acted),
    ("passfile", "PGPASSFILE", Use::Acted),
    ("password", "PGPASSWORD", Use::Acted),
    ("port", "PGPORT", Use::Acted),
    ("replication", "", Use::Warned),
    ("require_auth", "PGREQUIREAUTH", Use::Warned),
    ("requirepeer", "PGREQUIREPEER", Use::Warned),
    ("service", "PGSERVICE", Use::Warned),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Use::Warned),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Use::Warned),
    ("sslcert", "PGSSLCERT", Use::Acted),
    ("sslcertmode", "PGSSLCERTMODE", Use::Warned),
    ("sslcompression", "PGSSLCOMPRESSION", Use::Silent),
    ("sslcrl", "PGSSLCRL", Use::Acted),
    ("sslcrldir", "PGSSLCRLDIR", Use::Acted),
    ("sslkey", "PGSSLKEY", Use::Acted),
    ("sslmode", "PGSSLMODE", Use::Acted),
    ("sslnegotiation", "PGSSLNEGOTIATION", Use::Acted),
    ("sslpassword", "", Use::Warned),
    ("sslrootcert", "PGSSLROOTCERT", Use::Acted),
    ("sslsni", "PGSSLSNI", Use::Warned),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Use::Acted),
    ("tcp_user_timeout", "", Use::Acted),
    ("user", "PGUSER", Use::Acted),
];

/// Where a local server's socket is, by build: Debian's, then PostgreSQL's own.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

impl Config {
    /// How to reach the database that `db-uri` and the environment name.
    pub fn connection(&self) -> Result<(Connection, Vec<Warning>), Error> {
        Connection::parse(&self.db_uri.0, &self.libpq_environment)
    }

    /// How to reach the replicas that `db-replica-uris` names. What the environment says of the primary's role among
    /// several servers says nothing of theirs.
    pub fn replicas(&self) -> Result<Vec<Connection>, Error> {
        let mut environment = self.libpq_environment.clone();
        environment.remove("PGTARGETSESSIONATTRS");
        let parsed = self.db_replica_uris.0.iter().map(|uri| Connection::parse(uri, &environment));
        let connections = parsed.map(|parsed| parsed.map(|(connection, _)| connection));
        connections.collect::<Result<_, _>>().map_err(|error| match error {
            Error::Unusable(why) => Error::Unusable(why.replace("db-uri", "db-replica-uris")),
            error => error,
        })
    }
}

impl Connection {
    /// Reads a connection string. `environment` has the `PG*` variables.
    pub fn parse(
        text: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<(Connection, Vec<Warning>), Error> {
        let given = parse::parameters(text)
            .map_err(|problem| Error::Unusable(format!("Invalid db-uri: {problem}")))?;
        let parameters = Parameters::new(given, environment)?;
        let mode = Mode::of(&parameters)?;
        let standby = match parameters.get("target_session_attrs") {
            Some(PREFER_STANDBY) => Standby::Preferred,
            Some(_) | None => Standby::Any,
        };
        let postgres = postgres(&parameters, mode)?;
        let connection = Connection { postgres, standby, tls: tls(&parameters, mode)? };
        Ok((connection, parameters.ignored()))
    }

    /// The host, or the directory of the socket, and the port, where there is one server.
    pub fn only_server(&self) -> Option<(String, u16)> {
        let mut servers = self.servers();
        servers.next().filter(|_| servers.next().is_none())
    }

    /// Its hosts and ports, for people: no user and no password.
    pub fn address(&self) -> String {
        self.servers().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(",")
    }

    fn servers(&self) -> impl Iterator<Item = (String, u16)> {
        let ports = self.postgres.get_ports();
        self.postgres.get_hosts().iter().enumerate().map(move |(at, host)| {
            let host = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(directory) => directory.to_string_lossy().into_owned(),
            };
            (host, ports.get(at).or(ports.first()).copied().unwrap_or(DEFAULT_PORT))
        })
    }
}

/// PostgreSQL's port.
const DEFAULT_PORT: u16 = 5432;

/// The parameters in force, by libpq's names; none is empty.
struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    fn new(given: Vec<(String, String)>, environment: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut parameters = BTreeMap::new();
        for (name, variable, _) in PARAMETERS {
            if let Some(text) = environment.get(*variable) {
                parameters.insert(*name, text.clone());
            }
        }
        for (name, text) in given {
            match PARAMETERS.iter().find(|(known, ..)| *known == name) {
                Some((name, ..)) => parameters.insert(name, text),
                None => {
                    return Err(Error::Unusable(format!(
                        "Invalid db-uri: no connection parameter is named {name}"
                    )));
                }
            };
        }
        parameters.retain(|_, text| !text.is_empty());
        Ok(Parameters(parameters))
    }

    fn get(&self, name: &'static str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn parsed<T: FromStr>(&self, name: &'static str, form: &str) -> Result<Option<T>, Error> {
        let parse = |text: &str| text.trim().parse().map_err(|_| invalid(name, text, form));
        self.get(name).map(parse).transpose()
    }

    /// The value of a parameter that is one of some words.
    fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, Error> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                Err(invalid(name, text, &words.join(", ")))
            }
        }
    }

    /// Seconds; zero and less are "no limit", as in libpq.
    fn seconds(&self, name: &'static str) -> Result<Option<Duration>, Error> {
        let seconds: Option<i64> = self.parsed(name, "a whole number of seconds")?;
        Ok(seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs))
    }

    fn ignored(&self) -> Vec<Warning> {
        let warned =
            PARAMETERS.iter().filter(|(name, _, used)| *used == Use::Warned && self.0.contains_key(name));
        warned.map(|(name, ..)| Warning::IgnoredConnectionParameter((*name).to_owned())).collect()
    }
}

fn invalid(name: &str, text: &str, form: &str) -> Error {
    Error::Unusable(format!("Invalid db-uri: {name}={text}, expected {form}"))
}

/// `sslmode`, in the order of its strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    fn of(parameters: &Parameters) -> Result<Mode, Error> {
        let words = [
            ("disable", Mode::Disable),
            ("allow", Mode::Allow),
            ("prefer", Mode::Prefer),
            ("require", Mode::Require),
            ("verify-ca", Mode::VerifyCa),
            ("verify-full", Mode::VerifyFull),
        ];
        let mode = parameters.word("sslmode", &words)?;
        match (mode, parameters.get("sslrootcert")) {
            // Anybody can get a certificate that the system trusts: only the name tells who it is.
            (None | Some(Mode::VerifyFull), Some("system")) => Ok(Mode::VerifyFull),
            (Some(_), Some("system")) => Err(Error::Unusable(
                "Invalid db-uri: sslrootcert=system needs sslmode=verify-full".to_owned(),
            )),
            (mode, _) => Ok(mode.unwrap_or(Mode::Prefer)),
        }
    }
}

/// The word of `target_session_attrs` for a standby if there is one.
const PREFER_STANDBY: &str = "prefer-standby";

fn tls(parameters: &Parameters, mode: Mode) -> Result<Tls, Error> {
    let roots = match parameters.get("sslrootcert") {
        None | Some("system") => Roots::System,
        Some(path) => Roots::File(PathBuf::from(path)),
    };
    let verification = match (mode, &roots) {
        (Mode::Disable | Mode::Allow | Mode::Prefer, _) | (Mode::Require, Roots::System) => {
            Verification::None
        }
        (Mode::Require, Roots::File(_)) | (Mode::VerifyCa, _) => Verification::Authority,
        (Mode::VerifyFull, _) => Verification::AuthorityAndName,
    };
    let client = match (parameters.get("sslcert"), parameters.get("sslkey")) {
        (Some(certificate), Some(key)) => {
            Some(ClientCertificate { certificate: PathBuf::from(certificate), key: PathBuf::from(key) })
        }
        (Some(_), None) | (None, Some(_)) | (None, None) => None,
    };
    let revoked = revoked(parameters)?;
    if !revoked.is_empty() && verification == Verification::None && mode != Mode::Disable {
        return Err(Error::Unusable(
            "Invalid db-uri: sslcrl and sslcrldir need sslmode=verify-ca, verify-full, or require with sslrootcert: \
             otherwise no certificate is checked"
                .to_owned(),
        ));
    }
    Ok(Tls { verification, roots, revoked, client })
}

/// The files of `sslcrl` and in `sslcrldir`. Those of a directory count whatever their names.
fn revoked(parameters: &Parameters) -> Result<Vec<PathBuf>, Error> {
    let mut files: Vec<_> = parameters.get("sslcrl").map(PathBuf::from).into_iter().collect();
    if let Some(directory) = parameters.get("sslcrldir") {
        let unreadable = |problem: std::io::Error| Error::Unreadable {
            path: PathBuf::from(directory),
            wanted_by: "sslcrldir".to_owned(),
            problem: problem.to_string(),
        };
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            files.push(entry.map_err(unreadable)?.path());
        }
    }
    Ok(files)
}

fn postgres(parameters: &Parameters, mode: Mode) -> Result<tokio_postgres::Config, Error> {
    let mut config = tokio_postgres::Config::new();
    config.ssl_mode(match mode {
        Mode::Disable => SslMode::Disable,
        // libpq tries without TLS first; tokio-postgres cannot, and with it first is no worse.
        Mode::Allow | Mode::Prefer => SslMode::Prefer,
        Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
    });
    addresses(&mut config, parameters)?;
    for (name, set) in TEXTS {
        if let Some(text) = parameters.get(name) {
            set(&mut config, text);
        }
    }
    let version = concat!("pgduet ", env!("CARGO_PKG_VERSION"));
    let fallback_name = parameters.get("fallback_application_name").unwrap_or(version);
    config.application_name(parameters.get("application_name").unwrap_or(fallback_name));
    if let (None, Some(path)) = (parameters.get("password"), parameters.get("passfile"))
        && let Some(password) = passfile::password(Path::new(path), &config)
    {
        config.password(password);
    }

    let bindings = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    if let Some(binding) = parameters.word("channel_binding", &bindings)? {
        config.channel_binding(binding);
    }
    // What libpq tells apart and tokio-postgres does not: a primary may refuse writes, too.
    let sessions = [
        ("any", TargetSessionAttrs::Any),
        ("read-write", TargetSessionAttrs::ReadWrite),
        ("read-only", TargetSessionAttrs::ReadOnly),
        ("primary", TargetSessionAttrs::ReadWrite),
        ("standby", TargetSessionAttrs::ReadOnly),
        (PREFER_STANDBY, TargetSessionAttrs::Any),
    ];
    if let Some(session) = parameters.word("target_session_attrs", &sessions)? {
        config.target_session_attrs(session);
    }
    let balances = [("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)];
    if let Some(balance) = parameters.word("load_balance_hosts", &balances)? {
        config.load_balance_hosts(balance);
    }
    let negotiations = [("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)];
    if let Some(negotiation) = parameters.word("sslnegotiation", &negotiations)? {
        config.ssl_negotiation(negotiation);
    }

    if let Some(timeout) = parameters.seconds("connect_timeout")? {
        config.connect_timeout(timeout);
    }
    if let Some(timeout) = parameters.parsed("tcp_user_timeout", "a whole number of milliseconds")? {
        config.tcp_user_timeout(Duration::from_millis(timeout));
    }
    if let Some(keepalives) = parameters.parsed::<i64>("keepalives", "0 or 1")? {
        config.keepalives(keepalives != 0);
    }
    if let Some(idle) = parameters.seconds("keepalives_idle")? {
        config.keepalives_idle(idle);
    }
    if let Some(interval) = parameters.seconds("keepalives_interval")? {
        config.keepalives_interval(interval);
    }
    if let Some(count) = parameters.parsed("keepalives_count", "a whole number")? {
        config.keepalives_retries(count);
    }
    Ok(config)
}

type SetText = fn(&mut tokio_postgres::Config, &str);

/// The parameters that are handed on as they are.
const TEXTS: [(&str, SetText); 4] = [
    ("user", |config, text| {
        config.user(text);
    }),
    ("password", |config, text| {
        config.password(text);
    }),
    ("dbname", |config, text| {
        config.dbname(text);
    }),
    ("options", |config, text| {
        config.options(text);
    }),
];

/// Hosts, their addresses and ports: lists of the same length, or one port for all.
fn addresses(config: &mut tokio_postgres::Config, parameters: &Parameters) -> Result<(), Error> {
    let list = |name| parameters.get(name).map(|text| text.split(',').map(str::trim).collect::<Vec<_>>());
    let ports = list("port").unwrap_or_default();
    let ports = ports.into_iter().map(|port| match port {
        "" => Ok(5432),
        port => port.parse::<u16>().map_err(|_| invalid("port", port, "a port number from 1 to 65535")),
    });
    let ports = ports.collect::<Result<Vec<_>, _>>()?;
    let addresses = list("hostaddr").unwrap_or_default();
    let hosts = list("host").unwrap_or_default();
    let servers = hosts.len().max(addresses.len()).max(1);
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        let (hosts, addresses) = (hosts.len(), addresses.len());
        return Err(Error::Unusable(format!("Invalid db-uri: {hosts} hosts and {addresses} addresses")));
    }
    if ports.len() > 1 && ports.len() != servers {
        return Err(Error::Unusable(format!("Invalid db-uri: {} ports for {servers} hosts", ports.len())));
    }
    for address in &addresses {
        config.hostaddr(address.parse().map_err(|_| invalid("hostaddr", address, "an IP address"))?);
    }
    let first_port = ports.first().copied().unwrap_or(5432);
    if hosts.is_empty() && addresses.is_empty() {
        config.host(socket_directory(first_port));
    }
    for host in hosts {
        match host {
            "" => config.host(socket_directory(first_port)),
            host => config.host(host),
        };
    }
    for port in ports {
        config.port(port);
    }
    Ok(())
}

/// The directory in which a local server listens: where there is its socket, else the first.
fn socket_directory(port: u16) -> &'static str {
    let has_socket = |directory: &&str| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists();
    SOCKET_DIRECTORIES.into_iter().find(has_socket).unwrap_or(SOCKET_DIRECTORIES[0])
}

#[cfg(test)]
mod tests;
