//! Messages from PostgreSQL, cut out of what was read. A length that was announced makes no room: the buffer grows as
//! bytes come, no further than there is memory for them, and stops at the longest message there can be.

use super::{Error, ServerError, Status};
use crate::memory::Lease;
use bytes::{Buf, BytesMut};
use postgres_protocol::message::backend::{Header, Message};

/// As much is read at once.
const READ_AT_ONCE: usize = 16 << 10;
/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 64 << 10;
/// As libpq: whatever is longer and is none of the messages that may be has lost its place in the stream. What is
/// shorter is not counted: it comes in two reads.
const SHORT: usize = 30_000;
/// A tag and a length.
const HEADER: usize = 5;
/// PostgreSQL makes no value longer than this.
const LONG: usize = 1 << 30;

/// Whom messages are for, which decides how long they may be.
pub(super) enum Reader {
    /// Whoever begins a session, before anybody has shown who it is: all messages are short.
    Startup,
    /// A unit: rows, their descriptions and errors may be long, and are held by its lease.
    Unit(Lease),
    /// Nobody: what is long and may be left out is thrown away as it comes.
    Nobody,
}

/// What becomes of a message.
enum Fate {
    Kept,
    Skipped,
}

impl Reader {
    /// Judges a message by what it announces.
    fn judge(&self, tag: u8, length: usize) -> Result<Fate, Error> {
        let is_refused = || Error::protocol(format!("a message {:?} of {length} bytes", char::from(tag)));
        match (self, tag) {
            (_, _) if length <= SHORT => Ok(Fate::Kept),
            (Reader::Unit(lease), b'D' | b'T' | b't' | b'E' | b'N' | b'A') if length <= LONG => {
                // It is in the answer, too, before it is given back here.
                lease.could_cover(length.saturating_mul(2)).map_err(Error::Memory)?;
                Ok(Fate::Kept)
            }
            (Reader::Nobody, b'D' | b'N' | b'A') if length <= LONG => Ok(Fate::Skipped),
            (Reader::Startup | Reader::Unit(_) | Reader::Nobody, _) => Err(is_refused()),
        }
    }

    /// Holds what of a long message has come, and what came before it.
    fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        match self {
            Reader::Unit(lease) if bytes > SHORT => lease.cover(bytes).map_err(Error::Memory),
            Reader::Unit(_) | Reader::Startup | Reader::Nobody => Ok(()),
        }
    }
}

/// What was read and is not taken yet.
pub(super) struct Incoming {
    buffer: BytesMut,
    reader: Reader,
    /// The length of the last long message, which may still be in use.
    last: usize,
    /// So many bytes are still to be thrown away.
    skipped: usize,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::new(), reader: Reader::Startup, last: 0, skipped: 0 }
    }

    /// From now on messages are for this one.
    pub(super) fn is_for(&mut self, reader: Reader) {
        self.reader = reader;
        self.last = 0;
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
        loop {
            let gone = self.skipped.min(self.buffer.len());
            self.buffer.advance(gone);
            self.skipped -= gone;
            let Some(header) = Header::parse(&self.buffer)? else { return Ok(None) };
            let length = usize::try_from(header.len()).map_err(|_| Error::protocol("a negative length"))?;
            match self.reader.judge(header.tag(), length)? {
                Fate::Kept => return self.cut(length + 1),
                Fate::Skipped => self.skipped = length + 1,
            }
        }
    }

    /// The first `length` bytes, if they are here.
    fn cut(&mut self, length: usize) -> Result<Option<Frame>, Error> {
        if length > SHORT {
            self.reader.hold(self.last + self.buffer.len().min(length))?;
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        if length > SHORT {
            self.last = length;
        }
        let tag = self.buffer[0];
        let whole = match length {
            // Most messages of a batch say no more than their tag.
            HEADER => {
                self.buffer.advance(HEADER);
                BytesMut::new()
            }
            _ => self.buffer.split_to(length),
        };
        Ok(Some(Frame { tag, whole }))
    }
}

/// One message.
pub(in crate::execute) struct Frame {
    tag: u8,
    /// With its header, unless there is nothing else.
    whole: BytesMut,
}

impl Frame {
    pub(in crate::execute) fn tag(&self) -> u8 {
        self.tag
    }

    pub(in crate::execute) fn body(&self) -> &[u8] {
        self.whole.get(HEADER..).unwrap_or_default()
    }

    /// As `postgres-protocol` reads it.
    pub(super) fn message(mut self) -> Result<Message, Error> {
        Message::parse(&mut self.whole)?.ok_or_else(|| Error::protocol("a message that is cut off"))
    }

