//! Messages and enums of a package.

use super::{
    QUERY_PACKAGE, TYPES_PACKAGE, aggregates, computed, conflict,
    draft::{Cardinality, Draft, FieldDraft, FieldType, FileDraft},
    embeds, predicates, reading, transaction,
};
use crate::grpc::{
    method::{Answer, FixedField, FixedKind, KeyPlace, RelationMethod, number},
    names::{Claims, default_json, snake},
    surface::{
        Declared, Embed, Enum, Field, Function, Multiplicity, Package, Presence, Record, Resource, Returns,
        Scalar, Shape,
    },
};
use prost_types::{DescriptorProto, field_descriptor_proto::Type};
use std::collections::HashSet;

/// Declares every message and enum of the package.
pub(super) fn declare(file: &mut FileDraft, package: &Package) {
    let embedded: HashSet<usize> =
        package.all_resources().flat_map(|resource| &resource.embeds).map(|embed| embed.resource).collect();
    for (at, resource) in (0..package.resource_count()).filter_map(|at| Some((at, package.resource(at)?))) {
        declare_row(file, package, resource);
        if embedded.contains(&at) {
            declare_related(file, package, resource);
        }
        declare_methods(file, package, resource);
    }
    for function in &package.functions {
        declare_function(file, package, function);
    }
    for record in package.records.iter().filter(|record| record.declared == Declared::Here) {
        file.add_message(record_message(package, record));
    }
    for found in &package.enums {
        declare_enum(file, package, found);
    }
    if package.has_operations() {
        transaction::declare_messages(file, package);
    }
}

/// Declares a row of a resource, conditions on rows, and what can be said of their embeds.
pub(super) fn declare_row(file: &mut FileDraft, package: &Package, resource: &Resource) {
    file.add_message(resource_message(package, resource));
    file.add_message(predicates::relation(package, resource));
    if resource.has_embeds() {
        file.add_message(embeds::all(package, resource));
    }
}

/// Declares what messages of other resources can say of rows of this one that are related to theirs.
pub(super) fn declare_related(file: &mut FileDraft, package: &Package, resource: &Resource) {
    file.add_message(embeds::one(package, resource));
    file.add_message(predicates::related(package, resource));
}

/// Declares the messages of a resource's methods.
pub(super) fn declare_methods(file: &mut FileDraft, package: &Package, resource: &Resource) {
    if let Some(uniques) = &resource.uniques {
        file.add_message(conflict::message(package, resource));
        file.add_enum(enumeration(&uniques.found));
    }
    if resource.methods.contains(&RelationMethod::Aggregate) {
        aggregates::declare(file, package, resource);
    }
    for method in &resource.methods {
        file.add_message(request(package, resource, *method));
        file.add_message(response(package, resource, *method));
    }
}

/// Declares the messages of a function.
pub(super) fn declare_function(file: &mut FileDraft, package: &Package, function: &Function) {
    file.add_message(arguments(package, function));
    file.add_message(result(package, function));
}

/// Declares the enum or the composite of this name, if it is one that the package declares by itself.
pub(super) fn declare_type(file: &mut FileDraft, package: &Package, name: &str) {
    let found = |found: &&Enum| found.name == name || found.predicate() == name;
    if let Some(found) = package.enums.iter().find(found) {
        declare_enum(file, package, found);
    }
    let record = package.records.iter().find(|record| record.message == name);
    if let Some(record) = record.filter(|record| record.declared == Declared::Here) {
        file.add_message(record_message(package, record));
    }
}

fn declare_enum(file: &mut FileDraft, package: &Package, found: &Enum) {
    file.add_message(predicates::enumeration(package, found));
    file.add_enum(enumeration(found));
}

pub(super) fn local(package: &Package, name: &str) -> String {
    format!("{}.{name}", package.name)
}

pub(super) fn well_known(name: &str) -> FieldType {
    FieldType::Message(format!("google.protobuf.{name}"))
}

/// The protobuf type of a value.
fn field_type(package: &Package, scalar: Scalar) -> FieldType {
    match scalar {
        Scalar::Bool => FieldType::Scalar(Type::Bool),
        Scalar::Int2 | Scalar::Int4 => FieldType::Scalar(Type::Int32),
        Scalar::Int8 => FieldType::Scalar(Type::Int64),
        Scalar::Float4 => FieldType::Scalar(Type::Float),
        Scalar::Float8 => FieldType::Scalar(Type::Double),
        Scalar::TimestampTz => well_known("Timestamp"),
        Scalar::Bytea => FieldType::Scalar(Type::Bytes),
        Scalar::Hstore => FieldType::Message(format!("{TYPES_PACKAGE}.Hstore")),
        Scalar::Text | Scalar::Json | Scalar::TimestampText | Scalar::OwnText => {
            FieldType::Scalar(Type::String)
        }
        Scalar::Enum(at) => match package.enums.get(at) {
            Some(found) => FieldType::Enum(local(package, &found.name)),
            None => FieldType::Scalar(Type::String),
        },
        Scalar::Record(at) => match package.records.get(at) {
            Some(record) => FieldType::Message(local(package, &record.message)),
            None => FieldType::Scalar(Type::String),
        },
    }
}

