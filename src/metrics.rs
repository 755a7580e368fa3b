//! What is counted while requests are answered: numbers that any module may add to, with a few relaxed atomic additions
//! and without a lock. A leaf: it knows neither the protocols nor the form in which the numbers are shown.

mod histogram;
mod label;
mod process;
mod route;

pub use histogram::{BOUNDS, Histogram, Shot};
pub use label::{Code, Method, Protocol};
pub use process::Process;
pub use route::{MOST_ROUTES, Route, Routes, Subject};

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// Everything that is counted, since the start of the process.
#[derive(Debug)]
pub struct Meters {
    /// When the process started.
    pub started: SystemTime,
    /// Requests by what they were about.
    pub routes: Routes,
    /// Requests that are being answered.
    in_flight: [Level; Protocol::ALL.len()],
    /// Bytes of the answers' bodies.
    bytes: [Counter; Protocol::ALL.len()],
    /// Rows that came from PostgreSQL for requests.
    pub rows: Counter,
    /// How long units waited for a connection to PostgreSQL, in vain as well.
    pub wait: Histogram,
    /// How long units had a connection to PostgreSQL.
    pub database: Histogram,
    /// How long the encoding of a statement's rows took.
    pub encode: Histogram,
    /// Look-ups of the plans of requests.
    pub templates: Lookups,
    /// Look-ups of prepared statements on a connection.
    pub statements: Lookups,
    /// Client connections that are open.
    pub connections: Level,
    /// Client connections on which a request is being answered.
    pub active_connections: Level,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            routes: Routes::default(),
            in_flight: Default::default(),
            bytes: Default::default(),
            rows: Counter::default(),
            wait: Histogram::default(),
            database: Histogram::default(),
            encode: Histogram::default(),
            templates: Lookups::default(),
            statements: Lookups::default(),
            connections: Level::default(),
            active_connections: Level::default(),
        }
    }
}

impl Meters {
    /// Requests of a protocol that are being answered.
    pub fn in_flight(&self, protocol: Protocol) -> &Level {
        &self.in_flight[protocol as usize]
    }

    /// Bytes of the bodies of a protocol's answers.
    pub fn bytes(&self, protocol: Protocol) -> &Counter {
        &self.bytes[protocol as usize]
    }

    /// A request has been answered: what it was about, how it ended and how long it took.
    pub fn answered(&self, route: &Route, method: Method, code: Code, took: Duration) {
        route.observe(method, code, took);
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are now.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// One more.
    pub fn rise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less.
    pub fn fall(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Look-ups in a cache.
#[derive(Debug, Default)]
pub struct Lookups {
    /// Those that found something.
    pub hits: Counter,
    /// Those that did not.
    pub misses: Counter,
}
