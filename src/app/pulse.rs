//! Whether the database answers, for those who check health. It is asked each second, at once where a request has failed for
//! want of it, and four times a second while it is away, so that health recovers when requests do. Requests are not in the
//! way: who asks has a connection beside theirs. Where replicas serve reads, the database is not away although its primary
//! is. It loads nothing.

use super::loader::Loader;
use crate::execute::{Ask, Heard};
use std::{sync::Arc, time::Duration};
use tokio::{
    select,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

/// How often it is asked while it answers …
const PRESENT: Duration = Duration::from_secs(1);
/// … however often requests fail …
const IN_DOUBT: Duration = Duration::from_millis(100);
/// … and while it does not.
const AWAY: Duration = Duration::from_millis(250);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Whoever follows the database. Dropping it ends that.
#[derive(Debug)]
pub(super) struct Pulse(JoinHandle<()>);

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts to follow the database.
pub(super) fn follow(loader: Arc<Loader>) -> Pulse {
    Pulse(tokio::spawn(async move {
        let mut heartbeat = loader.pool().heartbeat();
        let mut ask = Ask::AsBefore;
        loop {
            let asked = Instant::now();
            ask = match heartbeat.beat(ask, ANSWER).await {
                Heard::Answer(_) => {
                    loader.database_answers();
                    next(&loader, asked).await
                }
                Heard::Revival(revival, _) => {
                    tracing::info!("The database answers again");
                    loader.pool().revive(revival);
                    loader.database_answers();
                    next(&loader, asked).await
                }
                Heard::Nothing(error) => {
                    match loader.targets().serve_reads() {
                        true => loader.primary_is_away(&error),
                        false => loader.database_is_away(&error),
                    }
                    sleep(AWAY).await;
                    Ask::AsBefore
                }
            };
        }
    }))
}

/// Waits until the database is to be asked again, and says how.
async fn next(loader: &Loader, asked: Instant) -> Ask {
    sleep_until(asked + IN_DOUBT).await;
    select! {
        () = sleep_until(asked + PRESENT) => Ask::AsBefore,
        () = loader.pool().doubted() => Ask::Anew,
    }
}
