//! The news that PostgreSQL answers again, on new connections, after a time without an answer. Connections from before may
//! stay silent for ever: neither side has closed them, but the network between has forgotten them.

use futures_util::{Stream, stream};
use std::{collections::HashSet, sync::Arc};
use tokio::sync::watch;

/// That PostgreSQL answers again.
#[derive(Clone, Debug, Default)]
pub struct Revival {
    /// The processes that work for the login role, where that is known. Whoever waits for an answer of another one waits
    /// for nothing.
    pub(super) at_work: Option<Arc<HashSet<i32>>>,
}

/// Tells whoever is present, and knows whether anybody is.
pub(super) type Presences = watch::Sender<Revival>;

/// Held as long as something is asked of PostgreSQL; hears of a revival.
pub(super) type Presence = watch::Receiver<Revival>;

/// Returns when PostgreSQL answers again.
pub(super) async fn revived(presence: &mut Presence) -> Revival {
    match presence.changed().await {
        Ok(()) => presence.borrow_and_update().clone(),
        // The pool is gone, and nobody will tell.
        Err(_) => std::future::pending().await,
    }
}

/// Tells each time that PostgreSQL answers again.
#[derive(Debug)]
pub struct Revivals(pub(super) Presence);

impl Revivals {
    /// Returns at the next time. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) {
        revived(&mut self.0).await;
    }

    /// The times as a stream.
    pub fn stream(self) -> impl Stream<Item = ()> + Send + 'static {
        stream::unfold(self, |mut revivals| async {
            revivals.next().await;
            Some(((), revivals))
        })
    }
}
