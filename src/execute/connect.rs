//! Making connections, with TLS or without, and cancelling what runs on them: which of several servers, how its socket
//! is set up, and how long that may take. It keeps no connection.

mod tls;

use super::wire::{self, Error as WireError, Key, Line, Seen, Wire, Writes, end_point};
use crate::{
    config::Connection as Target,
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
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream, lookup_host},
};
use tokio_postgres::{
    Config, Connection, Socket,
    config::{Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::TlsConnector;

/// A connection of one's own, for those who read the catalog.
pub use tokio_postgres::Client;

/// A client, and the connection that somebody has to poll for it.
pub type Pair = (Client, Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>);

/// Knows how to reach the database.
#[derive(Clone)]
pub(super) struct Connector {
    postgres: Config,
    tls: Arc<rustls::ClientConfig>,
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

/// Where a session is, for whoever wants to cancel what it runs.
#[derive(Clone, Debug)]
pub(super) struct Cancel {
    end: End,
    /// What the certificate there has to be for.
    name: String,
    key: Key,
}

/// A session that has begun.
pub(super) struct Connected {
    pub(super) wire: Wire,
    pub(super) cancel: Cancel,
    pub(super) seen: Seen,
}

/// One end of a socket.
#[derive(Clone, Debug)]
enum End {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Connector {
    /// Fails where certificates cannot be read.
    pub(super) fn new(target: &Target) -> Result<Self> {
        let mut postgres = target.postgres.clone();
        // As libpq: no TLS on a socket of this machine, whatever was asked for.
        let hosts = postgres.get_hosts();
        if !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Unix(_))) {
            postgres.ssl_mode(SslMode::Disable);
        }
        let tls = tls::client_config(&target.tls).map_err(|problem| {
            Error::new(Fault::DatabaseUnreachable, "Database connection error.").cause(problem)
        })?;
        Ok(Self { postgres, tls: Arc::new(tls) })
    }

    /// What connections of tokio-postgres are made of, for what is not a request.
    pub(super) fn for_clients(&self) -> (Config, MakeRustlsConnect) {
        (self.postgres.clone(), MakeRustlsConnect::new(rustls::ClientConfig::clone(&self.tls)))
    }

    /// A connection for requests: the first that is as `target_session_attrs` asks for, of all servers and all their
    /// addresses. `name` is for the statement that looks around there.
    pub(super) async fn connect(&self, name: &str) -> std::result::Result<Connected, WireError> {
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
                match self.within(self.session(end, &server.name, name)).await {
                    Ok(connected) => return Ok(connected),
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(last.unwrap_or_else(|| WireError::Protocol("no server is named".to_owned())))
    }

    /// A session at this end of a socket.
    async fn session(&self, end: End, server: &str, name: &str) -> std::result::Result<Connected, WireError> {
        let (line, binding) = self.line(&end, server).await?;
        let mut wire = wire::start(line, binding, &self.postgres).await?;
        let seen = wire::look(&mut wire, name).await?;
        let unwanted = match (self.postgres.get_target_session_attrs(), seen.writes) {
            (TargetSessionAttrs::ReadWrite, Writes::Refused) => "the server takes no writes",
            (TargetSessionAttrs::ReadOnly, Writes::Taken) => "the server takes writes",
            (_, Writes::Refused | Writes::Taken) => {
                let cancel = Cancel { end, name: server.to_owned(), key: wire.key() };
                return Ok(Connected { wire, cancel, seen });
            }
        };
        Err(WireError::Protocol(unwanted.to_owned()))
    }

    /// A connection of tokio-postgres; of several hosts, only to one that can be written to.
    pub(super) async fn connect_to_primary(&self) -> std::result::Result<Pair, tokio_postgres::Error> {
        let (mut postgres, tls) = self.for_clients();
        if postgres.get_hosts().len() > 1 {
            postgres.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        postgres.connect(tls).await
    }

    /// Asks PostgreSQL, by a connection of its own, to stop what runs there.
    pub(super) async fn cancel(&self, cancel: &Cancel) -> std::result::Result<(), WireError> {
        self.within(async {
            let (mut line, _) = self.line(&cancel.end, &cancel.name).await?;
            let mut request = BytesMut::new();
            frontend::cancel_request(cancel.key.process, cancel.key.secret, &mut request);
            line.write_all(&request).await?;
            Ok(line.shutdown().await?)
        })
        .await
    }

    /// `connect_timeout`, for each attempt.
    async fn within<T>(
        &self,
        attempt: impl Future<Output = std::result::Result<T, WireError>>,
    ) -> std::result::Result<T, WireError> {
        match self.postgres.get_connect_timeout() {
            Some(limit) => tokio::time::timeout(*limit, attempt)
                .await
                .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into())),
            None => attempt.await,
        }
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

    /// A line to there, and what a password can be bound to on it.
    async fn line(
        &self,
        end: &End,
        name: &str,
    ) -> std::result::Result<(Box<dyn Line>, Option<Vec<u8>>), WireError> {
        let address = match end {
            End::Unix(path) => return Ok((Box::new(UnixStream::connect(path).await?), None)),
            End::Tcp(address) => address,
        };
        let mut socket = TcpStream::connect(address).await?;
        self.set_up(&socket)?;
        if !self.speaks_tls(&mut socket).await? {
            return Ok((Box::new(socket), None));
        }
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| WireError::Protocol(format!("{name:?} is no name that a certificate can be for")))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let binding = certificate.and_then(|certificate| end_point(certificate));
        Ok((Box::new(stream), binding))
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
    async fn speaks_tls(&self, socket: &mut TcpStream) -> std::result::Result<bool, WireError> {
        let mode = self.postgres.get_ssl_mode();
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

/// A number below `end`. That it is hard to guess is of no importance, and the library is there.
fn below(end: usize) -> usize {
    let mut bytes = [0; 8];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => usize::from_ne_bytes(bytes) % end,
        // The order is as good as any.
        Err(_) => 0,
    }
}
