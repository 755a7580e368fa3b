//! The OpenAPI documents of the fixtures, as they are committed below `openapi/`, made without a database, from a saved
//! schema; and the Swagger 2.0 document of a running server.

mod described;
mod fuzzed;
mod generators;
mod replayed;
mod served;
mod types;
mod validators;

use crate::demo::given;
use crate::support::{
    database::Database,
    http::send,
    server::Server,
    snapshot::matches_file,
    tools::{stdout, tool},
};
use pgduet::demo::SCHEMA;
use serde_json::Value;
use std::{fs, path::Path, process::Command};

fn pgduet(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    stdout(Command::new(crate::support::server::binary()).args(arguments).envs(environment.iter().copied()))
}

/// The document of a schema in this version, by way of a file.
fn document(database: &Database, schema: &str, version: &str) -> String {
    let saved = std::env::temp_dir().join(format!("pgduet-schema-{}-{version}.json", database.name()));
    let uri = database.uri("authenticator");
    let environment = [("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", schema)];
    fs::write(&saved, pgduet(&["schema"], &environment)).unwrap();
    let document =
        pgduet(&["openapi", "--openapi-version", version, "--schema", saved.to_str().unwrap()], &[]);
    fs::remove_file(saved).unwrap();
    document
}

/// Has the document checked against the Swagger 2.0 specification, references included. Not the demo's: there
/// `CURRENT_DATE` is the default of a `date`, as PostgREST would write it.
fn is_swagger(path: &Path) {
    stdout(
        Command::new(tool("python/bin/python"))
            .args(["-m", "openapi_spec_validator", "--schema", "2.0"])
            .arg(path),
    );
}

#[test]
fn the_demo_is_described_as_committed() {
    let database = Database::fresh("");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(pgduet::demo::prepare(given(&database))).unwrap();
    matches_file("openapi/demo.json", &document(&database, SCHEMA, "3.1"));
    matches_file("openapi/demo-2.0.json", &document(&database, SCHEMA, "2.0"));
}

#[test]
fn the_schema_of_the_specification_cases_is_described_as_committed() {
    let database = Database::fresh(include_str!("../fixtures/spec.sql"));
    matches_file("openapi/spec.json", &document(&database, "api", "3.1"));
}

#[test]
fn a_server_answers_swagger_to_a_role_that_has_any_privilege_on_what_it_describes() {
    let database = Database::fresh(
        r#"
        CREATE SCHEMA api;
        COMMENT ON SCHEMA api IS 'Shop';
        CREATE TYPE api.size AS ENUM ('s', 'm');
        CREATE TABLE api.items (id int PRIMARY KEY, size api.size DEFAULT 's', "odd/name %" varchar(9));
        CREATE TABLE api."odd/table ~%" (item int NOT NULL REFERENCES api.items);
        CREATE TABLE api.hidden (id int);
        CREATE FUNCTION api.sized(size api.size) RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
        GRANT USAGE ON SCHEMA api TO anonymous;
        GRANT SELECT ON api.items TO anonymous;
        GRANT TRIGGER ON api."odd/table ~%" TO anonymous;
        "#,
    );
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_JWT_SECRET", "a secret of more than thirty-two bytes"),
        ("PGRST_OPENAPI_VERSION", "2.0"),
        ("PGRST_OPENAPI_SERVER_PROXY_URI", "https://shop.example/api"),
    ]);
    let answer = send(server.address(), "GET", "/", &[], None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type").unwrap(), "application/openapi+json; charset=utf-8");
    let saved = std::env::temp_dir().join(format!("pgduet-swagger-{}.json", database.name()));
    fs::write(&saved, answer.text()).unwrap();
    is_swagger(&saved);
    fs::remove_file(saved).unwrap();

    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    let keys = |part: &str| document[part].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(document["info"]["title"], "Shop");
    assert_eq!([&document["host"], &document["basePath"]], ["shop.example:443", "/api"]);
    assert_eq!(keys("paths"), ["/", "/items", "/odd/table ~%", "/rpc/sized"]);
    assert_eq!(keys("definitions"), ["items", "odd/table ~%"]);
    assert_eq!(document["definitions"]["items"]["properties"]["size"]["format"], "api.size");
    assert_eq!(document["paths"]["/rpc/sized"]["get"]["parameters"][0]["format"], "size");
    assert!(document.get("security").is_none(), "a secret alone says nothing");
}
