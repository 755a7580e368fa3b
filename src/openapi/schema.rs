//! PostgreSQL types as JSON Schema: what REST writes for a value of the type.

use super::{comment, parameter::nullable};
use crate::catalog::{
    Catalog,
    descriptor::{Column, Identity, Relation, TypeKind},
};
use serde_json::Value;
use utoipa::openapi::{
    Ref, RefOr,
    schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type},
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
    ("oid", Type::Integer, Some("int64")),
    ("text", Type::String, None),
    ("varchar", Type::String, None),
    ("bpchar", Type::String, None),
    ("name", Type::String, None),
    ("uuid", Type::String, Some("uuid")),
    ("date", Type::String, Some("date")),
    ("timestamptz", Type::String, Some("date-time")),
];

/// The name of a relation's component. OpenAPI allows letters, digits, `.`, `-`
/// and `_`; anything else, and the point itself, becomes `.HEX.`.
pub(super) fn component_name(relation: &Relation) -> String {
    let mut name = String::with_capacity(relation.name.len());
    for c in relation.name.chars() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_' => name.push(c),
            other => name.push_str(&format!(".{:X}.", u32::from(other))),
        }
    }
    name
}

/// A reference to a relation's component.
pub(super) fn row_ref(relation: &Relation) -> Ref {
    Ref::from_schema_name(component_name(relation))
}

/// A row of a relation.
pub(super) fn row(catalog: &Catalog, relation: &Relation) -> Object {
    let mut object = ObjectBuilder::new().description(relation.comment.clone());
    for column in &relation.columns {
        object = object.property(&column.name, property(catalog, relation, column));
        if column.not_null {
            object = object.required(&column.name);
        }
    }
    object.build()
}

fn property(catalog: &Catalog, relation: &Relation, column: &Column) -> RefOr<Schema> {
    let notes = comment::of_column(catalog, relation, column);
    match of_type(catalog, column.r#type, &column.sql_type) {
        Schema::Object(mut object) => {
            object.description = notes;
            object.max_length = column.max_length.and_then(|length| usize::try_from(length).ok());
            object.read_only = (column.generated || column.identity() == Identity::Always).then_some(true);
            object.default = column.default.as_deref().and_then(literal);
            if !column.not_null {
                object.schema_type = with_null(object.schema_type);
                if let Some(values) = &mut object.enum_values {
                    values.push(Value::Null);
                }
            }
            RefOr::T(Schema::Object(object))
        }
        Schema::Array(mut array) => {
            array.description = notes;
            if !column.not_null {
                array.schema_type = nullable(Type::Array);
            }
            RefOr::T(Schema::Array(array))
        }
        other => RefOr::T(other),
    }
}

fn with_null(kind: SchemaType) -> SchemaType {
    match kind {
        SchemaType::Type(kind) => nullable(kind),
        SchemaType::Array(_) | SchemaType::AnyValue => kind,
    }
}

/// A default that is a plain literal; expressions are the server's business.
fn literal(default: &str) -> Option<Value> {
    if let Some((text, _cast)) = default.strip_prefix('\'').and_then(|rest| rest.split_once("'::")) {
        return (!text.contains('\'')).then(|| Value::String(text.to_owned()));
    }
    serde_json::from_str(default).ok().filter(|value: &Value| value.is_number() || value.is_boolean())
}

/// What REST writes for a value of the type.
pub(super) fn of_type(catalog: &Catalog, oid: u32, sql_type: &str) -> Schema {
    let Some(found) = catalog.base_type(oid) else {
        return Schema::Object(text(sql_type));
    };
    match found.kind() {
        TypeKind::Array => {
            let element = catalog.type_of(found.element).map_or("text", |element| element.sql_name.as_str());
            Schema::Array(
                ArrayBuilder::new().items(RefOr::T(of_type(catalog, found.element, element))).build(),
            )
        }
        TypeKind::Enum => {
            let labels =
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(found.labels.clone()));
            Schema::Object(labels.format(Some(SchemaFormat::Custom(sql_type.to_owned()))).build())
        }
        TypeKind::Composite => {
            let attributes = found.attributes.iter().fold(ObjectBuilder::new(), |object, attribute| {
                object.property(&attribute.name, of_type(catalog, attribute.r#type, &attribute.sql_type))
            });
            Schema::Object(attributes.build())
        }
        TypeKind::Base if matches!(found.name.as_str(), "json" | "jsonb") => {
            Schema::Object(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build())
        }
        TypeKind::Base => match BASE.iter().find(|(name, ..)| *name == found.name) {
            Some((_, kind, format)) => Schema::Object(
                ObjectBuilder::new()
                    .schema_type(kind.clone())
                    .format(format.map(|format| SchemaFormat::Custom(format.to_owned())))
                    .build(),
            ),
            None => Schema::Object(text(sql_type)),
        },
        TypeKind::Domain | TypeKind::Range | TypeKind::Pseudo | TypeKind::Unspecified => {
            Schema::Object(text(sql_type))
        }
    }
}

/// PostgreSQL's own text; the format names the type.
fn text(sql_type: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom(sql_type.to_owned())))
        .build()
}
