//! The prepared statements of one connection: a bounded number of them, least
//! recently used out first, because the shapes of URLs are chosen by strangers.
//! It never waits for PostgreSQL before a statement runs.
//!
//! At first sight a statement runs unnamed: parsed, bound and executed in the
//! same flush as the rest of its unit. At second sight it runs unnamed again and
//! is prepared behind itself, in the same flush; from then on it is bound only.
//! What fails then, because a function was replaced since it ran, fails within a
//! savepoint and costs the transaction nothing.
//! What strangers send once displaces nothing. Only statements with columns of
//! any type have to be described before they run, see `describe`.
//!
//! tokio-postgres looks up types that are not built in before it gives out a
//! prepared statement. That takes further round trips, but after the
//! transaction: COMMIT has left by then. Nobody waits for it, see `Lease`.

use super::{row::Text, sent::Sent};
use crate::sql::Value;
use futures_util::future;
use lru::LruCache;
use std::{
    hash::{BuildHasher, Hash, RandomState},
    mem,
    num::NonZeroUsize,
    sync::Arc,
};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, RowStream, Statement, types::Type};

/// What a failure to prepare a statement goes back to. What was prepared stays. None is left
/// behind: going back to it would bring a transaction to life that has failed since.
const SAVEPOINT: &str = "SAVEPOINT pgduet";
const BACK_TO_SAVEPOINT: &str = "ROLLBACK TO SAVEPOINT pgduet; RELEASE SAVEPOINT pgduet";

/// Whether statements are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// So many of them on each connection.
    Cached(NonZeroUsize),
    /// Never: behind a transaction pooler, the next transaction may be on
    /// another connection.
    Never,
}

/// The statements of one connection.
pub(super) struct Statements {
    cache: Option<Cache>,
    preparing: Vec<Preparing>,
}

struct Cache {
    prepared: LruCache<Box<str>, Statement>,
    /// Hashes of those that ran once.
    seen: LruCache<u64, ()>,
    hasher: RandomState,
}

/// A statement of which PostgreSQL's description is awaited, by a task of its
/// own: the connection stops at answers that nobody takes, and those that the
/// unit waits for come behind them.
struct Preparing {
    sql: Box<str>,
    statement: JoinHandle<Result<Statement, Error>>,
}

/// How a statement runs this time.
enum Form {
    Prepared(Statement),
    Unnamed,
    UnnamedThenPrepared,
}

impl Statements {
    pub(super) fn new(preparation: Preparation) -> Self {
        let cache = match preparation {
            Preparation::Cached(size) => {
                Some(Cache { prepared: bounded(size), seen: bounded(size), hasher: RandomState::new() })
            }
            Preparation::Never => None,
        };
        Self { cache, preparing: Vec::new() }
    }

