//! How long the encoding of a statement's rows takes: rows are encoded as they come, so the clock runs while they are
//! handed on, and stands while PostgreSQL or the client is waited for.

use std::time::{Duration, Instant};

pub(super) struct Encoding {
    since: Instant,
    taken: Duration,
}

impl Encoding {
    pub(super) fn start() -> Self {
        Self { since: Instant::now(), taken: Duration::ZERO }
    }

    /// Stops the clock for a wait.
    pub(super) async fn except<F: Future>(&mut self, wait: F) -> F::Output {
        self.taken += self.since.elapsed();
        let waited = wait.await;
        self.since = Instant::now();
        waited
    }

    /// How long it took.
    pub(super) fn taken(self) -> Duration {
        self.taken + self.since.elapsed()
    }
}
