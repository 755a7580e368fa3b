//! Tokens whose signature was verified, so that it is not verified again. Bounded: the
//! least recently used goes first. Claims about time are not its business; they are
//! checked on every use.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use lru::LruCache;

use super::Identity;

type Entries = LruCache<Box<[u8]>, Arc<Identity>>;

/// Identities by token. Without room for any it is never asked.
#[derive(Debug)]
pub(super) struct Cache {
    entries: Option<Mutex<Entries>>,
    requests: AtomicU64,
    hits: AtomicU64,
    evictions: AtomicU64,
}

/// What a cache has done since it was made, for the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheCounters {
    /// Look-ups.
    pub requests: u64,
    /// Look-ups that found the token.
    pub hits: u64,
    /// Entries that went to make room.
    pub evictions: u64,
}

impl Cache {
    pub(super) fn new(max_entries: usize) -> Cache {
        // `new` would reserve room for all entries at once.
        let entries = NonZeroUsize::new(max_entries).map(|max| {
            let mut entries = LruCache::unbounded();
            entries.resize(max);
            Mutex::new(entries)
        });
        Cache { entries, requests: AtomicU64::new(0), hits: AtomicU64::new(0), evictions: AtomicU64::new(0) }
    }

    pub(super) fn get(&self, token: &[u8]) -> Option<Arc<Identity>> {
        let entries = self.entries.as_ref()?;
        self.requests.fetch_add(1, Relaxed);
        let identity = entries.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned();
        self.hits.fetch_add(u64::from(identity.is_some()), Relaxed);
        identity
    }

    pub(super) fn insert(&self, token: &[u8], identity: Arc<Identity>) {
        let Some(entries) = &self.entries else { return };
        let evicted = entries.lock().unwrap_or_else(PoisonError::into_inner).push(token.into(), identity);
        // The same token may have been verified twice at once: that replaces, it does not evict.
        let made_room = evicted.is_some_and(|(other, _)| *other != *token);
        self.evictions.fetch_add(u64::from(made_room), Relaxed);
    }

    pub(super) fn counters(&self) -> CacheCounters {
        CacheCounters {
            requests: self.requests.load(Relaxed),
            hits: self.hits.load(Relaxed),
            evictions: self.evictions.load(Relaxed),
        }
    }
}
