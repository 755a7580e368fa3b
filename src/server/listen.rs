//! Opens the socket that clients connect to, TCP or unix, as `server-host`, `server-port`, `server-reuseport`,
//! `server-unix-socket` and `server-unix-socket-mode` say. It accepts bytes and knows nothing of HTTP.
//!
//! Binding and listening are two steps, so that a taken port is an error at once while clients are refused, rather than
//! accepted and left waiting, until there is something to serve.

mod given;
mod host;
mod stream;
mod unix;

use std::fmt;
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::ListenHost;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};

pub use given::given;
pub use stream::{Peer, Stream};

/// Connections the kernel holds until they are accepted, as many as PostgREST asks for.
const BACKLOG: u32 = 2048;

/// Where to listen, and whether beside others.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// The address to be bound.
    pub endpoint: Endpoint,
    /// What another process on the same address means.
    pub sharing: Sharing,
}

/// What clients connect to.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// A TCP port; 0 takes a free one, which [`Bound::address`] then tells.
    Tcp {
        /// Which of the machine's addresses.
        host: ListenHost,
        /// 0 to 65535.
        port: u16,
    },
    /// A socket file.
    Unix {
        /// The file; one left behind by an earlier process is replaced.
        path: PathBuf,
        /// Its permission bits, such as `0o660`.
        mode: u32,
    },
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Endpoint::Unix { path, .. } => path.display().fmt(formatter),
        }
    }
}

/// Whether several processes may listen on the address at once (`server-reuseport`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// A second one fails with [`io::ErrorKind::AddrInUse`].
    Exclusive,
    /// The kernel spreads new connections over all of them, so that a new process takes over without a failed request.
    /// A socket file changes hands instead.
    Shared,
}

/// A bound address on which nothing is accepted yet: clients are refused, and on a socket that was handed over wait.
#[derive(Debug)]
pub enum Bound {
    /// A socket that whoever started this process listens on already.
    Given(Listener),
    /// With its address, the port no longer 0.
    Tcp(TcpSocket, SocketAddr),
    /// With the path of its file.
    Unix(UnixSocket, PathBuf),
}

/// A socket to which clients can connect.
#[derive(Debug)]
pub enum Listener {
    /// With its address.
    Tcp(TcpListener, SocketAddr),
    /// With the path of its file.
    Unix(UnixListener, PathBuf),
}

/// The address of a bound socket, displayed as `127.0.0.1:3000`, `[::]:3000` or the path of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Address and port.
    Tcp(SocketAddr),
    /// The socket file.
    Unix(PathBuf),
}

impl Bound {
    /// Takes the address: the first that can be had of those the host stands for.
    pub async fn bind(options: &ListenOptions) -> io::Result<Bound> {
        match &options.endpoint {
            Endpoint::Tcp { host, port } => {
                let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
                for address in host::addresses(host, *port).await? {
                    match bind_tcp(address, options.sharing) {
                        Ok(bound) => return Ok(bound),
                        Err(error) => failure = error,
                    }
                }
                Err(failure)
            }
            Endpoint::Unix { path, mode } => {
                Ok(Bound::Unix(unix::bind(path, *mode, options.sharing).await?, path.clone()))
            }
        }
    }

    /// What was bound.
    pub fn address(&self) -> Address {
        match self {
            Bound::Given(listener) => listener.address(),
            Bound::Tcp(_, address) => Address::Tcp(*address),
            Bound::Unix(_, path) => Address::Unix(path.clone()),
        }
    }

    /// Lets clients connect.
    pub fn listen(self) -> io::Result<Listener> {
        Ok(match self {
            Bound::Given(listener) => listener,
            Bound::Tcp(socket, address) => Listener::Tcp(socket.listen(BACKLOG)?, address),
            Bound::Unix(socket, path) => Listener::Unix(socket.listen(BACKLOG)?, path),
        })
    }
}

impl Listener {
    /// Takes the address and lets clients connect at once.
    pub async fn bind(options: &ListenOptions) -> io::Result<Listener> {
        Bound::bind(options).await?.listen()
    }