    /// What it is not: an error of PostgreSQL's if it is that.
    pub(in crate::execute) fn unexpected(self) -> Error {
        let tag = self.tag;
        match (tag, self.message()) {
            (b'E', Ok(Message::ErrorResponse(body))) => match ServerError::read(body.fields()) {
                Ok(error) => Error::Server(Box::new(error)),
                Err(error) => error.into(),
            },
            (b'E', Err(error)) => error,
            _ => Error::protocol(format!("a message {:?} where none is expected", char::from(tag))),
        }
    }

    /// How many rows CommandComplete speaks of, and of which command.
    pub(in crate::execute) fn completed(&self) -> Result<(&[u8], u64), Error> {
        if self.tag == b'I' {
            // There was nothing to run.
            return Ok((b"", 0));
        }
        let tag = self.body().strip_suffix(b"\0").filter(|tag| tag.is_ascii());
        let tag = tag.ok_or_else(|| Error::protocol("a command tag that is no text"))?;
        let command = tag.split(|letter| *letter == b' ').next().unwrap_or_default();
        let digits = tag.iter().rev().take_while(|letter| letter.is_ascii_digit()).count();
        let rows = tag[tag.len() - digits..]
            .iter()
            .try_fold(0_u64, |rows, digit| rows.checked_mul(10)?.checked_add((digit - b'0').into()));
        Ok((command, rows.unwrap_or(0)))
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
    use crate::memory::{Full, Memory};

    fn incoming(bytes: &[u8]) -> Incoming {
        of_unit(bytes, &Memory::new(1 << 31))
    }

    fn of_unit(bytes: &[u8], memory: &Memory) -> Incoming {
        let mut incoming = Incoming::new();
        incoming.is_for(Reader::Unit(memory.request().lease()));
        incoming.room().extend_from_slice(bytes);
        incoming
    }

    #[test]
    fn a_message_comes_when_all_of_it_is_here() {
        let mut incoming = incoming(b"C\0\0\0\x0dINSERT 0");
        assert!(incoming.frame().unwrap().is_none());
        incoming.room().extend_from_slice(b"\0Z\0\0\0\x05I");
        let frame = incoming.frame().unwrap().unwrap();
        assert_eq!((frame.tag(), frame.completed().unwrap()), (b'C', (&b"INSERT"[..], 0)));
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
        let mut startup = Incoming::new();
        startup.room().extend_from_slice(b"E\0\x10\0\0");
        assert!(startup.frame().is_err());
    }

    #[test]
    fn a_long_row_is_held_as_it_comes_and_one_that_is_too_long_is_refused_before() {
        let memory = Memory::new(1 << 20);
        let mut half = of_unit(b"D\0\x08\0\0", &memory);
        assert!(half.frame().unwrap().is_none());
        assert!(memory.held() < 1 << 15, "nothing is held for what is announced");
        half.room().extend_from_slice(&vec![0; 300_000]);
        assert!(half.frame().unwrap().is_none());
        assert!((300_000..340_000).contains(&memory.held()), "{}", memory.held());
        let mut late = of_unit(b"D\0\x08\0\0", &memory);
        late.room().extend_from_slice(&vec![0; 520_000]);
        half.room().extend_from_slice(&vec![0; 524_289 - 300_005]);
        assert_eq!(half.frame().unwrap().unwrap().whole.len(), 524_289);
        assert!(matches!(late.frame(), Err(Error::Memory(Full::Now))), "others hold too much");
        half.is_for(Reader::Nobody);
        assert_eq!(memory.held(), 0);
        let mut long = of_unit(b"D\0\x08\0\x01", &memory);
        assert!(
            matches!(long.frame(), Err(Error::Memory(Full::Ever))),
            "with its copy it is more than there is"
        );
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut incoming = incoming(b"");
        incoming.is_for(Reader::Nobody);
        incoming.room().extend_from_slice(b"D\0\x10\0\0");
        for _ in 0..(1 << 20) / 64 {
            assert!(incoming.frame().unwrap().is_none());
            incoming.room().extend_from_slice(&[0; 64]);
        }
        assert!(incoming.frame().unwrap().is_none());
        assert!(incoming.room().capacity() < 1 << 16);
        // Of the last 64 bytes, four belong to the next message.
        incoming.buffer.clear();
        incoming.room().extend_from_slice(b"Z\0\0\0\x05I");
        assert_eq!(incoming.frame().unwrap().unwrap().tag(), b'Z');
        incoming.room().extend_from_slice(b"E\0\x10\0\0");
        assert!(incoming.frame().is_err(), "what must not be missed");
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
