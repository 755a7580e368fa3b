//! Nothing that a unit was told, or that its functions set, is there after it.

use super::*;
use tokio_postgres::types::ToSql;

const FUNCTIONS: &str = "
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    GRANT ALL ON parent, child TO anonymous, authenticated;
    CREATE FUNCTION set_for_the_session() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('request.jwt.claims', '{\"sub\":\"leaked\"}', false);
        PERFORM set_config('request.headers', '{\"x\":\"leaked\"}', false);
        PERFORM set_config('app.of_its_own', 'leaked', false);
        PERFORM set_config('response.status', '418', false);
        PERFORM set_config('response.headers', '[{\"x\":\"leaked\"}]', false);
        PERFORM set_config('TimeZone', 'Asia/Tokyo', false);
        PERFORM set_config('DateStyle', 'SQL, DMY', false);
        PERFORM set_config('default_transaction_read_only', 'on', false);
        PERFORM set_config('search_path', 'leaked', false);
        PERFORM set_config('statement_timeout', '9s', false);
        PERFORM set_config('role', 'authenticated', false);
        RETURN 'set';
    END $$";

/// What a statement finds that is told nothing.
async fn left(pool: &Pool) -> String {
    const STATE: &str = "SELECT concat_ws('|', current_user, current_setting('role'),
        coalesce(current_setting('request.jwt.claims', true), ''),
        coalesce(current_setting('request.headers', true), ''),
        coalesce(current_setting('app.of_its_own', true), ''),
        coalesce(current_setting('response.status', true), ''),
        coalesce(current_setting('response.headers', true), ''),
        current_setting('TimeZone'), current_setting('search_path'), current_setting('statement_timeout'),
        current_setting('default_transaction_read_only'), current_setting('transaction_isolation'))";
    body(pool, Unit { settings: Vec::new(), ..show(STATE) }).await
}

