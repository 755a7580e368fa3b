//! `response.headers` as initial metadata. The database has no say in what the protocols themselves tell by headers: such
//! names are left out, so that a function that serves REST can serve gRPC.

use crate::error::{Error, Fault, Result};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers of HTTP and of the protocols, besides those whose names begin with `grpc-` or `connect-`.
const OF_PROTOCOLS: [HeaderName; 12] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// What the database set as `response.headers`, without what it has no say in. The values of names that end in `-bin` are
/// bytes in gRPC, which a header of the database's is not.
pub(super) fn initial(headers: &[(String, String)]) -> Result<HeaderMap> {
    let mut metadata = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(malformed)?;
        let value = HeaderValue::from_str(value).map_err(malformed)?;
        if is_free(&name) && !name.as_str().ends_with("-bin") {
            metadata.append(name, value);
        }
    }
    Ok(metadata)
}

/// Whether a header is none that a protocol has.
pub(super) fn is_free(name: &HeaderName) -> bool {
    let text = name.as_str();
    !OF_PROTOCOLS.contains(name) && !text.starts_with("grpc-") && !text.starts_with("connect-")
}

fn malformed(cause: impl std::fmt::Display) -> Box<Error> {
    let message =
        "response.headers guc must be a JSON array composed of objects with a single key and a string value";
    Error::new(Fault::ResponseHeaders, message).cause(cause)
}
