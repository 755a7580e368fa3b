//! Prepared statements: how many there are, which count as prepared, and what
//! happens when the database changes below them.

use super::{
    proxy::{Pace, Proxy},
    *,
};

/// Of those that requests bring: not of what begins and ends every unit.
const COUNT: &str = "SELECT count(*)::text FROM pg_prepared_statements
    WHERE statement !~ '^(BEGIN|COMMIT|RESET|CLOSE|UNLISTEN|DISCARD)|^SELECT pg_catalog.(pg_advis|current_set)'";

fn cached(size: usize) -> Options {
    Options { preparation: Preparation::Cached(NonZeroUsize::new(size).unwrap()), ..options() }
}

/// The statement of a unit, with binary columns.
fn columns(unit: Unit<'static>) -> Cow<'static, Statement> {
    Cow::Owned(Statement { layout: Layout::Columns, ..unit.statement.into_owned() })
}

/// A statement of a shape of its own.
fn shape(number: usize) -> Unit<'static> {
    let mut fragment = fragment("SELECT array_to_string(ARRAY[");
    fragment.separated(", ", 0..=number, |out, at| {
        out.text(at.to_string());
    });
    fragment.sql("], '')");
    unit(fragment, Layout::Scalar(Encoder::Text))
}

fn shape_s_body(number: usize) -> String {
    let digits: String = (0..=number).map(|at| at.to_string()).collect();
    format!("\"{digits}\"")
}

async fn prepared(pool: &Pool) -> usize {
    let body = body(pool, show(COUNT)).await;
    body.trim_matches('"').parse().unwrap()
}

#[tokio::test]
async fn there_are_no_more_prepared_statements_than_the_cache_holds() {
    let database = Database::fresh("");
    let pool = pool_of(&database.uri("authenticator"), cached(4));
    for _ in 0..2 {
        for number in 0..40 {
            for _ in 0..3 {
                assert_eq!(body(&pool, shape(number)).await, shape_s_body(number));
            }
            assert!(prepared(&pool).await <= 4);
        }
    }
    // Binary columns, which are described before they run.
    for number in 0..40 {
        run(&pool, Unit { statement: columns(shape(number)), ..shape(0) }).await.unwrap();
        assert!(prepared(&pool).await <= 4);
    }
}

#[tokio::test]
async fn what_comes_once_is_not_prepared() {
    let database = Database::fresh("");
    let pool = pool_of(&database.uri("authenticator"), cached(16));
    for number in 0..40 {
        body(&pool, shape(number)).await;
    }
    // The settings, which every unit has, are; what counts them is from the second time on.
    assert_eq!((prepared(&pool).await, prepared(&pool).await, prepared(&pool).await), (1, 2, 2));
    for number in 0..4 {
        body(&pool, shape(number)).await;
        body(&pool, shape(number)).await;
    }
    assert_eq!(prepared(&pool).await, 6);
}

#[tokio::test]
async fn a_statement_counts_as_prepared_only_when_it_is() {
    let database = Database::fresh("CREATE TABLE item (id int PRIMARY KEY); GRANT ALL ON item TO PUBLIC");
    let (pool, client) = (pool(&database), database.client().await);
    let divide = |by: &'static str| {
        let mut fragment = fragment("SELECT (6 / ");
        fragment.text(by).sql("::int)::text");
        unit(fragment, Layout::Scalar(Encoder::Text))
    };
    for _ in 0..4 {
        assert_eq!(code(&pool, divide("0")).await, "22012");
    }
    for _ in 0..4 {
        assert_eq!(body(&pool, divide("2")).await, r#""3""#);
        assert_eq!(code(&pool, divide("0")).await, "22012");
    }
    // Not even parsed.
    for _ in 0..3 {
        assert_eq!(code(&pool, show("SELECT column_to_be::text FROM item")).await, "42703");
        let columns = unit(fragment("SELECT column_to_be FROM item"), Layout::Columns);
        assert_eq!(code(&pool, columns).await, "42703");
    }
    client.batch_execute("ALTER TABLE item ADD column_to_be int").await.unwrap();
    for _ in 0..3 {
        assert_eq!(body(&pool, show("SELECT column_to_be::text FROM item")).await, "null");
        let columns = unit(fragment("SELECT column_to_be FROM item"), Layout::Columns);
        assert_eq!(body(&pool, columns).await, "");
    }
}

