//! Connections for what is not a request: the catalog, and the configuration in the database. There are two, so that
//! requests, however many, delay no load, and a check of a database can look from two sides. No request runs on them.
//!
//! A connection is used again only by whoever finds it as it was when it began: PostgreSQL puts it back first, in a
//! second at most, and so has shown that it answers. What is dropped before its end is stopped, and its connection closed.

use super::{
    connect::{Client, Clients, Connector, Driven, Way},
    error,
    options::Options,
    revival::Presence,
    wire::Error as WireError,
};
use crate::error::{Error, Fault, Result, chain};
use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult, TimeoutType},
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// One for loads, of which one runs at a time, and another for `pgduet check`.
const SIZE: usize = 2;

/// A connection that does not answer within this is closed, and another one is made.
const RECYCLED_WITHIN: Duration = Duration::from_secs(1);

/// How long what was dropped may take to stop. Its connection is closed then.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A cancel that comes between two statements stops neither: it is sent again after so long.
const CANCEL_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Puts a session back.
const PUT_BACK: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
    SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

/// The connections.
#[derive(Clone, Debug)]
pub(super) struct Side {
    clients: Pool<Manager>,
    connector: Arc<Connector>,
    max_idle: Duration,
    max_lifetime: Duration,
}

/// A client, the task that polls its connection, and the way to it.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    polled: JoinHandle<()>,
    way: Way,
}

impl Session {
    /// Connects.
    pub(super) async fn connect(connector: &Connector) -> std::result::Result<Self, WireError> {
        let (Driven { client, connection }, way) = connector.connect(&Clients).await?;
        // Whoever waits for an answer is told why there is none; nobody else has to know.
        let polled = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { client, polled, way })
    }

    /// The client.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

/// A connection that nobody polls is closed.
impl Drop for Session {
    fn drop(&mut self) {
        self.polled.abort();
    }
}

#[derive(Debug)]
pub(super) struct Manager(Arc<Connector>);

impl managed::Manager for Manager {
    type Type = Session;
    type Error = WireError;

    async fn create(&self) -> std::result::Result<Session, WireError> {
        Session::connect(&self.0).await
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<WireError> {
        let answered = session.client.simple_query(PUT_BACK).await;
        answered.map(drop).map_err(|error| RecycleError::Backend(super::connect::of_driver(error)))
    }
}

impl Side {
    /// Connects when the first connection is asked for.
    pub(super) fn new(connector: &Arc<Connector>, options: &Options) -> Result<Self> {
        let clients = Pool::builder(Manager(connector.clone()))
            .max_size(SIZE)
            .wait_timeout(Some(options.acquisition_timeout))
            .create_timeout(Some(options.acquisition_timeout))
            .recycle_timeout(Some(RECYCLED_WITHIN))
            // The other one can grow old.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|problem| error::internal(&problem))?;
        let (max_idle, max_lifetime) = (options.max_idle, options.max_lifetime);
        Ok(Self { clients, connector: connector.clone(), max_idle, max_lifetime })
    }

    /// A connection on which PostgreSQL has just answered. `presence` is held for as long as something runs there.
    pub(super) async fn lend(&self, presence: Presence) -> Result<Lent> {
        let client = self.clients.get().await.map_err(|problem| match problem {
            PoolError::Backend(problem) => error::reported(&problem),
            PoolError::Timeout(TimeoutType::Wait) => error::pool_timeout(),
            problem @ PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => unreachable(&problem),
            problem @ (PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                error::internal(&problem)
            }
        })?;
        Ok(Lent { session: Some(client), connector: self.connector.clone(), presence })
    }

    /// Closes those that nobody has: the settings of the login role hold from the beginning of a session, and a session
    /// that has read the catalog keeps much of it in memory.
    pub(super) fn flush(&self) {
        self.clients.retain(|_, _| false);
    }

    /// Closes those that were unused for too long, or are too old.
    pub(super) fn close_idle(&self) {
        let is_young =
            |metrics: Metrics| metrics.last_used() < self.max_idle && metrics.age() < self.max_lifetime;
        self.clients.retain(|_, metrics| is_young(metrics));
    }
}

fn unreachable(problem: &(dyn std::error::Error + 'static)) -> Box<Error> {
    Error::new(Fault::DatabaseUnreachable, "Database connection error.").cause(chain(problem))
}

/// A connection on loan. Dropping it stops what runs there and closes it.
#[must_use = "it is closed where nobody gives it back"]
pub struct Lent {
    /// There until it is given back.
    session: Option<Object<Manager>>,
    connector: Arc<Connector>,
    presence: Presence,
}

impl Lent {
    /// The connection itself.
    pub fn client(&mut self) -> Result<&mut Client> {
        let session = self.session.as_mut().ok_or_else(|| error::internal(&"no connection"))?;
        Ok(&mut session.client)
    }

    /// Nothing runs on it any more.
    pub fn give_back(mut self) {
        drop(self.session.take());
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        // Others need not wait for its place.
        let session = Object::take(session);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(stop(session, Arc::clone(&self.connector), self.presence.clone()));
        }
    }
}

/// Stops what runs on a connection and closes it.
async fn stop(session: Session, connector: Arc<Connector>, presence: Presence) {
    let stopped = async {
        tokio::select! {
            // Answered after everything before it.
            _ = session.client.simple_query("") => {}
            () = ask_to_stop(&session, &connector) => {}
        }
    };
    // If it cannot be stopped, closing is all that can be done.
    let _ = timeout(STOPPED_WITHIN, stopped).await;
    drop((session, presence));
}

/// Asks again and again, and never ends by itself.
async fn ask_to_stop(session: &Session, connector: &Connector) {
    let cancel = session.client.cancel_token();
    loop {
        // It may not have been heard: the next one may.
        let _ = connector.cancel_client(&cancel, &session.way).await;
        sleep(CANCEL_AGAIN_AFTER).await;
    }
}
