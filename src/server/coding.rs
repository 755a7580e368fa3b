//! Content codings (RFC 9110, section 8.4.1): which one a client takes, and answers that are compressed so. What waits to be
//! compressed keeps no other request waiting.
//!
//! Not tower-http's layer: it compresses nothing that has a `Content-Range`, which all rows have; it leaves strong tags on
//! bytes that differ; it compresses on the threads that answer requests; and it lets go of the plain bytes, by which the
//! memory for an answer is counted until the socket has taken it.

use axum::body::Body;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::io::{self, Write};

/// A shorter answer is not compressed: it fits into one packet.
pub(super) const SHORTEST_COMPRESSED: usize = 1024;

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// The bytes as they are.
    Identity,
    /// `gzip`.
    Gzip,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// The coding with the largest weight in `Accept-Encoding`; of those with the same weight, the one that compresses
    /// best. A client that names none gets the bytes as they are.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(header::ACCEPT_ENCODING).iter();
        let listed = fields.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let weighed = listed.filter_map(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = match weight.trim().split_once('=') {
                Some((_, weight)) => weight.trim().parse::<f32>().unwrap_or(0.0),
                None => 1.0,
            };
            let name = name.trim();
            let rank = |coding: Self| (weight, coding as u8);
            let known = [Self::Identity, Self::Gzip, Self::Zstd];
            let coding = known.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))?;
            (weight > 0.0).then_some((rank(coding), coding))
        });
        let best = weighed.max_by(|(a, _), (b, _)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        best.map_or(Self::Identity, |(_, coding)| coding)
    }

    /// The value of `Content-Encoding`; `None` for bytes as they are.
    pub(super) fn token(self) -> Option<HeaderValue> {
        match self {
            Self::Identity => None,
            Self::Gzip | Self::Zstd => Some(HeaderValue::from_static(self.name())),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses what is kept for many clients.
    pub(super) fn encode(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.encode_at(bytes, Compression::default(), zstd::DEFAULT_COMPRESSION_LEVEL)
    }

    /// Compresses what is sent once.
    fn encode_fast(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.encode_at(bytes, Compression::fast(), 1)
    }

    fn encode_at(self, bytes: &[u8], gzip: Compression, zstd: i32) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity => Ok(bytes.to_vec()),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), gzip);
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Zstd => zstd::bulk::compress(bytes, zstd),
        }
    }
}

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
pub async fn coded(response: Response<Bytes>, request: &HeaderMap) -> Response<Body> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_is_the_one_of_the_largest_weight() {
        for (accepted, expected) in [
            ("", Coding::Identity),
            ("gzip", Coding::Gzip),
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("GZIP;q=1.0, zstd;q=0.5", Coding::Gzip),
            ("gzip;q=0", Coding::Identity),
            ("identity, gzip;q=0.5", Coding::Identity),
            ("br", Coding::Identity),
            ("gzip;q=x", Coding::Identity),
        ] {
            assert_eq!(
                Coding::accepted(&HeaderMap::from_iter([(
                    header::ACCEPT_ENCODING,
                    HeaderValue::from_static(accepted)
                )])),
                expected,
                "{accepted}"
            );
        }
        assert_eq!(Coding::accepted(&HeaderMap::new()), Coding::Identity);
    }
}
