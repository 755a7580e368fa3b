//! Sinks for answers that are whole or not at all: what they miss or cannot
//! hold undoes what was changed. They never answer with a part of the rows.

use super::{Envelope, MessageEncoder, Page, PageSink};
use crate::{
    error::{Error, Fault, Result},
    grpc::refuse::refuse,
    outcome::{Pace, Row, Sink},
};
use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

/// Collects every row, in the order in which they come.
#[derive(Debug)]
pub(crate) struct WholeSink {
    sink: PageSink,
    most: Option<u64>,
}

impl WholeSink {
    /// A sink for at most so many rows, if that is limited, and so many bytes.
    pub(crate) fn new(
        rows: Arc<MessageEncoder>,
        envelope: Envelope,
        most: Option<u64>,
        bytes: usize,
    ) -> Self {
        let page = Page { rows: most.unwrap_or(u64::MAX), bytes, keys: 0 };
        Self { sink: PageSink::new(rows, envelope, page), most }
    }

    /// The response so far, for what follows the rows.
    pub(crate) fn into_response(self) -> Vec<u8> {
        self.sink.into_response()
    }
}

impl Sink for WholeSink {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.sink.row(row)
    }

    fn restart(&mut self) -> Result<()> {
        self.sink.restart()
    }

    fn complete(&mut self) -> Result<()> {
        match (self.sink.left_off(), self.most) {
            (None, _) => Ok(()),
            (Some(_), Some(most)) if self.sink.taken() == most => Err(too_many(most)),
            (Some(_), _) => Err(too_large()),
        }
    }
}

fn too_many(most: u64) -> Box<Error> {
    Error::new(Fault::TooManyRows, format!("There are more rows than db-max-rows allows, {most}"))
        .hint("Set limit, or more conditions")
}

fn too_large() -> Box<Error> {
    Error::new(Fault::AnswerTooLarge, "The rows are more than one message holds")
        .hint("Name fewer fields in read_mask, or ask for fewer rows.")
}

/// What a batch asks for, one for each of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The fields of the key as they are on the wire, by their numbers.
    pub(crate) key: Vec<u8>,
    /// The same for people: `id=5`.
    pub(crate) text: String,
    /// What it means that no row has it.
    pub(crate) missing: Missing,
}

/// What it means that there is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The call fails.
    NotFound,
    /// Nothing.
    Fine,
}

/// Collects rows by their keys, which come as columns after those of the row,
/// and answers in the order in which they were asked for.
#[derive(Debug)]
pub(crate) struct KeyedSink {
    rows: Arc<MessageEncoder>,
    keys: Arc<MessageEncoder>,
    wanted: Vec<Wanted>,
    /// Where the rows found stand in `out`.
    found: HashMap<Vec<u8>, Range<usize>>,
    out: Vec<u8>,
    bytes: usize,
}

/// The columns of a row from one of them on.
struct Tail<'a>(&'a dyn Row, usize);

impl Row for Tail<'_> {
    fn len(&self) -> usize {
        self.0.len().saturating_sub(self.1)
    }

    fn get(&self, column: usize) -> Option<&[u8]> {
        self.0.get(self.1 + column)
    }
}

impl KeyedSink {
    /// A sink for at most so many bytes; `keys` encodes what [`Wanted::key`] is compared with.
    pub(crate) fn new(
        rows: Arc<MessageEncoder>,
        keys: Arc<MessageEncoder>,
        wanted: Vec<Wanted>,
        bytes: usize,
    ) -> Self {
        Self { rows, keys, wanted, found: HashMap::new(), out: Vec::new(), bytes }
    }

    /// The rows in the order of what was wanted, each in the field of this number.
    pub(crate) fn into_response(self) -> Vec<u8> {
        let mut response = Vec::with_capacity(self.out.len());
        for place in self.wanted.iter().filter_map(|wanted| self.found.get(&wanted.key)) {
            response.extend_from_slice(self.out.get(place.clone()).unwrap_or_default());
        }
        response
    }
}

impl Sink for KeyedSink {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        let start = self.out.len();
        Envelope::Field(crate::grpc::method::number::ROWS).write(
            &self.rows,
            row,
            self.found.len() as u64 + 1,
            &mut self.out,
        )?;
        let mut key = Vec::with_capacity(16);
        self.keys.row(&Tail(row, self.rows.len()), &mut key)?;
        self.found.insert(key, start..self.out.len());
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        self.found.clear();
        self.out.clear();
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        let mut rest = self.found.len();
        let mut missing = None;
        let mut seen = HashSet::new();
        for (at, wanted) in self.wanted.iter().enumerate() {
            if self.found.contains_key(&wanted.key) {
                rest -= usize::from(seen.insert(&wanted.key));
            } else if wanted.missing == Missing::NotFound && missing.is_none() {
                missing = Some((at, wanted));
            }
        }
        match missing {
            Some((at, _)) if rest > 0 => {
                Err(refuse(&format!("requests[{at}]"), "the key is not written as PostgreSQL writes it"))
            }
            Some((at, wanted)) => {
                let text = &wanted.text;
                let message = format!("requests[{at}]: no row has the key {text}");
                Err(Error::new(Fault::RowMissing, message))
            }
            None if self.out.len() > self.bytes => Err(too_large()),
            None => Ok(()),
        }
    }
}
