//! The operation of the root that writes: several writes in one transaction (docs/transactions.md). It describes the list
//! and its answer; what a method, a path and a body of the list can be is what the operations of the other paths say.

use super::{
    Source,
    components::Components,
    name::{ERROR, OPERATION, REFERENCE, RESULT},
    operation::{Method, Operation, Path},
    parameter::{self, Profile, Shared},
    response::{self, Content, Failure, Told, content},
    schema::{anything, array, described, string},
};
use crate::{
    catalog::descriptor::{Relation, Volatility},
    media::TRANSACTION,
    outcome::{Columns, RelationPrivileges},
};
use serde_json::{Value, json};
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Required, ResponseBuilder,
    example::ExampleBuilder,
    request_body::RequestBodyBuilder,
    schema::{AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, Type},
    tag::{Tag, TagBuilder},
};

const TAG: &str = "Transactions";
/// The most operations of a list.
const MOST: usize = 1000;

const FAILURES: [Failure; 9] = [
    Failure::BadRequest,
    Failure::Unauthorized,
    Failure::Forbidden,
    Failure::NotFound,
    Failure::NotAllowed,
    Failure::NotAcceptable,
    Failure::Conflict,
    Failure::TooLarge,
    Failure::RangeNotSatisfiable,
];

/// Adds the operation to the path of the root, and its tag, where there is something to write.
pub(super) fn add(components: &mut Components<'_>, root: &mut Path<'_>, tags: &mut Vec<Tag>) {
    if !can_write(components.source()) {
        return;
    }
    root.operations.push((Method::Post, operation(components)));
    let tag = TagBuilder::new().name(TAG).description(Some("Several writes in one transaction."));
    tags.push(tag.build());
}

fn can_write(source: &Source<'_>) -> bool {
    let writes = |relation: &Relation| {
        source.relation_privileges(relation).is_some_and(
            |RelationPrivileges { insert, update, delete, .. }| {
                delete || insert != Columns::default() || update != Columns::default()
            },
        )
    };
    let is_volatile = |volatility| match volatility {
        Volatility::Volatile | Volatility::Unspecified => true,
        Volatility::Stable | Volatility::Immutable => false,
    };
    source.catalog.relations_in(source.schema).any(writes)
        || source
            .catalog
            .functions_in(source.schema)
            .any(|function| is_volatile(function.volatility()) && source.may_execute(function))
}

fn operation(components: &mut Components<'_>) -> Operation<'static> {
    components.schema_named(REFERENCE, reference());
    let element = components.schema_named(OPERATION, element());
    let list = ArrayBuilder::new().items(element).min_items(Some(1)).max_items(Some(MOST)).build();
    let example = ExampleBuilder::new().value(Some(example())).build();
    let list = ContentBuilder::new()
        .schema(Some(Schema::Array(list)))
        .examples_from_iter([("transaction", RefOr::T(example))])
        .build();
    let body = RequestBodyBuilder::new().required(Some(Required::True)).content(TRANSACTION, list).build();
    let result = components.schema_named(RESULT, result());
    let done = ResponseBuilder::new()
        .description("The answers to the operations, in their order.")
        .content(TRANSACTION, content(array(result)));
    let done = response::with_headers(components, done, &[Told::PreferenceApplied]).build();
    let mut responses = vec![("200", done.into())];
    responses.extend(response::failures(components, Content::Full, &FAILURES));
    let parameters = [parameter::shared(components, Shared::PreferTransaction)].into_iter();
    Operation {
        tags: [TAG.into()],
        summary: "Several writes in one transaction".to_owned(),
        description: Some(format!(
            "The operations run one after the other. All of them take effect, or none: where one fails, the answer is its \
             error, and the member `operation` of `{ERROR}` is its place in the list, from 0 on. A column or an argument \
             can take its value from the answer to an earlier operation."
        )),
        operation_id: "transact".to_owned(),
        parameters: parameters
            .chain(parameter::profile(components, Profile::Content))
            .map(Into::into)
            .collect(),
        request_body: Some(body),
        responses,
    }
}

fn example() -> Value {
    json!([
        {"method": "POST", "path": "/parents?select=id", "headers": {"Prefer": "return=representation"}, "body": {}},
        {"method": "POST", "path": "/children", "body": {}, "references": {"parent_id": {"from": 0, "field": "id"}}},
    ])
}

/// An object that has these members and no others.
fn closed(object: ObjectBuilder) -> Object {
    object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false))).build()
}

/// An object with any members, each of which is this.
fn map(of: impl Into<RefOr<Schema>>, description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(description))
        .additional_properties(Some(AdditionalProperties::RefOr(of.into())))
        .build()
}

fn element() -> Schema {
    let method =
        string().description(Some("What is done.")).enum_values(Some(["POST", "PUT", "PATCH", "DELETE"]));
    let path = string()
        .description(Some(
            "A relation, or `/rpc/` and a function that is VOLATILE, with a query string as in a request of its own.",
        ))
        .pattern(Some("^/[^/]"));
    let headers = map(string().build(), "`Prefer` and `Accept`, as far as they are about this operation.");
    let references = map(
        Ref::from_schema_name(REFERENCE),
        "Columns or arguments that take their values from earlier answers.",
    );
    let body = described(anything(), Some("The rows or the arguments.".to_owned()));
    closed(
        ObjectBuilder::new()
            .description(Some("A write, as a request of its own would have it."))
            .property("method", method)
            .property("path", path)
            .property("headers", headers)
            .property("body", body)
            .property("references", references)
            .required("method")
            .required("path"),
    )
    .into()
}

fn reference() -> Schema {
    let from = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(MOST - 1))
        .description(Some("The place of the earlier operation in the list, from 0 on."));
    let field = string().description(Some(
        "A field of the one row that it answers. Without it the value is the whole answer, as of a function that returns \
         one value.",
    ));
    closed(
        ObjectBuilder::new()
            .description(Some("A value of an earlier answer."))
            .property("from", from)
            .property("field", field)
            .required("from"),
    )
    .into()
}

fn result() -> Schema {
    let status = ObjectBuilder::new().schema_type(Type::Integer).description(Some("The HTTP status."));
    let value = OneOfBuilder::new().item(string().build()).item(array(string().build()));
    let headers = map(Schema::OneOf(value.build()), "The headers. One that comes several times is a list.");
    let body = described(anything(), Some("The body, where there is one.".to_owned()));
    ObjectBuilder::new()
        .description(Some("The answer to an operation, as that to a request of its own."))
        .property("status", status)
        .property("headers", headers)
        .property("body", body)
        .required("status")
        .required("headers")
        .build()
        .into()
}
