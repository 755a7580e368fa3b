//! The pool: connections that serve one unit at a time. What leaves it is a
//! report; a client, a transaction or a connection never does. Who reads the
//! catalog or listens has a connection of another kind, and none of these.

use super::{
    Report, Series, Unit,
    connect::{Client, Clients, Connection as Polled, Connector, Driven},
    error,
    heartbeat::{Heartbeat, Question},
    lease::Lease,
    options::Options,
    revival::{Presences, Revival, Revivals, revived},
    session::Session,
    side::{Lent, Side},
    statement_cache::{Code, CodeOfAuthors, Preparation, Preparing},
    turns::Turns,
    wire,
    work::{Alone, Together, Work},
};
use crate::{
    config::Connection,
    error::{Caller, Error, Result, classify},
    metrics::Meters,
    notes::{self, Stage},
    outcome::{Pace, Sink},
    position::Position,
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use deadpool::{
    Runtime,
    managed::{self, Metrics, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType},
};
use futures_util::poll;
use std::{
    num::NonZeroUsize,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::Instant,
};

/// Where PostgreSQL had no further connection to give, it is not asked for one within this.
const FULL_FOR: Duration = Duration::from_secs(1);

/// How soon a unit looks again whether one of the connections is free, where PostgreSQL has no more to give.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What the pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Connections there can be.
    pub max: usize,
    /// Connections that could serve a unit now, or could be made.
    pub available: usize,
    /// Units that wait for a connection.
    pub waiting: usize,
    /// Units that waited too long, since the start.
    pub timeouts: u64,
    /// Connections that serve a unit, or that become what the next unit may have.
    pub busy: usize,
    /// Connections that are open and serve none.
    pub idle: usize,
}

/// A pool of connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: managed::Pool<Manager>,
    /// A turn for each connection.
    turns: Turns,
    side: Side,
    /// How many units may wait for clients: half of the connections. A pool of one has none to spare.
    streams: Option<Arc<Semaphore>>,
    acquisition_timeout: Duration,
    timeouts: Arc<AtomicU64>,
    meters: Arc<Meters>,
    /// Whatever runs in PostgreSQL has a receiver.
    presences: Arc<Presences>,
    /// A unit has failed for want of a database.
    doubt: Arc<Notify>,
}

impl Pool {
    /// A pool for this database, which counts in `meters`. Connects when the first unit comes; fails
    /// where certificates cannot be read.
    pub fn new(target: &Connection, options: Options, meters: Arc<Meters>) -> Result<Self> {
        let connector = Arc::new(Connector::new(target, options.acquisition_timeout)?);
        let side = Side::new(&connector, &options)?;
        let presences = Arc::<Presences>::default();
        let code = Arc::<CodeOfAuthors>::default();
        let manager = Manager {
            connector,
            options,
            preparing: ArcSwap::from_pointee(Preparing::new(
                options.preparation,
                Arc::clone(&code),
                Arc::clone(&meters),
            )),
            code,
            generation: AtomicU64::new(0),
            presences: presences.clone(),
            full_until: Mutex::default(),
        };
        let connections = managed::Pool::builder(manager)
            .max_size(options.size.get())
            .wait_timeout(Some(options.acquisition_timeout))
            // A server that does not answer is waited for no longer than one that is busy.
            .create_timeout(Some(options.acquisition_timeout))
            // The one that was used last has the warmest caches, and the others can grow old.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|problem| error::internal(&problem))?;
        let streams = NonZeroUsize::new(options.size.get() / 2);
        let streams = streams.map(|streams| Arc::new(Semaphore::new(streams.get())));
        let acquisition_timeout = options.acquisition_timeout;
        Ok(Self {
            connections,
            turns: Turns::new(options.size.get()),
            side,
            streams,
            acquisition_timeout,
            timeouts: Arc::default(),
            meters,
            presences,
            doubt: Arc::default(),
        })
    }

    /// Runs a unit and hands its rows to `sink` as they come. The report comes
    /// when the transaction has ended; what went into the sink of a unit that
    /// failed is worth nothing. A failure that is not the client's is logged.
    ///
    /// Dropping the future cancels the unit, whose transaction is undone unless
    /// it had ended.
    pub async fn run<S: Sink>(&self, unit: &Unit<'_>, sink: &mut S) -> Result<Report> {
        let mut work = Alone { unit, sink };
        self.attempt(&mut work, S::PACE, unit.deadline).await.inspect_err(|error| self.tell(error))
    }

