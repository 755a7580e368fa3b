//! The servers that units run on: the primary, and replicas for what only reads. It chooses one, and another one where that
//! fails; how a unit runs there is the pool's business. Without replicas it is the primary's pool and nothing else.
//!
//! ```text
//!     a read ─ a replica that works, has replayed what the client has seen, and is least busy ── its answer
//!                │ none yet: wait for one, db-replica-wait at most        │ away, or not as far as was thought: the next one
//!                ▼                                                        │ a conflict, or a schema from before: the primary
//!     a write ─ the primary ◀──────────────────────────────────────────────┘
//!                └─ its answer, with the position behind its commit, which the client sends with its next reads
//! ```
//!
//! That a replica has replayed what the client has seen is checked by the read itself, in the statement that makes its
//! settings: what was last seen of a replica decides where a read goes, and never whether its answer is right.

mod choice;
mod failure;
mod log;
mod replica;
mod watch;
mod watched;

pub use replica::Standing;
pub use watch::Watch;

use super::{
    Code, Isolation, Options, Pool, Positions, Preparation, Reach, Report, Series, Unit,
    error::is_for_want_of_database, heartbeat::Answer,
};
use crate::{
    config::{Config, Connection},
    error::Result,
    metrics::Meters,
    outcome::Sink,
    position::{Lsn, Position},
};
use choice::{Choice, choose};
use failure::{Next, next};
use log::Log;
use replica::{Busy, Replica};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch as channel,
    time::{Instant, timeout_at},
};
use watched::Watched;

/// Whether replicas can do what a unit does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fitness {
    /// Nothing says that they cannot.
    #[default]
    Fit,
    /// One has refused what the primary then did.
    Unfit,
}

/// The servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Targets {
    primary: Pool,
    shared: Arc<Shared>,
}

/// What is known of the servers.
#[derive(Debug)]
struct Shared {
    replicas: Vec<Replica>,
    /// The primary's log.
    log: Mutex<Log>,
    /// How the primary stands.
    primary: Mutex<Standing>,
    /// Units that run there, and have run.
    busy: AtomicUsize,
    served: AtomicU64,
    /// Sent when something new is known of a replica.
    news: channel::Sender<()>,
    /// How long a read waits for a replica.
    wait: Duration,
    turn: AtomicUsize,
}

/// A server, for those who look after it.
#[derive(Clone, Debug)]
pub struct Target {
    /// `primary`, or its hosts and ports.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// Bytes of the primary's log that it has not replayed, where that is known.
    pub lag: Option<u64>,
    /// Requests under way there.
    pub busy: usize,
    /// Requests that it has answered.
    pub served: u64,
    /// Reads that another one has answered because they failed there.
    pub failed: u64,
}

impl Targets {
    /// The primary, and the replicas. Nothing is connected yet.
    pub fn new(primary: &Connection, replicas: &[Connection], config: &Config) -> Result<Self> {
        let options = Options::from(config);
        let positions = match replicas {
            [] => Positions::Untold,
            [_, ..] => Positions::Told,
        };
        // Whatever server answers, a request is one of the process.
        let meters = Arc::<Meters>::default();
        let replica = |(at, connection): (usize, &Connection)| {
            let address = connection.address();
            let is_again = replicas.iter().take(at).any(|earlier| earlier.address() == address);
            let name = if is_again { format!("{address} ({at})") } else { address };
            Ok(Replica::new(name, Pool::new(connection, options, Arc::clone(&meters))?))
        };
        let shared = Shared {
            replicas: replicas.iter().enumerate().map(replica).collect::<Result<_>>()?,
            log: Mutex::new(Log::new(config.db_replica_max_lag)),
            primary: Mutex::new(Standing::Unknown),
            busy: AtomicUsize::new(0),
            served: AtomicU64::new(0),
            news: channel::Sender::new(()),
            wait: config.db_replica_wait.0,
            turn: AtomicUsize::new(0),
        };
        let primary = Pool::new(primary, Options { positions, ..options }, meters)?;
        Ok(Self { primary, shared: Arc::new(shared) })
    }

    /// Where everything runs that is no read.
    pub fn primary(&self) -> &Pool {
        &self.primary
    }

