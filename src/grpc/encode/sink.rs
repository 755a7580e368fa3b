//! Sinks: where rows go as they come. One collects a response, the other feeds
//! a stream no faster than its client reads.

use super::{MessageEncoder, in_row, progress::Progress, wire};
use crate::{
    error::{Error, Fault, Result},
    grpc::{connect::Compression, framing},
    outcome::{Pace, Row, Sink},
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Where a row's message stands in its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// In the field of this number.
    Field(u32),
    /// In the field of this number, which is not set where every column is NULL.
    FieldUnlessNull(u32),
    /// It is the response.
    Bare,
}

impl Envelope {
    /// Appends a row, which is the one with this number.
    pub(super) fn write(
        self,
        rows: &MessageEncoder,
        row: &dyn Row,
        number: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let written = self.write_unnamed(rows, row, out);
        written.map_err(|error| in_row(error, &rows.place(row, number)))
    }

    fn write_unnamed(self, rows: &MessageEncoder, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Envelope::FieldUnlessNull(_) if (0..rows.len()).all(|at| row.get(at).is_none()) => Ok(()),
            Envelope::Field(number) | Envelope::FieldUnlessNull(number) => {
                let start = wire::open(number, out);
                rows.row(row, out)?;
                wire::close(start, out);
                Ok(())
            }
            Envelope::Bare => rows.row(row, out),
        }
    }
}

/// How much goes on one page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// The most rows.
    pub(crate) rows: u64,
    /// The most bytes, unless the first row alone has more.
    pub(crate) bytes: usize,
    /// How many columns after those encoded make the place where the next page
    /// begins, as text.
    pub(crate) keys: usize,
}

/// Collects one response.
#[derive(Debug)]
pub(crate) struct PageSink {
    rows: Arc<MessageEncoder>,
    envelope: Envelope,
    page: Page,
    out: Vec<u8>,
    taken: u64,
    last: Vec<Option<String>>,
    more: bool,
}

impl PageSink {
    /// A sink for what `page` allows.
    pub(crate) fn new(rows: Arc<MessageEncoder>, envelope: Envelope, page: Page) -> Self {
        Self { rows, envelope, page, out: Vec::with_capacity(256), taken: 0, last: Vec::new(), more: false }
    }

    /// How many rows were taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Where the page ended, if rows came that are not on it.
    pub(crate) fn left_off(&mut self) -> Option<Vec<Option<String>>> {
        self.more.then(|| std::mem::take(&mut self.last))
    }

    /// The response so far, for what follows the rows.
    pub(crate) fn into_response(self) -> Vec<u8> {
        self.out
    }
}

impl Sink for PageSink {
    const PACE: Pace = Pace::Database;

    fn columns(&mut self, types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        self.rows.fits(types)
    }

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        if self.more || self.taken == self.page.rows {
            self.more = true;
            return Ok(());
        }
        let before = self.out.len();
        self.envelope.write(&self.rows, row, self.taken + 1, &mut self.out)?;
        if self.out.len() > self.page.bytes && self.taken > 0 {
            self.out.truncate(before);
            self.more = true;
            return Ok(());
        }
        self.taken += 1;
        self.last.clear();
        for at in self.rows.len()..self.rows.len() + self.page.keys {
            self.last.push(row.get(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        self.out.clear();
        self.last.clear();
        (self.taken, self.more) = (0, false);
        Ok(())
    }
}

/// Appends a string field.
pub(crate) fn text_field(number: u32, text: &str, out: &mut Vec<u8>) {
    wire::Tag::new(number, wire::Wire::Length).write(out);
    wire::bytes(text.as_bytes(), out);
}

/// Appends an integer field.
pub(crate) fn number_field(number: u32, value: u64, out: &mut Vec<u8>) {
    wire::Tag::new(number, wire::Wire::Varint).write(out);
    wire::varint(value, out);
}

/// Feeds a response stream, one message for each row, each in its frame.
#[derive(Debug)]
pub(crate) struct StreamSink {
    rows: Arc<MessageEncoder>,
    envelope: Envelope,
    out: mpsc::Sender<Vec<u8>>,
    /// How each message is compressed.
    compression: Option<Compression>,
    progress: Progress,
    pending: Vec<u8>,
    /// How many rows have come.
    came: u64,
    /// How many rows may come.
    most: u64,
}

impl StreamSink {
    /// A sink that hands on what came whenever it is asked whether it is ready, as long as
    /// whoever it goes to makes progress; more rows than `most` are an error, after those.
    pub(crate) fn new(
        rows: Arc<MessageEncoder>,
        envelope: Envelope,
        out: mpsc::Sender<Vec<u8>>,
        compression: Option<Compression>,
        progress: Progress,
        most: Option<u64>,
    ) -> Self {
        let most = most.unwrap_or(u64::MAX);
        Self { rows, envelope, out, compression, progress, pending: Vec::new(), came: 0, most }
    }
}

fn too_many() -> Box<Error> {
    Error::new(Fault::TooManyRows, "The stream ends here though there are more rows: db-max-rows is reached")
        .hint("Ask for fewer rows, or for pages")
}

fn idle() -> Box<Error> {
    Error::new(
        Fault::StreamIdle,
        "The stream ends here though there may be more rows: nothing of it was read for too long",
    )
    .hint("Ask for pages, or read faster than stream-idle-timeout asks for")
}

impl Sink for StreamSink {
    const PACE: Pace = Pace::Client;

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.came += 1;
        if self.came > self.most {
            return Err(too_many());
        }
        let Self { rows, envelope, came, compression, pending, .. } = self;
        framing::frame(*compression, pending, |out| envelope.write(rows, row, *came, out))
    }

    async fn ready(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.pending);
        let gone = |_| Error::new(Fault::Cancelled, "The client went away");
        self.progress.until(self.out.send(rows)).await.ok_or_else(idle)?.map_err(gone)
    }
}
