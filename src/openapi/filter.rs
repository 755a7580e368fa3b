//! Filters in the query string: which operators a column's type has, and what one looks like. One schema for each family
//! of types and each enum, which the parameters of all columns refer to.

use super::{components::Components, name, schema::string};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Type, TypeKind},
    },
    request::operator::{Operand, Operator},
};
use std::borrow::Cow;
use utoipa::openapi::{Ref, schema::Object};

/// Types that have the same operators.
struct Family {
    /// The component.
    name: &'static str,
    /// Types of `pg_catalog` that are in it.
    types: &'static [&'static str],
    operators: &'static [Operator],
    examples: &'static [&'static str],
}

use Operator::{
    Adj, Cd, Cs, Eq, Fts, Gt, Gte, Ilike, Imatch, In, Is, IsDistinct, Like, Lt, Lte, Match, Neq, Nxl, Nxr,
    Ov, Phfts, Plfts, Sl, Sr, Wfts,
};

const TEXT: Family = Family {
    name: "TextFilter",
    types: &["text", "varchar", "bpchar", "name"],
    operators: &[
        Eq, Neq, Gt, Gte, Lt, Lte, Like, Ilike, Match, Imatch, In, Is, IsDistinct, Fts, Plfts, Phfts, Wfts,
    ],
    examples: &["eq.Emma", "ilike.*moon*", "in.(one,\"two, three\")"],
};
const NUMBER: Family = Family {
    name: "NumberFilter",
    types: &["int2", "int4", "int8", "float4", "float8", "numeric", "oid", "money"],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, In, Is, IsDistinct],
    examples: &["eq.1", "gte.100", "in.(1,2,3)"],
};
const BOOLEAN: Family = Family {
    name: "BooleanFilter",
    types: &["bool"],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, In, Is, IsDistinct],
    examples: &["is.true", "not.is.null"],
};
const TIME: Family = Family {
    name: "TimeFilter",
    types: &["date", "timestamp", "timestamptz", "time", "timetz", "interval"],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, In, Is, IsDistinct],
    examples: &["gte.2024-01-01", "is.null"],
};
const UUID: Family = Family {
    name: "UuidFilter",
    types: &["uuid"],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, In, Is, IsDistinct],
    examples: &["eq.123e4567-e89b-12d3-a456-426614174000"],
};
const JSONB: Family = Family {
    name: "JsonFilter",
    types: &["jsonb"],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, Cs, Cd, In, Is, IsDistinct, Fts, Plfts, Phfts, Wfts],
    examples: &["cs.{\"key\": 1}", "is.null"],
};
const SEARCH: Family = Family {
    name: "SearchFilter",
    types: &["tsvector"],
    operators: &[Fts, Plfts, Phfts, Wfts, Eq, Neq, Gt, Gte, Lt, Lte, In, Is, IsDistinct],
    examples: &["fts.word", "wfts(english).\"two words\" -third"],
};
const ARRAY: Family = Family {
    name: "ArrayFilter",
    types: &[],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, Cs, Cd, Ov, Is, IsDistinct],
    examples: &["cs.{a,b}", "ov.{a,b}", "eq.{}"],
};
const RANGE: Family = Family {
    name: "RangeFilter",
    types: &[],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, Cs, Cd, Ov, Sl, Sr, Nxr, Nxl, Adj, Is, IsDistinct],
    examples: &["ov.[1,5)", "cs.3"],
};
const ENUM: Family = Family {
    name: "",
    types: &[],
    operators: &[Eq, Neq, Gt, Gte, Lt, Lte, In, Is, IsDistinct],
    examples: &[],
};
/// Types whose operators nobody here knows.
const OTHER: Family =
    Family { name: "AnyFilter", types: &[], operators: Operator::ALL, examples: &["eq.value", "is.null"] };

const BY_NAME: [&Family; 7] = [&TEXT, &NUMBER, &BOOLEAN, &TIME, &UUID, &JSONB, &SEARCH];

