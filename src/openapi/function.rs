//! The path of a function: GET where it cannot write, POST always.

use super::{
    ERROR, JSON, comment,
    parameter::{self, Shared},
    schema,
};
use crate::catalog::{
    Catalog,
    descriptor::{Argument, Function, Type, TypeKind, Volatility},
};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, Ref, RefOr, Required, ResponseBuilder,
    path::{OperationBuilder, PathItem, PathItemBuilder},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{ArrayBuilder, ObjectBuilder, Schema},
};

/// The path of a function.
pub(super) fn path(catalog: &Catalog, function: &Function) -> PathItem {
    let post = operation(catalog, function).request_body(body(catalog, function));
    let path = PathItemBuilder::new().operation(HttpMethod::Post, post);
    match function.volatility() {
        Volatility::Volatile | Volatility::Unspecified => path.build(),
        Volatility::Stable | Volatility::Immutable => {
            let get = function
                .arguments
                .iter()
                .filter(|argument| !argument.name.is_empty())
                .fold(operation(catalog, function), |get, argument| {
                    get.parameter(query_argument(catalog, argument))
                });
            path.operation(HttpMethod::Get, get).build()
        }
    }
}

fn operation(catalog: &Catalog, function: &Function) -> OperationBuilder {
    let (title, description) = comment::split(function.comment.as_deref());
    let mut operation = OperationBuilder::new()
        .tag(format!("(rpc) {}", function.name))
        .summary(Some(title.unwrap_or(&function.name)))
        .description(description);
    if function.returns_set {
        for shared in
            [Shared::Select, Shared::Order, Shared::Limit, Shared::Offset, Shared::Range, Shared::PreferCount]
        {
            if let Some(shared) = parameter::shared(shared) {
                operation = operation.parameter_ref(shared);
            }
        }
    }
    operation = match result(catalog, function) {
        Some(schema) => {
            let content = ContentBuilder::new().schema(Some(schema)).build();
            operation
                .response("200", ResponseBuilder::new().description("The result.").content(JSON, content))
        }
        None => operation.response("204", ResponseBuilder::new().description("Done.")),
    };
    operation.response("default", Ref::from_response_name(ERROR))
}

fn query_argument(catalog: &Catalog, argument: &Argument) -> utoipa::openapi::path::Parameter {
    let required = if argument.has_default || argument.variadic { Required::False } else { Required::True };
    let schema = schema::of_type(catalog, argument.r#type, &argument.sql_type);
    parameter::query(&argument.name, required, format!("Type `{}`.", argument.sql_type), schema)
}

fn body(catalog: &Catalog, function: &Function) -> Option<RequestBody> {
    let schema = match function.arguments.as_slice() {
        [only] if only.name.is_empty() => schema::of_type(catalog, only.r#type, &only.sql_type),
        arguments => Schema::Object(
            arguments
                .iter()
                .fold(ObjectBuilder::new(), |object, argument| {
                    let value = schema::of_type(catalog, argument.r#type, &argument.sql_type);
                    let object = object.property(&argument.name, value);
                    if argument.has_default || argument.variadic {
                        object
                    } else {
                        object.required(&argument.name)
                    }
                })
                .build(),
        ),
    };
    let content = ContentBuilder::new().schema(Some(schema)).build();
    Some(RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True)).build())
}

/// What the function answers with; `None` for `void`.
fn result(catalog: &Catalog, function: &Function) -> Option<RefOr<Schema>> {
    let returned = catalog.base_type(function.return_type);
    if returned.is_some_and(is_void) {
        return None;
    }
    let one = one_result(catalog, function, returned);
    Some(if function.returns_set {
        RefOr::T(Schema::Array(ArrayBuilder::new().items(one).build()))
    } else {
        one
    })
}

fn one_result(catalog: &Catalog, function: &Function, returned: Option<&Type>) -> RefOr<Schema> {
    let relation = returned.and_then(|returned| catalog.relation_by_oid(returned.relation));
    if let Some(relation) = relation.filter(|relation| relation.schema == function.schema) {
        return RefOr::Ref(schema::row_ref(relation));
    }
    let columns = function.named_columns(catalog);
    if !columns.is_empty() {
        let columns = columns.iter().fold(ObjectBuilder::new(), |object, column| {
            object.property(&column.name, schema::of_type(catalog, column.r#type, &column.sql_type))
        });
        return RefOr::T(Schema::Object(columns.build()));
    }
    let name = returned.map_or("text", |returned| returned.sql_name.as_str());
    RefOr::T(schema::of_type(catalog, function.return_type, name))
}

fn is_void(returned: &Type) -> bool {
    returned.kind() == TypeKind::Pseudo && returned.name == "void"
}
