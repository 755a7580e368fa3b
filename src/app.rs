//! The running application: what is served now, how a reload replaces it, and
//! how it all ends. It composes; each part is another module's.
//!
//! ```text
//!     start ─ bind ─ first load ─ listen ─┬─ requests ─ Services (one Arc, swapped by a reload)
//!                                         ├─ NOTIFY, SIGUSR1/2 ─ loader
//!                                         └─ SIGTERM, SIGINT ─ finish what runs ─ exit 0
//! ```

pub mod command;
mod front;
mod loader;
mod services;
mod status;

use crate::{
    admin::Admin,
    auth::Authenticator,
    catalog::watch::{self, Event},
    config::{self, Config, Sources},
    error,
    execute::{Options, Pool},
    grpc::lock::{Lock, LockError},
    server::{
        connection::{Limits, serve_connections},
        listen::{Bound, Endpoint, ListenOptions, Listener, Sharing},
        shutdown::shutdown_channel,
        signal::{Signal, Signals},
    },
    sql,
    telemetry::Diagnostics,
};
use front::Front;
use futures_util::StreamExt;
use loader::{Loader, Reload};
use status::AppStatus;
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How often connections that nobody used are closed.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// Why the process ends.
#[derive(Debug)]
pub enum Error {
    /// An option is wrong.
    Config(config::Error),
    /// An address cannot be had.
    Listen(String, io::Error),
    /// The operating system refuses something else.
    System(io::Error),
    /// The gRPC lock file cannot be used.
    Lock(LockError),
    /// The database refuses for good.
    Database(Box<error::Error>),
}

/// Serves the database that the configuration names, until a signal ends it.
pub async fn serve(sources: Sources) -> Result<(), Error> {
    let (config, warnings) = Config::load(&sources).map_err(Error::Config)?;
    let diagnostics = Diagnostics::start(config.log_level);
    tracing::info!("Starting pgduet {}", env!("CARGO_PKG_VERSION"));
    let (connection, connection_warnings) = config.connection().map_err(Error::Config)?;
    for warning in warnings.iter().chain(&connection_warnings) {
        tracing::warn!("{warning}");
    }
    // A secret that cannot be used stops the start, not the first request; a lock file too.
    Authenticator::new(&config).map_err(Error::Config)?;
    Lock::of_server(config.grpc_lock.as_deref()).map_err(Error::Lock)?;
    let pool = Pool::new(&connection, Options::from(&config)).map_err(Error::Database)?;
    let mut signals = Signals::install().map_err(Error::System)?;
    let (trigger, shutdown) = shutdown_channel();

    let main = endpoint(&config);
    let bound = bind(&main).await?;
    let address = bound.address();
    let loader = Arc::new(Loader::new(sources, config, pool.clone(), diagnostics, shutdown.clone()));
    let admin = match admin_endpoint(&loader.config()) {
        Some(options) => Some(listen(&options).await?),
        None => None,
    };
    let admin = admin.map(|listener| {
        tracing::info!("Admin server listening on {}", listener.address());
        let admin = Admin::new(Arc::new(AppStatus::new(loader.clone(), address.clone())));
        let shutdown = shutdown.clone();
        tokio::spawn(async move { serve_connections(listener, admin, &Limits::default(), shutdown).await })
    });

    // Clients are refused, not left waiting, until there was a first attempt.
    let mut retry = loader.load_first().await.map_err(Error::Database)?;
    let listener = bound.listen().map_err(|error| Error::Listen(address.to_string(), error))?;
    tracing::info!("API server listening on {address}");
    let limits = Limits {
        head_bytes: u32::try_from(loader.config().server_max_header_bytes).unwrap_or(u32::MAX),
        ..Limits::default()
    };
    let front = Front::new(loader.clone());
    let serving = tokio::spawn(async move { serve_connections(listener, front, &limits, shutdown).await });

    let mut notified = listen_for_notifications(&loader.config(), &pool);
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    loop {
        let reload = tokio::select! {
            signal = signals.next() => match signal {
                Some(Signal::ReloadCatalog) => Reload::Catalog,
                Some(Signal::ReloadConfiguration) => Reload::Configuration,
                Some(Signal::Terminate | Signal::Interrupt) | None => break,
            },
            Some(event) = notified.recv() => match event {
                Event::Lost => {
                    loader.database_lost();
                    if !loader.config().db_pool_automatic_recovery {
                        return Err(Error::Database(connection_lost()));
                    }
                    continue;
                }
                Event::ReloadConfig => Reload::Configuration,
                Event::ReloadCatalog => Reload::Catalog,
            },
            () = loader::due(&retry) => Reload::Catalog,
            _ = housekeeping.tick() => {
                pool.close_idle();
                continue;
            }
        };
        retry = loader.reload(reload, retry).await.map_err(Error::Database)?;
    }

    tracing::info!("Shutting down");
    trigger.announce();
    for task in [Some(serving), admin].into_iter().flatten() {
        // A task that panicked has said so already.
        let _ = task.await;
    }
    Ok(())
}

/// Where the main server listens.
fn endpoint(config: &Config) -> ListenOptions {
    let endpoint = match &config.server_unix_socket {
        Some(path) => Endpoint::Unix { path: path.clone(), mode: config.server_unix_socket_mode.0 },
        None => Endpoint::Tcp { host: config.server_host.clone(), port: config.server_port },
    };
    let sharing = match config.server_reuseport {
        true => Sharing::Shared,
        false => Sharing::Exclusive,
    };
    ListenOptions { endpoint, sharing }
}

/// Where the admin server listens, if there is one.
pub(crate) fn admin_endpoint(config: &Config) -> Option<ListenOptions> {
    let endpoint = match (&config.admin_server_unix_socket, config.admin_server_port) {
        (Some(path), _) => {
            Endpoint::Unix { path: path.clone(), mode: config.admin_server_unix_socket_mode.0 }
        }
        (None, Some(port)) => Endpoint::Tcp { host: config.admin_server_host.clone(), port },
        (None, None) => return None,
    };
    Some(ListenOptions { endpoint, sharing: Sharing::Exclusive })
}

async fn bind(options: &ListenOptions) -> Result<Bound, Error> {
    Bound::bind(options).await.map_err(|error| Error::Listen(options.endpoint.to_string(), error))
}

async fn listen(options: &ListenOptions) -> Result<Listener, Error> {
    Listener::bind(options).await.map_err(|error| Error::Listen(options.endpoint.to_string(), error))
}

/// What `NOTIFY` brings; nothing where the channel is off.
fn listen_for_notifications(config: &Config, pool: &Pool) -> mpsc::Receiver<Event> {
    if !config.db_channel_enabled {
        return mpsc::channel(1).1;
    }
    tracing::info!("Listener connected to the \"{}\" channel", config.db_channel);
    let pool = pool.clone();
    watch::watch(sql::listen(&config.db_channel).as_str().to_owned(), move || {
        let pool = pool.clone();
        async move { pool.connect_one().await }
    })
}

/// A configuration that the database made unusable.
fn unusable(error: &config::Error) -> Box<error::Error> {
    error::Error::new(error::Fault::CatalogUnavailable, "The configuration cannot be used").cause(error)
}

fn connection_lost() -> Box<error::Error> {
    error::Error::new(error::Fault::DatabaseUnreachable, "The connection to the database was lost")
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(error) => error.fmt(out),
            Error::Listen(address, error) => write!(out, "cannot listen on {address}: {error}"),
            Error::System(error) => error.fmt(out),
            Error::Lock(error) => error.fmt(out),
            Error::Database(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for Error {}
