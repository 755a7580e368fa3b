//! The documentation below `/docs/`: the files of the OpenAPI viewer, and the `.proto` files of the services in place.

use super::services::Services;
use crate::{
    config::Config,
    engine::Engine,
    error::{Error, Fault, Result},
    grpc::{
        Options,
        export::{Export, archive, export, listing},
        lock::Lock,
    },
    openapi::{Protos, ui},
    rest,
    server::stored::{Coding, Store, Stored},
};
use axum::body::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use std::{fmt, sync::Arc};

/// The files of the viewer have 2 MB, and less when compressed.
const MOST_BYTES: usize = 16 << 20;

/// Whether a request without the last slash of [`ui::PREFIX`] means the page: a relation of that name comes first.
pub(super) fn is_meant<B>(request: &Request<B>, services: &Services) -> bool {
    let (config, catalog) = (services.engine.config(), services.engine.catalog());
    let name = ui::PREFIX.trim_matches('/');
    let is_relation = || {
        let mut schemas = catalog.descriptor().schemas.iter();
        schemas.any(|schema| catalog.relation(&schema.name, name).is_some())
    };
    config.docs_enabled
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && request.uri().path().strip_prefix('/') == Some(name)
        && !is_relation()
}

/// Leads to the page, by an address that holds behind a proxy that adds to the path. Not for ever: the relation may come.
pub(super) fn lead() -> Response<Body> {
    let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("docs/"));
    response
}

/// The files of the OpenAPI viewer, ready to be sent. Shared by all connections.
#[derive(Debug)]
pub(super) struct Docs {
    files: Store<String>,
}

impl Default for Docs {
    fn default() -> Self {
        Self { files: Store::new(MOST_BYTES) }
    }
}

impl Docs {
    /// Answers a request; `services` are those in place.
    pub(super) async fn answer(
        &self,
        head: &Parts,
        services: Result<Arc<Services>>,
        config: &Config,
    ) -> Response<Body> {
        if !matches!(head.method, Method::GET | Method::HEAD) {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let path = head.uri.path().strip_prefix(ui::PREFIX).unwrap_or_default();
        let answer = match (head.uri.path(), Protos::of(config)) {
            (ui::PROTOS, Protos::Downloadable) => protos(head, services).await,
            (ui::LISTING, Protos::Downloadable) => listed(head, services).await,
            (ui::PROTOS | ui::LISTING, Protos::Withheld) => Ok(empty(StatusCode::NOT_FOUND)),
            _ => self.file(head, path).await,
        };
        answer.unwrap_or_else(|error| rest::failure(&error, config))
    }

    async fn file(&self, head: &Parts, path: &str) -> Result<Response<Body>> {
        let Some(file) = ui::file(path) else { return Ok(empty(StatusCode::NOT_FOUND)) };
        let make = move || Ok(file.bytes.into_owned());
        let stored = self.files.get(path.to_owned(), Coding::accepted(&head.headers), make).await?;
        let mut response = answer(&stored, head, &file.content_type);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        Ok(response)
    }
}

async fn protos(head: &Parts, services: Result<Arc<Services>>) -> Result<Response<Body>> {
    let services = services?;
    let engine = services.engine.clone();
    let make = move || archive(&exported(&engine)?.files).map_err(|error| internal(&error));
    // The files in the archive are compressed.
    let stored = services.protos.get((), Coding::Identity, make).await?;
    let mut response = answer(&stored, head, "application/zip");
    let name = HeaderValue::from_static("attachment; filename=\"proto.zip\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

async fn listed(head: &Parts, services: Result<Arc<Services>>) -> Result<Response<Body>> {
    let services = services?;
    let engine = services.engine.clone();
    let make = move || {
        let services = listing(&exported(&engine)?.files).map_err(|error| internal(&error))?;
        serde_json::to_vec(&services).map_err(|error| internal(&error))
    };
    let stored = services.listing.get((), Coding::accepted(&head.headers), make).await?;
    let mut response = answer(&stored, head, "application/json");
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Ok(response)
}

/// The `.proto` files of the services in place.
fn exported(engine: &Engine) -> Result<Export> {
    let config = engine.config();
    let lock = Lock::of_server(config.grpc_lock.as_deref()).map_err(|error| internal(&error))?;
    export(engine.catalog(), &Options::of(config), &lock).map_err(|error| internal(&error))
}

fn answer(stored: &Stored, head: &Parts, content_type: &str) -> Response<Body> {
    let mut response = stored.answer(&head.method, &head.headers);
    if let Ok(content_type) = HeaderValue::from_str(content_type)
        && response.status() == StatusCode::OK
    {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

fn internal(error: &dyn fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "Internal error").cause(error)
}
