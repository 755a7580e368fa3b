//! `pgduet check`: a database with every fault it looks for and one with none, each through the binary, and what it says
//! where it cannot look.

mod pooler;

use crate::support::database::Database;
use serde_json::Value;
use std::process::{Command, Stdio};

/// A role of its own for each thing that a role can have wrong. Roles belong to the server: their settings are put back.
const CARELESS: &str = r#"
    DO $$ BEGIN
        IF to_regrole('check_careless') IS NULL THEN
            CREATE ROLE check_anonymous NOLOGIN;
            CREATE ROLE check_above NOLOGIN;
            CREATE ROLE check_further NOLOGIN;
            CREATE ROLE check_owner NOLOGIN;
            CREATE ROLE check_careless LOGIN NOINHERIT;
            GRANT check_anonymous, check_above TO check_careless;
            GRANT check_further TO check_above;
            IF to_regrole('api_owner') IS NULL THEN CREATE ROLE api_owner NOLOGIN; END IF;
        END IF;
    END $$;
    ALTER ROLE check_above BYPASSRLS;
    ALTER ROLE check_anonymous RESET ALL;
    ALTER ROLE check_above SET statement_timeout = 0;
    ALTER ROLE check_further SET statement_timeout = '1s';
    REVOKE check_further FROM check_careless;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;

    CREATE SCHEMA api AUTHORIZATION check_owner;
    GRANT USAGE ON SCHEMA api TO check_anonymous;
    GRANT CREATE ON SCHEMA api TO check_anonymous;

    CREATE TABLE api.open (id int, note text);
    ALTER TABLE api.open OWNER TO check_owner;
    GRANT SELECT, UPDATE (note) ON api.open TO check_anonymous;
    CREATE TABLE api.parted (id int) PARTITION BY RANGE (id);
    GRANT DELETE ON api.parted TO check_above;
    CREATE TABLE api."a ""b""; -- c" (id int);
    GRANT INSERT ON api."a ""b""; -- c" TO PUBLIC;
    CREATE TABLE api.owned (id int);
    ALTER TABLE api.owned OWNER TO check_anonymous;
    ALTER TABLE api.owned ENABLE ROW LEVEL SECURITY;
    CREATE POLICY none ON api.owned USING (false);
    CREATE TABLE api.mute (id int);
    ALTER TABLE api.mute ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON api.mute TO check_anonymous;
    -- Nobody but its owner has rights on it.
    CREATE TABLE api.hidden (id int);

    CREATE SCHEMA private;
    CREATE TABLE private.secrets (id int);
    INSERT INTO private.secrets VALUES (1);
    ALTER TABLE private.secrets ENABLE ROW LEVEL SECURITY;
    CREATE POLICY none ON private.secrets USING (false);
    CREATE VIEW api.above AS SELECT id FROM private.secrets;
    CREATE MATERIALIZED VIEW api.copied AS SELECT id FROM private.secrets;
    CREATE VIEW private.inner AS SELECT id FROM private.secrets;
    CREATE VIEW api.outer AS SELECT id FROM private.inner;
    CREATE VIEW api.harmless AS SELECT id FROM api.hidden;
    GRANT SELECT ON api.above, api.copied, api.outer, api.harmless TO check_anonymous;
    GRANT USAGE ON SCHEMA private TO check_anonymous;
    GRANT SELECT ON private.secrets, private.inner TO check_anonymous;

    CREATE FUNCTION api.power(a int, "B" text[]) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
    CREATE FUNCTION api.fixed() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
    CREATE FUNCTION api.parsed() RETURNS int LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT 1; END;
    CREATE FUNCTION api.locked() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
    REVOKE EXECUTE ON FUNCTION api.fixed(), api.parsed(), api.locked() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION api.fixed(), api.parsed() TO check_anonymous;
    CREATE FUNCTION api.plain() RETURNS int LANGUAGE sql AS 'SELECT 1';
"#;

