//! Making connections, with TLS or without, and cancelling what runs on them: which of several servers, how its socket
//! is set up, and how long that may take. It keeps no connection.
//!
//! Requests and everything else reach PostgreSQL in the same way, and differ only in who speaks on the line then:
//! [`Begin`]. Each attempt has a time limit, because a server that accepts and says nothing would hold it for ever.

mod client;
mod tls;

pub(super) use self::client::{Clients, Driven, of_driver};

pub use self::client::Connection;

use super::wire::{self, Error as WireError, Key, Line, Seen, Wire, Writes, end_point};
use crate::{
    config::{Connection as Target, connection::Standby},
    error::{Error, Fault, Result},
};
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream, lookup_host},
};
use tokio_postgres::{
    Config,
    config::{Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs},
};
use tokio_rustls::TlsConnector;

/// A connection of one's own, for those who read the catalog.
pub use tokio_postgres::Client;

/// The SQLSTATE with which a server refuses a connection for how it was made: no line of its `pg_hba.conf` fits.
const REFUSED: &str = "28000";

/// A server that has heard a cancel closes the line. One that does not within this is silent.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// Knows how to reach the database.
#[derive(Clone)]
pub(super) struct Connector {
    postgres: Config,
    standby: Standby,
    tls: Arc<rustls::ClientConfig>,
    /// For each attempt.
    limit: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It hides the password itself.
        self.postgres.fmt(out)
    }
}

/// One of the servers that are named.
#[derive(Clone, Debug)]
struct Server {
    /// What its certificate has to be for, if it has one.
    name: String,
    place: Place,
    port: u16,
}

#[derive(Clone, Debug)]
enum Place {
    Name(String),
    Address(IpAddr),
    /// The directory of its socket.
    Directory(PathBuf),
}

/// The way on which a session was reached, for whoever wants to cancel what it runs.
#[derive(Clone, Debug)]
pub(super) struct Way {
    end: End,
    /// What the certificate there has to be for.
    name: String,
    mode: SslMode,
}

/// Where a session of requests is, and what a cancel has to show there.
#[derive(Clone, Debug)]
pub(super) struct Cancel {
    way: Way,
    key: Key,
}

/// One end of a socket.
#[derive(Clone, Debug)]
enum End {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A line on which nobody has spoken yet, and what a password can be bound to on it.
pub struct Opened {
    line: Box<dyn Line>,
    binding: Option<Vec<u8>>,
}

/// Who speaks on a line.
pub(super) trait Begin: Sync {
    /// The session that [`Begin::begin`] gives.
    type Session: Send;

    /// Begins a session.
    fn begin(
        &self,
        opened: Opened,
        config: &Config,
    ) -> impl Future<Output = std::result::Result<Self::Session, WireError>> + Send;

    /// Whether the server of a session takes writes.
    fn writes(
        session: &mut Self::Session,
    ) -> impl Future<Output = std::result::Result<Writes, WireError>> + Send;
}

/// Requests: they speak the driver's own wire. `name` is for the statement that looks around there.
pub(super) struct Requests<'n> {
    pub(super) name: &'n str,
}

impl Begin for Requests<'_> {
    type Session = (Wire, Seen);

    async fn begin(&self, opened: Opened, config: &Config) -> std::result::Result<Self::Session, WireError> {
        let mut wire = wire::start(opened.line, opened.binding, config).await?;
        let seen = wire::look(&mut wire, self.name).await?;
        Ok((wire, seen))
    }

    async fn writes((_, seen): &mut Self::Session) -> std::result::Result<Writes, WireError> {
        Ok(seen.writes)
    }
}

