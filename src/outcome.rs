//! What came back from the engine. A leaf: statuses and headers are chosen by
//! the front doors from these facts.

use crate::{
    error::{Error, Fault, Result},
    metrics::Route,
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

/// The result of one request.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The body, empty where none was asked for or rows went into a sink.
    pub body: Bytes,
    /// Its `Content-Type`, parameters included.
    pub content_type: Arc<str>,
    /// How many rows are in the answer, or were affected.
    pub rows: u64,
    /// How many there are without limit and offset, where a count was asked for.
    pub total: Option<u64>,
    /// Of an upsert: how many rows were inserted, not updated.
    pub inserted: Option<u64>,
    /// The key of a created row: column and value as text.
    pub location: Option<Vec<(String, Option<String>)>>,
    /// What the database set as `response.headers`.
    pub headers: Vec<(String, String)>,
    /// What the database set as `response.status`.
    pub status: Option<u16>,
    /// What the plan found out that answers depend on.
    pub facts: Facts,
    /// When planning was over, where `server-timing-enabled` asks for it.
    pub planned: Option<Instant>,
    /// What the request is counted as.
    pub route: Option<Arc<Route>>,
}

/// What the plan found out that answers depend on.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether a conflict target took part, so that `resolution` was applied.
    pub resolution_applied: bool,
    /// Whether a called function returns nothing: `void`.
    pub returns_void: bool,
    /// Whether a body was made at all.
    pub has_body: bool,
    /// Embeds that were addressed by their target's name though they have an alias.
    pub legacy_names: Vec<LegacyName>,
}

/// An embed that was addressed by its target's name though it has an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyName {
    /// The name that was used.
    pub target: String,
    /// The name that should be.
    pub alias: String,
}

/// One row as it comes from PostgreSQL: a view, nothing is copied.
#[allow(clippy::len_without_is_empty, reason = "what is asked is how many columns, not whether any")]
pub trait Row {
    /// How many columns there are.
    fn len(&self) -> usize;
    /// The bytes of a column; `None` is NULL.
    fn get(&self, column: usize) -> Option<&[u8]>;
    /// How many bytes they have together.
    fn bytes(&self) -> usize {
        (0..self.len()).filter_map(|column| self.get(column)).map(<[u8]>::len).sum()
    }
}

/// Whose pace rows come at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The database's.
    Database,
    /// That of a client, who may stop reading.
    Client,
}

/// Takes rows as they come.
pub trait Sink: Send {
    /// Whose pace it takes them at. Those that wait for clients have a part of the pool only.
    const PACE: Pace;

    /// Told the OIDs of the types of binary columns before the statement runs: an
    /// error keeps it from running.
    fn columns(&mut self, _types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        Ok(())
    }

    /// Takes one row.
    fn row(&mut self, row: &dyn Row) -> Result<()>;

    /// Waits until more rows can be taken. Not called for each row.
    fn ready(&mut self) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Forgets the rows that came, because the unit has had no effect and runs once more. What has handed them on fails.
    fn restart(&mut self) -> Result<()> {
        Err(Error::new(Fault::UnexpectedResult, "Code of the database has deallocated prepared statements")
            .hint("The request can be repeated: nothing that code may deallocate is prepared any more."))
    }

    /// Called after the last row. Where the unit waits for it, an error undoes
    /// the transaction.
    fn complete(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a role may do in a schema, for the OpenAPI document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// Relations by OID.
    pub relations: BTreeMap<u32, RelationPrivileges>,
    /// Functions by OID that it may execute.
    pub functions: BTreeSet<u32>,
}

/// What a role may do with a relation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub struct RelationPrivileges {
    pub select: Columns,
    pub insert: Columns,
    pub update: Columns,
    pub delete: bool,
}

/// The columns that a privilege is granted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// All that there are, on the whole relation.
    All,
    /// Those with these numbers.
    Only(BTreeSet<i32>),
}

impl Default for Columns {
    fn default() -> Self {
        Columns::Only(BTreeSet::new())
    }
}

impl Columns {
    /// Whether the column of this number is one of them.
    pub fn contain(&self, number: i32) -> bool {
        match self {
            Columns::All => true,
            Columns::Only(numbers) => numbers.contains(&number),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Columns::All => false,
            Columns::Only(numbers) => numbers.is_empty(),
        }
    }

    /// Adds the column of this number.
    pub fn add(&mut self, number: i32) {
        match self {
            Columns::All => {}
            Columns::Only(numbers) => {
                numbers.insert(number);
            }
        }
    }
}
