//! Percent-encodes, in HTTP/1 request lines, the bytes that `http::Uri` refuses but clients of PostgREST send raw.
//!
//! `select=data->>key` is what users write and curl sends; hyper would answer an empty 400 before any of this program
//! had a say. So the target is repaired on the way in:
//!
//! ```text
//!   socket    GET /t?select=data->>key HTTP/1.1      POST …  {"a": ">"}      GET /t?b="c" …
//!   hyper     GET /t?select=data-%3E%3Ekey HTTP/1.1  POST …  {"a": ">"}      GET /t?b=%22c%22 …
//! ```
//!
//! It touches nothing but the target: no header and no body, which is why `framing` follows the messages. It never
//! waits for the rest of a message, copies nothing unless there is something to repair, and holds at most three times
//! what one read brought. Where a stream could be read in two ways it stops repairing for good, so that hyper sees
//! exactly what the client sent.

mod chunked;
mod framing;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use framing::Framing;

/// A connection whose HTTP/1 request targets are repaired as they are read. Writing goes straight through.
#[derive(Debug)]
pub struct RepairTarget<S> {
    connection: S,
    framing: Framing,
    /// Repaired bytes for which the last read had no room.
    pending: BytesMut,
}

impl<S> RepairTarget<S> {
    /// Wraps a connection from which `received` has been read already: it is repaired and comes first.
    pub fn new(connection: S, received: &[u8]) -> Self {
        let mut framing = Framing::default();
        let mut pending = BytesMut::new();
        match framing.next_refused(received) {
            Some(first) => {
                pending.put_slice(&received[..first]);
                encode_rest(&mut framing, &received[first..], &mut pending);
            }
            None => pending.put_slice(received),
        }
        RepairTarget { connection, framing, pending }
    }

    /// Moves pending bytes into the reader's buffer, as many as fit.
    fn drain_pending(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.pending.len().min(buffer.remaining());
        buffer.put_slice(&self.pending[..length]);
        self.pending.advance(length);
        if self.pending.is_empty() {
            // An idle connection holds no memory for it.
            self.pending = BytesMut::new();
        }
    }

    /// Repairs what was read into the buffer behind `start`.
    fn repair(&mut self, buffer: &mut ReadBuf<'_>, start: usize) {
        if let Some(first) = self.framing.next_refused(&buffer.filled()[start..]) {
            let first = start + first;
            encode_rest(&mut self.framing, &buffer.filled()[first..], &mut self.pending);
            buffer.set_filled(first);
            self.drain_pending(buffer);
        }
    }
}

/// Encodes into `output` bytes the first of which has just been refused.
fn encode_rest(framing: &mut Framing, mut bytes: &[u8], output: &mut BytesMut) {
    while let [refused, rest @ ..] = bytes {
        output.put_slice(percent_encoding::percent_encode_byte(*refused).as_bytes());
        let clean = framing.next_refused(rest).unwrap_or(rest.len());
        output.put_slice(&rest[..clean]);
        bytes = &rest[clean..];
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RepairTarget<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.pending.is_empty() {
            let start = buffer.filled().len();
            ready!(Pin::new(&mut this.connection).poll_read(context, buffer))?;
            this.repair(buffer, start);
        } else {
            this.drain_pending(buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RepairTarget<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().connection).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().connection).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}
