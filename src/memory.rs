//! What large heads, bodies and answers under way hold in the whole process: no more than `server-max-memory`. A leaf: it counts bytes
//! and knows neither requests nor answers.
//!
//! Bytes are counted from when they come or are made until the last reader has dropped them, the socket that they are
//! written to among them: a client that reads slowly holds what it has not read.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

/// Leases grow by so much, so that not every row is counted.
const STEP: usize = 16 * 1024;
/// Those that are smaller grow by so much: a client with many tiny bodies has to hold no more than it sends.
const SMALL_STEP: usize = 512;

/// The memory that there is for bodies and answers, or a part of it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    limit: usize,
    held: AtomicUsize,
    holder: Holder,
    /// What this is a part of: what is held here is held there, too.
    whole: Option<Memory>,
    /// Told when somebody lacks what others hold.
    lacking: Notify,
}

/// Who holds what is counted in a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// One request: nobody else will give back what it lacks.
    One,
    /// Several: what one lacks, another one may give back.
    Many,
}

/// Why a lease cannot grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Others hold too much at present.
    Now,
    /// One alone would hold more than there is.
    Ever,
}

/// What one body or answer holds, until this is dropped.
#[derive(Debug)]
pub struct Lease {
    memory: Memory,
    held: usize,
    kind: Kind,
}

/// What a lease does when others hold too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Within,
    Beyond,
}

impl Memory {
    /// So many bytes in all.
    pub fn new(limit: usize) -> Self {
        Self::part(limit, Holder::Many, None)
    }

    /// The same memory, as one request sees it: where its leases together need more than there is, it is refused for
    /// good and not asked to come again.
    pub fn request(&self) -> Self {
        Self::part(self.0.limit, Holder::One, Some(self.clone()))
    }

    fn part(limit: usize, holder: Holder, whole: Option<Memory>) -> Self {
        Self(Arc::new(Budget { limit, held: AtomicUsize::new(0), holder, whole, lacking: Notify::new() }))
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Returns when the next one lacks what others hold.
    pub async fn runs_short(&self) {
        self.0.lacking.notified().await;
    }

    /// A lease of nothing so far, that grows as long as there is memory.
    pub fn lease(&self) -> Lease {
        Lease { memory: self.clone(), held: 0, kind: Kind::Within }
    }

    /// A lease that grows also where others hold too much: for what can no longer be refused. It is counted, so that
    /// others are refused instead.
    pub fn overdraft(&self) -> Lease {
        Lease { memory: self.clone(), held: 0, kind: Kind::Beyond }
    }

    fn take(&self, bytes: usize, kind: Kind) -> Result<(), Full> {
        let Budget { limit, held, holder, whole, lacking } = &*self.0;
        let before = held.fetch_add(bytes, Ordering::Relaxed);
        let here = match (before.saturating_add(bytes) > *limit, holder, kind) {
            (false, _, _) => Ok(()),
            (true, Holder::Many, _) => {
                lacking.notify_waiters();
                if kind == Kind::Within { Err(Full::Now) } else { Ok(()) }
            }
            (true, Holder::One, Kind::Within | Kind::Beyond) => Err(Full::Ever),
        };
        let everywhere = here.and_then(|()| match whole {
            Some(whole) => whole.take(bytes, kind),
            None => Ok(()),
        });
        if everywhere.is_err() {
            held.fetch_sub(bytes, Ordering::Relaxed);
        }
        everywhere
    }

    fn give_back(&self, bytes: usize) {
        self.0.held.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(whole) = &self.0.whole {
            whole.give_back(bytes);
        }
    }
}

impl Lease {
    /// Holds `bytes` in all, at least.
    pub fn cover(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes <= self.held {
            return Ok(());
        }
        self.could_cover(bytes)?;
        let limit = self.memory.0.limit;
        let step = if bytes < STEP { SMALL_STEP } else { STEP };
        let wanted = bytes.checked_next_multiple_of(step).unwrap_or(bytes).min(limit);
        self.memory.take(wanted - self.held, self.kind)?;
        self.held = wanted;
        Ok(())
    }

