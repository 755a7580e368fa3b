//! What the transaction of a request is like: its access, its end, what must
//! hold of it and what it is told. Only says so; `execute` does it.

/// Whether the transaction may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// Which servers a transaction may run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The primary alone.
    Primary,
    /// A replica, or the primary.
    Replica,
}

/// The isolation level, the strictest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Isolation {
    #[default]
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    /// The level that a value of `default_transaction_isolation` names.
    pub fn named(name: &str) -> Option<Isolation> {
        match name.to_ascii_lowercase().as_str() {
            // PostgreSQL has no level below: it takes the one for the other.
            "read committed" | "read uncommitted" => Some(Isolation::ReadCommitted),
            "repeatable read" => Some(Isolation::RepeatableRead),
            "serializable" => Some(Isolation::Serializable),
            _ => None,
        }
    }
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
    AtMost(i64),
    /// Whatever the sink expects: its error otherwise.
    Sink,
}

/// Whether `response.*` is looked up when the statement has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseSettings {
    /// Nothing in this unit can have set anything.
    Unset,
    /// A function, trigger, policy or view may have.
    Read,
}

/// The transaction of a request.
#[derive(Clone, Debug)]
pub struct Transaction<'c> {
    /// Whether it may write.
    pub access: Access,
    /// Which servers it may run on.
    pub reach: Reach,
    /// The isolation level.
    pub isolation: Isolation,
    /// How it ends.
    pub end: End,
    /// What must hold of the row count.
    pub expectation: Expectation,
    /// Whether `response.*` can have been set.
    pub response_settings: ResponseSettings,
    /// The schema that the search path begins with.
    pub schema: String,
    /// What `ALTER ROLE … SET` gave the role, in its order.
    pub role_settings: &'c [(String, String)],
    /// Settings of a called function that hold for the whole transaction.
    pub function_settings: Vec<(&'c str, &'c str)>,
}
