//! Ranges of rows, and what is said of those that cannot be.

use super::literal::Number;
use crate::error::{Error, Fault};

/// The rows from `offset` on, `limit` of them at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Range<N = Number> {
    /// How many rows are passed over.
    pub offset: N,
    /// How many are wanted; `None` for all.
    pub limit: Option<N>,
}

impl From<Range<u64>> for Range {
    fn from(Range { offset, limit }: Range<u64>) -> Self {
        Self { offset: offset.into(), limit: limit.map(Number::from) }
    }
}

/// The rows of an embed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmbedRange {
    /// These.
    Rows(Range),
    /// Fewer than none.
    Negative,
}

/// PGRST103.
pub(crate) fn not_satisfiable(details: impl Into<serde_json::Value>) -> Box<Error> {
    Error::new(Fault::RangeNotSatisfiable, "Requested range not satisfiable").details(details)
}

/// A limit below zero.
pub(crate) fn negative_limit() -> Box<Error> {
    not_satisfiable("Limit should be greater than or equal to zero.")
}

/// Why there are no rows at this offset.
pub(crate) fn beyond_the_end(offset: u64, total: u64) -> Box<Error> {
    not_satisfiable(format!("An offset of {offset} was requested, but there are only {total} rows."))
}
