//! One announcement, heard everywhere, that the server is going down. It decides nothing: each listener finishes what it
//! has accepted, and a handler of an endless stream (health, reflection) ends its stream when it hears this.

use tokio::sync::watch;

/// Announces the shutdown. Dropping it announces it too.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<()>);

/// Hears the announcement; each clone on its own, and also if it came before.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<()>);

/// A trigger and the first of its listeners.
pub fn shutdown_channel() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(());
    (ShutdownTrigger(sender), Shutdown(receiver))
}

impl ShutdownTrigger {
    /// Announces the shutdown to every [`Shutdown`].
    pub fn announce(self) {
        drop(self.0);
    }
}

impl Shutdown {
    /// Returns once the shutdown has been announced. May be dropped and called again.
    pub async fn announced(&mut self) {
        // The sender never sends: that it is gone is the announcement.
        while self.0.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_hears_the_announcement_also_when_it_came_before_and_more_than_once() {
        let (trigger, mut early) = shutdown_channel();
        let waiting = tokio::spawn({
            let mut shutdown = early.clone();
            async move { shutdown.announced().await }
        });
        trigger.announce();
        assert!(waiting.await.is_ok());
        early.announced().await;
        early.clone().announced().await;
        early.announced().await;
    }

    #[test]
    fn nothing_is_heard_before_it_is_announced() {
        let (_trigger, mut shutdown) = shutdown_channel();
        assert!(futures_util::FutureExt::now_or_never(shutdown.announced()).is_none());
    }
}
