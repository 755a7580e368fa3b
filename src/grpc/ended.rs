//! How a call ended. gRPC says it in trailers, when the status line has long been sent: whoever
//! logs a call asks for it when the answer is over. It changes nothing of an answer.

use super::code::named;
use crate::{
    auth::Identity,
    metrics::{self, Method, Route},
};
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};
use tonic::{Code, Status, body::Body};

/// The status of a call, which every answer of the gRPC side has among its extensions.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<OnceLock<Code>>);

impl Ended {
    /// The call has ended so.
    pub(super) fn with(code: Code) -> Self {
        Self(Arc::new(OnceLock::from(code)))
    }

    /// The status that is known by now.
    pub(super) fn code(&self) -> Option<Code> {
        self.0.get().copied()
    }

    /// The name of the status. Nobody waits any more for an answer that has none when it is over.
    pub fn name(&self) -> &'static str {
        named(self.code().unwrap_or(Code::Cancelled)).grpc
    }

    /// The HTTP status that says the same.
    pub fn http(&self) -> u16 {
        named(self.code().unwrap_or(Code::Cancelled)).http
    }

    /// What the call is counted as.
    pub fn counted(&self) -> metrics::Code {
        use metrics::Code as Counted;
        match self.code().unwrap_or(Code::Cancelled) {
            Code::Ok => Counted::Ok,
            Code::Cancelled => Counted::Cancelled,
            Code::Unknown => Counted::Unknown,
            Code::InvalidArgument => Counted::InvalidArgument,
            Code::DeadlineExceeded => Counted::DeadlineExceeded,
            Code::NotFound => Counted::NotFound,
            Code::AlreadyExists => Counted::AlreadyExists,
            Code::PermissionDenied => Counted::PermissionDenied,
            Code::ResourceExhausted => Counted::ResourceExhausted,
            Code::FailedPrecondition => Counted::FailedPrecondition,
            Code::Aborted => Counted::Aborted,
            Code::OutOfRange => Counted::OutOfRange,
            Code::Unimplemented => Counted::Unimplemented,
            Code::Internal => Counted::Internal,
            Code::Unavailable => Counted::Unavailable,
            Code::DataLoss => Counted::DataLoss,
            Code::Unauthenticated => Counted::Unauthenticated,
        }
    }

    /// The call has ended so. What was said first counts.
    pub(super) fn set(&self, code: Code) {
        let _ = self.0.set(code);
    }

    fn read(&self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.set(status.code());
        }
    }
}

/// What is logged and counted of a call, which answers have among their extensions.
#[derive(Clone, Debug)]
pub struct Called {
    /// Who called, where that is known.
    pub identity: Option<Arc<Identity>>,
    /// What it was about.
    pub route: Arc<Route>,
    /// What was called.
    pub method: Method,
}

/// A gRPC answer that will say how it ended.
pub(super) fn watched(response: Response<Body>) -> Response<Body> {
    let ended = Ended::default();
    let (mut head, body) = response.into_parts();
    ended.read(&head.headers);
    head.extensions.insert(ended.clone());
    Response::from_parts(head, Body::new(Watched { body, ended }))
}

/// Looks at the trailers that pass.
struct Watched {
    body: Body,
    ended: Ended,
}

impl http_body::Body for Watched {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.ended.read(trailers);
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
