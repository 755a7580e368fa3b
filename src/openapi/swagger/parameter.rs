//! Parameters: those that paths share, those that columns make, and the arguments
//! of functions in the query string.

use super::{
    present, reference, schema,
    type_name::{self, Kind},
};
use crate::catalog::{
    Catalog,
    descriptor::{Argument, Column, Function, Relation},
};
use serde_json::{Map, Value, json};

/// A parameter that many paths share.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shared {
    PreferParams,
    PreferReturn,
    PreferCount,
    PreferPost,
    Select,
    OnConflict,
    Order,
    Range,
    RangeUnit,
    Offset,
    Limit,
}

struct Row {
    key: &'static str,
    name: &'static str,
    place: &'static str,
    description: &'static str,
    values: &'static [&'static str],
    default: Option<&'static str>,
}

const HEADER: Row = Row { key: "", name: "", place: "header", description: "", values: &[], default: None };
const PREFER: Row = Row { name: "Prefer", description: "Preference", ..HEADER };
const QUERY: Row = Row { place: "query", ..HEADER };
const PAGING: &str = "Limiting and Pagination";

impl Shared {
    const ALL: [Shared; 11] = [
        Shared::PreferParams,
        Shared::PreferReturn,
        Shared::PreferCount,
        Shared::PreferPost,
        Shared::Select,
        Shared::OnConflict,
        Shared::Order,
        Shared::Range,
        Shared::RangeUnit,
        Shared::Offset,
        Shared::Limit,
    ];

    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Shared::PreferParams => Row { key: "preferParams", ..PREFER },
            Shared::PreferReturn => Row { key: "preferReturn", values: &["return=representation", "return=minimal", "return=none"], ..PREFER },
            Shared::PreferCount  => Row { key: "preferCount",  values: &["count=none"], ..PREFER },
            Shared::PreferPost   => Row { key: "preferPost",   values: &["return=representation", "return=minimal", "return=none", "resolution=ignore-duplicates", "resolution=merge-duplicates"], ..PREFER },
            Shared::Select       => Row { key: "select",       name: "select",      description: "Filtering Columns", ..QUERY },
            Shared::OnConflict   => Row { key: "on_conflict",  name: "on_conflict", description: "On Conflict", ..QUERY },
            Shared::Order        => Row { key: "order",        name: "order",       description: "Ordering", ..QUERY },
            Shared::Range        => Row { key: "range",        name: "Range",       description: PAGING, ..HEADER },
            Shared::RangeUnit    => Row { key: "rangeUnit",    name: "Range-Unit",  description: PAGING, default: Some("items"), ..HEADER },
            Shared::Offset       => Row { key: "offset",       name: "offset",      description: PAGING, ..QUERY },
            Shared::Limit        => Row { key: "limit",        name: "limit",       description: PAGING, ..QUERY },
        }
    }

    fn definition(self) -> (String, Value) {
        let row = self.row();
        let parameter = present(json!({
            "name": row.name,
            "description": row.description,
            "required": false,
            "in": row.place,
            "type": Kind::String,
            "enum": row.values,
            "default": row.default,
        }));
        (row.key.to_owned(), parameter)
    }

    /// A reference to it.
    pub(super) fn reference(self) -> Value {
        refer(self.row().key)
    }
}

/// Every parameter that paths refer to, by its key.
pub(super) fn all(relations: &[&Relation]) -> Map<String, Value> {
    let shared = Shared::ALL.into_iter().map(Shared::definition);
    let own = relations.iter().flat_map(|relation| {
        let filters =
            relation.columns.iter().map(|column| (filter_key(relation, column), column_filter(column)));
        std::iter::once((body_key(relation), body(relation))).chain(filters)
    });
    shared.chain(own).collect()
}

/// Keys of a query string that are no column's filter, whatever columns there are.
const TAKEN: [&str; 6] = ["select", "columns", "on_conflict", "order", "limit", "offset"];

/// References to the filters of every column that can be filtered by its name: a parameter is there once.
pub(super) fn column_filters(relation: &Relation) -> impl Iterator<Item = Value> + '_ {
    let columns = relation.columns.iter().filter(|column| !TAKEN.contains(&column.name.as_str()));
    columns.map(|column| refer(&filter_key(relation, column)))
}

/// A reference to the body that holds a row.
pub(super) fn row_body(relation: &Relation) -> Value {
    refer(&body_key(relation))
}

fn refer(key: &str) -> Value {
    reference("parameters", key)
}

fn body_key(relation: &Relation) -> String {
    format!("body.{}", relation.name)
}

fn filter_key(relation: &Relation, column: &Column) -> String {
    format!("rowFilter.{}.{}", relation.name, column.name)
}

fn column_filter(column: &Column) -> Value {
    present(json!({
        "name": column.name,
        "description": column.comment,
        "required": false,
        "in": "query",
        "type": Kind::String,
    }))
}

fn body(relation: &Relation) -> Value {
    json!({
        "name": relation.name,
        "description": relation.name,
        "required": false,
        "in": "body",
        "schema": reference("definitions", &relation.name),
    })
}

/// The arguments of a function in the body.
pub(super) fn arguments(catalog: &Catalog, function: &Function, searched: &[&str]) -> Value {
    json!({
        "name": "args",
        "required": true,
        "in": "body",
        "schema": schema::arguments(catalog, function, searched),
    })
}

/// An argument of a function in the query string. An array is written `{…}` there, so
/// it is a string; only that of a variadic function is repeated.
pub(super) fn argument(catalog: &Catalog, argument: &Argument, searched: &[&str]) -> Option<Value> {
    let name = type_name::of_type(catalog, argument.r#type, searched)?;
    let kind = type_name::kind(&name).unwrap_or(Kind::String);
    let mut parameter = json!({"name": argument.name, "required": !argument.has_default, "in": "query"});
    if argument.variadic {
        let element = type_name::element(&name);
        parameter["type"] = json!(kind);
        parameter["collectionFormat"] = json!("multi");
        parameter["items"] =
            present(json!({"type": type_name::kind(element), "format": type_name::format(element)}));
    } else {
        parameter["type"] = json!(if kind == Kind::Array { Kind::String } else { kind });
        parameter["format"] = json!(type_name::format(&name));
    }
    Some(parameter)
}