/// A column, attribute or argument. Whatever it is there, it has presence here.
pub(super) fn column(package: &Package, field: &Field) -> FieldDraft {
    let sql = if field.column.is_empty() {
        format!("The argument, {}", field.sql_type)
    } else {
        format!("`{}`, {}", field.column, field.sql_type)
    };
    let sql = match field.presence {
        Presence::Required | Presence::Defaulted => format!("{sql}, never NULL."),
        Presence::Optional => format!("{sql}."),
        Presence::Computed => format!("{sql}, set by the database."),
    };
    FieldDraft {
        name: field.name.clone(),
        number: field.number,
        of: field_type(package, field.shape.scalar()),
        cardinality: match field.shape {
            Shape::One(_) => Cardinality::Explicit,
            Shape::Many(_) => Cardinality::Repeated,
        },
        json: json_name(&field.column),
        comment: comment(field.comment.as_deref(), sql),
    }
}

/// The real name, where compilers take it: brackets are those of extensions.
pub(super) fn json_name(column: &str) -> Option<String> {
    (!column.is_empty() && !column.starts_with('[') && !column.contains('\0')).then(|| column.to_owned())
}

/// The SQL comment, or else what is known anyway.
fn comment(written: Option<&str>, otherwise: String) -> String {
    match written {
        Some(text) if !text.trim().is_empty() => text.to_owned(),
        Some(_) | None => otherwise,
    }
}

fn embed(package: &Package, embed: &Embed) -> FieldDraft {
    let relation = package.relation(embed.resource).map_or("", |target| target.name.as_str());
    FieldDraft {
        name: embed.name.clone(),
        number: embed.number,
        of: FieldType::Message(local(package, package.message(embed.resource))),
        cardinality: match embed.multiplicity {
            Multiplicity::One => Cardinality::Explicit,
            Multiplicity::Many => Cardinality::Repeated,
        },
        json: None,
        comment: format!("Related rows of `{relation}`; only when a read_mask names them."),
    }
}

fn resource_message(package: &Package, resource: &Resource) -> Draft<DescriptorProto> {
    let otherwise = format!("A row of `{}`.", resource.relation);
    let mut message =
        Draft::message(resource.names.singular.clone(), comment(resource.comment.as_deref(), otherwise));
    for field in &resource.fields {
        let json = json_beside_embeds(resource, &field.column);
        message.field(FieldDraft { json, ..column(package, field) });
    }
    for found in &resource.embeds {
        message.field(embed(package, found));
    }
    computed::fields(package, resource).for_each(|field| message.field(field));
    let reserved = resource.reserved.and(&resource.reserved_embeds);
    message.reserve(&reserved.and(&resource.reserved_computed));
    message
}

/// What a column is called in JSON beside embeds: they have theirs from before,
/// or a migration would change them.
pub(super) fn json_beside_embeds(resource: &Resource, column: &str) -> Option<String> {
    let embeds = resource.embeds.iter().map(|embed| embed.name.as_str());
    let former = resource.reserved_embeds.names.iter().map(String::as_str);
    let taken = embeds.chain(former).any(|name| default_json(name) == column);
    json_name(column).filter(|_| !taken)
}

fn request(package: &Package, resource: &Resource, method: RelationMethod) -> Draft<DescriptorProto> {
    let (name, messages) = (method.name(&resource.names), method.messages(&resource.names));
    let mut message = Draft::message(format!("{messages}Request"), format!("The request of {name}."));
    let mut names = Claims::default();
    for field in method.request(resource).filter(|field| field.kind != FixedKind::Resource) {
        names.field(field.name);
    }
    for field in method.key_fields(resource) {
        let mut key = column(package, field);
        key.name = names.field(&field.name);
        message.field(key);
    }
    if method.row().key == KeyPlace::Request {
        message.reserve(&resource.reserved_key);
    }
    let carrier = names.field(&snake(&resource.names.singular));
    for field in method.request(resource) {
        message.field(fixed_field(package, resource, field, &carrier));
    }
    message
}

