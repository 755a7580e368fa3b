//! The prepared statements of one connection: a bounded number of them, least recently used out first, because the
//! shapes of URLs are chosen by strangers. It chooses how a statement runs, and sends nothing.
//!
//! At first sight a statement runs unnamed. At second sight it is parsed under a name, in the same batch, and counts
//! as prepared when PostgreSQL says so; from then on it is bound only. What strangers send once displaces nothing.
//!
//! A name belongs to one process, one role and one text: behind a transaction pooler, processes share sessions, and
//! whoever binds a name of another's runs another's statement. The role belongs to it because PostgreSQL checks the
//! right to EXECUTE a function that it inlines when it plans, and never again for the same plan.

use super::fixed::Fixed;
use crate::{metrics::Meters, sql::Hashed};
use aws_lc_rs::digest::{Context, SHA256};
use lru::LruCache;
use std::{
    fmt::{self, Write as _},
    hash::{BuildHasher, RandomState},
    mem,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// What all names begin with.
pub(super) const PREFIX: &str = "pgduet_";

/// A function that replaces statements does so whenever it is called: one line in this time says so.
const REPLACED_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Whether statements are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// So many of them on each connection, unless a pooler gives each transaction another session.
    Cached(NonZeroUsize),
    /// Never.
    Never,
}

/// What the connections of a pool have in common.
pub(super) struct Preparing {
    preparation: Preparation,
    /// A random number, which makes the names this process' own.
    process: u64,
    /// The names of what is the same for every unit.
    fixed: Vec<Arc<str>>,
    is_unsafe: AtomicBool,
    is_deallocated: AtomicBool,
    code: Arc<CodeOfAuthors>,
    meters: Arc<Meters>,
}

/// Whether code of the database's authors may prepare statements of its own, under the names of pgduet's among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// It does not.
    Static,
    /// It may: the texts that it runs are made while it runs.
    Dynamic,
}

/// Whether code of the database's authors can prepare statements, as the last load of the catalog found. A reload of the
/// configuration keeps this.
#[derive(Debug, Default)]
pub(super) struct CodeOfAuthors {
    is_dynamic: AtomicBool,
    /// When somebody was last told that it has replaced statements.
    told: Mutex<Option<Instant>>,
}

impl CodeOfAuthors {
    pub(super) fn expect(&self, code: Code) {
        self.is_dynamic.store(code == Code::Dynamic, Ordering::Relaxed);
    }
}

impl fmt::Debug for Preparing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.preparation.fmt(out)
    }
}

impl Preparing {
    /// Without random numbers names would not be this process' own, so nothing is named then.
    pub(super) fn new(preparation: Preparation, code: Arc<CodeOfAuthors>, meters: Arc<Meters>) -> Self {
        let mut bytes = [0; 8];
        let is_random = aws_lc_rs::rand::fill(&mut bytes).is_ok();
        let mut preparing = Self {
            preparation,
            process: u64::from_ne_bytes(bytes),
            fixed: Vec::new(),
            is_unsafe: AtomicBool::new(!is_random),
            is_deallocated: AtomicBool::new(false),
            code,
            meters,
        };
        preparing.fixed = Fixed::SQL.iter().map(|sql| preparing.name("", sql)).collect();
        preparing
    }

    /// The configured preparation, whether or not a pooler has stopped it.
    pub(super) fn preparation(&self) -> Preparation {
        self.preparation
    }

    /// The name of a statement that is the same for every unit.
    pub(super) fn fixed(&self, fixed: Fixed) -> Arc<str> {
        Arc::clone(&self.fixed[fixed.at()])
    }

    /// All of these names, in the order of their table.
    pub(super) fn all_fixed(&self) -> &[Arc<str>] {
        &self.fixed
    }

    /// Whether code of the database's authors deallocates what is prepared: what follows it in a batch has no name then.
    pub(super) fn is_deallocated(&self) -> bool {
        self.is_deallocated.load(Ordering::Relaxed)
    }

