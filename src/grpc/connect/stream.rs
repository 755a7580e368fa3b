//! Streams of frames: gRPC's and Connect's are alike but for the last of
//! Connect's, which has what gRPC has in trailers.

use super::{Codec, Compression, PREFIX, Refusal, Schema, error, framed, invalid, status};
use crate::grpc::{ended::Ended, metadata};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tonic::{Status, body::Body};

/// The flag of the frame that ends a stream.
const END: u8 = 2;
/// The flag of a message that is compressed.
const COMPRESSED: u8 = 1;

/// Frames of JSON as frames of protobuf; all that is compressed expands to at most `limit` bytes.
pub(super) fn request(
    body: &Bytes,
    schema: &Schema,
    compression: Option<Compression>,
    limit: usize,
) -> Result<Body, Refusal> {
    let mut frames = BytesMut::from(body.as_ref());
    let mut out = Vec::new();
    while let Some((flag, message)) = next(&mut frames) {
        let message = match (flag, compression) {
            (0, _) => message,
            (COMPRESSED, Some(compression)) => {
                compression.expand(&message, limit.saturating_sub(out.len()))?
            }
            _ => return Err(invalid(format!("A frame has the flag {flag}")).into()),
        };
        out.extend_from_slice(&framed(0, &schema.request(message)?));
    }
    if !frames.is_empty() {
        return Err(invalid("The last frame is cut off").into());
    }
    Ok(Body::new(http_body_util::Full::from(out)))
}

/// The next frame, if all of it is there.
fn next(frames: &mut BytesMut) -> Option<(u8, Bytes)> {
    let (prefix, _) = frames.split_first_chunk::<PREFIX>()?;
    let [flag, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    if frames.len() - PREFIX < length {
        return None;
    }
    frames.advance(PREFIX);
    Some((flag, frames.split_to(length).freeze()))
}

/// What is left of an answer.
struct Rest {
    body: Body,
    headers: HeaderMap,
    frames: BytesMut,
    schema: Schema,
    compression: Option<Compression>,
}

/// A stream that has nothing but this end.
pub(super) fn refuse(codec: Codec, status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(end(status))));
    let kind = HeaderValue::from_static(codec.stream());
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.extensions_mut().insert(Ended::with(status.code()));
    response
}

/// A gRPC answer as Connect's.
pub(super) fn response(
    response: Response<Body>,
    codec: Codec,
    schema: Schema,
    compression: Option<Compression>,
) -> Response<Body> {
    let (head, body) = response.into_parts();
    let kind = HeaderValue::from_static(codec.stream());
    let own = compression.map(|compression| HeaderValue::from_static(compression.name()));
    let encoding = own.or_else(|| head.headers.get("grpc-encoding").cloned());
    let rest = Rest { body, headers: head.headers, frames: BytesMut::new(), schema, compression };
    let frames = stream::unfold(Some(rest), |rest| async {
        let (frame, rest) = step(rest?).await;
        Some((Ok::<_, Status>(Frame::data(frame)), rest))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames.boxed())));
    *response.extensions_mut() = head.extensions;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    if let Some(encoding) = encoding {
        response.headers_mut().insert("connect-content-encoding", encoding);
    }
    response
}

/// The next bytes; with the last of them nothing is left.
async fn step(mut rest: Rest) -> (Bytes, Option<Rest>) {
    loop {
        if let Some((_, message)) = next(&mut rest.frames) {
            match rest.schema.response(&message).and_then(|json| message_frame(&json, rest.compression)) {
                Ok(frame) => return (frame, Some(rest)),
                Err(status) => return (end(&status), None),
            }
        }
        match rest.body.frame().await {
            None => return (end(&status(&rest.headers, None)), None),
            Some(Err(status)) => return (end(&status), None),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => match rest.schema {
                    Schema::Proto => return (data, Some(rest)),
                    Schema::Json(_) => rest.frames.extend_from_slice(&data),
                },
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return (ended(&status(&rest.headers, Some(&trailers)), &trailers), None);
                }
            },
        }
    }
}

fn message_frame(json: &[u8], compression: Option<Compression>) -> Result<Bytes, Status> {
    match compression {
        None => Ok(framed(0, json)),
        Some(compression) => {
            let compressed =
                compression.compress(json).map_err(|error| Status::from_error(Box::new(error)))?;
            Ok(framed(COMPRESSED, &compressed))
        }
    }
}

fn end(status: &Status) -> Bytes {
    ended(status, &HeaderMap::new())
}

/// The end of a stream with what gRPC has in its trailers.
fn ended(status: &Status, trailers: &HeaderMap) -> Bytes {
    let mut end = match status.code() {
        tonic::Code::Ok => json!({}),
        _ => json!({ "error": error::error(status) }),
    };
    let mut told = serde_json::Map::new();
    for name in trailers.keys().filter(|name| metadata::is_free(name)) {
        let values = trailers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        told.insert(name.as_str().to_owned(), values.collect());
    }
    if !told.is_empty() {
        end["metadata"] = told.into();
    }
    framed(END, end.to_string().as_bytes())
}
