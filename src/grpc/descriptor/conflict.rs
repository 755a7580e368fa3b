//! The message of what becomes of rows that are there already.

use super::{
    QUERY_PACKAGE,
    draft::{Cardinality, Draft, FieldDraft, FieldType},
    messages::local,
};
use crate::grpc::{
    method::number,
    surface::{Package, Resource},
};
use prost_types::DescriptorProto;

/// What becomes of rows that are there already.
pub(super) fn message(package: &Package, resource: &Resource) -> Draft<DescriptorProto> {
    let comment = format!("What becomes of rows of `{}` that are there already.", resource.relation);
    let mut message = Draft::message(resource.names.on_conflict(), comment);
    let fields = [
        (
            "target",
            number::CONFLICT_TARGET,
            local(package, &resource.names.unique()),
            "The unique key that decides whether a row is there already. Not set: the primary key.",
        ),
        (
            "action",
            number::CONFLICT_ACTION,
            format!("{QUERY_PACKAGE}.ConflictAction"),
            "What becomes of it. It has to be set.",
        ),
    ];
    for (name, number, of, comment) in fields {
        message.field(FieldDraft {
            name: name.to_owned(),
            number,
            of: FieldType::Enum(of),
            cardinality: Cardinality::Implicit,
            json: None,
            comment: comment.to_owned(),
        });
    }
    message
}
