//! Frames: how gRPC writes messages into bodies
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>). A request is one message in its frame; an answer is
//! frames, and trailers that say how the call ended. What is in a message is not looked at.

use super::{
    connect::{Compression, PREFIX},
    encode::Progress,
    ended::Ended,
    serve::{SHORTEST_COMPRESSED, fault, too_large},
};
use crate::{
    error::{Error, Fault, Result},
    memory::Memory,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::Frame;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tonic::{Code, Status, body::Body};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The most bytes of a stream that leave together: as many as fit into a frame of HTTP/2.
const PIECE: usize = 16 << 10;

/// The message that a request's body has in its frame, which is all there is: no method takes a stream
/// (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>). It has at most `limit` bytes, also when it is expanded.
pub(super) fn message(
    body: &Bytes,
    compression: Option<Compression>,
    limit: usize,
) -> std::result::Result<Bytes, Status> {
    let Some((prefix, rest)) = body.split_first_chunk::<PREFIX>() else {
        return Err(match body.is_empty() {
            true => fault(Fault::NotImplemented, "A method takes one message, and none came"),
            false => broken("A frame is cut off"),
        });
    };
    let [flag, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > limit {
        return Err(too_large(limit));
    }
    if rest.len() > length {
        return Err(fault(Fault::NotImplemented, "A method takes one message, and more came"));
    }
    if rest.len() < length {
        return Err(broken("A frame is cut off"));
    }
    match (flag, compression) {
        (0, _) => Ok(body.slice(PREFIX..)),
        (1, Some(compression)) => compression.expand(rest, limit).map_err(|status| match status.code() {
            Code::InvalidArgument => broken(status.message()),
            _ => status,
        }),
        (1, None) => Err(broken("A frame says that it is compressed, and grpc-encoding does not say how")),
        (flag, _) => Err(broken(&format!("A frame has the flag {flag}"))),
    }
}

/// Frames that are none are internal errors by gRPC's own rules.
fn broken(why: &str) -> Status {
    fault(Fault::Internal, why)
}

/// Appends the frame of the message that `write` appends. What it had appended when it failed is taken away.
pub(super) fn frame(
    compression: Option<Compression>,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    let written = write(out);
    let compressed = match (compression, out.get(start + PREFIX..)) {
        (Some(compression), Some(message)) if written.is_ok() => Some(compression.compress(message)),
        (Some(_) | None, _) => None,
    };
    if let Some(compressed) = compressed {
        out.truncate(start + PREFIX);
        match compressed {
            Ok(compressed) => out.extend_from_slice(&compressed),
            Err(error) => {
                out.truncate(start);
                return Err(Error::new(Fault::Internal, "Internal error").cause(error));
            }
        }
    }
    if written.is_err() {
        out.truncate(start);
    }
    if let Some((prefix, message)) =
        out.get_mut(start..).and_then(|frame| frame.split_first_chunk_mut::<PREFIX>())
    {
        // Messages are limited to far less.
        let [a, b, c, d] = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
        *prefix = [u8::from(compression.is_some()), a, b, c, d];
    }
    written
}

/// An answer of one message with this initial metadata, compressed if `accepted` and if it is worth it. Its bytes are counted until they have left:
/// they are no longer refused, for the call has been carried out.
pub(super) fn one(
    message: &[u8],
    metadata: HeaderMap,
    accepted: Option<Compression>,
    memory: &Memory,
) -> Result<Response<Body>> {
    let compression = accepted.filter(|_| message.len() >= SHORTEST_COMPRESSED);
    let mut framed = Vec::with_capacity(PREFIX + message.len());
    frame(compression, &mut framed, |out| {
        out.extend_from_slice(message);
        Ok(())
    })?;
    let data = Some(counted(framed, memory));
    Ok(response(metadata, compression, |ended| Body::new(One { data, ended: Some(ended) })))
}

/// An answer of the messages that come in frames, until they end or fail.
pub(super) fn several(
    frames: impl Stream<Item = std::result::Result<Vec<u8>, Status>> + Send + 'static,
    compression: Option<Compression>,
    progress: Progress,
    memory: Memory,
) -> Response<Body> {
    response(HeaderMap::new(), compression, |ended| {
        let (frames, rest, ended) = (Box::pin(frames), Bytes::new(), Some(ended));
        Body::new(Several { frames, rest, progress, memory, ended })
    })
}

fn response(
    metadata: HeaderMap,
    compression: Option<Compression>,
    body: impl FnOnce(Ended) -> Body,
) -> Response<Body> {
    let ended = Ended::default();
    let mut response = Response::new(body(ended.clone()));
    let headers = response.headers_mut();
    *headers = metadata;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    if let Some(compression) = compression {
        headers.insert(ENCODING, HeaderValue::from_static(compression.name()));
    }
    response.extensions_mut().insert(ended);
    response
}

fn counted(bytes: Vec<u8>, memory: &Memory) -> Bytes {
    let mut lease = memory.overdraft();
    // One message is never larger than all of them may be; were it, it would go uncounted.
    let _counted = lease.cover(bytes.len());
    lease.keep(bytes)
}

/// The trailers of a call that ended so.
fn trailers(ended: &Ended, status: Option<&Status>) -> Frame<Bytes> {
    let mut trailers = HeaderMap::with_capacity(1);
    match status {
        Some(status) if status.add_header(&mut trailers).is_ok() => {}
        // A status that cannot be written is no success.
        Some(_) => {
            trailers.insert(STATUS, HeaderValue::from(Code::Internal as i32));
        }
        None => {
            trailers.insert(STATUS, HeaderValue::from_static("0"));
        }
    }
    ended.set(status.map_or(Code::Ok, Status::code));
    Frame::trailers(trailers)
}

/// One frame and the trailers of success.
struct One {
    data: Option<Bytes>,
    /// Until the trailers are sent.
    ended: Option<Ended>,
}

impl http_body::Body for One {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Status>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(self.ended.take().map(|ended| Ok(trailers(&ended, None))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended.is_none()
    }
}

/// Frames as they come, in pieces, and the trailers.
struct Several<S> {
    frames: Pin<Box<S>>,
    /// What of the last of them is left.
    rest: Bytes,
    /// Told when the client takes something.
    progress: Progress,
    memory: Memory,
    /// Until the trailers are sent.
    ended: Option<Ended>,
}

impl<S: Stream<Item = std::result::Result<Vec<u8>, Status>>> http_body::Body for Several<S> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Some(ended) = &this.ended else { return Poll::Ready(None) };
        while this.rest.is_empty() {
            let failure = match ready!(this.frames.poll_next_unpin(context)) {
                Some(Ok(frames)) => {
                    this.rest = counted(frames, &this.memory);
                    continue;
                }
                Some(Err(status)) => Some(status),
                None => None,
            };
            let trailers = trailers(ended, failure.as_ref());
            this.ended = None;
            return Poll::Ready(Some(Ok(trailers)));
        }
        this.progress.note();
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended.is_none()
    }
}
