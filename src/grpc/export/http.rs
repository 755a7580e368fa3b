//! Which methods are said by the REST side too, as `google.api.http` has it:
//! those whose path, parameters and answer are just what that option would mean
//! (<https://google.aip.dev/127>). Keys and filters are operators in REST's
//! query, and so are not among them; other schemas than the first are chosen by
//! a header, which the option does not have.

use crate::grpc::{
    method::{Effects, RelationMethod, number},
    surface::{FUNCTIONS_SERVICE, Field, Function, Multiplicity, Package, Passing, Returns, Scalar, Shape},
};
use prost_types::FileDescriptorProto;
use std::collections::BTreeMap;

/// `GET` of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The path.
    pub(super) get: String,
    /// The field of the response that is the body; the whole response without it.
    pub(super) response_body: Option<String>,
}

/// Rules by service and method.
pub(super) type Rules = BTreeMap<(String, String), Rule>;

/// The rules of the first schema's package, whose file this is.
pub(super) fn rules(package: &Package, file: &FileDescriptorProto) -> Rules {
    let lists = package.all_resources().filter(|resource| is_literal(&resource.relation)).map(|resource| {
        let method = RelationMethod::List.name(&resource.names);
        let response_body = body(file, &format!("{method}Response"));
        let rule = Rule { get: format!("/{}", resource.relation), response_body };
        ((resource.names.service(), method), rule)
    });
    let functions = &package.functions;
    // Overloads share one path.
    let is_alone = |function: &Function| {
        functions.iter().filter(|other| other.function == function.function).count() == 1
    };
    let said = functions.iter().filter(|function| is_said_by_get(function) && is_alone(function));
    let calls = said.map(|function| {
        let response_body = match function.returns {
            Returns::Columns(_) | Returns::Void => None,
            Returns::Value(_) | Returns::Resource(_) => body(file, &format!("{}Response", function.messages)),
        };
        let rule = Rule { get: format!("/rpc/{}", function.function), response_body };
        ((FUNCTIONS_SERVICE.to_owned(), function.method.clone()), rule)
    });
    lists.chain(calls).collect()
}

/// Whether `GET /rpc/name?argument=value` says it, and its answer is one.
fn is_said_by_get(function: &Function) -> bool {
    let has_body = match function.returns {
        Returns::Void => false,
        Returns::Value(_) | Returns::Resource(_) | Returns::Columns(_) => true,
    };
    function.effects() == Effects::None
        && has_body
        && function.multiplicity == Multiplicity::One
        && function.passing == Passing::Named
        && is_literal(&function.function)
        && function.arguments.iter().all(is_parameter)
}

/// Whether the argument is written alike in both.
fn is_parameter(field: &Field) -> bool {
    let plain = match field.shape {
        Shape::One(scalar) => match scalar {
            Scalar::Bool
            | Scalar::Int2
            | Scalar::Int4
            | Scalar::Int8
            | Scalar::Float4
            | Scalar::Float8
            | Scalar::Text
            | Scalar::Json
            | Scalar::OwnText => true,
            Scalar::TimestampTz
            | Scalar::TimestampText
            | Scalar::Bytea
            | Scalar::Hstore
            | Scalar::Enum(_)
            | Scalar::Record(_) => false,
        },
        Shape::Many(_) => false,
    };
    plain && field.name == field.column
}

/// Whether a path can have it as it is.
fn is_literal(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_' || letter == b'-')
}

/// The field of a response that has the rows or the value.
fn body(file: &FileDescriptorProto, message: &str) -> Option<String> {
    let message = file.message_type.iter().find(|found| found.name() == message)?;
    let field = message.field.iter().find(|field| u32::try_from(field.number()) == Ok(number::ROWS))?;
    Some(field.name().to_owned())
}
