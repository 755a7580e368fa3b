//! Columns that carry facts rather than data. They come after the data's, or
//! before a body that PostgreSQL made, and are the same in each row unless they say otherwise: only the last one's
//! are read, and whether a row has data at all.

use super::{Report, row::Received};
use crate::{
    outcome::Row as _,
    sql::{Fact, Layout, Statement},
};
use tokio_postgres::{Row, types::Type};

/// Whether the row has data, and did not come for its facts alone.
pub(super) fn has_data(row: &Row, statement: &Statement) -> bool {
    let absent = |(at, fact): (usize, &Fact)| {
        matches!(fact, Fact::Present) && Received(row).get(first(row, statement) + at).is_none()
    };
    !statement.facts.iter().enumerate().any(absent)
}

/// Adds the last row's facts to the report.
pub(super) fn read(report: &mut Report, last: &Row, statement: &Statement) {
    let first = first(last, statement);
    for (at, fact) in statement.facts.iter().enumerate() {
        let number = || last.try_get::<_, i64>(first + at).ok().and_then(|number| number.try_into().ok());
        match fact {
            Fact::Total => report.total = number(),
            Fact::Rows => report.rows = number().unwrap_or(report.rows),
            Fact::Present | Fact::Inserted | Fact::Key(_) => {}
        }
    }
    report.facts = (0..statement.facts.len()).map(|at| text(last, first + at)).collect();
}

/// The column of the first fact.
fn first(row: &Row, statement: &Statement) -> usize {
    match statement.layout {
        Layout::Body => 0,
        Layout::Array(_)
        | Layout::Object(_)
        | Layout::Scalar(_)
        | Layout::Scalars { .. }
        | Layout::Lines
        | Layout::Csv(_)
        | Layout::Columns
        | Layout::Nothing => row.len().saturating_sub(statement.facts.len()),
    }
}

/// A column as PostgreSQL would print it. Facts are numbers, booleans or text.
pub(super) fn text(row: &Row, column: usize) -> Option<String> {
    let view = Received(row);
    let bytes = view.get(column)?;
    match row.columns().get(column).map(tokio_postgres::Column::type_) {
        Some(&Type::INT8) => row.try_get::<_, i64>(column).ok().map(|number| number.to_string()),
        Some(&Type::INT4) => row.try_get::<_, i32>(column).ok().map(|number| number.to_string()),
        Some(&Type::BOOL) => row.try_get::<_, bool>(column).ok().map(|truth| truth.to_string()),
        Some(_) | None => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}
