//! What Connect says when a call fails: an HTTP status and JSON
//! (<https://connectrpc.com/docs/protocol#error-end-stream>).

use crate::grpc::{code::named, ended::Ended};
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use http::{HeaderValue, Response, StatusCode, header};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Status, body::Body};

/// The answer to a call with one message that failed so.
pub(super) fn response(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::from(error(status).to_string())));
    *response.status_mut() = StatusCode::from_u16(named(status.code()).http).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(Ended::with(status.code()));
    response
}

/// The error as JSON.
pub(super) fn error(status: &Status) -> Value {
    let mut error = json!({ "code": named(status.code()).connect });
    if !status.message().is_empty() {
        error["message"] = status.message().into();
    }
    // Without details there is nothing to decode.
    let details = tonic_types::pb::Status::decode(status.details()).unwrap_or_default().details;
    if !details.is_empty() {
        let detail = |any: &prost_types::Any| {
            let name = any.type_url.rsplit('/').next().unwrap_or_default();
            json!({ "type": name, "value": BASE64_STANDARD_NO_PAD.encode(&any.value) })
        };
        error["details"] = details.iter().map(detail).collect();
    }
    error
}
