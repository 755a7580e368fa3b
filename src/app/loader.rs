//! Loading and reloading: configuration and catalog are read from the database
//! and swapped in together. A load that fails leaves what is there in place and
//! in service, and is tried again, after a second at first and up to 32. A
//! configuration that cannot be used ends the start, and later leaves the one in
//! force.

use super::{background, services::Services};
use crate::{
    admin::{SchemaCacheMetrics, State},
    admission::RoleLimits,
    auth::Authenticator,
    catalog::{
        Catalog,
        introspect::{Exposed, Extent, Former, introspect},
    },
    config::{self, Config, Sources},
    engine::{Parts, Renewal},
    error::{Error, Fault, Origin},
    execute::{Client, Lent, Pool, Targets, configuration},
    grpc::{Lasting, health::Database},
    memory::Memory,
    metrics::Subject,
    telemetry::{Logs, trace::Tracer},
};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};

/// A load that takes longer has failed: what it waits for may never come.
const LONGEST: Duration = Duration::from_secs(300);

/// How often it is asked whether something is still in use.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(32);

/// What is to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reload {
    /// The objects of the catalog that have changed.
    Changes,
    /// All of the catalog.
    Catalog,
    /// The configuration, and with it everything that depends on it.
    Configuration,
}

/// The next attempt after a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) what: Reload,
    at: Instant,
    delay: Duration,
}

/// Why a load failed.
#[derive(Debug)]
enum Failure {
    Configuration(config::Error),
    Database(Box<Error>),
}

impl From<Box<Error>> for Failure {
    fn from(error: Box<Error>) -> Self {
        Failure::Database(error)
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Failure::Configuration(error)
    }
}

/// Waits until an attempt is due, and says of what; for ever if none is.
pub(super) async fn due(retry: &Option<Retry>) -> Reload {
    match retry {
        Some(retry) => {
            tokio::time::sleep_until(retry.at).await;
            retry.what
        }
        None => std::future::pending().await,
    }
}

/// Loads, and holds what is loaded.
#[derive(Debug)]
pub(super) struct Loader {
    sources: Mutex<Sources>,
    config: ArcSwap<Config>,
    services: ArcSwapOption<Services>,
    targets: Targets,
    logs: Logs,
    tracer: Option<Tracer>,
    grpc: Lasting,
    renewal: Arc<Renewal>,
    memory: Memory,
    counters: Counters,
    /// Why the last load failed, if it did.
    stale: ArcSwapOption<String>,
    /// Why the database is away, if it is.
    away: ArcSwapOption<String>,
}

#[derive(Debug, Default)]
struct Counters {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Microseconds that the last introspection took.
    query: AtomicU64,
    /// Microseconds that the last load took in all.
    load: AtomicU64,
    /// When it ended.
    loaded: ArcSwapOption<Instant>,
}

impl Loader {
    pub(super) fn new(
        sources: Sources,
        config: Config,
        targets: Targets,
        logs: Logs,
        grpc: Lasting,
        memory: Memory,
    ) -> Self {
        Self {
            sources: Mutex::new(sources),
            config: ArcSwap::from_pointee(config),
            services: ArcSwapOption::empty(),
            targets,
            logs,
            tracer: None,
            grpc,
            renewal: Arc::default(),
            memory,
            counters: Counters::default(),
            stale: ArcSwapOption::empty(),
            away: ArcSwapOption::empty(),
        }
    }

    /// With what makes traces, if anything does.
    pub(super) fn traced(self, tracer: Option<Tracer>) -> Self {
        Self { tracer, ..self }
    }

    /// What makes traces, if anything does.
    pub(super) fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// What is served; `None` before the first catalog is there.
    pub(super) fn services(&self) -> Option<Arc<Services>> {
        self.services.load_full()
    }

    /// The logs.
    pub(super) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// The pool of the primary.
    pub(super) fn pool(&self) -> &Pool {
        self.targets.primary()
    }

