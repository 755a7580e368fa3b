//! Connections for what is not a request: the catalog, the configuration in the database, and whether PostgreSQL answers
//! at all. There are two, so that requests, however many, delay neither a load nor a check of health, and neither of
//! these delays the other. No request runs on them.
//!
//! A connection is used again only by whoever finds it as it was when it began: PostgreSQL puts it back first, in a
//! second at most, and so has shown that it answers. What is dropped before its end is stopped, and its connection closed.

use super::{connect::Connector, error, pool::Options};
use crate::error::{Error, Fault, Result, chain};
use deadpool_postgres::{
    Manager, ManagerConfig, Metrics, Object, Pool, PoolError, QueueMode, RecyclingMethod, Runtime,
    TimeoutType,
};
use std::{fmt, time::Duration};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_postgres::{CancelToken, Client};
use tokio_postgres_rustls::MakeRustlsConnect;

/// One for loads, of which one runs at a time, and one for whoever asks whether PostgreSQL answers.
const SIZE: usize = 2;

/// A connection that does not answer within this is closed, and another one is made.
const RECYCLED_WITHIN: Duration = Duration::from_secs(1);

/// How long what was dropped may take to stop. Its connection is closed then.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A cancel that comes between two statements stops neither: it is sent again after so long.
const CANCEL_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The connections.
#[derive(Clone, Debug)]
pub(super) struct Side {
    clients: Pool,
    tls: Tls,
    max_idle: Duration,
    max_lifetime: Duration,
}

#[derive(Clone)]
struct Tls(MakeRustlsConnect);

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tls")
    }
}

impl Side {
    /// Connects when the first connection is asked for.
    pub(super) fn new(connector: &Connector, options: &Options) -> Result<Self> {
        let (postgres, tls) = connector.for_clients();
        let config = ManagerConfig { recycling_method: RecyclingMethod::Clean };
        let clients = Pool::builder(Manager::from_config(postgres, tls.clone(), config))
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
        Ok(Self { clients, tls: Tls(tls), max_idle, max_lifetime })
    }

    /// A connection on which PostgreSQL has just answered. `presence` is held for as long as something runs there.
    pub(super) async fn lend(&self, presence: watch::Receiver<()>) -> Result<Lent> {
        let client = self.clients.get().await.map_err(|problem| match problem {
            PoolError::Backend(problem) => error::of_client(&problem),
            PoolError::Timeout(TimeoutType::Wait) => error::pool_timeout(),
            problem @ PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => unreachable(&problem),
            problem @ (PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_)) => {
                error::internal(&problem)
            }
        })?;
        Ok(Lent { client: Some(client), tls: self.tls.clone(), presence })
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
    client: Option<Object>,
    tls: Tls,
    presence: watch::Receiver<()>,
}

impl Lent {
    /// The connection itself.
    pub fn client(&mut self) -> Result<&mut Client> {
        let client = self.client.as_mut().ok_or_else(|| error::internal(&"no connection"))?;
        Ok(&mut **client)
    }

    /// Nothing runs on it any more.
    pub fn give_back(mut self) {
        drop(self.client.take());
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(stop(client, self.tls.clone(), self.presence.clone()));
            }
            Err(_) => drop(Object::take(client)),
        }
    }
}

/// Stops what runs on a connection and closes it. As long as that takes, it counts among those that there may be.
async fn stop(client: Object, tls: Tls, presence: watch::Receiver<()>) {
    let cancel = client.cancel_token();
    let stopped = async {
        tokio::select! {
            // Answered after everything before it.
            _ = client.simple_query("") => {}
            () = ask_to_stop(&cancel, &tls) => {}
        }
    };
    // If it cannot be stopped, closing is all that can be done.
    let _ = timeout(STOPPED_WITHIN, stopped).await;
    drop((Object::take(client), presence));
}

/// Asks again and again, and never ends by itself.
async fn ask_to_stop(cancel: &CancelToken, Tls(tls): &Tls) {
    loop {
        // It may not have been heard: the next one may.
        let _ = cancel.cancel_query(tls.clone()).await;
        sleep(CANCEL_AGAIN_AFTER).await;
    }
}
