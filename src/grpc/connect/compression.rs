//! Compression of messages: those in gRPC's frames, and Connect's JSON and what stands in its queries. Nothing is expanded
//! beyond the limit of a message.

use super::unimplemented;
use crate::grpc::serve;
use bytes::Bytes;
use flate2::{read::MultiGzDecoder, write::GzEncoder};
use http::HeaderValue;
use std::io::{self, Read, Write};
use tonic::Status;

/// Ways to compress, both of them known to gRPC by the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// What a header or a query says of a message; none if it is not compressed.
    pub(crate) fn of(name: Option<&str>) -> Result<Option<Self>, Status> {
        match name {
            None | Some("identity") => Ok(None),
            Some("gzip") => Ok(Some(Self::Gzip)),
            Some("zstd") => Ok(Some(Self::Zstd)),
            Some(other) => Err(unimplemented(format!("Nothing is compressed by {other} here"))),
        }
    }

    /// The first of those that a client takes.
    pub(crate) fn accepted(header: Option<&HeaderValue>) -> Option<Self> {
        let text = header?.to_str().ok()?;
        text.split(',').find_map(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            let is_refused = weight == Some(0.0);
            Self::of(Some(name.trim())).ok().flatten().filter(|_| !is_refused)
        })
    }

    /// The name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What the bytes were, if that is at most `limit` bytes.
    pub(crate) fn expand(self, bytes: &[u8], limit: usize) -> Result<Bytes, Status> {
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut out = Vec::new();
        let read = match self {
            // A body may have several members (RFC 1952, section 2.2): all of it counts.
            Self::Gzip => MultiGzDecoder::new(bytes).take(most).read_to_end(&mut out),
            Self::Zstd => {
                zstd::Decoder::with_buffer(bytes).and_then(|decoder| decoder.take(most).read_to_end(&mut out))
            }
        };
        read.map_err(|error| {
            super::invalid(format!("The message is not compressed by {}: {error}", self.name()))
        })?;
        match out.len() > limit {
            true => Err(serve::too_large(limit)),
            false => Ok(out.into()),
        }
    }

    /// The bytes, compressed.
    pub(crate) fn compress(self, bytes: &[u8]) -> io::Result<Bytes> {
        let out = Vec::with_capacity(bytes.len() / 4);
        let out = match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, flate2::Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()?
            }
            Self::Zstd => {
                let mut encoder = zstd::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.write_all(bytes)?;
                encoder.finish()?
            }
        };
        Ok(out.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

    #[test]
    fn what_is_compressed_expands_to_the_same_up_to_the_limit() {
        let text = "abc".repeat(1000);
        for compression in BOTH {
            let small = compression.compress(text.as_bytes()).unwrap();
            assert!(small.len() < 200);
            assert_eq!(compression.expand(&small, 3000).unwrap(), text);
            assert!(compression.expand(&small, 2999).is_err());
            assert!(compression.expand(b"{}", 3000).is_err());
            assert!(compression.expand(&small[..small.len() - 1], 3000).is_err(), "it is cut off");
        }
    }

    #[test]
    fn what_comes_in_several_parts_is_read_to_the_end() {
        for compression in BOTH {
            let parts = ["abc", "", "def"].map(|part| compression.compress(part.as_bytes()).unwrap());
            let joined = parts.concat();
            assert_eq!(compression.expand(&joined, 6).unwrap(), "abcdef");
            assert!(compression.expand(&joined, 5).is_err(), "the limit is that of all");
            assert!(compression.expand(&joined[..joined.len() - 1], 6).is_err(), "it is cut off");
            assert!(compression.expand(&[&joined[..], b"garbage"].concat(), 6).is_err());
        }
    }

    #[test]
    fn a_client_says_what_it_takes() {
        let accepted = |text: &'static str| Compression::accepted(Some(&HeaderValue::from_static(text)));
        assert_eq!(accepted("gzip, deflate, br, zstd"), Some(Compression::Gzip));
        assert_eq!(accepted("br;q=1.0, zstd;q=0.5"), Some(Compression::Zstd));
        assert_eq!(accepted("gzip;q=0, zstd"), Some(Compression::Zstd));
        assert_eq!(accepted("deflate, *"), None);
        assert_eq!(Compression::accepted(None), None);
    }
}
