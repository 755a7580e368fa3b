//! The running application: what is served now, how a reload replaces it, and
//! how it all ends. It composes; each part is another module's.
//!
//! ```text
//!     start ─ bind ─ first load ─ listen ─┬─ requests ─ Services (one Arc, swapped by a reload)
//!                                         ├─ NOTIFY, SIGUSR1/2, SIGHUP ─ loader
//!                                         └─ SIGTERM, SIGINT ─ say so ─ finish what runs ─ exit 0
//! ```

mod background;
mod channel;
pub mod command;
mod ended;
mod front;
mod heap;
mod held;
mod loader;
mod manager;
mod pages;
mod pulse;
mod reloads;
mod seen;
mod services;
mod status;

use crate::{
    admin,
    auth::Authenticator,
    catalog::watch::Event,
    cli,
    config::{self, Config, Sources},
    error,
    execute::{Options, Pool},
    grpc,
    grpc::lock::{Lock, LockError},
    memory::Memory,
    server::{
        connection::{Limits, serve_connections},
        descriptors,
        listen::{Address, Bound, Endpoint, ListenOptions, Listener, Sharing, given},
        shutdown::shutdown_channel,
        signal::{Signal, Signals},
        tls::{Files, Tls, Unusable},
    },
    telemetry::Logs,
};
use channel::Channel;
use front::Front;
use futures_util::StreamExt;
use loader::{Loader, Reload};
use reloads::Reloads;
use status::AppStatus;
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How often connections that nobody used are closed.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// How long PostgreSQL may take to stop what was cut off, before the process ends.
const STOPPED_WITHIN: Duration = Duration::from_secs(1);

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
    /// A certificate or a key of the server cannot be used.
    Tls(Unusable),
    /// The database refuses for good.
    Database(Box<error::Error>),
    /// A second signal came while requests were being finished.
    Interrupted,
}

/// Serves the database that the configuration names, until a signal ends it.
/// `listening` is told the address once clients can connect.
pub async fn serve(sources: Sources, listening: impl FnOnce(&Address)) -> Result<(), Error> {
    let (config, warnings) = Config::load(&sources).map_err(Error::Config)?;
    let logs = Logs::start(config.log_level, config.log_format).map_err(Error::System)?;
    let telling = tokio::spawn({
        let logs = logs.clone();
        async move { logs.tell().await }
    });
    tracing::info!("Starting pgduet {}", cli::VERSION);
    let (connection, connection_warnings) = config.connection().map_err(Error::Config)?;
    for warning in warnings.iter().chain(&connection_warnings) {
        tracing::warn!("{warning}");
    }
    // A secret that cannot be used stops the start, not the first request; a lock file too.
    Authenticator::new(&config, None).map_err(Error::Config)?;
    Lock::of_server(config.grpc_lock.as_deref()).map_err(Error::Lock)?;
    let tls = tls(&config)?;
    let pool = Pool::new(&connection, Options::from(&config), Arc::default()).map_err(Error::Database)?;
    let ended = run(sources, config, &pool, tls, logs.clone(), listening).await;
    // However it ended, what was cut off has been dropped by now.
    if tokio::time::timeout(STOPPED_WITHIN, pool.is_quiet()).await.is_err() {
        tracing::warn!("PostgreSQL may still work on what was cut off");
    }
    telling.abort();
    logs.flush();
    ended
}