    /// Whether it could hold so many bytes if nobody else held any. Holds nothing: for what is only announced.
    pub fn could_cover(&self, bytes: usize) -> Result<(), Full> {
        match bytes > self.memory.0.limit {
            true => Err(Full::Ever),
            false => Ok(()),
        }
    }

    /// The bytes, which take the lease along.
    pub fn keep<T: AsRef<[u8]> + Send + 'static>(self, bytes: T) -> Bytes {
        match bytes.as_ref().is_empty() {
            true => Bytes::new(),
            false => Bytes::from_owner(Kept { bytes, _lease: self }),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.memory.give_back(self.held);
    }
}

/// Bytes and what they hold.
struct Kept<T> {
    bytes: T,
    _lease: Lease,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Kept<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl fmt::Display for Full {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Full::Now => "Bodies and answers under way hold all the memory that they may",
            Full::Ever => "It is larger than all bodies and answers may be together",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back_when_the_last_reader_has_dropped_it() {
        let memory = Memory::new(10 * STEP);
        let mut lease = memory.lease();
        assert_eq!(lease.cover(STEP + 1), Ok(()));
        assert_eq!(memory.held(), 2 * STEP);
        let bytes = lease.keep(vec![0; STEP + 1]);
        let reader = bytes.slice(..1);
        drop(bytes);
        assert_eq!(memory.held(), 2 * STEP);
        drop(reader);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn who_comes_late_is_refused_and_who_can_no_longer_be_is_counted() {
        let memory = Memory::new(4 * STEP);
        let mut first = memory.lease();
        assert_eq!(first.cover(3 * STEP), Ok(()));
        let mut second = memory.lease();
        assert_eq!(second.cover(STEP), Ok(()));
        assert_eq!(second.cover(STEP + 1), Err(Full::Now));
        assert_eq!(second.cover(4 * STEP + 1), Err(Full::Ever));
        let mut beyond = memory.overdraft();
        assert_eq!(beyond.cover(4 * STEP), Ok(()));
        assert_eq!(beyond.cover(4 * STEP + 1), Err(Full::Ever));
        drop(first);
        assert_eq!(second.cover(2 * STEP), Err(Full::Now), "what is overdrawn counts");
        drop(beyond);
        assert_eq!(second.cover(4 * STEP), Ok(()));
        drop(second);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn what_one_request_lacks_is_refused_for_good_and_what_others_hold_is_not() {
        let memory = Memory::new(4 * STEP);
        let request = memory.request();
        let (mut row, mut answer) = (request.lease(), request.lease());
        assert_eq!(row.cover(2 * STEP), Ok(()));
        assert_eq!(answer.cover(2 * STEP), Ok(()));
        assert_eq!(answer.cover(3 * STEP), Err(Full::Ever), "nobody else holds anything");
        assert_eq!(memory.held(), 4 * STEP);
        drop(answer);
        let other = memory.request();
        let mut late = other.lease();
        assert_eq!(late.cover(3 * STEP), Err(Full::Now));
        assert_eq!(late.could_cover(4 * STEP), Ok(()));
        assert_eq!(late.could_cover(4 * STEP + 1), Err(Full::Ever));
        let mut beyond = other.overdraft();
        assert_eq!(beyond.cover(4 * STEP), Ok(()));
        assert_eq!(memory.held(), 6 * STEP);
        drop((row, beyond, late));
        assert_eq!((request.held(), other.held(), memory.held()), (0, 0, 0));
    }

    #[test]
    fn the_limit_can_be_used_up_to_its_last_byte() {
        let memory = Memory::new(STEP + 10);
        assert_eq!(memory.lease().cover(STEP + 10), Ok(()));
        assert_eq!(memory.lease().cover(STEP + 11), Err(Full::Ever));
        assert_eq!(memory.lease().keep(Vec::<u8>::new()).len(), 0);
    }
}
