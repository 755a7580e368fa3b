//! What bodies and answers under way hold in the whole process: no more than `server-max-memory`. A leaf: it counts bytes
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

/// Leases grow by so much, so that not every row is counted.
const STEP: usize = 16 * 1024;

/// The memory that there is for bodies and answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    limit: usize,
    held: AtomicUsize,
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
        Self(Arc::new(Budget { limit, held: AtomicUsize::new(0) }))
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
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
}

impl Lease {
    /// Holds `bytes` in all, at least.
    pub fn cover(&mut self, bytes: usize) -> Result<(), Full> {
        if bytes <= self.held {
            return Ok(());
        }
        let Budget { limit, held } = &*self.memory.0;
        if bytes > *limit {
            return Err(Full::Ever);
        }
        let wanted = bytes.checked_next_multiple_of(STEP).unwrap_or(bytes).min(*limit);
        let more = wanted - self.held;
        let before = held.fetch_add(more, Ordering::Relaxed);
        match self.kind {
            Kind::Within if before.saturating_add(more) > *limit => {
                held.fetch_sub(more, Ordering::Relaxed);
                Err(Full::Now)
            }
            Kind::Within | Kind::Beyond => {
                self.held = wanted;
                Ok(())
            }
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
        self.memory.0.held.fetch_sub(self.held, Ordering::Relaxed);
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
    fn the_limit_can_be_used_up_to_its_last_byte() {
        let memory = Memory::new(STEP + 10);
        assert_eq!(memory.lease().cover(STEP + 10), Ok(()));
        assert_eq!(memory.lease().cover(STEP + 11), Err(Full::Ever));
        assert_eq!(memory.lease().keep(Vec::<u8>::new()).len(), 0);
    }
}
