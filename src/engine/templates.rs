//! The templates of one engine: a bounded number of them, least recently used out first, because the shapes of requests
//! are chosen by strangers. A template is kept from the second time on that its shape is seen, so what strangers send once
//! displaces nothing. What cannot be planned is never kept.

use super::template::Template;
use crate::request::shape::Shape;
use lru::LruCache;
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many templates are kept.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// A template whose statement is longer is not kept, which bounds the memory that all of them take.
const LONGEST: usize = 32 << 10;

/// The templates of one engine.
pub(super) struct Templates {
    hasher: RandomState,
    known: Mutex<Known>,
}

struct Known {
    templates: LruCache<u64, Kept>,
    /// Shapes that were seen once.
    seen: LruCache<u64, ()>,
}

struct Kept {
    role: Box<str>,
    shape: Shape,
    template: Arc<Template>,
}

impl Default for Templates {
    fn default() -> Self {
        let known = Known { templates: LruCache::new(CAPACITY), seen: LruCache::new(CAPACITY) };
        Self { hasher: RandomState::new(), known: Mutex::new(known) }
    }
}

impl Templates {
    /// The template of this shape for this role; `make` makes one where none is kept.
    pub(super) fn get<E>(
        &self,
        role: &str,
        shape: &Shape,
        make: impl FnOnce(Shape) -> Result<Template, E>,
    ) -> Result<Arc<Template>, E> {
        let key = self.hasher.hash_one((role, shape));
        let kept = self.known().templates.get(&key).map(|kept| {
            // Two shapes may have one hash.
            (*kept.role == *role && kept.shape == *shape).then(|| Arc::clone(&kept.template))
        });
        if let Some(Some(template)) = kept {
            return Ok(template);
        }
        let template = Arc::new(make(shape.clone())?);
        if template.size() <= LONGEST {
            let mut known = self.known();
            if known.seen.pop(&key).is_none() {
                known.seen.put(key, ());
            } else {
                let kept = Kept { role: role.into(), shape: shape.clone(), template: Arc::clone(&template) };
                known.templates.put(key, kept);
            }
        }
        Ok(template)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing in there can be half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Templates").field("kept", &self.known().templates.len()).finish_non_exhaustive()
    }
}