    /// Sends a statement whose columns, if it has any, are of built-in types:
    /// tokio-postgres would look others up while their rows are in the way, and
    /// wait forever. See `describe` for the rest.
    pub(super) async fn send<'a>(
        &mut self,
        client: &'a Arc<Client>,
        sql: &'a str,
        parameters: &'a [Value],
    ) -> Result<Sent<'a, RowStream>, Error> {
        match self.form(sql) {
            Form::Prepared(statement) => bind(client, statement, parameters).await,
            Form::Unnamed => parse(client, sql, parameters).await,
            Form::UnnamedThenPrepared => {
                let sent = parse(client, sql, parameters).await;
                self.prepare(client, sql).await;
                sent
            }
        }
    }

    /// Asks PostgreSQL to describe a statement, which may have columns of any type.
    pub(super) async fn describe<'a>(
        &self,
        client: &'a Arc<Client>,
        sql: &'a str,
    ) -> Result<Sent<'a, Statement>, Error> {
        Sent::new(client.prepare(sql)).await
    }

    /// The statement, if it is prepared.
    pub(super) fn prepared(&mut self, sql: &str) -> Option<Statement> {
        self.cache.as_mut()?.prepared.get(sql).cloned()
    }

    /// Whether statements that were described are kept.
    pub(super) fn are_kept(&self) -> bool {
        self.cache.is_some()
    }

    /// Keeps what PostgreSQL has described. What falls out is closed with the
    /// next flush.
    pub(super) fn keep(&mut self, sql: &str, statement: Statement) {
        if let Some(cache) = &mut self.cache {
            cache.prepared.put(sql.into(), statement);
        }
    }

    /// Takes in what PostgreSQL has described, without waiting for more.
    pub(super) async fn settle_described(&mut self) {
        let (described, awaited) =
            mem::take(&mut self.preparing).into_iter().partition(|one| one.statement.is_finished());
        self.preparing = described;
        self.settle().await;
        self.preparing = awaited;
    }

    /// Waits for what PostgreSQL has not described yet.
    pub(super) async fn settle(&mut self) {
        for preparing in mem::take(&mut self.preparing) {
            // What failed did not run either, which its unit has reported.
            if let Ok(Ok(statement)) = preparing.statement.await {
                self.keep(&preparing.sql, statement);
            }
        }
    }

    /// Whether nothing is awaited.
    pub(super) fn is_settled(&self) -> bool {
        self.preparing.is_empty()
    }

    /// Forgets everything: types or relations have changed below.
    pub(super) fn clear(&mut self) {
        if let Some(cache) = &mut self.cache {
            cache.prepared.clear();
            cache.seen.clear();
        }
    }

    fn form(&mut self, sql: &str) -> Form {
        let Some(cache) = &mut self.cache else { return Form::Unnamed };
        if let Some(statement) = cache.prepared.get(sql) {
            return Form::Prepared(statement.clone());
        }
        if self.preparing.iter().any(|preparing| *preparing.sql == *sql) {
            return Form::Unnamed;
        }
        match cache.seen.put(cache.hasher.hash_one(sql), ()) {
            None => Form::Unnamed,
            Some(()) => Form::UnnamedThenPrepared,
        }
    }

    async fn prepare(&mut self, client: &Arc<Client>, sql: &str) {
        let text = Box::<str>::from(sql);
        let (before, after) = (Arc::clone(client), Arc::clone(client));
        let client = Arc::clone(client);
        let before = Sent::new(async move { before.batch_execute(SAVEPOINT).await }).await;
        let sent = Sent::new(async move { client.prepare(&text).await }).await;
        let after = Sent::new(async move { after.batch_execute(BACK_TO_SAVEPOINT).await }).await;
        if let (Ok(before), Ok(sent), Ok(after)) = (before, sent, after) {
            // At once: the second may have more to ask when the third is answered.
            let answers = async { future::join3(before.answer(), sent.answer(), after.answer()).await.1 };
            self.preparing.push(Preparing { sql: sql.into(), statement: tokio::spawn(answers) });
        }
    }
}

/// A cache that takes memory for what is in it, and not for what could be.
fn bounded<K: Hash + Eq, V>(size: NonZeroUsize) -> LruCache<K, V> {
    let mut cache = LruCache::unbounded();
    cache.resize(size);
    cache
}

/// Sends a statement that PostgreSQL knows.
pub(super) async fn bind<'a>(
    client: &'a Arc<Client>,
    statement: Statement,
    parameters: &'a [Value],
) -> Result<Sent<'a, RowStream>, Error> {
    Sent::new(async move { client.query_raw(&statement, parameters.iter().map(Text)).await }).await
}

/// Sends a statement as text; PostgreSQL infers the parameters' types.
async fn parse<'a>(
    client: &'a Arc<Client>,
    sql: &'a str,
    parameters: &'a [Value],
) -> Result<Sent<'a, RowStream>, Error> {
    Sent::new(client.query_typed_raw(sql, parameters.iter().map(|value| (Text(value), Type::UNKNOWN)))).await
}
