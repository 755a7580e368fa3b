//! The access log's view of a request: kept while the request is answered, and written when it is known how the answer
//! ends. It steers nothing and changes no answer.

use super::{ended::logged, loader::Loader, traced::Traced};
use crate::{
    auth::Identity,
    config::{Config, LogFormat, LogLevel},
    grpc,
    notes::{Pad, STAGES},
    request::TraceParent,
    server::{body::RequestBody, forwarded::Forwarded, listen::Peer},
    telemetry::{Access, More, shows, trace::Parent},
};
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

/// What the access log tells of a request, kept while it is answered.
pub(super) struct Seen {
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
    traced: Option<Box<Traced>>,
}

/// Notes on a request, for logs that tell more than the line of the text log: JSON, or the SQL.
struct Noted {
    pad: Pad,
    began: Instant,
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
    fn of(headers: &HeaderMap, config: &Config, traced: Option<&Traced>) -> Option<Self> {
        let values = match config.log_query {
            true => Values::Logged,
            false => Values::Withheld,
        };
        let logs_none = config.log_level == LogLevel::Crit
            || (values == Values::Withheld
                && config.log_format == LogFormat::Text
                && config.log_slow.is_none());
        if logs_none && !traced.is_some_and(Traced::is_recorded) {
            return None;
        }
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Some(Self {
            pad: Pad::default(),
            began: Instant::now(),
            request_id: header("x-request-id").map_or_else(request_id, str::to_owned),
            trace_id: traced
                .and_then(Traced::id)
                .or_else(|| Parent::of(headers).map(|parent| parent.trace_id())),
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

impl Seen {
    pub(super) fn of(request: &Request<RequestBody>, config: &Config, loader: &Arc<Loader>) -> Self {
        let forwarded = request.extensions().get::<Forwarded>().and_then(|forwarded| forwarded.client);
        let header = |name| request.headers().get(name).cloned();
        let traced = Traced::of(request, config, loader.tracer());
        Self {
            level: config.log_level,
            peer: forwarded.map_or(request.body().peer(), Peer::Ip),
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            referer: header(header::REFERER),
            agent: header(header::USER_AGENT),
            is_preflight: is_preflight(request.method(), request.headers()),
            loader: loader.clone(),
            noted: Noted::of(request.headers(), config, traced.as_deref()),
            traced,
        }
    }

    /// Where modules take notes on this request, if the log needs any.
    pub(super) fn pad(&self) -> Option<Pad> {
        self.noted.as_ref().map(|noted| noted.pad.clone())
    }

    /// What PostgreSQL is told of the request's trace, if it is.
    pub(super) fn for_database(&self) -> Option<TraceParent> {
        self.traced.as_ref()?.for_database()
    }

    /// Makes the spans of the request.
    fn trace(&self, status: StatusCode, ended: Option<&grpc::Ended>) {
        let (Some(noted), Some(traced)) = (&self.noted, &self.traced) else { return };
        traced.end(
            &self.loader,
            (&self.method, &self.target, self.version),
            status,
            ended,
            noted.pad.notes(),
        );
    }

    /// The answer to `role`, which is logged, if it is to be, as soon as it is known how it ends.
    pub(super) fn answered(
        self,
        response: Response<Body>,
        role: Option<Arc<Identity>>,
    ) -> Result<Response<Body>, Infallible> {
        match response.extensions().get::<grpc::Ended>().cloned() {
            Some(ended) => {
                let status = response.status();
                let log = move |ended: &grpc::Ended, length| {
                    self.trace(status, Some(ended));
                    self.tell_if_slow(role.as_deref());
                    if shows(self.level, ended.http()) {
                        self.log(role, status, Some(length), Some(ended.name()));
                    }
                };
                return Ok(logged(response, ended, log));
            }
            None => {
                self.trace(response.status(), None);
                self.tell_if_slow(role.as_deref());
                if !self.is_preflight && shows(self.level, response.status().as_u16()) {
                    self.log(role, response.status(), length(&response), None);
                }
            }
        }
        Ok(response)
    }

    /// Tells of a request that took longer than `log-slow`. The statement has parameters in place of the request's values.
    fn tell_if_slow(&self, role: Option<&Identity>) {
        let Some(Noted { slow: Some(slow), began, pad, request_id, .. }) = &self.noted else { return };
        let took = began.elapsed();
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
