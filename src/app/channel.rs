//! The notification channel that the configuration names, if it names one. It only listens; what a notification leads to
//! is decided elsewhere.

use crate::{
    catalog::watch::{self, Event},
    config::Config,
    execute::Pool,
    sql,
};
use tokio::sync::mpsc;

/// What `NOTIFY` brings.
#[derive(Debug)]
pub(super) struct Channel {
    pool: Pool,
    /// The channel's name and its events.
    listening: Option<(String, mpsc::Receiver<Event>)>,
}

impl Channel {
    /// Listens to nothing yet.
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool, listening: None }
    }

    /// Listens to what this configuration says, on a connection of its own.
    pub(super) fn follow(&mut self, config: &Config) {
        let wanted = config.db_channel_enabled.then_some(config.db_channel.as_str());
        let current = self.listening.as_ref().map(|(name, _)| name.as_str());
        if wanted == current {
            return;
        }
        self.listening = wanted.map(|name| {
            let pool = self.pool.clone();
            let revivals = pool.revivals().stream();
            let connect = move || {
                let pool = pool.clone();
                async move { pool.connect_to_primary().await }
            };
            let events = watch::watch(sql::listen(name).as_str(), connect, revivals);
            (name.to_owned(), events)
        });
    }

    /// The next event; never any where there is no channel. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Event {
        if let Some((_, events)) = &mut self.listening
            && let Some(event) = events.recv().await
        {
            return event;
        }
        std::future::pending().await
    }
}
