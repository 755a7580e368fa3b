//! Serves the connections of one listener: HTTP/1.1 and HTTP/2, over TLS or without it, told apart by their first bytes.
//!
//! Each connection is a task with a clone of the service. Nothing that a client does ends the loop or another
//! connection, and nothing that it leaves open keeps the process alive: every phase of a connection has a deadline, and
//! the way down has one too.
//!
//! | phase | deadline |
//! |---|---|
//! | the handshake of TLS | [`Limits::head_timeout`] |
//! | waiting for a request, and reading its head | [`Limits::head_timeout`]; over HTTP/2 an answer to a ping |
//! | reading its body | [`Limits::read_timeout`] for each 16 KiB and for its end |
//! | writing its answer | [`Limits::write_timeout`] for each 16 KiB, as long as some wait |
//! | doing nothing, or waiting for the client | none, until another connection needs the room |
//!
//! ```text
//!   announced        listener closed         requests in flight answered     deadline
//!   ─────┬──────────────────┬─────────────────────────────┬────────────────────┬─────
//!        accept what has     idle connections are closed,  usually the end      endless streams
//!        already connected   the others take no more                            are cut off
//! ```
//!
//! An idle connection over HTTP/1 is closed half a second later, or with the answer to what comes until then. Before the
//! announcement there may be a time in which each answer over HTTP/1 already says that it is the last one.

mod answer;
mod deadline;
mod heads;
mod opening;

use std::error::Error;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use super::activity::{Activity, Connections, Place};
use super::body::RequestBody;
use super::listen::{Listener, Peer, Sharing, Stream};
use super::reason;
use super::shutdown::Shutdown;
use super::target::RepairTarget;
use super::tls::{self, Subject, Tls};
use crate::memory::Memory;
use crate::metrics::Meters;
use answer::{AnswerBody, Unread};
use deadline::WriteDeadline;
use heads::CountedHeads;
pub use heads::{COPIES, FIELD};
use opening::Protocol;

type BoxError = Box<dyn Error + Send + Sync>;

/// How long to wait before accepting again when the process is out of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that has to make room may take to finish what has just come.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How long a client that had connected, but sent nothing yet when the shutdown was announced, is waited for.
const LATE_OPENING: Duration = Duration::from_millis(100);

/// The same for one that is in the middle of a handshake.
const LATE_HANDSHAKE: Duration = Duration::from_secs(1);

/// How long connections that have begun to open are waited for, where another process takes those that come.
const HANDED_OVER: Duration = Duration::from_millis(200);

/// How long an idle connection over HTTP/1 may take to bring a last request, which is answered with `Connection: close`:
/// a client that sends while the connection is being closed cannot know whether its request was read.
const LINGER: Duration = Duration::from_millis(500);

