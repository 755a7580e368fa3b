//! A request's body, lent to whoever reads it. What a refusal leaves unread is read and thrown
//! away, so that a client that still writes gets to see the refusal instead of a broken
//! connection. It keeps nothing, and does not wait for long.

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use tonic::{Status, body::Body};

/// The most that is thrown away.
const MOST: usize = 16 << 20;
/// How long that may take.
const WITHIN: Duration = Duration::from_secs(5);
/// How long a client that writes says nothing.
const QUIET: Duration = Duration::from_millis(50);

/// Where a body comes back to.
#[derive(Debug)]
pub(super) struct Rest {
    place: Arc<Mutex<Option<Body>>>,
    /// The client waits to be asked for the body, and is not.
    is_held_back: bool,
}

struct Lent {
    body: Option<Body>,
    place: Arc<Mutex<Option<Body>>>,
}

/// Lends the body of a request.
pub(super) fn lend(request: Request<Body>) -> (Request<Body>, Rest) {
    let place = Arc::default();
    let is_held_back = request.headers().contains_key(header::EXPECT);
    let rest = Rest { place: Arc::clone(&place), is_held_back };
    (request.map(|body| Body::new(Lent { body: Some(body), place })), rest)
}

impl Rest {
    /// Throws away what was not read, before the answer as long as it goes on coming: a client that
    /// writes does not listen. One that says no more waits for its answer, be the body at its end or
    /// not; what it sends after that is thrown away beside the answer.
    pub(super) async fn drain(self) {
        let body = self.place.lock().ok().and_then(|mut place| place.take());
        if let Some(body) = body.filter(|_| !self.is_held_back) {
            throw_away(body).await;
        }
    }
}

/// As [`Rest::drain`], of a body that was not lent.
pub(super) async fn drain<B>(body: B, headers: &HeaderMap)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !body.is_end_stream() && !headers.contains_key(header::EXPECT) {
        throw_away(Body::new(body.map_err(|error| Status::from_error(error.into())))).await;
    }
}

async fn throw_away(body: Body) {
    if body.size_hint().lower() > u64::try_from(MOST).unwrap_or(u64::MAX) {
        return;
    }
    let mut drain = Drain { body, left: MOST, until: Instant::now() + WITHIN };
    if let Step::Quiet = drain.go_on(QUIET).await {
        tokio::spawn(async move { drain.go_on(WITHIN).await });
    }
}

/// A body on its way out.
struct Drain {
    body: Body,
    left: usize,
    until: Instant,
}

/// How far it got.
enum Step {
    /// Everything came, or too much.
    Over,
    /// Nothing came for a while.
    Quiet,
}

impl Drain {
    /// Reads on until nothing comes for so long.
    async fn go_on(&mut self, quiet: Duration) -> Step {
        loop {
            let due = self.until.min(Instant::now() + quiet);
            match timeout_at(due, self.body.frame()).await {
                Ok(Some(Ok(frame))) => match self.left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                    Some(left) => self.left = left,
                    None => return Step::Over,
                },
                Ok(Some(Err(_)) | None) => return Step::Over,
                Err(_) if Instant::now() < self.until => return Step::Quiet,
                // Whoever is slower than that sees the connection end.
                Err(_) => return Step::Over,
            }
        }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Ok(mut place)) =
            (self.body.take().filter(|body| !body.is_end_stream()), self.place.lock())
        {
            *place = Some(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::StreamBody;

    fn frames(count: usize) -> Body {
        let frame = |_| Ok::<_, Status>(Frame::data(Bytes::from_static(&[0; 1 << 16])));
        Body::new(StreamBody::new(stream::iter((0..count).map(frame))))
    }

    async fn left_after(body: Body, read: usize, drain: bool) -> usize {
        let counted = Arc::new(Mutex::new(0));
        let seen = counted.clone();
        let body = Body::new(body.map_frame(move |frame| {
            *seen.lock().unwrap() += 1;
            frame
        }));
        let (request, rest) = lend(Request::new(body));
        let mut body = request.into_body();
        for _ in 0..read {
            body.frame().await;
        }
        drop(body);
        if drain {
            rest.drain().await;
        }
        *counted.lock().unwrap()
    }

    #[tokio::test]
    async fn what_was_not_read_is_thrown_away_up_to_a_limit() {
        assert_eq!(left_after(frames(10), 3, false).await, 3);
        assert_eq!(left_after(frames(10), 3, true).await, 10);
        assert_eq!(left_after(frames(10), 0, true).await, 10);
        let most = MOST / (1 << 16);
        assert_eq!(left_after(frames(most * 2), 1, true).await, most + 2);
    }
}
