//! Order terms, as typed.

use super::select::{AggregateFunction, Field};

/// `asc` or `desc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Direction {
    Asc,
    Desc,
}

/// `nullsfirst` or `nullslast`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Nulls {
    First,
    Last,
}

/// One term of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderTerm {
    /// The embed whose field it is, for `order=rel(col)`.
    pub relation: Option<String>,
    /// By which field; of an aggregate over rows the name is empty.
    pub field: Field,
    /// The aggregate over it, where the rows are groups.
    pub aggregate: Option<AggregateFunction>,
    /// `None` if nothing was said.
    pub direction: Option<Direction>,
    /// `None` if nothing was said.
    pub nulls: Option<Nulls>,
}
