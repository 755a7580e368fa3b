//! A TCP proxy in front of PostgreSQL that can fall silent, as a network does that loses its state: connections stay open
//! and nothing on them goes on. When it speaks again, it does so on new connections only; those from before stay silent
//! for good.

use percent_encoding::percent_decode_str;
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// Lives as long as the process of the test.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// How often it has changed between speaking, which is even, and silence.
    changes: Arc<AtomicU32>,
}

impl Proxy {
    /// Stands before the server with this URI of a socket in a directory.
    pub(crate) fn before(uri: &str) -> Self {
        let (_, directory) = uri.split_once("host=").expect("the server has a unix socket");
        let directory = directory.split('&').next().unwrap();
        let server = PathBuf::from(percent_decode_str(directory).decode_utf8().unwrap().as_ref())
            .join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let changes = Arc::new(AtomicU32::new(0));
        let at = changes.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let began = at.load(Ordering::SeqCst);
                let Ok(server) = UnixStream::connect(&server) else { continue };
                let line = Line { changes: at.clone(), began };
                let back = line.clone();
                let (from_client, to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || line.pump(&from_client, &to_server));
                thread::spawn(move || back.pump(&server, &client));
            }
        });
        Self { address, changes }
    }

    /// The URI of a database of this server through it.
    pub(crate) fn uri(&self, role: &str, database: &str) -> String {
        format!("postgresql://{role}@{}/{database}?sslmode=disable", self.address)
    }

    /// From now on nothing goes on.
    pub(crate) fn fall_silent(&self) {
        assert_eq!(self.changes.fetch_add(1, Ordering::SeqCst) % 2, 0);
    }

    /// New connections are handed on again.
    pub(crate) fn speak(&self) {
        assert_eq!(self.changes.fetch_add(1, Ordering::SeqCst) % 2, 1);
    }
}

/// One connection through it.
#[derive(Clone)]
struct Line {
    changes: Arc<AtomicU32>,
    began: u32,
}

impl Line {
    fn is_alive(&self) -> bool {
        self.began.is_multiple_of(2) && self.changes.load(Ordering::SeqCst) == self.began
    }

    fn pump<F: Socket, T: Socket>(&self, from: &F, to: &T)
    where
        for<'s> &'s F: Read,
        for<'s> &'s T: Write,
    {
        let mut buffer = vec![0; 65536];
        while self.is_alive() {
            let length = (&*from).read(&mut buffer).unwrap_or(0);
            if self.is_alive() && (length == 0 || (&*to).write_all(&buffer[..length]).is_err()) {
                from.close();
                return to.close();
            }
        }
        // Both sockets stay open.
        loop {
            thread::sleep(Duration::from_secs(3600));
        }
    }
}

trait Socket {
    fn close(&self);
}

impl Socket for TcpStream {
    fn close(&self) {
        let _gone = self.shutdown(Shutdown::Both);
    }
}

impl Socket for UnixStream {
    fn close(&self) {
        let _gone = self.shutdown(Shutdown::Both);
    }
}
