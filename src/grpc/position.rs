//! `x-pgduet-lsn` in the trailing metadata of a call that wrote, where there are replicas: the position behind its commit,
//! which the client sends with its next reads. Of a stream it is known at the end only.

use crate::{
    config::Config,
    error::Result,
    position::Position,
    request::seen::{self, HEADER},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};
use tonic::{Status, body::Body};

const LSN: HeaderName = HeaderName::from_static(HEADER);

/// The position that a call brings.
pub(super) fn seen(headers: &HeaderMap, config: &Config) -> Result<Option<Position>> {
    if config.db_replica_uris.0.is_empty() {
        return Ok(None);
    }
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    seen::position(headers, config.db_replica_cookie.as_deref())
}

/// Adds to initial metadata the cookie for a position, where that is configured.
pub(super) fn add_cookie(metadata: &mut HeaderMap, position: Option<Position>, config: &Config) {
    if let (Some(position), Some(name)) = (position, &config.db_replica_cookie)
        && let Ok(value) = HeaderValue::try_from(seen::set_cookie(name, position))
    {
        metadata.append(header::SET_COOKIE, value);
    }
}

/// The position behind the commit of a call, once it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Committed(Arc<OnceLock<Position>>);

impl Committed {
    pub(super) fn at(position: Option<Position>) -> Self {
        let committed = Self::default();
        committed.set(position);
        committed
    }

    /// The call has committed there, if it has written.
    pub(super) fn set(&self, position: Option<Position>) {
        if let Some(position) = position {
            // There is one commit.
            let _ = self.0.set(position);
        }
    }

    /// The answer with the position in its trailers.
    pub(super) fn told_by(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| Body::new(Telling { body, committed: self }))
    }
}

struct Telling {
    body: Body,
    committed: Committed,
}

impl http_body::Body for Telling {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Status>>> {
        let mut polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
            && let Some(position) = self.committed.0.get()
            && let Ok(value) = HeaderValue::try_from(position.to_string())
        {
            trailers.insert(LSN, value);
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
