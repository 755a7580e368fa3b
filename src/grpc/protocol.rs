//! In which protocol a request is written, and what is none of them. The head alone decides,
//! before anything is read or looked up.
//!
//! | `content-type` | Protocol | HTTP method, version |
//! |---|---|---|
//! | `application/grpc`, `application/grpc+proto` | gRPC | POST, HTTP/2 |
//! | `application/grpc-web`, `application/grpc-web-text`, with or without `+proto` | gRPC-Web | POST |
//! | `application/json`, `application/proto` | Connect, one message | POST |
//! | none; `?encoding=json`, `?encoding=proto` | Connect, one message | GET |
//! | `application/connect+json`, `application/connect+proto` | Connect, frames | POST |
//!
//! What else comes is refused by an HTTP status, which says in which way it is wrong: 405, 415, 505.

use super::{
    connect::{Codec, Form},
    ended::Ended,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};
use serde_json::json;
use tonic::{Code, Status, body::Body};

/// The protocol of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// gRPC itself.
    Grpc,
    /// gRPC for browsers; this is its content type.
    GrpcWeb(&'static str),
    /// Connect.
    Connect(Form),
}

/// Content types of POST.
const CONTENT_TYPES: [(&str, Protocol); 10] = [
    ("application/grpc", Protocol::Grpc),
    ("application/grpc+proto", Protocol::Grpc),
    ("application/grpc-web", Protocol::GrpcWeb("application/grpc-web")),
    ("application/grpc-web+proto", Protocol::GrpcWeb("application/grpc-web+proto")),
    ("application/grpc-web-text", Protocol::GrpcWeb("application/grpc-web-text")),
    ("application/grpc-web-text+proto", Protocol::GrpcWeb("application/grpc-web-text+proto")),
    (Codec::Json.unary(), Protocol::Connect(Form::Unary(Codec::Json))),
    (Codec::Proto.unary(), Protocol::Connect(Form::Unary(Codec::Proto))),
    (Codec::Json.stream(), Protocol::Connect(Form::Stream(Codec::Json))),
    (Codec::Proto.stream(), Protocol::Connect(Form::Stream(Codec::Proto))),
];

