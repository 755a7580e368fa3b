//! Logs: diagnostics on standard error through `tracing`, one line for each request on
//! standard output; and traces (`trace`). Counts nothing; metrics are elsewhere.
//!
//! Whoever has something to tell never waits for whoever reads it: lines go through [`outlet`]s, which drop what nobody
//! reads and tell how much that was. What fails again and again is told once a second, with its number (`repeats`).

mod access;
mod events;
mod outlet;
mod repeats;
pub mod trace;

pub use access::{Access, More, shows};

use crate::config::{LogFormat, LogLevel};
use events::Events;
use outlet::Outlet;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Registry, filter::Targets, layer::SubscriberExt, reload};

/// How both logs write the time, always in UTC: `23/Nov/2026:03:20:44 +0000`.
const TIME: &str = "%d/%b/%Y:%H:%M:%S %z";

/// How often repetitions and what was dropped are told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// How long the end of the process may wait for whoever reads the logs.
const FLUSHED_WITHIN: Duration = Duration::from_millis(500);

/// The logs of this process; a reload of the configuration sets their level anew. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Logs {
    level: Arc<reload::Handle<Targets, Registry>>,
    events: Events,
    access: Outlet,
    format: LogFormat,
    /// Lines that were dropped and have been told of.
    told: Arc<AtomicU64>,
}

impl Logs {
    /// Sends diagnostics to standard error from now on, and access lines to standard output. Where somebody else takes
    /// the diagnostics already (a test), that stays.
    pub fn start(level: LogLevel, format: LogFormat) -> io::Result<Logs> {
        let (filter, handle) = reload::Layer::new(targets(level));
        let events = Events::new(Outlet::start("diagnostics", io::stderr())?, format);
        let subscriber = tracing_subscriber::registry().with(filter).with(events.clone());
        let _ = tracing::subscriber::set_global_default(subscriber);
        let access = Outlet::start("access log", io::stdout())?;
        Ok(Logs { level: Arc::new(handle), events, access, format, told: Arc::default() })
    }

    /// Shows as much as this level asks for.
    pub fn set(&self, level: LogLevel) {
        // Fails only where another subscriber is in use.
        let _ = self.level.reload(targets(level));
    }

    /// Writes the line of a request.
    pub fn request(&self, access: &Access<'_>) {
        self.access.write(&access.line(self.format, jiff::Timestamp::now()));
    }

    /// Lines that were dropped, since the start, because nobody read the ones before them.
    pub fn dropped(&self) -> u64 {
        self.access.dropped() + self.events.dropped()
    }

    /// Tells, every second, how often was repeated what is told once, and what was dropped. Never ends.
    pub async fn tell(&self) {
        let mut ticks = tokio::time::interval(TOLD_EVERY);
        loop {
            ticks.tick().await;
            self.events.tell_repetitions();
            let dropped = self.dropped();
            let told = self.told.swap(dropped, Ordering::Relaxed);
            if dropped > told {
                tracing::warn!("{} lines of the logs were dropped: nobody reads them", dropped - told);
            }
        }
    }

    /// Waits, not for long, until what was told is written.
    pub fn flush(&self) {
        self.events.tell_repetitions();
        self.events.flush(FLUSHED_WITHIN);
        self.access.flush(FLUSHED_WITHIN);
    }
}

/// What starts, reloads and is lost is told at every level but `crit`, as PostgREST does; `debug` adds what the
/// pool and the caches do. Of other crates only warnings are of use.
fn targets(level: LogLevel) -> Targets {
    let (own, others) = match level {
        LogLevel::Crit => (LevelFilter::OFF, LevelFilter::OFF),
        LogLevel::Error | LogLevel::Warn | LogLevel::Info => (LevelFilter::INFO, LevelFilter::WARN),
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
    };
    Targets::new().with_target(env!("CARGO_PKG_NAME"), own).with_default(others)
}

/// Writes a last word to standard error, where its reader takes it within a moment. What is said before there are logs,
/// and after them, must not keep the process either.
pub fn last_word(text: &str) {
    if let Ok(outlet) = Outlet::start("last word", io::stderr()) {
        outlet.write(text);
        outlet.flush(FLUSHED_WITHIN);
    }
}

/// The text with its control characters escaped: one line, which no terminal acts upon.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match is_break(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// Whether a terminal or a reader of lines acts upon a character; to Unicode there are two more line breaks.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The text as JSON writes it: one line for whatever reads lines, and for a terminal.
fn json_line(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match is_break(c) {
            true => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => line.push(c),
        }
    }
    line.push('\n');
    line
}