    /// It does.
    pub(super) fn deallocated(&self) {
        self.is_deallocated.store(true, Ordering::Relaxed);
    }

    /// Where its units are counted.
    pub(super) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// What code of the database's authors may do to what is prepared.
    pub(super) fn code(&self) -> Code {
        match self.code.is_dynamic.load(Ordering::Relaxed) {
            true => Code::Dynamic,
            false => Code::Static,
        }
    }

    /// It has prepared statements under names that are pgduet's. Says so, not too often.
    pub(super) fn replaced(&self) {
        let mut told = self.code.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= REPLACED_TOLD_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(
                "A connection to PostgreSQL is closed, because a function prepared statements under names that are \
                 pgduet's. Look for PREPARE in functions, or set db-prepared-statements to false"
            );
        }
    }

    /// How many statements a connection may keep; `None` where nothing is prepared.
    pub(super) fn capacity(&self) -> Option<NonZeroUsize> {
        match self.preparation {
            Preparation::Cached(size) if !self.is_unsafe.load(Ordering::Relaxed) => Some(size),
            Preparation::Cached(_) | Preparation::Never => None,
        }
    }

    /// From now on nothing is prepared. Says so once.
    pub(super) fn stop(&self, evidence: &str) {
        if !self.is_unsafe.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "Statements are not prepared any more, because {evidence}. Set db-prepared-statements to false, \
                 or let pgduet connect to PostgreSQL itself"
            );
        }
    }

    /// The name of a statement, within the 63 bytes that PostgreSQL tells names by.
    pub(super) fn name(&self, role: &str, sql: &str) -> Arc<str> {
        let mut hash = Context::new(&SHA256);
        hash.update(&role.len().to_be_bytes());
        hash.update(role.as_bytes());
        hash.update(sql.as_bytes());
        let mut name = format!("{PREFIX}{:016x}_", self.process);
        for byte in &hash.finish().as_ref()[..16] {
            // Into a string, which takes it.
            let _ = write!(name, "{byte:02x}");
        }
        name.into()
    }
}

/// How a statement runs this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Parsed without a name.
    Unnamed,
    /// Parsed under this name.
    Named(Arc<str>),
    /// Parsed under this name before.
    Prepared(Arc<str>),
}

impl Form {
    /// What it is bound by.
    pub(super) fn name(&self) -> &str {
        match self {
            Form::Unnamed => "",
            Form::Named(name) | Form::Prepared(name) => name,
        }
    }
}

/// The statements of one connection.
pub(super) struct Statements {
    preparing: Arc<Preparing>,
    prepared: LruCache<u64, Prepared>,
    /// Those that ran once.
    seen: LruCache<u64, ()>,
    hasher: RandomState,
    /// Those that are being parsed under a name in this batch.
    named: Vec<u64>,
    /// Of the batch: none of its own statements falls out.
    batch: u64,
    fallen_out: Vec<Arc<str>>,
}

struct Prepared {
    role: Box<str>,
    sql: Box<str>,
    name: Arc<str>,
    /// The types of its columns, where somebody asked for them.
    types: Option<Arc<[u32]>>,
    batch: u64,
}

impl Statements {
    pub(super) fn new(preparing: Arc<Preparing>) -> Self {
        let mut seen = LruCache::unbounded();
        if let Some(capacity) = preparing.capacity() {
            seen.resize(capacity);
        }
        Self {
            preparing,
            prepared: LruCache::unbounded(),
            seen,
            hasher: RandomState::new(),
            named: Vec::new(),
            batch: 0,
            fallen_out: Vec::new(),
        }
    }

    /// Begins a batch.
    pub(super) fn begin(&mut self) {
        self.batch += 1;
        self.named.clear();
    }

    /// How a statement of this role runs.
    pub(super) fn choose(&mut self, role: &str, sql: Hashed<'_>) -> Form {
        let form = self.chosen(role, sql);
        self.count(&form);
        form
    }

