//! The pool: connections that serve one unit at a time. What leaves it is a
//! report; a client, a transaction or a connection never does. Who reads the
//! catalog or listens has a connection of another kind, and none of these.

use super::{
    Report, Unit,
    connect::{Connector, Pair},
    error,
    lease::Lease,
    session::Session,
    side::{Lent, Side},
    statement_cache::{Code, CodeOfAuthors, Preparation, Preparing},
    wire,
};
use crate::{
    config::{Config, Connection},
    error::{Caller, Error, Fault, Origin, Result, classify},
    outcome::{Pace, Sink},
};
use arc_swap::ArcSwap;
use deadpool::{
    Runtime,
    managed::{self, Metrics, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType},
};
use std::{
    num::NonZeroUsize,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::Instant,
};

/// Where the pool is too small, every unit of a crowd waits too long: one line in this time says so.
const TIMEOUTS_TOLD_EVERY: Duration = Duration::from_secs(5);

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
    side: Side,
    /// How many units may wait for clients: half of the connections. A pool of one has none to spare.
    streams: Option<Arc<Semaphore>>,
    acquisition_timeout: Duration,
    timeouts: Arc<AtomicU64>,
    /// When the last of them was told.
    told: Arc<Mutex<Option<Instant>>>,
    /// Whatever runs in PostgreSQL has a receiver.
    running: Arc<watch::Sender<()>>,
}

impl Pool {
    /// A pool for this database. Connects when the first unit comes; fails
    /// where certificates cannot be read.
    pub fn new(target: &Connection, options: Options) -> Result<Self> {
        let connector = Arc::new(Connector::new(target)?);
        let side = Side::new(&connector, &options)?;
        let code = Arc::<CodeOfAuthors>::default();
        let manager = Manager {
            connector,
            options,
            preparing: ArcSwap::from_pointee(Preparing::new(options.preparation, Arc::clone(&code))),
            code,
            generation: AtomicU64::new(0),
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
            side,
            streams,
            acquisition_timeout,
            timeouts: Arc::default(),
            told: Arc::default(),
            running: Arc::default(),
        })
    }

    /// Runs a unit and hands its rows to `sink` as they come. The report comes
    /// when the transaction has ended; what went into the sink of a unit that
    /// failed is worth nothing. A failure that is not the client's is logged.
    ///
    /// Dropping the future cancels the unit, whose transaction is undone unless
    /// it had ended.
    pub async fn run<S: Sink>(&self, unit: &Unit<'_>, sink: &mut S) -> Result<Report> {
        self.attempt(unit, sink).await.inspect_err(|error| self.tell(error))
    }

    async fn attempt<S: Sink>(&self, unit: &Unit<'_>, sink: &mut S) -> Result<Report> {
        let deadline = unit.deadline.map(|left| Instant::now() + left);
        let leased = pin!(self.leased(S::PACE));
        let (lease, _permit) = match deadline {
            Some(deadline) => {
                tokio::time::timeout_at(deadline, leased).await.map_err(|_| error::deadline_exceeded())??
            }
            None => leased.await?,
        };
        lease.run(unit, deadline, sink).await
    }

    /// A connection, and what it takes to have it.
    async fn leased(&self, pace: Pace) -> Result<(Lease, Option<SemaphorePermit<'_>>)> {
        let permit = self.permit(pace).await?;
        Ok((self.lease().await?, permit))
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
        if let Origin::Pgduet(Fault::PoolTimeout | Fault::StreamsBusy | Fault::StreamsImpossible) =
            error.origin
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_some_and(|told| told.elapsed() < TIMEOUTS_TOLD_EVERY) {
                return;
            }
            *told = Some(Instant::now());
        }
        tracing::error!("{error}");
    }

    /// A connection for what is not a request, which waits for none. An error that
    /// PostgreSQL reports keeps its SQLSTATE, so that a wrong password can be
    /// told from a server that is down.
    pub async fn lend(&self) -> Result<Lent> {
        self.side.lend(self.running.subscribe()).await
    }

    /// Returns when nothing runs in PostgreSQL any more, what was dropped included. For the end of the process: what it
    /// leaves behind would run on there.
    pub async fn is_quiet(&self) {
        self.running.closed().await;
    }

    /// Whether PostgreSQL answers within this time, whatever requests do.
    pub async fn is_answered(&self, within: Duration) -> bool {
        match tokio::time::timeout(within, self.lend()).await {
            Ok(Ok(answered)) => {
                answered.give_back();
                true
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// A connection to the primary that nothing else uses, which somebody has to poll: of several hosts it is the one that
    /// can be written to, whichever of them units may run on. Only there can be listened.
    pub async fn connect_to_primary(&self) -> Result<Pair> {
        let connector = &self.connections.manager().connector;
        connector.connect_to_primary().await.map_err(|problem| error::of_client(&problem))
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
        manager.generation.fetch_add(1, Ordering::Release);
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
            waiting: status.waiting,
            timeouts: self.timeouts.load(Ordering::Relaxed),
        }
    }

    async fn lease(&self) -> Result<Lease> {
        match self.connections.get().await {
            Ok(connection) => {
                let connector = Arc::clone(&self.connections.manager().connector);
                Ok(Lease::new(connection, connector, self.running.subscribe()))
            }
            Err(PoolError::Backend(problem)) => Err(error::unreachable(&problem)),
            Err(PoolError::Timeout(TimeoutType::Wait | TimeoutType::Create)) => {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
                Err(error::pool_timeout())
            }
            Err(
                problem @ (PoolError::Timeout(TimeoutType::Recycle)
                | PoolError::Closed
                | PoolError::NoRuntimeSpecified
                | PoolError::PostCreateHook(_)),
            ) => Err(error::internal(&problem)),
        }
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
}

impl Manager {
    fn is_usable(&self, session: &Session, metrics: &Metrics) -> bool {
        session.generation == self.generation.load(Ordering::Relaxed)
            && metrics.age() < self.options.max_lifetime
            && session.idle() < self.options.max_idle
    }
}

impl managed::Manager for Manager {
    // Boxed: a session is handed on several times in each unit.
    type Type = Box<Session>;
    type Error = wire::Error;

    async fn create(&self) -> std::result::Result<Box<Session>, wire::Error> {
        // In this order: a connection of this generation prepares as asked for before it began.
        let generation = self.generation.load(Ordering::Acquire);
        let preparing = self.preparing.load_full();
        // Apart from the requests that wait for it: most find a connection, and need no room for making one.
        Box::pin(Session::connect(&self.connector, &preparing, generation)).await.map(Box::new)
    }

    async fn recycle(&self, session: &mut Box<Session>, metrics: &Metrics) -> RecycleResult<wire::Error> {
        session.look().map_err(RecycleError::Backend)?;
        match self.is_usable(session, metrics) {
            true => Ok(()),
            false => Err(RecycleError::message("closed, or too old")),
        }
    }
}
