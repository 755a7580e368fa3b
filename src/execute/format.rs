//! In which form the columns of a statement come, and whether they are described before it runs. It sends nothing.

use super::wire::Results;
use crate::sql::{Layout, Statement};

/// In which format the columns come, of which there are so many.
pub(super) fn results(statement: &Statement, columns: usize) -> Results {
    let text = statement.facts.len();
    match statement.layout {
        Layout::Columns => Results::Binary { binary: columns.saturating_sub(text), text: text.min(columns) },
        Layout::Body => Results::Binary { binary: 1, text },
        Layout::Array(_)
        | Layout::Object(_)
        | Layout::Scalar(_)
        | Layout::Scalars { .. }
        | Layout::Lines
        | Layout::Csv(_)
        | Layout::Nothing => Results::Text,
    }
}

/// Whether a statement's columns are described before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Described {
    /// The sink has to see their types.
    First,
    Never,
}

pub(super) fn described(statement: &Statement) -> Described {
    match statement.layout {
        Layout::Columns => Described::First,
        Layout::Body
        | Layout::Array(_)
        | Layout::Object(_)
        | Layout::Scalar(_)
        | Layout::Scalars { .. }
        | Layout::Lines
        | Layout::Csv(_)
        | Layout::Nothing => Described::Never,
    }
}
