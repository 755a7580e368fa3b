//! A replica: its pool, what was last seen of it, and the reads that run there.

use super::{
    choice::{Candidate, Service},
    log::Log,
    watched::Watched,
};
use crate::{
    error::Result,
    execute::{Report, Unit, error, pool::Pool, preamble::proved_timeline},
    outcome::Sink,
    position::Lsn,
};
use arc_swap::ArcSwap;
use std::{
    fmt,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// A read is given up where its replica has answered no question for so long, unless rows have come: the read may wait for
/// an answer that never comes. Until then the replica may be busy.
const LOST_AFTER: Duration = Duration::from_secs(3);

/// Tells whether the server replays the log, how far it has come, and the latest timeline that it has proved to be on.
pub(super) const QUESTION: &str = concat!(
    "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_last_wal_replay_lsn(), ",
    proved_timeline!()
);

/// A replica.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) name: String,
    pub(super) pool: Pool,
    state: ArcSwap<State>,
    busy: AtomicUsize,
    /// Somebody waits until it has replayed more.
    pub(super) wanted: Notify,
    pub(super) served: AtomicU64,
    /// Reads that another server has answered because they failed here.
    pub(super) failed: AtomicU64,
}

/// What was last seen of a replica.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) standing: Standing,
    timeline: u32,
    pub(super) replayed: Lsn,
    /// When it last answered a question.
    answered: Instant,
}

/// How a server stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not been seen yet.
    Unknown,
    /// It serves.
    Works,
    /// It is too far behind the primary, or has not proved to be on the primary's timeline.
    Behind(String),
    /// It replays no log: it has been promoted, or never was a replica.
    Promoted,
    /// It does not answer.
    Away(String),
}

