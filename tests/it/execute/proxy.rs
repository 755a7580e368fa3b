//! A unix socket in front of PostgreSQL's: it counts the turns of the
//! conversation, can hand on answers slowly, message by message, and can hold
//! back what the client says.

use crate::support::database::Database;
use percent_encoding::percent_decode_str;
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

const SOCKET: &str = ".s.PGSQL.5432";

/// How answers are handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As they come.
    Full,
    /// Each message by itself, with a pause after it.
    MessageByMessage,
}

/// Lives as long as the test's runtime.
pub(super) struct Proxy {
    directory: PathBuf,
    talk: Arc<Mutex<Talk>>,
    held: watch::Sender<bool>,
}

/// Who spoke last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

#[derive(Debug)]
struct Talk {
    last: Side,
    turns: u32,
    cancels: u32,
}

impl Proxy {
    /// Stands before the server of this database.
    pub(super) fn before(database: &Database, pace: Pace) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("pgduet-proxy-{}-{number}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let uri = database.uri("authenticator");
        let (_, socket_directory) = uri.split_once("host=").expect("the test server has a unix socket");
        let server = PathBuf::from(percent_decode_str(socket_directory).decode_utf8().unwrap().as_ref());
        let talk = Arc::new(Mutex::new(Talk { last: Side::Server, turns: 0, cancels: 0 }));
        let (held, hold) = watch::channel(false);
        let line = Line { server: server.join(SOCKET), talk: talk.clone(), pace, hold };
        tokio::spawn(accept(listen(&directory), line));
        Self { directory, talk, held }
    }

    /// The database's URI through the proxy.
    pub(super) fn uri(&self, database: &Database) -> String {
        let directory = self.directory.display().to_string().replace('/', "%2F");
        format!("postgresql://authenticator@/{}?host={directory}", database.name())
    }

    /// How often the client has begun to speak after the server, since it was asked last.
    pub(super) fn turns(&self) -> u32 {
        std::mem::take(&mut self.talk.lock().unwrap().turns)
    }

    /// How many cancels were handed on.
    pub(super) fn cancels(&self) -> u32 {
        self.talk.lock().unwrap().cancels
    }

    /// From now on, only cancels are handed on at once.
    pub(super) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// What was held back is handed on.
    pub(super) fn release(&self) {
        self.held.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).unwrap();
    }
}

fn listen(directory: &Path) -> UnixListener {
    UnixListener::bind(directory.join(SOCKET)).unwrap()
}

/// What every connection through the proxy has in common.
#[derive(Clone)]
struct Line {
    server: PathBuf,
    talk: Arc<Mutex<Talk>>,
    pace: Pace,
    hold: watch::Receiver<bool>,
}

async fn accept(listener: UnixListener, line: Line) {
    while let Ok((client, _)) = listener.accept().await {
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = UnixStream::connect(&line.server).await.unwrap().into_split();
        match line.pace {
            Pace::Full => tokio::spawn(pump(from_server, to_client, Side::Server, line.clone())),
            Pace::MessageByMessage => tokio::spawn(trickle(from_server, to_client)),
        };
        tokio::spawn(pump(from_client, to_server, Side::Client, line.clone()));
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, side: Side, mut line: Line) {
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        match (side, is_cancel(&buffer[..length])) {
            (Side::Client, true) => line.talk.lock().unwrap().cancels += 1,
            (Side::Client, false) => {
                line.hold.wait_for(|held| !held).await.unwrap();
                line.talk.lock().unwrap().speak(side);
            }
            (Side::Server, _) => line.talk.lock().unwrap().speak(side),
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// A cancel is a connection's first and only message, without a letter before its length.
fn is_cancel(message: &[u8]) -> bool {
    message.len() == 16 && message.starts_with(&[0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e])
}

impl Talk {
    fn speak(&mut self, side: Side) {
        if (self.last, side) == (Side::Server, Side::Client) {
            self.turns += 1;
        }
        self.last = side;
    }
}

/// Hands on one message after the other: a letter, a length of four bytes that counts itself, and the rest.
async fn trickle(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut message = vec![0; 5];
    while from.read_exact(&mut message[..5]).await.is_ok() {
        let length = u32::from_be_bytes(message[1..5].try_into().unwrap());
        message.resize(1 + usize::try_from(length).unwrap(), 0);
        if from.read_exact(&mut message[5..]).await.is_err() || to.write_all(&message).await.is_err() {
            return;
        }
        // It is the network that is slow here, nobody who waits.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
