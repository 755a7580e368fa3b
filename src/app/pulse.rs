//! Whether the database answers, for those who check health. A connection that listens hears the database go, so it is
//! asked only where none does: each second, and four times a second while it is away, so that health recovers when
//! requests do. It loads nothing.

use super::loader::Loader;
use crate::grpc::health::Database;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// How often it is asked while it answers …
const PRESENT: Duration = Duration::from_secs(1);
/// … and while it does not.
const AWAY: Duration = Duration::from_millis(250);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Whether a connection listens, which would hear the database go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ear {
    Listening,
    Deaf,
}

/// Starts to follow the database. It ends with the sender.
pub(super) fn follow(loader: Arc<Loader>) -> watch::Sender<Ear> {
    let (sender, mut ear) = watch::channel(Ear::Deaf);
    tokio::spawn(async move {
        let mut last = Database::Away;
        loop {
            last = ask(&loader, last).await;
            loader.tell_health(last);
            let pause = match (*ear.borrow_and_update(), last) {
                (Ear::Listening, Database::Present) => Duration::MAX,
                (Ear::Deaf, Database::Present) => PRESENT,
                (Ear::Listening | Ear::Deaf, Database::Away) => AWAY,
            };
            // That somebody listens again, or no longer, is a reason to ask at once.
            if let Ok(Err(_)) = timeout(pause, ear.changed()).await {
                return;
            }
        }
    });
    sender
}

/// Whether requests are answered. A connection of the pool can break or be waited for in vain while the database is
/// there: only where no new one can be made is it away.
async fn ask(loader: &Loader, last: Database) -> Database {
    let Some(services) = loader.services() else { return Database::Away };
    let in_the_pool = match last {
        Database::Present => services.engine.is_answered(ANSWER).await,
        Database::Away => false,
    };
    let answers = in_the_pool || matches!(timeout(ANSWER, loader.pool().connect_one()).await, Ok(Ok(_)));
    if answers { Database::Present } else { Database::Away }
}
