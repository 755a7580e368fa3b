//! What is logged and counted of a request: kept while the request is answered, and told when it is known how the answer
//! ends. It steers nothing and changes no answer.

use super::{ended::logged, front::INFRASTRUCTURE, loader::Loader};
use crate::{
    auth::Identity,
    config::{Config, LogFormat, LogLevel},
    grpc,
    metrics::{Code, Meters, Method as Counted, Protocol, Route},
    notes::{Pad, STAGES},
    rest,
    server::{base, body::RequestBody, forwarded::Forwarded, listen::Peer, steer::Branch},
    telemetry::{Access, More, shows},
};
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

/// Who asked, and what about, as far as that is known when there is an answer.
#[derive(Default)]
pub(super) struct About {
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) route: Option<Arc<Route>>,
    /// What was called over gRPC.
    pub(super) method: Option<Counted>,
}

impl From<Arc<Route>> for About {
    fn from(route: Arc<Route>) -> Self {
        Self { route: Some(route), ..Self::default() }
    }
}

impl From<rest::Answered> for About {
    fn from(answered: rest::Answered) -> Self {
        Self { identity: answered.identity, route: Some(answered.route), method: None }
    }
}

impl From<grpc::Called> for About {
    fn from(called: grpc::Called) -> Self {
        Self { identity: called.identity, route: Some(called.route), method: Some(called.method) }
    }
}

