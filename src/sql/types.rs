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
const ENCODERS: &[(&str, Encoder)] = &[
    ("bool", Encoder::Verbatim),
    ("int2", Encoder::Verbatim),
    ("int4", Encoder::Verbatim),
    ("int8", Encoder::Verbatim),
    ("json", Encoder::Verbatim),
    ("jsonb", Encoder::Verbatim),
    ("float4", Encoder::Number),
    ("float8", Encoder::Number),
    ("numeric", Encoder::Number),
    // to_json takes an oid for a string.
    ("oid", Encoder::Text),
    ("text", Encoder::Text),
    ("varchar", Encoder::Text),
    ("name", Encoder::Text),
    ("uuid", Encoder::Text),
    ("time", Encoder::Text),
    ("timetz", Encoder::Text),
];

/// How the text of this type becomes JSON; `None` if only PostgreSQL knows.
pub(super) fn encoder(scope: Scope<'_>, declared: &Type) -> Option<Encoder> {
    let base = scope.catalog.base_type(declared.oid)?;
    if base.schema != "pg_catalog" || base.kind() != TypeKind::Base {
        return None;
    }
    ENCODERS.iter().find(|(name, _)| *name == base.name).map(|(_, encoder)| *encoder)
}

/// Whether this type, looked at through domains, is one of PostgreSQL's with one of these names.
pub(super) fn is_one_of(catalog: &Catalog, declared: Option<&Type>, names: &[&str]) -> bool {
    let base = declared.and_then(|declared| catalog.base_type(declared.oid));
    base.is_some_and(|base| base.schema == "pg_catalog" && names.contains(&base.name.as_str()))
}

/// Names of types that SQL writes in words of its own rather than as an
/// identifier (PostgreSQL's manual, table 8.1).
const WORDS: &[(&str, &str)] = &[
    ("bigint", "bigint"),
    ("bit", "bit"),
    ("bit varying", "bit varying"),
    ("boolean", "boolean"),
    ("char", "char"),
    ("char varying", "char varying"),
    ("character", "character"),
    ("character varying", "character varying"),
    ("dec", "dec"),
    ("decimal", "decimal"),
    ("double precision", "double precision"),
    ("float", "float"),
    ("int", "int"),
    ("integer", "integer"),
    ("interval", "interval"),
    ("national char", "national char"),
    ("national character", "national character"),
    ("nchar", "nchar"),
    ("numeric", "numeric"),
    ("real", "real"),
    ("smallint", "smallint"),
    ("time", "time"),
    ("time with time zone", "time with time zone"),
    ("time without time zone", "time without time zone"),
    ("timestamp", "timestamp"),
    ("timestamp with time zone", "timestamp with time zone"),
    ("timestamp without time zone", "timestamp without time zone"),
    ("varchar", "varchar"),
];

impl Fragment {
    /// Adds a type as a client named it: in SQL's own words, or as an
    /// identifier that is folded to lower case as PostgreSQL folds them.
    pub(super) fn type_named(&mut self, name: &str) -> &mut Self {
        let folded = name.to_lowercase();
        let words: Vec<_> = folded.split_ascii_whitespace().collect();
        let folded = words.join(" ");
        match WORDS.iter().find(|(word, _)| *word == folded) {
            Some((_, sql)) => self.sql(sql),
            None => self.identifier(&folded),
        }
    }

    /// Adds a type of the catalog.
    pub(super) fn type_of(&mut self, found: &Type) -> &mut Self {
        self.qualified(&found.schema, &found.name)
    }
}
