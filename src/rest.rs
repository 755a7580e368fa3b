//! The REST front door: from an HTTP request to an engine request, and from
//! its outcome to an HTTP response. It plans nothing and writes no SQL.

mod accept;
mod body;
mod conditional;
mod counted;
mod headers;
mod options;
mod prefer;
#[doc(hidden)]
pub mod probe;
mod query;
mod range;
mod respond;
mod root;
mod route;
mod timing;
mod transaction;

use crate::{
    auth::{Authenticator, Effect, Identity},
    config::Config,
    engine::Engine,
    error::{Caller, Error, Result},
    media::MediaType,
    metrics::Route,
    notes::Stage,
    openapi::Format,
    request::{Accept, Action, CallAccess, Request, payload::Arguments},
    server::{coding::coded, request_id},
};
use axum::body::Body;
use bytes::Bytes;
use conditional::Conditional;
use headers::Profile;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use query::{Parameters, Parsed, Plain};
use respond::{Asked, Content, Plan, What};
pub use root::Documents;
use route::{Resource, Task, Verb};
use std::{sync::Arc, time::SystemTime};
use timing::Stopwatch;
use transaction::Transaction;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const SERVER: HeaderValue = HeaderValue::from_static(concat!("pgduet/", env!("CARGO_PKG_VERSION")));

/// What is logged and counted of a request that has been answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Who asked, where that is known.
    pub identity: Option<Arc<Identity>>,
    /// What it was about.
    pub route: Arc<Route>,
}

/// What a request is counted as, whether or not it has been answered.
pub fn route(engine: &Engine, head: &Parts) -> Arc<Route> {
    counted::route(engine, head)
}

/// Answers a request, and says what is logged and counted of it. Where the path is that of a file of the document, `file`
/// says in which format.
pub async fn serve<B>(
    engine: &Engine,
    authenticator: &Authenticator,
    documents: &Documents,
    head: &Parts,
    body: B,
    file: Option<Format>,
) -> (Response<Body>, Answered)
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut stopwatch = Stopwatch::start(engine.config());
    let (response, identity) =
        admit(engine, authenticator, documents, head, body, file, &mut stopwatch).await;
    let route = match (stopwatch.route, file) {
        (Some(route), _) => route,
        (None, Some(_)) => engine.meters().routes.documents.clone(),
        (None, None) => counted::route(engine, head),
    };
    (named(response, head, engine.config()), Answered { identity, route })
}

/// The answer to a request that no engine has seen.
pub fn failure(error: &Error, head: &Parts, config: &Config) -> Response<Body> {
    named(respond::failure(error, Caller::Anonymous, config.client_error_verbosity), head, config)
}

/// Says who answers, and repeats what `server-trace-header` names.
fn named(mut response: Response<Body>, head: &Parts, config: &Config) -> Response<Body> {
    let headers = response.headers_mut();
    headers.entry(header::SERVER).or_insert(SERVER);
    if let Some(trace) = &config.server_trace_header {
        match head.headers.get(trace.name()) {
            Some(value) => _ = headers.insert(trace.name(), value.clone()),
            // The one that was made is told in its place.
            None if trace.name() == request_id::NAME => {}
            None => _ = headers.insert(trace.name(), HeaderValue::from_static("")),
        }
    }
    response
}

