//! For fuzz targets alone, and so in no documentation: what the REST side reads of a request, without an engine. It is the
//! server's own code, called as the server calls it; a fuzz target is another crate and could not reach it otherwise.

use super::{Request, Result, Wish, body, read};
use crate::{config::Config, request::payload::Payload};
use bytes::Bytes;
use http::{HeaderMap, request::Parts};

/// What a request asks of the engine; none where it is answered without it.
///
/// # Errors
/// The request is malformed.
pub fn request(head: &Parts, body: Bytes, config: &Config) -> Result<Option<Request>> {
    Ok(match read(config, head, body)? {
        Wish::Describe(_) | Wish::Methods(..) | Wish::Transact(_) => None,
        Wish::Run(wanted) => Some(wanted.0),
    })
}

/// The rows of a body.
///
/// # Errors
/// The body is malformed.
pub fn rows(headers: &HeaderMap, body: Bytes) -> Result<Payload> {
    body::rows(headers, body, None)
}
