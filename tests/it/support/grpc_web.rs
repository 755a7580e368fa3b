//! Calls as browsers make them, by gRPC-Web over HTTP/1.1, so that a message can be any bytes at all.

use super::http::{Answer, Connection};

/// The end of a call.
#[derive(Debug)]
pub(crate) struct Reply {
    /// A number from 0 (OK) to 16; 255 where there is none.
    pub(crate) status: u8,
    pub(crate) text: String,
    pub(crate) messages: Vec<Vec<u8>>,
}

/// Calls `package.Service/Method` with one message.
pub(crate) fn call(connection: &mut Connection, method: &str, message: &[u8]) -> std::io::Result<Reply> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    send(connection, method, &[], &[&[0], &length[..], message].concat())
}

/// Calls a method with a body of any form.
pub(crate) fn send(
    connection: &mut Connection,
    method: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Reply> {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", "application/grpc-web+proto"));
    Ok(parse(&connection.send("POST", &format!("/{method}"), &headers, Some(body))?))
}

/// The frames of the body, the last of which are the trailers; an error may have them as headers.
fn parse(answer: &Answer) -> Reply {
    let mut messages = Vec::new();
    let mut trailers: Vec<(String, String)> = answer.headers.clone();
    let mut rest = &answer.body[..];
    while let [kind, a, b, c, d, payload @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (payload, behind) = payload.split_at(length);
        match kind {
            0x80 => trailers.extend(
                String::from_utf8_lossy(payload)
                    .lines()
                    .filter_map(|line| line.split_once(':'))
                    .map(|(name, value)| (name.to_owned(), value.trim().to_owned())),
            ),
            _ => messages.push(payload.to_vec()),
        }
        rest = behind;
    }
    let trailer =
        |name: &str| trailers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    // An answer that is none of gRPC's is told as such.
    let status = trailer("grpc-status").and_then(|status| status.parse().ok()).unwrap_or(u8::MAX);
    let text = trailer("grpc-message").unwrap_or_else(|| format!("{} {}", answer.status, answer.text()));
    Reply { status, text, messages }
}
