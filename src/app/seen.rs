//! What is logged and counted of a request: kept while the request is answered, and told when it is known how the answer
//! ends. It steers nothing and changes no answer.

use super::{ended::logged, front::INFRASTRUCTURE, loader::Loader, services::Services, traced::Traced};
use crate::{
    auth::Identity,
    config::{Config, LogFormat, LogLevel},
    grpc,
    metrics::{Code, Meters, Method as Counted, Protocol, Route},
    notes::{Pad, STAGES},
    request::TraceParent,
    rest,
    server::{forwarded::Forwarded, listen::Peer, request_id::RequestId, steer::Branch},
    telemetry::{Access, More, shows, trace::Parent},
};
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header, request::Parts};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Who asked, and what about, as far as that is known when there is an answer.
#[derive(Default)]
pub(super) struct About {
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) route: Option<Arc<Route>>,
    /// The gRPC method of the request, for the metrics.
    pub(super) method: Option<Counted>,
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

/// A request as the log and the metrics see it. The metrics count the request as in flight until this value is dropped.
pub(super) struct Seen {
    began: Instant,
    protocol: Protocol,
    /// As what it is in flight. Who watches health does so for ever.
    in_flight: Option<Protocol>,
    level: LogLevel,
    peer: Peer,
    id: RequestId,
    /// Where it was sent to, if its head says something else by now.
    target: Option<Uri>,
    loader: Arc<Loader>,
    noted: Option<Noted>,
    traced: Option<Box<Traced>>,
}

/// What the access log tells of a head.
struct Line {
    method: Method,
    target: Uri,
    version: http::Version,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
}

impl Line {
    fn of(mut head: Parts, target: Option<Uri>) -> Self {
        Self {
            referer: head.headers.remove(header::REFERER),
            agent: head.headers.remove(header::USER_AGENT),
            method: head.method,
            target: target.unwrap_or(head.uri),
            version: head.version,
        }
    }
}

/// Notes on a request, for logs that tell more than the line of the text log: JSON, or the SQL.
struct Noted {
    pad: Pad,
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
        let of_client = || Parent::of(headers).map(|parent| parent.trace_id());
        Some(Self {
            pad: Pad::default(),
            trace_id: traced.and_then(Traced::id).or_else(of_client),
            format: config.log_format,
            slow: config.log_slow.map(|slow| slow.0),
            values,
        })
    }
}

impl Seen {
    /// A request has come. Until it is [`Seen::steered`] elsewhere, it is one of REST.
    pub(super) fn of(head: &Parts, peer: Peer, id: RequestId, config: &Config, loader: &Arc<Loader>) -> Self {
        let protocol = Protocol::Rest;
        loader.pool().meters().in_flight(protocol).rise();
        let forwarded = head.extensions.get::<Forwarded>().and_then(|forwarded| forwarded.client);
        let traced = Traced::of(&head.headers, config, loader.tracer());
        Self {
            began: Instant::now(),
            protocol,
            in_flight: Some(protocol),
            level: config.log_level,
            peer: forwarded.map_or(peer, Peer::Ip),
            id,
            target: None,
            loader: loader.clone(),
            noted: Noted::of(&head.headers, config, traced.as_deref()),
            traced,
        }
    }

    /// It is known which front door it came to, and for which path.
    pub(super) fn steered(&mut self, branch: Branch, path: &str) {
        match branch {
            Branch::Rest | Branch::Pages => {}
            Branch::Grpc => {
                self.land();
                self.protocol = Protocol::Grpc;
                self.in_flight = (!path.starts_with(INFRASTRUCTURE)).then_some(Protocol::Grpc);
                if let Some(protocol) = self.in_flight {
                    self.meters().in_flight(protocol).rise();
                }
            }
        }
    }

