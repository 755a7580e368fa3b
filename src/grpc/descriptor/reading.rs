//! What a call of a function that gives rows of a relation says of these rows: the fields that reads of the relation have,
//! beside the arguments. Arguments that a lock knows by the name of such a field keep it.

use super::{
    draft::{Cardinality, FieldDraft, FieldType},
    messages::{local, well_known},
};
use crate::grpc::{
    method::number,
    names::Claims,
    surface::{Multiplicity, Package, Resource},
};
use prost_types::field_descriptor_proto::Type;

/// The fields of a call's request that are about the rows of its result. `names` are those of the arguments.
pub(super) fn of_call(
    package: &Package,
    resource: &Resource,
    multiplicity: Multiplicity,
    names: &mut Claims,
) -> Vec<FieldDraft> {
    let mut fields = Vec::new();
    let mut field = |name: &str, number, of, cardinality, comment: &str| {
        let (name, comment) = (names.field(name), comment.to_owned());
        fields.push(FieldDraft { name, number, of, cardinality, json: None, comment });
    };
    let scalar = FieldType::Scalar;
    field(
        "read_mask",
        number::CALL_READ_MASK,
        well_known("FieldMask"),
        Cardinality::Implicit,
        "Which fields of the result to return, such as \"id,name\", embeds included. Empty: every column.",
    );
    if resource.has_embeds() {
        let embeds = FieldType::Message(local(package, &resource.names.embeds()));
        let comment = "Conditions, order and number of the related rows that read_mask names.";
        field("embeds", number::CALL_EMBEDS, embeds, Cardinality::Implicit, comment);
    }
    match multiplicity {
        Multiplicity::One => {}
        Multiplicity::Many => {
            let predicates = FieldType::Message(local(package, &resource.names.predicates()));
            let comment = "Conditions that rows of the result must meet, with types.";
            field("where", number::CALL_WHERE, predicates, Cardinality::Implicit, comment);
            field(
                "filter",
                number::CALL_FILTER,
                scalar(Type::String),
                Cardinality::Implicit,
                "Conditions that rows of the result must meet as well, in the grammar of the REST side.",
            );
            field(
                "order_by",
                number::CALL_ORDER_BY,
                scalar(Type::String),
                Cardinality::Implicit,
                "The order of the result, such as \"name desc, id\". Not set: as the function gives it.",
            );
            field(
                "limit",
                number::CALL_LIMIT,
                scalar(Type::Int32),
                Cardinality::Explicit,
                "The most rows of the result to return. Not set: all.",
            );
            field(
                "skip",
                number::CALL_SKIP,
                scalar(Type::Int32),
                Cardinality::Implicit,
                "How many rows of the result to pass over first.",
            );
        }
    }
    fields
}
