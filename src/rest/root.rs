//! The root: the OpenAPI document of a schema, as the caller's role sees it.

use super::{
    accept, content,
    headers::Profile,
    respond,
    timing::{Stage, Stopwatch},
};
use crate::{
    auth::Identity,
    config::OpenApiMode,
    engine::Engine,
    error::{Error, Fault, Result},
    media::MediaType,
    openapi::{self, Security, Server, Source, Visibility},
};
use axum::body::Body;
use http::{Response, request::Parts};

pub(super) async fn describe(
    engine: &Engine,
    identity: &Identity,
    head: &Parts,
    profile: Profile,
    stopwatch: &mut Stopwatch,
) -> Result<Response<Body>> {
    let accepted = accept::parse(&head.headers);
    if !accepted.iter().any(|media| matches!(media, MediaType::OpenApi | MediaType::Json | MediaType::Any)) {
        let names: Vec<_> = accepted.iter().map(MediaType::to_string).collect();
        let message = format!("None of these media types are available: {}", names.join(", "));
        return Err(Error::new(Fault::NotAcceptable, message));
    }
    let config = engine.config();
    stopwatch.lap(Stage::Parse);
    let privileges = match config.openapi_mode {
        OpenApiMode::FollowPrivileges => Some(engine.privileges(&profile.schema, identity).await?),
        OpenApiMode::IgnorePrivileges | OpenApiMode::Disabled => None,
    };
    stopwatch.lap(Stage::Transaction);
    let source = Source {
        catalog: engine.catalog(),
        schema: &profile.schema,
        visibility: privileges.as_ref().map_or(Visibility::Everything, Visibility::Role),
        security: Security::of(config),
        server: Server::of(config),
        extra_search_path: &config.db_extra_search_path,
        contact: config.openapi_contact.as_ref(),
        license: config.openapi_license.as_ref(),
    };
    let text = serde_json::to_string(&openapi::document(&source, config.openapi_version))
        .map_err(|error| Error::new(Fault::Internal, "Internal error").cause(error))?;
    Ok(respond::document(text, content(&head.method), &profile))
}
