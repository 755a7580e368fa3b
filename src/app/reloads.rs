//! Which reload runs, which is asked for meanwhile, and when a failed one is due again. One runs at a time; it never
//! stands in the way of a signal, and may be dropped at any point. Requests that find the catalog behind the database
//! cause one in a second at most, whatever their number.

use super::{
    Error,
    loader::{Loader, Reload, Retry, due},
};
use futures_util::future::BoxFuture;
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::Instant;

/// From one reload to the next that a request causes.
const PAUSE: Duration = Duration::from_secs(1);

/// What a reload leaves to be tried again.
type Running = BoxFuture<'static, Result<Option<Retry>, Error>>;

/// The reloads of a loader.
pub(super) struct Reloads {
    loader: Arc<Loader>,
    running: Option<(Reload, Running)>,
    /// To be run next: everything that was asked for while another ran is one reload.
    asked: Option<Reload>,
    /// When the next is due because of requests.
    suspected: Option<Instant>,
    began: Instant,
    retry: Option<Retry>,
    /// Whether PostgreSQL may have begun anew, so that what it says of changes is no longer about what was read.
    in_doubt: bool,
}

impl Reloads {
    /// No reload runs; `retry` is what the first load left to be tried again.
    pub(super) fn new(loader: Arc<Loader>, retry: Option<Retry>) -> Self {
        Self {
            loader,
            running: None,
            asked: None,
            suspected: None,
            began: Instant::now(),
            retry,
            in_doubt: false,
        }
    }

    /// Asks for a reload.
    pub(super) fn ask(&mut self, what: Reload) {
        self.asked = self.asked.max(Some(what));
    }

    /// From now on all of the catalog is read, until that has been done once.
    pub(super) fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// Asks for a reload because a request has found the catalog behind the database.
    pub(super) fn suspect(&mut self) {
        self.suspected.get_or_insert(self.began + PAUSE);
    }

    /// Begins anew what runs, and does at once what is to be tried again: PostgreSQL answers again.
    pub(super) fn revive(&mut self) {
        let running = self.running.take().map(|(what, _)| what);
        let failed = self.retry.as_ref().map(|retry| retry.what);
        self.asked = self.asked.max(running).max(failed);
        self.doubt();
    }

    /// Returns when a reload has ended, whether it failed or not; an error is one that no other attempt can mend. Nothing
    /// is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<(), Error> {
        let running = match &mut self.running {
            Some((_, running)) => running,
            None => {
                let what = match self.asked.take() {
                    Some(asked) => asked,
                    None => self.due().await,
                };
                let what = match std::mem::take(&mut self.in_doubt) {
                    true => what.max(Reload::Catalog),
                    false => what,
                };
                (self.suspected, self.began) = (None, Instant::now());
                let (loader, retry) = (self.loader.clone(), self.retry);
                let running: Running = Box::pin(async move { loader.reload(what, retry).await });
                &mut self.running.insert((what, running)).1
            }
        };
        let ended = running.await;
        self.running = None;
        self.retry = ended?;
        Ok(())
    }
}

impl Reloads {
    /// Waits until a reload is due that nobody asked for, and says of what. Where the last one failed, requests wait for
    /// the next attempt like everybody.
    async fn due(&self) -> Reload {
        match (&self.retry, self.suspected) {
            (None, Some(due)) => {
                tokio::time::sleep_until(due).await;
                tracing::warn!(
                    "A request found the schema cache behind the database: loading it. \
                     NOTIFY pgrst after a change spares requests this"
                );
                Reload::Changes
            }
            (retry, _) => due(retry).await,
        }
    }
}

impl fmt::Debug for Reloads {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Reloads")
            .field("asked", &self.asked)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
