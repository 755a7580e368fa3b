//! Whatever code a request runs, and however it comes to run: what it sets for the answer is in the answer, and what it
//! leaves in the session is gone before the next request.

use super::*;

/// What code leaves behind, besides a header of the answer.
const LEAVE: &str = "
    CREATE SCHEMA api;
    CREATE SCHEMA hidden;
    CREATE FUNCTION hidden.leave() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('response.headers', '[{\"X-Left\": \"yes\"}]', true);
        PERFORM set_config('app.left', 'yes', false), set_config('TimeZone', 'Asia/Tokyo', false);
        PERFORM pg_advisory_lock(17);
        IF current_setting('transaction_read_only') = 'off' THEN
            CREATE TEMP TABLE IF NOT EXISTS mine (secret text);
            LISTEN gossip;
        END IF;
        IF NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'held') THEN
            EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1';
        END IF;
        RETURN true;
    END $$;
    -- What is there, for whoever looks: nothing.
    CREATE VIEW api.session AS SELECT coalesce(current_setting('app.left', true), '') AS setting,
        current_setting('TimeZone') <> 'Asia/Tokyo' AS zone,
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
        (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors,
        to_regclass('pg_temp.mine') IS NULL AS tables,
        (SELECT count(*) FROM pg_listening_channels()) AS channels;
    CREATE TABLE api.plain (id int PRIMARY KEY, word text);
    INSERT INTO api.plain VALUES (1, 'one');
    DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC', current_database()); END $$;
    GRANT USAGE ON SCHEMA api, hidden TO anonymous, authenticated;";

const GRANTS: &str = ";
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA api TO anonymous";

const NOTHING: &str = r#"[{"setting":"","zone":true,"locks":0,"cursors":0,"tables":true,"channels":0}]"#;

/// Runs a request whose code leaves something, and looks.
fn leaves_nothing(schema: &str, method: &str, target: &str, body: Option<&str>) {
    let served = served(&format!("{LEAVE}{schema}{GRANTS}"));
    for _ in 0..3 {
        let answer = served.ask(Who::Anonymous, method, target, body);
        assert!((200..300).contains(&answer.status), "{target}: {}", answer.text());
        assert_eq!(
            answer.header("x-left").as_deref(),
            Some("yes"),
            "{target} does not run it: {}",
            answer.text()
        );
        assert_eq!(served.get("/session"), NOTHING, "{target}");
        let plain = served.ask(Who::Anonymous, "GET", "/plain", None);
        assert_eq!((plain.text().as_str(), plain.header("x-left")), (r#"[{"id":1,"word":"one"}]"#, None));
    }
}

#[test]
fn of_a_function() {
    let schema = "CREATE FUNCTION api.go() RETURNS bool LANGUAGE sql AS 'SELECT hidden.leave()'";
    leaves_nothing(schema, "POST", "/rpc/go", None);
    leaves_nothing(schema, "GET", "/rpc/go", None);
}

/// Where a call gives one row, the columns that look at what it leaves stand behind those of its result.
#[test]
fn of_a_call_whatever_becomes_of_its_result() {
    let schema = "
        CREATE FUNCTION api.scalar() RETURNS bool STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN hidden.leave(); END $$;
        CREATE FUNCTION api.folded(n int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN hidden.leave(); END $$;
        CREATE FUNCTION api.inlined() RETURNS bool STABLE LANGUAGE sql AS 'SELECT hidden.leave()';
        CREATE FUNCTION api.changing() RETURNS bool LANGUAGE sql AS 'SELECT hidden.leave()';
        CREATE FUNCTION api.strict(n int) RETURNS api.plain STRICT LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); RETURN ROW(1, 'one'::text); END $$;
        CREATE FUNCTION api.composite() RETURNS api.plain STABLE LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); RETURN ROW(1, 'one'::text); END $$;
        CREATE FUNCTION api.absent() RETURNS api.plain STABLE LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); RETURN NULL; END $$;
        CREATE FUNCTION api.out(OUT a int, OUT b text) STABLE LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); a := 1; b := 'one'; END $$;
        CREATE FUNCTION api.nothing() RETURNS void STABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM hidden.leave(); END $$;
        CREATE FUNCTION api.several() RETURNS SETOF api.plain STABLE LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); RETURN QUERY SELECT * FROM api.plain; END $$;
        CREATE FUNCTION api.none() RETURNS SETOF api.plain STABLE LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); END $$;
        CREATE FUNCTION api.words(api.plain) RETURNS bool STABLE LANGUAGE plpgsql AS $$ BEGIN
            RETURN hidden.leave(); END $$;
        CREATE FUNCTION api.quiet() RETURNS api.plain STABLE LANGUAGE sql AS 'SELECT (1, ''one'')::api.plain'";
    let served = served(&format!("{LEAVE}{schema}{GRANTS}"));
    let one = r#"{"id":1,"word":"one"}"#;
    let list = format!("[{one}]");
    let calls = [
        ("/rpc/scalar", "true"),
        ("/rpc/folded?n=1", "true"),
        ("/rpc/inlined", "true"),
        ("/rpc/changing", "true"),
        ("/rpc/strict?n=1", one),
        ("/rpc/composite", one),
        ("/rpc/composite?select=word", r#"{"word":"one"}"#),
        ("/rpc/composite?id=eq.1", one),
        ("/rpc/composite?id=eq.0", "null"),
        ("/rpc/composite?order=id", one),
        ("/rpc/quiet?select=id,words", r#"{"id":1,"words":true}"#),
        ("/rpc/absent", r#"{"id":null,"word":null}"#),
        ("/rpc/out", r#"{"a":1,"b":"one"}"#),
        ("/rpc/nothing", ""),
        ("/rpc/several", list.as_str()),
        ("/rpc/several?id=eq.0", "[]"),
        ("/rpc/none", "[]"),
    ];
    for _ in 0..3 {
        for (target, expected) in calls {
            for prefer in
                ["", "count=exact", "count=planned", "count=estimated", "tx=rollback", "nulls=stripped"]
            {
                let accept = match prefer {
                    "nulls=stripped" => "application/vnd.pgrst.array+json;nulls=stripped",
                    _ => "*/*",
                };
                let headers = [("Prefer", prefer), ("Accept", accept)];
                let answer = served.connection.borrow_mut().send("GET", target, &headers, None).unwrap();
                assert!((200..300).contains(&answer.status), "{target}: {}", answer.text());
                if prefer != "nulls=stripped" {
                    assert_eq!(answer.text(), expected, "{target} {prefer}");
                }
                assert_eq!(answer.header("x-left").as_deref(), Some("yes"), "{target} {prefer}");
                assert_eq!(served.get("/session"), NOTHING, "{target} {prefer}");
            }
        }
    }
}

/// What comes before a call sets is looked at, too.
#[test]
fn of_what_comes_before_a_call() {
    let schema = "CREATE FUNCTION api.add(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT a + b'";
    let variables = [("PGRST_DB_PRE_REQUEST", "hidden.leave")];
    let served = served_with(&format!("{LEAVE}{schema}{GRANTS}"), &variables);
    for _ in 0..3 {
        let answer = served.ask(Who::Anonymous, "GET", "/rpc/add?a=1&b=2", None);
        assert_eq!((answer.text().as_str(), answer.header("x-left").as_deref()), ("3", Some("yes")));
    }
}

#[test]
fn of_a_view_above_one_that_calls_a_function_of_postgresql_itself() {
    let schema = "
        CREATE VIEW hidden.locks AS SELECT id, pg_try_advisory_lock(id) AS locked FROM api.plain;
        CREATE VIEW api.through AS SELECT locked FROM hidden.locks;
        CREATE VIEW api.setting AS SELECT set_config('app.left', 'yes', false) AS value";
    let served = served(&format!("{LEAVE}{schema}{GRANTS}"));
    for _ in 0..3 {
        assert_eq!(served.get("/through"), r#"[{"locked":true}]"#);
        assert_eq!(served.get("/session"), NOTHING);
        assert_eq!(served.get("/setting"), r#"[{"value":"yes"}]"#);
        assert_eq!(served.get("/session"), NOTHING);
    }
}

#[test]
fn of_a_cast_in_the_select_list() {
    let schema = "
        CREATE DOMAIN api.odd AS text CHECK (hidden.leave() OR VALUE = '');
        CREATE TABLE api.t (id int PRIMARY KEY); INSERT INTO api.t VALUES (1)";
    leaves_nothing(schema, "GET", "/t?select=id::odd", None);
}

#[test]
fn of_an_operator() {
    let schema = "
        CREATE FUNCTION api.alike(int, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN hidden.leave(); END $$;
        CREATE OPERATOR api.~~* (LEFTARG = int, RIGHTARG = text, FUNCTION = api.alike)";
    leaves_nothing(schema, "GET", "/plain?id=ilike.x", None);
}

#[test]
fn of_the_expression_of_an_index() {
    let schema = "
        CREATE FUNCTION api.key(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN hidden.leave(); END $$;
        CREATE TABLE api.t (id serial PRIMARY KEY, word text); CREATE INDEX ON api.t (api.key(id))";
    leaves_nothing(schema, "POST", "/t", Some(r#"{"word":"x"}"#));
}

#[test]
fn of_a_domain_over_a_domain() {
    let schema = "
        CREATE DOMAIN api.inner AS text CHECK (hidden.leave()); CREATE DOMAIN api.outer AS api.inner;
        CREATE TABLE api.t (id serial PRIMARY KEY, word api.outer)";
    leaves_nothing(schema, "POST", "/t", Some(r#"{"word":"x"}"#));
}

#[test]
fn of_a_default() {
    let schema = "CREATE TABLE api.t (id serial PRIMARY KEY, word text, done bool DEFAULT hidden.leave())";
    leaves_nothing(schema, "POST", "/t", Some(r#"{"word":"x"}"#));
}

#[test]
fn of_a_check() {
    let schema = "CREATE TABLE api.t (id serial PRIMARY KEY, word text CHECK (hidden.leave()))";
    leaves_nothing(schema, "POST", "/t", Some(r#"{"word":"x"}"#));
}

#[test]
fn of_a_trigger() {
    let schema = "
        CREATE TABLE api.t (id serial PRIMARY KEY, word text); INSERT INTO api.t (word) VALUES ('x');
        CREATE FUNCTION api.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM hidden.leave(); RETURN NEW; END $$;
        CREATE TRIGGER t BEFORE UPDATE ON api.t FOR EACH ROW EXECUTE FUNCTION api.fire()";
    leaves_nothing(schema, "PATCH", "/t?id=eq.1", Some(r#"{"word":"y"}"#));
}

#[test]
fn of_a_policy_and_of_a_view_above_it() {
    let schema = "
        CREATE TABLE api.t (id int PRIMARY KEY); INSERT INTO api.t VALUES (1);
        ALTER TABLE api.t ENABLE ROW LEVEL SECURITY; ALTER TABLE api.t OWNER TO authenticated;
        ALTER TABLE api.t FORCE ROW LEVEL SECURITY;
        CREATE POLICY p ON api.t USING (hidden.leave());
        CREATE VIEW api.above AS SELECT * FROM api.t; ALTER VIEW api.above OWNER TO authenticated";
    leaves_nothing(schema, "GET", "/t", None);
    leaves_nothing(schema, "GET", "/above", None);
}

#[test]
fn of_a_view_that_calls_a_function_and_of_one_that_casts_to_a_domain() {
    leaves_nothing("CREATE VIEW api.v AS SELECT hidden.leave() AS left", "GET", "/v", None);
    let schema = "
        CREATE DOMAIN api.odd AS text CHECK (hidden.leave());
        CREATE VIEW api.v AS SELECT word::api.odd AS word FROM api.plain";
    leaves_nothing(schema, "GET", "/v", None);
}

#[test]
fn of_a_computed_field_and_a_computed_relationship() {
    let schema = "
        CREATE FUNCTION api.left(api.plain) RETURNS bool LANGUAGE sql AS 'SELECT hidden.leave()';
        CREATE FUNCTION api.others(api.plain) RETURNS SETOF api.plain LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); RETURN QUERY SELECT * FROM api.plain; END $$";
    leaves_nothing(schema, "GET", "/plain?select=id,left", None);
    leaves_nothing(schema, "GET", "/plain?left=is.true", None);
    leaves_nothing(schema, "GET", "/plain?order=left", None);
    leaves_nothing(schema, "GET", "/plain?select=id,others(id)", None);
}

#[test]
fn of_an_aggregate_of_one_s_own() {
    let schema = "
        CREATE FUNCTION api.add(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); RETURN concat($1, $2); END $$;
        CREATE AGGREGATE api.sum(text) (SFUNC = api.add, STYPE = text)";
    let served = served_with(&format!("{LEAVE}{schema}{GRANTS}"), &[("PGRST_DB_AGGREGATES_ENABLED", "true")]);
    let answer = served.ask(Who::Anonymous, "GET", "/plain?select=word.sum()", None);
    // Whether it is found or not, nothing of it stays.
    if answer.status == 200 {
        assert_eq!(answer.header("x-left").as_deref(), Some("yes"));
    }
    assert_eq!(served.get("/session"), NOTHING);
}

#[test]
fn of_a_request_that_fails() {
    let schema = "
        CREATE FUNCTION api.go() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
            PERFORM hidden.leave(); RETURN 1 / 0; END $$;
        CREATE TABLE api.late (id int PRIMARY KEY REFERENCES api.plain DEFERRABLE INITIALLY DEFERRED,
            done bool DEFAULT hidden.leave())";
    let served = served(&format!("{LEAVE}{schema}{GRANTS}"));
    for _ in 0..3 {
        assert_eq!(served.ask(Who::Anonymous, "POST", "/rpc/go", None).code().as_deref(), Some("22012"));
        assert_eq!(served.get("/session"), NOTHING);
        // When the transaction was to end.
        let late = served.ask(Who::Anonymous, "POST", "/late", Some(r#"{"id":9}"#));
        assert_eq!(late.code().as_deref(), Some("23503"));
        assert_eq!(served.get("/session"), NOTHING);
    }
}

#[test]
fn of_code_that_came_after_the_schema_was_loaded() {
    let schema = "
        CREATE VIEW api.v AS SELECT true AS left;
        CREATE TABLE api.t (id int PRIMARY KEY); INSERT INTO api.t VALUES (1);
        ALTER TABLE api.t OWNER TO authenticated";
    let served = served(&format!("{LEAVE}{schema}{GRANTS}"));
    for _ in 0..3 {
        assert_eq!(served.get("/v"), r#"[{"left":true}]"#);
        assert_eq!(served.get("/t"), r#"[{"id":1}]"#);
    }
    served.database.execute(
        "CREATE OR REPLACE VIEW api.v AS SELECT hidden.leave() AS left;
         ALTER TABLE api.t ENABLE ROW LEVEL SECURITY; ALTER TABLE api.t FORCE ROW LEVEL SECURITY;
         CREATE POLICY p ON api.t USING (hidden.leave())",
    );
    for _ in 0..3 {
        assert_eq!(served.get("/v"), r#"[{"left":true}]"#);
        assert_eq!(served.get("/session"), NOTHING);
        assert_eq!(served.get("/t"), r#"[{"id":1}]"#);
        assert_eq!(served.get("/session"), NOTHING);
    }
}

/// Code can reset READ ONLY and write; what is deferred then runs at the end of the transaction.
#[test]
fn of_a_trigger_that_is_deferred_in_a_request_that_reads() {
    let schema = "
        CREATE TABLE hidden.visits (id int);
        CREATE FUNCTION hidden.visited() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM hidden.leave(); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER visited AFTER INSERT ON hidden.visits DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION hidden.visited();
        CREATE FUNCTION api.go() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
            RESET transaction_read_only;
            INSERT INTO hidden.visits VALUES (1);
            SET transaction_read_only = on;
            PERFORM set_config('response.headers', '[{\"X-Left\": \"yes\"}]', true);
            RETURN 1;
        END $$";
    leaves_nothing(schema, "GET", "/rpc/go", None);
}