    fn count(&self, form: &Form) {
        let lookups = &self.preparing.meters.statements;
        match form {
            Form::Prepared(_) => lookups.hits.add(1),
            Form::Unnamed | Form::Named(_) => lookups.misses.add(1),
        }
    }

    fn chosen(&mut self, role: &str, sql: Hashed<'_>) -> Form {
        let Some(capacity) = self.preparing.capacity() else { return Form::Unnamed };
        let key = self.key(role, sql);
        match self.prepared.get_mut(&key) {
            Some(found) if *found.role == *role && *found.sql == *sql.text => {
                found.batch = self.batch;
                Form::Prepared(Arc::clone(&found.name))
            }
            // Another of the same hash.
            Some(_) => Form::Unnamed,
            None if self.seen.put(key, ()).is_none() => Form::Unnamed,
            None => self.make_room(key, capacity, role, sql),
        }
    }

    /// How one whose columns have to be known runs: by what is known of them if `fits`, else described anew.
    pub(super) fn choose_described(
        &mut self,
        role: &str,
        sql: Hashed<'_>,
        fits: impl FnOnce(&[u32]) -> bool,
    ) -> (Form, Option<Arc<[u32]>>) {
        let (form, types) = self.chosen_described(role, sql, fits);
        self.count(&form);
        (form, types)
    }

    fn chosen_described(
        &mut self,
        role: &str,
        sql: Hashed<'_>,
        fits: impl FnOnce(&[u32]) -> bool,
    ) -> (Form, Option<Arc<[u32]>>) {
        let Some(capacity) = self.preparing.capacity() else { return (Form::Unnamed, None) };
        let key = self.key(role, sql);
        if let Some(found) = self.prepared.get_mut(&key) {
            if *found.role != *role || *found.sql != *sql.text {
                return (Form::Unnamed, None);
            }
            if let Some(types) = found.types.as_ref().filter(|types| fits(types)) {
                found.batch = self.batch;
                return (Form::Prepared(Arc::clone(&found.name)), Some(Arc::clone(types)));
            }
            // What does not fit may have changed since it was described.
            self.forget(role, sql);
        }
        (self.make_room(key, capacity, role, sql), None)
    }

    fn make_room(&mut self, key: u64, capacity: NonZeroUsize, role: &str, sql: Hashed<'_>) -> Form {
        if self.named.contains(&key) {
            return Form::Unnamed;
        }
        while self.prepared.len() + self.named.len() >= capacity.get() {
            match self.prepared.peek_lru() {
                Some((_, oldest)) if oldest.batch != self.batch => {}
                Some(_) | None => return Form::Unnamed,
            }
            self.fallen_out.extend(self.prepared.pop_lru().map(|(_, oldest)| oldest.name));
        }
        self.named.push(key);
        Form::Named(self.preparing.name(role, sql.text))
    }

    /// PostgreSQL has parsed it under its name.
    pub(super) fn keep(&mut self, role: &str, sql: Hashed<'_>, name: &Arc<str>) {
        let key = self.key(role, sql);
        self.named.retain(|named| *named != key);
        let (name, batch) = (Arc::clone(name), self.batch);
        self.prepared
            .put(key, Prepared { role: role.into(), sql: sql.text.into(), name, types: None, batch });
    }

    /// PostgreSQL has described it.
    pub(super) fn describe(&mut self, role: &str, sql: Hashed<'_>, types: &Arc<[u32]>) {
        let key = self.key(role, sql);
        if let Some(found) =
            self.prepared.get_mut(&key).filter(|found| *found.role == *role && *found.sql == *sql.text)
        {
            found.types = Some(Arc::clone(types));
        }
    }

    /// It no longer fits the database.
    pub(super) fn forget(&mut self, role: &str, sql: Hashed<'_>) {
        let key = self.key(role, sql);
        self.fallen_out.extend(self.prepared.pop(&key).map(|forgotten| forgotten.name));
    }

