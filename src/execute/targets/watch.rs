//! Watches the servers: each is asked four times a second on a connection of its own, at once where a request has failed
//! there, and as fast as it answers while reads wait for it. So a server that is away, behind or promoted is left out
//! within a second, and taken back by itself.

use super::{Shared, replica, replica::Replica};
use crate::execute::heartbeat::{Ask, Heard, Heartbeat, Question, Whom};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    select,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// How often a server is asked …
const EVERY: Duration = Duration::from_millis(250);
/// … while reads wait for it …
const WANTED: Duration = Duration::from_millis(1);
/// … and however often requests fail there.
const IN_DOUBT: Duration = Duration::from_millis(50);

/// A server that has not answered within this is left out.
const SILENT: Duration = Duration::from_millis(600);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Tells the primary's timeline, and how far its log is flushed and written. A server that is not the primary tells
/// nothing.
pub(super) const OF_PRIMARY: Question = Question {
    sql: "SELECT pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8), \
        pg_catalog.pg_current_wal_flush_lsn(), pg_catalog.pg_current_wal_insert_lsn() \
        WHERE NOT pg_catalog.pg_is_in_recovery()",
    of: Whom::Primary,
};

const OF_REPLICA: Question = Question { sql: replica::QUESTION, of: Whom::Reached };

/// Whoever watches the servers. Dropping it ends that.
#[derive(Debug)]
pub struct Watch(#[allow(dead_code, reason = "it is held")] JoinSet<()>);

impl Watch {
    pub(super) fn start(shared: &Arc<Shared>, primary: Heartbeat) -> Self {
        let mut tasks = JoinSet::new();
        if !shared.replicas.is_empty() {
            tasks.spawn(watch_primary(Arc::clone(shared), primary));
        }
        for at in 0..shared.replicas.len() {
            tasks.spawn(watch_replica(Arc::clone(shared), at));
        }
        Self(tasks)
    }
}

/// Why a server that does not answer is left out.
const SAYS_NOTHING: &str = "it does not answer";

/// Asks a server and waits for its answer. Calls `silent` once if the answer takes longer than [`SILENT`].
async fn hear(heartbeat: &mut Heartbeat, ask: Ask, silent: impl FnOnce()) -> Heard {
    let mut beat = pin!(heartbeat.beat(ask, ANSWER));
    select! {
        heard = &mut beat => heard,
        () = sleep(SILENT) => {
            silent();
            beat.await
        }
    }
}

async fn watch_primary(shared: Arc<Shared>, mut heartbeat: Heartbeat) {
    let mut ask = Ask::AsBefore;
    loop {
        let asked = Instant::now();
        let silent = || shared.primary_is_away(SAYS_NOTHING.to_owned());
        let heard = hear(&mut heartbeat, ask, silent).await;
        let seen = match heard {
            // The pool hears of revivals from its own heartbeat.
            Heard::Answer(answer) | Heard::Revival(_, answer) => shared.primary_answered(asked, &answer),
            Heard::Nothing(error) => {
                shared.primary_is_away(error.to_string());
                None
            }
        };
        // Where it is not the primary any more, another connection may lead to the one that is.
        ask = if seen.is_some() { Ask::AsBefore } else { Ask::Anew };
        sleep_until(asked + EVERY).await;
    }
}

async fn watch_replica(shared: Arc<Shared>, at: usize) {
    let Some(replica) = shared.replicas.get(at) else { return };
    let mut heartbeat = replica.pool.asking(OF_REPLICA);
    let mut ask = Ask::AsBefore;
    loop {
        let asked = Instant::now();
        let silent = || {
            replica.is_away(SAYS_NOTHING.to_owned());
            shared.tell();
        };
        let heard = hear(&mut heartbeat, ask, silent).await;
        match heard {
            Heard::Answer(answer) => shared.replica_answered(replica, &answer),
            Heard::Revival(revival, answer) => {
                replica.pool.revive(revival);
                shared.replica_answered(replica, &answer);
            }
            Heard::Nothing(error) => replica.is_away(error.to_string()),
        }
        shared.tell();
        ask = next(&shared, replica, asked).await;
    }
}

/// Waits until a replica is to be asked again, and says how.
async fn next(shared: &Shared, replica: &Replica, asked: Instant) -> Ask {
    select! {
        () = sleep_until(asked + EVERY) => Ask::AsBefore,
        () = replica.wanted.notified() => {
            sleep_until(asked + WANTED).await;
            Ask::AsBefore
        }
        () = replica.pool.doubted() => {
            replica.is_away("a request has failed there".to_owned());
            shared.tell();
            sleep_until(asked + IN_DOUBT).await;
            Ask::Anew
        }
    }
}
