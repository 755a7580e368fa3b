//! A connection while a unit runs on it, and what becomes of it when the unit
//! is dropped half-way: the query is cancelled, and nobody gets the connection
//! before it is quiet. This is why a dropped request cannot leave a transaction
//! open, nor its cancel hit another's query. It also decides when a unit runs a
//! second time: once, without prepared statements, where one of those may be to
//! blame.

use super::{
    call::Doubt,
    connect::{Cancel, Connector},
    error,
    fixed::Start,
    pool::Manager,
    revival::{Presence, revived},
    session::{Peer, Session},
    turns::Turn,
    unit::{Connection as Left, Failure, Naming},
    work::Work,
};
use crate::{
    error::{Error, Origin, Result},
    sql::Hashed,
};
use deadpool::managed::Object;
use std::{
    ops::{Deref, DerefMut},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Handle, time::Instant};

/// How long a connection may take to become quiet when its unit has gone. Then
/// it is closed as it is.
const QUIET_WITHIN: Duration = Duration::from_secs(30);

/// How long a connection may take to be put back.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// The same as [`QUIET_WITHIN`] where nobody has heard the cancel, or where PostgreSQL has been silent since the connection was made: it may
/// never become quiet.
const QUIET_SOON: Duration = Duration::from_secs(1);

/// How long a unit that PostgreSQL seems not to work on is waited for: its answer may be on the way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A cancel that comes between two statements of the unit stops neither. After
/// so long, and twice as long each time, it is sent again.
const CANCEL_AGAIN_AFTER: Duration = Duration::from_millis(20);
const CANCEL_AGAIN_AFTER_AT_MOST: Duration = Duration::from_secs(2);

/// A connection and the turn that it takes: the next one has it when the connection is back.
struct Connection {
    // In this order they are dropped.
    object: Object<Manager>,
    _turn: Turn,
}

impl Connection {
    /// Closes it.
    fn discard(self) {
        drop(Object::take(self.object));
    }
}

impl Deref for Connection {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.object
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.object
    }
}

/// A connection on loan.
pub(super) struct Lease {
    /// There until it is given back.
    connection: Option<Connection>,
    connector: Arc<Connector>,
    state: State,
    /// Held for as long as something runs.
    presence: Presence,
}

/// What the connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing: it can be settled, and serve somebody else.
    Quiet,
    /// Something was sent, and not everything is answered.
    Busy,
    /// Nothing, and never again.
    Broken,
}

impl Lease {
    pub(super) fn new(
        connection: Object<Manager>,
        turn: Turn,
        connector: Arc<Connector>,
        presence: Presence,
    ) -> Self {
        let connection = Connection { object: connection, _turn: turn };
        Self { connection: Some(connection), connector, state: State::Quiet, presence }
    }

    /// Runs what is to run, and gives the connection back.
    pub(super) async fn run<W: Work>(mut self, work: &mut W, deadline: Option<Instant>) -> Result<W::Report> {
        let mut outcome = self.attempt(work, deadline, Naming::Allowed).await?;
        if let Err(Failure { doubt: Some(Doubt::Isolation), .. }) = &outcome {
            self.session()?.start = Start::Explicit;
            self.settle().await?;
            outcome = self.attempt(work, deadline, Naming::Allowed).await?;
        }
        if let Err(Failure { doubt: Some(doubt), error, .. }) = outcome {
            self.learn(&doubt)?;
            self.settle().await?;
            work.restart(&doubt)?;
            outcome = self.attempt(work, deadline, Naming::Forbidden).await?;
            self.conclude(doubt, &error, outcome.as_ref().err());
        }
        outcome.map_err(|failure| match deadline {
            // PostgreSQL was faster, by `statement_timeout`.
            Some(deadline) if deadline <= Instant::now() && error::is_cancelled(&failure.error) => {
                error::deadline_exceeded()
            }
            Some(_) | None => failure.error,
        })
    }

