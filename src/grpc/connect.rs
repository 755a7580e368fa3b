//! The Connect protocol (<https://connectrpc.com/docs/protocol>), beside gRPC on
//! the same paths, so that `curl` and `fetch` are clients enough. It is a
//! translation on the way to the gRPC service and back: the message goes into a
//! frame, metadata into gRPC's names, trailers into what Connect has in their
//! place. It answers no call itself.
//!
//! ```text
//!     POST application/proto          the message           ┐
//!     POST application/json           the message as JSON   ├ one gRPC call ─ the message, or an error as JSON
//!     GET  ?encoding=&message=        reading methods only  ┘
//!     POST application/connect+proto  frames  ┐
//!     POST application/connect+json   frames  ┴ one gRPC call ─ frames, the last one with the error
//! ```

mod codec;
mod compression;
mod error;
mod leap;
mod request;
mod stream;
mod transaction;

use super::{
    Callable, Grpc, ended::Ended, intake, metadata, method::Responses, protocol::NotTaken,
    serve::SHORTEST_COMPRESSED,
};
use crate::error::Fault;
use bytes::Bytes;
use codec::Schema;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header, request::Parts};
use http_body_util::BodyExt;
use request::Query;
use std::sync::Arc;
use tonic::{Status, body::Body};

pub(crate) use codec::Codec;
pub(crate) use compression::Compression;
pub(crate) use request::Form;

/// What a frame begins with: a flag byte and the length.
pub(super) const PREFIX: usize = 5;

/// Why a request does not become a gRPC call.
#[derive(Debug)]
enum Refusal {
    /// The call fails.
    Failed(Box<Status>),
    /// It is written in no form that there is.
    NotTaken(NotTaken),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Failed(Box::new(status))
    }
}

/// What came is wrong because of this.
fn invalid(why: impl AsRef<str>) -> Status {
    super::serve::fault(Fault::InvalidMessage, why.as_ref())
}

/// What came is right, but not to be had.
fn unimplemented(why: impl AsRef<str>) -> Status {
    super::serve::fault(Fault::NotImplemented, why.as_ref())
}

/// A method that there is.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// Where.
    pub(super) grpc: &'a Arc<Grpc>,
    /// Which.
    pub(super) method: &'a Callable,
}

/// Answers a request in this form by a gRPC service. Of a method that is not known the service
/// says what is wrong, whatever the message.
pub(super) async fn serve<F: Future<Output = Response<Body>>>(
    form: Form,
    known: Option<Known<'_>>,
    request: Request<Body>,
    service: impl FnOnce(Request<Body>) -> F,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    match translate(form, known, &head, body, service).await {
        Ok(response) => response,
        Err(Refusal::Failed(status)) => form.refuse(&status),
        Err(Refusal::NotTaken(why)) => why.into_response(&head),
    }
}

async fn translate<F: Future<Output = Response<Body>>>(
    form: Form,
    known: Option<Known<'_>>,
    head: &Parts,
    body: Body,
    service: impl FnOnce(Request<Body>) -> F,
) -> Result<Response<Body>, Refusal> {
    form.check(head)?;
    match form {
        Form::Get => {
            let query = Query::of(head.uri.query().unwrap_or_default())?;
            let schema = Schema::new(query.codec, known);
            let message = schema.request(query.message(limit(known))?)?;
            let metadata = request::metadata(head, form, query.codec)?;
            let request = request::call(head, metadata, frame(0, &message));
            unary(service(request).await, query.codec, &schema, request::accepted(head, form)).await
        }
        Form::Unary(codec) => {
            let schema = Schema::new(codec, known);
            let metadata = request::metadata(head, form, codec)?;
            let is_compressed = u8::from(metadata.contains_key("grpc-encoding"));
            let compression = match (&schema, codec) {
                (Schema::Json(_), _) => request::compression(head, form)?,
                (Schema::Proto, Codec::Proto | Codec::Json) => None,
            };
            let mut message = whole(known, head, body).await?;
            if let Some(compression) = compression {
                message = compression.expand(&message, limit(known))?;
            }
            let message = schema.request(message)?;
            let request = request::call(head, metadata, frame(is_compressed, &message));
            unary(service(request).await, codec, &schema, request::accepted(head, form)).await
        }
        Form::Stream(_)
            if known.is_some_and(|known| known.method.signature().responses == Responses::One) =>
        {
            let path = head.uri.path();
            Err(unimplemented(format!(
                "{path} answers by one message: it takes application/json, application/proto"
            ))
            .into())
        }
        Form::Stream(codec) => {
            let schema = Schema::new(codec, known);
            let metadata = request::metadata(head, form, codec)?;
            let compression = match codec {
                Codec::Proto => None,
                Codec::Json => request::compression(head, form)?,
            };
            let body = match &schema {
                Schema::Proto => body,
                Schema::Json(_) => {
                    stream::request(&whole(known, head, body).await?, &schema, compression, limit(known))?
                }
            };
            let request = request::call(head, metadata, body);
            // Rows are short: they are compressed for those that compress what they send.
            let accepted = compression.and_then(|_| request::accepted(head, form));
            Ok(stream::response(service(request).await, codec, schema, accepted))
        }
    }
}

