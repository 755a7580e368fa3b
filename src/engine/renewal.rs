//! How an engine whose catalog is behind the database gets to its successor. It neither loads anything nor decides when:
//! who does is told that it is wanted, and tells when it is there.

use super::Engine;
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};

/// Between the engines and who makes them.
pub struct Renewal {
    /// The newest engine. Sent again, it says that there is none newer for now.
    newest: watch::Sender<Option<Arc<Engine>>>,
    wanted: Notify,
}

impl Default for Renewal {
    fn default() -> Self {
        Self { newest: watch::Sender::new(None), wanted: Notify::new() }
    }
}

impl Renewal {
    /// There is a new engine.
    pub fn succeeded(&self, engine: Arc<Engine>) {
        self.newest.send_replace(Some(engine));
    }

    /// No engine could be made: whoever waits for one goes on without it.
    pub fn failed(&self) {
        self.newest.send_modify(|_| {});
    }

    /// Returns when a new engine is wanted. Several who want one count as one.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// The engine after this one, waited for so long; none if none could be made.
    pub(super) async fn successor(&self, of: &Engine, patience: Duration) -> Option<Arc<Engine>> {
        let mut newest = self.newest.subscribe();
        let after = |newest: &mut watch::Receiver<Option<Arc<Engine>>>| {
            newest.borrow_and_update().clone().filter(|engine| !std::ptr::eq(&**engine, of))
        };
        if let Some(engine) = after(&mut newest) {
            return Some(engine);
        }
        self.wanted.notify_one();
        // If it takes too long, or nobody is left who could make one, there is none.
        let _told = tokio::time::timeout(patience, newest.changed()).await;
        after(&mut newest)
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Renewal").finish_non_exhaustive()
    }
}
