//! What the admin server is told.

use super::loader::Loader;
use crate::{
    admin::{JwtCacheMetrics, Metrics, PoolMetrics, State, Status},
    catalog::descriptor,
    cli,
    metrics::Process,
    server::listen::Address,
};
use bytes::Bytes;
use std::sync::Arc;

/// The state of the application.
#[derive(Debug)]
pub(super) struct AppStatus {
    loader: Arc<Loader>,
    address: Address,
}

impl AppStatus {
    /// The state of what listens on `address`.
    pub(super) fn new(loader: Arc<Loader>, address: Address) -> Self {
        Self { loader, address }
    }
}

impl Status for AppStatus {
    async fn is_reachable(&self) -> bool {
        self.address.is_reachable().await
    }

    fn state(&self) -> State {
        self.loader.state()
    }

    fn metrics(&self) -> Metrics {
        let pool = self.loader.pool().status();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let state = self.loader.state();
        let authenticator = self.loader.services().map(|services| services.authenticator.clone());
        Metrics {
            version: cli::VERSION,
            dropped_lines: self.loader.logs().dropped(),
            state: state.name(),
            schema_cache: self.loader.metrics(),
            pool: PoolMetrics {
                timeouts: pool.timeouts,
                available: match state {
                    State::Away(_) => 0,
                    State::Loading(_) | State::Loaded | State::Stale(_) | State::Ending => {
                        count(pool.available)
                    }
                },
                waiting: count(pool.waiting),
                max: count(pool.max),
                busy: count(pool.busy),
                idle: count(pool.idle),
            },
            meters: self.loader.pool().meters().clone(),
            process: Process::now(),
            age_of_keys: authenticator.as_ref().and_then(|authenticator| authenticator.age_of_keys()),
            jwt_cache: authenticator.map(|authenticator| {
                let counters = authenticator.cache_counters();
                JwtCacheMetrics {
                    requests: counters.requests,
                    hits: counters.hits,
                    evictions: counters.evictions,
                }
            }),
        }
    }

    fn schema_cache(&self) -> Bytes {
        let services = self.loader.services();
        let json = services.map(|services| descriptor::to_json(services.engine.catalog().descriptor()));
        json.and_then(Result::ok).map(Bytes::from).unwrap_or_default()
    }
}
