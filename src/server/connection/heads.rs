//! Heads that come: what a client has sent of one is counted as held from its first 16 KiB on, so that many clients that send
//! large heads, or parts of them, hold no more together than `server-max-memory`. It reads no head and changes nothing: it
//! counts bytes, over HTTP/1 those between two requests, over HTTP/2 those of a block of header fields.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::opening::Protocol;
use crate::memory::{Lease, Memory};
use crate::server::{activity::Activity, body::PIECE};

/// So much of a head is not counted, as each connection may have a buffer of this size.
const UNCOUNTED: usize = PIECE;
/// For each byte of a head so many are held: by the buffer that it came in, which grows ahead of it, and by what is made of
/// the head for PostgreSQL.
pub const COPIES: usize = 3;
/// What the map of a head holds for each field besides its bytes: a name, a value, and places for both.
pub const FIELD: usize = 256;

/// A connection whose heads are counted while they come.
#[derive(Debug)]
pub(super) struct CountedHeads<S> {
    connection: S,
    activity: Arc<Activity>,
    memory: Memory,
    progress: Progress,
    held: Option<Lease>,
}

/// How far a head has come.
#[derive(Debug)]
enum Progress {
    /// Bytes since the last request was answered, which was the so manieth.
    Http1 {
        bytes: usize,
        requests: u64,
    },
    Http2(Frames),
}

/// Where in the frames of HTTP/2 the bytes stand (RFC 9113, section 4.1).
#[derive(Debug, Default)]
struct Frames {
    header: [u8; FRAME_HEADER],
    /// Bytes of the frame's header that have come.
    known: usize,
    /// Bytes of its payload that have not.
    rest: usize,
    /// Bytes of a block of fields whose end has not come.
    block: usize,
}

const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

impl<S> CountedHeads<S> {
    pub(super) fn new(connection: S, protocol: Protocol, activity: Arc<Activity>, memory: Memory) -> Self {
        let progress = match protocol {
            Protocol::Http1 => Progress::Http1 { bytes: 0, requests: 0 },
            Protocol::Http2 => Progress::Http2(Frames::default()),
        };
        Self { connection, activity, memory, progress, held: None }
    }

    /// Counts what came.
    fn take(&mut self, came: &[u8]) -> io::Result<()> {
        let bytes = match &mut self.progress {
            // It is a body.
            Progress::Http1 { .. } if self.activity.is_answering() => return Ok(()),
            Progress::Http1 { bytes, .. } => {
                *bytes += came.len();
                *bytes
            }
            Progress::Http2(frames) => frames.take(came),
        };
        if bytes <= UNCOUNTED {
            if matches!(self.progress, Progress::Http2(_)) && self.held.take().is_some() {
                self.activity.head_came();
            }
            return Ok(());
        }
        let held = self.held.get_or_insert_with(|| {
            self.activity.head_waits(Instant::now());
            // The connection is not closed below requests that it has: this one is refused when its head is whole.
            match self.activity.is_answering() {
                true => self.memory.overdraft(),
                false => self.memory.lease(),
            }
        });
        held.cover(bytes * COPIES).map_err(|full| io::Error::other(full.to_string()))
    }

    /// A head is held until its request is answered.
    fn begin(&mut self) {
        if let Progress::Http1 { bytes, requests } = &mut self.progress {
            let taken = self.activity.requests_taken();
            if taken != *requests && !self.activity.is_answering() {
                (*bytes, *requests, self.held) = (0, taken, None);
            }
        }
    }
}

impl Frames {
    /// Reads on, and gives the size of the block of fields that has not come to its end.
    fn take(&mut self, mut bytes: &[u8]) -> usize {
        while !bytes.is_empty() {
            if self.known < FRAME_HEADER {
                let length = bytes.len().min(FRAME_HEADER - self.known);
                self.header[self.known..self.known + length].copy_from_slice(&bytes[..length]);
                self.known += length;
                bytes = &bytes[length..];
                if self.known < FRAME_HEADER {
                    break;
                }
                let [high, middle, low, ..] = self.header;
                self.rest = u32::from_be_bytes([0, high, middle, low]) as usize;
            }
            let length = bytes.len().min(self.rest);
            self.rest -= length;
            bytes = &bytes[length..];
            let [_, _, _, kind, flags, ..] = self.header;
            let is_of_block = matches!(kind, HEADERS | CONTINUATION);
            if is_of_block {
                self.block += length;
            }
            if self.rest == 0 {
                self.known = 0;
                if is_of_block && flags & END_HEADERS != 0 {
                    self.block = 0;
                }
            }
        }
        self.block
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedHeads<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.begin();
        let start = buffer.filled().len();
        ready!(Pin::new(&mut this.connection).poll_read(context, buffer))?;
        Poll::Ready(this.take(&buffer.filled()[start..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedHeads<S> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: usize) -> Vec<u8> {
        let size = u32::try_from(length).unwrap().to_be_bytes();
        [&size[1..], &[kind, flags, 0, 0, 0, 1], &vec![b'x'; length][..]].concat()
    }

    #[test]
    fn a_block_of_fields_is_counted_until_its_end_however_it_is_cut() {
        const DATA: u8 = 0;
        let stream = [
            frame(4, 0, 6),
            frame(HEADERS, END_HEADERS, 100),
            frame(DATA, END_HEADERS, 1000),
            frame(HEADERS, 0, 100),
            frame(CONTINUATION, 0, 0),
            frame(CONTINUATION, 0, 50),
        ]
        .concat();
        for cut in 1..40 {
            let mut frames = Frames::default();
            let largest = stream.chunks(cut).map(|piece| frames.take(piece)).max();
            assert_eq!(largest, Some(150), "{cut}");
            assert_eq!(frames.take(&frame(CONTINUATION, END_HEADERS, 10)), 0);
            assert_eq!(frames.take(&frame(CONTINUATION, END_HEADERS, 0)), 0);
        }
    }
}
