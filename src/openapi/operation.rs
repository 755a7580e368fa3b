//! A path and its operations as JSON. utoipa has types for both, but a reference of utoipa's is as large as what it refers
//! to, and an operation of a table has little besides references: eighty for all methods.

use serde::{Serialize, Serializer, ser::SerializeMap};
use std::borrow::Cow;
use utoipa::openapi::{Response, path::Parameter, request_body::RequestBody};

/// A reference to a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Parameter(Cow<'static, str>),
    Response(Cow<'static, str>),
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (place, key) = match self {
            Link::Parameter(key) => ("parameters", key),
            Link::Response(key) => ("responses", key),
        };
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry("$ref", &format_args!("#/components/{place}/{key}"))?;
        object.end()
    }
}

/// A component by its reference, or what is used once, where it is used.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Used<T> {
    Linked(Link),
    Here(Box<T>),
}

impl<T> From<Link> for Used<T> {
    fn from(link: Link) -> Self {
        Self::Linked(link)
    }
}

impl From<Parameter> for Used<Parameter> {
    fn from(parameter: Parameter) -> Self {
        Self::Here(Box::new(parameter))
    }
}

impl From<Response> for Used<Response> {
    fn from(response: Response) -> Self {
        Self::Here(Box::new(response))
    }
}

/// What is done with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Patch,
    Put,
    Delete,
}

/// A method of a path.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation<'a> {
    pub(super) tags: [Cow<'a, str>; 1],
    pub(super) summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) operation_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parameters: Vec<Used<Parameter>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_body: Option<RequestBody>,
    #[serde(serialize_with = "as_object")]
    pub(super) responses: Vec<(&'static str, Used<Response>)>,
}

/// A path.
#[derive(Default)]
pub(super) struct Path<'a> {
    /// Those of all its operations.
    pub(super) parameters: Vec<Used<Parameter>>,
    pub(super) operations: Vec<(Method, Operation<'a>)>,
}

impl Serialize for Path<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        if !self.parameters.is_empty() {
            object.serialize_entry("parameters", &self.parameters)?;
        }
        for (method, operation) in &self.operations {
            object.serialize_entry(method, operation)?;
        }
        object.end()
    }
}

/// Writes pairs as the members of an object, in their order.
fn as_object<S: Serializer, K: Serialize, V: Serialize>(
    pairs: &[(K, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}
