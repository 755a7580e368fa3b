//! Real sockets, spoken to in bytes: what is served, what is refused, and how it all ends.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::ext::ReasonPhrase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tower::service_fn;

use super::super::listen::{Address, Endpoint, ListenOptions, Sharing};
use super::super::shutdown::{ShutdownTrigger, shutdown_channel};
use super::*;

type TestResult = Result<(), Box<dyn Error>>;

/// A server on a free port.
struct Running {
    address: SocketAddr,
    trigger: ShutdownTrigger,
    ended: JoinHandle<Drained>,
    /// Told when a request to `/wait` has begun.
    began: Arc<Notify>,
    /// Lets one request to `/wait` go on.
    go_on: Arc<Notify>,
    /// Told when the future of a request to `/wait` is dropped.
    dropped: Arc<Notify>,
}

struct NotifyOnDrop(Arc<Notify>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Running {
    async fn start(limits: Limits) -> Result<Running, Box<dyn Error>> {
        let host = crate::config::ListenHost::Named("127.0.0.1".into());
        let options =
            ListenOptions { endpoint: Endpoint::Tcp { host, port: 0 }, sharing: Sharing::Exclusive };
        let listener = Listener::bind(&options).await?;
        let Address::Tcp(address) = listener.address() else { return Err("not TCP".into()) };
        let [began, go_on, dropped] = [(); 3].map(|()| Arc::new(Notify::new()));
        let service = {
            let (began, go_on, dropped) = (began.clone(), go_on.clone(), dropped.clone());
            service_fn(move |request| answer(request, began.clone(), go_on.clone(), dropped.clone()))
        };
        let (trigger, shutdown) = shutdown_channel();
        let ended =
            tokio::spawn(async move { serve_connections(listener, service, &limits, shutdown).await });
        Ok(Running { address, trigger, ended, began, go_on, dropped })
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.address).await
    }
}

/// `/wait` answers when told, `/endless` never ends its body, `/panic` panics, `/status/…` answers a status without a
/// name, with or without a phrase; everything else tells what was asked, and by whom.
async fn answer(
    request: Request<RequestBody>,
    began: Arc<Notify>,
    go_on: Arc<Notify>,
    dropped: Arc<Notify>,
) -> Result<Response<BoxBody<Bytes, io::Error>>, io::Error> {
    let peer = request.body().peer();
    let full = |text: String| Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed();
    let mut response = Response::new(full(format!("{peer} asked {};", request.uri())));
    match request.uri().path() {
        "/wait" => {
            let _guard = NotifyOnDrop(dropped);
            began.notify_one();
            go_on.notified().await;
        }
        "/endless" => *response.body_mut() = BodyExt::boxed(StreamBody::new(futures_util::stream::pending())),
        "/panic" => panic!("a handler's bug"),
        "/status/named" => {
            *response.status_mut() = http::StatusCode::from_u16(299).map_err(io::Error::other)?;
            response.extensions_mut().insert(ReasonPhrase::from_static(b"Nearly There"));
        }
        "/status/range" => *response.status_mut() = http::StatusCode::RANGE_NOT_SATISFIABLE,
        _ => {}
    }
    Ok(response)
}

/// Sends text and returns what comes back, up to and including `end`.
async fn exchange(client: &mut TcpStream, text: &str, end: &str) -> Result<String, Box<dyn Error>> {
    client.write_all(text.as_bytes()).await?;
    let mut received = Vec::new();
    while !received.ends_with(end.as_bytes()) {
        if client.read_buf(&mut received).await? == 0 {
            return Err(format!("closed after {:?}", String::from_utf8_lossy(&received)).into());
        }
    }
    Ok(String::from_utf8(received)?)
}

/// Everything until the server closes the connection.
async fn to_the_end(mut client: TcpStream) -> io::Result<String> {
    let mut received = Vec::new();
    client.read_to_end(&mut received).await?;
    Ok(String::from_utf8_lossy(&received).into_owned())
}