/// What is told of a request, kept while it is answered. Until this is dropped, it counts as being in flight.
pub(super) struct Seen {
    began: Instant,
    protocol: Protocol,
    /// As what it is in flight. Who watches health does so for ever.
    in_flight: Option<Protocol>,
    is_counted: bool,
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

/// Notes on a request, for logs that tell more than the line of the text log: JSON, or the SQL.
struct Noted {
    pad: Pad,
    request_id: String,
    trace_id: Option<String>,
    format: LogFormat,
    /// How long a request may take before the log tells of it.
    slow: Option<Duration>,
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
    /// Notes are taken where the log is for programs, shows the SQL, or tells of slow requests.
    fn of(headers: &HeaderMap, config: &Config) -> Option<Self> {
        let values = match config.log_query {
            true => Values::Logged,
            false => Values::Withheld,
        };
        if config.log_level == LogLevel::Crit
            || (values == Values::Withheld
                && config.log_format == LogFormat::Text
                && config.log_slow.is_none())
        {
            return None;
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Some(Self {
            pad: Pad::default(),
            request_id: header("x-request-id").map_or_else(request_id, str::to_owned),
            trace_id: header("traceparent").and_then(trace_id),
            format: config.log_format,
            slow: config.log_slow.map(|slow| slow.0),
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
    /// A request has come. Until it is [`Seen::steered`] elsewhere, it is one of REST.
    pub(super) fn of(request: &Request<RequestBody>, config: &Config, loader: &Arc<Loader>) -> Self {
        let protocol = Protocol::Rest;
        loader.pool().meters().in_flight(protocol).rise();
        let forwarded = request.extensions().get::<Forwarded>().and_then(|forwarded| forwarded.client);
        let header = |name| request.headers().get(name).cloned();
        Self {
            began: Instant::now(),
            protocol,
            in_flight: Some(protocol),
            is_counted: false,
            level: config.log_level,
            peer: forwarded.map_or(request.body().peer(), Peer::Ip),
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

    /// It is known which front door it came to.
    pub(super) fn steered(&mut self, branch: Branch) {
        match branch {
            Branch::Rest | Branch::Docs => {}
            Branch::Grpc => {
                let is_infrastructure = self.target.path().starts_with(INFRASTRUCTURE);
                self.land();
                self.protocol = Protocol::Grpc;
                self.in_flight = (!is_infrastructure).then_some(Protocol::Grpc);
                if let Some(protocol) = self.in_flight {
                    self.meters().in_flight(protocol).rise();
                }
            }
        }
    }

    /// Where modules take notes on this request, if the log needs any.
    pub(super) fn pad(&self) -> Option<Pad> {
        self.noted.as_ref().map(|noted| noted.pad.clone())
    }

    /// The answer, which is counted, and logged if it is to be, as soon as it is known how it ends.
    pub(super) fn answered(
        mut self,
        response: Response<Body>,
        about: impl Into<About>,
    ) -> Result<Response<Body>, Infallible> {
        let About { identity: role, route, method } = about.into();
        match response.extensions().get::<grpc::Ended>().cloned() {
            Some(ended) => {
                let status = response.status();
                let log = move |ended: &grpc::Ended, length| {
                    self.count(route.as_deref(), method, ended.counted(), length);
                    self.tell_if_slow(role.as_deref());
                    if shows(self.level, ended.http()) {
                        self.log(role, status, Some(length), Some(ended.name()));
                    }
                };
                return Ok(logged(response, ended, log));
            }
            None => {
                let length = length(&response);
                let code = Code::of_status(response.status().as_u16());
                self.count(route.as_deref(), method, code, length.unwrap_or_default());
                self.tell_if_slow(role.as_deref());
                if !self.is_preflight && shows(self.level, response.status().as_u16()) {
                    self.log(role, response.status(), length, None);
                }
            }
        }
        Ok(response)
    }

    fn land(&self) {
        if let Some(protocol) = self.in_flight {
            self.meters().in_flight(protocol).fall();
        }
    }

    fn meters(&self) -> &Meters {
        self.loader.pool().meters()
    }

    fn count(&mut self, route: Option<&Route>, method: Option<Counted>, code: Code, bytes: u64) {
        self.is_counted = true;
        let route = route.unwrap_or(&self.meters().routes.unknown);
        let method = method.unwrap_or_else(|| self.called());
        route.observe(method, code, self.began.elapsed());
        self.meters().bytes(self.protocol).add(bytes);
    }

    /// What was called, as far as the head of the request says.
    fn called(&self) -> Counted {
        match (self.protocol, &self.method) {
            (Protocol::Grpc, _) => Counted::GrpcOther,
            (Protocol::Rest, &Method::GET) => Counted::HttpGet,
            (Protocol::Rest, &Method::HEAD) => Counted::HttpHead,
            (Protocol::Rest, &Method::POST) => Counted::HttpPost,
            (Protocol::Rest, &Method::PUT) => Counted::HttpPut,
            (Protocol::Rest, &Method::PATCH) => Counted::HttpPatch,
            (Protocol::Rest, &Method::DELETE) => Counted::HttpDelete,
            (Protocol::Rest, &Method::OPTIONS) => Counted::HttpOptions,
            (Protocol::Rest, _) => Counted::HttpOther,
        }
    }

    /// The client has gone before there was an answer: what it asked for is known by the path alone.
    fn count_gone(&mut self) {
        let services = self.loader.services();
        let (route, method) = match (self.protocol, services) {
            (_, None) => (None, None),
            (Protocol::Grpc, Some(services)) => {
                let (route, method) = services.grpc.counted(self.target.path());
                (Some(route), Some(method))
            }
            (Protocol::Rest, Some(services)) => {
                let engine = &services.engine;
                // Of several schemas the headers said which one.
                let is_clear = engine.config().db_schemas.len() == 1;
                let target = match engine.config().server_base_path.as_deref() {
                    Some(base) => base::below(base, &self.target),
                    None => Some(self.target.clone()),
                };
                let target = target.filter(|_| is_clear);
                (target.map(|target| rest::route_of_path(engine, target.path())), None)
            }
        };
        let code = match self.protocol {
            Protocol::Rest => Code::Gone,
            Protocol::Grpc => Code::Cancelled,
        };
        self.count(route.as_deref(), method, code, 0);
    }

    /// Tells of a request that took longer than `log-slow`. The statement has parameters in place of the request's values.
    fn tell_if_slow(&self, role: Option<&Identity>) {
        let Some(Noted { slow: Some(slow), pad, request_id, .. }) = &self.noted else { return };
        let took = self.began.elapsed();
        if took < *slow {
            return;
        }
        let notes = pad.notes();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let stages = STAGES.iter().zip(notes.stages);
        let stages = stages.filter_map(|(name, taken)| Some(format!("{name} {:.1}", milliseconds(taken?))));
        tracing::warn!(
            "Slow request {request_id}: {} {} as {} took {:.1} ms ({}): {}",
            self.method,
            self.target.path(),
            role.map_or("nobody", |identity| &identity.role),
            milliseconds(took),
            stages.collect::<Vec<_>>().join(", "),
            notes.query.as_deref().unwrap_or("no statement")
        );
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
            took: self.began.elapsed(),
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

impl Drop for Seen {
    fn drop(&mut self) {
        if !self.is_counted {
            self.count_gone();
        }
        self.land();
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
