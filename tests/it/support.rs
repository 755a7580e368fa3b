//! What the tests stand on. Nothing in here asserts anything about pgduet.

pub(crate) mod address;
pub(crate) mod collector;
pub(crate) mod database;
pub(crate) mod grpc;
pub(crate) mod grpc_web;
pub(crate) mod http;
pub(crate) mod issuer;
pub(crate) mod replicas;
pub(crate) mod server;
pub(crate) mod silence;
pub(crate) mod snapshot;
pub(crate) mod token;
pub(crate) mod tools;

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long something may take to happen on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until there is something, and gives it.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
