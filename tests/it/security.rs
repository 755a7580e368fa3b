//! `docs/security.md`: that the tests it names exist, that it explains every limit, that its configuration works as it
//! stands there, and what it says of clients and of code in the database that no other test shows.

use crate::support::{
    database::Database,
    http::{Answer, send},
    server::Server,
    tools::stdout,
};
use pgduet::config::OPTIONS;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};

const DOCUMENT: &str = include_str!("../../docs/security.md");

/// The first block of this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// What stands between backticks, outside of blocks.
fn quoted() -> impl Iterator<Item = &'static str> {
    let outside = DOCUMENT.split("```").step_by(2);
    outside.flat_map(|text| text.split('`').skip(1).step_by(2))
}

/// Whether a file has a test of this name.
fn has_test(file: &Path, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    let (function, future) = (format!("fn {name}("), format!("async fn {name}("));
    let mut attribute = "";
    text.lines().map(str::trim).any(|line| {
        let found =
            (line.starts_with(&function) || line.starts_with(&future)) && attribute.ends_with("test]");
        if line.starts_with("#[") {
            attribute = line;
        } else if !line.starts_with("//") {
            attribute = "";
        }
        found
    })
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names: Vec<_> = quoted().filter(|name| name.contains("::")).collect();
    assert!(names.len() > 50, "{names:?}");
    let missing: Vec<_> = names
        .into_iter()
        .filter(|name| {
            let (module, name) = name.rsplit_once("::").unwrap();
            // Tests of a module stand in its file, or in one beside it.
            let beside = module.strip_suffix("::tests").unwrap_or(module);
            let places = [("src", module), ("src", beside), ("tests/it", module)];
            !places.into_iter().any(|(below, module)| {
                has_test(&root.join(below).join(module.replace("::", "/")).with_extension("rs"), name)
            })
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_option_that_sets_a_limit_or_a_deadline_is_explained() {
    let explained: Vec<_> = quoted().collect();
    let limits = OPTIONS.iter().map(|row| row.name).filter(|name| {
        ["-max-", "-timeout", "-size"].iter().any(|part| name.contains(part)) || *name == "db-pool"
    });
    let missing: Vec<_> = limits.filter(|name| !explained.contains(name)).collect();
    assert!(missing.is_empty(), "docs/security.md does not say what these protect: {missing:?}");
}

#[test]
fn every_check_is_explained() {
    let checks = include_str!("../../src/check.rs");
    let names = checks.lines().filter_map(|line| line.trim().strip_prefix("name: \"")?.strip_suffix("\","));
    let severities =
        checks.lines().filter_map(|line| line.trim().strip_prefix("severity: Severity::")?.strip_suffix(','));
    let rows: Vec<_> = names
        .zip(severities)
        .map(|(name, severity)| format!("| `{name}` | {} |", severity.to_lowercase()))
        .collect();
    assert!(rows.len() > 15, "{rows:?}");
    let (_, table) = DOCUMENT.split_once("| Check | Severity | Finds |").unwrap();
    let listed: Vec<_> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(listed.len(), rows.len());
    for (listed, row) in listed.iter().zip(&rows) {
        assert!(listed.starts_with(row.as_str()), "{listed} is not {row}");
    }
}

fn bearer(claims: &Value, secret: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap();
    format!("Bearer {token}")
}

#[test]
fn the_production_configuration_serves_and_a_check_of_it_finds_nothing() {
    const SECRET: &str = "q7Jc2mYk0sV9rT4uXb8nZw3eLf6hGa1d";
    let drop = "DROP ROLE IF EXISTS app_owner, app_anonymous, app_member, app_login;";
    let database = Database::fresh(&format!("{drop}{}", block("sql")));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-production", database.name()));
    fs::create_dir_all(&directory).unwrap();
    for (name, secret) in [
        ("db-uri", database.uri("app_login").as_str()),
        ("jwt", SECRET),
        ("page-tokens", "0pLkM9nJbH8vGyC7fTxD6rZsE5wAqQ4u"),
    ] {
        fs::write(directory.join(name), secret).unwrap();
    }
    let file = directory.join("pgduet.conf");
    let options = block("ini");
    assert!(options.contains("@/run/secrets/"), "{options}");
    fs::write(&file, options.replace("/run/secrets", directory.to_str().unwrap())).unwrap();

    let mut check = Command::new(crate::support::server::binary());
    let said = stdout(check.env_clear().arg("check").arg(&file));
    assert_eq!(said, "critical: 0, warning: 0, note: 0\n");

    // Other tests have the ports that the file names.
    let mut command = Command::new(crate::support::server::binary());
    command.env_clear().arg(&file).args(["--server-port=0", "--admin-server-port", ""]);
    let server = Server::run(command);
    assert!(!server.log().contains("has no effect"), "{}", server.log());
    let ask = |who: Option<&str>, method, target: &str, body| -> Answer {
        let aud = "https://api.example.com";
        let token = who.map(|sub| bearer(&json!({"role": "app_member", "sub": sub, "aud": aud}), SECRET));
        let headers: Vec<_> = token.iter().map(|token| ("Authorization", token.as_str())).collect();
        send(server.address(), method, target, &headers, body)
    };
    let (ada, grace) = (Some("ada"), Some("grace"));
    for (who, method, target, body, status) in [
        (ada, "POST", "/notes", Some(r#"{"text":"mine"}"#), 201),
        (ada, "POST", "/notes", Some(r#"{"text":"ours","public":true}"#), 201),
        (grace, "POST", "/notes", Some(r#"{"text":"not mine","owner":"ada"}"#), 403),
        (None, "POST", "/notes", Some(r#"{"text":"nobody's"}"#), 401),
        (None, "POST", "/rpc/count_notes", Some("{}"), 401),
    ] {
        let answer = ask(who, method, target, body);
        assert_eq!(answer.status, status, "{who:?} {method} {target}: {}", answer.text());
    }
    for (who, target, text) in [
        (ada, "/notes?select=text&order=id", r#"[{"text":"mine"},{"text":"ours"}]"#),
        (grace, "/notes?select=text", r#"[{"text":"ours"}]"#),
        (None, "/notes?select=text", r#"[{"text":"ours"}]"#),
        (grace, "/rpc/count_notes", "2"),
    ] {
        let answer = ask(who, "GET", target, None).text().replace(", \n ", ",");
        assert_eq!(answer, text, "{who:?} {target}");
    }
    fs::remove_dir_all(directory).unwrap();
}

const SECRET: &str = "a-test-s-secret-that-nobody-else-can-know";

/// What code in the database can say of who it is, and try to be.
const SCHEMA: &str = r"
    CREATE SCHEMA api;
    GRANT USAGE ON SCHEMA api TO anonymous, authenticated;
    CREATE FUNCTION api.who() RETURNS text LANGUAGE sql VOLATILE AS 'SELECT current_user::text';
    CREATE FUNCTION api.claims() RETURNS text LANGUAGE sql STABLE AS
        $$ SELECT current_setting('request.jwt.claims', true) $$;
    CREATE FUNCTION api.become(wanted text) RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN PERFORM set_config('role', wanted, true); RETURN current_user; END $$;
    CREATE FUNCTION api.guard() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('request.jwt.claims', true)::json ->> 'jti' = 'revoked' THEN
            RAISE SQLSTATE 'PT401' USING MESSAGE = 'revoked';
        END IF;
    END $$;
    CREATE SCHEMA private;
    GRANT USAGE ON SCHEMA private TO anonymous;
    CREATE TABLE private.secrets (id int);
    CREATE FUNCTION private.tell() RETURNS int LANGUAGE sql AS 'SELECT 1';
    GRANT SELECT ON private.secrets TO anonymous;
";

fn serve(database: &Database, more: &[(&str, &str)]) -> Server {
    let uri = database.uri("authenticator");
    let environment = [
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_JWT_SECRET", SECRET),
        // Each request finds the connection of the one before it.
        ("PGRST_DB_POOL", "1"),
    ];
    Server::start(&[&environment, more].concat())
}

#[test]
fn code_in_the_database_can_become_every_role_of_the_login_role_in_its_own_request_alone() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let post = |target: &str, body: &str| send(server.address(), "POST", target, &[], Some(body));
    for (wanted, status) in [("authenticated", 200), ("authenticator", 200), ("none", 200), ("postgres", 401)]
    {
        let became = post("/rpc/become", &json!({"wanted": wanted}).to_string());
        assert_eq!(became.status, status, "{wanted}: {}", became.text());
        let is = if wanted == "none" { "authenticator" } else { wanted };
        assert!(status != 200 || became.text() == format!("\"{is}\""), "{wanted}: {}", became.text());
        assert_eq!(post("/rpc/who", "{}").text(), "\"anonymous\"", "after {wanted}");
    }
}

#[test]
fn a_client_chooses_neither_its_role_nor_its_claims() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let claims = r#"{"role":"authenticated","sub":"ada"}"#;
    for headers in [
        [("role", "authenticated"), ("request.jwt.claims", claims)],
        [("Request.Jwt.Claims", claims), ("Cookie", "role=authenticated; request.jwt.claims={}")],
        [("X-Role", "authenticated"), ("Prefer", "role=authenticated")],
    ] {
        let get = |target| send(server.address(), "GET", target, &headers, None).text();
        let told: Value = serde_json::from_str(&get("/rpc/claims")).unwrap();
        assert_eq!(told, json!(r#"{"role":"anonymous"}"#), "{headers:?}");
        assert_eq!(get("/rpc/who"), "\"anonymous\"", "{headers:?}");
    }
    // What is no argument is no setting either.
    let answer = send(server.address(), "GET", "/rpc/who?role=authenticated", &[], None);
    assert_eq!(answer.status, 404);
}

#[test]
fn what_is_not_exposed_cannot_be_asked_for() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let body = Some("{}");
    for (method, target, headers, body, status) in [
        ("GET", "/secrets", vec![], None, 404),
        ("GET", "/private.secrets", vec![], None, 404),
        ("GET", "/pg_authid", vec![], None, 404),
        ("GET", "/pg_catalog.pg_class", vec![], None, 404),
        ("POST", "/rpc/tell", vec![], body, 404),
        ("POST", "/rpc/set_config", vec![], Some(r#"{"setting_name":"role"}"#), 404),
        ("POST", "/rpc/pg_read_file", vec![], Some(r#"{"filename":"PG_VERSION"}"#), 404),
        ("GET", "/secrets", vec![("Accept-Profile", "private")], None, 406),
        ("GET", "/pg_class", vec![("Accept-Profile", "pg_catalog")], None, 406),
        ("POST", "/rpc/pg_sleep", vec![("Content-Profile", "pg_catalog")], body, 406),
    ] {
        let answer = send(server.address(), method, target, &headers, body);
        assert_eq!(answer.status, status, "{method} {target} {headers:?}: {}", answer.text());
    }
}

#[test]
fn a_function_before_each_request_can_refuse_it() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_DB_PRE_REQUEST", "api.guard")]);
    for (id, status) in [("good", 200), ("revoked", 401)] {
        let token = bearer(&json!({"role": "authenticated", "jti": id}), SECRET);
        let answer = send(server.address(), "GET", "/rpc/who", &[("Authorization", &token)], None);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}