#[tokio::test]
async fn nothing_is_prepared_where_that_is_switched_off() {
    let database = Database::fresh("");
    let never = Options { preparation: Preparation::Never, ..options() };
    let pool = pool_of(&database.uri("authenticator"), never);
    for _ in 0..4 {
        for number in 0..4 {
            body(&pool, shape(number)).await;
            let statement = columns(shape(number));
            run(&pool, Unit { statement, ..shape(0) }).await.unwrap();
        }
        assert_eq!(prepared(&pool).await, 0);
    }
}

#[tokio::test]
async fn a_changed_database_is_noticed_by_nobody() {
    let database = Database::fresh(
        "CREATE TABLE item (id int PRIMARY KEY); GRANT ALL ON item TO PUBLIC; INSERT INTO item VALUES (1)",
    );
    let (pool, client) = (pool(&database), database.client().await);
    let all = || unit(fragment("SELECT * FROM item"), Layout::Columns);
    for change in [
        "ALTER TABLE item ADD more text",
        "ALTER TABLE item ALTER id TYPE bigint",
        "DROP TABLE item; CREATE TABLE item (id text); GRANT ALL ON item TO PUBLIC; INSERT INTO item VALUES ('1')",
    ] {
        for _ in 0..3 {
            assert_eq!(run(&pool, all()).await.unwrap().1.rows, 1);
        }
        client.batch_execute(change).await.unwrap();
    }
    assert_eq!(run(&pool, all()).await.unwrap().1.rows, 1);
    // A function may even have deallocated them all.
    run(&pool, act("DEALLOCATE ALL")).await.unwrap();
    assert_eq!(run(&pool, all()).await.unwrap().1.rows, 1);
}

#[tokio::test]
async fn what_is_unsupported_is_said_once_and_not_tried_for_ever() {
    let database = Database::fresh("CREATE SEQUENCE ran; GRANT ALL ON SEQUENCE ran TO PUBLIC");
    let (pool, client) = (pool(&database), database.client().await);
    // It has the code of an outdated statement, and is none.
    let raise = "DO $$ BEGIN PERFORM nextval('ran'); RAISE EXCEPTION 'no' USING ERRCODE = '0A000'; END $$";
    assert_eq!(code(&pool, act(raise)).await, "0A000");
    assert_eq!(seen::<i64>(&client, "SELECT last_value FROM ran").await, 1);
}

/// Answers of any length reach the unit, however they are cut: the connection
/// stops at those that nobody takes.
#[tokio::test]
async fn answers_may_come_in_pieces() {
    let database = Database::fresh(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE FUNCTION who() RETURNS mood LANGUAGE sql AS $$ SELECT 'ok'::mood $$",
    );
    let proxy = Proxy::before(&database, Pace::MessageByMessage);
    let pool = pool_of(&proxy.uri(&database), options());
    for _ in 0..4 {
        let full = |unit| Unit {
            pre_request: Some(Cow::Owned(fragment("SELECT FROM who()"))),
            response_settings: ResponseSettings::Read,
            ..unit
        };
        assert_eq!(body(&pool, full(shape(3))).await, shape_s_body(3));
        let statement = columns(of_moods());
        assert_eq!(run(&pool, full(Unit { statement, ..shape(0) })).await.unwrap().1.rows, 50);
        let expecting = Unit { expectation: Expectation::One, ..full(shape(4)) };
        assert_eq!(body(&pool, expecting).await, shape_s_body(4));
    }
}

fn of_moods() -> Unit<'static> {
    let mut fragment = fragment("SELECT ");
    fragment.text("ok").sql("::mood, number FROM generate_series(1, 50) AS number");
    unit(fragment, Layout::Columns)
}

/// A function that writes and takes itself away, so that its call cannot be prepared behind itself.
const LEAVE: &str = "CREATE FUNCTION leave() RETURNS text SECURITY DEFINER LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO visits DEFAULT VALUES; DROP FUNCTION leave(); RETURN 'left'; END $$";

#[tokio::test]
async fn what_cannot_be_prepared_any_more_has_run_all_the_same() {
    let database = Database::fresh("CREATE TABLE visits (id int GENERATED ALWAYS AS IDENTITY)");
    let admin = database.client().await;
    let pool = pool(&database);
    for response_settings in [ResponseSettings::Unset, ResponseSettings::Read] {
        for _ in 0..3 {
            let visits: i64 = seen(&admin, "SELECT count(*) FROM visits").await;
            admin.batch_execute(LEAVE).await.unwrap();
            let call = Unit { response_settings, ..show("SELECT leave()") };
            assert_eq!(body(&pool, call).await, "\"left\"");
            assert_eq!(seen::<i64>(&admin, "SELECT count(*) FROM visits").await, visits + 1);
        }
    }
}