/// What a type of PostgreSQL's own is called in keys of components, and in SQL; `None` of another type.
pub(super) fn own_type(catalog: &Catalog, oid: u32) -> Option<(Cow<'_, str>, &str)> {
    let of_base = |oid| {
        let found = catalog.type_of(oid)?;
        let is_word = found.name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (found.schema == "pg_catalog" && is_word).then_some(found)
    };
    let found = catalog.type_of(oid)?;
    let word = match found.kind() {
        TypeKind::Base | TypeKind::Range => of_base(oid)?.name.as_str().into(),
        TypeKind::Array => format!("{}.array", of_base(found.element)?.name).into(),
        TypeKind::Enum
        | TypeKind::Composite
        | TypeKind::Domain
        | TypeKind::Pseudo
        | TypeKind::Unspecified => return None,
    };
    Some((word, &found.sql_name))
}

/// A reference to the schema of filters by columns of this type.
pub(super) fn of_type(components: &mut Components<'_>, oid: u32) -> Ref {
    let Some(base) = components.catalog().base_type(oid) else { return refer(components, &OTHER) };
    match base.kind() {
        TypeKind::Array => refer(components, &ARRAY),
        TypeKind::Range => refer(components, &RANGE),
        TypeKind::Enum => of_enum(components, base),
        TypeKind::Base => {
            let family = BY_NAME.into_iter().find(|family| family.types.contains(&base.name.as_str()));
            refer(components, family.unwrap_or(&OTHER))
        }
        TypeKind::Composite | TypeKind::Domain | TypeKind::Pseudo | TypeKind::Unspecified => {
            refer(components, &OTHER)
        }
    }
}

fn refer(components: &mut Components<'_>, family: &Family) -> Ref {
    let examples = family.examples.iter().map(|example| (*example).to_owned()).collect();
    named(components, family.name, family.operators, examples, None)
}

fn of_enum(components: &mut Components<'_>, base: &Type) -> Ref {
    let name = name::of_type(components.schema(), &base.schema, &base.name, "Filter");
    let eq = |label: &String| format!("eq.{label}");
    let listed: Vec<_> = base.labels.iter().map(|label| in_list(label)).collect();
    let mut examples: Vec<String> = base.labels.iter().map(eq).collect();
    if listed.len() > 1 {
        examples.push(format!("in.({})", listed.join(",")));
    }
    let labels: Vec<_> = base.labels.iter().map(|label| format!("`{label}`")).collect();
    let labels = format!("Values: {}.", labels.join(", "));
    named(components, &name, ENUM.operators, examples, Some(labels))
}

/// A value in a list, in quotes where it would be several.
fn in_list(value: &str) -> String {
    match value.contains([',', '(', ')', '"', '\\']) || value.trim() != value {
        true => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
        false => value.to_owned(),
    }
}

fn named(
    components: &mut Components<'_>,
    name: &str,
    operators: &[Operator],
    examples: Vec<String>,
    more: Option<String>,
) -> Ref {
    if components.claim(name) {
        let filter = filter(operators, examples, more);
        components.schema_named(name, filter);
    }
    Ref::from_schema_name(name)
}

fn filter(operators: &[Operator], examples: Vec<String>, more: Option<String>) -> Object {
    let names: Vec<_> = operators.iter().map(|operator| format!("`{}`", operator.row().name)).collect();
    let description = format!(
        "`operator.value`, or `not.operator.value` for the contrary. Operators: {}.",
        names.join(", ")
    );
    let description = more.map_or(description.clone(), |more| format!("{description}\n\n{more}"));
    string().description(Some(description)).pattern(Some(pattern(operators))).examples(examples).build()
}

/// What every filter with these operators begins with.
fn pattern(operators: &[Operator]) -> String {
    let of = |wanted: &[Operand]| {
        let names =
            operators.iter().map(|operator| operator.row()).filter(|row| wanted.contains(&row.operand));
        names.map(|row| row.name).collect::<Vec<_>>().join("|")
    };
    let alternatives = [
        (of(&[Operand::Quantifiable, Operand::Pattern]), r"(\((any|all)\))?"),
        (of(&[Operand::FullText]), r"(\([^()]+\))?"),
        (of(&[Operand::Value, Operand::List, Operand::Is, Operand::Distinct]), ""),
    ];
    let alternatives = alternatives.iter().filter(|(names, _)| !names.is_empty());
    let alternatives: Vec<_> = alternatives.map(|(names, suffix)| format!("({names}){suffix}")).collect();
    format!(r"^(not\.)?({})\.", alternatives.join("|"))
}
