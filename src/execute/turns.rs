//! Who gets the next connection when all are in use: the roles that wait take turns, and within a role whoever has waited
//! longest. So a role with many requests delays another role by one unit, not by all of them. It holds no connections.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use tokio::sync::oneshot;

/// The turns there are: one for each connection.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct State {
    /// Turns that nobody has. While there are any, nobody waits.
    free: usize,
    /// Who waits, by role; none of the queues is empty.
    queues: HashMap<Bytes, VecDeque<oneshot::Sender<Turn>>>,
    /// The roles that wait, the next one first.
    roles: VecDeque<Bytes>,
}

/// A turn: the right to one connection of the pool. Dropped, it is the next one's.
#[derive(Debug)]
pub(super) struct Turn(Option<Turns>);

impl Turns {
    pub(super) fn new(count: usize) -> Turns {
        let state = State { free: count, queues: HashMap::new(), roles: VecDeque::new() };
        Turns(Arc::new(Shared { state: Mutex::new(state), waiting: AtomicUsize::new(0) }))
    }

    /// A turn, if one is free.
    pub(super) fn try_take(&self) -> Option<Turn> {
        let mut state = self.state();
        state.free = state.free.checked_sub(1)?;
        drop(state);
        Some(Turn(Some(self.clone())))
    }

    /// Waits for a turn among those who wait as `role`. None only if the turns are gone.
    pub(super) async fn wait(&self, role: &Bytes) -> Option<Turn> {
        let (sender, turn) = oneshot::channel();
        {
            let mut state = self.state();
            if let Some(left) = state.free.checked_sub(1) {
                state.free = left;
                return Some(Turn(Some(self.clone())));
            }
            let State { queues, roles, .. } = &mut *state;
            let queue = queues.entry(role.clone()).or_insert_with(|| {
                roles.push_back(role.clone());
                VecDeque::new()
            });
            // Those who came first give up first. If no turn ever comes, they must not pile up.
            while queue.front().is_some_and(oneshot::Sender::is_closed) {
                queue.pop_front();
            }
            queue.push_back(sender);
        }
        let _waiting = Waiting::new(&self.0.waiting);
        turn.await.ok()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting.load(Relaxed)
    }

    /// Hands one turn on, or makes it free.
    fn pass(self) {
        let mut turns = self;
        loop {
            let mut state = turns.state();
            let Some(next) = state.next() else {
                state.free += 1;
                return;
            };
            drop(state);
            match next.send(Turn(Some(turns))) {
                Ok(()) => return,
                // That one has given up.
                Err(mut unwanted) => match unwanted.0.take() {
                    Some(back) => turns = back,
                    None => return,
                },
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who has waited longest of the role whose turn it is. That role is the last one then.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let role = self.roles.pop_front()?;
        let queue = self.queues.get_mut(&role)?;
        let next = queue.pop_front();
        match queue.is_empty() {
            true => drop(self.queues.remove(&role)),
            false => self.roles.push_back(role),
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass();
        }
    }
}

/// Somebody waits, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::{future::Future, pin::Pin};

    type Wait<'a> = Pin<Box<dyn Future<Output = Option<Turn>> + 'a>>;

    fn wait<'a>(turns: &'a Turns, role: &'static str) -> Wait<'a> {
        let mut wait: Wait<'a> =
            Box::pin(async move { turns.wait(&Bytes::from_static(role.as_bytes())).await });
        assert!(wait.as_mut().now_or_never().is_none(), "{role} need not wait");
        wait
    }

    #[test]
    fn roles_take_turns_and_each_keeps_its_order() {
        let turns = Turns::new(1);
        let mut turn = turns.try_take().unwrap();
        assert!(turns.try_take().is_none());
        let order = ["a", "a", "a", "b", "b", "c", "a"];
        let mut waits: Vec<Option<Wait<'_>>> = order.iter().map(|role| Some(wait(&turns, role))).collect();
        assert_eq!(turns.waiting(), 7);
        for expected in [0, 3, 5, 1, 4, 2, 6] {
            drop(turn);
            let served = waits
                .iter_mut()
                .enumerate()
                .find_map(|(place, wait)| Some((place, wait.as_mut()?.as_mut().now_or_never()?.unwrap())));
            let (place, next) = served.unwrap();
            assert_eq!(place, expected);
            waits[place] = None;
            turn = next;
        }
        drop(turn);
        assert!(turns.try_take().is_some());
        assert_eq!(turns.waiting(), 0);
    }

    #[test]
    fn who_gives_up_takes_no_turn_along_and_leaves_nothing_behind() {
        let turns = Turns::new(1);
        let turn = turns.try_take().unwrap();
        for _ in 0..1000 {
            drop(wait(&turns, "a"));
        }
        assert_eq!(turns.state().queues.values().map(VecDeque::len).sum::<usize>(), 1);
        let mut patient = wait(&turns, "b");
        drop(turn);
        let served = patient.as_mut().now_or_never();
        assert!(served.is_some());
        drop(served);
        assert!(turns.try_take().is_some(), "a turn was lost");
    }

    #[test]
    fn a_turn_that_nobody_took_is_handed_on() {
        let turns = Turns::new(1);
        let turn = turns.try_take().unwrap();
        let first = wait(&turns, "a");
        let mut second = wait(&turns, "a");
        drop(turn);
        // It was given to the first one, which goes before it looks.
        drop(first);
        assert!(second.as_mut().now_or_never().is_some());
    }
}
