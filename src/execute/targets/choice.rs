//! Which replica a read goes to: a function of what is known of the replicas, and of nothing else.

use crate::position::{Lsn, Position};

/// What is known of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) service: Service,
    /// The timeline that it has proved to be on.
    pub(super) timeline: u32,
    pub(super) replayed: Lsn,
    /// Requests under way there.
    pub(super) busy: usize,
}

/// Whether a replica may serve a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// It works, and is not too far behind.
    In,
    /// It does not, or is, or this read has failed there.
    Out,
}

/// Where a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// To the replica at this place.
    Replica(usize),
    /// To none as yet: one will have replayed what the client has seen.
    Wait,
    /// To the primary.
    Primary,
}

/// The least busy replica in service that has replayed up to `seen`; of several the first from `turn` on. What nobody has
/// written yet, as far as `latest` of the primary says, is not waited for: anybody can send a position.
pub(super) fn choose(
    candidates: impl ExactSizeIterator<Item = Candidate>,
    seen: Option<Position>,
    latest: Option<Position>,
    turn: usize,
) -> Choice {
    let count = candidates.len().max(1);
    // Requests under way, the place from `turn` on, and the place.
    let mut best: Option<(usize, usize, usize)> = None;
    let mut may_come = false;
    for (at, candidate) in candidates.enumerate().filter(|(_, candidate)| candidate.service == Service::In) {
        match seen {
            Some(seen) if !seen.is_reached(candidate.timeline, candidate.replayed) => {
                may_come |=
                    candidate.timeline >= seen.timeline && latest.is_some_and(|latest| seen <= latest);
            }
            Some(_) | None => {
                let rank = (candidate.busy, (at + count - turn % count) % count, at);
                if best.is_none_or(|best| rank < best) {
                    best = Some(rank);
                }
            }
        }
    }
    match (best, may_come) {
        (Some((_, _, at)), _) => Choice::Replica(at),
        (None, true) => Choice::Wait,
        (None, false) => Choice::Primary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(replayed: u64, busy: usize) -> Candidate {
        Candidate { service: Service::In, timeline: 2, replayed: Lsn(replayed), busy }
    }

    fn out(candidate: Candidate) -> Candidate {
        Candidate { service: Service::Out, ..candidate }
    }

    fn position(timeline: u32, lsn: u64) -> Option<Position> {
        Some(Position { timeline, lsn: Lsn(lsn) })
    }

    fn chosen(candidates: &[Candidate], seen: Option<Position>) -> Choice {
        choose(candidates.iter().copied(), seen, position(2, 100), 0)
    }

    #[test]
    fn the_least_busy_replica_in_service_is_chosen() {
        assert_eq!(chosen(&[replica(0, 3), replica(0, 1), replica(0, 2)], None), Choice::Replica(1));
        assert_eq!(chosen(&[replica(0, 3), out(replica(0, 1))], None), Choice::Replica(0));
        assert_eq!(chosen(&[out(replica(0, 0))], None), Choice::Primary);
        assert_eq!(chosen(&[], None), Choice::Primary);
    }

    #[test]
    fn of_those_that_are_as_busy_each_has_its_turn() {
        let candidates = [replica(0, 1), replica(0, 1), replica(0, 1)];
        let turns = (0..6).map(|turn| choose(candidates.iter().copied(), None, None, turn));
        let expected = [0, 1, 2, 0, 1, 2].map(Choice::Replica);
        assert_eq!(turns.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_the_client_has_seen_is_read_where_it_has_been_replayed_or_waited_for() {
        let seen = position(2, 50);
        assert_eq!(chosen(&[replica(49, 0), replica(50, 9)], seen), Choice::Replica(1));
        assert_eq!(chosen(&[replica(49, 0), replica(10, 0)], seen), Choice::Wait);
        assert_eq!(chosen(&[replica(49, 0), out(replica(50, 0))], seen), Choice::Wait);
        assert_eq!(chosen(&[out(replica(49, 0))], seen), Choice::Primary);
    }

    #[test]
    fn nobody_waits_for_what_the_primary_has_not_written() {
        assert_eq!(chosen(&[replica(100, 0)], position(2, 101)), Choice::Primary);
        assert_eq!(chosen(&[replica(100, 0)], position(2, u64::MAX)), Choice::Primary);
        assert_eq!(choose([replica(0, 0)].into_iter(), position(1, 1), None, 0), Choice::Primary);
    }

    #[test]
    fn a_replica_of_an_earlier_timeline_has_not_what_was_written_after_a_promotion() {
        let ahead = Candidate { timeline: 1, ..replica(1000, 0) };
        assert_eq!(chosen(&[ahead], position(2, 50)), Choice::Primary);
        assert_eq!(chosen(&[ahead, replica(50, 5)], position(2, 50)), Choice::Replica(1));
        assert_eq!(chosen(&[replica(50, 5)], position(1, 50)), Choice::Replica(0));
    }
}