    /// While this is there, whoever goes away is counted as what was asked for.
    pub(super) fn leaving<'r>(&'r self, head: &'r Parts, services: &'r Services) -> Leaving<'r> {
        Leaving { seen: self, head, services }
    }

    /// It was sent to this target, which its head does not have any more.
    pub(super) fn was_sent_to(&mut self, target: Uri) {
        self.target = Some(target);
    }

    /// Its id.
    pub(super) fn id(&self) -> &RequestId {
        &self.id
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
    fn trace(&self, line: &Line, status: StatusCode, ended: Option<&grpc::Ended>) {
        let (Some(noted), Some(traced)) = (&self.noted, &self.traced) else { return };
        let request = (&line.method, &line.target, line.version);
        traced.end(&self.loader, request, status, ended, noted.pad.notes());
    }

    /// The answer, which is counted, and logged and traced if it is to be, as soon as it is known how it ends.
    pub(super) fn answered(mut self, head: Parts, response: Response<Body>, about: About) -> Response<Body> {
        let About { identity: role, route, method } = about;
        let (status, target) = (response.status(), self.target.take());
        match response.extensions().get::<grpc::Ended>().cloned() {
            Some(ended) => {
                let method = method.unwrap_or_else(|| self.called(&head.method));
                let line = Line::of(head, target);
                logged(response, ended, move |ended, length| {
                    self.count(route.as_deref(), method, ended.counted(), length);
                    self.trace(&line, status, Some(ended));
                    self.tell_if_slow(&line, role.as_deref());
                    if shows(self.level, ended.http()) {
                        self.log(&line, role, status, Some(length), Some(ended.name()));
                    }
                })
            }
            None => {
                let method = method.unwrap_or_else(|| self.called(&head.method));
                let (length, code) = (length(&response), Code::of_status(status.as_u16()));
                self.count(route.as_deref(), method, code, length.unwrap_or_default());
                let is_shown = shows(self.level, status.as_u16()) && !is_preflight(&head);
                if is_shown || self.noted.is_some() {
                    let line = Line::of(head, target);
                    self.trace(&line, status, None);
                    self.tell_if_slow(&line, role.as_deref());
                    if is_shown {
                        self.log(&line, role, status, length, None);
                    }
                }
                response
            }
        }
    }

    fn land(&self) {
        if let Some(protocol) = self.in_flight {
            self.meters().in_flight(protocol).fall();
        }
    }

    fn meters(&self) -> &Meters {
        self.loader.pool().meters()
    }

    fn count(&self, route: Option<&Route>, method: Counted, code: Code, bytes: u64) {
        let route = route.unwrap_or(&self.meters().routes.unknown);
        route.observe(method, code, self.began.elapsed());
        self.meters().bytes(self.protocol).add(bytes);
    }

    /// The method for the metrics, taken from the head of the request alone.
    fn called(&self, method: &Method) -> Counted {
        match (self.protocol, method) {
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

    /// Tells of a request that took longer than `log-slow`. The statement has parameters in place of the request's values.
    fn tell_if_slow(&self, line: &Line, role: Option<&Identity>) {
        let Some(Noted { slow: Some(slow), pad, .. }) = &self.noted else { return };
        let took = self.began.elapsed();
        if took < *slow {
            return;
        }
        let notes = pad.notes();
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let stages = STAGES.iter().zip(notes.stages);
        let stages = stages.filter_map(|(name, taken)| Some(format!("{name} {:.1}", milliseconds(taken?))));
        tracing::warn!(
            "Slow request {}: {} {} as {} took {:.1} ms ({}): {}",
            self.id.text(),
            line.method,
            line.target.path(),
            role.map_or("nobody", |identity| &identity.role),
            milliseconds(took),
            stages.collect::<Vec<_>>().join(", "),
            notes.query.as_deref().unwrap_or("no statement")
        );
    }

    fn log(
        &self,
        line: &Line,
        role: Option<Arc<Identity>>,
        status: StatusCode,
        length: Option<u64>,
        grpc: Option<&'static str>,
    ) {
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let notes = self.noted.as_ref().map(|noted| noted.pad.notes());
        let request_id = self.id.text();
        let more = self.noted.as_ref().zip(notes.as_ref()).map(|(noted, notes)| More {
            request_id: &request_id,
            trace_id: noted.trace_id.as_deref(),
            took: self.began.elapsed(),
            notes,
            query: notes.query.as_deref().filter(|_| noted.values == Values::Logged),
        });
        let referer = text(&line.referer);
        let (target, referer) = match &self.noted {
            Some(Noted { format: LogFormat::Json, values: Values::Withheld, .. }) => {
                (line.target.path(), referer.split(['?', '#']).next().unwrap_or_default())
            }
            Some(_) | None => {
                (line.target.path_and_query().map_or("*", |target| target.as_str()), referer.as_str())
            }
        };
        self.loader.logs().request(&Access {
            address: match self.peer {
                Peer::Ip(address) => Some(address),
                Peer::Local => None,
            },
            role: role.as_ref().map(|identity| identity.role.as_str()),
            method: line.method.as_str(),
            target,
            version: match line.version {
                http::Version::HTTP_10 => "HTTP/1.0",
                http::Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            status: status.as_u16(),
            length,
            referer,
            agent: &text(&line.agent),
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

/// A request whose client may go away before there is an answer: then this is dropped.
pub(super) struct Leaving<'r> {
    seen: &'r Seen,
    head: &'r Parts,
    services: &'r Services,
}

impl Leaving<'_> {
    /// There is an answer.
    pub(super) fn stays(self) {
        std::mem::forget(self);
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let Self { seen, head, services } = self;
        let (route, method, code) = match seen.protocol {
            Protocol::Rest => (rest::route(&services.engine, head), seen.called(&head.method), Code::Gone),
            Protocol::Grpc => {
                let (route, method) = services.grpc.counted(head.uri.path());
                (route, method, Code::Cancelled)
            }
        };
        seen.count(Some(&route), method, code, 0);
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
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
fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(header::ORIGIN)
        && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
