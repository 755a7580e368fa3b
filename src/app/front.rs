//! The service behind the port: each request is steered to a front door of the
//! services that are in place when it comes, and logged when it is answered.

use super::{
    docs::{self, Docs},
    ended::logged,
    loader::Loader,
    services::Services,
};
use crate::{
    auth::Identity,
    config::{Config, LogFormat, LogLevel},
    error::{Error, Fault},
    grpc,
    memory::{Full, Lease},
    notes::Pad,
    rest,
    server::{
        base,
        body::RequestBody,
        connection::{COPIES, FIELD},
        head::{self, Flaw},
        listen::Peer,
        steer::{Branch, steer},
    },
    telemetry::{Access, More, shows},
};
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
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

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let (services, config) = (self.loader.services(), self.loader.config());
        let seen = Seen::of(&request, &config, &self.loader);
        let pad = seen.noted.as_ref().map(|noted| noted.pad.clone());
        let base = config.server_base_path.clone();
        let place = match base.as_deref().map(|base| base::below(base, request.uri())) {
            None => Place::Everywhere,
            Some(None) => Place::Elsewhere,
            Some(Some(target)) => {
                *request.uri_mut() = target;
                Place::Below
            }
        };
        let (head, body) = request.into_parts();
        let branch = steer(&head, |name| services.as_ref().is_some_and(|services| services.grpc.knows(name)));
        let flaw = head::check(&head);
        let request = Request::from_parts(head, body);
        let limit = config.server_max_header_bytes;
        let services = match services {
            _ if head_bytes(&request) > limit => Err(headers_too_large(limit)),
            _ if let Err(flaw) = flaw => Err(flawed(flaw)),
            _ if place == Place::Elsewhere && branch != Branch::Grpc => Err(elsewhere()),
            Some(services) => hold_head(&request, &services).map(|held| (services, held)),
            None => Err(catalog_unavailable()),
        };
        // Each branch is a future of its own: none takes room for what only another needs.
        let answered: Self::Future = match (branch, services) {
            (Branch::Docs, services) if config.docs_enabled && flaw.is_ok() && place != Place::Elsewhere => {
                let docs = self.docs.clone();
                let services = services.map(|(services, _)| services);
                Box::pin(async move {
                    seen.answered(docs.answer(&request.into_parts().0, services, &config).await, None)
                })
            }
            (Branch::Rest, Ok((ref services, _))) if docs::is_meant(&request, services) => {
                Box::pin(std::future::ready(seen.answered(docs::lead(), None)))
            }
            (Branch::Grpc, Ok((services, held))) => Box::pin(async move {
                let _held = held;
                let answer = services.grpc.clone().serve(request).await.map(Body::new);
                let role = answer.extensions().get::<Arc<Identity>>().cloned();
                seen.answered(answer, role)
            }),
            (Branch::Grpc, Err(error)) => {
                Box::pin(
                    async move { seen.answered(grpc::failure(request, &error).await.map(Body::new), None) },
                )
            }
            (Branch::Rest | Branch::Docs, Ok((services, held))) => Box::pin(async move {
                let _held = held;
                let Services { engine, authenticator, documents, .. } = &*services;
                let (answer, role) = rest::serve(engine, authenticator, documents, request).await;
                seen.answered(answer, role)
            }),
            (Branch::Rest | Branch::Docs, Err(error)) => {
                Box::pin(std::future::ready(seen.answered(rest::failure(&error, &config), None)))
            }
        };
        let answered = match (place, base) {
            (Place::Below, Some(base)) => Box::pin(async move {
                let mut response = answered.await?;
                base::restore(&base, response.headers_mut());
                Ok(response)
            }),
            (Place::Below | Place::Everywhere | Place::Elsewhere, _) => answered,
        };
        match pad {
            Some(pad) => Box::pin(async move { pad.during(answered).await }),
            None => answered,
        }
    }
}

/// Where a request is, seen from the base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// There is no base path.
    Everywhere,
    Below,
    /// Here is gRPC, or nothing.
    Elsewhere,
}

fn elsewhere() -> Box<Error> {
    Error::new(Fault::InvalidPath, "Invalid path specified in request URL")
        .hint("Everything is below the path of server-base-path")
}

fn catalog_unavailable() -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "Could not query the database for the schema cache. Retrying.")
}

fn headers_too_large(limit: usize) -> Box<Error> {
    Error::new(Fault::HeadersTooLarge, format!("Target and headers are larger than {limit} bytes"))
}

/// A connection of HTTP/2 may have many requests at once, whose heads are held until they are answered. Over HTTP/1 there is
/// one, which the connection counts.
fn hold_head(request: &Request<RequestBody>, services: &Services) -> Result<Option<Lease>, Box<Error>> {
    if request.version() != http::Version::HTTP_2 {
        return Ok(None);
    }
    let mut held = services.engine.memory().lease();
    let refused = |full: Full| Error::new(Fault::MemoryExhausted, full.to_string());
    held.cover(head_bytes(request) * COPIES + request.headers().len() * FIELD).map_err(refused)?;
    Ok(Some(held))
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
    level: LogLevel,
    peer: Peer,
    method: Method,
    target: Uri,
    version: http::Version,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    is_preflight: bool,
    loader: Arc<Loader>,
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
    fn of(request: &Request<RequestBody>, config: &Config, loader: &Arc<Loader>) -> Self {
        let header = |name| request.headers().get(name).cloned();
        Self {
            level: config.log_level,
            peer: request.body().peer(),
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            referer: header(header::REFERER),
            agent: header(header::USER_AGENT),
            is_preflight: is_preflight(request.method(), request.headers()),
            loader: loader.clone(),
            noted: Noted::of(request.headers(), config),
        }
    }

    /// The answer to `role`, which is logged, if it is to be, as soon as it is known how it ends.
    fn answered(
        self,
        response: Response<Body>,
        role: Option<Arc<Identity>>,
    ) -> Result<Response<Body>, Infallible> {
        match response.extensions().get::<grpc::Ended>().cloned() {
            Some(ended) => {
                let (status, level) = (response.status(), self.level);
                let log = move |name, length| self.log(role, status, Some(length), Some(name));
                return Ok(logged(response, ended, level, log));
            }
            None if !self.is_preflight && shows(self.level, response.status().as_u16()) => {
                self.log(role, response.status(), length(&response), None);
            }
            None => {}
        }
        Ok(response)
    }

    fn log(
        &self,
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
        let referer = text(&self.referer);
        let (target, referer) = match &self.noted {
            Some(Noted { format: LogFormat::Json, values: Values::Withheld, .. }) => {
                (self.target.path(), referer.split(['?', '#']).next().unwrap_or_default())
            }
            Some(_) | None => {
                (self.target.path_and_query().map_or("*", |target| target.as_str()), referer.as_str())
            }
        };
        self.loader.logs().request(&Access {
            address: match self.peer {
                Peer::Ip(address) => Some(address),
                Peer::Local => None,
            },
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
            referer,
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