const CAREFUL: &str = "
    DO $$ BEGIN
        IF to_regrole('check_careful') IS NULL THEN
            CREATE ROLE check_reader NOLOGIN;
            CREATE ROLE check_writer NOLOGIN;
            CREATE ROLE check_careful LOGIN NOINHERIT;
            GRANT check_reader, check_writer TO check_careful;
            ALTER ROLE check_reader SET statement_timeout = '5s';
            ALTER ROLE check_writer SET statement_timeout = 10000;
        END IF;
    END $$;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    CREATE SCHEMA api;
    GRANT USAGE ON SCHEMA api TO check_reader, check_writer;
    CREATE TABLE api.notes (id int PRIMARY KEY, owner text, note text);
    ALTER TABLE api.notes ENABLE ROW LEVEL SECURITY;
    CREATE POLICY read ON api.notes FOR SELECT TO check_reader, check_writer USING (true);
    CREATE POLICY own ON api.notes TO check_writer USING (owner = current_setting('request.jwt.claims')::json ->> 'sub');
    GRANT SELECT ON api.notes TO check_reader;
    GRANT SELECT, INSERT, UPDATE, DELETE ON api.notes TO check_writer;
    CREATE TABLE api.read_only (id int);
    GRANT SELECT ON api.read_only TO check_reader;
    CREATE VIEW api.names AS SELECT id FROM api.read_only;
    GRANT SELECT ON api.names TO check_reader;
    CREATE FUNCTION api.secure() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = api, pg_temp AS 'SELECT 1';
    REVOKE EXECUTE ON FUNCTION api.secure FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION api.secure TO check_writer;
";

const SECRET: &str = "a-test-s-secret-that-nobody-else-can-know";

/// What a check said.
struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// Check, severity and subject of each finding.
    fn findings(&self) -> Vec<[String; 3]> {
        let report: Value =
            serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err));
        let findings = report["findings"].as_array().unwrap();
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        findings
            .iter()
            .map(|finding| ["check", "severity", "subject"].map(|name| text(finding, name)))
            .collect()
    }
}