    /// The primary and its replicas.
    pub(super) fn targets(&self) -> &Targets {
        &self.targets
    }

    /// How things are. What was loaded once stays in service, whatever becomes of later loads, for as long as the database
    /// is there. Those who check health over gRPC are told the same.
    pub(super) fn state(&self) -> State {
        let reason = |reason: Option<Arc<String>>| reason.map(|reason| reason.to_string());
        let (is_loaded, stale) = (self.services.load().is_some(), reason(self.stale.load_full()));
        match (self.grpc.health().serving().is_ending(), is_loaded, reason(self.away.load_full()), stale) {
            (true, ..) => State::Ending,
            (false, false, away, stale) => State::Loading(stale.or(away)),
            (false, true, Some(away), _) => State::Away(away),
            (false, true, None, Some(stale)) => State::Stale(stale),
            (false, true, None, None) => State::Loaded,
        }
    }

    /// The numbers of the loads so far.
    pub(super) fn metrics(&self) -> SchemaCacheMetrics {
        SchemaCacheMetrics {
            loads_succeeded: self.counters.succeeded.load(Ordering::Relaxed),
            loads_failed: self.counters.failed.load(Ordering::Relaxed),
            is_stale: self.stale.load().is_some(),
            query_time: Duration::from_micros(self.counters.query.load(Ordering::Relaxed)),
            load_time: Duration::from_micros(self.counters.load.load(Ordering::Relaxed)),
            age: self.counters.loaded.load().as_ref().map(|loaded| loaded.elapsed()),
        }
    }

    /// The database answers.
    pub(super) fn database_answers(&self) {
        self.away.store(None);
        if self.services.load().is_some() {
            self.grpc.health().serving().set(Database::Present);
        }
    }

    /// The database does not answer.
    pub(super) fn database_is_away(&self, why: &Error) {
        if self.away.swap(Some(Arc::new(why.to_string()))).is_none() {
            tracing::error!("The database is away: {why}");
        }
        self.grpc.health().serving().set(Database::Away);
    }

    /// The primary does not answer, and replicas serve reads.
    pub(super) fn primary_is_away(&self, why: &Error) {
        tracing::debug!("The primary is away, and replicas serve reads: {why}");
        self.database_answers();
    }

    /// The process is about to end: those who check health send nobody any more.
    pub(super) fn tell_end(&self) {
        self.grpc.health().serving().end();
    }

    /// Returns when a request has shown that the catalog is behind the database.
    pub(super) async fn suspected(&self) {
        self.renewal.wanted().await;
    }

    /// The first load. An error is one that no other attempt can mend.
    pub(super) async fn load_first(self: &Arc<Self>) -> Result<Option<Retry>, super::Error> {
        self.reload(Reload::Configuration, None).await
    }

    /// A reload; `retry` is the attempt that was due before it. An error is one that no other attempt can mend.
    pub(super) async fn reload(
        self: &Arc<Self>,
        what: Reload,
        retry: Option<Retry>,
    ) -> Result<Option<Retry>, super::Error> {
        let read = match what {
            // Before the first success nothing has been taken from the database yet.
            _ if self.services.load().is_none() => Read::Anew,
            Reload::Changes => Read::Changes,
            Reload::Catalog => Read::Keep,
            Reload::Configuration => Read::Again,
        };
        let loaded = tokio::time::timeout(LONGEST, self.load(read)).await;
        let error = match loaded.unwrap_or_else(|_| Err(Failure::Database(took_too_long()))) {
            Ok(()) => {
                self.database_answers();
                return Ok(None);
            }
            Err(Failure::Configuration(error)) => return Err(super::Error::Config(error)),
            Err(Failure::Database(error)) => error,
        };
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        self.stale.store(Some(Arc::new(error.to_string())));
        self.renewal.failed();
        let before = match self.services.load().is_some() {
            true => Before::Served,
            false => Before::Nothing,
        };
        if is_fatal(&error, before, &self.config()) {
            return Err(super::Error::Database(error));
        }
        let delay = retry.map_or(FIRST_DELAY, |retry| (retry.delay * 2).min(LAST_DELAY));
        let meanwhile = match before {
            Before::Served => "; the one there is stays in service",
            Before::Nothing => "",
        };
        tracing::error!(
            "Failed to load the schema cache, next attempt in {} s{meanwhile}: {error}",
            delay.as_secs()
        );
        Ok(Some(Retry { what, at: Instant::now() + delay, delay }))
    }

