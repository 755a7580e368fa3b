//! What Connect says when a call fails: an HTTP status and JSON
//! (<https://connectrpc.com/docs/protocol#error-end-stream>).

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use http::{HeaderValue, Response, StatusCode, header};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Code, Status, body::Body};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The call failed.
    Failed(Box<Status>),
    /// It came in another form than Connect has.
    UnsupportedMediaType,
    /// Only this HTTP method will do.
    MethodNotAllowed(&'static str),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Failed(Box::new(status))
    }
}

impl Refusal {
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::default();
        match self {
            Self::Failed(status) => {
                let (_, http) = named(status.code());
                *response.status_mut() = StatusCode::from_u16(http).unwrap_or_default();
                let json = error(&status).to_string();
                *response.body_mut() = Body::new(http_body_util::Full::from(json));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
            }
            Self::UnsupportedMediaType => {
                *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                let forms = "application/json, application/proto, application/connect+json, \
                             application/connect+proto, application/grpc, application/grpc-web";
                response.headers_mut().insert("accept-post", HeaderValue::from_static(forms));
            }
            Self::MethodNotAllowed(allowed) => {
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
        }
        response
    }
}

/// The error as JSON.
pub(super) fn error(status: &Status) -> Value {
    let (code, _) = named(status.code());
    let mut error = json!({ "code": code });
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

/// A code's name in JSON, and its HTTP status
/// (<https://connectrpc.com/docs/protocol#error-codes>).
fn named(code: Code) -> (&'static str, u16) {
    match code {
        // Not an error, so never said.
        Code::Ok => ("unknown", 500),
        Code::Cancelled => ("canceled", 499),
        Code::Unknown => ("unknown", 500),
        Code::InvalidArgument => ("invalid_argument", 400),
        Code::DeadlineExceeded => ("deadline_exceeded", 504),
        Code::NotFound => ("not_found", 404),
        Code::AlreadyExists => ("already_exists", 409),
        Code::PermissionDenied => ("permission_denied", 403),
        Code::ResourceExhausted => ("resource_exhausted", 429),
        Code::FailedPrecondition => ("failed_precondition", 400),
        Code::Aborted => ("aborted", 409),
        Code::OutOfRange => ("out_of_range", 400),
        Code::Unimplemented => ("unimplemented", 501),
        Code::Internal => ("internal", 500),
        Code::Unavailable => ("unavailable", 503),
        Code::DataLoss => ("data_loss", 500),
        Code::Unauthenticated => ("unauthenticated", 401),
    }
}
