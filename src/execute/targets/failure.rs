//! What the failure of a read on a replica says: that the request is at fault, or that another server can answer it. A
//! read has no effects, so that it can run again.

use super::Fitness;
use crate::{
    error::{Error, Fault, Origin},
    execute::preamble,
};

/// Where a read runs that has failed on a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// On another replica that can serve it, or else on the primary: this one is away, or not as far as was thought.
    Another,
    /// On the primary.
    Primary(Fitness),
    /// Nowhere: it would fail there, too.
    Nowhere,
}

/// By the class of a SQLSTATE. What is not listed is about the request or its data.
const CLASSES: [(&str, Next); 11] = [
    // Connection exception, insufficient resources, system error, and administrator shutdown and what is like it.
    ("08", Next::Another),
    ("53", Next::Another),
    ("58", Next::Another),
    ("57P", Next::Another),
    // Transaction rollback: replaying the log conflicts with the read.
    ("40", Next::Primary(Fitness::Fit)),
    // The replica may be behind what has been done to the schema, and its privileges, or has half of it.
    ("42", Next::Primary(Fitness::Fit)),
    ("3F", Next::Primary(Fitness::Fit)),
    ("XX", Next::Primary(Fitness::Fit)),
    // What a standby refuses in every transaction: unlogged tables, NOTIFY, transaction ids, and more.
    ("0A", Next::Primary(Fitness::Unfit)),
    ("25", Next::Primary(Fitness::Unfit)),
    ("55", Next::Primary(Fitness::Unfit)),
];

/// Where a read runs that has failed so.
pub(super) fn next(error: &Error) -> Next {
    if preamble::is_behind(error) {
        return Next::Another;
    }
    match &error.origin {
        Origin::Pgduet(Fault::DatabaseUnreachable | Fault::DatabaseClient) => Next::Another,
        // Columns that are not those of the catalog.
        Origin::Pgduet(Fault::ColumnMissing | Fault::UnexpectedResult) => Next::Primary(Fitness::Fit),
        Origin::Pgduet(_) => Next::Nowhere,
        Origin::PostgreSql(report) => {
            let class = CLASSES.iter().find(|(class, _)| report.sqlstate.starts_with(class));
            class.map_or(Next::Nowhere, |(_, next)| *next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Report;

    #[test]
    fn a_read_runs_again_where_its_replica_is_to_blame() {
        let of = |sqlstate: &str, message: &str| {
            next(&Error::reported(Report { sqlstate: sqlstate.to_owned(), ..Report::default() }, message))
        };
        for (sqlstate, expected) in [
            ("57P01", Next::Another),
            ("53300", Next::Another),
            ("40001", Next::Primary(Fitness::Fit)),
            ("42703", Next::Primary(Fitness::Fit)),
            ("42501", Next::Primary(Fitness::Fit)),
            ("25006", Next::Primary(Fitness::Unfit)),
            ("0A000", Next::Primary(Fitness::Unfit)),
            ("57014", Next::Nowhere),
            ("22P02", Next::Nowhere),
            ("P0001", Next::Nowhere),
        ] {
            assert_eq!(of(sqlstate, "no"), expected, "{sqlstate}");
        }
        assert_eq!(of("22P02", "invalid input syntax for type pg_lsn: \"behind\""), Next::Another);
    }
}
