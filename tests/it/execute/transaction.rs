//! One transaction: what it may do, when it is undone, and that nothing is
//! reported before it has ended.

use super::*;
use futures_util::future::join_all;
use pgduet::embedded::{Binaries, Cluster, Durability, Location};
use std::{env, fs, path::PathBuf};

const TABLES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE item (id int PRIMARY KEY);
    CREATE SEQUENCE ran;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;
    GRANT ALL ON SEQUENCE ran TO PUBLIC;
    CREATE FUNCTION writes() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO item VALUES (1); RETURN 'written';
    END $$;
    CREATE FUNCTION switches_and_writes() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        SET TRANSACTION READ WRITE; INSERT INTO item VALUES (1); RETURN 'written';
    END $$;
    CREATE FUNCTION sets_and_writes() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO item VALUES (1); RETURN 'written';
    END $$;
    CREATE FUNCTION adds() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO item VALUES (100 + (SELECT count(*) FROM item)); RETURN 'added';
    END $$;
    CREATE FUNCTION refuses() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'not you' USING ERRCODE = '28000';
    END $$";

/// Whether a statement with this effect, which no rollback undoes, has run.
const RAN: &str = "SELECT is_called FROM ran";
const RUNS: &str = "SELECT nextval('ran')::text";

#[tokio::test]
async fn a_deferred_constraint_fails_after_the_rows_and_nothing_is_kept() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    for end in [End::Commit, End::Rollback] {
        let unit = unit(fragment("INSERT INTO child VALUES (1, 99) RETURNING id::text"), Layout::Lines);
        let mut rows = Counter::default();
        let error = pool.run(&Unit { end, ..unit }, &mut rows).await.unwrap_err();
        assert_eq!((error.code(), rows.0), ("23503", 1));
        assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM child").await, 0);
    }
}

#[tokio::test]
async fn what_is_read_only_cannot_write_by_a_volatile_function() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable] {
        for (sql, expected) in [
            ("SELECT writes()", "25006"),
            ("SELECT switches_and_writes()", "25001"),
            ("SELECT sets_and_writes()", "25001"),
        ] {
            let unit = Unit { access: Access::ReadOnly, isolation, ..show(sql) };
            assert_eq!(code(&pool, unit).await, expected, "{sql}");
        }
    }
    assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 0);
    assert_eq!(body(&pool, show("SELECT writes()")).await, r#""written""#);
}

#[tokio::test]
async fn an_error_in_the_settings_is_reported_and_skips_the_statement() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    let wrong = settings(&[("role", "nobody at all")]);
    for _ in 0..3 {
        let unit = Unit { settings: wrong.clone(), ..show(RUNS) };
        assert_eq!(code(&pool, unit).await, "22023");
        let unit = Unit { settings: wrong.clone(), ..unit_of_columns(RUNS) };
        assert_eq!(code(&pool, unit).await, "22023");
    }
    assert!(!seen::<bool>(&client, RAN).await);
}

#[tokio::test]
async fn an_error_before_the_statement_is_reported_and_skips_it() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    for _ in 0..3 {
        let pre_request = Some(Cow::Owned(fragment("SELECT FROM refuses()")));
        assert_eq!(code(&pool, Unit { pre_request, ..show(RUNS) }).await, "28000");
    }
    assert!(!seen::<bool>(&client, RAN).await);
    assert_eq!(body(&pool, show(RUNS)).await, r#""1""#);
}

#[tokio::test]
async fn an_error_in_the_statement_undoes_all_and_units_behind_it_run() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    let units = (0..12).map(|number| {
        let sql = if number % 2 == 0 { "SELECT (1/0)::text" } else { "SELECT adds()" };
        let pre_request = Some(Cow::Owned(fragment("SELECT FROM adds()")));
        let pool = pool.clone();
        async move { run(&pool, Unit { pre_request, ..show(sql) }).await.map(|(body, _)| body) }
    });
    let outcomes = join_all(units).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match number % 2 {
            0 => assert_eq!(outcome.unwrap_err().code(), "22012"),
            _ => assert_eq!(outcome.unwrap(), r#""added""#),
        }
    }
    assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 12);
}

#[tokio::test]
async fn nothing_is_committed_without_its_statement() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    // More parameters than a statement can have: it is never sent.
    let mut many = fragment("SELECT concat(");
    many.separated(", ", 0..70_000, |out, _| {
        out.text("x");
    });
    many.sql(")");
    let pre_request = Some(Cow::Owned(fragment("SELECT FROM adds()")));
    let unit = Unit { pre_request, ..unit(many, Layout::Scalar(Encoder::Text)) };
    run(&pool, unit).await.unwrap_err();
    assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 0);
    assert_eq!(body(&pool, show("SELECT adds()")).await, r#""added""#);
}