    /// Watches the servers until what this gives is dropped. Without that, no replica serves.
    pub fn watch(&self) -> Watch {
        Watch::start(&self.shared, self.primary.asking(watch::OF_PRIMARY))
    }

    /// Runs a unit, as [`Pool::run`] does, on one of the servers that it may run on.
    pub async fn run<S: Sink>(&self, mut unit: Unit<'_>, reach: Reach, sink: &mut S) -> Result<Report> {
        let seen = unit.seen.take();
        let is_alone = self.shared.replicas.is_empty();
        match (reach, unit.isolation, seen) {
            _ if is_alone => self.primary.run(&unit, sink).await,
            (Reach::Primary, ..) => self.on_primary(&unit, sink).await,
            // The one snapshot of such a transaction is taken before what has been replayed can be asked.
            (Reach::Replica, Isolation::RepeatableRead | Isolation::Serializable, Some(_)) => {
                self.on_primary(&unit, sink).await
            }
            (Reach::Replica, ..) => Box::pin(self.anywhere(unit, seen, sink)).await,
        }
    }

    /// Runs several units as one transaction, as [`Pool::run_series`] does.
    pub async fn run_series<S: Series>(
        &self,
        series: &mut S,
        deadline: Option<Duration>,
    ) -> Result<Option<Position>> {
        let _busy = Busy::at(&self.shared.busy);
        let position = self.primary.run_series(series, deadline).await?;
        self.shared.answered(position);
        Ok(position)
    }

    async fn on_primary<S: Sink>(&self, unit: &Unit<'_>, sink: &mut S) -> Result<Report> {
        let _busy = Busy::at(&self.shared.busy);
        let report = self.primary.run(unit, sink).await?;
        self.shared.answered(report.position);
        Ok(report)
    }

    /// Runs a read on a replica if one can serve it, else on the primary.
    async fn anywhere<S: Sink>(
        &self,
        mut unit: Unit<'_>,
        seen: Option<Position>,
        sink: &mut S,
    ) -> Result<Report> {
        let (began, deadline) = (Instant::now(), unit.deadline);
        let left = || deadline.map(|deadline| deadline.saturating_sub(began.elapsed()));
        let mut sink = Watched::new(sink);
        let mut tried = Vec::new();
        let mut fitness = Fitness::Fit;
        // The primary is asked once. Where it is away, replicas that have not been asked are left.
        let mut is_asked = false;
        loop {
            let until = if is_asked { began } else { began + self.shared.wait };
            let found = self.shared.find(seen, until, &tried).await;
            let Some((at, replica)) = found else { break };
            (unit.seen, unit.deadline) = (seen, left());
            let error = match replica.run(&unit, &mut sink).await {
                Ok(report) => return Ok(report),
                Err(error) => error,
            };
            let next = next(&error);
            let is_final = next == Next::Nowhere || sink.forget().is_err();
            if is_final || is_asked && next != Next::Another {
                replica.pool.tell(&error);
                return Err(error);
            }
            replica.failed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("A read failed on replica {}, and runs elsewhere: {error}", replica.name);
            match next {
                Next::Another | Next::Nowhere => tried.push(at),
                Next::Primary(unfit) => {
                    fitness = unfit;
                    (unit.seen, unit.deadline) = (None, left());
                    match self.on_primary(&unit, &mut sink).await {
                        Err(error) if is_for_want_of_database(&error) && sink.forget().is_ok() => {
                            is_asked = true;
                            // It may have been a conflict, which passes.
                            if unfit == Fitness::Unfit {
                                return Err(error);
                            }
                        }
                        outcome => return outcome.map(|report| Report { fitness, ..report }),
                    }
                }
            }
        }
        (unit.seen, unit.deadline) = (None, left());
        self.on_primary(&unit, &mut sink).await.map(|report| Report { fitness, ..report })
    }

