//! What a request is counted as where its plan does not say it: it failed, or needed none. Names are looked up for these
//! requests alone.

use super::{
    headers,
    route::{self, Resource},
    transaction,
};
use crate::{engine::Engine, metrics::Route, openapi::Format};
use http::request::Parts;
use std::sync::Arc;

/// What it is counted as.
pub(super) fn route(engine: &Engine, head: &Parts) -> Arc<Route> {
    if transaction::is_meant(head) {
        return engine.meters().routes.transaction.clone();
    }
    match headers::profile(&head.method, &head.headers, engine.config()) {
        Ok(profile) => of_path(engine, head.uri.path(), &profile.schema),
        Err(_) => engine.meters().routes.unknown.clone(),
    }
}

/// What a request of this path is counted as, for this schema.
fn of_path(engine: &Engine, path: &str, schema: &str) -> Arc<Route> {
    let routes = &engine.meters().routes;
    match route::resource(path, engine.config()) {
        Ok(Resource::Root) => routes.documents.clone(),
        Ok(Resource::Relation(name)) => {
            let is_file =
                Format::of_file(&name).is_some() && engine.catalog().relation(schema, &name).is_none();
            match is_file {
                true => routes.documents.clone(),
                false => engine.route_of_relation(schema, &name),
            }
        }
        Ok(Resource::Function(name)) => engine.route_of_function(schema, &name),
        Err(_) => routes.unknown.clone(),
    }
}
