//! Messages from PostgreSQL, cut out of what was read. A length that was announced makes no room: the buffer grows as
//! bytes come, and stops at the longest message there can be.

use super::{Error, ServerError, Status};
use bytes::{Buf, BytesMut};
use postgres_protocol::message::backend::{Header, Message};

/// As much is read at once.
const READ_AT_ONCE: usize = 16 << 10;
/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 64 << 10;
/// As libpq: whatever is longer and is none of the messages that may be has lost its place in the stream.
const SHORT: usize = 30_000;
/// PostgreSQL makes no value longer than this.
const LONG: usize = 1 << 30;

/// How long messages may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limits {
    /// Before anybody has shown who it is.
    Startup,
    /// Rows, their descriptions and errors may be long.
    Session,
}

impl Limits {
    fn longest(self, tag: u8) -> usize {
        match (self, tag) {
            (Limits::Session, b'D' | b'T' | b't' | b'E' | b'N' | b'A') => LONG,
            (Limits::Session | Limits::Startup, _) => SHORT,
        }
    }
}

/// What was read and is not taken yet.
pub(super) struct Incoming {
    buffer: BytesMut,
    pub(super) limits: Limits,
}

impl Incoming {
    pub(super) fn new(limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), limits }
    }

    /// Where more can be read to.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        self.buffer.reserve(READ_AT_ONCE);
        &mut self.buffer
    }

    pub(super) fn shrink(&mut self) {
        if self.buffer.capacity() > KEPT && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// The next message, if all of it is here.
    pub(super) fn frame(&mut self) -> Result<Option<Frame>, Error> {
        let Some(header) = Header::parse(&self.buffer)? else { return Ok(None) };
        let length = usize::try_from(header.len()).map_err(|_| Error::protocol("a negative length"))?;
        if length > self.limits.longest(header.tag()) {
            let tag = char::from(header.tag());
            return Err(Error::protocol(format!("a message {tag:?} of {length} bytes")));
        }
        if self.buffer.len() <= length {
            return Ok(None);
        }
        Ok(Some(Frame { whole: self.buffer.split_to(length + 1) }))
    }
}

/// One message, header included.
pub(in crate::execute) struct Frame {
    whole: BytesMut,
}

impl Frame {
    pub(in crate::execute) fn tag(&self) -> u8 {
        self.whole[0]
    }

    pub(in crate::execute) fn body(&self) -> &[u8] {
        &self.whole[5..]
    }

    /// As `postgres-protocol` reads it.
    pub(super) fn message(mut self) -> Result<Message, Error> {
        Message::parse(&mut self.whole)?.ok_or_else(|| Error::protocol("a message that is cut off"))
    }

    /// What it is not: an error of PostgreSQL's if it is that.
    pub(in crate::execute) fn unexpected(self) -> Error {
        let tag = char::from(self.tag());
        match self.message() {
            Ok(Message::ErrorResponse(body)) => match ServerError::read(body.fields()) {
                Ok(error) => Error::Server(Box::new(error)),
                Err(error) => error.into(),
            },
            Ok(_) => Error::protocol(format!("a message {tag:?} where none is expected")),
            Err(error) => error,
        }
    }

    /// How many rows CommandComplete speaks of, and of which command.
    pub(in crate::execute) fn completed(&self) -> Result<(&str, u64), Error> {
        let text = self.body().strip_suffix(b"\0").and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or_else(|| Error::protocol("a command tag that is no text"))?;
        let rows = text.rsplit(' ').next().and_then(|rows| rows.parse().ok()).unwrap_or(0);
        Ok((text.split(' ').next().unwrap_or_default(), rows))
    }

