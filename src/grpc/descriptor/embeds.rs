//! Messages of what is said of embeds: for each relation that has embeds one with a field for each of them, and for each
//! relation that is embedded one with conditions, order and number of its rows. Both refer to each other, so that what is
//! nested can be said.

use super::{
    draft::{Cardinality, Draft, FieldDraft, FieldType},
    messages::{local, well_known},
};
use crate::grpc::{
    method::number,
    surface::{Package, Resource},
};
use prost_types::{DescriptorProto, field_descriptor_proto::Type};

/// What is said of each of a relation's embeds.
pub(super) fn all(package: &Package, resource: &Resource) -> Draft<DescriptorProto> {
    let comment = format!("What is said of rows that are related to rows of `{}`.", resource.relation);
    let mut message = Draft::message(resource.names.embeds(), comment);
    for embed in &resource.embeds {
        let Some((target, relation)) = package.names(embed.resource).zip(package.relation(embed.resource))
        else {
            continue;
        };
        message.field(FieldDraft {
            name: embed.name.clone(),
            number: embed.number,
            of: FieldType::Message(local(package, &target.embed())),
            cardinality: Cardinality::Explicit,
            json: None,
            comment: format!("Of related rows of `{}`.", relation.name),
        });
    }
    message.reserve(&resource.reserved_embeds);
    message
}

/// What is said of a relation's rows where they are embedded.
pub(super) fn one(package: &Package, resource: &Resource) -> Draft<DescriptorProto> {
    let comment = format!("Which rows of `{}` are embedded.", resource.relation);
    let mut message = Draft::message(resource.names.embed(), comment);
    let scalar = FieldType::Scalar;
    let mut field = |name: &str, number, of, cardinality, comment: &str| {
        let (name, comment) = (name.to_owned(), comment.to_owned());
        message.field(FieldDraft { name, number, of, cardinality, json: None, comment });
    };
    field(
        "limit",
        number::EMBED_LIMIT,
        scalar(Type::Int32),
        Cardinality::Explicit,
        "The most related rows of each row. Not set: as many as the server allows.",
    );
    field(
        "required",
        number::EMBED_REQUIRED,
        scalar(Type::Bool),
        Cardinality::Implicit,
        "Leave out rows that have no such related row. That needs no read_mask that names the embed.",
    );
    let predicates = FieldType::Message(local(package, &resource.names.predicates()));
    field(
        "where",
        number::WHERE,
        predicates,
        Cardinality::Implicit,
        "Conditions that related rows must meet, with types.",
    );
    field(
        "filter",
        number::FILTER,
        scalar(Type::String),
        Cardinality::Implicit,
        "Conditions that related rows must meet as well, in the grammar of the REST side.",
    );
    field(
        "order_by",
        number::ORDER_BY,
        scalar(Type::String),
        Cardinality::Implicit,
        "The order of related rows, such as \"name desc, id\".",
    );
    field(
        "skip",
        number::SKIP,
        scalar(Type::Int32),
        Cardinality::Implicit,
        "How many related rows of each row to pass over first.",
    );
    field(
        "read_mask",
        number::READ_MASK,
        well_known("FieldMask"),
        Cardinality::Implicit,
        "Which fields of related rows to return, in place of what the request's read_mask says of them; the embed is \
         returned then. Set and empty: every column.",
    );
    if resource.has_embeds() {
        let embeds = FieldType::Message(local(package, &resource.names.embeds()));
        let comment = "What is said of rows that are related to these.";
        field("embeds", number::EMBEDS, embeds, Cardinality::Implicit, comment);
    }
    message
}
