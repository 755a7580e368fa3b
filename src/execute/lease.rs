//! A connection while a unit runs on it, and what becomes of it when the unit
//! is dropped half-way: the query is cancelled, and nobody gets the connection
//! before it is quiet. This is why a dropped request cannot leave a transaction
//! open, nor its cancel hit another's query.

use super::{
    Report, Unit,
    connect::Connector,
    error,
    pool::Manager,
    unit::{Conversation, Failure, Transaction},
};
use crate::{error::Result, outcome::Sink};
use bytes::Bytes;
use deadpool::managed::Object;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{runtime::Handle, time::Instant};
use tokio_postgres::CancelToken;

/// How long a connection may take to become quiet when its unit has gone. Then
/// it is closed as it is.
const QUIET_WITHIN: Duration = Duration::from_secs(30);

/// A cancel that comes between two statements of the unit stops neither. After
/// so long, and twice as long each time, it is sent again.
const CANCEL_AGAIN_AFTER: Duration = Duration::from_millis(20);
const CANCEL_AGAIN_AFTER_AT_MOST: Duration = Duration::from_secs(2);

/// What a connection has sent keeps its room twice over, in the driver's buffers, for as long
/// as it lives. One that has sent more bytes than this is not kept.
const MOST_SENT: usize = 4 << 20;

type Connection = Object<Manager>;

/// A connection on loan.
pub(super) struct Lease {
    /// There until it is given back.
    connection: Option<Connection>,
    connector: Arc<Connector>,
    state: State,
}

/// What the connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: it can serve somebody else.
    Quiet,
    /// Something was sent, and not everything is answered.
    Busy,
    /// Nothing, and it has grown too large to be kept.
    Grown,
}

impl Lease {
    pub(super) fn new(connection: Connection, connector: Arc<Connector>) -> Self {
        Self { connection: Some(connection), connector, state: State::Quiet }
    }

    /// Runs a unit and gives the connection back.
    pub(super) async fn run(
        mut self,
        unit: &Unit,
        deadline: Option<Instant>,
        sink: &mut impl Sink,
    ) -> Result<Report> {
        let outcome = match self.attempt(unit, deadline, sink).await? {
            // The first attempt forgot what was prepared: there is no third.
            Err(failure) if failure.transaction == Transaction::Outdated => {
                self.attempt(unit, deadline, sink).await?
            }
            outcome => outcome,
        };
        let sent: usize = unit.statement.fragment.parameters().iter().flatten().map(Bytes::len).sum();
        if self.state == State::Quiet && sent > MOST_SENT {
            self.state = State::Grown;
        }
        outcome.map_err(|failure| match deadline {
            // PostgreSQL was faster, by `statement_timeout`.
            Some(deadline) if deadline <= Instant::now() && error::is_cancelled(&failure.error) => {
                error::deadline_exceeded()
            }
            Some(_) | None => failure.error,
        })
    }

    /// Runs a unit. Fails itself where the deadline passes.
    async fn attempt(
        &mut self,
        unit: &Unit,
        deadline: Option<Instant>,
        sink: &mut impl Sink,
    ) -> Result<std::result::Result<Report, Failure>> {
        let Some(session) = &mut self.connection else { return Err(error::internal(&"no connection")) };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // From here on, dropping this cancels.
        self.state = State::Busy;
        let conversation = pin!(session.hold(async |client, statements| {
            Conversation::new(client, statements, unit).run(left, sink).await
        }));
        let outcome = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, conversation)
                .await
                .map_err(|_| error::deadline_exceeded())?,
            None => conversation.await,
        };
        self.state = match outcome.as_ref().map_err(|failure| failure.transaction) {
            Ok(_) | Err(Transaction::Ended | Transaction::Outdated) => State::Quiet,
            Err(Transaction::Open) => State::Busy,
        };
        Ok(outcome)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match (self.state, Handle::try_current()) {
            (State::Quiet, Ok(runtime)) if connection.is_open() && !connection.is_settled() => {
                runtime.spawn(settle(connection));
            }
            (State::Quiet, _) if connection.is_open() => drop(connection),
            (State::Busy, Ok(runtime)) if connection.is_open() => {
                runtime.spawn(cancel(connection, Arc::clone(&self.connector)));
            }
            // Of no use, or with nobody left who could wait for it.
            (State::Quiet | State::Busy | State::Grown, _) => drop(Object::take(connection)),
        }
    }
}

/// Lets PostgreSQL finish describing new statements before anybody else gets
/// the connection. No unit's report waits for it.
async fn settle(mut connection: Connection) {
    let settled = connection.hold(async |_, statements| statements.settle().await);
    if tokio::time::timeout(QUIET_WITHIN, settled).await.is_err() {
        drop(Object::take(connection));
    }
}

/// Stops what runs on the connection and waits until it has stopped. As long as
/// that takes, it counts among the pool's, which bounds what PostgreSQL does.
///
/// The connection is closed then: a cancel that came too late for this unit
/// could hit the next one.
async fn cancel(mut connection: Connection, connector: Arc<Connector>) {
    let token = connection.client().cancel_token();
    let quiet = connection.hold(async |client, _| client.batch_execute("ROLLBACK").await);
    tokio::select! {
        // If that fails, closing is all that can be done, too.
        _ = quiet => {}
        () = ask_to_stop(&token, &connector) => {}
        () = tokio::time::sleep(QUIET_WITHIN) => {}
    }
    drop(Object::take(connection));
}

/// Asks again and again, and never ends by itself. The connection runs nothing
/// else, so none of it can hit the wrong query.
async fn ask_to_stop(token: &CancelToken, connector: &Connector) {
    let mut pause = CANCEL_AGAIN_AFTER;
    loop {
        // It may not have been heard: the next one may.
        let _ = connector.cancel(token).await;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(CANCEL_AGAIN_AFTER_AT_MOST);
    }
}
