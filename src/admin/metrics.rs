//! The page of `/metrics`, in OpenMetrics or in Prometheus' older text format, as asked for. The numbers are counted
//! elsewhere; [`FAMILIES`](families::FAMILIES) is the table of their names.

mod families;

use crate::metrics::{BOUNDS, Meters, Process, Shot};
use families::{FAMILIES, Family, Kind, Sample};
use http::{HeaderMap, header};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, prometheus_text, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use std::{fmt, sync::Arc, time::Duration};

/// The numbers at one moment. A part that this process does not have is `None` and not shown.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// What `--version` tells.
    pub version: &'static str,
    /// Lines of the logs that were dropped, since the start.
    pub dropped_lines: u64,
    /// How the process is: one of [`State::NAMES`](super::State::NAMES).
    pub state: &'static str,
    /// Loading the catalog.
    pub schema_cache: SchemaCacheMetrics,
    /// The pool of database connections.
    pub pool: PoolMetrics,
    /// The cache of verified tokens.
    pub jwt_cache: Option<JwtCacheMetrics>,
    /// How long ago the issuer last answered with keys, where they come from one.
    pub age_of_keys: Option<Duration>,
    /// What requests have counted.
    pub meters: Arc<Meters>,
    /// The process itself.
    pub process: Process,
}

/// Loads of the catalog.
#[derive(Debug, Clone, Default)]
pub struct SchemaCacheMetrics {
    /// Since the start, that succeeded.
    pub loads_succeeded: u64,
    /// Since the start, that failed.
    pub loads_failed: u64,
    /// Whether the last one failed, so that an older catalog is in service, or none.
    pub is_stale: bool,
    /// Of the last successful one, in the database.
    pub query_time: Duration,
    /// Of the last successful one, in all.
    pub load_time: Duration,
    /// How long ago the last successful one ended, if there was one.
    pub age: Option<Duration>,
}

/// The pool of database connections.
#[derive(Debug, Clone, Default)]
pub struct PoolMetrics {
    /// Requests since the start that waited for a connection in vain.
    pub timeouts: u64,
    /// Connections that a request could have now: none while the database is away.
    pub available: u64,
    /// Requests waiting for a connection.
    pub waiting: u64,
    /// Connections there may be.
    pub max: u64,
    /// Connections that are open and serve a request.
    pub busy: u64,
    /// Connections that are open and serve none.
    pub idle: u64,
}

/// The cache of verified tokens, since the start.
#[derive(Debug, Clone, Default)]
pub struct JwtCacheMetrics {
    /// Look-ups.
    pub requests: u64,
    /// That found something.
    pub hits: u64,
    /// Entries dropped to make room.
    pub evictions: u64,
}

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    OpenMetrics,
    /// What every collector reads.
    Text,
    /// The same, under PostgREST's content type, which names no version.
    Unversioned,
}

impl Format {
    /// OpenMetrics for whoever asks for it by name, as Prometheus does.
    fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let kinds = accepted.flat_map(|value| value.split(','));
        let mut best = Self::Unversioned;
        for kind in kinds {
            let mut parts = kind.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let has = |wanted: &str| parts.clone().any(|part| part.eq_ignore_ascii_case(wanted));
            let is_refused = ["q=0", "q=0.0", "q=0.00", "q=0.000"].into_iter().any(has);
            match name.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" if !is_refused => return Self::OpenMetrics,
                "text/plain" if !is_refused && has("version=0.0.4") => best = Self::Text,
                _ => {}
            }
        }
        best
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => prometheus_text::CONTENT_TYPE,
            Self::Unversioned => "text/plain; charset=utf-8",
        }
    }
}

impl Metrics {
    /// The page for a request with these headers, and its content type.
    pub(super) fn page(self, headers: &HeaderMap) -> (&'static str, String) {
        let format = Format::of(headers);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ok = match format {
            Format::OpenMetrics => text::encode(&mut page, &registry),
            Format::Text | Format::Unversioned => prometheus_text::encode(&mut page, &registry),
        };
        (format.content_type(), page)
    }
}

impl Collector for Metrics {
    /// A family without samples is left out.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in FAMILIES {
            let kind = match family.kind() {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let (unit, samples) = (family.unit(), family.samples(self));
            if samples.is_empty() {
                continue;
            }
            let mut encoder = encoder.encode_descriptor(family.base(), family.help, unit.as_ref(), kind)?;
            for (labels, sample) in samples {
                let encoder = encoder.encode_family(&labels)?;
                match (sample, family.kind()) {
                    // Numbers have a decimal point, as PostgREST's have: `1.0`.
                    (Sample::Number(number), Kind::Counter) => ConstCounter::new(number).encode(encoder)?,
                    (Sample::Number(number), Kind::Gauge | Kind::Histogram) => {
                        ConstGauge::new(number).encode(encoder)?;
                    }
                    (Sample::Times(shot), _) => histogram(encoder, &shot)?,
                }
            }
        }
        Ok(())
    }
}

fn histogram(mut encoder: MetricEncoder<'_>, shot: &Shot) -> fmt::Result {
    let buckets: Vec<_> = BOUNDS.into_iter().zip(shot.buckets).collect();
    encoder.encode_histogram::<NoLabelSet>(shot.sum, shot.count(), &buckets, None)
}

impl Family {
    /// The unit that the name ends with.
    fn unit(&self) -> Option<Unit> {
        match self.unit_name() {
            Some("seconds") => Some(Unit::Seconds),
            Some("bytes") => Some(Unit::Bytes),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests;
