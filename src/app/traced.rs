//! A request's trace: decided when its head has come, told to PostgreSQL where `db-trace-context` asks for that, and made
//! into spans when it has been answered. It changes nothing of an answer.

use super::loader::Loader;
use crate::{
    config::{Config, TraceContext},
    grpc,
    notes::Notes,
    request::TraceParent,
    telemetry::trace::{Call, Parent, RpcSystem, Served, Trace, Tracer},
};
use http::{HeaderMap, Method, StatusCode, Uri, Version, header};

/// The trace of a request. A request has one only if traces go to a collector or to PostgreSQL's log.
#[derive(Debug)]
pub(super) struct Traced {
    /// Where traces are made.
    trace: Option<Trace>,
    for_database: Option<TraceParent>,
    /// How a gRPC service is called, if one is.
    system: RpcSystem,
}

impl Traced {
    pub(super) fn of(headers: &HeaderMap, config: &Config, tracer: Option<&Tracer>) -> Option<Box<Self>> {
        if tracer.is_none() && config.db_trace_context == TraceContext::None {
            return None;
        }
        let parent = Parent::of(headers);
        let passed_on = parent.clone();
        let trace = tracer.map(|tracer| tracer.begin(parent));
        let for_database = match config.db_trace_context {
            TraceContext::None => None,
            TraceContext::ApplicationName => match &trace {
                Some(trace) => Some(trace.for_database()),
                None => passed_on.map(|parent| parent.text()),
            },
        };
        let for_database = for_database.map(TraceParent);
        Some(Box::new(Self { trace, for_database, system: system(headers) }))
    }

    /// Whether spans are made.
    pub(super) fn is_recorded(&self) -> bool {
        self.trace.as_ref().is_some_and(Trace::is_recorded)
    }

    /// The id of the trace that pgduet makes, if it does.
    pub(super) fn id(&self) -> Option<String> {
        self.trace.as_ref().map(Trace::id)
    }

    /// What PostgreSQL is told.
    pub(super) fn for_database(&self) -> Option<TraceParent> {
        self.for_database.clone()
    }

    /// The request has been answered.
    pub(super) fn end(
        &self,
        loader: &Loader,
        (method, target, version): (&Method, &Uri, Version),
        status: StatusCode,
        ended: Option<&grpc::Ended>,
        notes: Notes,
    ) {
        let (Some(trace), Some(tracer)) = (&self.trace, loader.tracer()) else { return };
        if !trace.is_recorded() {
            return;
        }
        let config = loader.config();
        let base = config.server_base_path.as_ref().filter(|_| ended.is_none());
        let route = notes.route.as_ref().map(|route| match base {
            Some(base) => format!("{}{route}", &**base),
            None => route.clone(),
        });
        let call = ended.map(|ended| Call {
            system: self.system,
            code: ended.number(),
            name: match self.system {
                RpcSystem::Grpc => ended.name(),
                RpcSystem::Connect => ended.connect_name(),
            },
        });
        let served = Served {
            method,
            path: target.path(),
            scheme: if config.server_tls_certificate.is_some() { "https" } else { "http" },
            version,
            status: status.as_u16(),
            route: route.as_deref(),
            call,
            notes: &notes,
            query: notes.query.as_deref().filter(|_| config.log_query),
        };
        tracer.end(trace, &served);
    }
}

/// Over gRPC and gRPC-Web the type of the body says so; else a gRPC service is called over Connect.
fn system(headers: &HeaderMap) -> RpcSystem {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    match kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
        true => RpcSystem::Grpc,
        false => RpcSystem::Connect,
    }
}