    /// All of it but the exchange has a thread of its own.
    async fn load(self: &Arc<Self>, read: Read) -> Result<(), Failure> {
        let began = Instant::now();
        let mut lent = self.pool().lend().await?;
        let loader = self.clone();
        let loading = background::run("load", async move {
            let loaded = loader.load_with(&mut lent, read).await;
            lent.give_back();
            loaded
        });
        let no_thread =
            |error| Error::new(Fault::CatalogUnavailable, "There is no thread to load").cause(error);
        let services = Arc::new(loading.await.map_err(no_thread)??);
        let config = services.engine.config();
        self.logs.set(config.log_level);
        self.config.store(config.clone());
        self.grpc.health().serving().replace_services(&services.grpc.names());
        if let Some(former) = self.services.swap(Some(services.clone())) {
            retire(former);
        }
        let database = services.engine.catalog().descriptor();
        let relations = database.relations.iter();
        let relations = relations.map(|relation| Subject::Relation(&relation.schema, &relation.name));
        let functions = database.functions.iter();
        let functions = functions.map(|function| Subject::Function(&function.schema, &function.name));
        self.pool().meters().routes.keep(relations.chain(functions));
        // All of the schema is described for it, and nobody waits for that.
        let grpc = services.grpc.clone();
        tokio::spawn(background::run("lock", async move { grpc.warn_of_lock() }));
        // Cached plans of what has changed are of no use.
        self.targets.renew((&**config).into());
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counters.load.store(took, Ordering::Relaxed);
        self.counters.loaded.store(Some(Arc::new(Instant::now())));
        // Whoever is answered by it finds it counted.
        self.counters.succeeded.fetch_add(1, Ordering::Relaxed);
        self.stale.store(None);
        self.renewal.succeeded(services.engine.clone());
        Ok(())
    }

    async fn load_with(&self, lent: &mut Lent, read: Read) -> Result<Services, Failure> {
        let client = lent.client()?;
        let config = match read {
            Read::Changes | Read::Keep => self.config(),
            Read::Anew => self.read_config(client, read).await?,
            Read::Again => match self.read_config(client, read).await {
                Err(Failure::Configuration(error)) => {
                    tracing::error!("The configuration stays as it was: {error}");
                    self.config()
                }
                config => config?,
            },
        };
        let mut roles = match config.db_config {
            true => configuration::role_settings(client).await?,
            false => Default::default(),
        };
        let began = Instant::now();
        let served = self.services.load_full();
        let former = match (read, &served) {
            (Read::Changes, Some(served)) => {
                let database = served.engine.catalog().descriptor();
                Some(Former { known: &served.known, database })
            }
            (Read::Changes | Read::Keep | Read::Again | Read::Anew, _) => None,
        };
        let introspected = introspect(client, &exposed(&config), former).await?;
        let took = began.elapsed();
        self.counters.query.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let database = introspected.database;
        tracing::info!(
            "Schema cache loaded {} relations, {} foreign keys and {} functions in {:.1} ms{}",
            database.relations.len(),
            database.foreign_keys.len(),
            database.functions.len(),
            took.as_secs_f64() * 1000.0,
            match introspected.extent {
                Extent::Whole => String::new(),
                Extent::Relations(1) => ": 1 relation has been read".to_owned(),
                Extent::Relations(count) => format!(": {count} relations have been read"),
            }
        );
        if served.is_none() && config.grpc_lock.is_none() {
            tracing::info!(
                "gRPC has no lock file: names and numbers come from the schema's names. With `pgduet proto` and grpc-lock \
                 they outlive renames and new types, too"
            );
        }
        let catalog = Arc::new(Catalog::new(database));
        let limits = served.as_ref().map(|served| served.engine.limits());
        let (limits, unreadable) = RoleLimits::take(&mut roles, limits);
        for limit in unreadable {
            tracing::warn!("{limit}");
        }
        let parts = Parts {
            catalog,
            config: config.clone(),
            targets: self.targets.clone(),
            roles,
            limits,
            renewal: self.renewal.clone(),
            memory: self.memory.clone(),
        };
        let services = Services::new(parts, introspected.known, self.grpc.clone(), served.as_deref())?;
        if let Some(served) = served {
            services.grpc.warn_of_changes_since(&served.grpc);
        }
        match read {
            Read::Anew | Read::Again => services.authenticator.keep_keys().await,
            // They are being kept.
            Read::Changes | Read::Keep => {}
        }
        Ok(services)
    }

