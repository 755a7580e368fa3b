//! `x-pgduet-lsn`, where there are replicas: the answer to a write has the position behind its commit, and a read that
//! brings it is answered by no server that has not replayed that far.

use crate::{
    config::Config,
    error::Result,
    position::Position,
    request::seen::{self, HEADER},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The name of the header.
pub(super) const LSN: HeaderName = HeaderName::from_static(HEADER);

/// The position that a request brings.
pub(super) fn seen(headers: &HeaderMap, config: &Config) -> Result<Option<Position>> {
    if config.db_replica_uris.0.is_empty() {
        return Ok(None);
    }
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    seen::position(headers, config.db_replica_cookie.as_deref())
}

/// Tells the position behind a commit.
pub(super) fn tell(headers: &mut HeaderMap, position: Option<Position>, config: &Config) {
    let Some(position) = position else { return };
    if let Ok(value) = HeaderValue::try_from(position.to_string()) {
        // Whatever code has set under this name is no position behind this commit.
        headers.insert(LSN, value);
    }
    if let Some(name) = &config.db_replica_cookie
        && let Ok(value) = HeaderValue::try_from(seen::set_cookie(name, position))
    {
        headers.append(header::SET_COOKIE, value);
    }
}
