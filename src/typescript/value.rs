//! PostgreSQL's types as TypeScript's: what `JSON.parse` makes of the values that REST writes.

use super::print::{key, text};
use crate::catalog::{
    Catalog,
    descriptor::{Relation, Type, TypeKind},
};

/// How deep a type is written out that has no name in `Database`: a composite may hold arrays of itself.
const DEEPEST: usize = 8;

/// Types of `pg_catalog` that are no strings in JSON.
const BASE: [(&str, &str); 9] = [
    ("bool", "boolean"),
    ("int2", "number"),
    ("int4", "number"),
    ("int8", "number"),
    ("float4", "number"),
    ("float8", "number"),
    ("numeric", "number"),
    ("json", "Json"),
    ("jsonb", "Json"),
];

/// The type of values of this type that are not NULL.
pub(super) fn of_type(catalog: &Catalog, oid: u32) -> String {
    at_depth(catalog, oid, 0)
}

fn at_depth(catalog: &Catalog, oid: u32, depth: usize) -> String {
    let (Some(declared), Some(base)) = (catalog.type_of(oid), catalog.base_type(oid)) else {
        return "unknown".to_owned();
    };
    if depth > DEEPEST || is_represented(catalog, declared) {
        return "Json".to_owned();
    }
    match base.kind() {
        TypeKind::Array => {
            let element = at_depth(catalog, base.element, depth + 1);
            if element.contains(' ') { format!("({element})[]") } else { format!("{element}[]") }
        }
        TypeKind::Enum if catalog.is_exposed(&base.schema) => {
            format!("Database[{}][\"Enums\"][{}]", text(&base.schema), text(&base.name))
        }
        TypeKind::Enum => labels(&base.labels),
        TypeKind::Composite => composite(catalog, base, depth),
        TypeKind::Pseudo => match base.name.as_str() {
            "void" => "undefined".to_owned(),
            "record" => "Record<string, unknown>".to_owned(),
            _ => "unknown".to_owned(),
        },
        TypeKind::Base => {
            let row = BASE.iter().find(|(name, _)| base.schema == "pg_catalog" && *name == base.name);
            row.map_or("string", |(_, written)| written).to_owned()
        }
        TypeKind::Range | TypeKind::Domain | TypeKind::Unspecified => "string".to_owned(),
    }
}

/// Whether values of the type have a JSON form of the database's own.
fn is_represented(catalog: &Catalog, declared: &Type) -> bool {
    let mut casts = catalog.descriptor().representations.iter();
    declared.kind() == TypeKind::Domain
        && casts.any(|cast| [cast.source, cast.target].contains(&declared.oid))
}

fn composite(catalog: &Catalog, base: &Type, depth: usize) -> String {
    let is_exposed = catalog.is_exposed(&base.schema);
    match catalog.relation_by_oid(base.relation) {
        Some(relation) if is_exposed && !relation.is_partition => row(relation),
        None if is_exposed && base.relation == 0 => {
            format!("Database[{}][\"CompositeTypes\"][{}]", text(&base.schema), text(&base.name))
        }
        Some(_) | None => {
            let members = base.attributes.iter().map(|attribute| {
                let value = or_null(at_depth(catalog, attribute.r#type, depth + 1));
                format!("{}: {value}", key(&attribute.name))
            });
            format!("{{ {} }}", members.collect::<Vec<_>>().join("; "))
        }
    }
}

/// A relation's row.
fn row(relation: &Relation) -> String {
    let section = if relation.is_view() { "Views" } else { "Tables" };
    format!("Database[{}][\"{section}\"][{}][\"Row\"]", text(&relation.schema), text(&relation.name))
}

/// The labels of an enum.
pub(super) fn labels(labels: &[String]) -> String {
    match labels {
        [] => "never".to_owned(),
        labels => labels.iter().map(|label| text(label)).collect::<Vec<_>>().join(" | "),
    }
}

pub(super) fn or_null(value: String) -> String {
    match value.as_str() {
        "unknown" | "Json" | "undefined" => value,
        _ => format!("{value} | null"),
    }
}
