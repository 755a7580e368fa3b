//! One request is one unit of work: settings, one statement, its parameters,
//! access mode and isolation, in one network round trip. No client, no
//! transaction guard and no `get()` crosses this line, so that a dropped
//! request can never leave a transaction open.
//!
//! ```text
//!     pgduet                               PostgreSQL
//!       │ BEGIN ISOLATION LEVEL … READ …      │
//!       │ SELECT set_config(…), …             │
//!       │ [SELECT pre_request()]              │
//!       │ the statement                       │   one flush
//!       │ [SELECT response settings]          │
//!       │ COMMIT                              │
//!       ├────────────────────────────────────▶│
//!       │◀────────────────────────────────────┤
//! ```
//!
//! Where the outcome decides how the transaction ends (exactly one row, at most
//! n rows), COMMIT or ROLLBACK follows in a second flush.

mod body;
mod connect;
mod count;
mod csv;
mod error;
mod json;
mod lease;
mod pool;
pub mod response;
mod row;
mod sent;
mod session;
mod settings;
mod statement_cache;
mod unit;

pub use body::Body;
pub use connect::Pair;
pub use pool::{Options, Pool, Status};
pub use statement_cache::Preparation;

use crate::sql::{Fragment, Statement};
use std::time::Duration;

/// Whether the transaction may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// The isolation level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Isolation {
    #[default]
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// How the transaction ends if nothing fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What was done stays.
    Commit,
    /// Everything is undone, after deferred constraints were checked.
    Rollback,
}

/// What must hold of the row count, or the unit is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Nothing.
    Any,
    /// Exactly one row: PGRST116 otherwise.
    One,
    /// The one row that PUT is about: PGRST115 otherwise.
    UpsertedOne,
    /// At most so many rows: PGRST124 otherwise.
    AtMost(u64),
}

/// One complete unit of work.
#[derive(Debug)]
pub struct Unit {
    /// `set_config` pairs, in their order; role first among those that matter
    /// for privileges. All are local to the transaction.
    pub settings: Vec<(String, String)>,
    /// Whether it may write.
    pub access: Access,
    /// The isolation level.
    pub isolation: Isolation,
    /// A call that comes before the statement.
    pub pre_request: Option<Fragment>,
    /// The statement.
    pub statement: Statement,
    /// The statement that finds the total: one row, one column.
    pub count: Option<CountStatement>,
    /// Whether `response.headers` and `response.status` can have been set.
    pub response_settings: ResponseSettings,
    /// What must hold of the row count.
    pub expectation: Expectation,
    /// How it ends.
    pub end: End,
    /// `statement_timeout` and the time after which the unit is cancelled.
    pub deadline: Option<Duration>,
}

/// How the total is found.
#[derive(Debug)]
pub enum CountStatement {
    /// By this statement: one row, one int8.
    Exact(Fragment),
    /// By the plan of this statement, to which `EXPLAIN (FORMAT JSON)` is added here.
    Planned(Fragment),
    /// By counting up to the limit that is in the first, by the plan of the second beyond.
    Estimated {
        /// Counts up to the limit and one more.
        counted: Fragment,
        /// Is planned where there are more.
        planned: Fragment,
        /// The limit: `db-max-rows`.
        limit: u64,
    },
}

/// Whether `response.*` is looked up when the statement has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseSettings {
    /// Nothing in this unit can have set them.
    Unset,
    /// A function, trigger, policy or view may have.
    Read,
}

/// What a unit gave, besides the rows in its sink.
#[derive(Debug, Default)]
pub struct Report {
    /// Rows that came, or were affected.
    pub rows: u64,
    /// The total, where a count was asked for.
    pub total: Option<u64>,
    /// `response.headers` as it was set.
    pub headers: Option<String>,
    /// `response.status` as it was set.
    pub status: Option<String>,
    /// Whatever fact columns the statement had, of its last row.
    pub facts: Vec<Option<String>>,
}
