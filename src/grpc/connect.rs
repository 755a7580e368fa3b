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
mod error;
mod leap;
mod request;
mod stream;

use super::{
    Grpc,
    services::{Effects, Method},
};
use bytes::Bytes;
use codec::{Codec, Schema};
use error::Refusal;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use request::Form;
use std::sync::Arc;
use tonic::{Status, body::Body};

/// What a frame begins with: a flag byte and the length.
const PREFIX: usize = 5;

/// Answers a request that is neither gRPC nor gRPC-Web.
pub(super) async fn serve(grpc: Arc<Grpc>, request: Request<Body>) -> Response<Body> {
    match translate(grpc, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

async fn translate(grpc: Arc<Grpc>, request: Request<Body>) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let limit = grpc.engine.config().grpc_max_receive_bytes;
    let method = grpc.services.method(head.uri.path());
    let form = Form::of(&head)?;
    match &form {
        Form::Get(_) if method.is_none_or(|method| method.effects == Effects::Some) => {
            Err(Refusal::MethodNotAllowed("POST"))
        }
        Form::Get(query) => {
            let schema = Schema::new(query.codec, method)?;
            let message = schema.request(query.message()?)?;
            if message.len() > limit {
                return Err(super::serve::too_large(limit).into());
            }
            let request = request::call(&head, request::metadata(&head, &form)?, frame(0, &message));
            unary(super::serve::answer(grpc, request).await, &schema).await
        }
        Form::Unary(codec) => {
            let schema = Schema::new(*codec, method)?;
            let metadata = request::metadata(&head, &form)?;
            let compressed = u8::from(metadata.contains_key("grpc-encoding"));
            let message = schema.request(whole(body, limit).await?)?;
            let request = request::call(&head, metadata, frame(compressed, &message));
            unary(super::serve::answer(grpc, request).await, &schema).await
        }
        Form::Stream(codec) => {
            let schema = Schema::new(*codec, method)?;
            let metadata = request::metadata(&head, &form)?;
            let body = match codec {
                Codec::Proto => body,
                Codec::Json => stream::request(&whole(body, limit).await?, &schema)?,
            };
            let request = request::call(&head, metadata, body);
            Ok(stream::response(super::serve::answer(grpc, request).await, schema))
        }
    }
}

/// The whole body, if it is not too large.
async fn whole(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(super::serve::too_large(limit).into())
        }
        Err(error) => Err(Status::invalid_argument(format!("The request ended early: {error}")).into()),
    }
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
async fn unary(response: Response<Body>, schema: &Schema) -> Result<Response<Body>, Refusal> {
    let (head, body) = response.into_parts();
    let collected = body.collect().await?;
    let status = status(&head.headers, collected.trailers());
    if status.code() != tonic::Code::Ok {
        return Err(status.into());
    }
    let bytes = collected.to_bytes();
    let message = bytes.get(PREFIX..).unwrap_or_default();
    let mut response = Response::new(Body::new(http_body_util::Full::new(schema.response(message)?)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(schema.codec().unary()));
    if let (Some(1), Some(encoding)) = (bytes.first(), head.headers.get("grpc-encoding")) {
        headers.insert(header::CONTENT_ENCODING, encoding.clone());
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
