//! Types: in which form a column is written so that its bytes need no more
//! than an encoder, and the names of types that clients cast to.

use super::{Encoder, Fragment, statement::Scope};
use crate::catalog::{
    Catalog,
    descriptor::{Type, TypeKind},
};

/// Types whose text, which is their output too, is all that their JSON needs.
/// Everything else takes PostgreSQL's `to_json`: `inet` and `bpchar` because
/// their cast to text is not their output, dates because theirs follows
/// `DateStyle`, types of extensions because they may have a cast to json.
///
/// The third column is an expression that PostgreSQL puts into one column with
/// values of the type, and with none of a type that has another encoder (its
/// manual, section 10.5): see `premise`.
const ENCODERS: &[(&str, Encoder, &str)] = &[
    ("bool", Encoder::Boolean, "TRUE"),
    ("json", Encoder::Verbatim, "NULL::pg_catalog.json"),
    ("jsonb", Encoder::Verbatim, "NULL::pg_catalog.jsonb"),
    ("int2", Encoder::Number, NUMBER),
    ("int4", Encoder::Number, NUMBER),
    ("int8", Encoder::Number, NUMBER),
    ("float4", Encoder::Number, NUMBER),
    ("float8", Encoder::Number, NUMBER),
    ("numeric", Encoder::Number, NUMBER),
    // to_json takes an oid for a string.
    ("oid", Encoder::Text, "NULL::pg_catalog.oid"),
    ("text", Encoder::Text, TEXT),
    ("varchar", Encoder::Text, TEXT),
    ("name", Encoder::Text, TEXT),
    ("uuid", Encoder::Text, "NULL::pg_catalog.uuid"),
    ("time", Encoder::Text, "NULL::pg_catalog.timetz"),
    ("timetz", Encoder::Text, "NULL::pg_catalog.timetz"),
];

const NUMBER: &str = "0.0";
const TEXT: &str = "NULL::pg_catalog.text";

/// How the text of this type becomes JSON; `None` if only PostgreSQL knows.
pub(super) fn encoder(scope: Scope<'_>, declared: &Type) -> Option<Encoder> {
    Some(row(scope, declared)?.1)
}

/// An expression that PostgreSQL puts into one column with values that have the encoder of this type,
/// and with no others.
pub(super) fn sample(scope: Scope<'_>, declared: &Type) -> Option<&'static str> {
    Some(row(scope, declared)?.2)
}

fn row(scope: Scope<'_>, declared: &Type) -> Option<&'static (&'static str, Encoder, &'static str)> {
    let base = scope.catalog.base_type(declared.oid)?;
    if base.schema != "pg_catalog" || base.kind() != TypeKind::Base {
        return None;
    }
    ENCODERS.iter().find(|(name, ..)| *name == base.name)
}

/// Whether this type, looked at through domains, is one of PostgreSQL's with one of these names.
pub(super) fn is_one_of(catalog: &Catalog, declared: Option<&Type>, names: &[&str]) -> bool {
    let base = declared.and_then(|declared| catalog.base_type(declared.oid));
    base.is_some_and(|base| base.schema == "pg_catalog" && names.contains(&base.name.as_str()))
}

/// Names of types that SQL writes in words of its own rather than as an
/// identifier (PostgreSQL's manual, table 8.1 and section 8.5.4).
const WORDS: &[&str] = &[
    "bigint",
    "bit",
    "bit varying",
    "boolean",
    "char",
    "char varying",
    "character",
    "character varying",
    "dec",
    "decimal",
    "double precision",
    "float",
    "int",
    "integer",
    "interval",
    "interval day",
    "interval day to hour",
    "interval day to minute",
    "interval day to second",
    "interval hour",
    "interval hour to minute",
    "interval hour to second",
    "interval minute",
    "interval minute to second",
    "interval month",
    "interval second",
    "interval year",
    "interval year to month",
    "national char",
    "national char varying",
    "national character",
    "national character varying",
    "nchar",
    "nchar varying",
    "numeric",
    "real",
    "smallint",
    "time",
    "time with time zone",
    "time without time zone",
    "timestamp",
    "timestamp with time zone",
    "timestamp without time zone",
    "varchar",
];

impl Fragment {
    /// Adds a type as a client named it: in SQL's own words, or as an
    /// identifier that is folded to lower case as PostgreSQL folds them; with `array`
    /// behind it, an array of that type.
    pub(super) fn type_named(&mut self, name: &str) -> &mut Self {
        let folded = name.to_ascii_lowercase();
        let words: Vec<_> = folded.split_ascii_whitespace().collect();
        let (words, is_array) = match words.as_slice() {
            [element @ .., "array"] if !element.is_empty() => (element, true),
            words => (words, false),
        };
        let folded = words.join(" ");
        match WORDS.iter().find(|word| **word == folded) {
            Some(word) => self.sql(word),
            None => self.identifier(&folded),
        };
        self.sql(if is_array { " ARRAY" } else { "" })
    }

    /// Adds a type of the catalog.
    pub(super) fn type_of(&mut self, found: &Type) -> &mut Self {
        self.qualified(&found.schema, &found.name)
    }
}
