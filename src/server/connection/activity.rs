//! What a connection is doing, so that one that does nothing can make room for another. It closes none by itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long to wait before looking again for an idle connection, where there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The connections of a listener: at most so many.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    next: AtomicU64,
    /// Told when one has ended.
    left: Notify,
    began: Instant,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    /// Requests that are not answered to the end.
    requests: AtomicUsize,
    /// Whether bytes of an answer wait for the client.
    blocked: AtomicBool,
    /// Milliseconds after the listener's beginning.
    idle_since: AtomicU64,
    closing: AtomicBool,
    close: Notify,
    began: Instant,
}

/// A connection's place among the others, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub(super) activity: Arc<Activity>,
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct Answering(Arc<Activity>);

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        let (open, next, left) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Self { most, open, next, left, began: Instant::now() }
    }

    /// A place for a connection that has come. Where there is none left, the connection that has been idle for the
    /// longest time is closed; where all are busy, this waits until one is not. May be dropped and called again.
    pub(super) async fn admit(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_admit() {
                return place;
            }
            self.close_idle();
            tokio::select! {
                () = self.left.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// A place for a connection, if one is left.
    pub(super) fn try_admit(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.open();
        if open.len() >= self.most {
            return None;
        }
        let activity = Arc::new(Activity::new(self.began));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(number, activity.clone());
        Some(Place { connections: self.clone(), number, activity })
    }

    fn close_idle(&self) {
        let open = self.open();
        // One at a time: it may take a moment.
        if open.values().any(|activity| activity.closing.load(Ordering::Relaxed)) {
            return;
        }
        let idle = open.values().filter(|activity| activity.is_idle());
        if let Some(longest) = idle.min_by_key(|activity| activity.idle_since.load(Ordering::Relaxed)) {
            longest.closing.store(true, Ordering::Relaxed);
            longest.close.notify_one();
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.left.notify_one();
    }
}

impl Activity {
    fn new(began: Instant) -> Self {
        let activity = Self {
            requests: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            close: Notify::new(),
            began,
        };
        activity.rests();
        activity
    }

    /// A request has come.
    pub(super) fn request(self: &Arc<Self>) -> Answering {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// Bytes wait for the client.
    pub(super) fn block(&self) {
        self.blocked.store(true, Ordering::Relaxed);
    }

    /// They do no longer.
    pub(super) fn unblock(&self) {
        self.blocked.store(false, Ordering::Relaxed);
        self.rests();
    }

    /// Returns when the connection has to make room. May be dropped and called again.
    pub(super) async fn has_to_close(&self) {
        self.close.notified().await;
    }

    fn rests(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_since.store(now, Ordering::Relaxed);
    }

    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && !self.blocked.load(Ordering::Relaxed)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.rests();
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn the_longest_idle_makes_room_and_who_is_busy_does_not() {
        let connections = Arc::new(Connections::new(3));
        let place = || connections.try_admit().expect("there is room");
        let (busy, blocked, idle) = (place(), place(), place());
        let answering = busy.activity.request();
        blocked.activity.block();
        let closes = |place: &Place| place.activity.has_to_close().now_or_never().is_some();
        let full = || connections.admit().now_or_never().is_none();
        assert!(full());
        assert!(closes(&idle) && !closes(&busy) && !closes(&blocked));
        assert!(full() && !closes(&busy) && !closes(&blocked), "one at a time, and none that is at work");
        drop(idle);
        let late = place();
        for (place, since) in [(&busy, 3), (&blocked, 1), (&late, 2)] {
            place.activity.idle_since.store(since, Ordering::Relaxed);
        }
        blocked.activity.blocked.store(false, Ordering::Relaxed);
        assert!(full());
        assert!(closes(&blocked) && !closes(&busy) && !closes(&late));
        drop((answering, busy, blocked, late));
        assert!(connections.open().is_empty());
    }
}