#[tokio::test]
async fn pipelined_requests_with_raw_targets_are_answered_in_turn_and_know_their_peer() -> TestResult {
    let server = Running::start(Limits::default()).await?;
    let mut client = server.connect().await?;
    let requests = "GET /a?b=c->>d HTTP/1.1\r\n\r\nPOST /e?\"f\" HTTP/1.1\r\nContent-Length: 3\r\n\r\n\"<>\
                    GET /last HTTP/1.1\r\n\r\n";
    let answers = exchange(&mut client, requests, "/last;").await?;
    assert!(answers.contains("127.0.0.1 asked /a?b=c-%3E%3Ed;"), "{answers}");
    assert!(answers.contains("127.0.0.1 asked /e?%22f%22;"), "{answers}");
    Ok(())
}

#[tokio::test]
async fn the_status_line_carries_the_phrase_of_the_handler_or_that_of_postgrest() -> TestResult {
    let server = Running::start(Limits::default()).await?;
    let mut client = server.connect().await?;
    let named = exchange(&mut client, "GET /status/named HTTP/1.1\r\n\r\n", ";").await?;
    assert!(named.starts_with("HTTP/1.1 299 Nearly There\r\n"), "{named}");
    let range = exchange(&mut client, "GET /status/range HTTP/1.1\r\n\r\n", ";").await?;
    assert!(range.starts_with("HTTP/1.1 416 Requested Range Not Satisfiable\r\n"), "{range}");
    Ok(())
}

#[tokio::test]
async fn a_head_that_is_too_large_or_does_not_come_in_time_ends_its_connection_only() -> TestResult {
    let limits = Limits { head_bytes: 1000, head_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = Running::start(limits).await?;
    let mut large = server.connect().await?;
    large.write_all(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1000)).as_bytes()).await?;
    assert!(to_the_end(large).await?.starts_with("HTTP/1.1 431 "));

    let silent = server.connect().await?;
    let mut slow = server.connect().await?;
    slow.write_all(b"GET / HTTP/1.1\r\nX").await?;
    let mut half_a_preface = server.connect().await?;
    half_a_preface.write_all(b"PRI * HTTP/2.0\r\n").await?;
    for client in [silent, slow, half_a_preface] {
        assert_eq!(to_the_end(client).await?, "");
    }
    exchange(&mut server.connect().await?, "GET / HTTP/1.1\r\n\r\n", "asked /;").await?;
    Ok(())
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_no_other() -> TestResult {
    let server = Running::start(Limits::default()).await?;
    let mut client = server.connect().await?;
    client.write_all(b"GET /panic HTTP/1.1\r\n\r\n").await?;
    assert_eq!(to_the_end(client).await?, "");
    exchange(&mut server.connect().await?, "GET / HTTP/1.1\r\n\r\n", "asked /;").await?;
    Ok(())
}

#[tokio::test]
async fn the_future_of_a_request_is_dropped_when_its_client_goes_away() -> TestResult {
    let server = Running::start(Limits::default()).await?;
    let mut client = server.connect().await?;
    client.write_all(b"GET /wait HTTP/1.1\r\n\r\n").await?;
    server.began.notified().await;
    drop(client);
    server.dropped.notified().await;

    let mut client = Http2::connect(&server).await?;
    client.get(1, "/wait").await?;
    server.began.notified().await;
    client.cancel(1).await?;
    server.dropped.notified().await;
    Ok(())
}

