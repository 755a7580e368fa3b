//! One request and its answer, over HTTP/1.1 for REST and over HTTP/2 without TLS for gRPC.
//!
//! Every answer is read to its end and its status is checked, while measuring too. What is in it is not looked at here.

use anyhow::{Context, bail, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
    request::{self, Parts},
};
use http_body_util::{BodyExt, Collected, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Rest,
    Grpc,
}

/// HTTP/2 carries several calls at once; but one connection is one lock in client and server, so there are several.
const CALLS_PER_CONNECTION: usize = 4;

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// `host:port`.
    pub(crate) authority: String,
    pub(crate) protocol: Protocol,
}

/// A request that can be sent any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    head: Parts,
    body: Bytes,
    expected: StatusCode,
}

impl Call {
    /// A REST request; a body is JSON. `target` is path and query.
    pub(crate) fn rest(
        endpoint: &Endpoint,
        method: Method,
        target: &str,
        body: Bytes,
        expected: StatusCode,
    ) -> anyhow::Result<Self> {
        let mut request =
            Request::builder().method(method).uri(target).header(header::HOST, &endpoint.authority);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        Ok(Self { head: head(request)?, body, expected })
    }

    /// A gRPC call with one message. `path` is `/package.Service/Method`.
    pub(crate) fn grpc(endpoint: &Endpoint, path: &str, message: &[u8]) -> anyhow::Result<Self> {
        let uri =
            Uri::builder().scheme("http").authority(&*endpoint.authority).path_and_query(path).build()?;
        let request = Request::post(uri)
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, HeaderValue::from_static("trailers"));
        let mut body = BytesMut::with_capacity(5 + message.len());
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len())?);
        body.put_slice(message);
        Ok(Self { head: head(request)?, body: body.freeze(), expected: StatusCode::OK })
    }

    pub(crate) fn head(&self) -> &Parts {
        &self.head
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The status that its answer must have.
    pub(crate) fn expected(&self) -> StatusCode {
        self.expected
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> anyhow::Result<Self> {
        self.head.headers.insert(name, value.parse()?);
        Ok(self)
    }
}

fn head(request: request::Builder) -> anyhow::Result<Parts> {
    Ok(request.body(())?.into_parts().0)
}

/// A connection. Clones of an HTTP/2 connection share it.
pub(crate) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects; must be called within a tokio runtime, which drives the connection.
    pub(crate) async fn open(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&endpoint.authority)
            .await
            .with_context(|| format!("cannot connect to {}", endpoint.authority))?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        // Errors of a connection reach whoever waits for an answer on it.
        Ok(match endpoint.protocol {
            Protocol::Rest => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Self::Http1(sender)
            }
            Protocol::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                tokio::spawn(connection);
                Self::Http2(sender)
            }
        })
    }

    /// A connection for each of `callers`, which [`CALLS_PER_CONNECTION`] share over HTTP/2.
    pub(crate) async fn open_for(endpoint: &Endpoint, callers: usize) -> anyhow::Result<Vec<Self>> {
        let mut connections = Vec::with_capacity(callers);
        while connections.len() < callers {
            let connection = Self::open(endpoint).await?;
            if let Self::Http2(sender) = &connection {
                let others = (callers - connections.len()).min(CALLS_PER_CONNECTION) - 1;
                connections.extend((0..others).map(|_| Self::Http2(sender.clone())));
            }
            connections.push(connection);
        }
        Ok(connections)
    }

    /// Sends a request and reads the whole answer, whose status must be the expected one.
    pub(crate) async fn send(&mut self, call: &Call) -> anyhow::Result<Response<Collected<Bytes>>> {
        let request = Request::from_parts(call.head.clone(), Full::new(call.body.clone()));
        let response = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        if head.status != call.expected {
            bail!(
                "{} {} was answered {}: {}",
                call.head.method,
                call.head.uri,
                head.status,
                String::from_utf8_lossy(&body.to_bytes())
            );
        }
        if let Self::Http2(_) = self {
            check_grpc_status(&head.headers, body.trailers())
                .with_context(|| format!("{} failed", call.head.uri.path()))?;
        }
        Ok(Response::from_parts(head, body))
    }
}

/// The status of a gRPC call is in the trailers, or in the headers of an answer that has nothing else.
fn check_grpc_status(headers: &HeaderMap, trailers: Option<&HeaderMap>) -> anyhow::Result<()> {
    let either = |name: &str| trailers.and_then(|trailers| trailers.get(name)).or_else(|| headers.get(name));
    let status = either("grpc-status").context("there is no grpc-status")?;
    ensure!(
        status == "0",
        "grpc-status {}: {}",
        String::from_utf8_lossy(status.as_bytes()),
        String::from_utf8_lossy(either("grpc-message").map_or(b"", HeaderValue::as_bytes))
    );
    Ok(())
}

/// The one message of a gRPC answer.
pub(crate) fn message(answer: Response<Collected<Bytes>>) -> anyhow::Result<Bytes> {
    let body = answer.into_body().to_bytes();
    ensure!(body.len() >= 5, "a gRPC answer of {} bytes has no message", body.len());
    ensure!(body[0] == 0, "a gRPC answer is compressed, and nobody asked for that");
    let length = u32::from_be_bytes([body[1], body[2], body[3], body[4]]) as usize;
    ensure!(body.len() == 5 + length, "a gRPC answer is not exactly one message");
    Ok(body.slice(5..))
}
