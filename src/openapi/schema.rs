//! PostgreSQL's types as JSON Schema: what REST writes for a value of the type, and takes for one. Composites become
//! components; everything else stands where it is used.

use super::{
    comment,
    components::Components,
    constraint::{self, Bounds},
    members::{Members, Others},
    name,
};
use crate::catalog::{
    Catalog,
    descriptor::{Type as PgType, TypeKind},
};
use serde_json::Value;
use utoipa::openapi::{
    Ref, RefOr,
    schema::{ArrayBuilder, ArrayItems, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type},
};

/// Types of `pg_catalog` that are not JSON strings, or strings of a known format.
const BASE: &[(&str, Type, Option<&str>)] = &[
    ("bool", Type::Boolean, None),
    ("int2", Type::Integer, Some("int32")),
    ("int4", Type::Integer, Some("int32")),
    ("int8", Type::Integer, Some("int64")),
    ("float4", Type::Number, Some("float")),
    ("float8", Type::Number, Some("double")),
    ("numeric", Type::Number, None),
    ("text", Type::String, None),
    ("varchar", Type::String, None),
    ("bpchar", Type::String, None),
    ("name", Type::String, None),
    ("uuid", Type::String, Some("uuid")),
    ("date", Type::String, Some("date")),
    ("timestamptz", Type::String, Some("date-time")),
];

/// What REST writes for a value of this type that is not NULL. `sql_type` is the type as SQL writes it, with its length
/// or precision.
pub(super) fn of_type(components: &mut Components<'_>, oid: u32, sql_type: &str) -> RefOr<Schema> {
    let catalog = components.catalog();
    let (Some(declared), Some(base)) = (catalog.type_of(oid), catalog.base_type(oid)) else {
        return text(sql_type);
    };
    if is_represented(catalog, declared) {
        return anything();
    }
    let value = match base.kind() {
        TypeKind::Array => {
            let element = catalog.type_of(base.element).map_or("text", |element| element.sql_name.as_str());
            let items = nullable(of_type(components, base.element, element));
            return RefOr::T(ArrayBuilder::new().items(items).build().into());
        }
        TypeKind::Enum => {
            let labels = ObjectBuilder::new().schema_type(Type::String);
            RefOr::T(labels.enum_values(Some(base.labels.iter().map(String::as_str))).build().into())
        }
        TypeKind::Composite => return composite(components, base),
        TypeKind::Base if matches!(base.name.as_str(), "json" | "jsonb") => anything(),
        TypeKind::Base => match BASE.iter().find(|(name, ..)| *name == base.name) {
            Some((_, kind, format)) => RefOr::T(
                ObjectBuilder::new()
                    .schema_type(kind.clone())
                    .format(format.map(|format| SchemaFormat::Custom(format.to_owned())))
                    .build()
                    .into(),
            ),
            None => text(&base.sql_name),
        },
        TypeKind::Domain | TypeKind::Range | TypeKind::Pseudo | TypeKind::Unspecified => text(&base.sql_name),
    };
    let mut bounds = Bounds::of_base(base, constraint::sql_type_of(catalog, declared, sql_type));
    bounds.add_domains(catalog, declared);
    constraint::bounded(value, &bounds)
}

/// Whether values of the type have a JSON form of the database's own.
fn is_represented(catalog: &Catalog, declared: &PgType) -> bool {
    let mut casts = catalog.descriptor().representations.iter();
    declared.kind() == TypeKind::Domain
        && casts.any(|cast| [cast.source, cast.target].contains(&declared.oid))
}

/// A reference to the component of a composite type, which is made if need be.
fn composite(components: &mut Components<'_>, base: &PgType) -> RefOr<Schema> {
    let name = name::of_type(components.schema(), &base.schema, &base.name, "Composite");
    if components.claim(&name) {
        let mut object = Members::new(base.comment.clone(), Others::Allowed);
        for attribute in &base.attributes {
            let value = nullable(of_type(components, attribute.r#type, &attribute.sql_type));
            object.add(&attribute.name, described(value, attribute.comment.clone()));
        }
        components.schema_named(&name, object.build());
    }
    RefOr::Ref(Ref::from_schema_name(name))
}

/// Any JSON at all.
pub(super) fn anything() -> RefOr<Schema> {
    RefOr::T(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build().into())
}

/// PostgreSQL's own text; the format names the type.
fn text(sql_type: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String);
    RefOr::T(object.format(Some(SchemaFormat::Custom(sql_type.to_owned()))).build().into())
}

/// A string about which nothing more is known.
pub(super) fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// An array of these.
pub(super) fn array(items: impl Into<RefOr<Schema>>) -> RefOr<Schema> {
    let items: RefOr<Schema> = items.into();
    RefOr::T(ArrayBuilder::new().items(items).build().into())
}

/// The schema or null.
pub(super) fn nullable(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = with_null(object.schema_type);
            if let Some(values) = &mut object.enum_values {
                values.push(Value::Null);
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = with_null(array.schema_type);
            RefOr::T(Schema::Array(array))
        }
        other => {
            let null = ObjectBuilder::new().schema_type(Type::Null);
            RefOr::T(OneOfBuilder::new().item(other).item(null).build().into())
        }
    }
}

