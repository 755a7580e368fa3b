//! Messages of conditions: one for each relation, with a field for each column and each embed, one for each relation that is
//! embedded, and one for each enum. What other types take is in `pgduet.query.v1`.

use super::{
    QUERY_PACKAGE,
    draft::{Cardinality, Draft, FieldDraft, FieldType},
    messages::{json_beside_embeds, local},
};
use crate::grpc::{
    method::number,
    surface::{Compared, Enum, Field, Numbered, Package, Reserved, Resource, Scalar, Shape},
};
use prost_types::{DescriptorProto, field_descriptor_proto::Type};

/// The conditions on rows of a relation.
pub(super) fn relation(package: &Package, resource: &Resource) -> Draft<DescriptorProto> {
    let name = resource.names.predicates();
    let mut message = Draft::message(
        name.clone(),
        format!("Conditions on rows of `{}`. Those that are set must all hold.", resource.relation),
    );
    for field in &resource.fields {
        let name = predicate_name(resource, &field.name);
        message.field(FieldDraft {
            // With another name it has another one in JSON too.
            json: json_beside_embeds(resource, &field.column).filter(|_| name == field.name),
            name,
            number: field.number,
            of: FieldType::Message(predicate(package, field)),
            cardinality: Cardinality::Explicit,
            comment: format!("Conditions on `{}`.", field.column),
        });
    }
    for embed in &resource.embeds {
        let Some((target, relation)) = package.names(embed.resource).zip(package.relation(embed.resource))
        else {
            continue;
        };
        message.field(FieldDraft {
            name: predicate_name(resource, &embed.name),
            number: number::of_predicate(embed.number),
            of: FieldType::Message(local(package, &target.related_predicate())),
            cardinality: Cardinality::Explicit,
            json: None,
            comment: format!("Conditions on related rows of `{}`.", relation.name),
        });
    }
    let logic = [
        ("and", number::AND, Cardinality::Repeated, "All of these hold."),
        ("or", number::OR, Cardinality::Repeated, "At least one of these holds."),
        ("not", number::NOT, Cardinality::Explicit, "This does not hold."),
    ];
    for (field, number, cardinality, comment) in logic {
        message.field(FieldDraft {
            name: field.to_owned(),
            number,
            of: FieldType::Message(local(package, &name)),
            cardinality,
            json: None,
            comment: comment.to_owned(),
        });
    }
    let of_embeds = &resource.reserved_embeds;
    let numbers = of_embeds.numbers.iter().map(|number| number::of_predicate(*number)).collect();
    let reserved = resource.reserved.and(&Reserved { numbers, names: of_embeds.names.clone() });
    let names = reserved.names.iter().map(|name| predicate_name(resource, name)).collect();
    message.reserve(&Reserved { names, ..reserved });
    message
}

/// The conditions on rows of a relation where they are related to others.
pub(super) fn related(package: &Package, resource: &Resource) -> Draft<DescriptorProto> {
    let relation = &resource.relation;
    let comment = format!("Conditions on related rows of `{relation}`. Those that are set must all hold.");
    let mut message = Draft::message(resource.names.related_predicate(), comment);
    let fields = [
        (
            "exists",
            number::EXISTS,
            "There is a related row that meets these conditions; any row does if none is set.",
        ),
        ("none", number::NONE, "There is no such row."),
    ];
    for (name, number, comment) in fields {
        message.field(FieldDraft {
            name: name.to_owned(),
            number,
            of: FieldType::Message(local(package, &resource.names.predicates())),
            cardinality: Cardinality::Explicit,
            json: None,
            comment: comment.to_owned(),
        });
    }
    message
}

/// The field of a column's or an embed's conditions. `and`, `or` and `not` have their names
/// whatever columns there are and will be.
fn predicate_name(resource: &Resource, column: &str) -> String {
    match column {
        "and" | "or" | "not" => {
            let name = format!("column_{column}");
            let fields = resource.fields.iter().map(|field| &field.name);
            let mut names = fields.chain(resource.embeds.iter().map(|embed| &embed.name));
            let is_taken = names.any(|other| other.replace('_', "") == name.replace('_', ""));
            if is_taken { format!("{name}_{}", Numbered::Field.number(column)) } else { name }
        }
        other => other.to_owned(),
    }
}

/// The message that has the operators of a field's type.
fn predicate(package: &Package, field: &Field) -> String {
    let of_enum = match field.shape {
        Shape::One(Scalar::Enum(at)) => package.enums.get(at),
        Shape::One(_) | Shape::Many(_) => None,
    };
    match (field.compared, of_enum) {
        (Compared::WithNull, _) => format!("{QUERY_PACKAGE}.NullPredicate"),
        (Compared::WithValues, Some(found)) => local(package, &found.predicate()),
        (Compared::WithValues, None) => format!("{QUERY_PACKAGE}.{}", common_predicate(field.shape)),
    }
}

/// The message of `pgduet.query.v1` that has the operators of a type.
fn common_predicate(shape: Shape) -> &'static str {
    match shape {
        Shape::One(Scalar::Bool) => "BoolPredicate",
        Shape::One(Scalar::Int2 | Scalar::Int4) => "Int32Predicate",
        Shape::One(Scalar::Int8) => "Int64Predicate",
        Shape::One(Scalar::Float4 | Scalar::Float8) => "DoublePredicate",
        Shape::One(Scalar::TimestampTz) => "TimestampPredicate",
        Shape::One(
            Scalar::Bytea
            | Scalar::Hstore
            | Scalar::Text
            | Scalar::Json
            | Scalar::TimestampText
            | Scalar::OwnText
            | Scalar::Enum(_)
            | Scalar::Record(_),
        )
        | Shape::Many(_) => "TextPredicate",
    }
}

/// The operators of an enum: name, number, what it takes and what holds. Those of `pgduet.query.v1.TextPredicate` have
/// the same numbers.
const ENUM_OPERATORS: &[(&str, u32, Operand, &str)] = &[
    ("eq", 1, Operand::Value, "Equal."),
    ("neq", 2, Operand::Value, "Not equal."),
    ("is_distinct", 3, Operand::Value, "Not equal, NULL taken for a value."),
    ("is_null", 4, Operand::Truth, "Whether it is NULL."),
    ("gt", 5, Operand::Value, "After it in the order of the labels."),
    ("gte", 6, Operand::Value, "After it, or it."),
    ("lt", 7, Operand::Value, "Before it."),
    ("lte", 8, Operand::Value, "Before it, or it."),
    ("in", 9, Operand::Values, "One of these."),
];

/// What an operator takes.
enum Operand {
    Value,
    Values,
    Truth,
}

/// The conditions on values of an enum.
pub(super) fn enumeration(package: &Package, found: &Enum) -> Draft<DescriptorProto> {
    let mut message = Draft::message(found.predicate(), format!("Conditions on `{}`.", found.sql_type));
    for (name, number, operand, comment) in ENUM_OPERATORS {
        let value = FieldType::Enum(local(package, &found.name));
        let (of, cardinality) = match operand {
            Operand::Value => (value, Cardinality::Explicit),
            Operand::Values => (value, Cardinality::Repeated),
            Operand::Truth => (FieldType::Scalar(Type::Bool), Cardinality::Explicit),
        };
        message.field(FieldDraft {
            name: (*name).to_owned(),
            number: *number,
            of,
            cardinality,
            json: None,
            comment: (*comment).to_owned(),
        });
    }
    message
}
