//! The demo's schema through clients that others wrote: a real browser, a Python gRPC client.

use crate::support::{
    database::Database,
    server::Server,
    tools::{stdout, tool},
};
use pgduet::demo::{ANONYMOUS_ROLE, JWT_SECRET, SCHEMA, Source};
use serde_json::{Value, json};
use std::process::Command;

/// The demo's database and its token, served.
pub(crate) fn demo() -> (Database, Server, String) {
    let database = Database::fresh("");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let demo =
        runtime.block_on(pgduet::demo::prepare(Source::Given { uri: database.superuser_uri() })).unwrap();
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", SCHEMA),
        ("PGRST_JWT_SECRET", JWT_SECRET),
        ("PGRST_DB_ANON_ROLE", ANONYMOUS_ROLE),
    ]);
    (database, server, demo.token().to_owned())
}

#[test]
fn a_person_authorizes_and_executes_in_swagger_ui_and_a_page_calls_grpc_web() {
    let (_database, server, token) = demo();
    let printed = stdout(
        Command::new("node")
            .args(["tests/clients/browser.mjs", &server.url(), &token])
            .env("NODE_PATH", tool("node_modules")),
    );
    let seen: Value = serde_json::from_str(&printed).unwrap();

    let ui = &seen["swaggerUi"];
    assert!(ui["title"].as_str().unwrap().starts_with("A small library"), "{ui}");
    assert_eq!(ui["failed"], json!([]), "Swagger UI needs nothing from elsewhere");
    assert_eq!(ui["read"]["status"], "200");
    assert!(ui["read"]["body"].as_str().unwrap().contains("\"member\": \"ada\""), "{ui}");
    assert!(!ui["read"]["body"].as_str().unwrap().contains("grace"), "{ui}");
    assert_eq!(ui["created"]["status"], "201");

    let web = &seen["grpcWeb"];
    assert_eq!(web["status"], 200);
    assert!(web["message"].as_str().unwrap().contains("Pride and Prejudice"), "{web}");
    assert!(web["trailers"].as_str().unwrap().contains("grpc-status:0"), "{web}");
}

#[test]
fn a_python_client_lists_creates_and_streams_with_stubs_from_the_exported_protos() {
    let (database, server, token) = demo();
    let protos = std::env::temp_dir().join(format!("pgduet-protos-{}", database.name()));
    stdout(
        Command::new(env!("CARGO_BIN_EXE_pgduet"))
            .args(["proto", "--out"])
            .arg(&protos)
            .env("PGRST_DB_URI", database.uri("authenticator"))
            .env("PGRST_DB_SCHEMAS", SCHEMA),
    );
    stdout(Command::new(tool("node_modules/.bin/buf")).arg("lint").current_dir(&protos));
    let printed = stdout(
        Command::new(tool("python/bin/python"))
            .arg("tests/clients/client.py")
            .arg(&protos)
            .args([server.address(), &token]),
    );
    std::fs::remove_dir_all(&protos).unwrap();

    let seen: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(seen["listed"], json!(["Pride and Prejudice", "Emma", "Frankenstein"]));
    assert_eq!(seen["next"][0], "The Last Man");
    assert_eq!([&seen["genre"], &seen["added"]], ["GENRE_NOVEL", "2024-01-08T09:00:00Z"]);
    assert_eq!(seen["created"], json!({"member": "ada", "book": 2, "returned": false}));
    assert_eq!(seen["streamed"].as_array().unwrap().len(), 16);
    assert_eq!(seen["streamed"][0], "A Room of One's Own");
    assert_eq!(seen["refused"], "UNAUTHENTICATED");
}
