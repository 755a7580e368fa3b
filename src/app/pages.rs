//! The paths that are no resource of the database's, as axum's router: the documentation below `/docs/`, which is the OpenAPI
//! viewer and the `.proto` files of the services in place, and the files of the OpenAPI document. What else these paths are
//! asked for is REST.
//!
//! Other requests do not come this way: the router boxes body, route and future, which takes 2,600 instructions beside the
//! 61,500 of a row by key.

use super::services::{Services, unavailable};
use crate::{
    config::Config,
    engine::Engine,
    error::{Error, Fault, Result},
    grpc::{
        Options,
        export::{Export, archive, export, listing},
        lock::Lock,
    },
    openapi::{Format, Protos, ui},
    rest,
    server::{
        coding::Coding,
        stored::{Store, Stored},
    },
};
use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Redirect},
    routing::get,
};
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use std::{fmt, sync::Arc};

/// The files of the viewer have 2 MB, and less when compressed.
const MOST_BYTES: usize = 16 << 20;

/// The page without the last slash of its path.
const PAGE: &str = "/docs";

/// The services and the configuration that serve a request. The front adds them to the extensions of the request.
#[derive(Clone, Debug)]
pub(super) struct InPlace {
    /// None before the first load.
    pub(super) services: Option<Arc<Services>>,
    pub(super) config: Arc<Config>,
}

/// The files of the viewer, ready to be sent.
type Files = Arc<Store<String>>;

/// Whether the router has something at this path.
pub(super) fn are_at(path: &str, config: &Config) -> bool {
    match path.strip_prefix(PAGE) {
        Some(rest) => config.docs_enabled && (rest.is_empty() || rest.starts_with('/')),
        None => Format::FILES.iter().any(|(at, _)| *at == path),
    }
}

/// The router. An answer has the identity among its extensions, where it is known.
pub(super) fn pages() -> Router {
    let viewer: Router<Files> = Router::new()
        .route(PAGE, get(lead).fallback(rest))
        .route(ui::PREFIX, get(file))
        .route("/docs/{*file}", get(file))
        .route(ui::PROTOS, get(protos))
        .route(ui::LISTING, get(listed));
    let documented = Format::FILES.into_iter().fold(viewer, |router, (at, format)| {
        let document = move |Extension(here): Extension<InPlace>, request| here.rest(request, Some(format));
        router.route(at, get(document).fallback(rest))
    });
    documented.fallback(rest).with_state(Arc::new(Store::new(MOST_BYTES)))
}

/// Removes the `Content-Length: 0` that axum's router adds to an answer without content by its method or status.
pub(super) fn measured(method: &Method, mut answer: Response<Body>) -> Response<Body> {
    let has_none = method == Method::HEAD
        || matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = answer.headers_mut();
    if has_none && headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0") {
        headers.remove(header::CONTENT_LENGTH);
    }
    answer
}

impl InPlace {
    fn services(&self) -> Result<&Arc<Services>> {
        self.services.as_ref().ok_or_else(unavailable)
    }

    /// Leaves a request to REST.
    async fn rest(self, request: Request, file: Option<Format>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let services = match self.services() {
            Ok(services) => services,
            Err(error) => return rest::failure(&error, &head, &self.config),
        };
        let Services { engine, authenticator, documents, .. } = &**services;
        let (mut answer, rest::Answered { identity: role, .. }) =
            rest::serve(engine, authenticator, documents, &head, body, file).await;
        if let Some(role) = role {
            answer.extensions_mut().insert(role);
        }
        answer
    }

    /// Answers with the stored file, with 404 where there is none, or with the error.
    fn answer(
        &self,
        head: &Parts,
        stored: Result<Option<Arc<Stored>>>,
        content_type: &str,
    ) -> Response<Body> {
        let stored = match stored {
            Ok(Some(stored)) => stored,
            Ok(None) => return StatusCode::NOT_FOUND.into_response(),
            Err(error) => return rest::failure(&error, head, &self.config),
        };
        // With its content, for HEAD too: the router measures that before it takes it away.
        let mut response = stored.answer(&Method::GET, &head.headers);
        if let (StatusCode::OK, Ok(value)) = (response.status(), HeaderValue::from_str(content_type)) {
            response.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        response
    }
}

async fn rest(Extension(here): Extension<InPlace>, request: Request) -> Response<Body> {
    here.rest(request, None).await
}

/// Leads to the page, by an address that holds behind a proxy that adds to the path. Not for ever: a relation of that name
/// comes first.
async fn lead(Extension(here): Extension<InPlace>, request: Request) -> Response<Body> {
    let is_free = here.services().is_ok_and(|services| {
        let catalog = services.engine.catalog();
        let mut schemas = catalog.descriptor().schemas.iter();
        !schemas.any(|schema| catalog.relation(&schema.name, PAGE.trim_matches('/')).is_some())
    });
    match is_free {
        true => Redirect::temporary("docs/").into_response(),
        false => here.rest(request, None).await,
    }
}

async fn file(
    State(files): State<Files>,
    Extension(here): Extension<InPlace>,
    head: Parts,
) -> Response<Body> {
    let path = head.uri.path().strip_prefix(ui::PREFIX).unwrap_or_default();
    let Some(file) = ui::file(path) else { return StatusCode::NOT_FOUND.into_response() };
    let make = move || Ok(file.bytes.into_owned());
    let stored = files.get(path.to_owned(), Coding::accepted(&head.headers), make).await;
    here.answer(&head, stored.map(Some), &file.content_type)
}

async fn protos(Extension(here): Extension<InPlace>, head: Parts) -> Response<Body> {
    let make = |engine: &Engine| archive(&exported(engine)?.files).map_err(|error| internal(&error));
    // The files in the archive are compressed.
    let stored = described(&here, |services| &services.protos, Coding::Identity, make).await;
    let mut response = here.answer(&head, stored, "application/zip");
    if response.status().is_success() {
        let name = HeaderValue::from_static("attachment; filename=\"proto.zip\"");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

async fn listed(Extension(here): Extension<InPlace>, head: Parts) -> Response<Body> {
    let make = |engine: &Engine| {
        let services = listing(&exported(engine)?.files).map_err(|error| internal(&error))?;
        serde_json::to_vec(&services).map_err(|error| internal(&error))
    };
    let stored = described(&here, |services| &services.listing, Coding::accepted(&head.headers), make).await;
    here.answer(&head, stored, "application/json")
}

/// The stored file about the services; `None` where the configuration withholds the `.proto` files.
async fn described(
    here: &InPlace,
    store: impl Fn(&Services) -> &Store<()>,
    coding: Coding,
    make: impl FnOnce(&Engine) -> Result<Vec<u8>> + Send + 'static,
) -> Result<Option<Arc<Stored>>> {
    match Protos::of(&here.config) {
        Protos::Withheld => Ok(None),
        Protos::Downloadable => {
            let services = here.services()?;
            let engine = services.engine.clone();
            store(services).get((), coding, move || make(&engine)).await.map(Some)
        }
    }
}

/// The `.proto` files of the services in place.
fn exported(engine: &Engine) -> Result<Export> {
    let config = engine.config();
    let lock = Lock::of_server(config.grpc_lock.as_deref()).map_err(|error| internal(&error))?;
    export(engine.catalog(), &Options::of(config), &lock).map_err(|error| internal(&error))
}

fn internal(error: &dyn fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "Internal error").cause(error)
}