fn fixed_field(package: &Package, resource: &Resource, field: &FixedField, carrier: &str) -> FieldDraft {
    let of = match field.kind {
        FixedKind::Int32 => FieldType::Scalar(Type::Int32),
        FixedKind::Int64 => FieldType::Scalar(Type::Int64),
        FixedKind::Text => FieldType::Scalar(Type::String),
        FixedKind::Bool => FieldType::Scalar(Type::Bool),
        FixedKind::Mask => well_known("FieldMask"),
        FixedKind::Count => FieldType::Enum(format!("{QUERY_PACKAGE}.CountMode")),
        FixedKind::Where => FieldType::Message(local(package, &resource.names.predicates())),
        FixedKind::Embeds => FieldType::Message(local(package, &resource.names.embeds())),
        FixedKind::OnConflict => FieldType::Message(local(package, &resource.names.on_conflict())),
        FixedKind::Resource => FieldType::Message(local(package, &resource.names.singular)),
        FixedKind::Aggregates => FieldType::Message(format!("{QUERY_PACKAGE}.Aggregates")),
        FixedKind::Requests(method) => {
            FieldType::Message(local(package, &format!("{}Request", method.messages(&resource.names))))
        }
    };
    let name = match field.kind {
        FixedKind::Resource => carrier,
        FixedKind::Int32
        | FixedKind::Int64
        | FixedKind::Requests(_)
        | FixedKind::Text
        | FixedKind::Bool
        | FixedKind::Mask
        | FixedKind::Count
        | FixedKind::Where
        | FixedKind::Embeds
        | FixedKind::Aggregates
        | FixedKind::OnConflict => field.name,
    };
    FieldDraft {
        name: name.to_owned(),
        number: field.number,
        of,
        cardinality: match field.kind {
            FixedKind::Requests(_) => Cardinality::Repeated,
            FixedKind::Int32
            | FixedKind::Int64
            | FixedKind::Text
            | FixedKind::Bool
            | FixedKind::Mask
            | FixedKind::Count
            | FixedKind::Where
            | FixedKind::Embeds
            | FixedKind::OnConflict
            | FixedKind::Aggregates
            | FixedKind::Resource => Cardinality::Implicit,
        },
        json: None,
        comment: field.comment.to_owned(),
    }
}

/// A field of a response that is there whatever the relation.
struct FixedAnswer {
    number: u32,
    name: &'static str,
    kind: Type,
    cardinality: Cardinality,
    comment: &'static str,
}

const NEXT_PAGE_TOKEN: FixedAnswer = FixedAnswer {
    number: number::NEXT_PAGE_TOKEN,
    name: "next_page_token",
    kind: Type::String,
    cardinality: Cardinality::Implicit,
    comment: "The page_token of the next page; empty on the last one.",
};
const TOTAL_SIZE: FixedAnswer = FixedAnswer {
    number: number::TOTAL_SIZE,
    name: "total_size",
    kind: Type::Int64,
    cardinality: Cardinality::Explicit,
    comment: "How many rows there are on all pages, if count was set.",
};
const INSERTED: FixedAnswer = FixedAnswer {
    number: number::INSERTED,
    name: "inserted",
    kind: Type::Bool,
    cardinality: Cardinality::Explicit,
    comment: "Set if on_conflict is: whether the row is new. One that was there has been left or updated.",
};
const INSERTED_ROWS: FixedAnswer = FixedAnswer {
    number: number::INSERTED,
    name: "inserted_rows",
    kind: Type::Int64,
    cardinality: Cardinality::Explicit,
    comment: "Set if on_conflict is: how many of the rows are new. Others have been left or updated.",
};
const AFFECTED_ROWS: FixedAnswer = FixedAnswer {
    number: number::AFFECTED_ROWS,
    name: "affected_rows",
    kind: Type::Int64,
    cardinality: Cardinality::Implicit,
    comment: "How many rows were affected.",
};

