//! Traces: which request belongs to which trace, and the spans of those that are recorded, for a collector that speaks OTLP.
//! Without `otel-endpoint` there is no [`Tracer`], and nothing is done. A request never waits for a collector.
//!
//! ```text
//!     a request's head ─ begin ─ Trace ─ its id for the log, its traceparent for PostgreSQL
//!                                  │
//!     its answer ─ notes of stages ┴─ end ─ spans ─ a bounded queue ─ export ─ the collector
//! ```
//!
//! Spans are made when a request has been answered, of the times that were noted (`notes`) for the log too: nothing is
//! carried through the modules in between.

mod collector;
mod export;
mod parent;
mod spans;

pub use parent::Parent;
pub use spans::{Call, RpcSystem, Served};

use crate::config::{Config, OtlpEndpoint, TraceSampler};
use bytes::Bytes;
use export::Queue;
use http::Uri;
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// Decides which requests are recorded, and hands on their spans. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sampler: Sampler,
    scope: InstrumentationScope,
    /// What all spans of the database tell of it.
    database: Vec<KeyValue>,
    queue: Queue,
}

/// The database, as spans tell of it.
#[derive(Clone, Debug, Default)]
pub struct Database {
    /// Its name.
    pub name: Option<String>,
    /// Host and port, where there is one of each.
    pub server: Option<(String, u16)>,
}

/// Why there can be no traces.
#[derive(Debug)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Traces cannot be exported: {}", self.0)
    }
}

impl Tracer {
    /// Starts to export, if the options name a collector. Connects when there is something to export.
    pub fn start(config: &Config, database: &Database) -> Result<Option<Self>, Unusable> {
        let Some(endpoint) = &config.otel_endpoint else { return Ok(None) };
        let exporter = collector::exporter(config, endpoint).map_err(Unusable)?;
        Ok(Some(Self(Arc::new(Shared {
            sampler: sampler(config),
            scope: InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
            database: spans::of_database(database),
            queue: Queue::start(exporter, endpoint.to_string()),
        }))))
    }

    /// The trace of a request that comes in now.
    pub fn begin(&self, parent: Option<Parent>) -> Trace {
        let ids = RandomIdGenerator::default();
        let (context, id) = match parent {
            Some(parent) => {
                let id = parent.context.trace_id();
                (Some(Context::new().with_remote_span_context(parent.context)), id)
            }
            None => (None, ids.new_trace_id()),
        };
        let sampled = self.0.sampler.should_sample(context.as_ref(), id, "", &SpanKind::Server, &[], &[]);
        let parent = context.map(|context| context.span().span_context().clone());
        Trace {
            id,
            sampling: match sampled.decision {
                SamplingDecision::RecordAndSample => Sampling::Recorded,
                SamplingDecision::RecordOnly | SamplingDecision::Drop => Sampling::Dropped,
            },
            state: sampled.trace_state,
            parent: parent.map_or(SpanId::INVALID, |parent| parent.span_id()),
            server: ids.new_span_id(),
            database: ids.new_span_id(),
            began: (Instant::now(), SystemTime::now()),
        }
    }

    /// The request has been answered.
    pub fn end(&self, trace: &Trace, served: &Served<'_>) {
        if trace.is_recorded() {
            self.0.queue.push(spans::of(trace, served, &self.0.scope, &self.0.database));
        }
    }

    /// Spans that no collector has taken, since the start.
    pub fn lost(&self) -> u64 {
        self.0.queue.lost()
    }

    /// Exports what waits, for so long at most. Nothing is exported after this.
    pub async fn finish(&self, patience: Duration) {
        self.0.queue.finish(patience).await;
    }
}

fn sampler(config: &Config) -> Sampler {
    let ratio = Sampler::TraceIdRatioBased(config.otel_sample_ratio.0);
    match config.otel_sampler {
        TraceSampler::AlwaysOn => Sampler::AlwaysOn,
        TraceSampler::AlwaysOff => Sampler::AlwaysOff,
        TraceSampler::Ratio => ratio,
        TraceSampler::ParentOrAlwaysOn => Sampler::ParentBased(Box::new(Sampler::AlwaysOn)),
        TraceSampler::ParentOrAlwaysOff => Sampler::ParentBased(Box::new(Sampler::AlwaysOff)),
        TraceSampler::ParentOrRatio => Sampler::ParentBased(Box::new(ratio)),
    }
}

/// Whether spans are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampling {
    Recorded,
    Dropped,
}

/// The trace of a request.
#[derive(Clone, Debug)]
pub struct Trace {
    id: TraceId,
    sampling: Sampling,
    state: TraceState,
    /// The client's span, if there is one.
    parent: SpanId,
    server: SpanId,
    database: SpanId,
    /// The same moment by both clocks.
    began: (Instant, SystemTime),
}

impl Trace {
    /// Its id: 32 hexadecimal digits.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// Whether spans are made of it.
    pub fn is_recorded(&self) -> bool {
        self.sampling == Sampling::Recorded
    }

    /// The `traceparent` for what the database does.
    pub fn for_database(&self) -> Bytes {
        let flags = u8::from(self.is_recorded());
        format!("00-{}-{}-{flags:02x}", self.id, self.database).into()
    }

    fn context(&self, span: SpanId) -> SpanContext {
        let flags = match self.sampling {
            Sampling::Recorded => TraceFlags::SAMPLED,
            Sampling::Dropped => TraceFlags::NOT_SAMPLED,
        };
        SpanContext::new(self.id, span, flags, false, self.state.clone())
    }
}

/// The port of an address, which its scheme implies where it has none.
fn port(address: &Uri) -> u16 {
    address.port_u16().unwrap_or(match address.scheme_str() {
        Some("https") => 443,
        Some(_) | None => 80,
    })
}

/// Whether an address is one of `https`.
fn is_encrypted(endpoint: &OtlpEndpoint) -> bool {
    endpoint.origin().scheme_str() == Some("https")
}
