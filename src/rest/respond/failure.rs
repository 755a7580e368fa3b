//! Errors on the wire: the body that clients compare, and the headers that say
//! what to do about it. Causes are for the log and not here.

use super::{frames, put, response};
use crate::{
    config::Verbosity,
    error::{Caller, Error, Fault, Origin, classify},
    media::MediaType,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderName, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;
use serde_json::{Value, json};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
/// When to try again what the server cannot do now, in seconds.
const RETRY_AFTER: u64 = 1;

/// The answer to a request that failed.
pub(in crate::rest) fn failure(error: &Error, caller: Caller, verbosity: Verbosity) -> Response<Body> {
    let class = classify(error, caller);
    let status = StatusCode::from_u16(class.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = response(status, Body::from(body(error, verbosity)));
    if let Origin::PostgreSql(report) = &error.origin
        && let Some(raised) = &report.raised
        && let Some(text) = &raised.status_text
        && let Ok(phrase) = ReasonPhrase::try_from(text.as_bytes())
    {
        answer.extensions_mut().insert(phrase);
    }
    let headers = answer.headers_mut();
    put(headers, header::CONTENT_TYPE, Some(MediaType::Json.content_type()));
    put(headers, PROXY_STATUS, Some(format!("PostgREST; error={}", error.code())));
    put(headers, header::WWW_AUTHENTICATE, challenge(error, status));
    let unavailable = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER);
    let retry_after = error.retry_after.map(|time| time.as_secs_f64().ceil() as u64).or(unavailable);
    put(headers, header::RETRY_AFTER, retry_after.map(|seconds| seconds.to_string()));
    if let Origin::PostgreSql(report) = &error.origin {
        for (name, value) in report.raised.iter().flat_map(|raised| &raised.headers) {
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes())
                && !frames(&name)
            {
                headers.remove(&name);
                put(headers, name, Some(value));
            }
        }
    }
    answer
}

/// How to authenticate (RFC 6750, section 3), where that is what is missing.
fn challenge(error: &Error, status: StatusCode) -> Option<String> {
    match &error.origin {
        Origin::Pgduet(Fault::JwtInvalid | Fault::JwtClaims) => Some(format!(
            "Bearer error=\"invalid_token\", error_description=\"{}\"",
            error.message.replace('\\', "\\\\").replace('"', "\\\"")
        )),
        Origin::Pgduet(Fault::AnonymousDisabled) => Some("Bearer".to_owned()),
        // `RAISE SQLSTATE 'PGRST'` chooses all headers by itself.
        Origin::PostgreSql(report) if report.sqlstate != "PGRST" && status == StatusCode::UNAUTHORIZED => {
            Some("Bearer".to_owned())
        }
        Origin::Pgduet(_) | Origin::PostgreSql(_) => None,
    }
}

/// The error as JSON, its keys in the order of the alphabet.
pub(super) fn body(error: &Error, verbosity: Verbosity) -> Bytes {
    let mut told = match verbosity {
        Verbosity::Verbose => json!({
            "code": error.code(),
            "details": error.details.as_ref().unwrap_or(&Value::Null),
            "hint": error.hint,
            "message": error.message,
        }),
        Verbosity::Minimal => json!({ "code": error.code(), "message": error.message }),
    };
    if let Some(operation) = error.operation {
        told["operation"] = json!(operation);
    }
    told.to_string().into()
}
