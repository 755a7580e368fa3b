//! THE table of what `/metrics` shows. A row fixes a metric's name, which tells its type and unit, what it means and what
//! bounds the number of its samples. docs/metrics.md is made from it. Names that begin with `pgrst_` are PostgREST's.

use super::{super::State, JwtCacheMetrics, Metrics};
use crate::metrics::{Histogram, Lookups, Protocol, Shot};
use std::time::{Duration, UNIX_EPOCH};

/// One name with its samples.
#[cfg_attr(not(test), expect(dead_code, reason = "the documentation is made from it by a test"))]
pub(super) struct Family {
    /// As the older text format has it: a counter's ends with `_total`.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// Its labels, as the documentation has them.
    pub(super) labels: &'static str,
    /// What bounds the number of its samples.
    pub(super) bound: &'static str,
    pub(super) values: Values,
}

/// Labels of a sample.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Where a family's samples come from.
pub(super) enum Values {
    Numbers(fn(&Metrics) -> Vec<(Labels, f64)>),
    Times(fn(&Metrics) -> Vec<(Labels, Shot)>),
}

/// The value of a sample.
pub(super) enum Sample {
    Number(f64),
    Times(Shot),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const TOTAL: &str = "_total";

impl Family {
    pub(super) fn kind(&self) -> Kind {
        match self.values {
            Values::Times(_) => Kind::Histogram,
            Values::Numbers(_) if self.name.ends_with(TOTAL) => Kind::Counter,
            Values::Numbers(_) => Kind::Gauge,
        }
    }

    /// What there is now.
    pub(super) fn samples(&self, all: &Metrics) -> Vec<(Labels, Sample)> {
        match self.values {
            Values::Numbers(numbers) => {
                numbers(all).into_iter().map(|(labels, number)| (labels, Sample::Number(number))).collect()
            }
            Values::Times(times) => {
                times(all).into_iter().map(|(labels, shot)| (labels, Sample::Times(shot))).collect()
            }
        }
    }

    /// The unit that its name ends with, if there is one.
    pub(super) fn unit_name(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix(TOTAL).unwrap_or(self.name);
        let unit = name.rsplit('_').next()?;
        ["seconds", "bytes"].contains(&unit).then_some(unit)
    }

    /// Its name without what the type and the unit add.
    pub(super) fn base(&self) -> &'static str {
        let name = self.name.strip_suffix(TOTAL).unwrap_or(self.name);
        let without = self.unit_name().and_then(|unit| name.strip_suffix(unit)?.strip_suffix('_'));
        without.unwrap_or(name)
    }
}

