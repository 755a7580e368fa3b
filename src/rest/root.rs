//! The root: the OpenAPI document of a schema, as the caller's role sees it.
//!
//! Privileges can change at any moment, by a GRANT that no catalog shows: the database is asked with each request whether
//! those that are known still hold, and the document is kept under them. So a request costs one round trip, and the document
//! is written once for all roles that may do the same. What else decides the document is the catalog and the configuration,
//! and with either of them come other services and no kept document.

use super::{
    accept,
    headers::{self, Profile},
    respond::{self, Asked, What},
    route::Verb,
    timing::Stopwatch,
};
use crate::{
    auth::Identity,
    config::OpenApiMode,
    engine::Engine,
    error::{Error, Fault, Result},
    media::MediaType,
    notes::Stage,
    openapi::{self, ETags, Format, Protos, Security, Server, Source, Visibility},
    outcome::Privileges,
    server::{coding::Coding, forwarded::Forwarded, stored::Store},
};
use axum::body::Body;
use http::{HeaderMap, Response, Uri, request::Parts};
use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// How many bytes of documents one engine keeps.
const MOST_BYTES: usize = 128 << 20;

/// The documents of one engine.
#[derive(Debug)]
pub struct Documents(Store<Key>);

impl Default for Documents {
    fn default() -> Self {
        Self(Store::new(MOST_BYTES))
    }
}

/// What decides a document of one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    schema: String,
    /// `None` where the document shows everything.
    privileges: Option<Arc<Privileges>>,
    format: Format,
    /// Where proxies were called for it.
    address: Option<Uri>,
}

/// Privileges are as long as the schema has relations, so their numbers stand for them here; the comparison of those of one
/// role is one of two pointers.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let sizes = self.privileges.as_ref().map(|found| (found.relations.len(), found.functions.len()));
        (&self.schema, sizes, self.format, &self.address).hash(state);
    }
}

/// The format that is asked for.
pub(super) fn format(headers: &HeaderMap) -> Result<Format> {
    let accepted = accept::parse(headers);
    accepted.iter().find_map(Format::of).ok_or_else(|| {
        let names: Vec<_> = accepted.iter().map(MediaType::to_string).collect();
        let message = format!("None of these media types are available: {}", names.join(", "));
        Error::new(Fault::NotAcceptable, message)
    })
}

/// Whether a read of a relation means the file of its name, because there is no such relation.
pub(super) fn is_file(engine: &Engine, asked: &Asked) -> bool {
    let What::Relation { name, verb: Verb::Read, .. } = &asked.what else { return false };
    match engine.config().openapi_mode {
        OpenApiMode::FollowPrivileges | OpenApiMode::IgnorePrivileges => {
            engine.catalog().relation(&asked.profile.schema, name).is_none()
        }
        OpenApiMode::Disabled => false,
    }
}

pub(super) async fn describe(
    engine: &Engine,
    documents: &Documents,
    identity: &Identity,
    head: &Parts,
    profile: Profile,
    format: Format,
    stopwatch: &mut Stopwatch,
) -> Result<Response<Body>> {
    stopwatch.lap(Stage::Parse);
    let found = engine.privileges(&profile.schema, identity, headers::context(head)).await?;
    let privileges = match engine.config().openapi_mode {
        OpenApiMode::FollowPrivileges => Some(found),
        OpenApiMode::IgnorePrivileges | OpenApiMode::Disabled => None,
    };
    stopwatch.lap(Stage::Transaction);
    let forwarded = head.extensions.get::<Forwarded>();
    let address = forwarded.and_then(|forwarded| forwarded.address.clone());
    let key = Key { schema: profile.schema.clone(), privileges, format, address };
    let make = {
        let (catalog, config, key) = (engine.catalog().clone(), engine.config().clone(), key.clone());
        move || {
            let source = Source {
                catalog: &catalog,
                schema: &key.schema,
                visibility: key.privileges.as_deref().map_or(Visibility::Everything, Visibility::Role),
                security: Security::of(&config),
                server: Server::of(&config, key.address.as_ref()),
                protos: Protos::of(&config),
                etags: ETags::of(&config),
                extra_search_path: &config.db_extra_search_path,
                contact: config.openapi_contact.as_ref(),
                license: config.openapi_license.as_ref(),
            };
            openapi::written(&source, config.openapi_version, format)
                .map_err(|error| Error::new(Fault::Internal, "Internal error").cause(error))
        }
    };
    let document = documents.0.get(key, Coding::accepted(&head.headers), make).await?;
    Ok(respond::document(&document, format, head, &profile))
}
