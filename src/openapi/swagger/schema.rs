//! Rows and arguments as schemas.

use super::{
    super::comment,
    present,
    type_name::{self, Kind},
};
use crate::catalog::{
    Catalog,
    descriptor::{Column, Function, Relation},
};
use serde_json::{Map, Value, json};

/// A row of a relation.
pub(super) fn row(catalog: &Catalog, relation: &Relation) -> Value {
    let columns = &relation.columns;
    let properties: Map<_, _> =
        columns.iter().map(|column| (column.name.clone(), property(catalog, relation, column))).collect();
    let required: Vec<_> =
        columns.iter().filter(|column| column.not_null).map(|column| &column.name).collect();
    present(json!({
        "description": relation.comment,
        "type": "object",
        "properties": properties,
        "required": required,
    }))
}

fn property(catalog: &Catalog, relation: &Relation, column: &Column) -> Value {
    let name = type_name::of_column(catalog, column);
    let labels = catalog.base_type(column.r#type).map(|base| base.labels.as_slice()).unwrap_or_default();
    let about = present(json!({
        "description": comment::of_column(catalog, relation, column),
        "default": column.default.as_deref().and_then(|default| literal(name, default)),
        "enum": labels,
        "maxLength": column.max_length,
    }));
    of_type(name, about)
}

/// The arguments of a function as one object; the description is the whole comment.
/// `searched` are the schemas whose types are called by their names alone.
pub(super) fn arguments(catalog: &Catalog, function: &Function, searched: &[&str]) -> Value {
    let properties: Map<_, _> = function
        .arguments
        .iter()
        .filter_map(|argument| {
            let name = type_name::of_type(catalog, argument.r#type, searched)?;
            Some((argument.name.clone(), of_type(&name, json!({}))))
        })
        .collect();
    let required: Vec<_> = function
        .arguments
        .iter()
        .filter(|argument| !argument.has_default)
        .map(|argument| &argument.name)
        .collect();
    present(json!({
        "description": function.comment,
        "type": "object",
        "properties": properties,
        "required": required,
    }))
}

/// Adds what a type of this name is.
fn of_type(name: &str, mut schema: Value) -> Value {
    let kind = type_name::kind(name);
    if let Some(kind) = kind {
        schema["type"] = json!(kind);
    }
    schema["format"] = json!(type_name::format(name));
    if kind == Some(Kind::Array) {
        // Elements that can be anything have the empty schema.
        schema["items"] = match type_name::kind(type_name::element(name)) {
            Some(kind) => json!({"type": kind}),
            None => json!({}),
        };
    }
    schema
}

/// A default as JSON, where it is a value of the type: of a string the text of the literal, of anything else what happens
/// to be JSON as PostgreSQL writes it. PostgREST has expressions such as `CURRENT_DATE` here, which are no dates.
fn literal(type_name: &str, default: &str) -> Option<Value> {
    let kind = type_name::kind(type_name);
    if kind != Some(Kind::String) {
        let value: Value = serde_json::from_str(default).ok()?;
        let fits = match kind {
            Some(Kind::Integer) => value.is_i64(),
            Some(Kind::Number) => value.is_number(),
            Some(Kind::Boolean) => value.is_boolean(),
            Some(Kind::Array) => value.is_array(),
            Some(Kind::String) | None => true,
        };
        return fits.then_some(value);
    }
    let quoted = default.strip_suffix(type_name).and_then(|rest| rest.strip_suffix("::"))?;
    let text = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    // Escapes are read as JSON's.
    serde_json::from_str(&format!("\"{text}\"")).ok()
}