/// All of it, with this pool. What runs when it returns is cut off.
async fn run(
    sources: Sources,
    config: Config,
    pool: &Pool,
    tls: Option<Arc<Tls>>,
    logs: Logs,
    listening: impl FnOnce(&Address),
) -> Result<(), Error> {
    let mut signals = Signals::install().map_err(Error::System)?;
    let (trigger, shutdown) = shutdown_channel();

    let main = endpoint(&config);
    let mut given = given().map_err(Error::System)?.into_iter();
    let bound = match given.next() {
        Some(listener) => Bound::Given(listener),
        None => bind(&main).await?,
    };
    let address = bound.address();
    let lasting = grpc::Lasting::new(shutdown.clone()).map_err(Error::Database)?;
    let memory = Memory::new(config.server_max_memory.get());
    let limits = Limits {
        sharing: main.sharing,
        tls: tls.clone(),
        meters: pool.meters().clone(),
        ..limits(&config, memory.clone())
    };
    let loader = Arc::new(Loader::new(sources, config, pool.clone(), logs, lasting, memory));
    let admin = match (given.next(), admin_endpoint(&loader.config())) {
        (Some(listener), _) => Some(listener),
        (None, Some(options)) => Some(listen(&options).await?),
        (None, None) => None,
    };
    // They end with this.
    let mut serving = JoinSet::new();
    if let Some(listener) = admin {
        tracing::info!("Admin server listening on {}", listener.address());
        let admin = admin::router(Arc::new(AppStatus::new(loader.clone(), address.clone())));
        // Its connections are not those of clients.
        let meters = Arc::default();
        let limits = Limits { sharing: Sharing::Exclusive, tls: None, meters, ..limits.clone() };
        let shutdown = shutdown.clone();
        serving.spawn(async move { serve_connections(listener, admin, &limits, shutdown).await });
    }

    // Before the first load, so that no notification is missed after it.
    let mut channel = Channel::new(pool.clone());
    channel.follow(&loader.config());
    // Clients are refused, not left waiting, until there was a first attempt.
    let mut asked = None;
    let retry = tokio::select! {
        loaded = loader.load_first() => loaded?,
        () = ending(&mut signals, &mut asked) => return Ok(()),
    };
    let listener = bound.listen().map_err(|error| Error::Listen(address.to_string(), error))?;
    tracing::info!("API server listening on {address}");
    listening(&address);
    manager::ready();
    let front = Front::new(loader.clone());
    serving.spawn(async move { serve_connections(listener, front, &limits, shutdown).await });

    let mut revivals = pool.revivals();
    let pulse = pulse::follow(loader.clone());
    let mut reloads = Reloads::new(loader.clone(), retry);
    if let Some(what) = asked {
        reloads.ask(what);
    }
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    let cause = loop {
        channel.follow(&loader.config());
        tokio::select! {
            signal = signals.next() => match signal {
                Some(Signal::ReloadCatalog) => reloads.ask(Reload::Catalog),
                Some(Signal::ReloadConfiguration | Signal::HangUp) => {
                    reloads.ask(Reload::Configuration);
                    if let Some(tls) = &tls {
                        tls.reload();
                    }
                }
                Some(signal @ (Signal::Terminate | Signal::Interrupt)) => break signal.name(),
                None => break "the end of signals",
            },
            event = channel.next() => match event {
                Event::Lost => {
                    pool.suspect();
                    reloads.doubt();
                    if !loader.config().db_pool_automatic_recovery {
                        return Err(Error::Database(connection_lost()));
                    }
                }
                Event::Listening => {}
                Event::ReloadConfig => reloads.ask(Reload::Configuration),
                Event::ReloadCatalog => reloads.ask(Reload::Catalog),
                Event::ReloadChanges => reloads.ask(Reload::Changes),
            },
            () = loader.suspected() => reloads.suspect(),
            () = revivals.next() => reloads.revive(),
            reloaded = reloads.next() => reloaded?,
            _ = housekeeping.tick() => {
                pool.close_idle();
                if let Some(tls) = &tls {
                    tls.reload_if_changed();
                }
            }
        }
    };

    tracing::info!("Shutting down after {cause}");
    manager::stopping();
    // No more is asked, so that the last that is told is the end; and no more is loaded.
    drop((pulse, reloads, revivals));
    loader.tell_end();
    let mut nothing = None;
    trigger.warn();
    tokio::select! {
        () = tokio::time::sleep(loader.config().server_shutdown_delay) => {}
        // Whoever asks twice does not want to wait.
        () = ending(&mut signals, &mut nothing) => return Err(Error::Interrupted),
    }
    trigger.announce();
    let ended = async {
        // A task that panicked has said so already.
        while serving.join_next().await.is_some() {}
    };
    tokio::select! {
        () = ended => Ok(()),
        () = ending(&mut signals, &mut nothing) => Err(Error::Interrupted),
    }
}