    /// What clients connect to.
    pub fn address(&self) -> Address {
        match self {
            Listener::Tcp(_, address) => Address::Tcp(*address),
            Listener::Unix(_, path) => Address::Unix(path.clone()),
        }
    }

    /// The next connection, and who is at its other end. Nothing is lost if the future is dropped.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        Ok(match self {
            Listener::Tcp(listener, _) => {
                let (stream, address) = listener.accept().await?;
                accepted_tcp(stream, address)
            }
            Listener::Unix(listener, _) => (Stream::Unix(listener.accept().await?.0), Peer::Local),
        })
    }

    /// From now on the kernel gives new connections to other processes on the same address: it hears no SYN for this one,
    /// and the client sends it again in a second, when this socket is gone. Those that have begun are completed. Without
    /// that, the ones that the kernel is about to complete while the socket is closed would be reset.
    #[cfg(target_os = "linux")]
    pub fn let_others_have_what_comes(&self) -> io::Result<()> {
        use socket2::{SockFilter, SockRef};
        // Classic BPF: load the byte of the TCP flags, keep SYN and ACK of them, drop the segment where that is SYN alone.
        const LOAD_BYTE: u16 = 0x30;
        const AND: u16 = 0x54;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        let program = [
            SockFilter::new(LOAD_BYTE, 0, 0, 13),
            SockFilter::new(AND, 0, 0, 0x12),
            SockFilter::new(JUMP_IF_EQUAL, 0, 1, 0x02),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ];
        match self {
            Listener::Tcp(listener, _) => SockRef::from(listener).attach_filter(&program),
            Listener::Unix(..) => Ok(()),
        }
    }

    /// Elsewhere there is no way to do that.
    #[cfg(not(target_os = "linux"))]
    pub fn let_others_have_what_comes(&self) -> io::Result<()> {
        Ok(())
    }

    /// Closes the socket. Returns the connections that the kernel had completed already: it would reset them.
    pub fn close(self) -> io::Result<Vec<(Stream, Peer)>> {
        let mut waiting = Vec::new();
        match self {
            Listener::Tcp(listener, _) => {
                let listener = listener.into_std()?;
                for (stream, address) in iter::from_fn(|| listener.accept().ok()).take(BACKLOG as usize) {
                    stream.set_nonblocking(true)?;
                    waiting.push(accepted_tcp(TcpStream::from_std(stream)?, address));
                }
            }
            Listener::Unix(listener, _) => {
                let listener = listener.into_std()?;
                for (stream, _) in iter::from_fn(|| listener.accept().ok()).take(BACKLOG as usize) {
                    stream.set_nonblocking(true)?;
                    waiting.push((Stream::Unix(UnixStream::from_std(stream)?), Peer::Local));
                }
            }
        }
        Ok(waiting)
    }
}

fn accepted_tcp(stream: TcpStream, address: SocketAddr) -> (Stream, Peer) {
    // Answers are written whole: waiting for more to send only delays them. Where a client is already gone this fails,
    // and so will reading.
    let _no_delay = stream.set_nodelay(true);
    (Stream::Tcp(stream), Peer::Ip(address.ip().to_canonical()))
}

impl Address {
    /// Whether a client on this machine can connect: false too when the socket file was removed. How long that may take to
    /// find out is for whoever asks to say.
    pub async fn is_reachable(&self) -> bool {
        match self {
            Address::Tcp(address) => {
                TcpStream::connect((host::reachable(address.ip()), address.port())).await.is_ok()
            }
            Address::Unix(path) => UnixStream::connect(path).await.is_ok(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(formatter),
            Address::Unix(path) => path.display().fmt(formatter),
        }
    }
}

fn bind_tcp(address: SocketAddr, sharing: Sharing) -> io::Result<Bound> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart need not wait for the connections of the process before it.
    socket.set_reuseaddr(true)?;
    match sharing {
        Sharing::Shared => socket.set_reuseport(true)?,
        Sharing::Exclusive => {}
    }
    // Accepted connections inherit it: a client that vanished without a word is noticed in the end.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    let address = socket.local_addr()?;
    Ok(Bound::Tcp(socket, address))
}

#[cfg(test)]
mod tests;
