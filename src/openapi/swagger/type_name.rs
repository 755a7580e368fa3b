//! The names that PostgREST calls types by, and what these are in Swagger. A
//! name is all that it goes by, so a type of the database's own is a string.

use crate::catalog::{
    Catalog,
    descriptor::{Column, Type, TypeKind},
};
use serde::Serialize;

/// A type of Swagger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Array,
    Boolean,
    Integer,
    Number,
    String,
}

/// By their names, the types that are not strings, and the format where it is not
/// the name. JSON can be anything.
const KINDS: &[(&str, Option<Kind>, Option<&str>)] = &[
    ("boolean", Some(Kind::Boolean), None),
    ("smallint", Some(Kind::Integer), Some("int32")),
    ("integer", Some(Kind::Integer), Some("int32")),
    ("bigint", Some(Kind::Integer), Some("int64")),
    ("numeric", Some(Kind::Number), None),
    ("real", Some(Kind::Number), None),
    ("double precision", Some(Kind::Number), None),
    ("json", None, None),
    ("jsonb", None, None),
];

/// What a type of this name is; `None` if it can be anything.
pub(super) fn kind(name: &str) -> Option<Kind> {
    match KINDS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, _)) => *kind,
        None if name.ends_with("[]") => Some(Kind::Array),
        None => Some(Kind::String),
    }
}

/// The format of a type of this name.
pub(super) fn format(name: &str) -> &str {
    let known = KINDS.iter().find(|(known, ..)| *known == name);
    known.and_then(|(_, _, format)| *format).unwrap_or(name)
}

/// The name of the elements' type.
pub(super) fn element(name: &str) -> &str {
    name.strip_suffix("[]").unwrap_or(name)
}

/// The name of a column's type: without a length where it is PostgreSQL's own, and
/// the base type of a domain where that is.
pub(super) fn of_column<'c>(catalog: &'c Catalog, column: &'c Column) -> &'c str {
    match catalog.base_type(column.r#type) {
        Some(base) if is_built_in(base) => &base.sql_name,
        Some(_) | None => &column.sql_type,
    }
}

/// The name of a type where these schemas are searched: without its schema if it
/// is found there.
pub(super) fn of_type(catalog: &Catalog, oid: u32, searched: &[&str]) -> Option<String> {
    let found = catalog.type_of(oid)?;
    // An array is found where its elements are.
    let (named, suffix) = match found.kind() {
        TypeKind::Array => (catalog.type_of(found.element)?, "[]"),
        TypeKind::Base
        | TypeKind::Enum
        | TypeKind::Composite
        | TypeKind::Domain
        | TypeKind::Range
        | TypeKind::Pseudo
        | TypeKind::Unspecified => (found, ""),
    };
    let name = match !is_built_in(named) && is_visible(catalog, named, searched) {
        true => without_schema(&named.sql_name),
        false => &named.sql_name,
    };
    Some(format!("{name}{suffix}"))
}

fn is_built_in(found: &Type) -> bool {
    found.schema == "pg_catalog"
}

/// Whether no type of the same name stands before it.
fn is_visible(catalog: &Catalog, named: &Type, searched: &[&str]) -> bool {
    let Some(at) = searched.iter().position(|schema| *schema == named.schema) else { return false };
    let before: Vec<&str> = searched.iter().take(at).copied().chain(["pg_catalog"]).collect();
    let mut types = catalog.descriptor().types.iter();
    !types.any(|other| other.name == named.name && before.contains(&other.schema.as_str()))
}

/// Takes the first part from a qualified name, which may be quoted.
fn without_schema(name: &str) -> &str {
    let mut quoted = false;
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'.' if !quoted => return name.get(at + 1..).unwrap_or(name),
            _ => {}
        }
    }
    name
}