#[tokio::test]
async fn requests_in_flight_are_answered_after_the_announcement_and_idle_connections_are_closed() -> TestResult
{
    let server = Running::start(Limits::default()).await?;
    let mut idle = server.connect().await?;
    exchange(&mut idle, "GET /idle HTTP/1.1\r\n\r\n", "/idle;").await?;
    let mut busy = server.connect().await?;
    busy.write_all(b"GET /wait HTTP/1.1\r\n\r\n").await?;
    server.began.notified().await;
    let mut busy_http2 = Http2::connect(&server).await?;
    busy_http2.get(1, "/wait").await?;
    server.began.notified().await;
    let mut just_connected = server.connect().await?;

    server.trigger.announce();
    just_connected.write_all(b"GET /just-connected HTTP/1.1\r\n\r\n").await?;
    assert!(to_the_end(just_connected).await?.ends_with("/just-connected;"));
    assert_eq!(to_the_end(idle).await?, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    server.go_on.notify_waiters();
    let answer = to_the_end(busy).await?;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("/wait;"), "{answer}");
    assert_eq!(busy_http2.status(1).await?, INDEXED_STATUS_200);
    drop(busy_http2);
    assert_eq!(server.ended.await?, Drained::Completely);
    Ok(())
}

#[tokio::test]
async fn endless_streams_are_cut_off_at_the_deadline() -> TestResult {
    let limits = Limits { drain_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = Running::start(limits).await?;
    let mut http1 = server.connect().await?;
    exchange(&mut http1, "GET /endless HTTP/1.1\r\n\r\n", "\r\n\r\n").await?;
    let mut http2 = Http2::connect(&server).await?;
    http2.get(1, "/endless").await?;
    assert_eq!(http2.status(1).await?, INDEXED_STATUS_200);
    server.trigger.announce();
    assert_eq!(server.ended.await?, Drained::CutOff { connections: 2 });
    Ok(())
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port_several_requests_at_once() -> TestResult {
    let server = Running::start(Limits::default()).await?;
    let mut client = Http2::connect(&server).await?;
    client.get(1, "/wait").await?;
    server.began.notified().await;
    client.get(3, "/quick").await?;
    assert_eq!(client.status(3).await?, INDEXED_STATUS_200);
    server.go_on.notify_one();
    assert_eq!(client.status(1).await?, INDEXED_STATUS_200);
    Ok(())
}

/// `:status: 200` in HPACK's static table (RFC 7541, appendix A).
const INDEXED_STATUS_200: u8 = 0x88;

/// As much of an HTTP/2 client as asking and being answered takes (RFC 9113, section 6).
struct Http2(TcpStream);

impl Http2 {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const END_STREAM_AND_HEADERS: u8 = 5;

    async fn connect(server: &Running) -> io::Result<Http2> {
        let mut client = Http2(server.connect().await?);
        client.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        client.send(Self::SETTINGS, 0, 0, &[]).await?;
        Ok(client)
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut frame = BytesMut::new();
        frame.put_uint(payload.len() as u64, 3);
        frame.put_slice(&[kind, flags]);
        frame.put_u32(stream);
        frame.put_slice(payload);
        self.0.write_all(&frame).await
    }

    async fn get(&mut self, stream: u32, path: &str) -> io::Result<()> {
        // :method GET and :scheme http from the static table, :path and :authority as literals.
        let mut headers = BytesMut::from(&[0x82, 0x86, 0x04][..]);
        headers.put_u8(u8::try_from(path.len()).map_err(io::Error::other)?);
        headers.put_slice(path.as_bytes());
        headers.put_slice(b"\x01\x01a");
        self.send(Self::HEADERS, Self::END_STREAM_AND_HEADERS, stream, &headers).await
    }

    async fn cancel(&mut self, stream: u32) -> io::Result<()> {
        self.send(Self::RST_STREAM, 0, stream, &8_u32.to_be_bytes()).await
    }

    /// The first byte of the headers that answer a stream.
    async fn status(&mut self, stream: u32) -> io::Result<u8> {
        loop {
            let length = self.0.read_u16().await?;
            let length = usize::from(length) << 8 | usize::from(self.0.read_u8().await?);
            let (kind, _flags) = (self.0.read_u8().await?, self.0.read_u8().await?);
            let of = self.0.read_u32().await?;
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await?;
            if (kind, of) == (Self::HEADERS, stream) {
                return payload.first().copied().ok_or_else(|| io::Error::other("empty headers"));
            }
        }
    }
}
