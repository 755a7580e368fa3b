//! The load: a closed loop over connections that stay open. Each caller sends its next request when it has read the
//! answer to the last one, so that as many requests are in flight as there are callers.
//!
//! A thread per core, each with a runtime and connections of its own: nothing is shared while measuring.

use std::{
    num::NonZero,
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures_util::{TryStreamExt, stream::FuturesUnordered};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    exchange::{Call, Connection, Endpoint, Protocol},
    http1::{Http1, Written},
};

/// How long a measurement goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// For this time, after a warm-up that does not count.
    Time { warm_up: Duration, measured: Duration },
    /// For so many requests of each caller.
    Requests(u32),
}

/// When a caller sends its next request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// When it has read the answer to the last one.
    Full,
    /// So many times a second, which leaves the server idle in between.
    Rate(u32),
}

/// What one measurement gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Half of the answers came within this time.
    pub(crate) p50: Duration,
    /// 99 of 100 answers came within this time.
    pub(crate) p99: Duration,
    /// How many requests were answered, those of the warm-up among them.
    pub(crate) answered: usize,
}

impl Sample {
    /// From the rate and some or all latencies.
    pub(crate) fn new(rate: f64, answered: usize, mut latencies: Vec<Duration>) -> anyhow::Result<Self> {
        ensure!(!latencies.is_empty(), "nothing was answered in the time of the measurement");
        latencies.sort_unstable();
        let percentile =
            |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
        Ok(Self { rate, p50: percentile(50), p99: percentile(99), answered })
    }
}

/// The threads that a client gets: as many as there are cores. `pgbench` gets the same.
pub(crate) fn threads(callers: usize) -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(callers)
}

/// Sends `calls`, one after the other and over again, from each of `callers`.
pub(crate) fn run(
    endpoint: &Endpoint,
    calls: &[Call],
    callers: usize,
    pace: Pace,
    limit: Limit,
) -> anyhow::Result<Sample> {
    let begin = Instant::now();
    let threads = threads(callers);
    let answers = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let callers: Vec<_> = (worker..callers).step_by(threads).collect();
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(work(endpoint, calls, &callers, pace, begin, limit))
                })
            })
            .collect();
        workers.into_iter().try_fold(Answers::default(), |all, worker| {
            anyhow::Ok(all.plus(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?))
        })
    })?;
    let time = match limit {
        Limit::Time { measured, .. } => measured,
        Limit::Requests(_) => begin.elapsed(),
    };
    let rate = answers.latencies.len() as f64 / time.as_secs_f64();
    Sample::new(rate, answers.all, answers.latencies)
}

/// What callers got.
#[derive(Debug, Default)]
struct Answers {
    /// Of the requests that began and ended within the measured time.
    latencies: Vec<Duration>,
    /// The number of all of them.
    all: usize,
}

impl Answers {
    fn plus(mut self, other: Self) -> Self {
        self.latencies.extend(other.latencies);
        self.all += other.all;
        self
    }
}

/// The callers of one thread.
async fn work(
    endpoint: &Endpoint,
    calls: &[Call],
    callers: &[usize],
    pace: Pace,
    begin: Instant,
    limit: Limit,
) -> anyhow::Result<Answers> {
    match endpoint.protocol {
        Protocol::Rest => {
            let calls = calls.iter().map(Written::of).collect::<anyhow::Result<Vec<_>>>()?;
            let mut connections = Vec::with_capacity(callers.len());
            for _ in callers {
                connections.push(Http1::open(endpoint).await?);
            }
            work_on(connections, &calls, callers, pace, begin, limit).await
        }
        Protocol::Grpc => {
            let connections = Connection::open_for(endpoint, callers.len()).await?;
            work_on(connections, calls, callers, pace, begin, limit).await
        }
    }
}

/// A connection on which a request is sent and its answer is read to the end.
trait Exchange<Request> {
    async fn answered(&mut self, request: &Request) -> anyhow::Result<()>;
}

impl Exchange<Written> for Http1 {
    async fn answered(&mut self, request: &Written) -> anyhow::Result<()> {
        self.send(request).await
    }
}

impl Exchange<Call> for Connection {
    async fn answered(&mut self, request: &Call) -> anyhow::Result<()> {
        self.send(request).await.map(drop)
    }
}

async fn work_on<Request>(
    connections: Vec<impl Exchange<Request>>,
    requests: &[Request],
    callers: &[usize],
    pace: Pace,
    begin: Instant,
    limit: Limit,
) -> anyhow::Result<Answers> {
    let loops: FuturesUnordered<_> = connections
        .into_iter()
        .zip(callers)
        .map(|(connection, caller)| {
            // Callers begin at different places, so that they do not ask for the same row at once.
            let offset = caller * requests.len() / 64;
            call_again(connection, requests.iter().cycle().skip(offset), pace, begin, limit)
        })
        .collect();
    loops.try_fold(Answers::default(), async |all, one| Ok(all.plus(one))).await
}

/// One caller.
async fn call_again<'r, Request: 'r>(
    mut connection: impl Exchange<Request>,
    requests: impl Iterator<Item = &'r Request>,
    pace: Pace,
    begin: Instant,
    limit: Limit,
) -> anyhow::Result<Answers> {
    let (counted_from, end, most) = match limit {
        Limit::Time { warm_up, measured } => (begin + warm_up, Some(begin + warm_up + measured), usize::MAX),
        Limit::Requests(requests) => (begin, None, requests as usize),
    };
    let mut ticks = match pace {
        Pace::Full => None,
        Pace::Rate(rate) => Some(interval(Duration::from_secs(1) / rate)),
    };
    if let Some(ticks) = &mut ticks {
        // A slow answer makes the next requests late, not many at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut answers = Answers::default();
    for request in requests.take(most) {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        let sent = Instant::now();
        connection.answered(request).await?;
        let answered = Instant::now();
        answers.all += 1;
        if end.is_some_and(|end| answered > end) {
            break;
        }
        if sent >= counted_from {
            answers.latencies.push(answered - sent);
        }
    }
    Ok(answers)
}