/// The whole table. Samples of a label whose values are told in [`Family::labels`] are all there from the start.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "pgduet_request_duration_seconds",
        help: "Time from a request's head to its answer, over gRPC to the end of the answer",
        labels: "`protocol` (`rest`, `grpc`), `route`, `method`, `code`",
        bound: "the routes, times the methods and codes that were seen",
        values: Values::Times(|all| {
            let mut samples = Vec::new();
            for route in all.meters.routes.all() {
                for (method, code, shot) in route.shots() {
                    let labels = [
                        ("protocol", method.protocol().name()),
                        ("route", route.name()),
                        ("method", method.name()),
                        ("code", code.name()),
                    ];
                    samples.push((labels.map(|(key, value)| (key, value.to_owned())).to_vec(), shot));
                }
            }
            samples
        }),
    },
    Family {
        name: "pgduet_requests_in_flight",
        help: "Requests that are being answered, without health and reflection",
        labels: "`protocol` (`rest`, `grpc`)",
        bound: "2",
        values: Values::Numbers(|all| by_protocol(|protocol| all.meters.in_flight(protocol).get())),
    },
    Family {
        name: "pgduet_response_body_bytes_total",
        help: "Bytes of the bodies of answers, as they are sent",
        labels: "`protocol` (`rest`, `grpc`)",
        bound: "2",
        values: Values::Numbers(|all| by_protocol(|protocol| all.meters.bytes(protocol).get())),
    },
    Family {
        name: "pgduet_rows_total",
        help: "Rows that statements of requests gave or affected",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| one(all.meters.rows.get())),
    },
    Family {
        name: "pgduet_connections",
        help: "Client connections, by whether a request is being answered on them",
        labels: "`state` (`active`, `idle`)",
        bound: "2",
        values: Values::Numbers(|all| {
            let active = all.meters.active_connections.get();
            let idle = all.meters.connections.get().saturating_sub(active);
            vec![by("state", "active", active), by("state", "idle", idle)]
        }),
    },
    Family {
        name: "pgduet_db_pool_wait_seconds",
        help: "Time that requests waited for a database connection, in vain as well",
        labels: "",
        bound: "1",
        values: Values::Times(|all| times(&all.meters.wait)),
    },
    Family {
        name: "pgduet_db_transaction_seconds",
        help: "Time that requests had a database connection, from the first statement to the end of the transaction",
        labels: "",
        bound: "1",
        values: Values::Times(|all| times(&all.meters.database)),
    },
    Family {
        name: "pgduet_encode_seconds",
        help: "Part of the transaction's time that the encoding of the rows took",
        labels: "",
        bound: "1",
        values: Values::Times(|all| times(&all.meters.encode)),
    },
    Family {
        name: "pgduet_db_connections",
        help: "Open connections of the pool, by whether they serve a request",
        labels: "`state` (`active`, `idle`)",
        bound: "2",
        values: Values::Numbers(|all| {
            vec![by("state", "active", all.pool.busy), by("state", "idle", all.pool.idle)]
        }),
    },
    Family {
        name: "pgrst_db_pool_available",
        help: "Database connections that a request could have now: none while the database is away",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| one(all.pool.available)),
    },
    Family {
        name: "pgrst_db_pool_waiting",
        help: "Requests waiting for a database connection",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| one(all.pool.waiting)),
    },
    Family {
        name: "pgrst_db_pool_max",
        help: "Limit of database connections",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| one(all.pool.max)),
    },
    Family {
        name: "pgrst_db_pool_timeouts_total",
        help: "Requests that waited for a database connection in vain",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| one(all.pool.timeouts)),
    },
    Family {
        name: "pgduet_template_cache_lookups_total",
        help: "Look-ups of the SQL of a request by its shape",
        labels: "`result` (`hit`, `miss`)",
        bound: "2",
        values: Values::Numbers(|all| lookups(&all.meters.templates)),
    },
    Family {
        name: "pgduet_statement_cache_lookups_total",
        help: "Look-ups of prepared statements, of which a request has one or more",
        labels: "`result` (`hit`, `miss`)",
        bound: "2",
        values: Values::Numbers(|all| lookups(&all.meters.statements)),
    },
    Family {
        name: "pgduet_state",
        help: "How the process is: 1 for one of the states, 0 for the others",
        labels: "`state` (`loading`, `loaded`, `stale`, `away`, `ending`)",
        bound: "5",
        values: Values::Numbers(|all| {
            let is = |state| by("state", state, u64::from(all.state == state));
            State::NAMES.map(is).to_vec()
        }),
    },
    Family {
        name: "pgrst_schema_cache_loads_total",
        help: "Loads of the schema cache by outcome",
        labels: "`status` (`SUCCESS`, `FAIL`)",
        bound: "2",
        values: Values::Numbers(|all| {
            let cache = &all.schema_cache;
            vec![by("status", "SUCCESS", cache.loads_succeeded), by("status", "FAIL", cache.loads_failed)]
        }),
    },
    Family {
        name: "pgrst_schema_cache_query_time_seconds",
        help: "Time the database took for the last load of the schema cache",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| seconds(Some(all.schema_cache.query_time))),
    },
    Family {
        name: "pgduet_schema_cache_load_seconds",
        help: "Time of the last successful load of the schema cache, until it was in service",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| seconds(Some(all.schema_cache.load_time))),
    },
    Family {
        name: "pgduet_schema_cache_age_seconds",
        help: "Time since the schema cache in service was loaded. Not shown before the first load",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| seconds(all.schema_cache.age)),
    },
    Family {
        name: "pgduet_schema_cache_stale",
        help: "Whether the last load of the schema cache failed, so that an older one is in service, or none",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| one(u64::from(all.schema_cache.is_stale))),
    },
    Family {
        name: "pgrst_jwt_cache_requests_total",
        help: "Look-ups in the JWT cache",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| jwt_cache(all, |cache| cache.requests)),
    },
    Family {
        name: "pgrst_jwt_cache_hits_total",
        help: "Look-ups in the JWT cache that found something",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| jwt_cache(all, |cache| cache.hits)),
    },
    Family {
        name: "pgrst_jwt_cache_evictions_total",
        help: "Entries dropped from the JWT cache to make room",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| jwt_cache(all, |cache| cache.evictions)),
    },
    Family {
        name: "pgduet_jwt_keys_age_seconds",
        help: "Time since the address in jwt-secret last answered with keys. Not shown where there is no address",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| seconds(all.age_of_keys)),
    },
    Family {
        name: "pgduet_log_lines_dropped_total",
        help: "Lines of the logs that were dropped because nobody read the ones before them",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| one(all.dropped_lines)),
    },
    Family {
        name: "pgduet_build_info",
        help: "Always 1; the labels tell what runs",
        labels: "`version`, `build` (commit, profile, target)",
        bound: "1",
        values: Values::Numbers(|all| {
            let (version, build) = all.version.split_once(" (").unwrap_or((all.version, ""));
            let build = build.trim_end_matches(')');
            vec![(vec![("version", version.to_owned()), ("build", build.to_owned())], 1.0)]
        }),
    },
    Family {
        name: "process_start_time_seconds",
        help: "When the process started, since 1970",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| seconds(all.meters.started.duration_since(UNIX_EPOCH).ok())),
    },
    Family {
        name: "process_cpu_seconds_total",
        help: "Time of the processors, of user and system together",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| seconds(all.process.cpu)),
    },
    Family {
        name: "process_resident_memory_bytes",
        help: "Resident memory (Linux)",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| maybe(all.process.resident)),
    },
    Family {
        name: "process_virtual_memory_bytes",
        help: "Virtual memory (Linux)",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| maybe(all.process.virtual_memory)),
    },
    Family {
        name: "process_open_fds",
        help: "Open file descriptors (Linux)",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| maybe(all.process.descriptors)),
    },
    Family {
        name: "process_max_fds",
        help: "Most file descriptors that may be open",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| maybe(all.process.most_descriptors)),
    },
    Family {
        name: "process_threads",
        help: "Threads (Linux)",
        labels: "",
        bound: "1",
        values: Values::Numbers(|all| maybe(all.process.threads)),
    },
];

