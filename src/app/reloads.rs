//! Which reload runs, which is asked for meanwhile, and when a failed one is due again. One runs at a time; it never
//! stands in the way of a signal, and may be dropped at any point.

use super::{
    Error,
    loader::{Loader, Reload, Retry, due},
};
use futures_util::future::BoxFuture;
use std::{fmt, sync::Arc};

/// The reloads of a loader.
pub(super) struct Reloads {
    loader: Arc<Loader>,
    running: Option<BoxFuture<'static, Result<Option<Retry>, Error>>>,
    /// To be run next: everything that was asked for while another ran is one reload.
    asked: Option<Reload>,
    retry: Option<Retry>,
}

impl Reloads {
    /// No reload runs; `retry` is what the first load left to be tried again.
    pub(super) fn new(loader: Arc<Loader>, retry: Option<Retry>) -> Self {
        Self { loader, running: None, asked: None, retry }
    }

    /// Asks for a reload.
    pub(super) fn ask(&mut self, what: Reload) {
        self.asked = self.asked.max(Some(what));
    }

    /// Returns when a reload has ended, whether it failed or not; an error is one that no other attempt can mend. Nothing
    /// is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<(), Error> {
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                let what = match self.asked.take() {
                    Some(asked) => asked,
                    None => due(&self.retry).await,
                };
                let (loader, retry) = (self.loader.clone(), self.retry);
                self.running.insert(Box::pin(async move { loader.reload(what, retry).await }))
            }
        };
        let ended = running.await;
        self.running = None;
        self.retry = ended?;
        Ok(())
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
