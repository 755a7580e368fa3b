//! What is known of the primary's write-ahead log: how far it was at which time, so that the lag of a replica is measured
//! against the primary's own log, and needs no clock of another machine. An idle primary leaves no replica behind.

use crate::{
    config::ReplicaLag,
    position::{Lsn, Position},
};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// The primary's log, as far as it has been seen.
#[derive(Debug)]
pub(super) struct Log {
    max_lag: ReplicaLag,
    /// The latest position that is known to have been written.
    latest: Option<Position>,
    /// How far it was flushed at which time; the first one is as old as a replica may be, or the first that was seen.
    flushed: VecDeque<(Instant, Lsn)>,
}

impl Log {
    pub(super) fn new(max_lag: ReplicaLag) -> Self {
        Self { max_lag, latest: None, flushed: VecDeque::new() }
    }

    /// The primary was seen at `now`: its timeline, how far its log is flushed, and how far it is written. What is seen of
    /// an earlier timeline than before comes of a primary that is none any more.
    pub(super) fn observe(&mut self, now: Instant, timeline: u32, flushed: Lsn, written: Lsn) {
        match self.latest {
            Some(latest) if timeline < latest.timeline => return,
            Some(latest) if timeline == latest.timeline => {}
            Some(_) | None => {
                self.flushed.clear();
                self.latest = None;
            }
        }
        self.latest = self.latest.max(Some(Position { timeline, lsn: written }));
        if self.flushed.back().is_none_or(|(_, lsn)| *lsn < flushed) {
            self.flushed.push_back((now, flushed));
        }
        let kept = self.kept(now);
        while self.flushed.get(1).is_some_and(|(at, _)| *at <= kept) {
            self.flushed.pop_front();
        }
    }

    /// Somebody has written up to here.
    pub(super) fn written(&mut self, position: Position) {
        // What is of a later timeline begins with the next observation.
        if self.latest.is_some_and(|latest| latest.timeline == position.timeline) {
            self.latest = self.latest.max(Some(position));
        }
    }

    /// The latest position that is known to have been written.
    pub(super) fn latest(&self) -> Option<Position> {
        self.latest
    }

    /// How far the log is flushed.
    pub(super) fn flushed(&self) -> Option<Lsn> {
        self.flushed.back().map(|(_, lsn)| *lsn)
    }

    /// What a replica has to have replayed at `now`; nothing is known before the primary has been seen.
    pub(super) fn required(&self, now: Instant) -> Option<Position> {
        let timeline = self.latest?.timeline;
        let lsn = match self.max_lag {
            ReplicaLag::Bytes(most) => Lsn(self.flushed()?.0.saturating_sub(most)),
            ReplicaLag::Time(_) => {
                let kept = self.kept(now);
                let old_enough = self.flushed.iter().rev().find(|(at, _)| *at <= kept);
                old_enough.or(self.flushed.front())?.1
            }
        };
        Some(Position { timeline, lsn })
    }

    /// What was flushed by then has to have been replayed.
    fn kept(&self, now: Instant) -> Instant {
        let age = match self.max_lag {
            ReplicaLag::Bytes(_) => Duration::ZERO,
            ReplicaLag::Time(age) => age,
        };
        now.checked_sub(age).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn required(log: &Log, now: Instant) -> Option<(u32, u64)> {
        log.required(now).map(|position| (position.timeline, position.lsn.0))
    }

    #[test]
    fn a_lag_in_time_asks_for_what_was_flushed_so_long_ago() {
        let start = Instant::now() + 100 * SECOND;
        let mut log = Log::new(ReplicaLag::Time(10 * SECOND));
        assert_eq!(required(&log, start), None);
        for second in 0..30 {
            let lsn = Lsn(100 + u64::from(second));
            log.observe(start + second * SECOND, 1, lsn, lsn);
        }
        assert_eq!(required(&log, start + 29 * SECOND), Some((1, 119)));
        assert!(log.flushed.len() <= 11, "{}", log.flushed.len());
        // The primary says nothing more: a replica still has to replay what it wrote.
        assert_eq!(required(&log, start + 34 * SECOND), Some((1, 124)));
        assert_eq!(required(&log, start + 99 * SECOND), Some((1, 129)));
    }

    #[test]
    fn an_idle_primary_takes_no_room_and_leaves_nobody_behind() {
        let start = Instant::now() + 100 * SECOND;
        let mut log = Log::new(ReplicaLag::Time(SECOND));
        for second in 0..1000 {
            log.observe(start + second * SECOND, 1, Lsn(100), Lsn(128));
        }
        assert_eq!((log.flushed.len(), required(&log, start + 1000 * SECOND)), (1, Some((1, 100))));
    }

    #[test]
    fn a_lag_in_bytes_asks_for_what_is_flushed_but_for_so_many() {
        let mut log = Log::new(ReplicaLag::Bytes(30));
        let now = Instant::now();
        log.observe(now, 1, Lsn(100), Lsn(100));
        assert_eq!(required(&log, now), Some((1, 70)));
        log.observe(now, 1, Lsn(1000), Lsn(1000));
        assert_eq!((required(&log, now), log.flushed.len()), (Some((1, 970)), 1));
    }

    #[test]
    fn a_promotion_begins_anew_and_the_former_primary_is_not_believed() {
        let (mut log, now) = (Log::new(ReplicaLag::Bytes(0)), Instant::now());
        log.observe(now, 1, Lsn(100), Lsn(120));
        log.written(Position { timeline: 1, lsn: Lsn(130) });
        assert_eq!(log.latest(), Some(Position { timeline: 1, lsn: Lsn(130) }));
        log.observe(now, 2, Lsn(90), Lsn(95));
        assert_eq!(log.latest(), Some(Position { timeline: 2, lsn: Lsn(95) }));
        log.observe(now, 1, Lsn(500), Lsn(500));
        log.written(Position { timeline: 1, lsn: Lsn(500) });
        assert_eq!(required(&log, now), Some((2, 90)));
        assert_eq!(log.latest(), Some(Position { timeline: 2, lsn: Lsn(95) }));
    }
}