fn by(label: &'static str, value: &str, number: u64) -> (Labels, f64) {
    (vec![(label, value.to_owned())], number as f64)
}

fn by_protocol(number: impl Fn(Protocol) -> u64) -> Vec<(Labels, f64)> {
    Protocol::ALL.iter().map(|protocol| by("protocol", protocol.name(), number(*protocol))).collect()
}

fn one(number: u64) -> Vec<(Labels, f64)> {
    maybe(Some(number))
}

fn maybe(number: Option<u64>) -> Vec<(Labels, f64)> {
    number.map(|number| (Labels::new(), number as f64)).into_iter().collect()
}

fn seconds(time: Option<Duration>) -> Vec<(Labels, f64)> {
    time.map(|time| (Labels::new(), time.as_secs_f64())).into_iter().collect()
}

fn times(histogram: &Histogram) -> Vec<(Labels, Shot)> {
    vec![(Labels::new(), histogram.shot())]
}

fn lookups(lookups: &Lookups) -> Vec<(Labels, f64)> {
    vec![by("result", "hit", lookups.hits.get()), by("result", "miss", lookups.misses.get())]
}

fn jwt_cache(all: &Metrics, value: fn(&JwtCacheMetrics) -> u64) -> Vec<(Labels, f64)> {
    maybe(all.jwt_cache.as_ref().map(value))
}
