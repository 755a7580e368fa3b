//! The first bytes of a connection: which protocol it speaks. It reads no further than it has to.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How an HTTP/2 client without TLS begins (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Also anything that is no HTTP at all: hyper answers it.
    Http1,
    Http2,
}

/// Reads until the protocol is known and returns it with what was read; `None` if the client left without a word.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<(Protocol, Vec<u8>)>> {
    let mut received = Vec::with_capacity(HTTP2_PREFACE.len());
    while HTTP2_PREFACE.starts_with(&received) {
        if received.len() == HTTP2_PREFACE.len() {
            return Ok(Some((Protocol::Http2, received)));
        }
        let missing = HTTP2_PREFACE.len() - received.len();
        if stream.take(missing as u64).read_buf(&mut received).await? == 0 {
            break;
        }
    }
    Ok((!received.is_empty()).then_some((Protocol::Http1, received)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol and the number of bytes read.
    type Known = Option<(Protocol, usize)>;

    #[tokio::test]
    async fn the_protocol_is_known_from_the_first_byte_that_differs_from_the_preface() -> io::Result<()> {
        let cases: [(&[u8], Known); 6] = [
            (b"", None),
            (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", Some((Protocol::Http1, 24))),
            (b"P", Some((Protocol::Http1, 1))),
            (b"PRI * HTTP/2.0\r\n\r\n", Some((Protocol::Http1, 18))),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some((Protocol::Http2, 24))),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0", Some((Protocol::Http2, 24))),
        ];
        for (sent, expected) in cases {
            let opening = read(&mut &sent[..]).await?;
            if let Some((_, received)) = &opening {
                assert_eq!(received, &sent[..received.len()]);
            }
            assert_eq!(opening.map(|(protocol, received)| (protocol, received.len())), expected);
        }
        Ok(())
    }
}