fn response(package: &Package, resource: &Resource, method: RelationMethod) -> Draft<DescriptorProto> {
    let (name, messages) = (method.name(&resource.names), method.messages(&resource.names));
    let mut message = Draft::message(format!("{messages}Response"), format!("The response of {name}."));
    let row = |name: &str, cardinality, comment: &str| FieldDraft {
        name: name.to_owned(),
        number: number::ROWS,
        of: FieldType::Message(local(package, &resource.names.singular)),
        cardinality,
        json: None,
        comment: comment.to_owned(),
    };
    let (one, many) = (snake(&resource.names.singular), snake(&resource.names.plural));
    let fixed: &[FixedAnswer] = match method.row().answer {
        Answer::Empty | Answer::Row | Answer::Rows | Answer::Batch | Answer::Groups => &[],
        Answer::Page => &[NEXT_PAGE_TOKEN, TOTAL_SIZE],
        Answer::Affected => &[AFFECTED_ROWS],
        Answer::CreatedRow => &[INSERTED],
        Answer::CreatedRows => &[INSERTED_ROWS],
    };
    let mut names = Claims::default();
    for field in fixed {
        names.field(field.name);
    }
    match method.row().answer {
        Answer::Empty => {}
        Answer::Row | Answer::Rows => message.field(row(&one, Cardinality::Explicit, "The row.")),
        Answer::CreatedRow => {
            let comment = "The row; none if on_conflict left one that was there as it was.";
            message.field(row(&names.field(&one), Cardinality::Explicit, comment));
        }
        Answer::CreatedRows => {
            let comment = "The rows, without those that on_conflict left as they were.";
            message.field(row(&names.field(&many), Cardinality::Repeated, comment));
        }
        Answer::Groups => message.field(FieldDraft {
            of: FieldType::Message(local(package, &resource.names.aggregates())),
            ..row("groups", Cardinality::Repeated, "The groups.")
        }),
        Answer::Page | Answer::Batch => {
            message.field(row(&names.field(&many), Cardinality::Repeated, "The rows."));
        }
        Answer::Affected => {
            let comment = "The rows, if read_mask was set: as they are now, or were when deleted.";
            message.field(row(&names.field(&many), Cardinality::Repeated, comment));
        }
    }
    for field in fixed {
        message.field(FieldDraft {
            name: field.name.to_owned(),
            number: field.number,
            of: FieldType::Scalar(field.kind),
            cardinality: field.cardinality,
            json: None,
            comment: field.comment.to_owned(),
        });
    }
    message
}

fn arguments(package: &Package, function: &Function) -> Draft<DescriptorProto> {
    let name = format!("{}Request", function.messages);
    let mut message = Draft::message(name, format!("The arguments of `{}`.", function.function));
    for field in &function.arguments {
        message.field(column(package, field));
    }
    let mut names = Claims::default();
    let taken = function.arguments.iter().map(|field| &field.name).chain(&function.reserved_arguments.names);
    taken.for_each(|name| names.take_field(name));
    if let Returns::Resource(at) = function.returns
        && let Some(resource) = package.resource(at)
    {
        for field in reading::of_call(package, resource, function.multiplicity, &mut names) {
            message.field(field);
        }
    }
    if function.takes_nulls() {
        message.field(FieldDraft {
            name: names.field("null_mask"),
            number: number::CALL_NULL_MASK,
            of: well_known("FieldMask"),
            cardinality: Cardinality::Implicit,
            json: None,
            comment: "Arguments that are NULL. One that is neither named nor set takes its default."
                .to_owned(),
        });
    }
    message.reserve(&function.reserved_arguments);
    message
}

fn result(package: &Package, function: &Function) -> Draft<DescriptorProto> {
    let name = format!("{}Response", function.messages);
    let mut message = Draft::message(name, format!("The result of `{}`.", function.function));
    match &function.returns {
        Returns::Void => {}
        Returns::Value(shape) => message.field(FieldDraft {
            name: "value".to_owned(),
            number: number::ROWS,
            of: field_type(package, shape.scalar()),
            cardinality: match shape {
                Shape::One(_) => Cardinality::Explicit,
                Shape::Many(_) => Cardinality::Repeated,
            },
            json: None,
            comment: "The value.".to_owned(),
        }),
        Returns::Resource(at) => {
            let singular = package.message(*at);
            message.field(FieldDraft {
                name: snake(singular),
                number: number::ROWS,
                of: FieldType::Message(local(package, singular)),
                cardinality: Cardinality::Explicit,
                json: None,
                comment: "The row.".to_owned(),
            });
        }
        Returns::Columns(fields) => {
            for field in fields {
                message.field(column(package, field));
            }
        }
    }
    message.reserve(&function.reserved_columns);
    message
}

fn record_message(package: &Package, record: &Record) -> Draft<DescriptorProto> {
    let otherwise = format!("The type `{}`.", record.sql_type);
    let mut message = Draft::message(record.message.clone(), comment(record.comment.as_deref(), otherwise));
    for field in &record.fields {
        message.field(column(package, field));
    }
    message.reserve(&record.reserved);
    message
}

fn enumeration(found: &Enum) -> Draft<prost_types::EnumDescriptorProto> {
    let otherwise = format!("The type `{}`.", found.sql_type);
    let mut draft = Draft::enumeration(found.name.clone(), comment(found.comment.as_deref(), otherwise));
    draft.value(found.unspecified.clone(), 0, "Never sent; not a label.".to_owned());
    for value in &found.values {
        draft.value(value.name.clone(), value.number, format!("`{}`.", value.label));
    }
    draft.reserve(&found.reserved);
    draft
}
