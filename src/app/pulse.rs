//! Whether the database answers, for those who check health. A connection that listens hears the database go, so it is
//! asked only where none does: each second, and four times a second while it is away, so that health recovers when
//! requests do. Requests are not in the way: who asks has a connection beside theirs. It loads nothing.

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
        loop {
            let last = ask(&loader).await;
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

/// Whether there is something to serve, and a database that answers.
async fn ask(loader: &Loader) -> Database {
    match loader.services().is_some() && loader.pool().is_answered(ANSWER).await {
        true => Database::Present,
        false => Database::Away,
    }
}