/// As where a pooler gives the next transaction another session.
#[tokio::test]
async fn a_name_that_stands_for_another_statement_is_never_an_answer() {
    let database = Database::fresh("");
    let pool = pool(&database);
    let parameterless = || show("SELECT 'right'");
    for _ in 0..3 {
        assert_eq!(body(&pool, shape(0)).await, shape_s_body(0));
        assert_eq!(body(&pool, parameterless()).await, "\"right\"");
    }
    // Names that are gone are prepared again.
    run(&pool, act("DEALLOCATE ALL")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(body(&pool, shape(0)).await, shape_s_body(0));
        assert_eq!(body(&pool, parameterless()).await, "\"right\"");
    }
    assert!(prepared(&pool).await > 1);
    // So are those of what puts a session back, and the names of before are no obstacle.
    for _ in 0..3 {
        run(&pool, act("SELECT 1")).await.unwrap();
    }
    run(&pool, act("DEALLOCATE ALL")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(body(&pool, shape(0)).await, shape_s_body(0));
        run(&pool, act("SELECT 1")).await.unwrap();
    }
    assert!(prepared(&pool).await > 1);
    // Names that are another's are not, nor is any from then on.
    let swap = "DO $$ DECLARE found text; BEGIN
        SELECT name INTO STRICT found FROM pg_prepared_statements WHERE statement LIKE 'SELECT array_to_string%';
        EXECUTE format('DEALLOCATE %I', found);
        EXECUTE format('PREPARE %I AS SELECT 1', found);
    END $$";
    run(&pool, act(swap)).await.unwrap();
    for _ in 0..3 {
        for number in 0..3 {
            assert_eq!(body(&pool, shape(number)).await, shape_s_body(number));
        }
        assert_eq!(prepared(&pool).await, 0);
    }
}

/// What follows in the batch was prepared, too.
#[tokio::test]
async fn code_may_deallocate_what_is_prepared() {
    let database = Database::fresh(
        "CREATE TABLE visits (id int GENERATED ALWAYS AS IDENTITY);
         CREATE FUNCTION forget() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
             IF current_setting('transaction_read_only') = 'off' THEN INSERT INTO visits DEFAULT VALUES; END IF;
             RETURN NEXT 'one';
             EXECUTE 'DEALLOCATE ALL';
             RETURN NEXT 'two';
         END $$",
    );
    let admin = database.client().await;
    for access in [Access::ReadOnly, Access::ReadWrite] {
        for response_settings in [ResponseSettings::Unset, ResponseSettings::Read] {
            let pool = pool(&database);
            for _ in 0..4 {
                // What is prepared by then.
                body(&pool, Unit { access, response_settings, ..shape(0) }).await;
                let visits: i64 = seen(&admin, "SELECT count(*) FROM visits").await;
                let unit = unit(fragment("SELECT * FROM forget()"), Layout::Lines);
                assert_eq!(body(&pool, Unit { access, response_settings, ..unit }).await, "one\ntwo\n");
                let added = i64::from(access == Access::ReadWrite);
                assert_eq!(seen::<i64>(&admin, "SELECT count(*) FROM visits").await, visits + added);
            }
        }
    }
}

/// Code can prepare something else under the name of BEGIN. That is noticed, and the connection is not used again.
#[tokio::test]
async fn a_transaction_that_did_not_begin_is_an_error_and_the_last_of_its_connection() {
    let database = Database::fresh(
        "CREATE TABLE item (id int); GRANT ALL ON item TO PUBLIC;
         CREATE FUNCTION replaces() RETURNS text LANGUAGE plpgsql AS $$
         DECLARE found text := (SELECT name FROM pg_prepared_statements WHERE statement LIKE 'BEGIN%READ WRITE' LIMIT 1);
         BEGIN
             EXECUTE format('DEALLOCATE %I', found);
             EXECUTE format('PREPARE %I AS SELECT 1', found);
             RETURN found;
         END $$",
    );
    let pool = pool(&database);
    let insert = || act("INSERT INTO item VALUES (1)");
    for _ in 0..3 {
        run(&pool, insert()).await.unwrap();
    }
    let reading = Unit {
        access: Access::ReadOnly,
        response_settings: ResponseSettings::Read,
        ..show("SELECT replaces()")
    };
    assert!(body(&pool, reading).await.contains("pgduet"));
    assert!(run(&pool, insert()).await.is_err());
    for _ in 0..2 {
        run(&pool, insert()).await.unwrap();
    }
}