    /// Runs it once. Fails itself where the deadline passes.
    async fn attempt<W: Work>(
        &mut self,
        work: &mut W,
        deadline: Option<Instant>,
        naming: Naming,
    ) -> Result<std::result::Result<W::Report, Failure>> {
        // From here on, dropping this cancels.
        self.state = State::Busy;
        let session = self.connection.as_mut().ok_or_else(no_connection)?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let (process, presence) = (session.process(), &mut self.presence);
        let conversation = pin!(work.run(session, naming, left));
        let conversation = async {
            tokio::select! {
                // Most end before anybody looks at the other branch.
                biased;
                outcome = conversation => Ok(outcome),
                () = lost(presence, process) => Err(error::lost()),
            }
        };
        let outcome = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, conversation)
                .await
                .map_err(|_| error::deadline_exceeded())?,
            None => conversation.await,
        }?;
        self.state = match outcome.as_ref().map_err(|failure| failure.connection) {
            Ok(_) | Err(Left::Usable) => State::Quiet,
            Err(Left::Broken) => State::Broken,
            Err(Left::Busy) => State::Busy,
        };
        Ok(outcome)
    }

    /// What a failure says of the connection's statements, or of all of the pool's.
    fn learn(&mut self, doubt: &Doubt) -> Result<()> {
        let session = self.session()?;
        match (doubt, session.peer()) {
            (Doubt::Outdated { .. } | Doubt::Isolation, _) => {}
            (Doubt::Deallocated, Peer::PostgreSql) => {
                session.forget_names();
                session.preparing.deallocated();
            }
            // A function may deallocate what it likes.
            (Doubt::Missing, Peer::PostgreSql) => session.forget_names(),
            (Doubt::Missing | Doubt::Deallocated, Peer::Pooler) | (Doubt::Misnamed, _) => {
                session.forget_names();
                session.preparing.stop("the sessions of PostgreSQL change below the connections");
            }
        }
        Ok(())
    }

    fn session(&mut self) -> Result<&mut Connection> {
        self.connection.as_mut().ok_or_else(no_connection)
    }

    async fn settle(&mut self) -> Result<()> {
        self.state = State::Busy;
        let settled = self.session()?.settle().await;
        self.state = if settled.is_ok() { State::Quiet } else { State::Broken };
        settled.map_err(|problem| error::reported(&problem))
    }

    /// A statement is forgotten unless it fails in the same way without a name, as one with a bad value does.
    fn conclude(&mut self, doubt: Doubt, first: &Error, again: Option<&Failure>) {
        let is_same = again.is_some_and(|again| sqlstate(&again.error) == sqlstate(first));
        if let (Doubt::Outdated { role, sql }, false, Ok(session)) = (doubt, is_same, self.session()) {
            session.statements.forget(&role, Hashed::from(sql.as_str()));
        }
    }
}

fn no_connection() -> Box<Error> {
    error::internal(&"no connection")
}

fn sqlstate(error: &Error) -> Option<&str> {
    match &error.origin {
        Origin::PostgreSql(report) => Some(&report.sqlstate),
        Origin::Pgduet(_) => None,
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match (self.state, Handle::try_current()) {
            (State::Quiet, _) if connection.is_settled() => connection.rest(),
            (State::Quiet, Ok(runtime)) => {
                runtime.spawn(settle(connection));
            }
            (State::Busy, Ok(runtime)) => {
                runtime.spawn(cancel(connection, Arc::clone(&self.connector), self.presence.clone()));
            }
            // Of no use, or with nobody left who could wait for it.
            (State::Quiet | State::Busy | State::Broken, _) => connection.discard(),
        }
    }
}

/// Makes the connection what the next unit may have. No report waits for it.
async fn settle(mut connection: Connection) {
    match tokio::time::timeout(SETTLED_WITHIN, connection.settle()).await {
        Ok(Ok(())) if connection.is_of_use() => connection.rest(),
        Ok(Ok(()) | Err(_)) | Err(_) => connection.discard(),
    }
}

/// Returns when nothing can be expected of this process any more: PostgreSQL, which answers again, does not work on what
/// was asked of it.
async fn lost(presence: &mut Presence, process: Option<i32>) {
    loop {
        let revival = revived(presence).await;
        if let (Some(at_work), Some(process)) = (revival.at_work, process)
            && !at_work.contains(&process)
        {
            return tokio::time::sleep(LAST_WORDS).await;
        }
    }
}

/// Stops what runs on the connection and waits until it has stopped. As long as
/// that takes, it counts among the pool's, which bounds what PostgreSQL does.
/// Where nobody hears, it is closed soon, and the cancel goes on being sent.
///
/// The connection is closed then: a cancel that came too late for this unit
/// could hit the next one.
async fn cancel(mut connection: Connection, connector: Arc<Connector>, presence: Presence) {
    let target = connection.cancel().clone();
    let (pool, generation) = (Object::pool(&connection.object), connection.generation);
    let is_current = || pool.as_ref().is_some_and(|pool| pool.manager().generation() == generation);
    let heard = AtomicBool::new(false);
    let silent = async {
        loop {
            tokio::time::sleep(QUIET_SOON).await;
            if !heard.load(Ordering::Relaxed) || !is_current() {
                return;
            }
        }
    };
    tokio::select! {
        // If that fails, closing is all that can be done, too.
        _ = connection.listen_to_the_end() => heard.store(true, Ordering::Relaxed),
        () = ask_to_stop(&target, &connector, &heard) => {}
        () = silent => {}
        () = tokio::time::sleep(QUIET_WITHIN) => {}
    }
    connection.discard();
    if !heard.load(Ordering::Relaxed) {
        let heard_at_last = async { while connector.cancel(&target).await.is_err() {} };
        // It is PostgreSQL that decides what becomes of the query then.
        let _ = tokio::time::timeout(QUIET_WITHIN, heard_at_last).await;
    }
    drop(presence);
}

/// Asks again and again, and never ends by itself. The connection runs nothing
/// else, so none of it can hit the wrong query.
async fn ask_to_stop(target: &Cancel, connector: &Connector, heard: &AtomicBool) {
    let mut pause = CANCEL_AGAIN_AFTER;
    loop {
        // That it was heard does not say that anything has stopped: the next one may do that.
        if connector.cancel(target).await.is_ok() {
            heard.store(true, Ordering::Relaxed);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(CANCEL_AGAIN_AFTER_AT_MOST);
    }
}
