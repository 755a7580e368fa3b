//! The statement that asks what the current role may do in a schema.

use super::{Fragment, Layout, Statement};

/// Rows of an OID, a column's number, four booleans and a text, in binary form. The first one has the text alone: the state
/// in which the others hold. If that is `known`, there are no others. Of a relation the number is NULL, of a function the
/// booleans are too, of a column the last one is.
pub fn privileges(schema: &str, known: &str) -> Statement {
    let mut fragment = Fragment::new();
    let mut parts = include_str!("privileges.sql").split('$');
    fragment.sql(parts.next().unwrap_or_default());
    for part in parts {
        let (number, rest) = part.split_at(1);
        fragment.text(if number == "1" { schema } else { known });
        fragment.sql(rest);
    }
    Statement { fragment, layout: Layout::Columns, facts: Vec::new() }
}
