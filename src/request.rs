//! The neutral request: what was asked, as typed. Both front doors make it and
//! nothing below them knows which one did. Nothing here is resolved: names may
//! be wrong, types unknown.

mod context;
mod cookie;
pub mod filter;
pub mod literal;
pub mod operator;
pub mod order;
pub mod parse;
pub mod payload;
pub mod prefer;
pub mod range;
pub mod seen;
pub mod select;
pub mod shape;
pub mod urlencoded;

use crate::media::MediaType;
use filter::{Filter, Logic};
use order::OrderTerm;
use payload::{Arguments, Payload};
use prefer::Preferences;
use range::{EmbedRange, Range};
use select::{SelectItem, Texts};
use std::time::Duration;

pub use context::{Context, TraceParent};

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The schema that names are looked up in.
    pub schema: String,
    /// What is to be done.
    pub action: Action,
    /// Which columns, rows and relations.
    pub query: Query,
    /// How.
    pub preferences: Preferences,
    /// In which form rows are wanted.
    pub accept: Accept,
    /// What the transaction is told of the request.
    pub context: Context,
    /// How long it may take; becomes `statement_timeout`.
    pub deadline: Option<Duration>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read rows of a relation.
    Read {
        /// The relation's name.
        relation: String,
    },
    /// Insert rows.
    Insert {
        /// The relation's name.
        relation: String,
        /// The rows.
        payload: Payload,
        /// Only these keys count, if given.
        columns: Option<Vec<String>>,
        /// The columns whose unique key decides what a duplicate is; the
        /// primary key if `None`. Of effect with a `resolution` only.
        on_conflict: Option<Vec<String>>,
    },
    /// Insert one row or update it, by its key: PUT.
    Upsert {
        /// The relation's name.
        relation: String,
        /// The row.
        payload: Payload,
        /// Only these keys count, if given.
        columns: Option<Vec<String>>,
    },
    /// Update the rows that the filters leave.
    Update {
        /// The relation's name.
        relation: String,
        /// The new values: one object.
        payload: Payload,
        /// Only these keys count, if given.
        columns: Option<Vec<String>>,
        /// The columns, composites, of which only the attributes that the
        /// object has are written: the others stay.
        parts: Vec<String>,
    },
    /// Update each of several rows by its key.
    UpdateEach {
        /// The relation's name.
        relation: String,
        /// The rows: an array of objects that have the key. With
        /// `missing=default` a column that an object lacks is left as it is.
        payload: Payload,
        /// The columns of the key.
        key: Vec<String>,
        /// The columns of which only the attributes that the objects have are
        /// written.
        parts: Vec<String>,
    },
    /// Delete the rows that the filters leave.
    Delete {
        /// The relation's name.
        relation: String,
    },
    /// Call a function.
    Call {
        /// The function's name.
        function: String,
        /// The arguments.
        arguments: Arguments,
        /// Whether it may write.
        access: CallAccess,
    },
}

/// Whether a call may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallAccess {
    /// It may not, whatever the function is: GET and HEAD.
    ReadOnly,
    /// As the function's volatility says: POST.
    ByVolatility,
}

/// Which columns, rows and relations. Filters, orders and ranges are addressed
/// by the path of embeds they belong to; the empty path is the root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Query {
    /// The select list; empty for every column.
    pub select: Vec<SelectItem>,
    /// What is wanted as text besides what the select list casts; of effect on
    /// binary columns only.
    pub texts: Texts,
    /// Conditions on fields, ANDed.
    pub filters: Vec<(EmbedPath, Filter)>,
    /// Logic trees, ANDed with the filters.
    pub logic: Vec<(EmbedPath, Logic)>,
    /// Orders.
    pub order: Vec<(EmbedPath, Vec<OrderTerm>)>,
    /// Ranges of embeds.
    pub ranges: Vec<(EmbedPath, EmbedRange)>,
    /// The range of the root.
    pub range: Range,
    /// What becomes of rows beyond `db-max-rows`.
    pub excess: Excess,
}

/// What becomes of rows of the root beyond `db-max-rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Excess {
    /// They do not come.
    #[default]
    LeftOff,
    /// One of them comes, to tell of the others.
    Told,
}

/// Names of embeds, outermost first.
pub type EmbedPath = Vec<String>;

/// In which form rows are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Accept {
    /// A body of the first of these media types that can be made.
    Media(Vec<MediaType>),
    /// What would be said of such a body, but no body: HEAD.
    Head(Vec<MediaType>),
    /// Rows of binary columns, for an encoder that knows the select list.
    Columns,
    /// As `Columns`; the sink says whether the transaction may stay.
    CheckedColumns,
}
