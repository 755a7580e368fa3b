//! Ranges of rows.

/// The rows from `offset` on, `limit` of them at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Range {
    /// How many rows are passed over.
    pub offset: u64,
    /// How many are wanted; `None` for all.
    pub limit: Option<u64>,
}
