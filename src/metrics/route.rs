//! What requests are about, and how long they took. Only what the catalog has becomes a route of its own, and only when
//! it is first asked for; there are at most [`MOST_ROUTES`] at once, and the others share one. A request finds its route in
//! the plan or the method that it uses, so that no name is looked up for it.

use super::{
    histogram::{Histogram, Shot},
    label::{Code, Method},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

/// Relations and functions that have a route of their own.
pub const MOST_ROUTES: usize = 200;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject<'s> {
    /// A relation: schema and name.
    Relation(&'s str, &'s str),
    /// A function, whatever its arguments: schema and name.
    Function(&'s str, &'s str),
}

/// No name of the catalog's is one of these: those have a dot.
impl fmt::Display for Subject<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Relation(schema, name) => write!(out, "{schema}.{name}"),
            Subject::Function(schema, name) => write!(out, "{schema}.{name}()"),
        }
    }
}

/// The requests about one thing.
pub struct Route {
    name: Box<str>,
    methods: [OnceLock<Box<Codes>>; Method::ALL.len()],
}

/// How they ended.
type Codes = [OnceLock<Box<Histogram>>; Code::ALL.len()];

impl Route {
    fn new(name: impl Into<Box<str>>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), methods: Default::default() })
    }

    /// Its name, as the label has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A request has been answered. Memory is taken only for the first request of a method and a code.
    pub fn observe(&self, method: Method, code: Code, took: Duration) {
        let codes = self.methods[method as usize].get_or_init(|| Box::new([const { OnceLock::new() }; _]));
        codes[code as usize].get_or_init(Box::default).observe(took);
    }

    /// What there has been.
    pub fn shots(&self) -> impl Iterator<Item = (Method, Code, Shot)> {
        let methods = Method::ALL.iter().zip(&self.methods);
        methods.filter_map(|(method, codes)| Some((method, codes.get()?))).flat_map(|(method, codes)| {
            let codes = Code::ALL.iter().zip(codes.iter());
            codes.filter_map(|(code, times)| Some((*method, *code, times.get()?.shot())))
        })
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Route").field(&self.name).finish()
    }
}

/// All routes.
#[derive(Debug)]
pub struct Routes {
    known: Mutex<HashMap<Box<str>, Arc<Route>>>,
    /// The root document, and files of the viewer.
    pub documents: Arc<Route>,
    /// Several requests in one transaction.
    pub transaction: Arc<Route>,
    /// Health and reflection.
    pub infrastructure: Arc<Route>,
    /// What does not exist, or was refused before it was known what it is about.
    pub unknown: Arc<Route>,
    /// What the catalog has and is beyond [`MOST_ROUTES`].
    pub other: Arc<Route>,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            documents: Route::new("documents"),
            transaction: Route::new("transaction"),
            infrastructure: Route::new("infrastructure"),
            unknown: Route::new("unknown"),
            other: Route::new("other"),
        }
    }
}

impl Routes {
    /// The route of something that the catalog has.
    pub fn of(&self, subject: Subject<'_>) -> Arc<Route> {
        let name = subject.to_string().into_boxed_str();
        let mut known = self.known();
        if let Some(route) = known.get(&name) {
            return route.clone();
        }
        if known.len() >= MOST_ROUTES {
            return self.other.clone();
        }
        let route = Route::new(name.clone());
        known.insert(name, route.clone());
        route
    }

    /// Forgets what the catalog does not have any more. What is under way is counted for nobody.
    pub fn keep<'s>(&self, there: impl Iterator<Item = Subject<'s>>) {
        let mut known = self.known();
        let mut gone = std::mem::take(&mut *known);
        for subject in there {
            if gone.is_empty() {
                break;
            }
            if let Some((name, route)) = gone.remove_entry(subject.to_string().as_str()) {
                known.insert(name, route);
            }
        }
    }

    /// All that there are, by name.
    pub fn all(&self) -> Vec<Arc<Route>> {
        let mut all: Vec<_> = self.known().values().cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        let fixed = [&self.documents, &self.transaction, &self.infrastructure, &self.unknown, &self.other];
        all.extend(fixed.map(Arc::clone));
        all
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Route>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(routes: &Routes) -> Vec<String> {
        routes.all().iter().map(|route| route.name().to_owned()).collect()
    }

    #[test]
    fn a_route_is_made_once_and_kept_as_long_as_the_catalog_has_it() {
        let routes = Routes::default();
        let fixed = names(&routes);
        let item = routes.of(Subject::Relation("api", "item"));
        item.observe(Method::HttpGet, Code::Success, Duration::from_millis(1));
        routes.of(Subject::Function("api", "item"));
        assert!(Arc::ptr_eq(&item, &routes.of(Subject::Relation("api", "item"))));
        assert_eq!(names(&routes)[..2], ["api.item", "api.item()"]);
        routes.keep([Subject::Relation("api", "new"), Subject::Relation("api", "item")].into_iter());
        assert_eq!(names(&routes), [&["api.item".to_owned()], fixed.as_slice()].concat());
        let shots: Vec<_> = routes.of(Subject::Relation("api", "item")).shots().collect();
        let [(Method::HttpGet, Code::Success, shot)] = shots.as_slice() else { panic!("{shots:?}") };
        assert_eq!(shot.count(), 1);
    }

    #[test]
    fn beyond_the_most_routes_all_share_one() {
        let routes = Routes::default();
        for number in 0..MOST_ROUTES {
            routes.of(Subject::Relation("api", &number.to_string()));
        }
        let before = names(&routes);
        assert!(Arc::ptr_eq(&routes.other, &routes.of(Subject::Relation("api", "one more"))));
        assert_eq!(names(&routes), before);
        // Two names may be written alike, and the samples of a page must differ.
        let routes = Routes::default();
        let one = routes.of(Subject::Relation("a.b", "c"));
        assert!(Arc::ptr_eq(&one, &routes.of(Subject::Relation("a", "b.c"))));
    }
}
