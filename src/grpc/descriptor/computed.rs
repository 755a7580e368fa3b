//! Fields of rows that are computed when a mask names them.

use super::{
    draft::{Cardinality, FieldDraft, FieldType},
    messages::{column, json_beside_embeds},
};
use crate::grpc::surface::{Package, Resource};
use prost_types::field_descriptor_proto::Type;

/// What functions make of a row, and the numbers of its embeds' rows.
pub(super) fn fields(package: &Package, resource: &Resource) -> impl Iterator<Item = FieldDraft> {
    let computed = resource.computed.iter().map(|field| {
        let mut draft = column(package, field);
        if field.comment.is_none() {
            draft.comment = format!("What `{}` makes of the row.", field.column);
        }
        draft.comment.push_str(" Only when a read_mask names it.");
        FieldDraft { json: json_beside_embeds(resource, &field.column), ..draft }
    });
    let counts = resource.embeds.iter().filter_map(|embed| {
        let count = embed.count.as_ref()?;
        let relation = package.relation(embed.resource).map_or("", |target| target.name.as_str());
        Some(FieldDraft {
            name: count.name.clone(),
            number: count.number,
            of: FieldType::Scalar(Type::Int64),
            cardinality: Cardinality::Explicit,
            json: None,
            comment: format!(
                "How many related rows of `{relation}` there are; only when a read_mask names it."
            ),
        })
    });
    computed.chain(counts)
}
