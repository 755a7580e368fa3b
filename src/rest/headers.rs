//! What request headers say of schema and context; `Prefer`, `Range` and
//! `Accept` have files of their own.

use super::position;
use crate::{
    config::Config,
    error::{Error, Fault, Result},
    request::{Context, TraceParent},
    server::tls::Subject,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts};

const ACCEPT_PROFILE: HeaderName = HeaderName::from_static("accept-profile");
/// Names the schema, in requests and in answers.
pub(super) const CONTENT_PROFILE: HeaderName = HeaderName::from_static("content-profile");

/// The schema of a request.
pub(super) struct Profile {
    /// Its name.
    pub(super) schema: String,
    /// Whether answers tell it.
    pub(super) negotiated: Negotiated,
}

/// Whether there was a choice of schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Negotiated {
    /// There was, or it was asked for by name.
    Yes,
    /// There is only one, and nobody asked.
    No,
}

/// The schema that the profile headers name, or the first one.
pub(super) fn profile(method: &Method, headers: &HeaderMap, config: &Config) -> Result<Profile> {
    let name = match *method {
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => CONTENT_PROFILE,
        _ => ACCEPT_PROFILE,
    };
    let schemas = &config.db_schemas;
    let Some(wanted) = headers.get(name).map(text) else {
        let negotiated = if schemas.len() == 1 { Negotiated::No } else { Negotiated::Yes };
        return Ok(Profile { schema: schemas.default_schema().to_owned(), negotiated });
    };
    match schemas.contains(&wanted) {
        true => Ok(Profile { schema: wanted, negotiated: Negotiated::Yes }),
        false => Err(Error::new(Fault::UnknownSchema, format!("Invalid schema: {wanted}"))
            .hint(format!("Only the following schemas are exposed: {}", schemas.join(", ")))),
    }
}

/// What the transaction is told of the request, and what its client has seen.
pub(super) fn context(head: &Parts, config: &Config) -> Result<Context> {
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let subject = head.extensions.get::<Subject>().map(|Subject(subject)| subject.clone());
    let traceparent = head.extensions.get::<TraceParent>().map(|TraceParent(parent)| parent.clone());
    Ok(Context {
        tls_subject: subject,
        traceparent,
        seen: position::seen(&head.headers, config)?,
        ..Context::new(head.method.as_str(), head.uri.path(), headers)
    })
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn config(schemas: &str) -> Config {
        let mut sources = Sources::default();
        sources.environment.insert("PGRST_DB_SCHEMAS".to_owned(), schemas.to_owned());
        Config::load(&sources).unwrap().0
    }

    fn found(method: &Method, header: Option<(HeaderName, &'static str)>, schemas: &str) -> Result<Profile> {
        let mut headers = HeaderMap::new();
        headers.extend(header.map(|(name, value)| (name, HeaderValue::from_static(value))));
        profile(method, &headers, &config(schemas))
    }

    #[test]
    fn the_first_schema_is_the_default_and_told_where_there_are_several() {
        let one = found(&Method::GET, None, "v1").unwrap();
        assert_eq!((one.schema.as_str(), one.negotiated), ("v1", Negotiated::No));
        let several = found(&Method::GET, None, "v1,v2").unwrap();
        assert_eq!((several.schema.as_str(), several.negotiated), ("v1", Negotiated::Yes));
    }

    #[test]
    fn reading_and_writing_have_a_header_each() {
        assert_eq!(found(&Method::GET, Some((ACCEPT_PROFILE, "v2")), "v1,v2").unwrap().schema, "v2");
        assert_eq!(found(&Method::POST, Some((ACCEPT_PROFILE, "v2")), "v1,v2").unwrap().schema, "v1");
        assert_eq!(found(&Method::POST, Some((CONTENT_PROFILE, "v2")), "v1,v2").unwrap().schema, "v2");
    }

    #[test]
    fn a_schema_that_is_not_exposed_is_refused_and_the_others_told() {
        let error = found(&Method::GET, Some((ACCEPT_PROFILE, "x")), "v1,v2").map(|_| ()).unwrap_err();
        assert_eq!((error.code(), error.message.as_str()), ("PGRST106", "Invalid schema: x"));
        assert_eq!(error.hint.unwrap(), "Only the following schemas are exposed: v1, v2");
    }
}
