//! Messages to PostgreSQL, written one behind the other until somebody takes them. A large value is not copied: it goes
//! out of the bytes that it came in. It also counts how often PostgreSQL will say that it is ready.

use crate::sql::Value;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use postgres_protocol::message::frontend;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

/// A value of at least so many bytes is not copied.
const LARGE: usize = 16 << 10;
/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 64 << 10;

/// In which format the columns of a result come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum Results {
    /// All as text.
    Text,
    /// So many binary columns, and so many behind them as text.
    Binary { binary: usize, text: usize },
}

/// A value in PostgreSQL's text format.
#[derive(Clone, Copy, Debug)]
pub(in crate::execute) enum Text<'v> {
    /// It is not copied where it is large.
    Shared(&'v Bytes),
    Own(&'v [u8]),
}

impl<'v> Text<'v> {
    fn bytes(self) -> &'v [u8] {
        match self {
            Text::Shared(bytes) => bytes,
            Text::Own(bytes) => bytes,
        }
    }
}

/// What is to be said.
#[derive(Debug, Default)]
pub(in crate::execute) struct Outgoing {
    ready: VecDeque<Bytes>,
    open: BytesMut,
    /// How often PostgreSQL will still say that it is ready.
    awaited: u32,
    /// Whether something was said that is behind the last Sync.
    is_unsynced: bool,
}

impl Outgoing {
    pub(in crate::execute) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.ready.is_empty()
    }

    /// Whether PostgreSQL has still to say that it is ready.
    pub(in crate::execute) fn awaits_ready(&self) -> bool {
        self.awaited > 0
    }

    /// Whether PostgreSQL would wait for a Sync after an error.
    pub(in crate::execute) fn is_unsynced(&self) -> bool {
        self.is_unsynced
    }

    /// PostgreSQL said that it is ready.
    pub(super) fn answered(&mut self) {
        self.awaited = self.awaited.saturating_sub(1);
    }

    /// Takes back what nobody has seen.
    pub(in crate::execute) fn discard(&mut self) {
        *self = Self { awaited: 0, is_unsynced: false, ..Self::default() };
    }

    pub(super) fn shrink(&mut self) {
        if self.open.capacity() > KEPT && self.is_empty() {
            self.open = BytesMut::new();
        }
    }

    /// A message of the startup.
    pub(super) fn raw(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        write(&mut self.open)
    }

    pub(in crate::execute) fn parse(&mut self, name: &str, sql: &str) -> io::Result<()> {
        self.is_unsynced = true;
        frontend::parse(name, sql, [], &mut self.open)
    }

    pub(in crate::execute) fn describe(&mut self, name: &str) -> io::Result<()> {
        self.is_unsynced = true;
        frontend::describe(b'S', name, &mut self.open)
    }

    pub(in crate::execute) fn close(&mut self, name: &str) -> io::Result<()> {
        self.is_unsynced = true;
        frontend::close(b'S', name, &mut self.open)
    }

    /// Binds values, as text, and executes.
    pub(in crate::execute) fn run(
        &mut self,
        name: &str,
        values: &[Value],
        results: Results,
    ) -> io::Result<()> {
        self.run_with(name, values.iter().map(|value| value.as_ref().map(Text::Shared)), results)
    }

    /// The same with values wherever they are.
    pub(in crate::execute) fn run_with<'v>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = Option<Text<'v>>> + Clone,
        results: Results,
    ) -> io::Result<()> {
        self.is_unsynced = true;
        self.bind(name, values, results)?;
        frontend::execute("", 0, &mut self.open)
    }

    fn bind<'v>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = Option<Text<'v>>> + Clone,
        results: Results,
    ) -> io::Result<()> {
        let too_many =
            |_| io::Error::new(io::ErrorKind::InvalidInput, "more parameters than a statement can have");
        let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "values longer than a message can be");
        let (mut count, mut written) = (0, 0);
        for value in values.clone() {
            count += 1;
            written += 4 + value.map_or(0, |value| value.bytes().len());
        }
        let formats = match results {
            Results::Text => 0,
            Results::Binary { binary, text } => binary + text,
        };
        // The length, the portal's name, the statement's name, and three counts.
        let length = 4 + 1 + (name.len() + 1) + 3 * 2 + written + formats * 2;
        self.open.put_u8(b'B');
        self.open.put_i32(i32::try_from(length).map_err(too_long)?);
        self.open.put_u8(0);
        self.open.put_slice(name.as_bytes());
        self.open.put_u8(0);
        // No formats of parameters: all are text.
        self.open.put_u16(0);
        self.open.put_u16(u16::try_from(count).map_err(too_many)?);
        for value in values {
            let Some(value) = value else {
                self.open.put_i32(-1);
                continue;
            };
            self.open.put_i32(i32::try_from(value.bytes().len()).map_err(too_long)?);
            match value {
                Text::Shared(value) if value.len() >= LARGE => {
                    self.seal();
                    self.ready.push_back(value.clone());
                }
                Text::Shared(_) | Text::Own(_) => self.open.put_slice(value.bytes()),
            }
        }
        self.open.put_u16(u16::try_from(formats).map_err(too_many)?);
        if let Results::Binary { binary, text } = results {
            for format in std::iter::repeat_n(1, binary).chain(std::iter::repeat_n(0, text)) {
                self.open.put_u16(format);
            }
        }
        Ok(())
    }

    /// Has PostgreSQL send what it has, and go on.
    pub(in crate::execute) fn flush(&mut self) {
        frontend::flush(&mut self.open);
    }

    pub(in crate::execute) fn sync(&mut self) {
        frontend::sync(&mut self.open);
        self.is_unsynced = false;
        self.awaited += 1;
    }

    /// Statements in one string, which is its own Sync.
    pub(in crate::execute) fn query(&mut self, sql: &str) -> io::Result<()> {
        frontend::query(sql, &mut self.open)?;
        self.awaited += 1;
        Ok(())
    }

    /// Closes the buffer that is written to.
    pub(super) fn seal(&mut self) {
        if !self.open.is_empty() {
            self.ready.push_back(self.open.split().freeze());
        }
    }
}

