//! The head of a request: which of Connect's forms it has, and what of it a gRPC
//! call is told.

use super::{Codec, Refusal};
use crate::request::urlencoded;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header, request::Parts};
use tonic::{Status, body::Body};

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The forms of a request.
#[derive(Debug)]
pub(super) enum Form {
    /// Everything is in the query.
    Get(Query),
    /// The body is the message.
    Unary(Codec),
    /// The body is frames.
    Stream(Codec),
}

/// The query of a GET.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) codec: Codec,
    message: String,
    text: Text,
    compression: Option<String>,
}

/// How the query has the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Plain,
    Base64,
}

impl Form {
    pub(super) fn of(head: &Parts) -> Result<Self, Refusal> {
        match head.method {
            Method::GET => Query::of(head.uri.query().unwrap_or_default()).map(Self::Get),
            Method::POST => {
                check_version(head.headers.get("connect-protocol-version").map(HeaderValue::as_bytes))?;
                let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
                let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
                let kind = kind.to_ascii_lowercase();
                let found = [Codec::Proto, Codec::Json].into_iter().find_map(|codec| match kind.as_str() {
                    kind if kind == codec.unary() => Some(Self::Unary(codec)),
                    kind if kind == codec.stream() => Some(Self::Stream(codec)),
                    _ => None,
                });
                found.ok_or(Refusal::UnsupportedMediaType)
            }
            _ => Err(Refusal::MethodNotAllowed("GET, POST")),
        }
    }
}

fn check_version(version: Option<&[u8]>) -> Result<(), Refusal> {
    match version {
        None | Some(b"1" | b"v1") => Ok(()),
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            Err(Status::invalid_argument(format!("There is no version \"{other}\" of Connect")).into())
        }
    }
}

impl Query {
    fn of(query: &str) -> Result<Self, Refusal> {
        let invalid = |why: String| Status::invalid_argument(why);
        let pairs = urlencoded::pairs(query).map_err(|error| invalid(error.message))?;
        let value = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.and_then(|(_, value)| value.as_deref())
        };
        check_version(value("connect").map(str::as_bytes))?;
        let encoding = value("encoding").ok_or_else(|| invalid("There is no encoding".to_owned()))?;
        let codec = Codec::named(encoding).ok_or(Refusal::UnsupportedMediaType)?;
        let message = value("message").ok_or_else(|| invalid("There is no message".to_owned()))?;
        let text = match value("base64") {
            Some("1") => Text::Base64,
            Some(_) | None => Text::Plain,
        };
        let compression = value("compression").filter(|name| *name != "identity").map(str::to_owned);
        Ok(Self { codec, message: message.to_owned(), text, compression })
    }

    /// The message's bytes.
    pub(super) fn message(&self) -> Result<Bytes, Refusal> {
        if let Some(compression) = &self.compression {
            return Err(compressed(compression));
        }
        match self.text {
            Text::Plain => Ok(self.message.clone().into()),
            Text::Base64 => BASE64.decode(&self.message).map(Bytes::from).map_err(|error| {
                Status::invalid_argument(format!("The message is no base64: {error}")).into()
            }),
        }
    }
}

fn compressed(encoding: &str) -> Refusal {
    Status::unimplemented(format!("A message in this form cannot be compressed by {encoding}")).into()
}

/// Headers that are about the HTTP request and not about the call.
const HOP: &[header::HeaderName] = &[
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::ACCEPT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
];

/// The request's headers as a gRPC call's metadata.
pub(super) fn metadata(head: &Parts, form: &Form) -> Result<HeaderMap, Refusal> {
    let mut metadata = head.headers.clone();
    for name in HOP {
        metadata.remove(name);
    }
    metadata.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let (codec, encoding, accepted) = match form {
        Form::Get(query) => (query.codec, None, header::ACCEPT_ENCODING.as_str()),
        Form::Unary(codec) => {
            (*codec, Some(header::CONTENT_ENCODING.as_str()), header::ACCEPT_ENCODING.as_str())
        }
        Form::Stream(codec) => (*codec, Some("connect-content-encoding"), "connect-accept-encoding"),
    };
    let encoding = encoding.and_then(|name| head.headers.get(name)).filter(|name| *name != "identity");
    match (codec, encoding) {
        (_, None) => {}
        (Codec::Proto, Some(encoding)) => {
            metadata.insert("grpc-encoding", encoding.clone());
        }
        // What is compressed is not read here.
        (Codec::Json, Some(encoding)) => {
            return Err(compressed(encoding.to_str().unwrap_or("an unknown encoding")));
        }
    }
    if let (Codec::Proto, Some(accepted)) = (codec, head.headers.get(accepted)) {
        metadata.insert("grpc-accept-encoding", accepted.clone());
    }
    if let Some(timeout) = metadata.remove("connect-timeout-ms") {
        metadata.insert("grpc-timeout", timeout_of(&timeout)?);
    }
    Ok(metadata)
}

/// Up to ten digits of milliseconds; gRPC has eight of them, and seconds.
fn timeout_of(milliseconds: &HeaderValue) -> Result<HeaderValue, Refusal> {
    let text = milliseconds.to_str().ok().filter(|text| text.len() <= 10);
    let number: Option<u64> = text.and_then(|text| text.parse().ok());
    let timeout = number.and_then(|number| match number {
        0..100_000_000 => HeaderValue::try_from(format!("{number}m")).ok(),
        _ => HeaderValue::try_from(format!("{}S", number / 1000)).ok(),
    });
    timeout.ok_or_else(|| Status::invalid_argument("connect-timeout-ms is malformed").into())
}

/// The gRPC call.
pub(super) fn call(head: &Parts, metadata: HeaderMap, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    request.uri_mut().clone_from(&head.uri);
    *request.headers_mut() = metadata;
    request.extensions_mut().clone_from(&head.extensions);
    request
}
