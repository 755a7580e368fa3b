//! The spans of a request, by OpenTelemetry's semantic conventions
//! (<https://opentelemetry.io/docs/specs/semconv/>): one for the request, and one below it for each stage that was noted. They
//! tell what was asked of which table or function and how it ended, and no values of a client.

use super::{Database, Trace};
use crate::notes::{Notes, STAGES, Stage};
use http::{Method, Version};
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime},
};

/// Bytes of a client's text that a span has; a longer one is cut.
const LONGEST_PATH: usize = 1024;
/// Bytes of a statement that a span has.
const LONGEST_QUERY: usize = 16 << 10;

/// A request that has been answered.
#[derive(Debug)]
pub struct Served<'s> {
    /// The method.
    pub method: &'s Method,
    /// The path, as it came.
    pub path: &'s str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The version of HTTP.
    pub version: Version,
    /// The HTTP status.
    pub status: u16,
    /// What the path stands for, where that is known: `/books`, or `/api.v1.BookService/GetBook`.
    pub route: Option<&'s str>,
    /// How it ended, if it is a call of a gRPC service.
    pub call: Option<Call>,
    /// What was noted of it.
    pub notes: &'s Notes,
    /// The statement, where it is to be shown.
    pub query: Option<&'s str>,
}

/// How a call of a gRPC service ended.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The protocol.
    pub system: RpcSystem,
    /// The number of the status.
    pub code: i32,
    /// Its name.
    pub name: &'static str,
}

/// In which protocol a gRPC service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcSystem {
    /// gRPC, or gRPC-Web.
    Grpc,
    /// Connect.
    Connect,
}

/// The span of each stage, and what kind it is. A transaction is its wait and its work, and rows are encoded as they come, in
/// the span of the database.
fn span_of(stage: Stage) -> Option<(&'static str, SpanKind)> {
    match stage {
        Stage::Jwt => Some(("auth", SpanKind::Internal)),
        Stage::Parse => Some(("parse", SpanKind::Internal)),
        Stage::Plan => Some(("plan", SpanKind::Internal)),
        Stage::Transaction | Stage::Encode => None,
        Stage::Response => Some(("encode", SpanKind::Internal)),
        Stage::Wait => Some(("wait", SpanKind::Internal)),
        Stage::Database => Some(("database", SpanKind::Client)),
    }
}

/// What all spans of the database tell of it.
pub(super) fn of_database(database: &Database) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new("db.system.name", "postgresql")];
    attributes.extend(database.name.clone().map(|name| KeyValue::new("db.namespace", name)));
    if let Some((host, port)) = database.server.clone() {
        attributes.push(KeyValue::new("server.address", host));
        attributes.push(KeyValue::new("server.port", i64::from(port)));
    }
    attributes
}

/// The spans of a request that ends now.
pub(super) fn of(
    trace: &Trace,
    served: &Served<'_>,
    scope: &InstrumentationScope,
    database: &[KeyValue],
) -> Vec<SpanData> {
    let ids = RandomIdGenerator::default();
    let span = |id, parent, name, kind, times: (SystemTime, SystemTime), attributes, status| SpanData {
        span_context: trace.context(id),
        parent_span_id: parent,
        parent_span_is_remote: kind == SpanKind::Server && parent != SpanId::INVALID,
        span_kind: kind,
        name,
        start_time: times.0,
        end_time: times.1,
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: scope.clone(),
    };
    let (began, began_at) = trace.began;
    let at = |moment: Instant| began_at + moment.saturating_duration_since(began);
    let (name, attributes, status) = request(served);
    let ended = at(Instant::now());
    let mut spans = Vec::with_capacity(1 + STAGES.len());
    spans.push(span(
        trace.server,
        trace.parent,
        name.into(),
        SpanKind::Server,
        (began_at, ended),
        attributes,
        status,
    ));
    for (stage, since, taken) in served.notes.timed() {
        let Some((name, kind)) = span_of(stage) else { continue };
        let (id, attributes, status) = match stage {
            Stage::Database => {
                let (attributes, status) = query(served, database);
                (trace.database, attributes, status)
            }
            Stage::Jwt
            | Stage::Parse
            | Stage::Plan
            | Stage::Transaction
            | Stage::Response
            | Stage::Wait
            | Stage::Encode => (ids.new_span_id(), Vec::new(), Status::Unset),
        };
        let times = (at(since), at(since) + taken.max(Duration::ZERO));
        spans.push(span(id, trace.server, Cow::Borrowed(name), kind, times, attributes, status));
    }
    spans
}