    /// The same for a unit that may run elsewhere if it fails here: no failure is logged.
    pub(super) async fn try_run<S: Sink>(&self, unit: &Unit<'_>, sink: &mut S) -> Result<Report> {
        let mut work = Alone { unit, sink };
        let attempt = self.attempt(&mut work, S::PACE, unit.deadline).await;
        attempt.inspect_err(|error| self.doubt(error))
    }

    /// Runs several units as one transaction, and gives the position behind its commit where that is told. It has ended when
    /// this returns, and where that is an error nothing of it has happened. As for one unit, dropping the future undoes it.
    pub async fn run_series<S: Series>(
        &self,
        series: &mut S,
        deadline: Option<Duration>,
    ) -> Result<Option<Position>> {
        let mut work = Together(series);
        self.attempt(&mut work, S::Sink::PACE, deadline).await.inspect_err(|error| self.tell(error))
    }

    async fn attempt<W: Work>(
        &self,
        work: &mut W,
        pace: Pace,
        deadline: Option<Duration>,
    ) -> Result<W::Report> {
        let began = Instant::now();
        let deadline = deadline.map(|left| began + left);
        let (leased, has_it) = {
            let mut leased = pin!(self.leased(pace, work.role(), began));
            match (poll!(&mut leased), deadline) {
                // Most find a connection at once: no clock is read for them.
                (Poll::Ready(leased), _) => (leased, began),
                (Poll::Pending, Some(deadline)) => {
                    let leased = tokio::time::timeout_at(deadline, leased).await;
                    (leased.unwrap_or_else(|_| Err(error::deadline_exceeded())), Instant::now())
                }
                (Poll::Pending, None) => (leased.await, Instant::now()),
            }
        };
        let waited = has_it.saturating_duration_since(began);
        self.meters.wait.observe(waited);
        let (lease, _permit) = leased?;
        let limit = self.connections.manager().options.query_timeout.map(|limit| has_it + limit);
        let ends = deadline.into_iter().chain(limit).min();
        let outcome = lease.run(work, ends).await;
        let worked = has_it.elapsed();
        self.meters.database.observe(worked);
        if notes::are_taken() {
            notes::took_from(Stage::Wait, began.into_std(), waited);
            notes::took_from(Stage::Database, has_it.into_std(), worked);
            notes::note(|notes| {
                work.note(outcome.as_ref().ok(), notes);
                notes.database_error = outcome.as_ref().err().map(|error| error.cause_code().to_owned());
            });
        }
        outcome
    }

    /// A connection, and what it takes to have it.
    async fn leased(
        &self,
        pace: Pace,
        role: &str,
        began: Instant,
    ) -> Result<(Lease, Option<SemaphorePermit<'_>>)> {
        let permit = self.permit(pace).await?;
        let from = match pace {
            Pace::Database => began,
            // The permit may have been waited for.
            Pace::Client => Instant::now(),
        };
        Ok((self.lease(role, from + self.acquisition_timeout).await?, permit))
    }