#[tokio::test]
async fn the_isolation_asked_for_is_the_one_in_force() {
    let database = Database::fresh("");
    let pool = pool(&database);
    for (isolation, name) in [
        (Isolation::ReadCommitted, "read committed"),
        (Isolation::RepeatableRead, "repeatable read"),
        (Isolation::Serializable, "serializable"),
    ] {
        for (access, read_only) in [(Access::ReadOnly, "on"), (Access::ReadWrite, "off")] {
            // Whatever the role's default is.
            let settings =
                settings(&[("default_transaction_isolation", "serializable"), ("role", "anonymous")]);
            let unit = show(
                "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')",
            );
            let shown = body(&pool, Unit { settings, access, isolation, ..unit }).await;
            assert_eq!(shown, format!("\"{name} {read_only}\""));
        }
    }
}

#[tokio::test]
async fn what_is_not_as_expected_is_undone() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    let insert = |rows: i32, expectation| {
        let mut fragment = fragment("INSERT INTO item SELECT generate_series(1, ");
        fragment.text(rows.to_string()).sql("::int) RETURNING id::text");
        Unit { expectation, ..unit(fragment, Layout::Lines) }
    };
    for (rows, expectation, expected) in [
        (0, Expectation::One, Err("PGRST116")),
        (2, Expectation::One, Err("PGRST116")),
        (0, Expectation::UpsertedOne, Err("PGRST115")),
        (3, Expectation::AtMost(2), Err("PGRST124")),
        (1, Expectation::One, Ok(1)),
        (1, Expectation::UpsertedOne, Ok(1)),
        (2, Expectation::AtMost(2), Ok(2)),
        (0, Expectation::AtMost(0), Ok(0)),
    ] {
        let outcome = run(&pool, insert(rows, expectation)).await;
        let kept: i64 = seen(&client, "SELECT count(*) FROM item").await;
        match expected {
            Ok::<u64, _>(expected) => {
                assert_eq!((outcome.unwrap().1.rows, kept), (expected, i64::try_from(expected).unwrap()))
            }
            Err(expected) => assert_eq!((outcome.unwrap_err().code(), kept), (expected, 0)),
        }
        client.execute("DELETE FROM item", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_unit_that_ends_by_rollback_answers_and_keeps_nothing() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    for expectation in [Expectation::Any, Expectation::One] {
        let unit = unit(fragment("INSERT INTO item VALUES (5) RETURNING id::text"), Layout::Lines);
        let (body, report) = run(&pool, Unit { end: End::Rollback, expectation, ..unit }).await.unwrap();
        assert_eq!((body.as_str(), report.rows), ("5\n", 1));
        assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 0);
    }
}

/// Takes every row, and says at the end that they are too many.
struct AtTheEnd;

impl Sink for AtTheEnd {
    const PACE: pgduet::outcome::Pace = pgduet::outcome::Pace::Database;

    fn row(&mut self, _: &dyn Row) -> Result<()> {
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        Err(Error::new(pgduet::error::Fault::ValueOutOfRange, "refused"))
    }
}

#[tokio::test]
async fn what_its_sink_refuses_is_undone_where_the_unit_waits_for_it() {
    let database = Database::fresh(TABLES);
    let (pool, client) = (pool(&database), database.client().await);
    let insert = || {
        let unit = unit(fragment("INSERT INTO item VALUES (5) RETURNING id"), Layout::Columns);
        Unit { expectation: Expectation::Sink, ..unit }
    };
    for _ in 0..2 {
        assert_eq!(pool.run(&insert(), &mut AtTheEnd).await.unwrap_err().code(), "PGDUET06");
        assert_eq!(pool.run(&insert(), &mut Refusal).await.unwrap_err().code(), "PGDUET06");
        assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 0);
    }
    assert_eq!(pool.run(&insert(), &mut Counter::default()).await.unwrap().rows, 1);
    assert_eq!(seen::<i64>(&client, "SELECT count(*) FROM item").await, 1);
}

#[tokio::test]
async fn what_returns_no_rows_says_how_many_it_affected() {
    let database = Database::fresh(TABLES);
    let pool = pool(&database);
    for _ in 0..3 {
        let (_, report) = run(&pool, act("INSERT INTO item SELECT generate_series(1, 4)")).await.unwrap();
        assert_eq!(report.rows, 4);
        let (_, report) = run(&pool, act("DELETE FROM item")).await.unwrap();
        assert_eq!(report.rows, 4);
    }
}

