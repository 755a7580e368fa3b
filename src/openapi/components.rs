//! The components of a document in the making: each is made once, when it is first referred to, and kept as JSON. A tree of
//! them for ten thousand tables would take gigabytes.

use super::{Source, name, operation::Link};
use crate::catalog::Catalog;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
};
use utoipa::openapi::{
    Header, Ref, RefOr, Response, path::Parameter, schema::Schema, security::SecurityScheme,
};

/// JSON by its name.
type Written = BTreeMap<Cow<'static, str>, Box<RawValue>>;

/// Components so far.
pub(super) struct Components<'a> {
    source: &'a Source<'a>,
    claimed: HashSet<String>,
    stems: HashMap<String, Rc<str>>,
    built: Built,
    failure: Option<serde_json::Error>,
}

/// Components as the document has them.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Built {
    schemas: Written,
    responses: Written,
    parameters: Written,
    headers: Written,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    security_schemes: Written,
}

impl<'a> Components<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Self {
        Self {
            source,
            claimed: HashSet::new(),
            stems: HashMap::new(),
            built: Built::default(),
            failure: None,
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

    /// What one row of the relation of this name is called. Finding the singular takes long.
    pub(super) fn stem(&mut self, relation: &str) -> Rc<str> {
        if let Some(known) = self.stems.get(relation) {
            return known.clone();
        }
        let stem: Rc<str> = name::stem(relation).into();
        self.stems.insert(relation.to_owned(), stem.clone());
        stem
    }

    /// Whether the schema of this name has yet to be made; it is claimed then. A schema that refers to itself ends here.
    pub(super) fn claim(&mut self, name: &str) -> bool {
        !self.claimed.contains(name) && self.claimed.insert(name.to_owned())
    }

    /// Adds a schema.
    pub(super) fn schema_named(&mut self, name: &str, schema: impl Into<RefOr<Schema>>) -> Ref {
        let written = self.written(&schema.into());
        self.built.schemas.insert(name.to_owned().into(), written);
        Ref::from_schema_name(name)
    }

    /// A reference to the parameter of this key, which is made if need be.
    pub(super) fn parameter(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        make: impl FnOnce(&mut Self) -> Parameter,
    ) -> Link {
        let key = key.into();
        if !self.built.parameters.contains_key(&key) {
            let made = make(self);
            let written = self.written(&made);
            self.built.parameters.insert(key.clone(), written);
        }
        Link::Parameter(key)
    }

    /// A reference to the response of this key, which is made if need be.
    pub(super) fn response(
        &mut self,
        key: impl Into<Cow<'static, str>>,
        make: impl FnOnce(&mut Self) -> Response,
    ) -> Link {
        let key = key.into();
        if !self.built.responses.contains_key(&key) {
            let made = make(self);
            let written = self.written(&made);
            self.built.responses.insert(key.clone(), written);
        }
        Link::Response(key)
    }

    /// A reference to the header of this key, which is made if need be.
    pub(super) fn header(&mut self, key: &'static str, make: impl FnOnce() -> Header) -> Ref {
        if !self.built.headers.contains_key(key) {
            let written = self.written(&make());
            self.built.headers.insert(key.into(), written);
        }
        Ref::new(format!("#/components/headers/{key}"))
    }

    pub(super) fn security_scheme(&mut self, name: &'static str, scheme: &SecurityScheme) {
        let written = self.written(scheme);
        self.built.security_schemes.insert(name.into(), written);
    }

    /// The value as JSON.
    fn written(&mut self, value: &impl Serialize) -> Box<RawValue> {
        to_raw_value(value).unwrap_or_else(|error| {
            self.failure.get_or_insert(error);
            RawValue::NULL.to_owned()
        })
    }
}

/// All of them so far. What could not be written fails the document.
impl Serialize for Components<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.failure {
            Some(error) => Err(S::Error::custom(error)),
            None => self.built.serialize(serializer),
        }
    }
}