    /// The types of the columns that RowDescription describes.
    pub(in crate::execute) fn types(&self) -> Result<Vec<u32>, Error> {
        let mut rest = self.body();
        let count = rest.try_get_u16().map_err(|_| cut_off())?;
        let mut types = Vec::new();
        for _ in 0..count {
            let end = memchr::memchr(0, rest).ok_or_else(cut_off)?;
            rest.advance(end + 1);
            // The table and the column; behind the type, its size, its modifier and the format.
            let mut fixed = rest.get(..18).ok_or_else(cut_off)?;
            fixed.advance(6);
            types.push(fixed.get_u32());
            rest.advance(18);
        }
        Ok(types)
    }

    pub(super) fn status(&self) -> Result<Status, Error> {
        match self.body() {
            b"I" => Ok(Status::Idle),
            b"T" | b"E" => Ok(Status::InTransaction),
            _ => Err(Error::protocol("a status that is none")),
        }
    }

    /// Everything here is made of UTF-8.
    pub(super) fn check_parameter(self) -> Result<(), Error> {
        match self.body() {
            b"client_encoding\0UTF8\0" => Ok(()),
            body if body.starts_with(b"client_encoding\0") => {
                Err(Error::protocol("client_encoding was changed, and has to be UTF8"))
            }
            _ => Ok(()),
        }
    }
}

fn cut_off() -> Error {
    Error::protocol("a description of rows that is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(bytes: &[u8]) -> Incoming {
        let mut incoming = Incoming::new(Limits::Session);
        incoming.room().extend_from_slice(bytes);
        incoming
    }

    #[test]
    fn a_message_comes_when_all_of_it_is_here() {
        let mut incoming = incoming(b"C\0\0\0\x0dINSERT 0");
        assert!(incoming.frame().unwrap().is_none());
        incoming.room().extend_from_slice(b"\0Z\0\0\0\x05I");
        let frame = incoming.frame().unwrap().unwrap();
        assert_eq!((frame.tag(), frame.completed().unwrap()), (b'C', ("INSERT", 0)));
        assert_eq!(incoming.frame().unwrap().unwrap().status().unwrap(), Status::Idle);
        assert!(incoming.frame().unwrap().is_none());
    }

    #[test]
    fn an_announced_length_makes_no_room_and_has_a_limit() {
        let mut long = incoming(b"D\x3f\xff\xff\xff");
        assert!(long.frame().unwrap().is_none());
        assert!(long.room().capacity() < 1 << 20);
        for wrong in
            [&b"D\xff\xff\xff\xff"[..], b"D\x7f\xff\xff\xff", b"D\0\0\0\x03", b"Z\0\x10\0\0", b"C\x3f\0\0\0"]
        {
            assert!(incoming(wrong).frame().is_err(), "{wrong:?}");
        }
        let mut startup = Incoming::new(Limits::Startup);
        startup.room().extend_from_slice(b"E\0\x10\0\0");
        assert!(startup.frame().is_err());
    }

    #[test]
    fn malformed_messages_are_errors() {
        let frame = |bytes: &[u8]| incoming(bytes).frame().unwrap().unwrap();
        assert!(frame(b"C\0\0\0\x06\xff\0").completed().is_err());
        assert!(frame(b"C\0\0\0\x05X").completed().is_err());
        assert!(frame(b"Z\0\0\0\x05X").status().is_err());
        assert!(frame(b"Z\0\0\0\x04").status().is_err());
        for body in [&b""[..], b"\0", b"\0\x01", b"\xff\xffname\0", b"\0\x01name\0\0\0\0\0\0\0\0\0\0\x17"] {
            let mut bytes = vec![b'T', 0, 0, 0, u8::try_from(body.len()).unwrap() + 4];
            bytes.extend_from_slice(body);
            assert!(frame(&bytes).types().is_err(), "{body:?}");
        }
        let error = frame(b"E\0\0\0\x0fC42601\0Mno\0").unexpected();
        assert!(matches!(error, Error::Io(_) | Error::Protocol(_)), "{error:?}");
        let Error::Server(error) = frame(b"E\0\0\0\x10C42601\0Mno\0\0").unexpected() else { panic!() };
        assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("42601", "no"));
    }
}
