//! HTTP/1.1 for the load: requests that are written before the time is taken, and answers that are read to their end.
//! Client and server share the machine, so what the client spends is missing from the server. Only the status is looked
//! at; [`super::exchange`] is the client that checks what is in answers.

use anyhow::{Context, bail, ensure};
use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::exchange::{Call, Endpoint};

/// How much is read at once.
const READ: usize = 64 << 10;

/// A request as it goes over the wire, and the status that its answer must have.
#[derive(Debug)]
pub(crate) struct Written {
    bytes: Vec<u8>,
    expected: StatusCode,
}

impl Written {
    /// The request of a call.
    pub(crate) fn of(call: &Call) -> anyhow::Result<Self> {
        let (head, body) = (call.head(), call.body());
        let mut text = format!("{} {} HTTP/1.1\r\n", head.method, head.uri);
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        if !body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        Ok(Self { bytes, expected: call.expected() })
    }
}

/// A connection that stays open.
#[derive(Debug)]
pub(crate) struct Http1 {
    stream: TcpStream,
    /// What has come of the answer that is being read.
    answer: BytesMut,
}

impl Http1 {
    /// Connects.
    pub(crate) async fn open(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&endpoint.authority)
            .await
            .with_context(|| format!("cannot connect to {}", endpoint.authority))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: BytesMut::with_capacity(READ) })
    }

    /// Sends a request and reads the whole answer, whose status must be the expected one.
    pub(crate) async fn send(&mut self, request: &Written) -> anyhow::Result<()> {
        self.stream.write_all(&request.bytes).await?;
        let (status, body) = loop {
            self.read().await?;
            if let Some(head) = head(&mut self.answer)? {
                break head;
            }
        };
        match body {
            Body::Sized(length) => self.read_to(length).await?,
            Body::Chunked => while self.chunk().await? > 0 {},
        }
        if status != request.expected {
            let request = String::from_utf8_lossy(&request.bytes);
            bail!("{request} was answered {status}: {}", String::from_utf8_lossy(&self.answer));
        }
        self.answer.clear();
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.answer.reserve(READ);
        ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the server has closed the connection");
        Ok(())
    }

    async fn read_to(&mut self, length: usize) -> anyhow::Result<()> {
        while self.answer.len() < length {
            self.read().await?;
        }
        Ok(())
    }

    /// Reads one chunk and leaves it off. The last one has no bytes.
    async fn chunk(&mut self) -> anyhow::Result<usize> {
        let end = loop {
            match self.answer.windows(2).position(|pair| pair == b"\r\n") {
                Some(end) => break end,
                None => self.read().await?,
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&self.answer[..end])?.trim(), 16)?;
        let whole = end + 2 + size + 2;
        self.read_to(whole).await?;
        self.answer.advance(whole);
        Ok(size)
    }
}

/// How a body ends.
enum Body {
    Sized(usize),
    Chunked,
}

/// Takes the head off an answer, once it is there.
fn head(answer: &mut BytesMut) -> anyhow::Result<Option<(StatusCode, Body)>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = answer.windows(END.len()).position(|window| window == END) else { return Ok(None) };
    let head = answer.split_to(end + END.len());
    let status =
        StatusCode::from_bytes(head.get("HTTP/1.1 ".len()..).and_then(|rest| rest.get(..3)).unwrap_or(b""))?;
    let mut body = Body::Sized(0);
    for line in head[..].split(|byte: &u8| *byte == b'\n').skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            body = Body::Sized(std::str::from_utf8(value)?.parse()?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            body = Body::Chunked;
        }
    }
    Ok(Some((status, body)))
}
