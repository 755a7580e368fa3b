//! What the process prints: configuration, schema, logs, numbers.

use super::{SCHEMA, ended, pgduet, serve};
use crate::support::{address, database::Database, http::send, tools::stdout, until};
use std::{fs, path::Path};

#[test]
fn the_configuration_in_force_can_be_read_back() {
    let database = Database::fresh(SCHEMA);
    let configured = || {
        let mut command = pgduet();
        command
            .env("PGRST_DB_URI", database.uri("authenticator"))
            .env("PGRST_DB_SCHEMAS", "api, public")
            .env("PGRST_DB_AGGREGATES_ENABLED", "1")
            .env("PGRST_JWT_ROLE_CLAIM_KEY", "$.a.b")
            .env("PGRST_APP_SETTINGS_greeting", "a \"$\" and a \\")
            .arg("--dump-config");
        command
    };
    let dumped = stdout(&mut configured());
    for line in [
        "db-schemas = \"api,public\"",
        "db-aggregates-enabled = true",
        "jwt-role-claim-key = \"$$.a.b\"",
        "app.settings.greeting = \"a \\\"$$\\\" and a \\\\\"",
    ] {
        assert!(dumped.lines().any(|found| found == line), "{line} is not in\n{dumped}");
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.conf", database.name()));
    fs::write(&file, &dumped).unwrap();
    let mut again = std::process::Command::new(crate::support::server::binary());
    assert_eq!(stdout(again.env_clear().arg("--dump-config").arg(&file)), dumped);
    fs::remove_file(file).unwrap();
}

#[test]
fn a_printed_schema_stands_in_for_the_database() {
    let database = Database::fresh(SCHEMA);
    let connected = || {
        let mut command = pgduet();
        command.env("PGRST_DB_URI", database.uri("authenticator")).env("PGRST_DB_SCHEMAS", "api");
        command
    };
    let schema = stdout(connected().arg("schema"));
    assert_eq!(stdout(connected().arg("--dump-schema")), schema);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(database.name());
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("schema.json");
    fs::write(&file, &schema).unwrap();

    let openapi = stdout(connected().arg("openapi"));
    assert_eq!(stdout(pgduet().arg("openapi").arg("--schema").arg(&file)), openapi);
    let document: serde_json::Value = serde_json::from_str(&openapi).unwrap();
    assert!(document["paths"]["/items"]["get"].is_object(), "{openapi}");

    let mut written = Vec::new();
    for (out, command) in [("live", &mut connected()), ("saved", pgduet().arg("--pg-bin=/nowhere"))] {
        let out = directory.join(out);
        command.arg("proto").arg("--out").arg(&out);
        if out.ends_with("saved") {
            command.arg("--schema").arg(&file);
        }
        stdout(command);
        let text: String = protos(&out).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert!(text.contains("service ItemsService"), "{text}");
        written.push(text);
    }
    assert_eq!(written[0], written[1]);
    let broken = directory.join("broken.json");
    fs::write(&broken, &schema[..schema.len() / 2]).unwrap();
    let (code, text) = ended(pgduet().arg("openapi").arg("--schema").arg(&broken));
    assert_eq!(code, Some(1), "{text}");
    fs::remove_dir_all(directory).unwrap();
}

/// The `.proto` files below a directory.
fn protos(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(protos(&path)),
            false if path.extension().is_some_and(|kind| kind == "proto") => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

#[test]
fn an_admin_server_tells_how_the_process_is() {
    let database = Database::fresh(SCHEMA);
    let free = address::free();
    let port = free.port().to_string();
    let admin = [("PGRST_ADMIN_SERVER_PORT", port.as_str())];
    let (code, text) = ended(pgduet().envs(admin).arg("--ready"));
    assert_eq!((code, text), (Some(1), format!("ERROR: connection refused to http://{free}/ready\n")));
    let _server = serve(&database, &admin);
    let (code, text) = ended(pgduet().envs(admin).arg("--ready"));
    assert_eq!((code, text), (Some(0), format!("OK: http://{free}/ready\n")));
    let get = |path| send(&free.to_string(), "GET", path, &[], None);
    assert_eq!((get("/live").status, get("/ready").status, get("/config").status), (200, 200, 404));
    let metrics = get("/metrics").text();
    for line in ["pgrst_schema_cache_loads_total{status=\"SUCCESS\"} 1.0", "pgrst_db_pool_max 10.0"] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let schema: serde_json::Value = serde_json::from_slice(&get("/schema_cache").body).unwrap();
    assert!(schema.to_string().contains("items"));
}

#[test]
fn requests_are_logged_on_stdout_and_faults_on_stderr() {
    let database = Database::fresh(SCHEMA);
    let secret = "x".repeat(32);
    let server = serve(&database, &[("PGRST_LOG_LEVEL", "info"), ("PGRST_JWT_SECRET", &secret)]);
    let agent = [("User-Agent", "probe \"1\""), ("Referer", "http://here")];
    let preflight = [("Origin", "http://there"), ("Access-Control-Request-Method", "POST")];
    let requests: [(&str, &str, &[_], u16); 6] = [
        ("GET", "/items?select=id", &agent, 200),
        ("OPTIONS", "/items", &preflight, 200),
        ("OPTIONS", "/items", &[], 200),
        ("GET", "/nope", &[], 404),
        ("GET", "/items", &[("Authorization", "Bearer a.b.c")], 401),
        ("POST", "/rpc/fail", &[], 500),
    ];
    for (method, target, headers, status) in requests {
        assert_eq!(send(server.address(), method, target, headers, None).status, status, "{method} {target}");
    }
    let log = until("the last line is written", || {
        Some(server.access_log()).filter(|log| log.contains("/rpc/fail"))
    });
    // The time stands in brackets.
    let lines: Vec<_> = log
        .lines()
        .map(|line| [line.split('[').next().unwrap(), line.split(']').nth(1).unwrap()].concat())
        .collect();
    assert_eq!(
        lines[0],
        r#"127.0.0.1 - anonymous  "GET /items?select=id HTTP/1.1" 200 10 "http://here" "probe \"1\"""#
    );
    assert!(lines[1].starts_with(r#"127.0.0.1 - anonymous  "OPTIONS /items HTTP/1.1" 200 "#), "{log}");
    assert!(lines[2].starts_with(r#"127.0.0.1 - anonymous  "GET /nope HTTP/1.1" 404 "#), "{log}");
    assert!(lines[3].starts_with(r#"127.0.0.1 - -  "GET /items HTTP/1.1" 401 "#), "{log}");
    assert!(lines[4].starts_with(r#"127.0.0.1 - anonymous  "POST /rpc/fail HTTP/1.1" 500 "#), "{log}");
    assert_eq!(lines.len(), 5, "{log}");
    // What is read of one stream says nothing of the other.
    server.says("broken inside", 1);
}