impl Connector {
    /// Fails where certificates cannot be read. All attempts together may take as long as `patience`, unless
    /// `connect_timeout` says how long each may take.
    pub(super) fn new(target: &Target, patience: Duration) -> Result<Self> {
        let mut postgres = target.postgres.clone();
        // As libpq: no TLS on a socket of this machine, whatever was asked for.
        let hosts = postgres.get_hosts();
        if !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_))) {
            postgres.ssl_mode(SslMode::Disable);
        }
        let servers = postgres.get_hosts().len().max(postgres.get_hostaddrs().len()).max(1);
        let share = match servers {
            // Whoever waits for a connection gives up first, and says so.
            ..=1 => patience + HEARD_WITHIN,
            2.. => patience / u32::try_from(servers).unwrap_or(u32::MAX),
        };
        let limit = postgres.get_connect_timeout().copied().unwrap_or(share);
        let tls = tls::client_config(&target.tls).map_err(|problem| {
            Error::new(Fault::DatabaseUnreachable, "Database connection error.").cause(problem)
        })?;
        Ok(Self { postgres, standby: target.standby, tls: Arc::new(tls), limit })
    }

    /// A session of the first server that is as `target_session_attrs` asks for, of all servers and all their addresses.
    pub(super) async fn connect<B: Begin>(
        &self,
        begin: &B,
    ) -> std::result::Result<(B::Session, Way), WireError> {
        let asked = self.postgres.get_target_session_attrs();
        match self.standby {
            Standby::Any => self.connect_to(begin, asked).await,
            Standby::Preferred => match self.connect_to(begin, TargetSessionAttrs::ReadOnly).await {
                Ok(connected) => Ok(connected),
                Err(_) => self.connect_to(begin, TargetSessionAttrs::Any).await,
            },
        }
    }

    /// The same of the primary, where more than one server is named.
    pub(super) async fn connect_to_primary<B: Begin>(
        &self,
        begin: &B,
    ) -> std::result::Result<(B::Session, Way), WireError> {
        match self.postgres.get_hosts().len() {
            0 | 1 => self.connect(begin).await,
            2.. => self.connect_to(begin, TargetSessionAttrs::ReadWrite).await,
        }
    }

    async fn connect_to<B: Begin>(
        &self,
        begin: &B,
        wanted: TargetSessionAttrs,
    ) -> std::result::Result<(B::Session, Way), WireError> {
        let mut last = None;
        for server in self.servers() {
            let ends = match self.within(server.ends()).await {
                Ok(ends) => ends,
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            for end in self.shuffled(ends) {
                match self.within(self.session(begin, end, &server.name, wanted)).await {
                    Ok(connected) => return Ok(connected),
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(last.unwrap_or_else(|| WireError::Protocol("no server is named".to_owned())))
    }

    /// A session at this end of a socket. As libpq, `prefer` goes on without TLS where TLS fails, or where the server
    /// refuses a session with it.
    async fn session<B: Begin>(
        &self,
        begin: &B,
        end: End,
        server: &str,
        wanted: TargetSessionAttrs,
    ) -> std::result::Result<(B::Session, Way), WireError> {
        let mut way = Way { end, name: server.to_owned(), mode: self.postgres.get_ssl_mode() };
        let mut session = match (self.begin(begin, &way).await, way.mode) {
            (Err(error), SslMode::Prefer) if is_about_tls(&error) => {
                way.mode = SslMode::Disable;
                // Why TLS failed says more than that the server wants it.
                self.begin(begin, &way).await.map_err(|_| error)?
            }
            (begun, _) => begun?,
        };
        let unwanted = match wanted {
            TargetSessionAttrs::ReadWrite if B::writes(&mut session).await? == Writes::Refused => {
                "the server takes no writes"
            }
            TargetSessionAttrs::ReadOnly if B::writes(&mut session).await? == Writes::Taken => {
                "the server takes writes"
            }
            _ => return Ok((session, way)),
        };
        Err(WireError::Protocol(unwanted.to_owned()))
    }

    async fn begin<B: Begin>(&self, begin: &B, way: &Way) -> std::result::Result<B::Session, WireError> {
        begin.begin(self.line(way).await?, &self.postgres).await
    }

    /// Asks PostgreSQL, by a connection of its own, to stop what runs there. Returns when it has heard that, which it
    /// shows by closing the connection.
    pub(super) async fn cancel(&self, cancel: &Cancel) -> std::result::Result<(), WireError> {
        let asked = async {
            let mut line = self.line(&cancel.way).await?.line;
            let mut request = BytesMut::new();
            frontend::cancel_request(cancel.key.process, cancel.key.secret, &mut request);
            line.write_all(&request).await?;
            line.flush().await?;
            // TLS may end without a farewell, which is an error and the end all the same.
            let _ = line.read(&mut [0]).await;
            Ok(())
        };
        tokio::time::timeout(HEARD_WITHIN, asked).await.unwrap_or_else(|_| Err(too_late()))
    }

    /// Whether one server is named. What stands before it may still spread connections over several.
    pub(super) fn is_of_one_server(&self) -> bool {
        self.postgres.get_hosts().len() <= 1 && self.postgres.get_hostaddrs().len() <= 1
    }

    /// `connect_timeout`, for each attempt.
    async fn within<T>(
        &self,
        attempt: impl Future<Output = std::result::Result<T, WireError>>,
    ) -> std::result::Result<T, WireError> {
        tokio::time::timeout(self.limit, attempt).await.unwrap_or_else(|_| Err(too_late()))
    }

    /// The servers, in the order in which they are tried.
    fn servers(&self) -> Vec<Server> {
        let (hosts, addresses) = (self.postgres.get_hosts(), self.postgres.get_hostaddrs());
        let ports = self.postgres.get_ports();
        let servers = (0..hosts.len().max(addresses.len())).filter_map(|at| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let (name, place) = match (hosts.get(at), addresses.get(at)) {
                (Some(Host::Tcp(name)), Some(address)) => (name.clone(), Place::Address(*address)),
                (Some(Host::Tcp(name)), None) => (name.clone(), Place::Name(name.clone())),
                (Some(Host::Unix(directory)), None) => (String::new(), Place::Directory(directory.clone())),
                (Some(Host::Unix(_)) | None, Some(address)) => {
                    (address.to_string(), Place::Address(*address))
                }
                (None, None) => return None,
            };
            Some(Server { name, place, port })
        });
        self.shuffled(servers.collect())
    }

    /// In any order, where that is asked for.
    fn shuffled<T>(&self, mut items: Vec<T>) -> Vec<T> {
        if self.postgres.get_load_balance_hosts() == LoadBalanceHosts::Random {
            for at in (1..items.len()).rev() {
                items.swap(at, below(at + 1));
            }
        }
        items
    }

    /// A line to there.
    async fn line(&self, way: &Way) -> std::result::Result<Opened, WireError> {
        let address = match &way.end {
            End::Unix(path) => {
                return Ok(Opened { line: Box::new(UnixStream::connect(path).await?), binding: None });
            }
            End::Tcp(address) => address,
        };
        let mut socket = TcpStream::connect(address).await?;
        self.set_up(&socket)?;
        if !self.speaks_tls(&mut socket, way.mode).await? {
            return Ok(Opened { line: Box::new(socket), binding: None });
        }
        let name = ServerName::try_from(way.name.clone()).map_err(|_| {
            WireError::Protocol(format!("{:?} is no name that a certificate can be for", way.name))
        })?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let binding = certificate.and_then(|certificate| end_point(certificate));
        Ok(Opened { line: Box::new(stream), binding })
    }

    fn set_up(&self, socket: &TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let socket = SockRef::from(socket);
        #[cfg(target_os = "linux")]
        if let Some(timeout) = self.postgres.get_tcp_user_timeout() {
            socket.set_tcp_user_timeout(Some(*timeout))?;
        }
        if self.postgres.get_keepalives() {
            let mut keepalive = TcpKeepalive::new().with_time(self.postgres.get_keepalives_idle());
            if let Some(interval) = self.postgres.get_keepalives_interval() {
                keepalive = keepalive.with_interval(interval);
            }
            if let Some(retries) = self.postgres.get_keepalives_retries() {
                keepalive = keepalive.with_retries(retries);
            }
            socket.set_tcp_keepalive(&keepalive)?;
        }
        Ok(())
    }

    /// Whether TLS follows, as asked for and as the server answers.
    async fn speaks_tls(
        &self,
        socket: &mut TcpStream,
        mode: SslMode,
    ) -> std::result::Result<bool, WireError> {
        match (mode, self.postgres.get_ssl_negotiation()) {
            (SslMode::Disable, _) => return Ok(false),
            (SslMode::Require, SslNegotiation::Direct) => return Ok(true),
            (_, SslNegotiation::Direct) => {
                let problem = "sslnegotiation=direct needs sslmode=require or more";
                return Err(WireError::Protocol(problem.to_owned()));
            }
            _ => {}
        }
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        socket.write_all(&request).await?;
        match (socket.read_u8().await?, mode) {
            (b'S', _) => Ok(true),
            (b'N', SslMode::Prefer) => Ok(false),
            (_, _) => Err(WireError::Protocol("the server does not support TLS".to_owned())),
        }
    }
}

impl Server {
    /// All addresses of it.
    async fn ends(&self) -> std::result::Result<Vec<End>, WireError> {
        Ok(match &self.place {
            Place::Name(name) => lookup_host((name.as_str(), self.port)).await?.map(End::Tcp).collect(),
            Place::Address(address) => vec![End::Tcp(SocketAddr::new(*address, self.port))],
            Place::Directory(directory) => {
                vec![End::Unix(directory.join(format!(".s.PGSQL.{}", self.port)))]
            }
        })
    }
}

/// Whether a connection failed for its TLS, so that one without may not.
fn is_about_tls(error: &WireError) -> bool {
    match error {
        WireError::Server(report) => report.sqlstate == REFUSED,
        WireError::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        WireError::Protocol(_) | WireError::Memory(_) => false,
    }
}

fn too_late() -> WireError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

impl fmt::Debug for Opened {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Opened")
    }
}

impl Cancel {
    pub(super) fn new(way: Way, key: Key) -> Self {
        Self { way, key }
    }
}

/// A number below `end`. That it is hard to guess is of no importance, and the library is there.
fn below(end: usize) -> usize {
    let mut bytes = [0; 8];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => usize::from_ne_bytes(bytes) % end,
        // The order is as good as any.
        Err(_) => 0,
    }
}
