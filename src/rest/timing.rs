//! `Server-Timing` (<https://www.w3.org/TR/server-timing/>): how long each
//! stage of a request took. Where `server-timing-enabled` is off no clock is
//! read. And what the request turned out to be about, as which it is counted.

use crate::{
    config::Config,
    metrics::Route,
    notes::{self, STAGES, Stage},
};
use http::HeaderValue;
use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

/// Those of the header: the first of all that may be noted.
const NAMES: [&str; 5] = {
    let [jwt, parse, plan, transaction, response, ..] = STAGES;
    [jwt, parse, plan, transaction, response]
};

/// Measures one stage after the other, if it runs at all.
#[derive(Debug)]
pub(super) struct Stopwatch {
    running: Option<Running>,
    /// What the request is counted as, once that is known.
    pub(super) route: Option<Arc<Route>>,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    /// Whether the client is told.
    audience: Audience,
    taken: [Duration; NAMES.len()],
}

/// Who wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    /// The client, and the log.
    All,
    Log,
}

impl Stopwatch {
    /// Starts now, if it is wanted.
    pub(super) fn start(config: &Config) -> Self {
        let audience = match config.server_timing_enabled {
            true => Audience::All,
            false if notes::are_taken() => Audience::Log,
            false => return Self { running: None, route: None },
        };
        let running = Running { since: Instant::now(), audience, taken: Default::default() };
        Self { running: Some(running), route: None }
    }

    /// This stage is over; the next one begins.
    pub(super) fn lap(&mut self, stage: Stage) {
        if self.running.is_some() {
            self.lap_at(stage, Some(Instant::now()));
        }
    }

    /// This stage was over at that time, if there is one.
    pub(super) fn lap_at(&mut self, stage: Stage, end: Option<Instant>) {
        if let (Some(running), Some(end)) = (&mut self.running, end) {
            let taken = end.saturating_duration_since(running.since);
            if let Some(told) = running.taken.get_mut(stage as usize) {
                *told += taken;
            }
            notes::took(stage, taken);
            running.since = end;
        }
    }

    /// The header's value: milliseconds by stage.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let running = self.running.as_ref().filter(|running| running.audience == Audience::All)?;
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
        let start = stopwatch.running.as_ref().unwrap().since;
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
