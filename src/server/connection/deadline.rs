//! The deadline for writing: a client's side that takes less than a piece for too long, though bytes wait for it, ends the
//! connection. Reading goes straight through; heads and bodies have deadlines of their own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::server::{
    activity::{Activity, Waiting},
    body::PIECE,
};

/// A connection whose client has to go on reading.
#[derive(Debug)]
pub(super) struct WriteDeadline<S> {
    connection: S,
    patience: Duration,
    activity: Arc<Activity>,
    /// Bytes wait, and so long a piece of them may take.
    waiting: Option<(Pin<Box<Sleep>>, Waiting)>,
    /// Bytes of the next piece that were taken.
    taken: usize,
}

impl<S> WriteDeadline<S> {
    pub(super) fn new(connection: S, patience: Duration, activity: Arc<Activity>) -> Self {
        Self { connection, patience, activity, waiting: None, taken: 0 }
    }

    /// Watches what became of `offered` bytes.
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        offered: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(taken)) = written
            && taken < offered
        {
            self.take(taken);
            return written;
        }
        if written.is_ready() {
            self.relax();
            return written;
        }
        let (patience, activity) = (self.patience, &self.activity);
        let (end, _) = self.waiting.get_or_insert_with(|| {
            (Box::pin(tokio::time::sleep(patience)), activity.wait(std::time::Instant::now()))
        });
        end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Some bytes were taken, and others wait: a few alone are no progress.
    fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        if let (Some((end, waiting)), true) = (&mut self.waiting, self.taken >= PIECE) {
            end.as_mut().reset(Instant::now() + self.patience);
            waiting.progress();
            self.taken = 0;
        }
    }

    /// Nothing waits.
    fn relax(&mut self) {
        self.taken = 0;
        if self.waiting.take().is_some() {
            self.activity.progress();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.connection).poll_write(context, bytes);
        this.watch(context, bytes.len(), written)
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
        let this = self.get_mut();
        let offered = slices.iter().map(|slice| slice.len()).sum();
        let written = Pin::new(&mut this.connection).poll_write_vectored(context, slices);
        this.watch(context, offered, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}