fn check(database: &str, options: &[&str]) -> Said {
    let output = Command::new(crate::support::server::binary())
        .env_clear()
        .env("PGRST_DB_URI", database)
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_JWT_SECRET", SECRET)
        .arg("check")
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn assert_found(said: &Said, expected: &[[&str; 3]]) {
    assert_eq!(said.findings(), expected, "{}{}", said.out, said.err);
}

#[tokio::test]
async fn every_fault_is_found_and_what_a_finding_says_to_run_puts_it_right() {
    let database = Database::fresh(CARELESS);
    let client = database.client().await;
    let version: i32 =
        client.query_one("SELECT current_setting('server_version_num')::int4", &[]).await.unwrap().get(0);
    if version >= 150_000 {
        // Each reads as whoever asks, the second although the view above it has an owner for whom no policy holds.
        let invokers = "
            CREATE VIEW api.invoker WITH (security_invoker = on) AS SELECT id FROM private.secrets;
            CREATE VIEW api.around AS SELECT id FROM api.invoker;
            ALTER VIEW api.outer SET (security_invoker);
            GRANT SELECT ON api.invoker, api.around TO check_anonymous";
        client.batch_execute(invokers).await.unwrap();
        client.batch_execute("SET ROLE check_anonymous").await.unwrap();
        for (view, rows) in [("above", 1), ("outer", 1), ("copied", 1), ("invoker", 0), ("around", 0)] {
            let count = client.query_one(&format!("SELECT count(*) FROM api.{view}"), &[]).await.unwrap();
            assert_eq!(count.get::<_, i64>(0), rows, "{view}");
        }
        client.batch_execute("RESET ROLE").await.unwrap();
    }
    let uri = database.uri("check_careless");
    let said = check(&uri, &["--db-anon-role=check_anonymous", "--json"]);
    assert_eq!((said.status, said.err.as_str()), (Some(1), ""));
    assert_found(
        &said,
        &[
            ["write-without-rls", "warning", r#"table api."a ""b""; -- c""#],
            ["write-without-rls", "warning", "table api.open"],
            ["view-above-rls", "warning", "view api.above"],
            ["view-above-rls", "warning", "view api.copied"],
            ["view-above-rls", "warning", "view api.\"outer\""],
            ["bypass-rls", "warning", "role check_above"],
            ["owner", "warning", "table api.owned"],
            ["definer-search-path", "warning", "function api.power(a integer, \"B\" text[])"],
            ["create-in-schema", "warning", "schema api"],
            ["no-statement-timeout", "warning", "role check_above"],
            ["no-statement-timeout", "warning", "role check_anonymous"],
            ["no-statement-timeout", "warning", "role check_further"],
            ["definer-for-everyone", "note", "function api.power(a integer, \"B\" text[])"],
            ["rls-without-policy", "note", "table api.mute"],
        ],
    );

    let report: Value = serde_json::from_str(&said.out).unwrap();
    for finding in report["findings"].as_array().unwrap() {
        let remedy = finding["remedy"].as_str().unwrap();
        client.batch_execute(remedy).await.unwrap_or_else(|error| panic!("{remedy}: {error:?}"));
    }
    // Tables that have no policy yet show nothing.
    let said = check(&uri, &["--db-anon-role=check_anonymous", "--json"]);
    assert_eq!(said.status, Some(0), "{}", said.out);
    assert_found(
        &said,
        &[
            ["rls-without-policy", "note", r#"table api."a ""b""; -- c""#],
            ["rls-without-policy", "note", "table api.open"],
        ],
    );
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let database = Database::fresh(CAREFUL);
    let options = ["--db-anon-role=check_reader", "--admin-server-port=9", "--admin-server-host=127.0.0.1"];
    let said = check(&database.uri("check_careful"), &options);
    let nothing = (Some(0), "critical: 0, warning: 0, note: 0\n", "");
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), nothing);
    let said = check(&database.uri("check_careful"), &["--json"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "{\n  \"findings\": []\n}\n"));
}

#[test]
fn the_table_says_what_follows_and_what_to_do_and_steers_no_terminal() {
    let database = Database::fresh(CAREFUL);
    database.execute("CREATE TABLE api.\"a\u{1b}[2J\nnote  b\" (); GRANT INSERT ON api.\"a\u{1b}[2J\nnote  b\" TO check_writer");
    let said = check(&database.uri("check_careful"), &[]);
    assert_eq!(said.status, Some(1));
    let expected = concat!(
        "SEVERITY  CHECK              FINDING\n",
        "warning   write-without-rls  table api.\"a\\u{1b}[2J\\nnote  b\"\n",
        "                             Row-level security is off, and check_writer may write.\n",
        "                             Whoever holds the role can change or delete every row.\n",
        "                             ALTER TABLE api.\"a\\u{1b}[2J\\nnote  b\" ENABLE ROW LEVEL SECURITY;\n",
        "                             Then add a policy for each role that says which rows are its own; or revoke the \
         right to write.\n",
        "critical: 0, warning: 1, note: 0\n",
    );
    assert_eq!(said.out, expected);
}

#[test]
fn a_login_role_that_can_do_everything_is_found() {
    let database = Database::fresh(CAREFUL);
    let said = check(&database.superuser_uri(), &["--db-anon-role=check_reader", "--json"]);
    let findings = said.findings();
    assert_eq!((said.status, findings[0][0].as_str()), (Some(1), "superuser"), "{}", said.out);
    assert!(said.out.contains("GRANT check_reader TO authenticator;"), "{}", said.out);
}

#[test]
fn options_that_open_a_door_are_found() {
    let database = Database::fresh(CAREFUL);
    let uri = database.uri("check_careful");
    let short = r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"oct","k":"c2hvcnQ"}]}"#;
    let flag = |name: &str, value: &str| format!("--{name}={value}");
    for (options, expected) in [
        (vec![flag("jwt-secret", "short")], [["secret", "critical", "option jwt-secret"]].as_slice()),
        (vec![flag("jwt-secret", short)], &[["secret", "critical", "option jwt-secret"]]),
        (
            vec![flag("jwt-secret", "reallyreallyreallyreallyverysafe")],
            &[["secret", "critical", "option jwt-secret"]],
        ),
        (
            vec![flag("page-token-secret", "short")],
            &[["page-token-secret", "warning", "option page-token-secret"]],
        ),
        (
            vec![flag("admin-server-port", "3001")],
            &[["admin-server-open", "warning", "option admin-server-host"]],
        ),
        (
            vec![flag("admin-server-port", "3001"), flag("admin-server-host", "10.0.0.1")],
            &[["admin-server-open", "warning", "option admin-server-host"]],
        ),
        (vec![flag("admin-server-port", "3001"), flag("admin-server-host", "::1")], &[]),
        (
            vec![flag("db-anon-role", "check_careful")],
            &[
                ["requests-as-login", "warning", "role check_careful"],
                ["no-statement-timeout", "warning", "role check_careful"],
            ],
        ),
        (vec![flag("db-anon-role", "check_nobody")], &[["anonymous-role", "warning", "role check_nobody"]]),
        (
            vec![flag("jwt-secret-allow-http", "true")],
            &[["keys-over-http", "warning", "option jwt-secret-allow-http"]],
        ),
        (vec![flag("db-plan-enabled", "true")], &[["plans-shown", "warning", "option db-plan-enabled"]]),
        (
            vec![flag("openapi-mode", "ignore-privileges")],
            &[["document-shows-all", "note", "option openapi-mode"]],
        ),
    ] {
        let options: Vec<_> = options.iter().map(String::as_str).chain(["--json"]).collect();
        let said = check(&uri, &options);
        assert_found(&said, expected);
        let status = expected.iter().any(|[_, severity, _]| *severity != "note");
        assert_eq!(said.status, Some(i32::from(status)), "{options:?}");
        assert!(!said.out.contains("\"short"), "the secret is told: {}", said.out);
    }
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-check.conf", database.name()));
    std::fs::write(&file, "jwt-audience = \"us\"").unwrap();
    let said = check(&format!("{uri}&require_auth=scram-sha-256"), &["--json", file.to_str().unwrap()]);
    assert_found(&said, &[["no-effect", "warning", "configuration"]]);
    assert!(
        said.out.contains("jwt-audience is not") && said.out.contains("require_auth is not"),
        "{}",
        said.out
    );
    std::fs::remove_file(file).unwrap();
    // One that is set in the database is stronger than a flag.
    let set =
        format!("ALTER ROLE check_careful IN DATABASE {} SET pgrst.jwt_secret = 'short'", database.name());
    database.execute(&set);
    let said = check(&uri, &["--json", "--page-token-secret=short"]);
    let both = [
        ["secret", "critical", "option jwt-secret"],
        ["page-token-secret", "warning", "option page-token-secret"],
    ];
    assert_found(&said, &both);
    database.execute(&set.replace("SET pgrst.jwt_secret = 'short'", "RESET ALL"));
    let said = Command::new(crate::support::server::binary())
        .env_clear()
        .args(["--db-uri", &uri, "check", "--json", "--db-schemas", "api"])
        .output()
        .unwrap();
    let said =
        Said { status: said.status.code(), out: String::from_utf8(said.stdout).unwrap(), err: String::new() };
    assert_found(&said, &[["nobody-served", "warning", "option jwt-secret"]]);
}

