//! What a connection is doing, so that one that does nothing, or waits for a client that hardly does anything, can make
//! room for another. It closes none by itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::metrics::Meters;

/// How long to wait before looking again for a connection that can go, where there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A client that made progress within this is at work, and its connection stays.
const AT_WORK: Duration = Duration::from_secs(1);

/// The number by which a head waits for its client. Others are counted from 0.
const HEAD: u64 = u64::MAX;

/// The connections of a listener: at most so many.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    next: AtomicU64,
    /// Told when one has ended.
    left: Notify,
    began: Instant,
    meters: Arc<Meters>,
}

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    /// Requests that are not answered to the end.
    requests: AtomicUsize,
    /// Requests that have come.
    taken: AtomicU64,
    /// Whether a head that is counted is coming: it waits for the client by the number [`HEAD`].
    head_waits: AtomicBool,
    /// What waits for the client, and since when: more of a body has to come, or a piece of an answer to leave.
    waits: Mutex<HashMap<u64, Instant>>,
    next_wait: AtomicU64,
    /// When the client did something last that counts, in milliseconds after the listener's beginning.
    progress: AtomicU64,
    closing: AtomicBool,
    close: Notify,
    began: Instant,
    meters: Arc<Meters>,
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

/// Something that waits for the client, until this is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    activity: Arc<Activity>,
    number: u64,
}

impl Connections {
    pub(super) fn new(most: usize, meters: Arc<Meters>) -> Self {
        let (open, next, left) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Self { most, open, next, left, began: Instant::now(), meters }
    }

    /// A place for a connection that has come. Where there is none left, the connection that has been idle for the
    /// longest time is closed; where none is idle, the one that has waited for its client for the longest time; where all
    /// are at work, this waits until one is not. May be dropped and called again.
    pub(super) async fn admit(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_admit() {
                return place;
            }
            self.close_one();
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
        let activity = Arc::new(Activity::new(self.began, self.meters.clone()));
        self.meters.connections.rise();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(number, activity.clone());
        Some(Place { connections: self.clone(), number, activity })
    }

    fn close_one(&self) {
        self.close_first(|open| {
            let longest = |may_go: fn(&Activity) -> bool| {
                let those = open.values().filter(|activity| may_go(activity));
                those.min_by_key(|activity| activity.progress.load(Ordering::Relaxed))
            };
            longest(Activity::is_idle).or_else(|| longest(Activity::is_stalled))
        });
    }

    /// Closes the connection on which something has waited for its client for the longest time, whatever else is done
    /// there: it may hold memory that others need.
    pub(super) fn close_stalled(&self) {
        self.close_first(|open| {
            let waits = open.values().filter_map(|activity| Some((activity, activity.oldest_wait()?)));
            let stalled = waits.filter(|(_, since)| since.elapsed() >= AT_WORK);
            stalled.min_by_key(|(_, since)| *since).map(|(activity, _)| activity)
        });
    }

    fn close_first<'a>(
        &'a self,
        choose: impl FnOnce(&HashMap<u64, Arc<Activity>>) -> Option<&Arc<Activity>> + 'a,
    ) {
        let open = self.open();
        // One at a time: it may take a moment.
        if open.values().any(|activity| activity.closing.load(Ordering::Relaxed)) {
            return;
        }
        if let Some(chosen) = choose(&open) {
            chosen.closing.store(true, Ordering::Relaxed);
            chosen.close.notify_one();
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.number);
        self.connections.meters.connections.fall();
        self.connections.left.notify_one();
    }
}

impl Activity {
    fn new(began: Instant, meters: Arc<Meters>) -> Self {
        let activity = Self {
            requests: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            head_waits: AtomicBool::new(false),
            waits: Mutex::default(),
            next_wait: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            close: Notify::new(),
            began,
            meters,
        };
        activity.progress();
        activity
    }

    /// A request has come.
    pub(super) fn request(self: &Arc<Self>) -> Answering {
        self.progress();
        self.head_came();
        self.taken.fetch_add(1, Ordering::Relaxed);
        if self.requests.fetch_add(1, Ordering::Relaxed) == 0 {
            self.meters.active_connections.rise();
        }
        Answering(self.clone())
    }