    /// Clients that do not read what they asked for hold some connections, and never all.
    async fn permit(&self, pace: Pace) -> Result<Option<SemaphorePermit<'_>>> {
        match (pace, &self.streams) {
            (Pace::Database, _) => Ok(None),
            (Pace::Client, None) => Err(error::streams_impossible()),
            (Pace::Client, Some(streams)) => {
                match tokio::time::timeout(self.acquisition_timeout, streams.acquire()).await {
                    Ok(Ok(permit)) => Ok(Some(permit)),
                    Ok(Err(closed)) => Err(error::internal(&closed)),
                    Err(_) => Err(error::streams_busy()),
                }
            }
        }
    }

    /// Logs a failure that is not the client's.
    pub(super) fn tell(&self, error: &Error) {
        if classify(error, Caller::Authenticated).http < 500 {
            return;
        }
        self.doubt(error);
        tracing::error!("{error}");
    }

    /// A failure may say that PostgreSQL is away.
    fn doubt(&self, failure: &Error) {
        if error::is_for_want_of_database(failure) {
            self.doubt.notify_one();
        }
    }

    /// A connection for what is not a request, which waits for none. An error that
    /// PostgreSQL reports keeps its SQLSTATE, so that a wrong password can be
    /// told from a server that is down.
    pub async fn lend(&self) -> Result<Lent> {
        self.side.lend(self.presences.subscribe()).await
    }

    /// Returns when nothing runs in PostgreSQL any more, what was dropped included. For the end of the process: what it
    /// leaves behind would run on there.
    pub async fn is_quiet(&self) {
        self.presences.closed().await;
    }

    /// Asks whether PostgreSQL answers, whatever requests do.
    pub fn heartbeat(&self) -> Heartbeat {
        self.asking(Question::NOTHING)
    }

    /// Asks this again and again.
    pub(super) fn asking(&self, question: Question) -> Heartbeat {
        Heartbeat::new(self.connections.manager().connector.clone(), question)
    }

    /// Returns when a unit has failed for want of a database since the last time.
    pub async fn doubted(&self) {
        self.doubt.notified().await;
    }

    /// PostgreSQL answers again, on new connections. Those from before are not used again, what waits for a new one begins
    /// anew, and units that PostgreSQL does not work on are given up.
    pub fn revive(&self, revival: Revival) {
        self.forget();
        self.presences.send_replace(revival);
    }

    /// Tells each time that [`Pool::revive`] is called.
    pub fn revivals(&self) -> Revivals {
        Revivals(self.presences.subscribe())
    }

    /// Somebody else has lost a connection: PostgreSQL may be away.
    pub fn suspect(&self) {
        self.doubt.notify_one();
    }

    /// A connection to the primary that nothing else uses, which somebody has to poll: of several hosts it is the one that
    /// can be written to, whichever of them units may run on. Only there can be listened.
    pub async fn connect_to_primary(&self) -> Result<(Client, Polled)> {
        let connector = &self.connections.manager().connector;
        let connected = connector.connect_to_primary(&Clients).await;
        let (Driven { client, connection }, _) = connected.map_err(|problem| error::reported(&problem))?;
        Ok((client, connection))
    }

    /// Says what code of the database's authors may do to prepared statements, from the next unit on.
    pub fn expect(&self, code: Code) {
        self.connections.manager().code.expect(code);
    }

    /// Replaces all connections: those in use when their unit has ended. The new ones prepare statements like this.
    pub fn renew(&self, preparation: Preparation) {
        let manager = self.connections.manager();
        // What the old one has learnt of poolers still holds.
        if manager.preparing.load().preparation() != preparation {
            let preparing = Preparing::new(preparation, Arc::clone(&manager.code), Arc::clone(&self.meters));
            manager.preparing.store(Arc::new(preparing));
        }
        self.forget();
    }

    /// Connections of now are not used again.
    fn forget(&self) {
        self.connections.manager().generation.fetch_add(1, Ordering::Release);
        self.close_idle();
        self.side.flush();
    }

    /// Closes connections that were unused for too long. For whoever looks
    /// after things from time to time; a unit never gets one of them anyway.
    pub fn close_idle(&self) {
        let manager = self.connections.manager();
        self.connections.retain(|session, metrics| manager.is_usable(session, &metrics));
        self.side.close_idle();
    }

    /// Where it counts, and whoever asks it.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// What the pool is doing.
    pub fn status(&self) -> Status {
        let status = self.connections.status();
        Status {
            max: status.max_size,
            available: status.available + status.max_size.saturating_sub(status.size),
            waiting: self.turns.waiting(),
            timeouts: self.timeouts.load(Ordering::Relaxed),
            busy: status.size.saturating_sub(status.available),
            idle: status.available,
        }
    }

    /// Leases a connection. Where PostgreSQL refuses to open another one because it is full, this waits until one of the
    /// pool's connections is given back.
    async fn lease(&self, role: &str, until: Instant) -> Result<Lease> {
        let turn = match self.turns.try_take() {
            Some(turn) => turn,
            None => {
                let role = Bytes::copy_from_slice(role.as_bytes());
                let waited = tokio::time::timeout_at(until, self.turns.wait(&role)).await;
                let turn = waited.map_err(|_| {
                    self.timeouts.fetch_add(1, Ordering::Relaxed);
                    error::pool_timeout()
                })?;
                turn.ok_or_else(|| error::internal(&"the turns are gone"))?
            }
        };
        loop {
            match self.connections.get().await {
                Ok(connection) => {
                    let connector = Arc::clone(&self.connections.manager().connector);
                    return Ok(Lease::new(connection, turn, connector, self.presences.subscribe()));
                }
                Err(PoolError::Backend(problem))
                    if problem.is_full() && self.connections.status().size > 0 =>
                {
                    if tokio::time::timeout_at(until, self.looks_free()).await.is_err() {
                        self.timeouts.fetch_add(1, Ordering::Relaxed);
                        return Err(error::pool_timeout());
                    }
                }
                Err(PoolError::Backend(problem)) => return Err(error::unreachable(&problem)),
                Err(PoolError::Timeout(TimeoutType::Wait)) => {
                    self.timeouts.fetch_add(1, Ordering::Relaxed);
                    return Err(error::pool_timeout());
                }
                Err(PoolError::Timeout(TimeoutType::Create)) => {
                    self.timeouts.fetch_add(1, Ordering::Relaxed);
                    self.doubt.notify_one();
                    return Err(error::pool_timeout());
                }
                Err(
                    problem @ (PoolError::Timeout(TimeoutType::Recycle)
                    | PoolError::Closed
                    | PoolError::NoRuntimeSpecified
                    | PoolError::PostCreateHook(_)),
                ) => return Err(error::internal(&problem)),
            }
        }
    }

    /// Returns when a connection is free, or PostgreSQL may have one to give again.
    async fn looks_free(&self) {
        let full_until = self.connections.manager().full_until();
        while self.connections.status().available == 0 && full_until.is_some_and(|end| Instant::now() < end) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// What PostgreSQL would say again.
fn no_further() -> wire::Error {
    wire::Error::Server(Box::new(wire::ServerError {
        sqlstate: "53300".to_owned(),
        message: "PostgreSQL has no further connection to give".to_owned(),
        ..wire::ServerError::default()
    }))
}

/// Makes connections, and says which can still be used.
#[derive(Debug)]
pub(super) struct Manager {
    connector: Arc<Connector>,
    options: Options,
    preparing: ArcSwap<Preparing>,
    code: Arc<CodeOfAuthors>,
    /// Connections of an earlier one are not used again.
    generation: AtomicU64,
    presences: Arc<Presences>,
    /// Until then PostgreSQL is not asked for a further connection, as it had none to give.
    full_until: Mutex<Option<Instant>>,
}

impl Manager {
    /// Until when there is no further connection, if that has been found out.
    fn full_until(&self) -> Option<Instant> {
        *self.full_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The generation of the connections that are made now.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    fn is_usable(&self, session: &Session, metrics: &Metrics) -> bool {
        session.generation == self.generation()
            && metrics.age() < self.options.max_lifetime
            && session.idle() < self.options.max_idle
    }
}

impl managed::Manager for Manager {
    // Boxed: a session is handed on several times in each unit.
    type Type = Box<Session>;
    type Error = wire::Error;

    async fn create(&self) -> std::result::Result<Box<Session>, wire::Error> {
        if self.full_until().is_some_and(|end| Instant::now() < end) {
            return Err(no_further());
        }
        loop {
            let mut presence = self.presences.subscribe();
            // In this order: a connection of this generation prepares as asked for before it began.
            let generation = self.generation.load(Ordering::Acquire);
            let preparing = self.preparing.load_full();
            // Apart from the requests that wait for it: most find a connection, and need no room for making one.
            let connected =
                Box::pin(Session::connect(&self.connector, &preparing, generation, self.options.positions));
            tokio::select! {
                connected = connected => {
                    if connected.as_ref().is_err_and(wire::Error::is_full) {
                        let mut full_until = self.full_until.lock().unwrap_or_else(PoisonError::into_inner);
                        *full_until = Some(Instant::now() + FULL_FOR);
                    }
                    return connected.map(Box::new);
                }
                // One that was begun while nothing answered may stay silent for ever.
                _ = revived(&mut presence) => {}
            }
        }
    }

    async fn recycle(&self, session: &mut Box<Session>, metrics: &Metrics) -> RecycleResult<wire::Error> {
        session.look().map_err(RecycleError::Backend)?;
        match self.is_usable(session, metrics) {
            true => Ok(()),
            false => Err(RecycleError::message("closed, or too old")),
        }
    }
}
