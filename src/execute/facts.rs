//! Columns that carry facts rather than data, as text. They come after the data's, and
//! are the same in each row unless they say otherwise: only the last one's
//! are read, and whether a row has data at all.

use super::{
    Report, error,
    wire::{self, Columns, Frame, Received},
};
use crate::{
    error::Error,
    outcome::Row as _,
    sql::{Fact, LEFT},
};

/// Whether the row has data, and did not come for its facts alone.
pub(super) fn has_data(row: &Received<'_>, facts: &[Fact]) -> bool {
    let absent = |(at, fact): (usize, &Fact)| {
        matches!(fact, Fact::Present) && row.get(first(row, facts) + at).is_none()
    };
    !facts.iter().enumerate().any(absent)
}

/// Adds what a row says of itself.
pub(super) fn add(report: &mut Report, row: &Received<'_>, facts: &[Fact]) {
    for (at, fact) in facts.iter().enumerate() {
        if *fact == Fact::IsInserted && row.get(first(row, facts) + at) == Some(b"1") {
            report.inserted += 1;
        }
    }
}

/// Adds the last row's facts to the report.
pub(super) fn read(report: &mut Report, last: &Received<'_>, facts: &[Fact]) {
    let first = first(last, facts);
    report.facts = (first..last.len()).map(|column| last.text(column)).collect();
    for (fact, text) in facts.iter().zip(&report.facts) {
        let number = || text.as_ref().and_then(|text| text.parse().ok());
        match fact {
            Fact::Total => report.total = number(),
            Fact::Rows => report.rows = number().unwrap_or(report.rows),
            Fact::Present | Fact::Inserted | Fact::IsInserted | Fact::Key(_) | Fact::Left => {}
        }
    }
}

/// Takes what code has left behind out of the facts.
pub(super) fn left(report: &mut Report) -> Result<[Option<String>; LEFT.len()], Box<Error>> {
    let first = report.facts.len().checked_sub(LEFT.len());
    let first = first.ok_or_else(|| error::unexpected("a call without a row"))?;
    let mut left = report.facts.drain(first..);
    Ok(std::array::from_fn(|_| left.next().flatten()))
}

/// The column of the first fact.
fn first(row: &Received<'_>, facts: &[Fact]) -> usize {
    row.len().saturating_sub(facts.len())
}

/// The texts of a row's first columns.
pub(super) fn texts<const N: usize>(row: Option<&Frame>) -> Result<[Option<String>; N], wire::Error> {
    let Some(frame) = row else { return Ok([const { None }; N]) };
    let mut columns = Columns::default();
    let row = columns.read(frame.body())?;
    Ok(std::array::from_fn(|column| row.text(column)))
}
