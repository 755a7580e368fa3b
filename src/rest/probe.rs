//! For fuzz targets alone, and so in no documentation: what the REST side reads of a request, without an engine. It is the
//! server's own code, called as the server calls it; a fuzz target is another crate and could not reach it otherwise.

use super::{
    Parsed, Plain, Request, Result, body, call_action, complete, headers,
    query::Parameters,
    relation_action,
    respond::What,
    route::{self, Task, Verb},
};
use crate::{config::Config, request::payload::Payload};
use bytes::Bytes;
use http::{HeaderMap, request::Parts};

/// What a request asks of the engine; none where it is answered without it.
///
/// # Errors
/// The request is malformed.
pub fn request(head: &Parts, body: Bytes, config: &Config) -> Result<Option<Request>> {
    let resource = route::resource(head.uri.path(), config)?;
    let profile = headers::profile(&head.method, &head.headers, config)?;
    let task = route::task(resource, &head.method)?;
    let parameters = Parameters::new(head.uri.query())?;
    let request = match task {
        Task::Describe | Task::Options(_) => return Ok(None),
        Task::Relation(name, verb) => {
            let parsed = parameters.parse(Plain::Refused)?;
            let canonical = match verb {
                Verb::Read => parameters.canonical(),
                Verb::Insert | Verb::Upsert | Verb::Update | Verb::Delete => String::new(),
            };
            let what = What::Relation { name: name.clone(), verb, canonical };
            let action = |parsed: &mut Parsed| relation_action(name, verb, parsed, head, body);
            complete(config, head, profile, parsed, what, action)?.0
        }
        Task::Call(function, access) => {
            let parsed = parameters.parse(Plain::Argument)?;
            let action = |parsed: &mut Parsed| call_action(function, access, parsed, head, body);
            complete(config, head, profile, parsed, What::Call, action)?.0
        }
    };
    Ok(Some(request))
}

/// The rows of a body.
///
/// # Errors
/// The body is malformed.
pub fn rows(headers: &HeaderMap, body: Bytes) -> Result<Payload> {
    body::rows(headers, body, None)
}
