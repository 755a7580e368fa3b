//! Preferences (RFC 7240), as typed.

/// `resolution=`: what an insert does with rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// Their columns are updated.
    MergeDuplicates,
    /// They are left as they are.
    IgnoreDuplicates,
}

/// `return=`: what a mutation answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Return {
    /// Nothing.
    Minimal,
    /// Nothing but where the row is.
    HeadersOnly,
    /// The rows.
    Representation,
}

/// `count=`: how the total is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// By counting.
    Exact,
    /// By the planner's estimate.
    Planned,
    /// By counting up to `db-max-rows`, by the planner beyond.
    Estimated,
}

/// `tx=`: how the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionEnd {
    /// What was done stays.
    Commit,
    /// Everything is undone.
    Rollback,
}

/// `missing=`: what keys missing in a body stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The column's default.
    Default,
    /// NULL.
    Null,
}

/// `handling=`: what unknown preferences do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// They are an error.
    Strict,
    /// They are ignored.
    Lenient,
}

/// What becomes of values for identity columns that are GENERATED ALWAYS. No preference of REST's says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Identities {
    /// PostgreSQL refuses them.
    #[default]
    Generated,
    /// They are inserted: `OVERRIDING SYSTEM VALUE`.
    Given,
}

/// The preferences of one request; `None` where nothing was said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Preferences {
    /// `resolution=`.
    pub resolution: Option<Resolution>,
    /// `return=`.
    pub representation: Option<Return>,
    /// `count=`.
    pub count: Option<Count>,
    /// `tx=`, where the configuration allows it.
    pub transaction_end: Option<TransactionEnd>,
    /// `missing=`.
    pub missing: Option<Missing>,
    /// `handling=`.
    pub handling: Option<Handling>,
    /// `timezone=`.
    pub timezone: Option<String>,
    /// `max-affected=`.
    pub max_affected: Option<i64>,
    /// What becomes of values for identity columns.
    pub identities: Identities,
    /// What is none of the above, as it was sent.
    pub unknown: Vec<String>,
}
