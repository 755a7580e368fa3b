//! The path of a function and its overloads: GET and HEAD where one of them cannot write, POST always.

use super::{
    FORM, JSON, comment,
    components::Components,
    members::{Members, Others},
    name::{self, Kind},
    operation::{Link, Method, Operation, Path, Used},
    parameter::{self, LOGIC, PAGE, Profile, Shared},
    response::{
        self, Answers, Content, Failure, KINDS_OF_JSON, Nothing, Told, content, media_of_rows, with_headers,
    },
    row::{self, Use},
    schema::{anything, array, described, in_query, items, nullable, of_type, string},
};
use crate::{
    catalog::{
        descriptor::{Argument, Function, Relation, Volatility},
        routine::Shape,
    },
    outcome::RelationPrivileges,
};
use std::collections::HashSet;
use utoipa::openapi::{
    Ref, RefOr, Required, Response, ResponseBuilder,
    path::{Parameter, ParameterBuilder, ParameterStyle},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{AnyOfBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
};

const READING: [Failure; 6] = [
    Failure::BadRequest,
    Failure::Unauthorized,
    Failure::Forbidden,
    Failure::NotFound,
    Failure::NotAcceptable,
    Failure::RangeNotSatisfiable,
];
const CALLING: [Failure; 8] = [
    Failure::BadRequest,
    Failure::Unauthorized,
    Failure::Forbidden,
    Failure::NotFound,
    Failure::NotAcceptable,
    Failure::Conflict,
    Failure::TooLarge,
    Failure::RangeNotSatisfiable,
];

/// The tag of functions of this name, as PostgREST has it.
pub(super) fn tag(name: &str) -> String {
    format!("(rpc) {name}")
}

/// What a function without a comment does.
pub(super) fn call_of(name: &str) -> String {
    format!("Calls `{name}`.")
}

/// The path of the functions of one name.
pub(super) fn path<'f>(components: &mut Components<'_>, overloads: &[&'f Function]) -> Path<'f> {
    let mut operations = Vec::new();
    let readable: Vec<&Function> =
        overloads.iter().copied().filter(|function| is_readable(function)).collect();
    let results = match readable.len() == overloads.len() {
        true => Results::OfAll,
        false => Results::OfSome,
    };
    if !readable.is_empty() {
        operations.push((Method::Get, get(components, &readable, results)));
        operations.push((Method::Head, head(components, &readable)));
    }
    operations.push((Method::Post, post(components, overloads)));
    Path { operations, ..Path::default() }
}

/// Whether an operation calls each function of the name: what it answers is a component then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Results {
    OfAll,
    OfSome,
}

/// Whether GET can call it: it does not write, and a query string can have each argument that it needs.
fn is_readable(function: &Function) -> bool {
    let reads = match function.volatility() {
        Volatility::Stable | Volatility::Immutable => true,
        Volatility::Volatile | Volatility::Unspecified => false,
    };
    let can_be_given = |argument: &Argument| name::in_query(&argument.name).is_some();
    reads && function.arguments.iter().all(|argument| !is_required(argument) || can_be_given(argument))
}

fn is_required(argument: &Argument) -> bool {
    !argument.has_default && !argument.variadic
}

fn post<'f>(components: &mut Components<'_>, overloads: &[&'f Function]) -> Operation<'f> {
    let mut parameters = of_result(components, overloads, &HashSet::new());
    parameters.push(parameter::shared(components, Shared::PreferCall));
    parameters.extend(parameter::profile(components, Profile::Content));
    let mut responses = successes(components, overloads, Results::OfAll);
    responses.extend(response::failures(components, Content::Full, &CALLING));
    Operation {
        request_body: Some(body(components, overloads)),
        parameters: parameters.into_iter().map(Into::into).collect(),
        responses,
        ..operation(overloads, "call")
    }
}

fn get<'f>(components: &mut Components<'_>, overloads: &[&'f Function], results: Results) -> Operation<'f> {
    let mut parameters = arguments_in_query(components, overloads);
    let mut responses = successes(components, overloads, results);
    if response::is_conditional(components, Method::Get) {
        parameters.push(parameter::shared(components, Shared::IfNoneMatch).into());
        responses.push(response::not_modified(components));
    }
    responses.extend(response::failures(components, Content::Full, &READING));
    Operation { parameters, responses, ..operation(overloads, "get") }
}

fn head<'f>(components: &mut Components<'_>, overloads: &[&'f Function]) -> Operation<'f> {
    let nothing = response::nothing(components, Nothing::Head);
    let mut responses: Answers = match overloads.iter().all(|function| is_void(components, function)) {
        true => vec![("204", nothing.into())],
        false => vec![("200", nothing.clone().into()), ("206", nothing.into())],
    };
    responses.extend(response::failures(components, Content::None, &READING));
    Operation {
        parameters: arguments_in_query(components, overloads),
        responses,
        ..operation(overloads, "probe")
    }
}

/// The parameters of a call whose arguments are in the query string.
fn arguments_in_query(components: &mut Components<'_>, overloads: &[&Function]) -> Vec<Used<Parameter>> {
    let mut found: Vec<Used<Parameter>> = Vec::new();
    let (mut given, mut identifiers) = (HashSet::new(), HashSet::new());
    for argument in overloads.iter().flat_map(|function| &function.arguments) {
        let Some(identifier) = name::in_query(&argument.name) else { continue };
        if given.insert(argument.name.as_str()) && identifiers.insert(identifier) {
            found.push(query_argument(components, argument, overloads).into());
        }
    }
    found.extend(of_result(components, overloads, &given).into_iter().map(Into::into));
    found.push(parameter::shared(components, Shared::PreferCall).into());
    found.extend(parameter::profile(components, Profile::Accept).map(Into::into));
    found
}

fn operation<'f>(overloads: &[&'f Function], id: &str) -> Operation<'f> {
    let name = overloads.first().map(|function| function.name.as_str()).unwrap_or_default();
    let comments = overloads.iter().filter_map(|function| function.comment.as_deref());
    let (title, _) = comment::split(comments.clone().next());
    let all: Vec<_> = comments.collect();
    Operation {
        tags: [tag(name).into()],
        summary: title.map_or_else(|| format!("Call {name}"), comment::markdown),
        description: (!all.is_empty()).then(|| comment::markdown(&all.join("\n\n"))),
        operation_id: format!("{id}{}", name::word(name)),
        parameters: Vec::new(),
        request_body: None,
        responses: Vec::new(),
    }
}

/// An argument in the query string; it is required if every overload wants it.
fn query_argument(
    components: &mut Components<'_>,
    argument: &Argument,
    overloads: &[&Function],
) -> Parameter {
    let named = |function: &&Function| {
        function
            .arguments
            .iter()
            .find(|other| other.name == argument.name)
            .map(|other| (other.r#type, is_required(other)))
    };
    let all: Vec<_> = overloads.iter().map(named).collect();
    let is_wanted = all.iter().all(|found| matches!(found, Some((_, true))));
    let is_one_type = all.iter().flatten().all(|(kind, _)| *kind == argument.r#type);
    let required = if is_wanted { Required::True } else { Required::False };
    let (schema, example) = match is_one_type {
        true if argument.variadic => {
            (array(items(of_type(components, argument.r#type, &argument.sql_type))), None)
        }
        true => in_query(components, argument.r#type, &argument.sql_type),
        false => (RefOr::T(string().build().into()), None),
    };
    let description = format!("Type `{}`.", argument.sql_type);
    let parameter = parameter::query(&argument.name, required, description, schema);
    let parameter = parameter::with_example(parameter, example);
    match argument.variadic && is_one_type {
        true => {
            ParameterBuilder::from(parameter).style(Some(ParameterStyle::Form)).explode(Some(true)).build()
        }
        false => parameter,
    }
}

/// What a function answers with, as far as all its overloads do.
fn shape<'c>(components: &Components<'c>, overloads: &[&'c Function]) -> Option<Shape<'c>> {
    let mut shapes = overloads.iter().map(|function| function.shape(components.catalog()));
    let first = shapes.next()??;
    shapes.all(|shape| shape == Some(first)).then_some(first)
}

/// The parameters that choose among the rows of the result, but for those that are arguments.
fn of_result(
    components: &mut Components<'_>,
    overloads: &[&Function],
    arguments: &HashSet<&str>,
) -> Vec<Link> {
    let mut found = Vec::new();
    let relation = visible(components, overloads);
    if let Some((relation, may)) = &relation {
        let columns = Use::Read.columns(relation, may);
        let filterable = parameter::filterable(relation);
        // An argument takes the key of a column of its name, and the identifier of one that ends at the same.
        let identifiers: HashSet<_> = arguments.iter().filter_map(|name| name::in_query(name)).collect();
        for column in columns.iter().filter(|column| filterable.contains(column.name.as_str())) {
            if name::in_query(&column.name).is_some_and(|identifier| !identifiers.contains(&identifier)) {
                found.push(parameter::filter(components, relation, column));
            }
        }
        found.extend(LOGIC.map(|shared| parameter::shared(components, shared)));
        found.push(parameter::select(components, relation));
        found.push(parameter::order(components, relation, &columns));
    }
    if overloads.iter().any(|function| function.returns_set) {
        found.extend(PAGE.map(|shared| parameter::shared(components, shared)));
    }
    found
}

/// The relation whose rows they answer with, if the role may read it.
fn visible<'c>(
    components: &Components<'c>,
    overloads: &[&'c Function],
) -> Option<(&'c Relation, RelationPrivileges)> {
    let relation = shape(components, overloads)?.relation()?;
    let source = components.source();
    let may = source.relation_privileges(relation).filter(|may| !may.select.is_empty())?;
    (relation.schema == source.schema).then_some((relation, may))
}

fn body(components: &mut Components<'_>, overloads: &[&Function]) -> RequestBody {
    let mut body = RequestBodyBuilder::new();
    let mut named: Vec<&Function> = Vec::new();
    let mut is_optional = false;
    for function in overloads {
        let Some(declared) = function.takes_body(components.catalog()) else {
            named.push(function);
            is_optional |= !function.arguments.iter().any(is_required);
            continue;
        };
        body = match declared.name.as_str() {
            "text" => body.content("text/plain", content(string())),
            "xml" => body.content("text/xml", content(string())),
            "bytea" => body.content("application/octet-stream", content(string())),
            _ => body.content(JSON, content(anything())),
        };
    }
    if !named.is_empty() {
        let arguments = arguments(components, &named);
        body = body.content(JSON, content(arguments.clone())).content(FORM, content(arguments));
        body = body.content("text/csv", content(string()));
    }
    let required = if is_optional { Required::False } else { Required::True };
    body.required(Some(required)).build()
}

/// A reference to the arguments of functions of one name: an object of them, or one of several.
fn arguments(components: &mut Components<'_>, overloads: &[&Function]) -> Ref {
    let name = overloads.first().map(|function| function.name.as_str()).unwrap_or_default();
    let component = name::word(name) + "Arguments";
    if components.claim(&component) {
        let schema = match overloads {
            [only] => RefOr::T(object(components, only)),
            several => {
                let all = several.iter().fold(OneOfBuilder::new(), |all, function| {
                    all.item(RefOr::T(object(components, function)))
                });
                RefOr::T(Schema::OneOf(all.build()))
            }
        };
        components.schema_named(&component, schema);
    }
    Ref::from_schema_name(component)
}

fn object(components: &mut Components<'_>, function: &Function) -> Schema {
    let mut object = Members::new(function.comment.clone(), Others::Refused);
    for argument in &function.arguments {
        let value = nullable(of_type(components, argument.r#type, &argument.sql_type));
        let value = described(value, Some(format!("Type `{}`.", argument.sql_type)));
        match is_required(argument) {
            true => object.add_required(&argument.name, value),
            false => object.add(&argument.name, value),
        }
    }
    object.build().into()
}

fn is_void(components: &Components<'_>, function: &Function) -> bool {
    matches!(function.shape(components.catalog()), Some(Shape::Void))
}

/// What the overloads answer when they succeed.
fn successes(components: &mut Components<'_>, overloads: &[&Function], results: Results) -> Answers {
    let (void, valued): (Vec<&Function>, Vec<&Function>) =
        overloads.iter().partition(|function| is_void(components, function));
    let mut statuses = Vec::new();
    if !valued.is_empty() {
        statuses.push("200");
    }
    if valued.iter().any(|function| function.returns_set) {
        statuses.push("206");
    }
    let name = overloads.first().map(|function| function.name.as_str()).unwrap_or_default();
    let answer = |components: &mut Components<'_>| match results {
        Results::OfAll => {
            let make = |components: &mut Components<'_>| result(components, &valued);
            components.response(name::key(name, Kind::Result), make).into()
        }
        Results::OfSome => result(components, &valued).into(),
    };
    let mut answers: Answers = statuses.into_iter().map(|status| (status, answer(components))).collect();
    if !void.is_empty() {
        answers.push(("204", response::nothing(components, Nothing::Done).into()));
    }
    answers
}

fn result(components: &mut Components<'_>, overloads: &[&Function]) -> Response {
    let response = ResponseBuilder::new().description("The result.");
    let headers =
        response::of_content(components, &[Told::ContentRange], response::etag(components).as_slice());
    let response = with_headers(components, response, &headers);
    if let Some((relation, _)) = visible(components, overloads)
        && overloads.iter().all(|function| function.returns_set)
    {
        let row = RefOr::Ref(Ref::from_schema_name(&*components.stem(&relation.name)));
        return media_of_rows(components, response, row, Some(relation)).build();
    }
    let mut media = Vec::new();
    let mut results: Vec<RefOr<Schema>> = Vec::new();
    for function in overloads {
        if let Some(made) = function.media_type(components.catalog()) {
            media.push(if made == "*/*" { "application/octet-stream" } else { made });
        }
        let found = one_result(components, function);
        if !results.contains(&found) {
            results.push(found);
        }
    }
    let schema = match results.as_slice() {
        [only] if overloads.iter().all(|function| function.returns_set) => only.clone(),
        [only] => nullable(only.clone()),
        // Generators make types of alternatives, which cannot be arrays in all languages.
        several if several.iter().any(|one| matches!(one, RefOr::T(Schema::Array(_)))) => anything(),
        // Any: one value may be of several types, and NULL is of each.
        several => {
            let any = several.iter().fold(AnyOfBuilder::new(), |any, one| any.item(one.clone()));
            let null = ObjectBuilder::new().schema_type(Type::Null);
            RefOr::T(Schema::AnyOf(any.item(null).build()))
        }
    };
    let mut response = response.content(JSON, content(schema.clone())).content("text/csv", content(string()));
    // What has a media type of its own is nothing else.
    if media.is_empty() {
        response = response.content(KINDS_OF_JSON, content(response::kinds(schema)));
    }
    for media in media {
        response = response.content(media, content(response::of_media(media)));
    }
    response.build()
}

/// What one function answers with, in JSON, where that is not NULL.
fn one_result(components: &mut Components<'_>, function: &Function) -> RefOr<Schema> {
    let one = match function.shape(components.catalog()) {
        Some(Shape::Columns(columns)) => {
            let mut object = Members::new(None, Others::Allowed);
            for column in columns {
                object.add(&column.name, nullable(of_type(components, column.r#type, &column.sql_type)));
            }
            RefOr::T(object.build().into())
        }
        Some(Shape::Relation(relation)) if let Some((_, may)) = visible(components, &[function]) => {
            match function.returns_set {
                true => RefOr::Ref(Ref::from_schema_name(&*components.stem(&relation.name))),
                false => RefOr::Ref(row::or_nulls(components, relation, &may)),
            }
        }
        Some(Shape::Record) => RefOr::T(ObjectBuilder::new().build().into()),
        Some(Shape::Relation(_) | Shape::Composite(_) | Shape::Scalar(_) | Shape::Void) | None => {
            let catalog = components.catalog();
            let declared = catalog.type_of(function.return_type);
            let sql_type = declared.map_or("text", |declared| declared.sql_name.as_str());
            of_type(components, function.return_type, sql_type)
        }
    };
    match function.returns_set {
        true if is_scalar(components, function) => array(nullable(one)),
        true => array(one),
        false => one,
    }
}

fn is_scalar(components: &Components<'_>, function: &Function) -> bool {
    matches!(function.shape(components.catalog()), Some(Shape::Scalar(_)))
}
