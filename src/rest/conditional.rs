//! Conditional reads: an `ETag` of the answer's bytes, and 304 without them for a client that has them (RFC 9110,
//! section 13). It saves the bytes on the wire, and no work in the database: only the answer itself tells whether it is
//! the same.

use crate::{
    config::Config,
    error::Result,
    server::stored::{is_named, tag},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};

/// Whether an answer is tagged.
#[derive(Debug)]
pub(super) enum Conditional {
    /// It is not: the option `server-etag` is off, or the request is no GET.
    No,
    /// It is, and the client has the answers with these tags.
    Get(Vec<HeaderValue>),
}

/// What a 304 does not have: it describes content.
const OF_CONTENT: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    HeaderName::from_static("content-profile"),
];

impl Conditional {
    /// What the request says of it.
    pub(super) fn of(config: &Config, head: &Parts) -> Self {
        match config.server_etag && head.method == Method::GET {
            true => Self::Get(head.headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect()),
            false => Self::No,
        }
    }

    /// Tags an answer that succeeded, and takes its body away if the client has it. A tag that the database set stays.
    pub(super) fn apply(
        &self,
        status: &mut StatusCode,
        headers: &mut HeaderMap,
        body: &mut Bytes,
    ) -> Result<()> {
        let Self::Get(had) = self else { return Ok(()) };
        if !matches!(*status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Ok(());
        }
        let etag = match headers.get(header::ETAG) {
            Some(own) => own.clone(),
            None => {
                let value = |name| headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
                // The total stands in a header, and the same bytes can be of two media types.
                let own = tag([value(header::CONTENT_TYPE), value(header::CONTENT_RANGE), body])?;
                headers.insert(header::ETAG, own.clone());
                own
            }
        };
        if is_named(had.iter(), &etag) {
            *status = StatusCode::NOT_MODIFIED;
            OF_CONTENT.iter().for_each(|name| {
                headers.remove(name);
            });
            *body = Bytes::new();
        }
        Ok(())
    }
}
