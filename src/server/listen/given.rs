//! Sockets that whoever started this process has opened for it (systemd's socket activation, `sd_listen_fds(3)`): the first
//! is the main server's, the second the admin server's. They take the place of the addresses in the configuration.

use std::io;
use std::path::PathBuf;

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::Listener;

/// The sockets in their order, TCP or unix. Those of an earlier process of the same environment are none.
pub fn given() -> io::Result<Vec<Listener>> {
    let mut sockets = ListenFd::from_env();
    (0..sockets.len()).map(|at| one(&mut sockets, at)).collect()
}

fn one(sockets: &mut ListenFd, at: usize) -> io::Result<Listener> {
    if let Ok(Some(listener)) = sockets.take_tcp_listener(at) {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        return Ok(Listener::Tcp(TcpListener::from_std(listener)?, address));
    }
    match sockets.take_unix_listener(at)? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            let path = listener.local_addr()?.as_pathname().map(PathBuf::from).unwrap_or_default();
            Ok(Listener::Unix(UnixListener::from_std(listener)?, path))
        }
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "a socket that was handed over is none")),
    }
}