/// What a client may ask of a connection.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's head; beyond them the answer is 431. An HTTP/1 target alone may have 65,534 (414).
    pub head_bytes: u32,
    /// Within which a head has to arrive, counted from the end of the answer before it: idle connections end by it.
    /// Longer than the 60 s of the usual balancers, so that theirs is the side that closes.
    pub head_timeout: Duration,
    /// How long each 16 KiB of a body, and its end, may take while a handler waits for it.
    pub read_timeout: Duration,
    /// How long each 16 KiB of an answer may take because its client does not read it.
    pub write_timeout: Duration,
    /// Connections at once; beyond them the one that has been idle for the longest time is closed, or else the one that has
    /// waited for its client for the longest time.
    pub connections: NonZeroUsize,
    /// Requests at once on one HTTP/2 connection.
    pub concurrent_streams: u32,
    /// Silence on an HTTP/2 connection after which the client is pinged, and it then has as long again to answer.
    pub ping_after: Duration,
    /// Where this is short, the connection goes on which something has waited for its client for the longest time.
    pub memory: Memory,
    /// From the announcement of the shutdown until what is still running is cut off.
    pub drain_timeout: Duration,
    /// Whether other processes listen on the same address.
    pub sharing: Sharing,
    /// TLS for TCP connections; without it they carry plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// Where connections are counted.
    pub meters: Arc<Meters>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_bytes: 128 * 1024,
            head_timeout: Duration::from_secs(75),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
            connections: NonZeroUsize::MAX,
            concurrent_streams: 256,
            ping_after: Duration::from_secs(30),
            memory: Memory::new(usize::MAX),
            drain_timeout: Duration::from_secs(10),
            sharing: Sharing::Exclusive,
            tls: None,
            meters: Arc::default(),
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
/// The body of each request knows its [`Peer`]. When a client goes away, the future of its request is dropped.
pub async fn serve_connections<S, B>(
    listener: Listener,
    service: S,
    limits: &Limits,
    mut shutdown: Shutdown,
) -> Drained
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let server = Arc::new(Server::new(limits, shutdown.clone()));
    let mut connections = JoinSet::new();
    // One that was accepted and waits for room.
    let mut newcomer: Option<(Stream, Peer)> = None;
    let mut newcomers = Vec::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if newcomer.is_none() => match accepted {
                Ok(accepted) => newcomer = Some(accepted),
                Err(error) => accept_failed(error).await,
            },
            place = server.connections.admit(), if newcomer.is_some() => {
                if let Some((stream, peer)) = newcomer.take() {
                    connections.spawn(server.clone().serve(stream, peer, place, service.clone()));
                }
            }
            Some(ended) = connections.join_next() => report(ended),
            () = limits.memory.runs_short() => server.connections.close_stalled(),
            () = shutdown.announced() => break,
        }
    }
    if limits.sharing == Sharing::Shared {
        match listener.let_others_have_what_comes() {
            Ok(()) => {
                let opened = accept_until(&listener, Instant::now() + HANDED_OVER).await;
                newcomers.extend(opened);
            }
            Err(error) => tracing::debug!(%error, "connections that are opening are reset"),
        }
    }
    for (stream, peer) in newcomers.into_iter().chain(newcomer).chain(listener.close().unwrap_or_default()) {
        if let Some(place) = server.connections.try_admit() {
            connections.spawn(server.clone().serve(stream, peer, place, service.clone()));
        }
    }
    drain(connections, limits.drain_timeout).await
}

