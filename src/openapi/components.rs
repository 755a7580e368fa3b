//! The components of a document in the making: each is made once, when it is first referred to.

use super::Source;
use crate::catalog::Catalog;
use std::collections::{BTreeMap, HashSet};
use utoipa::openapi::{
    Header, Ref, RefOr, Response,
    path::Parameter,
    schema::{Components as Built, ComponentsBuilder, Schema},
};

/// Components so far.
pub(super) struct Components<'a> {
    source: &'a Source<'a>,
    claimed: HashSet<String>,
    schemas: BTreeMap<String, RefOr<Schema>>,
    parameters: BTreeMap<String, RefOr<Parameter>>,
    responses: BTreeMap<String, RefOr<Response>>,
    headers: BTreeMap<String, RefOr<Header>>,
}

impl<'a> Components<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Self {
        Self {
            source,
            claimed: HashSet::new(),
            schemas: BTreeMap::new(),
            parameters: BTreeMap::new(),
            responses: BTreeMap::new(),
            headers: BTreeMap::new(),
        }
    }

    pub(super) fn source(&self) -> &'a Source<'a> {
        self.source
    }

    pub(super) fn catalog(&self) -> &'a Catalog {
        self.source.catalog
    }

    pub(super) fn schema(&self) -> &'a str {
        self.source.schema
    }

    /// Whether a request can choose among schemas.
    pub(super) fn has_profiles(&self) -> bool {
        self.catalog().descriptor().schemas.len() > 1
    }

    /// Whether the schema of this name has yet to be made; it is claimed then. A schema that refers to itself ends here.
    pub(super) fn claim(&mut self, name: &str) -> bool {
        self.claimed.insert(name.to_owned())
    }

    /// Adds a schema.
    pub(super) fn schema_named(&mut self, name: &str, schema: impl Into<RefOr<Schema>>) -> Ref {
        self.schemas.insert(name.to_owned(), schema.into());
        Ref::from_schema_name(name)
    }

    /// A reference to the parameter of this key, which is made if need be.
    pub(super) fn parameter(&mut self, key: &str, make: impl FnOnce(&mut Self) -> Parameter) -> Ref {
        if !self.parameters.contains_key(key) {
            let made = make(self);
            self.parameters.insert(key.to_owned(), RefOr::T(made));
        }
        Ref::new(format!("#/components/parameters/{key}"))
    }

    /// A reference to the response of this key, which is made if need be.
    pub(super) fn response(&mut self, key: &str, make: impl FnOnce(&mut Self) -> Response) -> Ref {
        if !self.responses.contains_key(key) {
            let made = make(self);
            self.responses.insert(key.to_owned(), RefOr::T(made));
        }
        Ref::from_response_name(key)
    }

    /// A reference to the header of this key, which is made if need be.
    pub(super) fn header(&mut self, key: &str, make: impl FnOnce() -> Header) -> Ref {
        self.headers.entry(key.to_owned()).or_insert_with(|| RefOr::T(make()));
        Ref::new(format!("#/components/headers/{key}"))
    }

    /// All of them.
    pub(super) fn build(self) -> Built {
        let mut built = ComponentsBuilder::new().build();
        built.schemas = self.schemas;
        built.parameters = self.parameters;
        built.responses = self.responses;
        built.headers = self.headers;
        built
    }
}