/// Why a request is in no protocol, or in none that its method has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// 405; these will do.
    Method(&'static str),
    /// 415, because of this; these will do.
    ContentType(String, &'static str),
    /// 505.
    Version,
}

/// What POST takes.
const ACCEPTED: &str = "application/json, application/proto, application/connect+json, \
                        application/connect+proto, application/grpc, application/grpc-web";
/// What a method takes that answers by a stream.
const ACCEPTED_FOR_STREAMS: &str =
    "application/connect+json, application/connect+proto, application/grpc, application/grpc-web";

impl Protocol {
    /// Whether a request says that it is gRPC's own, whatever the version of HTTP.
    pub(super) fn is_grpc_itself(headers: &HeaderMap) -> bool {
        let kind = content_type(headers);
        CONTENT_TYPES.iter().any(|(name, protocol)| *name == kind && *protocol == Self::Grpc)
    }

    /// The protocol of the request with this head.
    pub(super) fn of(head: &Parts) -> Result<Self, NotTaken> {
        let said = content_type(&head.headers);
        let known = CONTENT_TYPES.iter().find(|(name, _)| *name == said).map(|(_, protocol)| *protocol);
        match (&head.method, known) {
            (&Method::POST, Some(Protocol::Grpc)) if head.version < Version::HTTP_2 => Err(NotTaken::Version),
            (&Method::POST, Some(protocol)) => Ok(protocol),
            (&Method::POST, None) => {
                let why = match said.as_str() {
                    "" => "There is no content type".to_owned(),
                    said => format!("Messages do not come as {said}"),
                };
                Err(NotTaken::ContentType(why, ACCEPTED))
            }
            // A body has no part in a GET, whatever it is said to be; but gRPC has no GET.
            (&Method::GET, _) if !is_grpc(&said) => Ok(Protocol::Connect(Form::Get)),
            (_, _) if is_grpc(&said) => Err(NotTaken::Method("POST")),
            (_, _) => Err(NotTaken::Method("GET, POST")),
        }
    }
}

impl NotTaken {
    /// The method that was called answers by a stream, which one message cannot hold.
    pub(super) fn stream(path: &str) -> Self {
        Self::ContentType(format!("{path} answers by a stream"), ACCEPTED_FOR_STREAMS)
    }

    /// The answer: an HTTP status for whoever sent it, with what clients of gRPC and of Connect look for.
    pub(super) fn into_response(self, head: &Parts) -> Response<Body> {
        let (http, message, allowed) = match self {
            Self::Method(allowed) => (
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{} is not the way to call this", head.method),
                Some((header::ALLOW, allowed)),
            ),
            Self::ContentType(why, accepted) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("{why}: it takes {accepted}"),
                Some((header::HeaderName::from_static("accept-post"), accepted)),
            ),
            Self::Version => (
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "gRPC needs HTTP/2; gRPC-Web and Connect do not".to_owned(),
                None,
            ),
        };
        let status = Status::new(Code::Unimplemented, message);
        let mut response = match is_grpc(&content_type(&head.headers)) {
            true => status.into_http(),
            false => {
                let json =
                    json!({ "code": super::code::named(status.code()).connect, "message": status.message() });
                let mut response = Response::new(Body::new(http_body_util::Full::from(json.to_string())));
                let kind = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
        };
        *response.status_mut() = http;
        if let Some((name, allowed)) = allowed {
            response.headers_mut().insert(name, HeaderValue::from_static(allowed));
        }
        response.extensions_mut().insert(Ended::with(Code::Unimplemented));
        response
    }
}

/// The content type without parameters, in small letters.
fn content_type(headers: &HeaderMap) -> String {
    let said = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    said.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether this is gRPC's or gRPC-Web's, be there such a form of it or not.
fn is_grpc(content_type: &str) -> bool {
    content_type.starts_with("application/grpc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(method: &str, version: Version, kind: &str) -> Parts {
        let request = Request::builder().method(method).uri("/a.B/C").version(version);
        let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
        request.body(()).unwrap().into_parts().0
    }

    fn of(method: &str, version: Version, kind: &str) -> Result<Protocol, u16> {
        let head = head(method, version, kind);
        Protocol::of(&head).map_err(|refused| refused.into_response(&head).status().as_u16())
    }

    #[test]
    fn method_version_and_content_type_tell_the_protocol() {
        use {Codec::*, Form::*, Protocol::*};
        let web = GrpcWeb("application/grpc-web-text+proto");
        for (method, version, kind, expected) in [
            ("POST", Version::HTTP_2, "application/grpc", Ok(Grpc)),
            ("POST", Version::HTTP_2, "Application/GRPC+proto; charset=utf-8", Ok(Grpc)),
            ("POST", Version::HTTP_11, "application/grpc", Err(505)),
            ("POST", Version::HTTP_2, "application/grpc+json", Err(415)),
            ("POST", Version::HTTP_2, "application/grpc-web+json", Err(415)),
            ("POST", Version::HTTP_2, "application/grpcx", Err(415)),
            ("GET", Version::HTTP_2, "application/grpc", Err(405)),
            ("PUT", Version::HTTP_2, "application/grpc", Err(405)),
            ("PUT", Version::HTTP_2, "application/grpc-web", Err(405)),
            ("POST", Version::HTTP_11, "application/grpc-web-text+proto", Ok(web)),
            ("POST", Version::HTTP_2, "application/json; charset=utf-8", Ok(Connect(Unary(Json)))),
            ("POST", Version::HTTP_2, "Application/Proto", Ok(Connect(Unary(Proto)))),
            ("POST", Version::HTTP_2, "application/connect+proto", Ok(Connect(Stream(Proto)))),
            ("POST", Version::HTTP_2, "application/x-www-form-urlencoded", Err(415)),
            ("POST", Version::HTTP_2, "", Err(415)),
            ("GET", Version::HTTP_11, "", Ok(Connect(Get))),
            ("GET", Version::HTTP_11, "application/json", Ok(Connect(Get))),
            ("PUT", Version::HTTP_11, "application/json", Err(405)),
            ("DELETE", Version::HTTP_2, "", Err(405)),
            ("HEAD", Version::HTTP_2, "", Err(405)),
        ] {
            assert_eq!(of(method, version, kind), expected, "{method} {kind}");
        }
    }

    #[test]
    fn what_is_in_no_protocol_is_told_in_the_words_of_the_one_it_is_nearest_to() {
        let refused = |method: &str, kind: &str| {
            let head = head(method, Version::HTTP_2, kind);
            Protocol::of(&head).unwrap_err().into_response(&head)
        };
        let grpc = refused("GET", "application/grpc");
        assert_eq!(
            (&grpc.headers()["allow"], &grpc.headers()["grpc-status"]),
            (&"POST".parse().unwrap(), &"12".parse().unwrap())
        );
        let connect = refused("POST", "text/plain");
        assert_eq!(connect.headers()["content-type"], "application/json");
        assert_eq!(connect.headers()["accept-post"], ACCEPTED);
    }
}
