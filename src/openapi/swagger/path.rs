//! The paths: the document's own, relations, functions.

use super::{
    super::{Source, comment},
    JSON, OBJECT, OBJECT_WITHOUT_NULLS,
    parameter::{self, Shared},
    present, reference,
};
use crate::catalog::descriptor::{Function, Relation, Volatility};
use serde_json::{Map, Value, json};

/// A method of relations.
struct Method {
    name: &'static str,
    /// Its parameters, in their order.
    parameters: &'static [Parameter],
    responses: &'static [Response],
}

enum Parameter {
    /// The filters of every column.
    Filters,
    /// A row as the body.
    Row,
    /// One that paths share.
    Shared(Shared),
}

/// A status and its reason phrase.
enum Response {
    Rows(&'static str, &'static str),
    Empty(&'static str, &'static str),
}

const READ: Method = Method {
    name: "get",
    parameters: &[
        Parameter::Filters,
        Parameter::Shared(Shared::Select),
        Parameter::Shared(Shared::Order),
        Parameter::Shared(Shared::Range),
        Parameter::Shared(Shared::RangeUnit),
        Parameter::Shared(Shared::Offset),
        Parameter::Shared(Shared::Limit),
        Parameter::Shared(Shared::PreferCount),
    ],
    responses: &[Response::Rows("200", "OK"), Response::Empty("206", "Partial Content")],
};

/// A name in a path. Braces would be a parameter's, and are encoded; all else is as PostgREST has it.
fn literal(name: &str) -> String {
    name.replace('{', "%7B").replace('}', "%7D")
}

/// All of them are there where one is possible.
const WRITES: [Method; 3] = [
    Method {
        name: "post",
        parameters: &[
            Parameter::Row,
            Parameter::Shared(Shared::Select),
            Parameter::Shared(Shared::PreferPost),
        ],
        responses: &[Response::Empty("201", "Created")],
    },
    Method {
        name: "patch",
        parameters: &[Parameter::Filters, Parameter::Row, Parameter::Shared(Shared::PreferReturn)],
        responses: &[Response::Empty("204", "No Content")],
    },
    Method {
        name: "delete",
        parameters: &[Parameter::Filters, Parameter::Shared(Shared::PreferReturn)],
        responses: &[Response::Empty("204", "No Content")],
    },
];

/// Every path. Of overloaded functions the last describes theirs: it has the most arguments.
pub(super) fn all(
    source: &Source<'_>,
    relations: &[&Relation],
    functions: &[&Function],
) -> Map<String, Value> {
    let searched = source.searched();
    let root = std::iter::once(("/".to_owned(), root()));
    let relations = relations.iter().map(|found| (format!("/{}", literal(&found.name)), relation(found)));
    let functions = functions
        .iter()
        .map(|found| (format!("/rpc/{}", literal(&found.name)), function(source, found, &searched)));
    root.chain(relations).chain(functions).collect()
}

fn root() -> Value {
    json!({"get": {
        "tags": ["Introspection"],
        "summary": "OpenAPI description (this document)",
        "produces": ["application/openapi+json", JSON],
        "responses": {"200": {"description": "OK"}},
    }})
}

fn relation(relation: &Relation) -> Value {
    let writable = relation.insertable || relation.updatable || relation.deletable;
    let writes = WRITES.iter().filter(|_| writable);
    std::iter::once(&READ)
        .chain(writes)
        .map(|method| (method.name.to_owned(), operation(method, relation)))
        .collect()
}

fn operation(method: &Method, relation: &Relation) -> Value {
    let (summary, description) = comment::split(relation.comment.as_deref());
    let parameters: Vec<_> =
        method.parameters.iter().flat_map(|parameter| references(parameter, relation)).collect();
    let responses: Map<_, _> = method.responses.iter().map(|response| answer(response, relation)).collect();
    present(json!({
        "tags": [relation.name],
        "summary": summary,
        "description": description,
        "parameters": parameters,
        "responses": responses,
    }))
}

fn references(parameter: &Parameter, relation: &Relation) -> Vec<Value> {
    match parameter {
        Parameter::Filters => parameter::column_filters(relation).collect(),
        Parameter::Row => vec![parameter::row_body(relation)],
        Parameter::Shared(shared) => vec![shared.reference()],
    }
}

fn answer(response: &Response, relation: &Relation) -> (String, Value) {
    match response {
        Response::Empty(status, reason) => ((*status).to_owned(), json!({"description": reason})),
        Response::Rows(status, reason) => {
            let rows = json!({"type": "array", "items": reference("definitions", &relation.name)});
            ((*status).to_owned(), json!({"description": reason, "schema": rows}))
        }
    }
}

fn function(source: &Source<'_>, function: &Function, searched: &[&str]) -> Value {
    let catalog = source.catalog;
    let post = vec![parameter::arguments(catalog, function, searched), Shared::PreferParams.reference()];
    let arguments = function.arguments.iter();
    let get = arguments.filter_map(|argument| parameter::argument(catalog, argument, searched)).collect();
    match function.volatility() {
        Volatility::Volatile | Volatility::Unspecified => json!({"post": call(function, post)}),
        Volatility::Stable | Volatility::Immutable => {
            json!({"get": call(function, get), "post": call(function, post)})
        }
    }
}

fn call(function: &Function, parameters: Vec<Value>) -> Value {
    let (summary, description) = comment::split(function.comment.as_deref());
    present(json!({
        "tags": [format!("(rpc) {}", function.name)],
        "summary": summary,
        "description": description,
        "produces": [JSON, OBJECT_WITHOUT_NULLS, OBJECT],
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
    }))
}
