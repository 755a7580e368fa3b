//! Spans on their way to the collector: a bounded queue, and a task that exports what is in it. A collector that is away,
//! slow or silent costs spans, which are counted and told of in the log once a second, and nothing else.

use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::{
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

/// Requests whose spans wait. Beyond it spans are lost.
const MOST_WAITING: usize = 2048;

/// Spans that are exported together.
const BATCH: usize = 512;

/// How long spans wait for others.
const EVERY: Duration = Duration::from_secs(1);

/// How long a collector may take for a batch.
pub(super) const EXPORTED_WITHIN: Duration = Duration::from_secs(10);

/// Takes spans.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<Vec<SpanData>>,
    lost: Arc<AtomicU64>,
    ending: Arc<Notify>,
    /// Until it is waited for.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Queue {
    /// Starts the task that exports.
    pub(super) fn start(exporter: impl SpanExporter + 'static, collector: String) -> Self {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let (lost, ending) = (Arc::<AtomicU64>::default(), Arc::<Notify>::default());
        let losses = Losses { collector, lost: lost.clone(), told: 0, why: None, at: None };
        let task = tokio::spawn(run(receiver, exporter, losses, ending.clone()));
        Self { sender, lost, ending, task: Mutex::new(Some(task)) }
    }

    /// Takes the spans of a request, if there is room.
    pub(super) fn push(&self, spans: Vec<SpanData>) {
        let number = spans.len();
        if self.sender.try_send(spans).is_err() {
            self.lost.fetch_add(count(number), Ordering::Relaxed);
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Takes no more, and waits until what there is has been exported, or this time is over.
    pub(super) async fn finish(&self, patience: Duration) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        self.ending.notify_one();
        if timeout(patience, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("The collector has not taken the last spans in time: they are lost");
        }
    }
}

async fn run(
    mut receiver: mpsc::Receiver<Vec<SpanData>>,
    exporter: impl SpanExporter,
    mut losses: Losses,
    ending: Arc<Notify>,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    let mut pace = Pace::Steady;
    loop {
        let is_over = tokio::select! {
            spans = receiver.recv(), if pace == Pace::Steady => match spans {
                Some(spans) => {
                    batch.extend(spans);
                    if batch.len() < BATCH {
                        continue;
                    }
                    false
                }
                None => true,
            },
            _ = ticks.tick() => false,
            () = ending.notified() => {
                receiver.close();
                continue;
            }
        };
        pace = Pace::Steady;
        if !batch.is_empty() {
            let number = batch.len();
            let exported = timeout(EXPORTED_WITHIN, exporter.export(mem::take(&mut batch))).await;
            let failed = match exported {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer within {} s", EXPORTED_WITHIN.as_secs())),
            };
            if let Some(why) = failed {
                // Whoever is away is asked once a second.
                pace = Pace::Paused;
                losses.failed(number, why);
            }
        }
        if is_over {
            return losses.tell_last();
        }
        losses.tell();
    }
}

/// Whether more spans are taken from the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Steady,
    Paused,
}

/// Spans that were lost, and which of them have been told of.
struct Losses {
    collector: String,
    lost: Arc<AtomicU64>,
    told: u64,
    why: Option<String>,
    at: Option<Instant>,
}

impl Losses {
    fn failed(&mut self, spans: usize, why: String) {
        self.lost.fetch_add(count(spans), Ordering::Relaxed);
        self.why = Some(why);
    }

    /// Tells of what was lost since it was last told, however long ago that was.
    fn tell_last(mut self) {
        self.at = None;
        self.tell();
    }

    /// Tells of what was lost since it was last told, at most once a second.
    fn tell(&mut self) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost == self.told || self.at.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        let why = self.why.take().unwrap_or_else(|| "it takes them too slowly".to_owned());
        tracing::warn!("{} spans were not exported to {}: {why}", lost - self.told, self.collector);
        (self.told, self.at) = (lost, Some(Instant::now()));
    }
}

fn count(spans: usize) -> u64 {
    u64::try_from(spans).unwrap_or(u64::MAX)
}