    /// Some of them are gone, and nobody knows which: those that are still there are closed, so that their names are free.
    pub(super) fn clear(&mut self) {
        while let Some((_, prepared)) = self.prepared.pop_lru() {
            self.fallen_out.push(prepared.name);
        }
    }

    /// Closes this as well, before anything else.
    pub(super) fn close(&mut self, name: &Arc<str>) {
        self.fallen_out.push(Arc::clone(name));
    }

    /// What is to be closed before anything else.
    pub(super) fn fallen_out(&mut self) -> Vec<Arc<str>> {
        mem::take(&mut self.fallen_out)
    }

    fn key(&self, role: &str, sql: Hashed<'_>) -> u64 {
        self.hasher.hash_one((role, sql.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preparing(preparation: Preparation) -> Preparing {
        Preparing::new(preparation, Arc::default(), Arc::default())
    }

    fn statements(size: usize) -> Statements {
        Statements::new(Arc::new(preparing(Preparation::Cached(NonZeroUsize::new(size).unwrap()))))
    }

    /// Twice seen and parsed.
    fn prepare(statements: &mut Statements, role: &str, sql: &str) {
        let sql = Hashed::from(sql);
        statements.begin();
        statements.choose(role, sql);
        if let Form::Named(name) = statements.choose(role, sql) {
            statements.keep(role, sql, &name);
        }
    }

    #[test]
    fn a_name_is_of_one_process_one_role_and_one_text() {
        let one = preparing(Preparation::Never);
        let other = preparing(Preparation::Never);
        let name = one.name("author", "SELECT 1");
        assert_eq!(name, one.name("author", "SELECT 1"));
        assert!(name.len() < 64);
        for different in [
            other.name("author", "SELECT 1"),
            one.name("author", "SELECT 2"),
            one.name("anonymous", "SELECT 1"),
            one.name("authorS", "ELECT 1"),
        ] {
            assert_ne!(name, different);
        }
    }

    #[test]
    fn only_what_was_parsed_under_its_name_is_bound_by_it() {
        let mut statements = statements(4);
        statements.begin();
        assert_eq!(statements.choose("a", "x".into()), Form::Unnamed);
        let Form::Named(name) = statements.choose("a", "x".into()) else { panic!("named at second sight") };
        assert_eq!(statements.choose("a", "x".into()), Form::Unnamed, "once in a batch");
        // PostgreSQL never said that it was parsed.
        statements.begin();
        assert_eq!(statements.choose("a", "x".into()), Form::Named(Arc::clone(&name)));
        statements.keep("a", "x".into(), &name);
        assert_eq!(statements.choose("a", "x".into()), Form::Prepared(name));
        assert_eq!(statements.choose("b", "x".into()), Form::Unnamed, "another role's is another");
    }

    #[test]
    fn nothing_of_the_batch_falls_out() {
        let mut statements = statements(2);
        prepare(&mut statements, "", "settings");
        prepare(&mut statements, "", "old");
        statements.begin();
        assert!(matches!(statements.choose("", "settings".into()), Form::Prepared(_)));
        statements.choose("", "new".into());
        assert!(matches!(statements.choose("", "new".into()), Form::Named(_)));
        assert_eq!(statements.fallen_out().len(), 1);
        statements.choose("", "newer".into());
        assert_eq!(statements.choose("", "newer".into()), Form::Unnamed, "there is no room");
        assert_eq!(statements.fallen_out().len(), 0);
    }

    #[test]
    fn nothing_is_named_once_that_is_unsafe() {
        let mut statements = statements(4);
        prepare(&mut statements, "", "x");
        statements.preparing.stop("it is a test");
        statements.begin();
        assert_eq!(statements.choose("", "x".into()), Form::Unnamed);
        assert_eq!(statements.choose_described("", "x".into(), |_| true), (Form::Unnamed, None));
    }
}