/// The connections that are accepted until then.
async fn accept_until(listener: &Listener, end: Instant) -> Vec<(Stream, Peer)> {
    let mut accepted = Vec::new();
    while let Ok(Ok(connection)) = tokio::time::timeout_at(end, listener.accept()).await {
        accepted.push(connection);
    }
    accepted
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
    limits: Limits,
    connections: Arc<Connections>,
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
        let connections = Arc::new(Connections::new(limits.connections.get(), limits.meters.clone()));
        Server { http1, http2, limits: limits.clone(), connections, shutdown }
    }

    async fn serve<S, B>(self: Arc<Self>, stream: Stream, peer: Peer, place: Place, service: S)
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let activity = &place.activity;
        let (mut stream, subject) = match self.secured(stream, activity).await {
            Ok(secured) => secured,
            Err(error) => {
                tracing::debug!(%error, %peer, "a connection has no TLS");
                return;
            }
        };
        let Some((protocol, received)) = self.opening(&mut stream, activity).await else { return };
        let unread = match protocol {
            Protocol::Http1 => None,
            Protocol::Http2 => Some(Unread::default()),
        };
        let Limits { read_timeout, write_timeout, .. } = self.limits;
        let (at_work, pieces, shutdown) = (activity.clone(), unread.clone(), self.shutdown.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (answering, unread, shutdown) = (at_work.request(), pieces.clone(), shutdown.clone());
            let mut request = request.map(|body| RequestBody::new(body, peer, read_timeout, at_work.clone()));
            if let Some(subject) = &subject {
                request.extensions_mut().insert(subject.clone());
            }
            let body_unread = request.body().unread();
            let answered = service.clone().oneshot(request);
            answered.map(move |answered| {
                answered.map(|mut answer| {
                    let is_left = || body_unread.is_some_and(|unread| unread.load(Ordering::Relaxed));
                    let is_refusal = answer.status().is_client_error() || answer.status().is_server_error();
                    // The rest of a body stands where the next request would, and who goes down takes no further one: a client
                    // has to know before it sends that.
                    let is_last = || (is_refusal && is_left()) || shutdown.is_leaving();
                    if protocol == Protocol::Http1 && is_last() {
                        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    reason::complete(answer).map(|body| AnswerBody::new(body, unread, answering))
                })
            })
        });
        let stream = WriteDeadline::new(stream, write_timeout, activity.clone());
        let stream = CountedHeads::new(stream, protocol, activity.clone(), self.limits.memory.clone());
        let stream = TokioIo::new(RepairTarget::new(stream, &received));
        let ended = match protocol {
            Protocol::Http1 => self.drive(self.http1.serve_connection(stream, service), activity, None).await,
            Protocol::Http2 => {
                let connection = self.http2.serve_connection(stream, service);
                self.drive(connection, activity, unread.as_ref()).await
            }
        };
        if let Err(error) = ended {
            // Mostly clients that went away or do not speak HTTP.
            tracing::debug!(%error, %peer, "a connection ended early");
        }
    }

    /// The connection as it is to be spoken on, and who shows a certificate there.
    async fn secured(&self, stream: Stream, activity: &Activity) -> io::Result<(Stream, Option<Subject>)> {
        let (tls, stream) = match (&self.limits.tls, stream) {
            (Some(tls), Stream::Tcp(stream)) => (tls, stream),
            (_, stream) => return Ok((stream, None)),
        };
        let mut shutdown = self.shutdown.clone();
        let accepting = tls.acceptor().accept(stream);
        tokio::pin!(accepting);
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let stream = tokio::select! {
            accepted = tokio::time::timeout(self.limits.head_timeout, &mut accepting) => accepted.map_err(|_| late())??,
            () = activity.has_to_close() => return Err(late()),
            () = shutdown.announced() => {
                tokio::time::timeout(LATE_HANDSHAKE, accepting).await.map_err(|_| late())??
            }
        };
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let subject = shown.and_then(tls::subject);
        Ok((Stream::Tls(Box::new(stream)), subject))
    }

    /// The protocol and the bytes that told it; `None` if they did not come in time.
    async fn opening(&self, stream: &mut Stream, activity: &Activity) -> Option<(Protocol, Vec<u8>)> {
        let opening = tokio::time::timeout(self.limits.head_timeout, opening::read(stream));
        tokio::pin!(opening);
        let mut shutdown = self.shutdown.clone();
        let opening = tokio::select! {
            biased;
            opening = &mut opening => opening,
            () = activity.has_to_close() => return None,
            () = shutdown.announced() => tokio::time::timeout(LATE_OPENING, opening).await.ok()?,
        };
        opening.ok()?.ok()?
    }

    /// Runs a connection to its end; once a shutdown is announced, it takes no further request.
    async fn drive<C>(
        &self,
        connection: C,
        activity: &Activity,
        unread: Option<&Unread>,
    ) -> Result<(), BoxError>
    where
        C: GracefulConnection,
        C::Error: Into<BoxError>,
    {
        tokio::pin!(connection);
        let mut shutdown = self.shutdown.clone();
        let stalled = async {
            match unread {
                Some(unread) => unread.stalled(self.limits.write_timeout).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(stalled);
        tokio::select! {
            // The connection first: a request that has arrived is answered.
            biased;
            ended = &mut connection => return ended.map_err(Into::into),
            () = &mut stalled => return Err("an answer is not read".into()),
            () = activity.has_to_close() => {
                if !activity.is_idle() {
                    return Err("another connection needs the room of one that waits for its client".into());
                }
                connection.as_mut().graceful_shutdown();
                return match tokio::time::timeout(LAST_WORDS, connection).await {
                    Ok(ended) => ended.map_err(Into::into),
                    Err(_elapsed) => Err("another connection needs the room".into()),
                };
            }
            () = shutdown.announced() => {}
        }
        if unread.is_none() && activity.is_idle() {
            // Its answer says that it is the last one.
            tokio::select! {
                biased;
                ended = &mut connection => return ended.map_err(Into::into),
                () = tokio::time::sleep(LINGER) => {}
            }
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended.map_err(Into::into),
            () = stalled => Err("an answer is not read".into()),
        }
    }
}

#[cfg(test)]
mod tests;
