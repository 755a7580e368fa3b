//! The documents as those see them who check documents: each is valid, without an error or a warning.

use super::{
    described::{AWKWARD, Scratch, awkward, demo},
    is_swagger,
};
use crate::support::{
    database::Database,
    tools::{stdout, tool},
};
use std::{fs, path::Path, process::Command};

/// What no validator has a word to say against.
fn is_valid(path: &Path) {
    let spec_validator = ["-m", "openapi_spec_validator", "--schema", "3.1"];
    stdout(Command::new(tool("openapi/python/bin/python")).args(spec_validator).arg(path));
    // Both exit with an error for errors alone; for warnings there is what they print.
    let redocly = stdout(
        Command::new(tool("openapi/node_modules/.bin/redocly"))
            .args(["lint", "--extends", "recommended", "--format", "json", "--max-problems", "1000"])
            .env("REDOCLY_TELEMETRY", "off")
            .arg(path),
    );
    assert!(redocly.contains(r#""errors": 0"#) && redocly.contains(r#""warnings": 0"#), "{redocly}");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/openapi/spectral.yaml");
    let spectral = stdout(
        Command::new(tool("openapi/node_modules/.bin/spectral"))
            .args(["lint", "--quiet", "--fail-severity", "hint", "--ruleset"])
            .args([rules.as_path(), path]),
    );
    assert_eq!(spectral.trim(), "");
    is_parsed(path);
}

fn is_parsed(path: &Path) {
    stdout(
        Command::new("node")
            .arg("tests/clients/openapi/swagger-parser.mjs")
            .arg(path)
            .env("NODE_PATH", tool("openapi/node_modules")),
    );
}

#[test]
fn the_demo_is_valid_to_everybody() {
    let scratch = Scratch::new("valid-demo");
    let described = demo();
    is_valid(&described.written(&scratch.0));
}

#[test]
fn the_awkward_schema_is_valid_to_everybody_as_a_role_sees_it_and_whole() {
    let scratch = Scratch::new("valid-awkward");
    is_valid(&awkward().written(&scratch.0));
    let database = Database::fresh(AWKWARD);
    for (version, file) in [("3.1", "whole.json"), ("2.0", "swagger.json")] {
        let printed = stdout(
            Command::new(crate::support::server::binary())
                .args(["openapi", "--openapi-version", version])
                .env("PGRST_DB_URI", database.uri("authenticator"))
                .env("PGRST_DB_SCHEMAS", "api")
                .env("PGDUET_OPENAPI_LICENSE", "Terms https://example.com/terms")
                .env("PGDUET_OPENAPI_CONTACT", "https://example.com"),
        );
        fs::write(scratch.0.join(file), printed).unwrap();
    }
    is_valid(&scratch.0.join("whole.json"));
    let swagger = scratch.0.join("swagger.json");
    is_parsed(&swagger);
    is_swagger(&swagger);
}
