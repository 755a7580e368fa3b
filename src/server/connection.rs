//! Serves the connections of one listener: HTTP/1.1 and HTTP/2 without TLS, told apart by their first bytes.
//!
//! Each connection is a task with a clone of the service. Nothing that a client does ends the loop or another
//! connection, and nothing that it leaves open keeps the process alive: the way down has a deadline.
//!
//! ```text
//!   announced        listener closed         requests in flight answered     deadline
//!   ─────┬──────────────────┬─────────────────────────────┬────────────────────┬─────
//!        accept what has     idle connections are closed,  usually the end      endless streams
//!        already connected   the others take no more                            are cut off
//! ```

mod opening;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::task::{JoinError, JoinSet};
use tower::{Service, ServiceExt};

use super::listen::{Listener, Peer, Stream};
use super::reason;
use super::shutdown::Shutdown;
use super::target::RepairTarget;
use opening::Protocol;

type BoxError = Box<dyn Error + Send + Sync>;

/// How long to wait before accepting again when the process is out of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a client that had connected, but sent nothing yet when the shutdown was announced, is waited for.
const LATE_OPENING: Duration = Duration::from_millis(100);

/// What a client may ask of a connection.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's head; beyond them the answer is 431. An HTTP/1 target alone may have 65,534 (414).
    pub head_bytes: u32,
    /// Within which a head has to arrive, counted from the end of the answer before it: idle connections end by it.
    /// Longer than the 60 s of the usual balancers, so that theirs is the side that closes.
    pub head_timeout: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub concurrent_streams: u32,
    /// Silence on an HTTP/2 connection after which the client is pinged, and it then has as long again to answer.
    pub ping_after: Duration,
    /// From the announcement of the shutdown until what is still running is cut off.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes: 128 * 1024,
            head_timeout: Duration::from_secs(75),
            concurrent_streams: 256,
            ping_after: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// How the connections ended after a shutdown was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Completely,
    /// The deadline came first.
    CutOff {
        /// That were still open.
        connections: usize,
    },
}

/// Accepts and serves connections until a shutdown is announced, then finishes them.
///
/// Each request carries its [`Peer`] in its extensions. When a client goes away, the future of its request is dropped.
pub async fn serve_connections<S, B>(
    listener: Listener,
    service: S,
    limits: &Limits,
    mut shutdown: Shutdown,
) -> Drained
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let server = Arc::new(Server::new(limits, shutdown.clone()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(server.clone().serve(stream, peer, service.clone()));
                }
                Err(error) => accept_failed(error).await,
            },
            Some(ended) = connections.join_next() => report(ended),
            () = shutdown.announced() => break,
        }
    }
    for (stream, peer) in listener.close().unwrap_or_default() {
        connections.spawn(server.clone().serve(stream, peer, service.clone()));
    }
    drain(connections, limits.drain_timeout).await
}

async fn drain(mut connections: JoinSet<()>, deadline: Duration) -> Drained {
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    match tokio::time::timeout(deadline, all_ended).await {
        Ok(()) => Drained::Completely,
        Err(_elapsed) => {
            let open = connections.len();
            connections.shutdown().await;
            Drained::CutOff { connections: open }
        }
    }
}

/// A failed accept is the connection's own affair, or a shortage that passes as connections end.
async fn accept_failed(error: io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionRefused
        | io::ErrorKind::Interrupted => {}
        _ => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection ended in a panic");
    }
}

/// What the connections of one listener share.
struct Server {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    head_timeout: Duration,
    shutdown: Shutdown,
}

impl Server {
    fn new(limits: &Limits, shutdown: Shutdown) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_header_size(limits.head_bytes as usize);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.concurrent_streams)
            .max_header_list_size(limits.head_bytes)
            .keep_alive_interval(limits.ping_after)
            .keep_alive_timeout(limits.ping_after);
        Server { http1, http2, head_timeout: limits.head_timeout, shutdown }
    }

    async fn serve<S, B>(self: Arc<Self>, mut stream: Stream, peer: Peer, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let Some((protocol, received)) = self.opening(&mut stream).await else { return };
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            service.clone().oneshot(request).map(|result| result.map(reason::complete))
        });
        let stream = TokioIo::new(RepairTarget::new(stream, &received));
        let ended = match protocol {
            Protocol::Http1 => self.drive(self.http1.serve_connection(stream, service)).await,
            Protocol::Http2 => self.drive(self.http2.serve_connection(stream, service)).await,
        };
        if let Err(error) = ended {
            // Mostly clients that went away or do not speak HTTP.
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    }

    /// The protocol and the bytes that told it; `None` if they did not come in time.
    async fn opening(&self, stream: &mut Stream) -> Option<(Protocol, Vec<u8>)> {
        let opening = tokio::time::timeout(self.head_timeout, opening::read(stream));
        tokio::pin!(opening);
        let mut shutdown = self.shutdown.clone();
        let opening = tokio::select! {
            biased;
            opening = &mut opening => opening,
            () = shutdown.announced() => tokio::time::timeout(LATE_OPENING, opening).await.ok()?,
        };
        opening.ok()?.ok()?
    }

    /// Runs a connection to its end; once a shutdown is announced, it takes no further request.
    async fn drive<C: GracefulConnection>(&self, connection: C) -> Result<(), C::Error> {
        tokio::pin!(connection);
        let mut shutdown = self.shutdown.clone();
        tokio::select! {
            // The connection first: a request that has arrived is answered.
            biased;
            ended = &mut connection => return ended,
            () = shutdown.announced() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

#[cfg(test)]
mod tests;