/// The whole body; of a method that is not known nothing is read.
async fn whole(known: Option<Known<'_>>, head: &Parts, body: Body) -> Result<Bytes, Status> {
    match known {
        Some(Known { grpc, .. }) => {
            let limit = grpc.engine.config().grpc_max_receive_bytes;
            intake::whole(grpc, &head.extensions, body, limit).await
        }
        None => Ok(Bytes::new()),
    }
}

/// The longest message; a method that is not known takes none.
fn limit(known: Option<Known<'_>>) -> usize {
    known.map_or(0, |known| known.grpc.engine.config().grpc_max_receive_bytes)
}

/// A message in a frame.
fn frame(flag: u8, message: &[u8]) -> Body {
    Body::new(http_body_util::Full::new(framed(flag, message)))
}

/// A frame.
fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(PREFIX + message.len());
    frame.push(flag);
    // Messages are limited to far less.
    frame.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// What the trailers tell; of an answer without a body they are headers.
fn status(headers: &HeaderMap, trailers: Option<&HeaderMap>) -> Status {
    let found = trailers.and_then(Status::from_header_map).or_else(|| Status::from_header_map(headers));
    found.unwrap_or_else(|| Status::unknown("The answer has no status"))
}

/// The answer to a unary call.
async fn unary(
    response: Response<Body>,
    codec: Codec,
    schema: &Schema,
    accepted: Option<Compression>,
) -> Result<Response<Body>, Refusal> {
    let (head, body) = response.into_parts();
    let collected = body.collect().await?;
    let status = status(&head.headers, collected.trailers());
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let bytes = collected.to_bytes();
    let message = match status.code() {
        tonic::Code::Ok => schema.response(bytes.get(PREFIX..).unwrap_or_default()),
        _ => Err(status),
    };
    let mut response = match message {
        Ok(mut message) => {
            let accepted = match codec {
                Codec::Proto => None,
                Codec::Json => accepted.filter(|_| message.len() >= SHORTEST_COMPRESSED),
            };
            if let Some(compression) = accepted {
                message =
                    compression.compress(&message).map_err(|error| Status::from_error(Box::new(error)))?;
            }
            let mut response = Response::new(Body::new(http_body_util::Full::new(message)));
            let headers = response.headers_mut();
            for (name, value) in head.headers.iter().filter(|(name, _)| metadata::is_free(name)) {
                headers.append(name, value.clone());
            }
            for (name, value) in trailers.iter().filter(|(name, _)| metadata::is_free(name)) {
                // An answer of one message has no trailers: https://connectrpc.com/docs/protocol#unary-response
                if let Ok(name) = HeaderName::try_from(format!("trailer-{name}")) {
                    headers.append(name, value.clone());
                }
            }
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.unary()));
            if let (Some(1), Some(encoding)) = (bytes.first(), head.headers.get("grpc-encoding")) {
                headers.insert(header::CONTENT_ENCODING, encoding.clone());
            }
            if let Some(compression) = accepted {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(compression.name()));
            }
            response
        }
        Err(status) => error::response(&status),
    };
    let ended = response.extensions_mut().remove::<Ended>();
    *response.extensions_mut() = head.extensions;
    if let Some(ended) = ended {
        response.extensions_mut().insert(ended);
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
