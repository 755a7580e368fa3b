//! `Server-Timing` (<https://www.w3.org/TR/server-timing/>): how long each
//! stage of a request took. Where `server-timing-enabled` is off no clock is
//! read.

use crate::config::Config;
use http::HeaderValue;
use std::{
    fmt::Write,
    time::{Duration, Instant},
};

/// The stages, in the order in which they are told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// The token was verified.
    Jwt,
    /// The request was read.
    Parse,
    /// It was resolved against the catalog and written down as SQL.
    Plan,
    /// PostgreSQL answered, from the wait for a connection to the end of the transaction.
    Transaction,
    /// The answer was made.
    Response,
}

const NAMES: [&str; 5] = ["jwt", "parse", "plan", "transaction", "response"];

/// Measures one stage after the other, if it runs at all.
#[derive(Debug)]
pub(super) struct Stopwatch(Option<Running>);

#[derive(Debug)]
struct Running {
    since: Instant,
    taken: [Duration; NAMES.len()],
}

impl Stopwatch {
    /// Starts now, if it is wanted.
    pub(super) fn start(config: &Config) -> Self {
        let running = || Running { since: Instant::now(), taken: Default::default() };
        Self(config.server_timing_enabled.then(running))
    }

    /// This stage is over; the next one begins.
    pub(super) fn lap(&mut self, stage: Stage) {
        if self.0.is_some() {
            self.lap_at(stage, Some(Instant::now()));
        }
    }

    /// This stage was over at that time, if there is one.
    pub(super) fn lap_at(&mut self, stage: Stage, end: Option<Instant>) {
        if let (Some(running), Some(end)) = (&mut self.0, end) {
            running.taken[stage as usize] += end.saturating_duration_since(running.since);
            running.since = end;
        }
    }

    /// The header's value: milliseconds by stage.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let running = self.0.as_ref()?;
        let mut value = String::with_capacity(96);
        for (name, taken) in NAMES.iter().zip(running.taken) {
            let separator = if value.is_empty() { "" } else { ", " };
            let milliseconds = taken.as_secs_f64() * 1000.0;
            write!(value, "{separator}{name};dur={milliseconds:.1}").ok()?;
        }
        HeaderValue::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn stopwatch(enabled: &str) -> Stopwatch {
        let mut sources = Sources::default();
        sources.environment.insert("PGRST_SERVER_TIMING_ENABLED".to_owned(), enabled.to_owned());
        Stopwatch::start(&Config::load(&sources).unwrap().0)
    }

    #[test]
    fn stages_are_told_in_milliseconds_in_their_order() {
        let mut stopwatch = stopwatch("true");
        let start = stopwatch.0.as_ref().unwrap().since;
        let after = |micros| Some(start + Duration::from_micros(micros));
        stopwatch.lap_at(Stage::Jwt, after(440));
        stopwatch.lap_at(Stage::Parse, after(500));
        stopwatch.lap_at(Stage::Plan, None);
        stopwatch.lap_at(Stage::Transaction, after(12_500));
        let told = stopwatch.header().unwrap();
        let expected = "jwt;dur=0.4, parse;dur=0.1, plan;dur=0.0, transaction;dur=12.0, response;dur=0.0";
        assert_eq!(told, expected);
    }

    #[test]
    fn nothing_is_told_where_it_is_off() {
        let mut stopwatch = stopwatch("false");
        stopwatch.lap(Stage::Jwt);
        assert!(stopwatch.header().is_none());
    }
}
