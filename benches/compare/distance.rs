//! PostgreSQL as if it was a network away: a unix socket that hands on what clients say some time later. What the
//! server says is handed on at once, so that a round trip takes this time longer.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime,
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// The name that PostgreSQL's clients look for in the directory.
pub(crate) const SOCKET: &str = ".s.PGSQL.5432";

/// How many pieces are on their way at most; the client waits with more.
const IN_FLIGHT: usize = 256;

/// A socket in a directory of its own, on a thread of its own, until this is dropped.
#[derive(Debug)]
pub(crate) struct Distance {
    directory: PathBuf,
    _runtime: runtime::Runtime,
}

impl Distance {
    /// Puts `round_trip` before the server whose socket is this.
    pub(crate) fn before(server: PathBuf, round_trip: Duration) -> anyhow::Result<Self> {
        let directory = env::temp_dir().join(format!("pgduet-bench-far-{}", process::id()));
        fs::create_dir(&directory)?;
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let distance = Self { directory, _runtime: runtime };
        let listener = {
            let _within = distance._runtime.enter();
            UnixListener::bind(distance.directory.join(SOCKET))?
        };
        distance._runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Where the server cannot be reached, the client sees that its connection ends.
                if let Ok(upstream) = UnixStream::connect(&server).await {
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = upstream.into_split();
                    tokio::spawn(at_once(from_server, to_client));
                    tokio::spawn(later(from_client, to_server, round_trip));
                }
            }
        });
        Ok(distance)
    }

    /// Where the socket is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        let _it_may_not_be_there = fs::remove_dir_all(&self.directory);
    }
}

async fn at_once(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<u64> {
    io::copy(&mut from, &mut to).await
}

/// Each piece by itself, so that several are on their way at the same time.
async fn later(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) -> io::Result<()> {
    let (send, mut receive) = mpsc::channel::<(Instant, Bytes)>(IN_FLIGHT);
    tokio::spawn(async move {
        let mut buffer = BytesMut::new();
        while let Ok(1..) = from.read_buf(&mut buffer).await {
            if send.send((Instant::now() + delay, buffer.split().freeze())).await.is_err() {
                return;
            }
        }
    });
    while let Some((due, piece)) = receive.recv().await {
        sleep_until(due).await;
        to.write_all(&piece).await?;
    }
    Ok(())
}
