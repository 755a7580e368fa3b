//! The statement that asks whether what a request names is in the database as the catalog has it.

use super::{Fragment, Layout, Statement};
use crate::plan::Named;
use serde_json::{Value, json};

/// A row for each of these that is another now, or is gone.
pub fn differences(named: &Named<'_>) -> Statement {
    let thing = |class: &str, oid: u32, schema: &str, name: &str, columns: Value| json!({ "class": class, "oid": oid, "schema": schema, "name": name, "columns": columns });
    let relations = named.relations.iter().map(|relation| {
        let columns = relation.columns.iter().map(|column| json!([column.name, column.r#type])).collect();
        thing("relation", relation.oid, &relation.schema, &relation.name, columns)
    });
    let functions = named
        .functions
        .iter()
        .map(|function| thing("function", function.oid, &function.schema, &function.name, Value::Null));
    let types = named.types.iter().map(|found| {
        let attributes = found.attributes.iter().map(|part| json!([part.name, part.r#type])).collect();
        let attributes = if found.attributes.is_empty() { Value::Null } else { attributes };
        thing("type", found.oid, &found.schema, &found.name, attributes)
    });
    let things: Value = relations.chain(functions).chain(types).collect();
    let mut fragment = Fragment::new();
    let (before, after) = include_str!("differences.sql").split_once("$1").unwrap_or_default();
    fragment.sql(before).text(things.to_string()).sql(after);
    Statement { fragment, layout: Layout::Columns, facts: Vec::new() }
}
