//! What must hold of a result, and the error where it does not.

use super::Expectation;
use crate::error::{Error, Fault};

/// Whether so many rows are as expected.
pub(super) fn check(expectation: Expectation, rows: u64) -> Result<(), Box<Error>> {
    match expectation {
        Expectation::One if rows != 1 => {
            Err(Error::new(Fault::NotSingular, "Cannot coerce the result to a single JSON object")
                .details(format!("The result contains {rows} rows")))
        }
        Expectation::UpsertedOne if rows != 1 => Err(Error::new(
            Fault::UpsertKeyMismatch,
            "Payload values do not match URL in primary key column(s)",
        )),
        Expectation::AtMost(most) if i128::from(rows) > i128::from(most) => Err(Error::new(
            Fault::MaxAffectedExceeded,
            "Query result exceeds max-affected preference constraint",
        )
        .details(format!("The query affects {rows} rows"))),
        Expectation::Any
        | Expectation::One
        | Expectation::UpsertedOne
        | Expectation::AtMost(_)
        | Expectation::Sink => Ok(()),
    }
}
