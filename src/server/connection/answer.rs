//! The body of an answer on its way out. Over HTTP/2 a client can leave one answer unread while it reads others, and the
//! socket tells nothing of it; so answers leave in pieces, and each piece says when it has left.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::server::{
    activity::{Answering, Waiting},
    body::PIECE,
};

/// The pieces of one connection's answers that have not left yet, and since when. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<Mutex<Pieces>>);

#[derive(Debug, Default)]
struct Pieces {
    next: u64,
    /// By number, so that the first is the oldest.
    since: BTreeMap<u64, Instant>,
}

impl Unread {
    /// Returns when a piece has not left for as long as `patience`.
    pub(super) async fn stalled(&self, patience: Duration) {
        loop {
            let oldest = self.pieces().since.first_key_value().map(|(_, since)| *since);
            let due = oldest.unwrap_or_else(Instant::now) + patience;
            if oldest.is_some() && due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    /// These bytes as a piece that has not left.
    fn piece(&self, bytes: Bytes, waiting: Arc<Waiting>) -> Bytes {
        let mut pieces = self.pieces();
        let number = pieces.next;
        pieces.next += 1;
        pieces.since.insert(number, Instant::now());
        drop(pieces);
        Bytes::from_owner(Piece { bytes, number, unread: self.clone(), waiting })
    }

    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece; dropped when it has left, or when nobody wants it any more.
struct Piece {
    bytes: Bytes,
    number: u64,
    unread: Unread,
    waiting: Arc<Waiting>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.unread.pieces().since.remove(&self.number);
        self.waiting.progress();
    }
}

/// The body of an answer; its request is under way until this is dropped.
#[derive(Debug)]
pub(super) struct AnswerBody<B> {
    body: B,
    /// What of the last frame is left.
    rest: Bytes,
    /// None over HTTP/1, where the socket tells what is not read.
    unread: Option<Unread>,
    /// As long as a piece of this has not left.
    waiting: Weak<Waiting>,
    answering: Answering,
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, unread: Option<Unread>, answering: Answering) -> Self {
        Self { body, rest: Bytes::new(), unread, waiting: Weak::new(), answering }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let Some(unread) = &this.unread else { return Pin::new(&mut this.body).poll_frame(context) };
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended @ (None | Some(Err(_))) => return Poll::Ready(ended),
            }
        }
        let length = this.rest.len().min(PIECE);
        let waiting = this.waiting.upgrade().unwrap_or_else(|| Arc::new(this.answering.wait()));
        this.waiting = Arc::downgrade(&waiting);
        Poll::Ready(Some(Ok(Frame::data(unread.piece(this.rest.split_to(length), waiting)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}
