//! The pool: connections that serve one unit at a time. What leaves it is a
//! report; a client, a transaction or a connection never does. Who reads the
//! catalog or listens has a connection of another kind, and none of these.

use super::{
    Report, Series, Unit,
    connect::{Client, Clients, Connection as Polled, Connector, Driven},
    error,
    heartbeat::Heartbeat,
    lease::Lease,
    revival::{Presences, Revival, Revivals, revived},
    session::Session,
    side::{Lent, Side},
    statement_cache::{Code, CodeOfAuthors, Preparation, Preparing},
    turns::Turns,
    wire,
    work::{Alone, Together, Work},
};
use crate::{
    config::{Config, Connection},
    error::{Caller, Error, Fault, Origin, Result, classify},
    notes::{self, Stage},
    outcome::{Pace, Sink},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use deadpool::{
    Runtime,
    managed::{self, Metrics, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType},
};
use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
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

/// How many connections there are, and how long they last.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// At most so many.
    pub size: NonZeroUsize,
    /// A unit waits so long for one of them: PGRST003 then.
    pub acquisition_timeout: Duration,
    /// One that was unused for so long is closed.
    pub max_idle: Duration,
    /// One that was made so long ago is not used again.
    pub max_lifetime: Duration,
    /// A unit may run so long, if there is a limit at all.
    pub query_timeout: Option<Duration>,
    /// Whether they prepare statements, at first.
    pub preparation: Preparation,
}

impl From<&Config> for Options {
    fn from(config: &Config) -> Self {
        Self {
            size: config.db_pool,
            acquisition_timeout: config.db_pool_acquisition_timeout,
            max_idle: config.db_pool_max_idletime,
            max_lifetime: config.db_pool_max_lifetime,
            query_timeout: config.db_query_timeout.map(|limit| limit.0),
            preparation: config.into(),
        }
    }
}

impl From<&Config> for Preparation {
    fn from(config: &Config) -> Self {
        match config.db_prepared_statements {
            true => Self::Cached(config.db_statement_cache_size),
            false => Self::Never,
        }
    }
}

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
    /// Whatever runs in PostgreSQL has a receiver.
    presences: Arc<Presences>,
    /// A unit has failed for want of a database.
    doubt: Arc<Notify>,
}

impl Pool {
    /// A pool for this database. Connects when the first unit comes; fails
    /// where certificates cannot be read.
    pub fn new(target: &Connection, options: Options) -> Result<Self> {
        let connector = Arc::new(Connector::new(target, options.acquisition_timeout)?);
        let side = Side::new(&connector, &options)?;
        let presences = Arc::<Presences>::default();
        let code = Arc::<CodeOfAuthors>::default();
        let manager = Manager {
            connector,
            options,
            preparing: ArcSwap::from_pointee(Preparing::new(options.preparation, Arc::clone(&code))),
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

    /// Runs several units as one transaction. It has ended when this returns, and where that is an error nothing of it
    /// has happened. As for one unit, dropping the future undoes it.
    pub async fn run_series<S: Series>(&self, series: &mut S, deadline: Option<Duration>) -> Result<()> {
        let mut work = Together(series);
        self.attempt(&mut work, S::Sink::PACE, deadline).await.inspect_err(|error| self.tell(error))
    }

    async fn attempt<W: Work>(
        &self,
        work: &mut W,
        pace: Pace,
        deadline: Option<Duration>,
    ) -> Result<W::Report> {
        let began = notes::are_taken().then(Instant::now);
        let deadline = deadline.map(|left| Instant::now() + left);
        let (lease, _permit) = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, self.leased(pace, work.role()))
                .await
                .map_err(|_| error::deadline_exceeded())??,
            None => self.leased(pace, work.role()).await?,
        };
        let limit = self.connections.manager().options.query_timeout.map(|limit| Instant::now() + limit);
        let ends = deadline.into_iter().chain(limit).min();
        let waited = began.map(|began| began.elapsed());
        let outcome = lease.run(work, ends).await;
        if let (Some(began), Some(waited)) = (began, waited) {
            notes::took(Stage::Wait, waited);
            notes::took(Stage::Database, began.elapsed().saturating_sub(waited));
            notes::note(|notes| work.note(outcome.as_ref().ok(), notes));
        }
        outcome
    }

    /// A connection, and what it takes to have it.
    async fn leased(&self, pace: Pace, role: &str) -> Result<(Lease, Option<SemaphorePermit<'_>>)> {
        let permit = self.permit(pace).await?;
        Ok((self.lease(role).await?, permit))
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

    fn tell(&self, error: &Error) {
        if classify(error, Caller::Authenticated).http < 500 {
            return;
        }
        if is_for_want_of_database(error) {
            self.doubt.notify_one();
        }
        tracing::error!("{error}");
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
        Heartbeat::new(self.connections.manager().connector.clone())
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
            let preparing = Preparing::new(preparation, Arc::clone(&manager.code));
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

    /// What the pool is doing.
    pub fn status(&self) -> Status {
        let status = self.connections.status();
        Status {
            max: status.max_size,
            available: status.available + status.max_size.saturating_sub(status.size),
            waiting: self.turns.waiting(),
            timeouts: self.timeouts.load(Ordering::Relaxed),
        }
    }

    /// Leases a connection. Where PostgreSQL refuses to open another one because it is full, this waits until one of the
    /// pool's connections is given back.
    async fn lease(&self, role: &str) -> Result<Lease> {
        let until = Instant::now() + self.acquisition_timeout;
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

/// Whether a unit has failed because there is no database for it.
fn is_for_want_of_database(error: &Error) -> bool {
    match &error.origin {
        Origin::Pgduet(Fault::DatabaseUnreachable | Fault::DatabaseClient) => true,
        Origin::Pgduet(_) => false,
        // It shuts down, or has only begun to start.
        Origin::PostgreSql(report) => report.sqlstate.starts_with("57P0"),
    }
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
            let connected = Box::pin(Session::connect(&self.connector, &preparing, generation));
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