/// Name, attributes and status of the span of a request.
fn request(served: &Served<'_>) -> (String, Vec<KeyValue>, Status) {
    match served.call {
        Some(call) => called(served, call),
        None => asked(served),
    }
}

/// Those of HTTP (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
fn asked(served: &Served<'_>) -> (String, Vec<KeyValue>, Status) {
    let method = match served.method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH") => {
            known
        }
        _ => "_OTHER",
    };
    let verb = if method == "_OTHER" { "HTTP" } else { method };
    let mut attributes = vec![
        KeyValue::new("http.request.method", method.to_owned()),
        KeyValue::new("url.path", cut(served.path, LONGEST_PATH)),
        KeyValue::new("url.scheme", served.scheme),
        KeyValue::new("http.response.status_code", i64::from(served.status)),
        protocol_version(served.version),
    ];
    attributes.extend(served.route.map(|route| KeyValue::new("http.route", route.to_owned())));
    let name = match served.route {
        Some(route) => format!("{verb} {route}"),
        None => verb.to_owned(),
    };
    // What the client did wrong is no error of the server.
    let status = match served.status {
        500.. => {
            attributes.push(KeyValue::new("error.type", served.status.to_string()));
            Status::error("")
        }
        _ => Status::Unset,
    };
    (name, attributes, status)
}

/// Those of gRPC and Connect (<https://opentelemetry.io/docs/specs/semconv/rpc/>).
fn called(served: &Served<'_>, call: Call) -> (String, Vec<KeyValue>, Status) {
    let mut attributes = vec![
        KeyValue::new(
            "rpc.system",
            match call.system {
                RpcSystem::Grpc => "grpc",
                RpcSystem::Connect => "connect_rpc",
            },
        ),
        protocol_version(served.version),
    ];
    match call.system {
        RpcSystem::Grpc => {
            attributes.push(KeyValue::new("rpc.grpc.status_code", i64::from(call.code)));
        }
        // Connect has no code for success.
        RpcSystem::Connect if call.code != 0 => {
            attributes.push(KeyValue::new("rpc.connect_rpc.error_code", call.name));
        }
        RpcSystem::Connect => {}
    }
    let route = served.route.map(|route| route.trim_start_matches('/'));
    if let Some((service, method)) = route.and_then(|route| route.split_once('/')) {
        attributes.push(KeyValue::new("rpc.service", service.to_owned()));
        attributes.push(KeyValue::new("rpc.method", method.to_owned()));
    }
    // Unknown, DeadlineExceeded, Unimplemented, Internal, Unavailable, DataLoss.
    let status = match call.code {
        2 | 4 | 12 | 13 | 14 | 15 => {
            attributes.push(KeyValue::new("error.type", call.name));
            Status::error("")
        }
        _ => Status::Unset,
    };
    (route.unwrap_or("rpc").to_owned(), attributes, status)
}

/// Attributes and status of the span of the database
/// (<https://opentelemetry.io/docs/specs/semconv/database/postgresql/>).
fn query(served: &Served<'_>, database: &[KeyValue]) -> (Vec<KeyValue>, Status) {
    let mut attributes = database.to_vec();
    attributes.extend(served.query.map(|query| KeyValue::new("db.query.text", cut(query, LONGEST_QUERY))));
    let rows = served.notes.rows.and_then(|rows| i64::try_from(rows).ok());
    attributes.extend(rows.map(|rows| KeyValue::new("db.response.returned_rows", rows)));
    let Some(code) = &served.notes.database_error else { return (attributes, Status::Unset) };
    attributes.push(KeyValue::new("db.response.status_code", code.clone()));
    attributes.push(KeyValue::new("error.type", code.clone()));
    (attributes, Status::error(""))
}

fn protocol_version(version: Version) -> KeyValue {
    let version = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    KeyValue::new("network.protocol.version", version)
}

fn cut(text: &str, longest: usize) -> String {
    text.get(..text.floor_char_boundary(longest)).unwrap_or(text).to_owned()
}
