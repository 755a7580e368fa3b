//! What becomes of a unit that nobody waits for any more, of one that takes too
//! long, and of a connection that breaks; and that nobody else notices.

use super::{
    proxy::{Pace, Proxy},
    *,
};
use crate::support::address;
use pgduet::error::Fault;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Semaphore;

/// Whether a unit of this database sleeps.
pub(super) const SLEEPS: &str = "SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep')";
const NOBODY_SLEEPS: &str = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep')";
const ONLY_THIS_CONNECTION: &str =
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()";

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY); GRANT ALL ON item TO anonymous;
    CREATE FUNCTION writes_and_sleeps() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO item VALUES (1); PERFORM pg_sleep(600); RETURN 'slept';
    END $$";

/// A unit in a task of its own.
fn start(pool: &Pool, unit: Unit<'static>) -> tokio::task::JoinHandle<Result<String>> {
    let pool = pool.clone();
    tokio::spawn(async move { run(&pool, unit).await.map(|(body, _)| body) })
}

#[tokio::test]
async fn dropping_a_unit_stops_its_query_and_undoes_it() {
    let database = Database::fresh(TABLE);
    let (pool, client) = (pool(&database), database.client().await);
    let under_way = start(&pool, show("SELECT writes_and_sleeps()"));
    until(&client, SLEEPS).await;
    under_way.abort();
    until(&client, NOBODY_SLEEPS).await;
    assert_eq!(body(&pool, show("SELECT count(*)::text FROM item")).await, r#""0""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_never_stops_another_s_query() {
    let database = Database::fresh("");
    let (pool, client) = (pool(&database), database.client().await);
    for round in 0..30 {
        let under_way = start(&pool, show("SELECT pg_sleep(600)::text"));
        // Also before it has begun, and while it is being sent.
        if round % 3 > 0 {
            until(&client, SLEEPS).await;
        }
        under_way.abort();
        // Long enough for a late cancel to arrive.
        assert_eq!(body(&pool, show("SELECT 'x' || pg_sleep(0.02)")).await, r#""x""#, "round {round}");
    }
}

/// As where it is on its way for longer than a cancel, or the server is busy.
#[tokio::test]
async fn a_query_that_a_cancel_overtakes_is_stopped_nevertheless() {
    let database = Database::fresh(TABLE);
    let client = database.client().await;
    let proxy = Proxy::before(&database, Pace::Full);
    let pool = pool_of(&proxy.uri(&database), options());
    body(&pool, show("SELECT 'x'")).await;
    proxy.hold();
    proxy.turns();
    let under_way = start(&pool, show("SELECT writes_and_sleeps()"));
    while pool.status().available == 1 {
        tokio::task::yield_now().await;
    }
    under_way.abort();
    while proxy.cancels() == 0 {
        tokio::task::yield_now().await;
    }
    proxy.release();
    until(&client, ONLY_THIS_CONNECTION).await;
    assert_eq!(proxy.turns(), 1, "it was sent");
    assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 0);
}

#[tokio::test]
async fn a_unit_that_is_dropped_before_it_was_sent_does_nothing() {
    let database = Database::fresh("CREATE SEQUENCE ran; GRANT ALL ON SEQUENCE ran TO PUBLIC");
    let (pool, client) = (pool(&database), database.client().await);
    client.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let first = start(&pool, show("SELECT 'x' || pg_advisory_xact_lock(1)"));
    until(&client, "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)").await;
    let second = start(&pool, show("SELECT nextval('ran')::text"));
    while pool.status().waiting == 0 {
        tokio::task::yield_now().await;
    }
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    client.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    assert_eq!(first.await.unwrap().unwrap(), r#""x""#);
    assert!(!seen::<bool>(&client, "SELECT is_called FROM ran").await);
}

#[tokio::test]
async fn a_unit_that_takes_too_long_is_stopped() {
    let database = Database::fresh(TABLE);
    let (pool, client) = (pool(&database), database.client().await);
    for sql in ["SELECT pg_sleep(600)::text", "SELECT writes_and_sleeps()"] {
        for milliseconds in [0, 1, 3, 10, 30, 100] {
            let deadline = Some(Duration::from_millis(milliseconds));
            let error = run(&pool, Unit { deadline, ..show(sql) }).await.map(drop).unwrap_err();
            assert_eq!(error.code(), "PGDUET08", "after {milliseconds} ms: {error:?}");
            until(&client, NOBODY_SLEEPS).await;
        }
    }
    assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 0);
}

#[tokio::test]
async fn a_deadline_holds_while_a_unit_waits_for_a_connection() {
    let database = Database::fresh("");
    let (pool, client) = (pool(&database), database.client().await);
    let first = start(&pool, show("SELECT pg_sleep(600)::text"));
    until(&client, SLEEPS).await;
    let late = Unit { deadline: Some(Duration::from_millis(20)), ..show("SELECT 'x'") };
    assert_eq!(code(&pool, late).await, "PGDUET08");
    assert!(!first.is_finished());
    first.abort();
}

#[tokio::test]
async fn a_unit_that_gets_no_connection_is_told_so() {
    let database = Database::fresh("");
    let client = database.client().await;
    // Long enough to connect.
    let acquisition_timeout = Duration::from_secs(2);
    let pool = pool_of(&database.uri("authenticator"), Options { acquisition_timeout, ..options() });
    let first = start(&pool, show("SELECT pg_sleep(600)::text"));
    until(&client, SLEEPS).await;
    assert_eq!(code(&pool, show("SELECT 'x'")).await, "PGRST003");
    assert_eq!((pool.status().timeouts, pool.status().available), (1, 0));
    first.abort();
    until(&client, NOBODY_SLEEPS).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_not_waited_for_forever() {
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let acquisition_timeout = Duration::from_millis(50);
    let uri = format!("postgresql://someone@127.0.0.1:{port}/somewhere?sslmode=disable");
    let pool = pool_of(&uri, Options { acquisition_timeout, ..options() });
    assert_eq!(code(&pool, show("SELECT 'x'")).await, "PGRST003");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let gone = address::free().port();
    let pool = pool_of(&format!("postgresql://someone@127.0.0.1:{gone}/somewhere"), options());
    let error = run(&pool, show("SELECT 'x'")).await.map(drop).unwrap_err();
    assert_eq!((error.code(), error.message.as_str()), ("PGRST000", "Database connection error."));
    let wrong = "postgresql://nobody:secret@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/nowhere";
    let (target, _) = Connection::parse(wrong, &BTreeMap::new()).unwrap();
    assert_eq!(Pool::new(&target, options(), Arc::default()).unwrap_err().code(), "PGRST000");
}

#[tokio::test]
async fn a_broken_connection_is_replaced() {
    let database = Database::fresh("");
    let (pool, client) = (pool(&database), database.client().await);
    let backend = async || body(&pool, show("SELECT pg_backend_pid()::text")).await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    // While it was idle: nobody notices.
    let first = backend().await;
    client.batch_execute(others).await.unwrap();
    until(&client, ONLY_THIS_CONNECTION).await;
    let second = backend().await;
    assert_ne!(first, second);
    // While it was busy: its unit is told.
    let under_way = start(&pool, show("SELECT pg_sleep(600)::text"));
    until(&client, SLEEPS).await;
    client.batch_execute(others).await.unwrap();
    assert_eq!(under_way.await.unwrap().unwrap_err().code(), "57P01");
    assert_ne!(backend().await, second);
}

#[tokio::test]
async fn old_connections_are_not_used_again() {
    let database = Database::fresh("");
    for aged in [
        Options { max_lifetime: Duration::ZERO, ..options() },
        Options { max_idle: Duration::ZERO, ..options() },
    ] {
        let pool = pool_of(&database.uri("authenticator"), aged);
        let backend = async || body(&pool, show("SELECT pg_backend_pid()::text")).await;
        assert_ne!(backend().await, backend().await);
    }
    let pool = pool(&database);
    let backend = async || body(&pool, show("SELECT pg_backend_pid()::text")).await;
    let first = backend().await;
    assert_eq!(backend().await, first);
    pool.renew(options().preparation);
    assert_ne!(backend().await, first);
}

/// Takes rows only as long as it has permits.
struct Slow {
    rows: Arc<AtomicU64>,
    permits: Arc<Semaphore>,
}

impl Sink for Slow {
    const PACE: pgduet::outcome::Pace = pgduet::outcome::Pace::Database;

    fn row(&mut self, _: &dyn Row) -> Result<()> {
        self.rows.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn ready(&mut self) -> Result<()> {
        let permit = self.permits.acquire().await;
        permit.map_err(|_| Error::new(Fault::Cancelled, "closed"))?.forget();
        Ok(())
    }
}

#[tokio::test]
async fn postgresql_waits_for_a_slow_sink() {
    const ROWS: u64 = 200_000;
    let database = Database::fresh("");
    let (pool, client) = (pool(&database), database.client().await);
    let (rows, permits) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
    let mut sink = Slow { rows: rows.clone(), permits: permits.clone() };
    let under_way = tokio::spawn({
        let pool = pool.clone();
        let rows = "SELECT repeat('x', 1000) FROM generate_series(1, 200000)";
        async move { pool.run(&unit(fragment(rows), Layout::Body), &mut sink).await }
    });
    let blocked = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'ClientWrite')";
    for _ in 0..5 {
        until(&client, blocked).await;
        permits.add_permits(1);
    }
    until(&client, blocked).await;
    let taken = rows.load(Ordering::Relaxed);
    assert!(taken <= 6 * 64, "{taken} rows for 5 permits");
    permits.add_permits(usize::try_from(ROWS).unwrap());
    assert_eq!(under_way.await.unwrap().unwrap().rows, ROWS);
    assert_eq!(rows.load(Ordering::Relaxed), ROWS);
}

/// Waits for its client, who never reads.
struct Unread;

impl Sink for Unread {
    const PACE: pgduet::outcome::Pace = pgduet::outcome::Pace::Client;

    fn row(&mut self, _: &dyn Row) -> Result<()> {
        Ok(())
    }

    async fn ready(&mut self) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn streams_that_nobody_reads_hold_half_of_the_connections() {
    let database = Database::fresh("");
    let (size, acquisition_timeout) = (NonZeroUsize::new(4).unwrap(), Duration::from_secs(2));
    let pool = pool_of(&database.uri("authenticator"), Options { size, acquisition_timeout, ..options() });
    let stream = || {
        let pool = pool.clone();
        let rows = unit(fragment("SELECT generate_series(1, 1000)"), Layout::Columns);
        tokio::spawn(async move { pool.run(&rows, &mut Unread).await.map(drop) })
    };
    let (ended, _, others) = futures_util::future::select_all([stream(), stream(), stream()]).await;
    assert_eq!(ended.unwrap().unwrap_err().code(), "PGDUET18");
    assert!(others.iter().all(|other| !other.is_finished()));
    for _ in 0..20 {
        assert_eq!(body(&pool, show("SELECT 'x'")).await, r#""x""#);
    }
    assert_eq!(pool.status().available, 2);
}
