//! The numbers of `/metrics` under PostgREST's names, in Prometheus' text format. They are counted elsewhere.

use std::fmt::Write;
use std::time::Duration;

/// The numbers at one moment. A part that this process does not have is `None` and not shown.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
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

#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// One name with its samples: label set and value each.
struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    samples: fn(&Metrics) -> Vec<(&'static str, f64)>,
}

const FAMILIES: [Family; 12] = [
    Family {
        name: "pgduet_log_lines_dropped_total",
        kind: Kind::Counter,
        help: "Lines of the logs that were dropped because nobody read the ones before them",
        samples: |all| vec![("", all.dropped_lines as f64)],
    },
    Family {
        name: "pgduet_state",
        kind: Kind::Gauge,
        help: "How the process is: 1 for one of the states, 0 for the others",
        samples: |all| {
            let is = |state| if all.state == state { 1.0 } else { 0.0 };
            vec![
                ("{state=\"loading\"}", is("loading")),
                ("{state=\"loaded\"}", is("loaded")),
                ("{state=\"stale\"}", is("stale")),
                ("{state=\"away\"}", is("away")),
                ("{state=\"ending\"}", is("ending")),
            ]
        },
    },
    Family {
        name: "pgrst_schema_cache_query_time_seconds",
        kind: Kind::Gauge,
        help: "Time the database took for the last load of the schema cache",
        samples: |all| vec![("", all.schema_cache.query_time.as_secs_f64())],
    },
    Family {
        name: "pgrst_schema_cache_loads_total",
        kind: Kind::Counter,
        help: "Loads of the schema cache by outcome",
        samples: |all| {
            vec![
                ("{status=\"SUCCESS\"}", all.schema_cache.loads_succeeded as f64),
                ("{status=\"FAIL\"}", all.schema_cache.loads_failed as f64),
            ]
        },
    },
    Family {
        name: "pgduet_schema_cache_stale",
        kind: Kind::Gauge,
        help: "Whether the last load of the schema cache failed, so that an older one is in service, or none",
        samples: |all| vec![("", if all.schema_cache.is_stale { 1.0 } else { 0.0 })],
    },
    Family {
        name: "pgrst_db_pool_timeouts_total",
        kind: Kind::Counter,
        help: "Requests that waited for a database connection in vain",
        samples: |all| vec![("", all.pool.timeouts as f64)],
    },
    Family {
        name: "pgrst_db_pool_available",
        kind: Kind::Gauge,
        help: "Database connections that a request could have now: none while the database is away",
        samples: |all| vec![("", all.pool.available as f64)],
    },
    Family {
        name: "pgrst_db_pool_waiting",
        kind: Kind::Gauge,
        help: "Requests waiting for a database connection",
        samples: |all| vec![("", all.pool.waiting as f64)],
    },
    Family {
        name: "pgrst_db_pool_max",
        kind: Kind::Gauge,
        help: "Limit of database connections",
        samples: |all| vec![("", all.pool.max as f64)],
    },
    Family {
        name: "pgrst_jwt_cache_requests_total",
        kind: Kind::Counter,
        help: "Look-ups in the JWT cache",
        samples: |all| jwt_cache(all, |cache| cache.requests),
    },
    Family {
        name: "pgrst_jwt_cache_hits_total",
        kind: Kind::Counter,
        help: "Look-ups in the JWT cache that found something",
        samples: |all| jwt_cache(all, |cache| cache.hits),
    },
    Family {
        name: "pgrst_jwt_cache_evictions_total",
        kind: Kind::Counter,
        help: "Entries dropped from the JWT cache to make room",
        samples: |all| jwt_cache(all, |cache| cache.evictions),
    },
];

fn jwt_cache(all: &Metrics, value: fn(&JwtCacheMetrics) -> u64) -> Vec<(&'static str, f64)> {
    all.jwt_cache.iter().map(|cache| ("", value(cache) as f64)).collect()
}

impl Metrics {
    /// The page. Numbers have a decimal point, as PostgREST's have: `1.0`.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for Family { name, kind, help, samples } in FAMILIES {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let samples = samples(self);
            if !samples.is_empty() {
                // Writing to a string does not fail.
                let _ok = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            }
            for (labels, value) in samples {
                let _ok = writeln!(text, "{name}{labels} {value:?}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_postgrests_names_labels_and_form() {
        let mut metrics = Metrics::default();
        metrics.schema_cache.loads_succeeded = 2;
        metrics.schema_cache.query_time = Duration::from_millis(125);
        metrics.pool.max = 10;
        let text = metrics.to_text();
        for line in [
            "# TYPE pgrst_schema_cache_query_time_seconds gauge\npgrst_schema_cache_query_time_seconds 0.125\n",
            "pgrst_schema_cache_loads_total{status=\"SUCCESS\"} 2.0\n",
            "pgrst_schema_cache_loads_total{status=\"FAIL\"} 0.0\n",
            "# TYPE pgduet_schema_cache_stale gauge\npgduet_schema_cache_stale 0.0\n",
            "# TYPE pgrst_db_pool_timeouts_total counter\npgrst_db_pool_timeouts_total 0.0\n",
            "pgrst_db_pool_max 10.0\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("jwt"), "there is no such cache: {text}");
        metrics.jwt_cache = Some(JwtCacheMetrics { requests: 3, hits: 1, evictions: 0 });
        assert!(metrics.to_text().contains("\npgrst_jwt_cache_requests_total 3.0\n"));
    }
}