fn with_null(kind: SchemaType) -> SchemaType {
    match kind {
        SchemaType::Type(kind) => SchemaType::from_iter([kind, Type::Null]),
        SchemaType::Array(_) | SchemaType::AnyValue => kind,
    }
}

/// The schema with this description.
pub(super) fn described(schema: RefOr<Schema>, description: Option<String>) -> RefOr<Schema> {
    let Some(description) = description.as_deref().map(comment::markdown) else { return schema };
    match schema {
        RefOr::Ref(mut reference) => {
            reference.description = description;
            RefOr::Ref(reference)
        }
        RefOr::T(mut schema) => {
            match &mut schema {
                Schema::Object(object) => object.description = Some(description),
                Schema::Array(array) => array.description = Some(description),
                Schema::OneOf(one) => one.description = Some(description),
                Schema::AnyOf(any) => any.description = Some(description),
                Schema::AllOf(all) => all.description = Some(description),
                _ => {}
            }
            RefOr::T(schema)
        }
    }
}

/// What one argument in a query string is: JSON's scalars as they are, all else as PostgreSQL's own text, with an example.
pub(super) fn in_query(
    components: &mut Components<'_>,
    oid: u32,
    sql_type: &str,
) -> (RefOr<Schema>, Option<Value>) {
    let catalog = components.catalog();
    let Some(base) = catalog.base_type(oid) else { return (text(sql_type), None) };
    let is_text = match base.kind() {
        TypeKind::Array | TypeKind::Composite => true,
        TypeKind::Base => matches!(base.name.as_str(), "json" | "jsonb"),
        TypeKind::Enum | TypeKind::Domain | TypeKind::Range | TypeKind::Pseudo | TypeKind::Unspecified => {
            false
        }
    };
    match is_text {
        true => (text(sql_type), example(catalog, oid, DEEPEST).map(Value::from)),
        false => (of_type(components, oid, sql_type), None),
    }
}

/// How deep types are within each other in an example.
const DEEPEST: u32 = 4;

/// A value as PostgreSQL's own text; `None` where nobody here knows one.
fn example(catalog: &Catalog, oid: u32, depth: u32) -> Option<String> {
    let base = catalog.base_type(oid)?;
    let within = |oid| depth.checked_sub(1).and_then(|depth| example(catalog, oid, depth));
    match base.kind() {
        // It may be empty.
        TypeKind::Array => Some(match within(base.element) {
            Some(element) => format!("{{{}}}", quoted(&element)),
            None => "{}".to_owned(),
        }),
        // What is left out is NULL.
        TypeKind::Composite => {
            let attributes = base.attributes.iter();
            let values = attributes.map(|attribute| within(attribute.r#type).map(|value| quoted(&value)));
            let values: Vec<_> = values.map(Option::unwrap_or_default).collect();
            Some(format!("({})", values.join(",")))
        }
        TypeKind::Enum => base.labels.first().cloned(),
        TypeKind::Base => EXAMPLES
            .iter()
            .find(|(names, _)| names.contains(&base.name.as_str()))
            .map(|(_, text)| (*text).to_owned()),
        TypeKind::Domain | TypeKind::Range | TypeKind::Pseudo | TypeKind::Unspecified => None,
    }
}

const EXAMPLES: &[(&[&str], &str)] = &[
    (&["int2", "int4", "int8", "float4", "float8", "numeric"], "1"),
    (&["bool"], "true"),
    (&["text", "varchar"], "one"),
    (&["date", "timestamp", "timestamptz"], "2024-01-01"),
    (&["uuid"], "123e4567-e89b-12d3-a456-426614174000"),
    (&["json", "jsonb"], "{\"key\": 1}"),
];

/// A value within another, in quotes where it would mean something else without.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !value.is_empty() && value.chars().all(is_plain) && !value.eq_ignore_ascii_case("null") {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// The items of an array; the schema itself where it is none.
pub(super) fn items(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Array(array)) => match array.items {
            ArrayItems::RefOrSchema(items) => *items,
            ArrayItems::False => anything(),
        },
        other => other,
    }
}