#[tokio::test]
async fn notices_are_in_nobody_s_way() {
    let database = Database::fresh(
        "CREATE FUNCTION chatty() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
             FOR number IN 1..500 LOOP RAISE NOTICE 'still here, %', repeat('x', 100); END LOOP; RETURN 'done';
         END $$",
    );
    let pool = pool(&database);
    for _ in 0..3 {
        assert_eq!(body(&pool, show("SELECT chatty()")).await, r#""done""#);
    }
}

/// A standby refuses to write: the transaction has to fail before the statement, and must not be missing.
#[tokio::test]
async fn a_statement_does_not_run_where_its_transaction_cannot_begin() {
    let standby = Standby::new(
        "CREATE ROLE anonymous; CREATE ROLE authenticator LOGIN; GRANT anonymous TO authenticator;
         CREATE FUNCTION who() RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN
             RAISE EXCEPTION 'it ran as %', current_user;
         END $$",
    );
    let pool = pool_of(&standby.cluster.uri("authenticator", "postgres"), options());
    let message = async |unit| run(&pool, unit).await.map(|(body, _)| body).unwrap_err().message;
    let (read, write) = (Access::ReadOnly, Access::ReadWrite);
    for (isolation, access, expected) in [
        (Isolation::ReadCommitted, read, "it ran as anonymous"),
        (Isolation::RepeatableRead, read, "it ran as anonymous"),
        (Isolation::ReadCommitted, write, "cannot set transaction read-write mode during recovery"),
        (Isolation::Serializable, read, "cannot use serializable mode in a hot standby"),
    ] {
        assert_eq!(message(Unit { isolation, access, ..show("SELECT who()") }).await, expected);
    }
    // What it would have said is in the log, whoever the error went to.
    let log = fs::read_to_string(standby.location.0.join("server.log")).unwrap();
    assert!(log.contains("it ran as anonymous") && !log.contains("it ran as authenticator"), "{log}");
}

/// A server that has been made a standby of nobody: it only ever reads.
struct Standby {
    // In this order they are dropped.
    cluster: Cluster,
    location: Directory,
}

/// Deleted when dropped.
struct Directory(PathBuf);

impl Standby {
    fn new(sql: &str) -> Self {
        let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
        let binaries = Binaries::find(explicit.as_deref()).unwrap();
        let location = env::temp_dir().join(format!("pgduet-standby-{}", std::process::id()));
        let open =
            || Cluster::open(&binaries, Location::Kept(location.clone()), Durability::Throwaway).unwrap();
        let cluster = open();
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let fill = async |uri: String| {
            let (client, connection) = tokio_postgres::connect(&uri, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(sql).await.unwrap();
        };
        let uri = cluster.uri("postgres", "postgres");
        std::thread::scope(|scope| scope.spawn(|| runtime().block_on(fill(uri))).join()).unwrap();
        cluster.stop().unwrap();
        fs::write(location.join("data/standby.signal"), "").unwrap();
        Self { cluster: open(), location: Directory(location) }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn unit_of_columns(sql: &'static str) -> Unit<'static> {
    unit(fragment(sql), Layout::Columns)
}

#[tokio::test]
async fn defaults_of_the_database_change_no_transaction() {
    let database = Database::fresh("");
    let client = database.client().await;
    let pool = pool(&database);
    let defaults = "ALTER DATABASE {} SET default_transaction_isolation = 'serializable';
        ALTER DATABASE {} SET default_transaction_read_only = on;
        ALTER DATABASE {} SET default_transaction_deferrable = on";
    let shown = async |access| {
        let unit = show(
            "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')",
        );
        body(&pool, Unit { access, ..unit }).await
    };
    for _ in 0..2 {
        for _ in 0..3 {
            assert_eq!(shown(Access::ReadOnly).await, r#""read committed on""#);
            assert_eq!(shown(Access::ReadWrite).await, r#""read committed off""#);
        }
        client.batch_execute(&defaults.replace("{}", database.name())).await.unwrap();
        // New connections have other defaults.
        pool.renew(options().preparation);
    }
}

#[tokio::test]
async fn a_unit_that_only_reads_stays_that_and_takes_no_level_of_its_own() {
    let database = Database::fresh(
        "CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
             EXECUTE statement; RETURN current_setting('transaction_read_only');
         END $$",
    );
    let pool = pool(&database);
    for (statement, expected) in [
        ("SELECT set_config('transaction_read_only', 'off', true)", "25001"),
        ("SET TRANSACTION READ WRITE", "25001"),
        ("SET LOCAL transaction_isolation = 'serializable'", "25001"),
        ("CREATE TEMP TABLE mine (id int)", "25006"),
        ("CREATE TABLE mine (id int)", "25006"),
    ] {
        for response_settings in [ResponseSettings::Unset, ResponseSettings::Read] {
            let mut fragment = fragment("SELECT try(");
            fragment.text(statement).sql(")");
            let unit = unit(fragment, Layout::Scalar(Encoder::Text));
            let unit = Unit { access: Access::ReadOnly, response_settings, ..unit };
            assert_eq!(code(&pool, unit).await, expected, "{statement}");
        }
    }
}
