//! The statement that asks what the current role may do in a schema.

use super::{Fragment, Layout, Statement};

/// Rows of an OID, a column's number and four booleans in binary form: of a relation the number is NULL, of a function the
/// booleans are too, of a column the last one is.
pub fn privileges(schema: &str) -> Statement {
    let mut fragment = Fragment::new();
    let mut parts = include_str!("privileges.sql").split("$1").peekable();
    while let Some(part) = parts.next() {
        fragment.sql(part);
        if parts.peek().is_some() {
            fragment.text(schema);
        }
    }
    Statement { fragment, layout: Layout::Columns, facts: Vec::new() }
}
