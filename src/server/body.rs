//! Bodies of requests: they have to go on coming, and nothing is taken for what they only announce. It does not know what
//! is in them.

use std::error::Error;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, Waiting};
use super::listen::Peer;
use crate::memory::{Full, Memory};

type BoxError = Box<dyn Error + Send + Sync>;

/// A piece, of which the slowest client that is waited for sends or takes one in the time for no progress: 16 KiB, as much
/// as fits into a frame of HTTP/2.
pub(super) const PIECE: usize = 16 * 1024;

/// A body as it comes. Where neither a piece of it nor its end comes for too long while somebody waits for it, it ends with
/// [`Broken::Stalled`].
#[derive(Debug)]
pub struct RequestBody {
    body: Incoming,
    peer: Peer,
    patience: Duration,
    /// What is left of it for the piece that comes.
    left: Duration,
    /// Bytes of that piece that have come, and when the piece before it had.
    came: usize,
    since: std::time::Instant,
    waiting: Option<Wait>,
    activity: Arc<Activity>,
    /// Whether a part of it has not been read; none where it was empty from the start.
    unread: Option<Arc<AtomicBool>>,
}

/// Somebody waits for a body.
#[derive(Debug)]
struct Wait {
    since: Instant,
    end: Pin<Box<Sleep>>,
    _waiting: Waiting,
}

/// How a body ended early.
#[derive(Debug)]
pub enum Broken {
    /// No piece came for so long.
    Stalled(Duration),
    /// The connection or the framing broke.
    Connection(hyper::Error),
}

impl RequestBody {
    pub(super) fn new(body: Incoming, peer: Peer, patience: Duration, activity: Arc<Activity>) -> Self {
        let unread = (!body.is_end_stream()).then(|| Arc::new(AtomicBool::new(true)));
        Self {
            body,
            peer,
            patience,
            left: patience,
            came: 0,
            since: std::time::Instant::now(),
            waiting: None,
            activity,
            unread,
        }
    }

    /// Who sends it.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Something came: a few bytes alone are no progress.
    fn take(&mut self, bytes: usize) {
        if let Some(wait) = self.waiting.take() {
            self.left = self.left.saturating_sub(wait.since.elapsed());
        }
        self.came += bytes;
        if self.came >= PIECE {
            (self.came, self.left, self.since) = (0, self.patience, std::time::Instant::now());
            self.activity.progress();
        }
    }

    /// Tells, also when the body is gone, whether a part of it was never read.
    pub(super) fn unread(&self) -> Option<Arc<AtomicBool>> {
        self.unread.clone()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                this.take(length(&frame));
                if let (true, Some(unread)) = (frame.is_none() || this.body.is_end_stream(), &this.unread) {
                    unread.store(false, Ordering::Relaxed);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Broken::Connection)))
            }
            Poll::Pending => {
                let (patience, left, activity, since) =
                    (this.patience, this.left, &this.activity, this.since);
                let wait = this.waiting.get_or_insert_with(|| Wait {
                    since: Instant::now(),
                    end: Box::pin(tokio::time::sleep(left)),
                    _waiting: activity.wait(since),
                });
                wait.end.as_mut().poll(context).map(|()| Some(Err(Broken::Stalled(patience))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn length<E>(frame: &Option<Result<Frame<Bytes>, E>>) -> usize {
    match frame {
        Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
        Some(Err(_)) | None => 0,
    }
}

/// Why there is no whole body.
#[derive(Debug)]
pub enum Uncollected {
    /// It is longer than this, or says so.
    TooLarge(usize),
    /// There is no memory for it.
    Full(Full),
    /// It ended early.
    Broken(BoxError),
}

/// All of a body, of at most `limit` bytes, in one piece. What it announces is a claim: too much is refused before
/// anything is read, so that a client that waits for `100 Continue` never sends it, and no room is taken for it.
pub async fn collect<B>(body: B, limit: usize, memory: &Memory) -> Result<Bytes, Uncollected>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    if body.size_hint().lower() > limit as u64 {
        return Err(Uncollected::TooLarge(limit));
    }
    let mut lease = memory.lease();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Uncollected::Broken(error.into()))?;
        // Trailers are nobody's.
        let Ok(mut data) = frame.into_data() else { continue };
        if data.remaining() > limit - whole.len() {
            return Err(Uncollected::TooLarge(limit));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            let length = chunk.len();
            lease.cover(whole.len() + length).map_err(Uncollected::Full)?;
            whole.extend_from_slice(chunk);
            data.advance(length);
        }
    }
    // What grew may have room for twice as much.
    whole.shrink_to_fit();
    Ok(lease.keep(whole))
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Stalled(patience) => write!(out, "hardly anything came for {} s", patience.as_secs()),
            Broken::Connection(_) => out.write_str("the body cannot be read"),
        }
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Broken::Stalled(_) => None,
            Broken::Connection(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full as Whole, StreamBody};

    type Pieces = Vec<Result<Frame<Bytes>, BoxError>>;

    fn pieces(count: usize) -> impl Body<Data = Bytes, Error = BoxError> {
        let pieces: Pieces =
            vec![b"12345"; count].into_iter().map(|piece| Ok(Frame::data(piece[..].into()))).collect();
        StreamBody::new(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn bodies_have_a_largest_size_whether_they_announce_it_or_not() {
        let memory = Memory::new(1 << 20);
        let announced = || Whole::new(Bytes::from_static(b"12345"));
        assert_eq!(collect(announced(), 5, &memory).await.ok().as_deref(), Some(&b"12345"[..]));
        assert!(matches!(collect(announced(), 4, &memory).await, Err(Uncollected::TooLarge(4))));
        assert_eq!(collect(pieces(2), 10, &memory).await.ok().as_deref(), Some(&b"1234512345"[..]));
        assert!(matches!(collect(pieces(2), 9, &memory).await, Err(Uncollected::TooLarge(9))));
        assert_eq!(memory.held(), 0);
    }

    #[tokio::test]
    async fn a_body_holds_memory_as_long_as_somebody_has_it() {
        let memory = Memory::new(1 << 20);
        let body = collect(pieces(1000), 1 << 20, &memory).await.ok();
        assert!((5000..30_000).contains(&memory.held()), "{}", memory.held());
        drop(body);
        assert_eq!(memory.held(), 0);
        let mut others = memory.lease();
        assert!(others.cover(1 << 20).is_ok());
        assert!(matches!(collect(pieces(1), 10, &memory).await, Err(Uncollected::Full(Full::Now))));
        assert!(collect(pieces(0), 10, &memory).await.is_ok(), "nothing needs no memory");
    }
}
