//! The service behind the port: each request is steered to a front door of the
//! services that are in place when it comes, and logged when it is answered.

use super::{docs::Docs, ended::logged, loader::Loader, services::Services};
use crate::{
    auth::Identity,
    config::{Config, LogFormat, LogLevel},
    error::{Error, Fault},
    grpc,
    notes::Pad,
    rest,
    server::{
        base,
        body::RequestBody,
        head::{self, Flaw},
        listen::Peer,
        steer::{Branch, steer},
    },
    telemetry::{Access, Logs, More, shows},
};
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

/// Cloned for each connection.
#[derive(Clone, Debug)]
pub(super) struct Front {
    loader: Arc<Loader>,
    docs: Arc<Docs>,
}

impl Front {
    pub(super) fn new(loader: Arc<Loader>) -> Self {
        Self { loader, docs: Arc::default() }
    }
}

impl tower::Service<Request<RequestBody>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let (loader, docs) = (self.loader.clone(), self.docs.clone());
        Box::pin(async move {
            let config = loader.config();
            let seen = Seen::of(&request, &config);
            let answered = based(request, &loader, &docs, config.server_base_path.as_deref());
            let response = match &seen.noted {
                Some(noted) => noted.pad.during(answered).await,
                None => answered.await,
            };
            let (level, logs) = (config.log_level, loader.logs());
            let role = response.extensions().get::<Arc<Identity>>().cloned();
            match response.extensions().get::<grpc::Ended>().cloned() {
                Some(ended) => {
                    let status = response.status();
                    let logs = logs.clone();
                    let log = move |name, length| seen.log(&logs, role, status, Some(length), Some(name));
                    return Ok(logged(response, ended, level, log));
                }
                None if !seen.is_preflight && shows(level, response.status().as_u16()) => {
                    seen.log(logs, role, response.status(), length(&response), None);
                }
                None => {}
            }
            Ok(response)
        })
    }
}

/// Answers what is below the base path, as if that were not there. What is elsewhere is gRPC, or nothing.
async fn based(
    mut request: Request<RequestBody>,
    loader: &Loader,
    docs: &Docs,
    base: Option<&str>,
) -> Response<Body> {
    let services = loader.services();
    let Some(base) = base else { return answer(services, request, loader, docs).await };
    match base::below(base, request.uri()) {
        Some(target) => {
            *request.uri_mut() = target;
            let mut response = answer(services, request, loader, docs).await;
            base::restore(base, response.headers_mut());
            response
        }
        None => {
            let (head, body) = request.into_parts();
            let knows = |name: &str| services.as_ref().is_some_and(|services| services.grpc.knows(name));
            match steer(&head, knows) {
                Branch::Grpc => answer(services, Request::from_parts(head, body), loader, docs).await,
                Branch::Rest | Branch::Docs => rest::failure(&elsewhere(base), &loader.config()),
            }
        }
    }
}

fn elsewhere(base: &str) -> Box<Error> {
    Error::new(Fault::InvalidPath, "Invalid path specified in request URL")
        .hint(format!("Everything is below {base}"))
}

async fn answer(
    services: Option<Arc<Services>>,
    request: Request<RequestBody>,
    loader: &Loader,
    docs: &Docs,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let branch = steer(&head, |name| services.as_ref().is_some_and(|services| services.grpc.knows(name)));
    let flaw = head::check(&head);
    let request = Request::from_parts(head, body);
    let config = loader.config();
    let limit = config.server_max_header_bytes;
    let services = match services {
        _ if head_bytes(&request) > limit => Err(headers_too_large(limit)),
        _ if let Err(flaw) = flaw => Err(flawed(flaw)),
        Some(services) => Ok(services),
        None => Err(catalog_unavailable()),
    };
    match (branch, services) {
        (Branch::Docs, services) if config.docs_enabled && flaw.is_ok() => {
            docs.answer(&request.into_parts().0, services, &config).await
        }
        (Branch::Grpc, Ok(services)) => services.grpc.clone().serve(request).await.map(Body::new),
        (Branch::Grpc, Err(error)) => grpc::failure(request, &error).await.map(Body::new),
        (Branch::Rest | Branch::Docs, Ok(services)) => {
            let Services { engine, authenticator, documents, .. } = &*services;
            rest::serve(engine, authenticator, documents, request).await
        }
        (Branch::Rest | Branch::Docs, Err(error)) => rest::failure(&error, &config),
    }
}

fn catalog_unavailable() -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "Could not query the database for the schema cache. Retrying.")
}

fn headers_too_large(limit: usize) -> Box<Error> {
    Error::new(Fault::HeadersTooLarge, format!("Target and headers are larger than {limit} bytes"))
}

