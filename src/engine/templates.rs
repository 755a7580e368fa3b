//! The templates of one engine: a bounded number of them, least recently used out first, because the shapes of requests
//! are chosen by strangers. A template is kept from the second time on that its shape is seen, so what strangers send once
//! displaces nothing. What cannot be planned is never kept.

use super::template::Template;
use crate::{metrics::Lookups, request::shape::Shape};
use lru::{DefaultHasher, LruCache};
use std::{
    fmt,
    hash::BuildHasher,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many templates are kept.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// A template whose statement is longer is not kept, which bounds the memory that all of them take.
const LONGEST: usize = 8 << 10;

/// A value that is made of a shape and can be kept; a [`Template`], or a text in tests.
pub(super) trait Made {
    /// The length of its statement.
    fn size(&self) -> usize;
}

/// The templates of one engine.
pub(super) struct Templates<T = Template> {
    /// Seeded by chance. Strangers who find shapes with one hash displace each other's templates, and no more.
    hasher: DefaultHasher,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    templates: LruCache<u64, Kept<T>>,
    /// Shapes that were seen once.
    seen: LruCache<u64, ()>,
}

struct Kept<T> {
    role: Box<str>,
    shape: Shape,
    template: Arc<T>,
}

impl<T> Default for Templates<T> {
    fn default() -> Self {
        let known = Known { templates: LruCache::new(CAPACITY), seen: LruCache::new(CAPACITY) };
        Self { hasher: DefaultHasher::default(), known: Mutex::new(known) }
    }
}

impl<T: Made> Templates<T> {
    /// The template of this shape for this role; `make` makes one where none is kept, which `lookups` counts.
    pub(super) fn get<E>(
        &self,
        role: &str,
        shape: &Shape,
        lookups: &Lookups,
        make: impl FnOnce(Shape) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let key = self.hasher.hash_one((role, shape));
        let kept = self.known().templates.get(&key).map(|kept| {
            // Two shapes may have one hash.
            (*kept.role == *role && kept.shape == *shape).then(|| Arc::clone(&kept.template))
        });
        if let Some(Some(template)) = kept {
            lookups.hits.add(1);
            return Ok(template);
        }
        lookups.misses.add(1);
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
}

impl<T> Templates<T> {
    fn known(&self) -> MutexGuard<'_, Known<T>> {
        // Nothing in there can be half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Templates<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Templates").field("kept", &self.known().templates.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{Accept, Action, Query, Request, parse, prefer::Preferences};
    use std::cell::Cell;

    impl Made for String {
        fn size(&self) -> usize {
            self.len()
        }
    }

    fn shape(relation: &str, filter: &str) -> Shape {
        let filters = vec![parse::filter("id", filter).unwrap()];
        let request = Request {
            schema: "api".to_owned(),
            action: Action::Read { relation: relation.to_owned() },
            query: Query { filters, ..Query::default() },
            preferences: Preferences::default(),
            accept: Accept::Columns,
            context: Default::default(),
            deadline: None,
        };
        request.split().0
    }

    /// What there is for a shape, and whether it had to be made.
    fn get(templates: &Templates<String>, role: &str, shape: &Shape, made: &str) -> (String, bool) {
        let is_made = Cell::new(false);
        let make = |_| {
            is_made.set(true);
            Ok::<_, ()>(made.to_owned())
        };
        let found = templates.get(role, shape, &Lookups::default(), make).unwrap();
        ((*found).clone(), is_made.get())
    }

    #[test]
    fn a_shape_is_kept_from_its_second_time_on_for_its_role() {
        let templates = Templates::default();
        let item = shape("item", "eq.1");
        assert!(get(&templates, "a", &item, "one").1);
        assert!(get(&templates, "a", &item, "two").1);
        assert_eq!(get(&templates, "a", &shape("item", "eq.2"), "three"), ("two".to_owned(), false));
        assert_eq!(get(&templates, "b", &item, "of b"), ("of b".to_owned(), true));
        assert_eq!(get(&templates, "a", &shape("item", "gt.1"), "other"), ("other".to_owned(), true));
    }

    #[test]
    fn what_comes_once_displaces_nothing_and_what_is_too_long_is_not_kept() {
        let templates = Templates::default();
        let used = shape("used", "eq.1");
        for _ in 0..2 {
            get(&templates, "a", &used, "kept");
        }
        for stranger in 0..3 * CAPACITY.get() {
            get(&templates, "a", &shape(&stranger.to_string(), "eq.1"), "once");
        }
        assert_eq!(get(&templates, "a", &used, "again"), ("kept".to_owned(), false));
        let long = "x".repeat(LONGEST + 1);
        for _ in 0..3 {
            assert!(get(&templates, "a", &shape("long", "eq.1"), &long).1);
        }
        for often in 0..2 * CAPACITY.get() {
            for _ in 0..2 {
                get(&templates, "a", &shape(&often.to_string(), "eq.1"), "often");
            }
        }
        assert_eq!(templates.known().templates.len(), CAPACITY.get());
    }

    #[test]
    fn what_cannot_be_made_is_tried_again() {
        let templates = Templates::<String>::default();
        let item = shape("item", "eq.1");
        for _ in 0..3 {
            assert_eq!(templates.get("a", &item, &Lookups::default(), |_| Err("no")), Err("no"));
        }
        assert!(get(&templates, "a", &item, "one").1);
    }
}
