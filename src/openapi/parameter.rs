//! Query and header parameters that many paths share, as components, and those
//! that a column makes.

use crate::catalog::descriptor::{Column, Relation};
use utoipa::openapi::{
    ComponentsBuilder, Ref, RefOr, Required,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Schema, SchemaType, Type},
};

/// A shared parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    Select,
    Order,
    Limit,
    Offset,
    OnConflict,
    Columns,
    Range,
    PreferCount,
    PreferReturn,
    PreferInsert,
}

struct Row {
    component: &'static str,
    name: &'static str,
    place: fn() -> ParameterIn,
    kind: Type,
    values: &'static [&'static str],
    description: &'static str,
}

#[rustfmt::skip]
const TABLE: &[(Shared, Row)] = &[
    (Shared::Select,       Row { component: "select",       name: "select",      place: || ParameterIn::Query,  kind: Type::String,  values: &[], description: "Columns and related relations, such as `id,title,author:authors(name)`." }),
    (Shared::Order,        Row { component: "order",        name: "order",       place: || ParameterIn::Query,  kind: Type::String,  values: &[], description: "Order, such as `title.asc,id.desc.nullslast`." }),
    (Shared::Limit,        Row { component: "limit",        name: "limit",       place: || ParameterIn::Query,  kind: Type::Integer, values: &[], description: "The most rows." }),
    (Shared::Offset,       Row { component: "offset",       name: "offset",      place: || ParameterIn::Query,  kind: Type::Integer, values: &[], description: "How many rows are passed over." }),
    (Shared::OnConflict,   Row { component: "on_conflict",  name: "on_conflict", place: || ParameterIn::Query,  kind: Type::String,  values: &[], description: "The columns whose unique key tells duplicates, where it is not the primary key." }),
    (Shared::Columns,      Row { component: "columns",      name: "columns",     place: || ParameterIn::Query,  kind: Type::String,  values: &[], description: "The keys of the body that count." }),
    (Shared::Range,        Row { component: "range",        name: "Range",       place: || ParameterIn::Header, kind: Type::String,  values: &[], description: "Rows by position, such as `0-24`." }),
    (Shared::PreferCount,  Row { component: "preferCount",  name: "Prefer",      place: || ParameterIn::Header, kind: Type::String,  values: &["count=exact", "count=planned", "count=estimated"], description: "How the total is found." }),
    (Shared::PreferReturn, Row { component: "preferReturn", name: "Prefer",      place: || ParameterIn::Header, kind: Type::String,  values: &["return=minimal", "return=headers-only", "return=representation"], description: "What the answer holds." }),
    (Shared::PreferInsert, Row { component: "preferInsert", name: "Prefer",      place: || ParameterIn::Header, kind: Type::String,  values: &["return=minimal", "return=headers-only", "return=representation", "resolution=merge-duplicates", "resolution=ignore-duplicates", "missing=default"], description: "What the answer holds and what becomes of duplicates." }),
];

/// Adds every shared parameter.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    TABLE.iter().fold(components, |components, (_, row)| components.parameter(row.component, parameter(row)))
}

/// A reference to a shared parameter.
pub(super) fn shared(which: Shared) -> Option<Ref> {
    let (_, row) = TABLE.iter().find(|(shared, _)| *shared == which)?;
    Some(Ref::new(format!("#/components/parameters/{}", row.component)))
}

fn parameter(row: &Row) -> Parameter {
    let mut schema = ObjectBuilder::new().schema_type(row.kind.clone());
    if !row.values.is_empty() {
        schema = schema.enum_values(Some(row.values.iter().copied()));
    }
    ParameterBuilder::new()
        .name(row.name)
        .parameter_in((row.place)())
        .required(Required::False)
        .description(Some(row.description))
        .schema(Some(schema))
        .build()
}

/// The filter that a column makes.
pub(super) fn column_filter(column: &Column) -> Parameter {
    let description = match &column.comment {
        Some(comment) => format!("{comment}\n\nA filter such as `eq.value`; type `{}`.", column.sql_type),
        None => format!("A filter such as `eq.value`; type `{}`.", column.sql_type),
    };
    query(&column.name, Required::False, description, ObjectBuilder::new().schema_type(Type::String))
}

/// The filters of every column of a relation.
pub(super) fn column_filters(relation: &Relation) -> impl Iterator<Item = Parameter> + '_ {
    relation.columns.iter().map(column_filter)
}

/// A parameter in the query string.
pub(super) fn query(
    name: &str,
    required: Required,
    description: String,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(required)
        .description(Some(description).filter(|text| !text.is_empty()))
        .schema(Some(schema))
        .build()
}

/// The type of one value or NULL.
pub(super) fn nullable(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}