    /// The configuration with what the database says of it.
    async fn read_config(&self, client: &mut Client, read: Read) -> Result<Arc<Config>, Failure> {
        let mut sources = self.sources.lock().await;
        sources.database = BTreeMap::new();
        // Whether and how the database is asked is said outside of it.
        let (outside, told) = Config::load(&sources)?;
        if outside.db_config {
            let names: Vec<_> = Config::database_settings().collect();
            let function = outside.db_pre_config.as_ref();
            sources.database = configuration::database_settings(client, &names, function).await?;
        }
        let (config, warnings) = match read {
            Read::Again => self.config().reload(&sources)?,
            Read::Anew | Read::Changes | Read::Keep => Config::load(&sources)?,
        };
        Authenticator::new(&config, None)?;
        // At the start it was told what is to be said of the options outside of the database.
        let told = match read {
            Read::Anew => told.as_slice(),
            Read::Again | Read::Changes | Read::Keep => &[],
        };
        for warning in warnings.iter().filter(|warning| !told.contains(warning)) {
            tracing::warn!("{warning}");
        }
        tracing::info!("Configuration loaded");
        Ok(Arc::new(config))
    }
}

/// What of the database is described.
pub(super) fn exposed(config: &Config) -> Exposed {
    Exposed { schemas: config.db_schemas.to_vec(), extra_search_path: config.db_extra_search_path.clone() }
}

/// Drops what was served once no request is under way on it: nobody but the last request knows when that is, and the last
/// request is not to be the one that cleans up.
fn retire(former: Arc<Services>) {
    tokio::spawn(async move {
        while Arc::strong_count(&former) > 1 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        background::discard("retire", former);
    });
}

fn took_too_long() -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "The schema cache takes too long to load")
}

/// How the configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// Everything counts: nothing is served yet.
    Anew,
    /// What only a restart changes stays.
    Again,
    /// It stays as it is.
    Keep,
    /// It stays as it is, and so does what has not changed in the catalog.
    Changes,
}

/// The state before a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Nothing that could be served.
    Nothing,
    /// A catalog, which stays in service.
    Served,
}

/// Whether another attempt would end the same (rest.md P1: wrong credentials), or is not wanted. To a process that serves,
/// credentials that are refused are a mistake in the database, which somebody may mend.
fn is_fatal(error: &Error, before: Before, config: &Config) -> bool {
    match &error.origin {
        Origin::PostgreSql(report) => match report.sqlstate.as_str() {
            "28P01" | "28000" => before == Before::Nothing,
            "3D000" => !config.db_pool_automatic_recovery,
            _ => false,
        },
        Origin::Pgduet(Fault::DatabaseClient | Fault::DatabaseUnreachable) => {
            !config.db_pool_automatic_recovery
        }
        Origin::Pgduet(_) => false,
    }
}
