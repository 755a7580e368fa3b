//! Whether the reader of a stream still takes something. The one end notes when it does, the other
//! asks how long that is ago; neither counts what is read.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// When something was last taken.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    last: Arc<Mutex<Instant>>,
    /// How long nothing may be.
    idle: Duration,
}

impl Progress {
    /// Nothing has been taken yet; nothing may be for so long.
    pub(crate) fn new(idle: Duration) -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())), idle }
    }

    /// Something is taken.
    pub(crate) fn note(&self) {
        if let Ok(mut last) = self.last.lock() {
            *last = Instant::now();
        }
    }

    /// Waits for `taken` as long as the reader goes on taking what came before it; none if it does not.
    pub(super) async fn until<T>(&self, taken: impl Future<Output = T>) -> Option<T> {
        // There was nothing to take before.
        let since = Instant::now();
        let mut taken = std::pin::pin!(taken);
        loop {
            let last = self.last.lock().map_or(since, |last| since.max(*last));
            let left = self.idle.saturating_sub(last.elapsed());
            match tokio::time::timeout(left, &mut taken).await {
                Ok(taken) => return Some(taken),
                Err(_) if left.is_zero() => return None,
                Err(_) => {}
            }
        }
    }
}