    /// How many requests have come.
    pub(super) fn requests_taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether a request is not answered to the end.
    pub(super) fn is_answering(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// A large head is coming, and holds memory until the client has sent the rest of it.
    pub(super) fn head_waits(&self, since: Instant) {
        self.head_waits.store(true, Ordering::Relaxed);
        self.waits().insert(HEAD, since);
    }

    /// No head is waited for any more.
    pub(super) fn head_came(&self) {
        if self.head_waits.load(Ordering::Relaxed) {
            self.head_waits.store(false, Ordering::Relaxed);
            self.waits().remove(&HEAD);
        }
    }

    /// Something waits for the client, and has since then.
    pub(super) fn wait(self: &Arc<Self>, since: Instant) -> Waiting {
        let number = self.next_wait.fetch_add(1, Ordering::Relaxed);
        self.waits().insert(number, since);
        Waiting { activity: self.clone(), number }
    }

    /// The client has done something that counts: a request, or a piece of a body or of an answer.
    pub(super) fn progress(&self) {
        self.progress.store(self.now(), Ordering::Relaxed);
    }

    /// Returns when the connection has to make room. May be dropped and called again.
    pub(super) async fn has_to_close(&self) {
        self.close.notified().await;
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn oldest_wait(&self) -> Option<Instant> {
        self.waits().values().min().copied()
    }

    /// Whether nothing is to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && self.waits().is_empty()
    }

    /// Whether everything that is to be done waits for the client, and has for a while.
    fn is_stalled(&self) -> bool {
        let waits = self.waits().len() >= self.requests.load(Ordering::Relaxed).max(1);
        let since = self.now().saturating_sub(self.progress.load(Ordering::Relaxed));
        waits && u128::from(since) >= AT_WORK.as_millis()
    }
}

impl Answering {
    /// It waits for its client.
    pub(super) fn wait(&self) -> Waiting {
        self.0.wait(Instant::now())
    }
}

impl Waiting {
    /// The client has done something that counts.
    pub(super) fn progress(&self) {
        self.activity.waits().insert(self.number, Instant::now());
        self.activity.progress();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.progress();
        if self.0.requests.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.meters.active_connections.fall();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.activity.waits().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn the_longest_idle_makes_room_and_who_is_busy_does_not() {
        let connections = Arc::new(Connections::new(3, Arc::default()));
        let place = || connections.try_admit().expect("there is room");
        let (busy, blocked, idle) = (place(), place(), place());
        let answering = busy.activity.request();
        let waiting = blocked.activity.wait(Instant::now());
        let closes = |place: &Place| place.activity.has_to_close().now_or_never().is_some();
        let full = || connections.admit().now_or_never().is_none();
        assert!(full());
        assert!(closes(&idle) && !closes(&busy) && !closes(&blocked));
        assert!(full() && !closes(&busy) && !closes(&blocked), "one at a time, and none that is at work");
        drop(idle);
        let late = place();
        for (place, since) in [(&busy, 3), (&blocked, 1), (&late, 2)] {
            place.activity.progress.store(since, Ordering::Relaxed);
        }
        drop(waiting);
        assert!(full());
        assert!(closes(&blocked) && !closes(&busy) && !closes(&late));
        drop((answering, busy, blocked, late));
        assert!(connections.open().is_empty());
    }

    #[tokio::test]
    async fn where_none_is_idle_the_one_that_waits_for_its_client_for_the_longest_time_goes() {
        let mut connections = Connections::new(3, Arc::default());
        connections.began -= Duration::from_secs(60);
        let connections = Arc::new(connections);
        let places = [(); 3].map(|()| connections.try_admit().expect("there is room"));
        let answering = places.each_ref().map(|place| place.activity.request());
        let [works, reads, writes] = &places;
        let closes = |place: &Place| place.activity.has_to_close().now_or_never().is_some();
        let full = || connections.admit().now_or_never().is_none();
        let long_ago = connections.began;
        let waiting = reads.activity.wait(long_ago);
        let _blocked = writes.activity.wait(long_ago + Duration::from_secs(1));
        assert!(full() && places.iter().all(|place| !closes(place)), "all have just done something");
        for (place, since) in [(works, 1), (reads, 2), (writes, 3)] {
            place.activity.progress.store(since, Ordering::Relaxed);
        }
        assert!(full());
        assert!(closes(reads) && !closes(works) && !closes(writes));
        reads.activity.closing.store(false, Ordering::Relaxed);
        drop(waiting);
        assert!(full());
        assert!(closes(writes) && !closes(works) && !closes(reads), "what came whole is worked on");
        writes.activity.closing.store(false, Ordering::Relaxed);
        // Where memory is short, one wait is enough.
        let _another = works.activity.request();
        let late = works.activity.wait(long_ago);
        connections.close_stalled();
        assert!(closes(works) && !closes(reads) && !closes(writes));
        works.activity.closing.store(false, Ordering::Relaxed);
        late.progress();
        connections.close_stalled();
        assert!(closes(writes) && !closes(reads) && !closes(works), "who goes on is not in the way");
        drop(answering);
    }
}
