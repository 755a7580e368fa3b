//! How many rows of an upsert were inserted, not updated. It writes expressions, no statements.

use crate::{
    plan::mutate::{Change, Conflict, Mutation},
    request::prefer::Resolution,
    sql::Fact,
};

/// Said of each row that is to be inserted.
pub(super) const TO_INSERT: &str = "pg_catalog.set_config('pgduet.updates', 'false', TRUE) IS NOT NULL";
/// Said of it where it was there already and is updated instead.
pub(super) const TO_UPDATE: &str = "pg_catalog.set_config('pgduet.updates', 'true', TRUE) IS NOT NULL";
/// Counts a row that was inserted, once for each row that comes back: a row that a trigger skips does not. PostgreSQL
/// takes the next row only then, so what was said last is about this one.
const COUNT: &str = "pg_catalog.set_config('pgduet.inserted', \
     (pg_catalog.concat('0', pg_catalog.current_setting('pgduet.inserted', TRUE))::pg_catalog.int8 \
     OPERATOR(pg_catalog.+) (NOT pg_catalog.current_setting('pgduet.updates')::pg_catalog.bool)::pg_catalog.int4\
     )::pg_catalog.text, TRUE)::pg_catalog.int8";
/// What has been counted so far.
const COUNTED: &str =
    "pg_catalog.concat('0', pg_catalog.current_setting('pgduet.inserted', TRUE))::pg_catalog.int8";

/// Whether a row was inserted, where Citus keeps it: workers run no function in ON CONFLICT, and know no settings of the
/// coordinator's. What was there has been locked by this transaction, which stays in `xmax`; a new row has none. Tables of
/// PostgreSQL's own are not asked so: a role needs the right to SELECT the whole table to see a system column.
const IS_NEW: &str = "(\"xmax\" OPERATOR(pg_catalog.=) 0)::pg_catalog.int4";
/// How many were, of all that came back.
const NEW: &str = "(SELECT pg_catalog.sum(\"pgduet_inserted\") FROM \"pgduet_source\")";

/// Where rows are written down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Origin {
    /// In the mutation itself, by `RETURNING`.
    Mutation,
    /// In what reads from it.
    Source,
}

/// The fact of how many rows were inserted, not updated, and its expression, where that is a question.
pub(in crate::sql) fn inserted(mutation: &Mutation<'_>, origin: Origin) -> Option<(Fact, &'static str)> {
    merges(&mutation.change).then_some(match (mutation.relation.is_distributed, origin) {
        (false, Origin::Mutation) => (Fact::Inserted, COUNT),
        (false, Origin::Source) => (Fact::Inserted, COUNTED),
        (true, Origin::Mutation) => (Fact::IsInserted, IS_NEW),
        (true, Origin::Source) => (Fact::Inserted, NEW),
    })
}

/// Whether rows that are there already are updated.
pub(super) fn merges(change: &Change<'_>) -> bool {
    match change {
        Change::Insert { conflict: Some(Conflict { resolution, .. }), .. } => {
            *resolution == Resolution::MergeDuplicates
        }
        Change::Upsert { .. } => true,
        Change::Insert { conflict: None, .. }
        | Change::Update(_)
        | Change::UpdateEach { .. }
        | Change::Delete => false,
    }
}
