//! Content codings of answers with rows: a long one is compressed as the client takes it. What waits to be compressed
//! keeps no other request waiting.

use crate::server::stored::{Coding, SHORTEST_COMPRESSED};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

/// What is longer takes so long to compress that it is done beside the requests.
const LONG: usize = 64 << 10;

/// A compressed answer. What it was made of stays beside it, for the memory of both is counted by that.
struct Coded {
    bytes: Vec<u8>,
    _plain: Bytes,
}

impl AsRef<[u8]> for Coded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The answer to a request with these headers, compressed if it is long enough and the client takes that.
pub(super) async fn coded(response: Response<Bytes>, request: &HeaderMap) -> Response<Body> {
    let (mut head, plain) = response.into_parts();
    if head.status == StatusCode::NOT_MODIFIED && head.headers.contains_key(header::ETAG) {
        // What the whole answer would have, which may have been compressed.
        head.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if Coding::accepted(request) != Coding::Identity {
            weaken(&mut head.headers);
        }
    }
    if plain.len() < SHORTEST_COMPRESSED || !is_compressible(&head.headers) {
        return Response::from_parts(head, plain.into());
    }
    head.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let coding = Coding::accepted(request);
    let body = match (encoded(coding, &plain).await, coding.token()) {
        (Some(bytes), Some(token)) if bytes.len() < plain.len() => {
            head.headers.insert(header::CONTENT_ENCODING, token);
            weaken(&mut head.headers);
            Bytes::from_owner(Coded { bytes, _plain: plain })
        }
        _ => plain,
    };
    Response::from_parts(head, body.into())
}

async fn encoded(coding: Coding, plain: &Bytes) -> Option<Vec<u8>> {
    match coding {
        Coding::Identity => None,
        Coding::Gzip | Coding::Zstd if plain.len() > LONG => {
            let plain = plain.clone();
            tokio::task::spawn_blocking(move || coding.encode_fast(&plain)).await.ok()?.ok()
        }
        Coding::Gzip | Coding::Zstd => coding.encode_fast(plain).ok(),
    }
}

/// Whether it is text that nobody has compressed, as far as its media type tells.
fn is_compressible(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_text = media.starts_with("text/") || media.contains("json") || media.contains("xml");
    is_text && !headers.contains_key(header::CONTENT_ENCODING)
}

/// The tag is of the bytes before they were compressed: two answers of one tag are equal to readers, but not byte by byte.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")) else {
        return;
    };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
        headers.insert(header::ETAG, weak);
    }
}
