//! One announcement, heard everywhere, that the server is going down, and before it, where that is wanted, that it will. It
//! decides nothing: each listener finishes what it has accepted, and a handler of an endless stream (health, reflection)
//! ends its stream when it hears this.

use tokio::sync::watch;

/// Whether clients should go elsewhere for their next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// They need not.
    Staying,
    /// They should, and still can come.
    Leaving,
}

/// Announces the shutdown. Dropping it announces it too.
#[derive(Debug)]
pub struct ShutdownTrigger(watch::Sender<Phase>);

/// Hears the announcement; each clone on its own, and also if it came before.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<Phase>);

/// A trigger and the first of its listeners.
pub fn shutdown_channel() -> (ShutdownTrigger, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Staying);
    (ShutdownTrigger(sender), Shutdown(receiver))
}

impl ShutdownTrigger {
    /// From now on clients are told to go elsewhere, and are served all the same.
    pub fn warn(&self) {
        self.0.send_replace(Phase::Leaving);
    }

    /// Announces the shutdown to every [`Shutdown`].
    pub fn announce(self) {
        self.warn();
        drop(self.0);
    }
}

impl Shutdown {
    /// Returns once the shutdown has been announced. May be dropped and called again.
    pub async fn announced(&mut self) {
        // That the sender is gone is the announcement.
        while self.0.changed().await.is_ok() {}
    }

    /// Whether clients should go elsewhere.
    pub fn is_leaving(&self) -> bool {
        *self.0.borrow() == Phase::Leaving
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
        assert!(!early.is_leaving());
        trigger.announce();
        assert!(waiting.await.is_ok() && early.is_leaving());
        early.announced().await;
        early.clone().announced().await;
        early.announced().await;
    }

    #[test]
    fn nothing_is_heard_before_it_is_announced() {
        let (trigger, mut shutdown) = shutdown_channel();
        assert!(futures_util::FutureExt::now_or_never(shutdown.announced()).is_none());
        trigger.warn();
        assert!(shutdown.is_leaving());
        assert!(futures_util::FutureExt::now_or_never(shutdown.announced()).is_none());
    }
}
