//! Tokens whose signature was verified, so that it is not verified again. Bounded: the
//! least recently used goes first. Claims about time are not its business; they are
//! checked on every use. What one set of keys has verified, another has not.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use lru::LruCache;

use super::Identity;

/// Identities by token, and the generation of the keys that verified them.
#[derive(Debug)]
struct Entries {
    generation: u64,
    identities: LruCache<Box<[u8]>, Arc<Identity>>,
}

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
            let mut identities = LruCache::unbounded();
            identities.resize(max);
            Mutex::new(Entries { generation: 0, identities })
        });
        Cache { entries, requests: AtomicU64::new(0), hits: AtomicU64::new(0), evictions: AtomicU64::new(0) }
    }

    /// What the keys of this generation have verified. The entries of an earlier one go.
    pub(super) fn get(&self, token: &[u8], generation: u64) -> Option<Arc<Identity>> {
        let entries = self.entries.as_ref()?;
        self.requests.fetch_add(1, Relaxed);
        let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.generation < generation {
            entries.generation = generation;
            entries.identities.clear();
        }
        let identity = match entries.generation == generation {
            true => entries.identities.get(token).cloned(),
            false => None,
        };
        drop(entries);
        self.hits.fetch_add(u64::from(identity.is_some()), Relaxed);
        identity
    }

    /// Remembers what the keys of this generation have verified.
    pub(super) fn insert(&self, token: &[u8], generation: u64, identity: Arc<Identity>) {
        let Some(entries) = &self.entries else { return };
        let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.generation != generation {
            return;
        }
        let evicted = entries.identities.push(token.into(), identity);
        drop(entries);
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
