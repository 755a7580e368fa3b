//! The head of a request: which of Connect's forms it has, and what of it a gRPC
//! call is told.

use super::{Codec, Refusal, compression::Compression, error, invalid, stream};
use crate::{grpc::protocol::NotTaken, request::urlencoded};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header, request::Parts};
use tonic::{Status, body::Body};

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The forms of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Everything is in the query.
    Get,
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
    compression: Option<Compression>,
}

/// How the query has the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Plain,
    Base64,
}

impl Form {
    /// An error in this form. A stream always succeeds; its last frame says otherwise.
    pub(super) fn refuse(self, status: &Status) -> Response<Body> {
        match self {
            Self::Get | Self::Unary(_) => error::response(status),
            Self::Stream(codec) => stream::refuse(codec, status),
        }
    }

    /// The version of Connect that the head says it is of.
    pub(super) fn check(self, head: &Parts) -> Result<(), Refusal> {
        match self {
            // There it is in the query.
            Self::Get => Ok(()),
            Self::Unary(_) | Self::Stream(_) => {
                check_version(head.headers.get("connect-protocol-version").map(HeaderValue::as_bytes))
            }
        }
    }
}

fn check_version(version: Option<&[u8]>) -> Result<(), Refusal> {
    match version {
        None | Some(b"1" | b"v1") => Ok(()),
        Some(other) => {
            let other = String::from_utf8_lossy(other);
            Err(invalid(format!("There is no version \"{other}\" of Connect")).into())
        }
    }
}

impl Query {
    pub(super) fn of(query: &str) -> Result<Self, Refusal> {
        let pairs = urlencoded::pairs(query).map_err(|error| invalid(error.message))?;
        let value = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key == name);
            found.and_then(|(_, value)| value.as_deref())
        };
        check_version(value("connect").map(str::as_bytes))?;
        let encoding = value("encoding").ok_or_else(|| invalid("There is no encoding"))?;
        let codec = Codec::named(encoding).ok_or_else(|| {
            Refusal::NotTaken(NotTaken::ContentType(
                format!("There is no encoding {encoding}"),
                "json, proto",
            ))
        })?;
        let message = value("message").ok_or_else(|| invalid("There is no message"))?;
        let text = match value("base64") {
            Some("1") => Text::Base64,
            Some(_) | None => Text::Plain,
        };
        let compression = Compression::of(value("compression"))?;
        Ok(Self { codec, message: message.to_owned(), text, compression })
    }

    /// The message's bytes, at most so many.
    pub(super) fn message(&self, limit: usize) -> Result<Bytes, Refusal> {
        let bytes = match self.text {
            Text::Plain => Bytes::from(self.message.clone()),
            Text::Base64 => BASE64
                .decode(&self.message)
                .map(Bytes::from)
                .map_err(|error| invalid(format!("The message is no base64: {error}")))?,
        };
        match self.compression {
            Some(compression) => Ok(compression.expand(&bytes, limit)?),
            None => Ok(bytes),
        }
    }
}

/// The headers that say how messages are compressed, and how they may be.
const fn compression_headers(form: Form) -> (Option<&'static str>, &'static str) {
    match form {
        // There it is in the query.
        Form::Get => (None, "accept-encoding"),
        Form::Unary(_) => (Some("content-encoding"), "accept-encoding"),
        Form::Stream(_) => (Some("connect-content-encoding"), "connect-accept-encoding"),
    }
}

/// How the messages of a request are compressed, as its headers have it.
pub(super) fn compression(head: &Parts, form: Form) -> Result<Option<Compression>, Refusal> {
    let (name, _) = compression_headers(form);
    let value = name.and_then(|name| head.headers.get(name));
    Ok(Compression::of(value.map(|value| value.to_str().unwrap_or("an unknown encoding")))?)
}

/// How the messages of the answer may be compressed.
pub(super) fn accepted(head: &Parts, form: Form) -> Option<Compression> {
    let (_, name) = compression_headers(form);
    Compression::accepted(head.headers.get(name))
}

/// Headers that are about the HTTP request and not about the call, or that another protocol has.
const HOP: [header::HeaderName; 10] = [
    header::TE,
    header::HeaderName::from_static("grpc-encoding"),
    header::HeaderName::from_static("grpc-accept-encoding"),
    header::HeaderName::from_static("grpc-timeout"),
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::ACCEPT_ENCODING,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
];

/// The request's headers as a gRPC call's metadata.
pub(super) fn metadata(head: &Parts, form: Form, codec: Codec) -> Result<HeaderMap, Refusal> {
    let mut metadata = head.headers.clone();
    for name in HOP {
        metadata.remove(name);
    }
    metadata.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // JSON is compressed and expanded here.
    let (encoding, accepted) = compression_headers(form);
    let encoding = encoding.and_then(|name| head.headers.get(name)).filter(|name| *name != "identity");
    if let (Codec::Proto, Some(encoding)) = (codec, encoding) {
        metadata.insert("grpc-encoding", encoding.clone());
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
    timeout.ok_or_else(|| invalid("connect-timeout-ms is malformed").into())
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
