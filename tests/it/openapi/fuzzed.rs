//! schemathesis against running servers, with all its checks: what the document makes it send, as it should be and as it
//! should not be, gets answers that the document has, and none is a failure of the server. What it cannot know is in
//! `tools/openapi/schemathesis.toml` and `schemathesis_hooks.py`, with reasons.

use super::described::{Described, Scratch, awkward, demo};
use crate::support::tools::{stdout, tool};
use std::{path::Path, process::Command};

/// How many requests at least one run sends.
const CASES: u32 = 2_000;

/// How the requests are made.
struct Effort {
    /// What leads to them. `coverage` tries each value of each parameter.
    phases: &'static str,
    /// How many there are of each operation in each phase that guesses.
    examples: &'static str,
}

const EVERYTHING: Effort = Effort { phases: "examples,coverage,fuzzing,stateful", examples: "5" };
/// The awkward schema has 25,000 cases of coverage.
const SAMPLES: Effort = Effort { phases: "examples,fuzzing,stateful", examples: "12" };

/// Whether what takes minutes is wanted, too.
fn effort() -> Effort {
    match std::env::var_os("PGDUET_OPENAPI_COVERAGE") {
        Some(_) => EVERYTHING,
        None => SAMPLES,
    }
}

/// Has requests made of the document that the role with this token gets.
fn withstands(described: &Described, token: Option<&str>, effort: &Effort) -> u32 {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/openapi");
    // It keeps what it found in the current directory.
    let scratch = Scratch::new(&format!("fuzzed-{}-{}", described.name, token.is_some()));
    let mut command = Command::new(tool("openapi/python/bin/schemathesis"));
    command
        .arg("--config-file")
        .arg(tools.join("schemathesis.toml"))
        .args(["run", &described.server.url(), "--checks", "all", "--seed", "1", "--no-shrink", "--no-color"])
        // It sends no slash in a path.
        .args(["--exclude-path-regex", "slash", "--continue-on-failure", "--warnings", "off"])
        .args(["--phases", effort.phases, "--max-examples", effort.examples])
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", tools)
        .current_dir(&scratch.0);
    if let Some(token) = token {
        command.arg("--header").arg(format!("Authorization: Bearer {token}"));
    }
    let printed = stdout(&mut command);
    let cases = printed.lines().find_map(|line| line.trim().split_once(" generated, ")?.0.parse().ok());
    cases.unwrap_or_else(|| panic!("{printed}"))
}

#[test]
fn the_demo_answers_nothing_that_is_not_described() {
    let described = demo();
    let cases = withstands(&described, Some(&described.token), &EVERYTHING);
    assert!(cases >= CASES, "{cases} cases");
    withstands(&described, None, &SAMPLES);
}

#[test]
fn the_awkward_schema_answers_nothing_that_is_not_described() {
    let described = awkward();
    let cases = withstands(&described, Some(&described.token), &effort());
    assert!(cases >= CASES, "{cases} cases");
    withstands(&described, None, &effort());
}