/// What was sealed.
impl Buf for Outgoing {
    fn remaining(&self) -> usize {
        self.ready.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.ready.front().map_or(&[], |first| first.as_ref())
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        slices.iter_mut().zip(&self.ready).map(|(slice, bytes)| *slice = IoSlice::new(bytes)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.ready.front_mut() {
            if count < first.len() {
                return first.advance(count);
            }
            count -= first.len();
            self.ready.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(mut out: Outgoing) -> Vec<u8> {
        out.seal();
        let mut bytes = vec![0; out.remaining()];
        out.copy_to_slice(&mut bytes);
        bytes
    }

    #[test]
    fn bind_says_how_long_it_is() {
        for results in [Results::Text, Results::Binary { binary: 2, text: 1 }] {
            let mut out = Outgoing::default();
            let large = Bytes::from(vec![b'x'; LARGE]);
            let values = [Some("1".into()), None, Some(large.clone()), Some("".into())];
            out.run("name", &values, results).unwrap();
            assert!(out.ready.iter().any(|bytes| bytes.as_ptr() == large.as_ptr()), "it is not copied");
            let bytes = taken(out);
            let length = i32::from_be_bytes(bytes[1..5].try_into().unwrap());
            // Behind it stands Execute.
            assert_eq!(bytes[usize::try_from(length).unwrap() + 1], b'E');
        }
    }

    #[test]
    fn what_a_message_cannot_hold_is_an_error() {
        let mut out = Outgoing::default();
        assert!(out.run("", &vec![None; 70_000], Results::Text).is_err());
        assert!(out.parse("", "SELECT '\0'").is_err());
    }
}