/// Finds out who asks, and answers; errors too.
async fn admit<B>(
    engine: &Engine,
    authenticator: &Authenticator,
    documents: &Documents,
    head: &Parts,
    body: B,
    file: Option<Format>,
    stopwatch: &mut Stopwatch,
) -> (Response<Body>, Option<Arc<Identity>>)
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let verbosity = engine.config().client_error_verbosity;
    let effect = match head.method.is_safe() {
        true => Effect::Read,
        false => Effect::Change,
    };
    let identity = match authenticator.authenticate(&head.headers, effect, SystemTime::now()).await {
        Ok(identity) => identity,
        Err(error) => {
            if !head.headers.contains_key(header::EXPECT) {
                body::discard(body).await;
            }
            return (respond::failure(&error, Caller::Anonymous, verbosity), None);
        }
    };
    stopwatch.lap(Stage::Jwt);
    let ticket = match engine.limits().enter(&identity.role) {
        Ok(ticket) => ticket,
        Err(error) => {
            if !head.headers.contains_key(header::EXPECT) {
                body::discard(body).await;
            }
            return (respond::failure(&error, identity.caller, verbosity), Some(identity));
        }
    };
    let mut response = match answer(engine, documents, &identity, head, body, file, stopwatch).await {
        Ok(mut response) => {
            stopwatch.lap(Stage::Response);
            response.headers_mut().extend(stopwatch.header().map(|value| (SERVER_TIMING, value)));
            response
        }
        Err(error) => {
            let mut response = respond::failure(&error, identity.caller, verbosity);
            if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().entry(header::ALLOW).or_insert_with(|| options::allowed(engine, head));
            }
            response
        }
    };
    if let Some(ticket) = ticket {
        response.extensions_mut().insert(ticket);
    }
    (response, Some(identity))
}

/// The whole of a request: what is asked, the engine, what is answered.
async fn answer<B>(
    engine: &Engine,
    documents: &Documents,
    identity: &Identity,
    head: &Parts,
    body: B,
    file: Option<Format>,
    stopwatch: &mut Stopwatch,
) -> Result<Response<Body>>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = body::collect(body, engine).await?;
    match read(engine.config(), head, body)? {
        Wish::Describe(profile) => {
            let format = root::format(&head.headers)?;
            root::describe(engine, documents, identity, head, profile, format, stopwatch).await
        }
        Wish::Methods(profile, resource) => {
            stopwatch.lap(Stage::Parse);
            let methods = options::methods(engine, &profile.schema, &resource)?;
            stopwatch.lap(Stage::Plan);
            Ok(respond::allow(&methods))
        }
        Wish::Run(wanted) => match file.filter(|_| root::is_file(engine, &wanted.1)) {
            Some(format) => {
                let Asked { profile, .. } = wanted.1;
                root::describe(engine, documents, identity, head, profile, format, stopwatch).await
            }
            None => run(engine, identity, head, wanted, stopwatch).await,
        },
        // Apart from other requests, which need no room for it.
        Wish::Transact(transaction) => Box::pin(transaction.run(engine, identity, stopwatch)).await,
    }
}

/// What a client wants.
enum Wish {
    /// A description of the schema.
    Describe(Profile),
    /// The methods that a resource takes.
    Methods(Profile, Resource),
    /// Something of the engine, and what the answer depends on besides.
    Run(Box<(Request, Asked)>),
    /// Several things of the engine, all of them or none.
    Transact(Box<Transaction>),
}

/// Reads a request, as far as that takes no engine.
fn read(config: &Config, head: &Parts, body: Bytes) -> Result<Wish> {
    if transaction::is_meant(head) {
        return Ok(Wish::Transact(Box::new(Transaction::read(config, head, &body)?)));
    }
    let resource = route::resource(head.uri.path(), config)?;
    let profile = headers::profile(&head.method, &head.headers, config)?;
    let task = route::task(resource, &head.method)?;
    let parameters = Parameters::new(head.uri.query())?;
    let (request, asked) = match task {
        Task::Describe => return Ok(Wish::Describe(profile)),
        Task::Options(resource) => {
            let parsed = parameters.parse(Plain::Refused)?;
            range::top_level(&head.method, &head.headers, parsed.bounds)?;
            return Ok(Wish::Methods(profile, resource));
        }
        Task::Relation(name, verb) => {
            let parsed = parameters.parse(Plain::Refused)?;
            let canonical = match verb {
                Verb::Read => parameters.canonical(),
                Verb::Insert | Verb::Upsert | Verb::Update | Verb::Delete => String::new(),
            };
            let what = What::Relation { name: name.clone(), verb, canonical };
            let action = |parsed: &mut Parsed| relation_action(name, verb, parsed, head, body);
            complete(config, head, profile, parsed, what, action)?
        }
        Task::Call(function, access) => {
            let parsed = parameters.parse(match access {
                CallAccess::ReadOnly => Plain::Argument,
                CallAccess::ByVolatility => Plain::Refused,
            })?;
            let action = |parsed: &mut Parsed| call_action(function, access, parsed, head, body);
            complete(config, head, profile, parsed, What::Call, action)?
        }
    };
    Ok(Wish::Run(Box::new((request, asked))))
}

