//! schemathesis against running servers, with all its checks: what the document makes it send, as it should be and as it
//! should not be, gets answers that the document has, and none is a failure of the server. What it cannot know is in
//! `tools/openapi/schemathesis.toml` and `schemathesis_hooks.py`, with reasons.

use super::described::{Described, Scratch, awkward, demo};
use crate::support::tools::{stdout, tool};
use std::{path::Path, process::Command};

/// How many requests at least one run sends.
const CASES: u32 = 2_000;

/// Has requests made of the document that the role with this token gets.
fn withstands(described: &Described, token: Option<&str>, examples: &str) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/openapi");
    // It keeps what it found in the current directory.
    let scratch = Scratch::new(&format!("fuzzed-{}-{}", described.name, token.is_some()));
    let mut command = Command::new(tool("openapi/python/bin/schemathesis"));
    command
        .arg("--config-file")
        .arg(tools.join("schemathesis.toml"))
        .args(["run", &described.server.url(), "--checks", "all", "--seed", "1", "--no-shrink"])
        .args(["--max-examples", examples, "--continue-on-failure", "--workers", "2", "--no-color"])
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", tools)
        .current_dir(&scratch.0);
    if let Some(token) = token {
        command.arg("--header").arg(format!("Authorization: Bearer {token}"));
    }
    let printed = stdout(&mut command);
    let cases =
        printed.lines().find_map(|line| line.trim().strip_suffix(" generated, all passed")?.parse().ok());
    assert!(cases.is_some_and(|cases: u32| cases >= CASES), "{printed}");
}

#[test]
fn the_demo_answers_nothing_that_is_not_described() {
    let described = demo();
    withstands(&described, Some(&described.token), "5");
    withstands(&described, None, "5");
}

#[test]
fn the_awkward_schema_answers_nothing_that_is_not_described() {
    let described = awkward();
    withstands(&described, Some(&described.token), "1");
    withstands(&described, None, "1");
}
