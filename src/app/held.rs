//! Answers that count as under way until they are over. It passes them on as they are.

use crate::admission::Ticket;
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// The answer, holding its tickets until all of it has been sent or the client is gone: `ticket`, and the one that a front
/// door has put into its extensions.
pub(super) fn held(mut response: Response<Body>, ticket: Option<Ticket>) -> Response<Body> {
    match (ticket, response.extensions_mut().remove::<Ticket>()) {
        (None, None) => response,
        tickets => response.map(|body| Body::new(Held { body, _tickets: tickets })),
    }
}

struct Held {
    body: Body,
    _tickets: (Option<Ticket>, Option<Ticket>),
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
