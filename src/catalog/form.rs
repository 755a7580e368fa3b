//! In which form a column travels when rows are asked for as binary columns:
//! what `sql` writes in the select list, and what the gRPC encoder and the
//! message descriptors are made from. One place, so that they cannot differ.
//!
//! | Form | SQL in the select list | bytes |
//! |---|---|---|
//! | `Bool` … `Bytea` | the column | PostgreSQL's binary format |
//! | `Text` | `col::text`; where a cast differs from the type's output (inet, cidr, bpchar) or from ISO 8601 (date, timestamp), `to_json(col) #>> '{}'` | UTF-8 |
//! | `Hstore` | the column | the extension's binary format |
//! | `Array(Text)` | `col::text[]`, or each element by the rule of `Text` | binary array |
//! | `Array(Record)` | `ARRAY(SELECT …)` of its elements by their form | binary array of binary records |
//! | `Array(_)` | the column | binary array of binary elements |
//! | `Record` | `CASE WHEN col IS NOT DISTINCT FROM NULL THEN NULL ELSE ROW((col).a…) END`, each attribute by its form | binary record |
//!
//! Embeds follow the same rules: to-one is a `ROW(…)` of the embed's select
//! list or NULL, to-many an `array_agg(ROW(…))` of them or NULL.

use super::{
    Catalog,
    descriptor::{Type, TypeKind},
};

/// The form of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are PostgreSQL's types")]
pub enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    TimestampTz,
    Bytea,
    /// The extension's type, wherever it is installed.
    Hstore,
    /// Everything without a form of its own, as PostgreSQL's own text.
    Text,
    /// A one-dimensional array.
    Array(Box<Form>),
    /// A composite: its type's OID, to find the attributes by.
    Record(u32),
}

/// Types with a binary form, by their names in `pg_catalog`.
const BINARY: &[(&str, Form)] = &[
    ("bool", Form::Bool),
    ("int2", Form::Int2),
    ("int4", Form::Int4),
    ("int8", Form::Int8),
    ("float4", Form::Float4),
    ("float8", Form::Float8),
    ("timestamptz", Form::TimestampTz),
    ("bytea", Form::Bytea),
];

/// A base type that an extension makes, in a schema of anyone's choice.
const HSTORE: &str = "hstore";

/// The form of the type of this OID; `Text` if it is unknown.
pub fn form(catalog: &Catalog, oid: u32) -> Form {
    let Some(found) = catalog.base_type(oid) else { return Form::Text };
    match found.kind() {
        TypeKind::Base => binary(found).unwrap_or(Form::Text),
        // Arrays of arrays do not exist in PostgreSQL but through domains.
        TypeKind::Array => match catalog.base_type(found.element) {
            Some(element) if element.kind() == TypeKind::Array => Form::Text,
            Some(_) | None => Form::Array(Box::new(form(catalog, found.element))),
        },
        TypeKind::Composite if !found.attributes.is_empty() => Form::Record(found.oid),
        TypeKind::Composite
        | TypeKind::Enum
        | TypeKind::Domain
        | TypeKind::Range
        | TypeKind::Pseudo
        | TypeKind::Unspecified => Form::Text,
    }
}

fn binary(found: &Type) -> Option<Form> {
    if found.name == HSTORE {
        return Some(Form::Hstore);
    }
    if found.schema != "pg_catalog" {
        return None;
    }
    BINARY.iter().find(|(name, _)| *name == found.name).map(|(_, form)| form.clone())
}
