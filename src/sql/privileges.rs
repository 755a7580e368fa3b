//! The statement that asks what the current role may do in a schema.

use super::{Fragment, Layout, Statement};

/// Rows of an OID and four booleans in binary form; of a function the booleans are NULL.
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