    /// How the servers are; nothing without replicas.
    pub fn status(&self) -> Vec<Target> {
        let Shared { replicas, busy, served, .. } = &*self.shared;
        if replicas.is_empty() {
            return Vec::new();
        }
        let (flushed, standing) = (self.shared.log().flushed(), lock(&self.shared.primary).clone());
        let primary = Target {
            name: "primary".to_owned(),
            standing,
            lag: None,
            busy: busy.load(Ordering::Relaxed),
            served: served.load(Ordering::Relaxed),
            failed: 0,
        };
        let replica = |replica: &Replica| {
            let state = replica.state();
            let lag = flushed.filter(|_| state.replayed > Lsn(0));
            Target {
                name: replica.name.clone(),
                standing: state.standing,
                lag: lag.map(|flushed| flushed.0.saturating_sub(state.replayed.0)),
                busy: replica.busy(),
                served: replica.served.load(Ordering::Relaxed),
                failed: replica.failed.load(Ordering::Relaxed),
            }
        };
        std::iter::once(primary).chain(replicas.iter().map(replica)).collect()
    }

    /// Whether a replica serves reads, whatever the primary does.
    pub fn serve_reads(&self) -> bool {
        self.shared.replicas.iter().any(|replica| replica.state().standing == Standing::Works)
    }

    fn pools(&self) -> impl Iterator<Item = &Pool> {
        std::iter::once(&self.primary).chain(self.shared.replicas.iter().map(|replica| &replica.pool))
    }

    /// [`Pool::expect`] of all.
    pub fn expect(&self, code: Code) {
        self.pools().for_each(|pool| pool.expect(code));
    }

    /// [`Pool::renew`] of all.
    pub fn renew(&self, preparation: Preparation) {
        self.pools().for_each(|pool| pool.renew(preparation));
    }

    /// [`Pool::close_idle`] of all.
    pub fn close_idle(&self) {
        self.pools().for_each(Pool::close_idle);
    }

    /// [`Pool::is_quiet`] of all.
    pub async fn is_quiet(&self) {
        for pool in self.pools() {
            pool.is_quiet().await;
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    /// The primary has answered a unit.
    fn answered(&self, position: Option<Position>) {
        self.served.fetch_add(1, Ordering::Relaxed);
        if let Some(position) = position {
            self.log().written(position);
        }
    }

    /// A replica that can serve a read, waited for until then if one will be able to.
    async fn find(
        &self,
        seen: Option<Position>,
        until: Instant,
        tried: &[usize],
    ) -> Option<(usize, &Replica)> {
        let mut news = None;
        loop {
            match self.choose(seen, tried) {
                Choice::Replica(at) => return self.replicas.get(at).map(|replica| (at, replica)),
                Choice::Primary => return None,
                Choice::Wait => {}
            }
            match &mut news {
                // What comes from now on is heard; what came before is looked at once more.
                None => news = Some(self.news.subscribe()),
                Some(news) => {
                    self.replicas.iter().for_each(|replica| replica.wanted.notify_one());
                    timeout_at(until, news.changed()).await.ok()?.ok()?;
                }
            }
        }
    }

    fn choose(&self, seen: Option<Position>, tried: &[usize]) -> Choice {
        let latest = seen.and_then(|_| self.log().latest());
        let candidates = self.replicas.iter().enumerate().map(|(at, replica)| {
            let candidate = replica.candidate();
            match tried.contains(&at) {
                true => choice::Candidate { service: choice::Service::Out, ..candidate },
                false => candidate,
            }
        });
        choose(candidates, seen, latest, self.turn.fetch_add(1, Ordering::Relaxed))
    }

    /// Something new is known of a replica.
    fn tell(&self) {
        self.news.send_replace(());
    }

    fn replica_answered(&self, replica: &Replica, answer: &Answer) {
        replica.answered(answer, &self.log());
    }

    /// The primary was asked at that time. What it said is of then or later.
    fn primary_answered(&self, asked: Instant, answer: &Answer) -> Option<()> {
        let [Some(timeline), Some(flushed), Some(written)] = answer.as_slice() else {
            self.primary_is_away("no server that takes writes answers".to_owned());
            return None;
        };
        let timeline = u32::from_str_radix(timeline, 16).ok()?;
        self.log().observe(asked, timeline, flushed.parse().ok()?, written.parse().ok()?);
        *lock(&self.primary) = Standing::Works;
        Some(())
    }

    fn primary_is_away(&self, why: String) {
        *lock(&self.primary) = Standing::Away(why);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
