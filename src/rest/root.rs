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
    openapi::{self, Security, Source, Visibility},
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
    let server_url = config.openapi_server_proxy_uri.as_ref().map(|proxy| proxy.uri().to_string());
    let document = openapi::document(&Source {
        catalog: engine.catalog(),
        schema: &profile.schema,
        visibility: privileges.as_ref().map_or(Visibility::Everything, Visibility::Role),
        security: match config.openapi_security_active || config.jwt_secret.is_some() {
            true => Security::Bearer,
            false => Security::Off,
        },
        server_url: server_url.as_deref(),
    });
    let text =
        document.to_json().map_err(|error| Error::new(Fault::Internal, "Internal error").cause(error))?;
    Ok(respond::document(text, content(&head.method), &profile))
}