impl Replica {
    pub(super) fn new(name: String, pool: Pool) -> Self {
        let state =
            State { standing: Standing::Unknown, timeline: 0, replayed: Lsn(0), answered: Instant::now() };
        Self {
            name,
            pool,
            state: ArcSwap::from_pointee(state),
            busy: AtomicUsize::new(0),
            wanted: Notify::new(),
            served: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(super) fn state(&self) -> State {
        State::clone(&self.state.load())
    }

    pub(super) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    pub(super) fn candidate(&self) -> Candidate {
        let state = self.state.load();
        let service = match state.standing {
            Standing::Works => Service::In,
            Standing::Unknown | Standing::Behind(_) | Standing::Promoted | Standing::Away(_) => Service::Out,
        };
        Candidate { service, timeline: state.timeline, replayed: state.replayed, busy: self.busy() }
    }

    /// It has answered.
    pub(super) fn answered(&self, answer: &[Option<String>], log: &Log) {
        let now = Instant::now();
        self.change(State::seen(answer, log, now).unwrap_or_else(|why| State {
            standing: Standing::Away(why.to_owned()),
            answered: now,
            ..self.state()
        }));
    }

    /// It does not answer, or a request has failed there: nothing is read there until it answers.
    pub(super) fn is_away(&self, why: String) {
        self.change(State { standing: Standing::Away(why), ..self.state() });
    }

    fn change(&self, state: State) {
        let before = self.state.swap(std::sync::Arc::new(state.clone()));
        let name = &self.name;
        match (&before.standing, &state.standing) {
            (Standing::Works, Standing::Works) => {}
            (_, Standing::Works) => tracing::info!("Replica {name} works"),
            // Why it does not serve may change with each look.
            (Standing::Works | Standing::Unknown, standing) if *standing != Standing::Unknown => {
                tracing::warn!("Replica {name} is left out: {standing}");
            }
            (..) => {}
        }
    }

    /// Runs a unit there.
    pub(super) async fn run<S: Sink>(&self, unit: &Unit<'_>, sink: &mut Watched<'_, S>) -> Result<Report> {
        let _busy = Busy::at(&self.busy);
        let had_rows = sink.had_rows.clone();
        tokio::select! {
            biased;
            outcome = self.pool.try_run(unit, sink) => outcome.inspect(|_| {
                self.served.fetch_add(1, Ordering::Relaxed);
            }),
            () = self.is_lost(|| had_rows.load(Ordering::Relaxed)) => Err(error::silent()),
        }
    }

    /// Returns when a read that has had no rows waits there for nothing.
    async fn is_lost(&self, has_rows: impl Fn() -> bool) {
        let mut answered = Instant::now();
        loop {
            sleep_until(answered + LOST_AFTER).await;
            let last = self.state.load().answered;
            match last <= answered {
                true if !has_rows() => return,
                true => answered = Instant::now(),
                false => answered = last,
            }
        }
    }
}

impl State {
    /// What an answer says.
    fn seen(answer: &[Option<String>], log: &Log, now: Instant) -> std::result::Result<Self, &'static str> {
        let [in_recovery, replayed, timeline] = answer else {
            return Err("it has no connection to give, or answers in an unexpected form");
        };
        let state = |standing, timeline, replayed| Self { standing, timeline, replayed, answered: now };
        if in_recovery.as_deref() != Some("t") {
            return Ok(state(Standing::Promoted, 0, Lsn(0)));
        }
        let replayed =
            replayed.as_deref().and_then(|lsn| lsn.parse().ok()).ok_or("it has replayed nothing yet")?;
        let timeline =
            timeline.as_deref().and_then(|digits| digits.parse().ok()).ok_or("it tells no timeline")?;
        let standing = match log.required(now) {
            None => Standing::Unknown,
            Some(required) if required.is_reached(timeline, replayed) => Standing::Works,
            Some(required) => {
                Standing::Behind(format!("it has reached {timeline}-{replayed} and not {required}"))
            }
        };
        Ok(state(standing, timeline, replayed))
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::Unknown => out.write_str("not seen yet"),
            Standing::Works => out.write_str("works"),
            Standing::Behind(why) => write!(out, "behind: {why}"),
            Standing::Promoted => out.write_str("is no replica: it has been promoted"),
            Standing::Away(why) => write!(out, "away: {why}"),
        }
    }
}

/// One more under way, until it is dropped.
pub(super) struct Busy<'b>(&'b AtomicUsize);

impl<'b> Busy<'b> {
    pub(super) fn at(count: &'b AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ReplicaLag;

    fn standing(answer: &[&str], log: &Log) -> std::result::Result<Standing, &'static str> {
        let answer: Vec<_> =
            answer.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect();
        State::seen(&answer, log, Instant::now()).map(|state| state.standing)
    }

    #[test]
    fn a_replica_serves_while_it_replays_the_primarys_timeline_and_is_not_too_far_behind() {
        let mut log = Log::new(ReplicaLag::Bytes(0x10));
        assert_eq!(standing(&["t", "0/100", "1"], &log), Ok(Standing::Unknown));
        log.observe(Instant::now(), 2, Lsn(0x100), Lsn(0x100));
        assert_eq!(standing(&["t", "0/F0", "2"], &log), Ok(Standing::Works));
        assert_eq!(standing(&["t", "0/F0", "3"], &log), Ok(Standing::Works));
        for (answer, why) in [
            (["t", "0/EF", "2"], "it has reached 2-0/EF and not 2-0/F0"),
            (["t", "F/0", "1"], "it has reached 1-F/0 and not 2-0/F0"),
        ] {
            assert_eq!(standing(&answer, &log), Ok(Standing::Behind(why.to_owned())));
        }
        assert_eq!(standing(&["f", "0/F0", "2"], &log), Ok(Standing::Promoted));
        for answer in [&[][..], &["t", "", "2"], &["t", "0/F0", ""], &["t", "x", "2"]] {
            assert!(standing(answer, &log).is_err(), "{answer:?}");
        }
    }
}
