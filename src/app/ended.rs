//! Answers whose end is waited for before they are logged: how a gRPC call ended is known when its
//! last bytes are. It passes them on as they are.

use crate::grpc::Ended;
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Calls `log` with how the call ended and the length of the body when the answer is over.
pub(super) fn logged(
    response: Response<Body>,
    ended: Ended,
    log: impl FnOnce(&Ended, u64) + Send + 'static,
) -> Response<Body> {
    let log: Log = Box::new(move |length| log(&ended, length));
    response.map(|body| Body::new(Logged { body, length: 0, log: Some(log) }))
}

type Log = Box<dyn FnOnce(u64) + Send>;

struct Logged {
    body: Body,
    /// How much of it has been sent.
    length: u64,
    /// Until it is over.
    log: Option<Log>,
}

impl http_body::Body for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.length += u64::try_from(length).unwrap_or_default();
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

/// Over is what nobody asks for any more: all of it has been sent, or the client is gone.
impl Drop for Logged {
    fn drop(&mut self) {
        if let Some(log) = self.log.take() {
            log(self.length);
        }
    }
}
