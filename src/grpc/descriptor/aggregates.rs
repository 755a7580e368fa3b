//! Messages of aggregates: for each relation one for a group of its rows, and one for each function whose results have
//! other types than its columns.

use super::{
    draft::{Cardinality, Draft, FieldDraft, FieldType, FileDraft},
    messages::{column, local},
};
use crate::{
    grpc::{
        method::number,
        surface::{Field, Package, Resource, ResourceNames},
    },
    request::select::AggregateFunction,
};
use prost_types::{DescriptorProto, field_descriptor_proto::Type};

/// A function whose results have a message of their own.
struct OfFunction {
    function: AggregateFunction,
    message: fn(&ResourceNames) -> String,
    comment: &'static str,
}

const OF_FUNCTIONS: [OfFunction; 3] = [
    OfFunction {
        function: AggregateFunction::Sum,
        message: ResourceNames::sums,
        comment: "Sums of columns, over rows of",
    },
    OfFunction {
        function: AggregateFunction::Avg,
        message: ResourceNames::averages,
        comment: "Means of columns, over rows of",
    },
    OfFunction {
        function: AggregateFunction::Count,
        message: ResourceNames::counts,
        comment: "Numbers of values that are not NULL, over rows of",
    },
];

/// Declares a group of a relation's rows and what is in it.
pub(super) fn declare(file: &mut FileDraft, package: &Package, resource: &Resource) {
    file.add_message(group(package, resource));
    for of in &OF_FUNCTIONS {
        file.add_message(results(package, resource, of));
    }
}

fn group(package: &Package, resource: &Resource) -> Draft<DescriptorProto> {
    let names = &resource.names;
    let mut message =
        Draft::message(names.aggregates(), format!("A group of rows of `{}`.", resource.relation));
    let fields = [
        (
            "group",
            number::GROUP,
            Some(names.singular.clone()),
            "What the rows of the group have in common: the fields that group_by names.",
        ),
        ("row_count", number::ROW_COUNT, None, "How many rows the group has."),
        ("sum", number::SUM, Some(names.sums()), "The sums that were asked for. Of no values it is not set."),
        ("avg", number::AVG, Some(names.averages()), "The means that were asked for."),
        ("min", number::MIN, Some(names.singular.clone()), "The least values that were asked for."),
        ("max", number::MAX, Some(names.singular.clone()), "The greatest values that were asked for."),
        ("count", number::COUNT_OF, Some(names.counts()), "How many values are not NULL, where asked for."),
    ];
    for (name, number, of, comment) in fields {
        message.field(FieldDraft {
            name: name.to_owned(),
            number,
            of: match of {
                Some(of) => FieldType::Message(local(package, &of)),
                None => FieldType::Scalar(Type::Int64),
            },
            cardinality: Cardinality::Implicit,
            json: None,
            comment: comment.to_owned(),
        });
    }
    message
}

/// What a function gives of each column that it takes, under the column's name and number.
fn results(package: &Package, resource: &Resource, of: &OfFunction) -> Draft<DescriptorProto> {
    let comment = format!("{} `{}`.", of.comment, resource.relation);
    let mut message = Draft::message((of.message)(&resource.names), comment);
    for field in &resource.fields {
        if let Some(shape) = package.aggregated(resource, of.function, field) {
            let draft = column(package, &Field { shape, ..field.clone() });
            message.field(FieldDraft { comment: format!("Of `{}`.", field.column), ..draft });
        }
    }
    message.reserve(&resource.reserved);
    message
}
