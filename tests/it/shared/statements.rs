//! Code can replace what is prepared: it deallocates a statement and prepares another under its name. No request of
//! anybody runs that. Each test replaces what it names in every way in which code comes to run, and then asks as before.

use super::*;

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE SCHEMA hidden;
    CREATE FUNCTION hidden.replace(pattern text, instead text) RETURNS int LANGUAGE plpgsql AS $$
    DECLARE found record; replaced int := 0;
    BEGIN
        FOR found IN SELECT name, array_to_string(parameter_types, ', ') AS types
            FROM pg_prepared_statements WHERE statement LIKE pattern AND NOT from_sql
        LOOP
            EXECUTE format('DEALLOCATE %I', found.name);
            EXECUTE format('PREPARE %I %s AS %s', found.name, '(' || nullif(found.types, '') || ')', instead);
            replaced := replaced + 1;
        END LOOP;
        PERFORM set_config('app.left', 'yes', false);
        RETURN replaced;
    END $$;
    CREATE FUNCTION api.replace(pattern text, instead text) RETURNS int LANGUAGE sql
        AS 'SELECT hidden.replace(pattern, instead)';
    CREATE FUNCTION api.fail(pattern text, instead text) RETURNS int LANGUAGE plpgsql
        AS $$ BEGIN RAISE 'replaced %', hidden.replace(pattern, instead); END $$;
    CREATE TABLE api.notes (id serial PRIMARY KEY, pattern text, instead text);
    CREATE FUNCTION hidden.noted() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM hidden.replace(NEW.pattern, NEW.instead); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER noted AFTER INSERT ON api.notes DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.pattern <> '') EXECUTE FUNCTION hidden.noted();
    CREATE FUNCTION api.late(pattern text, instead text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
        RESET transaction_read_only;
        INSERT INTO api.notes (pattern, instead) VALUES (pattern, instead);
        RETURN 1;
    END $$;
    CREATE FUNCTION api.prepares() RETURNS int LANGUAGE plpgsql
        AS $$ BEGIN PREPARE own AS SELECT 1; RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 2; END $$;
    CREATE VIEW api.who AS SELECT current_user::text AS who, current_setting('app.left', true) AS setting;
    CREATE TABLE api.words (word text);
    GRANT USAGE ON SCHEMA api, hidden TO anonymous, authenticated;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous, authenticated;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA api TO anonymous, authenticated";

/// Ways in which code comes to run.
const WAYS: [(&str, &str); 5] = [
    ("POST", "/rpc/replace"),
    ("GET", "/rpc/replace"),
    ("POST", "/rpc/fail"),
    ("POST", "/notes"),
    ("GET", "/rpc/late"),
];

fn who(served: &Served, who: Who) -> (u16, String) {
    let answer = served.ask(who, "GET", "/who?select=who,s:setting", None);
    (answer.status, answer.text())
}

/// Asks for what everybody is asking for, and says what is wrong.
fn asks(served: &Served) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, role) in [(Who::Authenticated, "authenticated"), (Who::Anonymous, "anonymous")] {
        let found = who(served, name);
        let is_clean = ["null", r#""""#].map(|setting| format!(r#"[{{"who":"{role}","s":{setting}}}]"#));
        if found.0 != 200 || !is_clean.contains(&found.1) {
            wrong.push(format!("{role} reads {found:?}"));
        }
        let word = format!("{role}'s");
        let answer = served.ask(name, "POST", "/words", Some(&format!(r#"{{"word":"{word}"}}"#)));
        let (written, rows) = (answer.text(), served.ask(name, "GET", "/words", None).text());
        let all = format!(r#"[{{"word":"{word}"}}]"#);
        if answer.status != 201 || written != all || rows != all {
            wrong.push(format!("{role} writes {} {written} and reads {rows}", answer.status));
        }
        let answer = served.ask(name, "DELETE", "/words", None);
        if answer.text() != all {
            wrong.push(format!("{role} deletes {} {}", answer.status, answer.text()));
        }
    }
    wrong
}

fn no_request_runs(pattern: &str, instead: &str) {
    let served = served(SCHEMA);
    let mut wrong = Vec::new();
    for (method, target) in WAYS {
        for _ in 0..3 {
            wrong.extend(asks(&served));
        }
        for _ in 0..2 {
            let body = json!({"pattern": pattern, "instead": instead}).to_string();
            let encoded =
                |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
            match method {
                "GET" => {
                    let query = format!("{target}?pattern={}&instead={}", encoded(pattern), encoded(instead));
                    served.ask(Who::Anonymous, method, &query, None)
                }
                _ => served.ask(Who::Anonymous, method, target, Some(&body)),
            };
            for _ in 0..2 {
                wrong
                    .extend(asks(&served).into_iter().map(|what| format!("after {method} {target}: {what}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{pattern}:\n{}", wrong.join("\n"));
    assert!(served.server.log().contains("prepared statements under names"), "{}", served.server.log());
}

#[test]
fn of_another_role() {
    no_request_runs("%\"who\"%", "SELECT 'stolen' AS who, 'stolen' AS s");
    no_request_runs("INSERT%", "INSERT INTO api.notes (pattern) VALUES ('') RETURNING 'stolen'");
}

#[test]
fn of_the_settings() {
    no_request_runs("SELECT WHERE false%", "SELECT set_config('app.left', 'stolen', false) WHERE false");
}

#[test]
fn of_what_begins_and_ends_a_transaction() {
    no_request_runs("BEGIN%", "SELECT 1");
    no_request_runs("COMMIT", "SELECT 1");
}

#[test]
fn of_what_puts_the_session_back() {
    for pattern in ["RESET ALL", "CLOSE ALL", "UNLISTEN%", "DISCARD%", "SELECT pg_catalog.pg_advisory%"] {
        no_request_runs(pattern, "SELECT set_config('app.left', 'stolen', false)");
    }
}

#[test]
fn by_code_that_runs_before_a_document() {
    const BEFORE: &str = "
        CREATE FUNCTION hidden.before() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('request.path') = '/' THEN
                PERFORM hidden.replace('%\"who\"%', 'SELECT ''stolen'' AS who, ''stolen'' AS s');
            END IF;
        END $$";
    let served = served_with(&format!("{SCHEMA};{BEFORE}"), &[("PGRST_DB_PRE_REQUEST", "hidden.before")]);
    for _ in 0..3 {
        assert_eq!(asks(&served), Vec::<String>::new());
    }
    for _ in 0..2 {
        assert_eq!(served.ask(Who::Anonymous, "GET", "/", None).status, 200);
        assert_eq!(asks(&served), Vec::<String>::new());
    }
    assert!(served.server.log().contains("prepared statements under names"), "{}", served.server.log());
}

#[test]
fn a_statement_of_its_own_name_costs_no_connection() {
    let served = served(SCHEMA);
    for expected in ["1", "2", "2"] {
        assert_eq!(served.ask(Who::Anonymous, "POST", "/rpc/prepares", Some("{}")).text(), expected);
        assert_eq!(asks(&served), Vec::<String>::new());
    }
    assert!(!served.server.log().contains("prepared statements under names"));
}