/// What clients may ask of connections.
fn limits(config: &Config, memory: Memory) -> Limits {
    let descriptors = descriptors::raise().unwrap_or_else(|error| {
        tracing::warn!("The limit of open files stays as it is: {error}");
        u64::MAX
    });
    let connections = descriptors::connections(config.server_max_connections, descriptors, config.db_pool);
    if connections < config.server_max_connections {
        tracing::warn!(
            "There are {descriptors} file descriptors: server-max-connections is {connections} and not {}",
            config.server_max_connections
        );
    }
    Limits {
        // Whoever is somewhat over the limit gets an answer that says so; far beyond it nothing is read any more.
        head_bytes: u32::try_from(config.server_max_header_bytes.saturating_mul(2)).unwrap_or(u32::MAX),
        head_timeout: config.server_head_timeout.0,
        read_timeout: config.server_read_timeout.0,
        write_timeout: config.server_write_timeout.0,
        drain_timeout: config.server_drain_timeout,
        connections,
        memory,
        ..Limits::default()
    }
}

/// TLS for the listener, if the options name a certificate.
fn tls(config: &Config) -> Result<Option<Arc<Tls>>, Error> {
    let (Some(certificate), Some(key)) = (&config.server_tls_certificate, &config.server_tls_key) else {
        return Ok(None);
    };
    let files = Files {
        certificate: certificate.clone(),
        key: key.clone(),
        client_authorities: config.server_tls_client_ca.clone(),
    };
    Tls::load(files).map(Arc::new).map(Some).map_err(Error::Tls)
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

/// Waits for a signal that ends the process, and keeps in mind what the others ask for meanwhile: what is being loaded may
/// be older than that.
async fn ending(signals: &mut Signals, asked: &mut Option<Reload>) {
    loop {
        let reload = match signals.next().await {
            Some(Signal::ReloadCatalog) => Reload::Catalog,
            Some(Signal::ReloadConfiguration | Signal::HangUp) => Reload::Configuration,
            Some(Signal::Terminate | Signal::Interrupt) | None => return,
        };
        *asked = (*asked).max(Some(reload));
    }
}

/// A configuration that the database made unusable.
fn unusable(error: &config::Error) -> Box<error::Error> {
    error::Error::new(error::Fault::CatalogUnavailable, "The configuration cannot be used").cause(error)
}

fn connection_lost() -> Box<error::Error> {
    error::Error::new(error::Fault::DatabaseUnreachable, "The connection to the database was lost")
}

/// An error that ends the process, without the promise of another attempt that it has for clients of a server.
fn finally(error: &str) -> String {
    error.replace(" Retrying the connection.", "").replace(" Retrying.", "")
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Config(error) => error.fmt(out),
            Error::Listen(address, error) => write!(out, "cannot listen on {address}: {error}"),
            Error::System(error) => error.fmt(out),
            Error::Lock(error) => error.fmt(out),
            Error::Tls(error) => write!(out, "TLS cannot be spoken: {error}"),
            Error::Database(error) => out.write_str(&finally(&error.to_string())),
            Error::Interrupted => {
                out.write_str("ended by a second signal, before all requests were answered")
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error as Cause, Fault};

    #[test]
    fn an_error_that_ends_the_process_promises_no_other_attempt() {
        for (message, said) in [
            ("Database client error. Retrying the connection.", "PGRST001: Database client error. (gone)"),
            ("No schema cache. Retrying.", "PGRST001: No schema cache. (gone)"),
        ] {
            let error = Error::Database(Cause::new(Fault::DatabaseClient, message).cause("gone"));
            assert_eq!(error.to_string(), said);
        }
    }
}
