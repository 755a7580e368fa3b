//! The statement that asks which columns relations have now.

use super::{Fragment, Layout, Statement};
use crate::catalog::descriptor::Relation;

/// Rows of a place among `relations`, from 1 up, and the name of a column, in binary form.
pub fn columns(relations: &[&Relation]) -> Statement {
    let names: Vec<_> = relations.iter().map(|relation| [&relation.schema, &relation.name]).collect();
    let mut fragment = Fragment::new();
    let (before, after) = include_str!("columns.sql").split_once("$1").unwrap_or_default();
    fragment.sql(before).text(serde_json::json!(names).to_string()).sql(after);
    Statement { fragment, layout: Layout::Columns, facts: Vec::new() }
}