#[test]
fn where_nothing_can_be_looked_at_the_status_is_another() {
    let database = Database::fresh(CAREFUL);
    let uri = database.uri("check_careful");
    for (uri, options, word) in [
        ("postgresql://nobody@127.0.0.1:1/none", vec![], "Database"),
        (uri.as_str(), vec!["--db-schemas=missing"], "schema \"missing\" does not exist"),
        (&uri, vec!["--server-port=many"], "Invalid server-port"),
        (&uri, vec!["--no-such-option"], "--no-such-option"),
        (&uri, vec!["--json", "more", "than"], "than"),
    ] {
        let said = check(uri, &options);
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{options:?}: {}", said.err);
        assert!(said.err.contains(word), "{options:?}: {}", said.err);
    }
    // It is the status of a check alone.
    let said =
        Command::new(crate::support::server::binary()).args(["schema", "--no-such-option"]).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
}

/// What is said of the sample is true, and meant so: its members keep the catalogue together, a view tells which books
/// are out and not with whom, and the secret is public.
#[tokio::test]
async fn what_is_said_of_the_demo_is_true() {
    let database = Database::fresh("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let source = crate::demo::given(&database);
    pgduet::demo::prepare(source).await.unwrap();
    let secret = format!("--jwt-secret={}", pgduet::demo::JWT_SECRET);
    let said = check(&database.uri("authenticator"), &["--db-anon-role=anonymous", &secret, "--json"]);
    assert_found(
        &said,
        &[
            ["secret", "critical", "option jwt-secret"],
            ["write-without-rls", "warning", "table api.authors"],
            ["write-without-rls", "warning", "table api.books"],
            ["view-above-rls", "warning", "view api.available_books"],
            ["no-statement-timeout", "warning", "role anonymous"],
            ["no-statement-timeout", "warning", "role authenticated"],
        ],
    );
}
