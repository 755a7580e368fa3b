//! `server-timing` in the trailing metadata of a call, where `server-timing-enabled` is on: how long it waited for a
//! connection, how long the database worked, and how long it took in all, until its last message. A call that fails before it
//! has an answer has none.

use crate::notes::{self, Pad, STAGES, Stage};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use http_body::{Frame, SizeHint};
use std::{
    fmt::Write,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tonic::{Status, body::Body};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Adds the times to what a call answers.
pub(super) async fn timed<C>(call: Pin<Box<C>>) -> Result<Response<Body>, Status>
where
    C: Future<Output = Result<Response<Body>, Status>>,
{
    let began = Instant::now();
    let (pad, response) = match notes::pad() {
        Some(pad) => (pad, call.await),
        None => {
            let pad = Pad::default();
            let response = pad.during(call).await;
            (pad, response)
        }
    };
    response.map(|response| response.map(|body| Body::new(Timed { body, began, pad })))
}

struct Timed {
    body: Body,
    began: Instant,
    pad: Pad,
}

impl Timed {
    fn value(&self) -> Option<HeaderValue> {
        let mut value = String::with_capacity(64);
        let mut tell = |name: &str, taken: Duration| {
            let separator = if value.is_empty() { "" } else { ", " };
            write!(value, "{separator}{name};dur={:.1}", taken.as_secs_f64() * 1000.0)
        };
        let stages = self.pad.notes().stages;
        for stage in [Stage::Wait, Stage::Database] {
            if let Some(taken) = stages[stage as usize] {
                tell(STAGES[stage as usize], taken).ok()?;
            }
        }
        tell("total", self.began.elapsed()).ok()?;
        HeaderValue::try_from(value).ok()
    }
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
        {
            trailers.extend(self.value().map(|value| (SERVER_TIMING, value)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