/// Runs a request and makes its answer.
async fn run(
    engine: &Engine,
    identity: &Identity,
    head: &Parts,
    wanted: Box<(Request, Asked)>,
    stopwatch: &mut Stopwatch,
) -> Result<Response<Body>> {
    stopwatch.lap(Stage::Parse);
    let (request, asked) = *wanted;
    let mut outcome = engine.run(request, identity).await?;
    stopwatch.route = outcome.route.take();
    stopwatch.lap_at(Stage::Plan, outcome.planned);
    stopwatch.lap(Stage::Transaction);
    Ok(coded(respond::success(outcome, &asked)?, &head.headers).await)
}

/// Completes a request whose action `action` takes from what was parsed.
fn complete(
    config: &Config,
    head: &Parts,
    profile: Profile,
    mut parsed: Parsed,
    what: What,
    action: impl FnOnce(&mut Parsed) -> Result<Action>,
) -> Result<(Request, Asked)> {
    let preferences = prefer::parse(&head.headers, config.db_tx_end);
    let range = range::top_level(&head.method, &head.headers, parsed.bounds)?;
    let action = action(&mut parsed)?;
    let accept = accept::parse(&head.headers);
    let asked = Asked {
        what,
        content: content(&head.method),
        range,
        preferences: preferences.clone(),
        plan: plan(&accept),
        verbosity: config.client_error_verbosity,
        conditional: Conditional::of(config, head),
        profile,
    };
    let mut query = parsed.query;
    query.range = range.into();
    let request = Request {
        schema: asked.profile.schema.clone(),
        action,
        query,
        preferences,
        accept: match asked.content {
            Content::Full => Accept::Media(accept),
            Content::HeadersOnly => Accept::Head(accept),
        },
        context: headers::context(head),
        deadline: None,
    };
    Ok((request, asked))
}

fn relation_action(
    relation: String,
    verb: Verb,
    parsed: &mut Parsed,
    head: &Parts,
    body: Bytes,
) -> Result<Action> {
    let columns = body::columns(&head.headers, parsed.columns.take());
    let on_conflict = parsed.on_conflict.take();
    let payload = |columns: &Option<Vec<String>>| body::rows(&head.headers, body, columns.as_deref());
    Ok(match verb {
        Verb::Read => Action::Read { relation },
        Verb::Insert => Action::Insert { relation, payload: payload(&columns)?, columns, on_conflict },
        // PUT writes whole rows, so it takes no list of columns.
        Verb::Upsert => Action::Upsert { relation, payload: payload(&None)?, columns: None },
        Verb::Update => Action::Update { relation, payload: payload(&columns)?, columns, parts: Vec::new() },
        Verb::Delete => Action::Delete { relation },
    })
}

fn call_action(
    function: String,
    access: CallAccess,
    parsed: &mut Parsed,
    head: &Parts,
    body: Bytes,
) -> Result<Action> {
    let arguments = match access {
        CallAccess::ReadOnly => Arguments::Named(std::mem::take(&mut parsed.arguments)),
        CallAccess::ByVolatility => body::arguments(&head.headers, body, parsed.columns.as_deref())?,
    };
    Ok(Action::Call { function, arguments, access })
}

fn content(method: &Method) -> Content {
    match *method {
        Method::HEAD => Content::HeadersOnly,
        _ => Content::Full,
    }
}

fn plan(accept: &[MediaType]) -> Plan {
    match accept.iter().any(|media| matches!(media, MediaType::Plan { .. })) {
        true => Plan::Possible,
        false => Plan::Impossible,
    }
}
