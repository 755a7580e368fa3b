//! The OpenAPI documents of the fixtures, as they are committed below `openapi/`. They are made without a database, from
//! a saved schema.

use crate::support::{database::Database, snapshot::matches_file, tools::stdout};
use pgduet::demo::{SCHEMA, Source};
use std::{fs, process::Command};

fn pgduet(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    stdout(Command::new(env!("CARGO_BIN_EXE_pgduet")).args(arguments).envs(environment.iter().copied()))
}

/// The document of a schema, by way of a file.
fn document(database: &Database, schema: &str) -> String {
    let saved = std::env::temp_dir().join(format!("pgduet-schema-{}.json", database.name()));
    let uri = database.uri("authenticator");
    let environment = [("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", schema)];
    fs::write(&saved, pgduet(&["schema"], &environment)).unwrap();
    let document = pgduet(&["openapi", "--schema", saved.to_str().unwrap()], &[]);
    fs::remove_file(saved).unwrap();
    document
}

#[test]
fn the_demo_is_described_as_committed() {
    let database = Database::fresh("");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(pgduet::demo::prepare(Source::Given { uri: database.superuser_uri() })).unwrap();
    matches_file("openapi/demo.json", &document(&database, SCHEMA));
}

#[test]
fn the_schema_of_the_specification_cases_is_described_as_committed() {
    let database = Database::fresh(include_str!("../fixtures/spec.sql"));
    matches_file("openapi/spec.json", &document(&database, "api"));
}
