//! One request is one unit of work: settings, one statement, its parameters,
//! access mode and isolation, in one network round trip. No client, no
//! transaction guard and no `get()` crosses this line, so that a dropped
//! request can never leave a transaction open.
//!
//! `wire` has the drawing of the batch, and says when there is a second flush. Several requests can be one transaction:
//! `unit/series` has that drawing.

mod body;
mod call;
pub mod configuration;
mod connect;
mod count;
mod error;
mod expectation;
mod facts;
mod fixed;
mod format;
mod heartbeat;
mod json;
mod lease;
mod options;
mod pool;
mod preamble;
pub mod response;
mod revival;
mod session;
mod side;
mod statement_cache;
pub mod targets;
mod turns;
mod unit;
mod vet;
mod wire;
mod work;

pub use body::{Body, Form};
pub use connect::{Client, Connection};
pub use fixed::Positions;
pub use heartbeat::{Answer, Ask, Heard, Heartbeat};
pub use options::Options;
pub use pool::{Pool, Status};
pub use revival::{Revival, Revivals};
pub use side::Lent;
pub use statement_cache::{Code, Preparation};
pub use targets::{Fitness, Targets};
pub use unit::Series;

use crate::{
    memory::{Lease, Memory},
    position::Position,
    sql::{Count, Fragment, Literals, Setting, Statement},
};
use std::{borrow::Cow, time::Duration};

pub use crate::plan::transaction::{Access, End, Expectation, Isolation, Reach, ResponseSettings};

/// One complete unit of work.
#[derive(Debug)]
pub struct Unit<'t> {
    /// `set_config` pairs, in their order; role first among those that matter
    /// for privileges. All are local to the transaction.
    pub settings: Vec<Setting>,
    /// Whether it may write.
    pub access: Access,
    /// The isolation level.
    pub isolation: Isolation,
    /// A call that comes before the statement.
    pub pre_request: Option<Cow<'t, Fragment>>,
    /// The statement.
    pub statement: Cow<'t, Statement>,
    /// The same with [`crate::sql::LEFT`] as its last columns, if it gives one row.
    pub looking: Option<Cow<'t, Statement>>,
    /// How the total is found, where it was asked for.
    pub count: Option<Cow<'t, Count>>,
    /// The values of the statement's parameters, and of the count's.
    pub literals: Cow<'t, Literals>,
    /// Whether `response.headers` and `response.status` can have been set.
    pub response_settings: ResponseSettings,
    /// What must hold of the row count.
    pub expectation: Expectation,
    /// How it ends.
    pub end: End,
    /// What the server has to have replayed, where it is a replica; on another one it is `None`.
    pub seen: Option<Position>,
    /// `statement_timeout` and the time after which the unit is cancelled.
    pub deadline: Option<Duration>,
    /// What its rows and its answer may hold.
    pub memory: Memory,
}

impl Unit<'_> {
    /// A lease for what it gives. The answer to a write may exceed the budget: a refusal would make the client repeat a
    /// write that has been committed.
    pub fn lease(&self) -> Lease {
        match self.access {
            Access::ReadOnly => self.memory.lease(),
            Access::ReadWrite => self.memory.overdraft(),
        }
    }
}

/// What a unit gave, besides the rows in its sink.
#[derive(Debug, Default)]
pub struct Report {
    /// Rows that came, or were affected.
    pub rows: u64,
    /// Those of them that say that they were inserted.
    pub inserted: u64,
    /// The total, where a count was asked for.
    pub total: Option<u64>,
    /// `response.headers` as it was set.
    pub headers: Option<String>,
    /// `response.status` as it was set.
    pub status: Option<String>,
    /// The statement's facts, of its last row, in their order.
    pub facts: Vec<Option<String>>,
    /// The position behind its commit, where that is told.
    pub position: Option<Position>,
    /// Whether replicas can do what it does.
    pub fitness: Fitness,
}