/// A unit that is told who asks.
fn told(unit: Unit<'static>) -> Unit<'static> {
    let settings = settings(&[
        ("search_path", "pg_catalog, public"),
        ("role", "authenticated"),
        ("request.jwt.claims", r#"{"sub":"me"}"#),
        ("request.headers", r#"{"x":"y"}"#),
        ("app.of_its_own", "1"),
        ("TimeZone", "Asia/Kathmandu"),
        ("statement_timeout", "50s"),
    ]);
    Unit { settings, isolation: Isolation::Serializable, ..unit }
}

#[tokio::test]
async fn a_unit_finds_what_it_is_told() {
    let database = Database::fresh("");
    let pool = pool(&database);
    const STATE: &str = "SELECT concat_ws('|', current_user, current_setting('request.jwt.claims'),
        current_setting('request.headers'), current_setting('app.of_its_own'), current_setting('TimeZone'))";
    for _ in 0..4 {
        let state = body(&pool, told(show(STATE))).await;
        assert_eq!(state, r#""authenticated|{\"sub\":\"me\"}|{\"x\":\"y\"}|1|Asia/Kathmandu""#);
    }
}

#[tokio::test]
async fn nothing_is_left_after_success() {
    let database = Database::fresh("");
    let pool = pool(&database);
    let before = left(&pool).await;
    assert!(before.contains("authenticator|none|"), "{before}");
    body(&pool, told(show("SELECT 'x'"))).await;
    assert_eq!(left(&pool).await, before);
}

#[tokio::test]
async fn nothing_is_left_after_an_error() {
    let database = Database::fresh(FUNCTIONS);
    let pool = pool(&database);
    let before = left(&pool).await;
    assert_eq!(code(&pool, told(show("SELECT (1/0)::text"))).await, "22012");
    assert_eq!(left(&pool).await, before);
    // One that comes with the commit.
    assert_eq!(code(&pool, told(act("INSERT INTO child VALUES (1, 7)"))).await, "23503");
    assert_eq!(left(&pool).await, before);
    // One in the settings, half-way.
    let mut unit = told(show("SELECT 'x'"));
    unit.settings.push(("role".into(), "nobody at all".into()));
    assert_eq!(code(&pool, unit).await, "22023");
    assert_eq!(left(&pool).await, before);
    // One of the result.
    let unit = Unit { expectation: Expectation::One, ..told(show("SELECT 'x' WHERE false")) };
    assert_eq!(code(&pool, unit).await, "PGRST116");
    assert_eq!(left(&pool).await, before);
    // One of whoever takes the rows.
    let refused = pool.run(&told(show("SELECT 'x'")), &mut Refusal).await.unwrap_err();
    assert_eq!(refused.code(), "PGDUET06");
    assert_eq!(left(&pool).await, before);
}

#[tokio::test]
async fn nothing_is_left_after_a_cancel() {
    let database = Database::fresh("");
    let (pool, client) = (pool(&database), database.client().await);
    let before = left(&pool).await;
    let unit = told(show("SELECT pg_sleep(600)::text"));
    let under_way = tokio::spawn({
        let pool = pool.clone();
        async move { run(&pool, unit).await.map(drop) }
    });
    until(&client, cancel::SLEEPS).await;
    under_way.abort();
    assert_eq!(left(&pool).await, before);
}

#[tokio::test]
async fn nothing_is_left_after_a_time_out() {
    let database = Database::fresh("");
    let pool = pool(&database);
    let before = left(&pool).await;
    let late = Unit { deadline: Some(Duration::from_millis(50)), ..told(show("SELECT pg_sleep(600)::text")) };
    assert_eq!(code(&pool, late).await, "PGDUET08");
    assert_eq!(left(&pool).await, before);
    let mut unit = told(show("SELECT pg_sleep(600)::text"));
    unit.settings.push(("statement_timeout".into(), "50ms".into()));
    assert_eq!(code(&pool, unit).await, "57014");
    assert_eq!(left(&pool).await, before);
}

#[tokio::test]
async fn nothing_is_left_after_a_broken_connection() {
    let database = Database::fresh("");
    let pool = pool(&database);
    let before = left(&pool).await;
    // A superuser's right, so not as the role of `told`.
    let unit = show("SELECT pg_terminate_backend(pg_backend_pid())::text");
    let unit = Unit { settings: settings(&[("request.jwt.claims", "{}")]), ..unit };
    assert_eq!(code(&pool, unit).await, "57P01");
    assert_eq!(left(&pool).await, before);
}

#[tokio::test]
async fn what_a_function_sets_for_the_session_ends_with_the_unit() {
    let database = Database::fresh(FUNCTIONS);
    let pool = pool(&database);
    let before = left(&pool).await;
    for access in [Access::ReadOnly, Access::ReadWrite] {
        for expectation in [Expectation::Any, Expectation::One] {
            let unit = show("SELECT public.set_for_the_session()");
            let response_settings = ResponseSettings::Read;
            let (_, report) =
                run(&pool, told(Unit { access, expectation, response_settings, ..unit })).await.unwrap();
            assert_eq!(report.status.as_deref(), Some("418"));
            assert_eq!(left(&pool).await, before);
            // Nor is it an answer's.
            let unit = Unit { response_settings, ..show("SELECT 'x'") };
            let (_, report) = run(&pool, told(unit)).await.unwrap();
            assert_eq!((report.status.as_deref(), report.headers.as_deref()), (Some(""), Some("")));
        }
    }
}

#[tokio::test]
async fn who_asks_is_told_anew_whatever_the_session_has() {
    let database = Database::fresh(FUNCTIONS);
    let pool = pool(&database);
    // As where the catalog does not know that a function runs.
    body(&pool, told(show("SELECT public.set_for_the_session()"))).await;
    const STATE: &str = "SELECT concat_ws('|', current_user, current_setting('request.jwt.claims'),
        current_setting('TimeZone'), current_setting('search_path'),
        current_setting('transaction_read_only'))";
    let expected = r#""authenticated|{\"sub\":\"me\"}|Asia/Kathmandu|pg_catalog, public|off""#;
    assert_eq!(body(&pool, told(show(STATE))).await, expected);
}

#[tokio::test]
async fn a_setting_s_value_is_never_sql() {
    let database = Database::fresh("");
    let pool = pool(&database);
    let odd = "'); DROP TABLE x; -- \\ \" $1 %s \u{1F980}";
    let unit = show("SELECT current_setting('app.odd')");
    let unit = Unit { settings: settings(&[("role", "anonymous"), ("app.odd", odd)]), ..unit };
    let shown: String = serde_json::from_str(&body(&pool, unit).await).unwrap();
    assert_eq!(shown, odd);
    // Nor can it hold what PostgreSQL's texts cannot.
    let unit = Unit { settings: settings(&[("app.odd", "a\0b")]), ..show("SELECT 'x'") };
    assert_eq!(code(&pool, unit).await, "22021");
}

#[tokio::test]
async fn a_deadline_never_lengthens_the_role_s_own_time_out() {
    let database = Database::fresh("");
    let (pool, client) = (pool(&database), database.client().await);
    for (own, deadline, expected) in [
        ("0", Some(Duration::from_secs(40)), 39_000..=40_000),
        ("9s", Some(Duration::from_secs(40)), 9_000..=9_000),
        ("1h", Some(Duration::from_secs(40)), 39_000..=40_000),
        ("9s", None, 9_000..=9_000),
    ] {
        let settings = settings(&[("role", "anonymous"), ("statement_timeout", own)]);
        let unit = show("SELECT current_setting('statement_timeout')");
        let shown: String =
            serde_json::from_str(&body(&pool, Unit { settings, deadline, ..unit }).await).unwrap();
        let parameters: &[&(dyn ToSql + Sync)] = &[&shown];
        let row = client
            .query_one("SELECT (extract(epoch FROM $1::text::interval) * 1000)::int8", parameters)
            .await;
        let milliseconds: i64 = row.unwrap().get(0);
        assert!(expected.contains(&milliseconds), "{own} {deadline:?}: {shown}");
    }
}

/// Leaves what it can in the session.
const LEAVES: &str = "
    CREATE SEQUENCE numbers; GRANT ALL ON SEQUENCE numbers TO PUBLIC;
    DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC', current_database()); END $$;
    CREATE FUNCTION leaves() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('transaction_read_only') = 'off' THEN
            CREATE TEMP TABLE mine (secret text);
            PERFORM nextval('numbers');
        END IF;
        EXECUTE 'LISTEN gossip';
        EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1';
        PERFORM pg_advisory_lock(17), set_config('app.left', 'yes', false), set_config('DateStyle', 'German', false),
            set_config('default_transaction_isolation', 'serializable', false), set_config('role', 'authenticated', false);
        RETURN 'left';
    END $$;
    CREATE FUNCTION found() RETURNS text LANGUAGE plpgsql AS $$ DECLARE last text := ''; BEGIN
        BEGIN last := lastval(); EXCEPTION WHEN object_not_in_prerequisite_state THEN END;
        RETURN concat_ws('|', (SELECT count(*) FROM pg_cursors WHERE is_holdable),
            (SELECT count(*) FROM pg_listening_channels()), to_regclass('pg_temp.mine'), last,
            (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
            coalesce(current_setting('app.left', true), ''), current_setting('DateStyle'), current_user, session_user,
            current_setting('default_transaction_isolation'));
    END $$";

/// How a unit runs, as far as that decides how the session is put back.
fn ways() -> impl Iterator<Item = (Access, Isolation, ResponseSettings)> {
    [Access::ReadOnly, Access::ReadWrite].into_iter().flat_map(|access| {
        [Isolation::ReadCommitted, Isolation::RepeatableRead].into_iter().flat_map(move |isolation| {
            [ResponseSettings::Unset, ResponseSettings::Read].map(|response| (access, isolation, response))
        })
    })
}

/// Runs `leaves()` in each of these ways, and finds the session as it was.
async fn finds_nothing_left(database: &Database) {
    let pool = pool(database);
    let found = async || body(&pool, Unit { settings: Vec::new(), ..show("SELECT found()") }).await;
    let before = found().await;
    for (access, isolation, response_settings) in ways() {
        let unit = Unit { access, isolation, response_settings, ..show("SELECT leaves()") };
        assert_eq!(body(&pool, unit).await, r#""left""#);
        assert_eq!(found().await, before, "{access:?} {isolation:?} {response_settings:?}");
    }
}

#[tokio::test]
async fn nothing_is_left_though_nobody_knew_that_code_runs() {
    finds_nothing_left(&Database::fresh(LEAVES)).await;
}

#[tokio::test]
async fn locks_of_known_code_are_released_with_its_unit() {
    let database = Database::fresh("");
    let (pool, client) = (pool(&database), database.client().await);
    for (access, isolation, _) in ways() {
        let unit = show("SELECT pg_advisory_lock(17)::text");
        run(&pool, Unit { access, isolation, response_settings: ResponseSettings::Read, ..unit })
            .await
            .unwrap();
        assert!(seen::<bool>(&client, "SELECT pg_try_advisory_lock(17)").await);
        assert!(seen::<bool>(&client, "SELECT pg_advisory_unlock(17)").await);
    }
}

#[tokio::test]
async fn who_has_logged_in_is_who_runs_the_next_unit() {
    let database = Database::fresh("");
    let pool = pool_of(&database.superuser_uri(), options());
    let who = async || body(&pool, Unit { settings: Vec::new(), ..show("SELECT session_user::text") }).await;
    let before = who().await;
    for (access, isolation, response_settings) in ways() {
        let unit = show("SELECT set_config('session_authorization', 'anonymous', false)");
        let unit = Unit { settings: Vec::new(), access, isolation, response_settings, ..unit };
        assert_eq!(body(&pool, unit).await, r#""anonymous""#);
        assert_eq!(who().await, before, "{access:?} {isolation:?} {response_settings:?}");
    }
}

#[tokio::test]
async fn a_session_is_put_back_where_not_everybody_may_release_locks() {
    let revoke = "; REVOKE EXECUTE ON FUNCTION pg_advisory_unlock_all() FROM PUBLIC;";
    for grant in ["", "GRANT EXECUTE ON FUNCTION pg_advisory_unlock_all() TO authenticator"] {
        finds_nothing_left(&Database::fresh(&format!("{LEAVES}{revoke}{grant}"))).await;
    }
}

/// PostgreSQL 15 lets code reset `transaction_read_only`, and then make what is temporary.
#[tokio::test]
async fn what_code_makes_where_nothing_may_be_written_is_not_left() {
    let database = Database::fresh(
        "CREATE SEQUENCE numbers; GRANT ALL ON SEQUENCE numbers TO PUBLIC;
         CREATE FUNCTION makes() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
             EXECUTE 'RESET transaction_read_only';
             EXECUTE 'CREATE TEMP TABLE made (a int)';
             RETURN nextval('numbers')::text;
         END $$;
         CREATE FUNCTION last() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
             RETURN lastval()::text;
         EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
         END $$",
    );
    let pool = pool(&database);
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead] {
        let reading = |sql| Unit {
            access: Access::ReadOnly,
            isolation,
            response_settings: ResponseSettings::Read,
            ..show(sql)
        };
        assert!(run(&pool, reading("SELECT makes()")).await.is_ok());
        assert_eq!(
            body(&pool, show("SELECT coalesce(to_regclass('pg_temp.made')::text, 'none')")).await,
            r#""none""#
        );
        assert_eq!(body(&pool, show("SELECT last()")).await, r#""55000""#);
    }
}