/// A head that HTTP itself refuses.
fn flawed(flaw: Flaw) -> Box<Error> {
    let fault = match flaw {
        Flaw::TooManyFields => Fault::HeadersTooLarge,
        Flaw::HostMissing | Flaw::HostTwice | Flaw::HostInvalid | Flaw::AuthorizationTwice => {
            Fault::InvalidHeaders
        }
    };
    Error::new(fault, flaw.to_string())
}

/// The size of target and headers, as HTTP/1.1 writes them.
fn head_bytes(request: &Request<RequestBody>) -> usize {
    let line =
        |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    target + request.headers().iter().map(line).sum::<usize>()
}

/// What the access log tells of a request, kept while it is answered.
struct Seen {
    address: Option<std::net::IpAddr>,
    method: Method,
    target: String,
    version: http::Version,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    is_preflight: bool,
    noted: Option<Noted>,
}

/// What is noted of a request where the log wants more than a line.
struct Noted {
    pad: Pad,
    began: Instant,
    request_id: String,
    trace_id: Option<String>,
    format: LogFormat,
    /// Whether its SQL and its values are logged.
    values: Values,
}

/// Whether what may be personal is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    Logged,
    Withheld,
}

impl Noted {
    /// Notes are taken where the log is for programs, or shows the SQL.
    fn of(headers: &HeaderMap, config: &Config) -> Option<Self> {
        let values = match config.log_query {
            true => Values::Logged,
            false => Values::Withheld,
        };
        if config.log_level == LogLevel::Crit
            || (values == Values::Withheld && config.log_format == LogFormat::Text)
        {
            return None;
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Some(Self {
            pad: Pad::default(),
            began: Instant::now(),
            request_id: header("x-request-id").map_or_else(request_id, str::to_owned),
            trace_id: header("traceparent").and_then(trace_id),
            format: config.log_format,
            values,
        })
    }
}

/// An id for a request that came without one.
fn request_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness there is an id that says nothing.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    format!("{:016x}", u64::from_ne_bytes(bytes))
}

/// `version-trace_id-parent_id-flags` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn trace_id(parent: &str) -> Option<String> {
    let id = parent.split('-').nth(1)?;
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

impl Seen {
    fn of(request: &Request<RequestBody>, config: &Config) -> Self {
        let header = |name| request.headers().get(name).cloned();
        let target = request.uri().path_and_query().map_or("*", |target| target.as_str());
        Self {
            address: match request.extensions().get() {
                Some(Peer::Ip(address)) => Some(*address),
                Some(Peer::Local) | None => None,
            },
            method: request.method().clone(),
            target: target.to_owned(),
            version: request.version(),
            referer: header(header::REFERER),
            agent: header(header::USER_AGENT),
            is_preflight: is_preflight(request.method(), request.headers()),
            noted: Noted::of(request.headers(), config),
        }
    }

    fn log(
        &self,
        logs: &Logs,
        role: Option<Arc<Identity>>,
        status: StatusCode,
        length: Option<u64>,
        grpc: Option<&'static str>,
    ) {
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let notes = self.noted.as_ref().map(|noted| noted.pad.notes());
        let more = self.noted.as_ref().zip(notes.as_ref()).map(|(noted, notes)| More {
            request_id: &noted.request_id,
            trace_id: noted.trace_id.as_deref(),
            took: noted.began.elapsed(),
            notes,
            query: notes.query.as_deref().filter(|_| noted.values == Values::Logged),
        });
        let target = match &self.noted {
            Some(Noted { format: LogFormat::Json, values: Values::Withheld, .. }) => {
                self.target.split('?').next().unwrap_or_default()
            }
            Some(_) | None => &self.target,
        };
        logs.request(&Access {
            address: self.address,
            role: role.as_ref().map(|identity| identity.role.as_str()),
            method: self.method.as_str(),
            target,
            version: match self.version {
                http::Version::HTTP_10 => "HTTP/1.0",
                http::Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            status: status.as_u16(),
            length,
            referer: &text(&self.referer),
            agent: &text(&self.agent),
            grpc,
            more: more.as_ref(),
        });
        if let (Some(Noted { format: LogFormat::Text, .. }), Some(query)) =
            (&self.noted, more.and_then(|more| more.query))
        {
            tracing::info!("{query}");
        }
    }
}

/// The length of a body, where it is known.
fn length(response: &Response<Body>) -> Option<u64> {
    let length = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length
        .and_then(|length| length.parse().ok())
        .or_else(|| http_body::Body::size_hint(response.body()).exact())
}

/// A CORS preflight, which PostgREST does not log; a plain OPTIONS is no preflight.
fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
