//! Clients that others' generators make of the documents: each compiles, and creates, reads, filters, updates, deletes and
//! calls with it.

use super::described::{Described, Scratch, awkward, demo};
use crate::support::tools::{stdout, tool};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// A program of `tests/clients/openapi`.
fn program(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/openapi").join(path)
}

/// What each program prints.
fn expected(described: &Described) -> Value {
    match described.name {
        "demo" => json!({
            "created": ["Zebra one", "Zebra two", "Zebra three"],
            "silent": 201,
            "listed": [["Zebra one", "Jane Austen"], ["Zebra three", "Jane Austen"], ["Zebra two", "Jane Austen"]],
            "updated": ["striped"],
            "found": 3,
            "got": 1,
            "deleted": 3,
            "refused": "22P02",
        }),
        _ => json!({
            "created": "Zoe",
            "listed": "Zoe",
            "updated": "Zoë",
            "deleted": 1,
            "odd": "first",
            "whole": 7,
            "list": [1, null],
            "added": 42,
            "summed": 6,
        }),
    }
}

fn prints_what_is_expected(described: &Described, command: &mut Command) {
    let printed = stdout(command.arg(described.server.url()).arg(&described.token));
    let found: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(found, expected(described), "{}", described.name);
}

fn openapi_typescript(described: &Described) {
    let scratch = Scratch::new(&format!("typescript-{}", described.name));
    let directory = &scratch.0;
    let document = described.written(directory);
    let node_modules = tool("openapi/node_modules");
    symlink(&node_modules, directory.join("node_modules")).unwrap();
    fs::write(directory.join("package.json"), r#"{"type": "module"}"#).unwrap();
    fs::copy(program(&format!("{}.ts", described.name)), directory.join("main.ts")).unwrap();
    let generated = directory.join("schema.ts");
    stdout(
        Command::new(node_modules.join(".bin/openapi-typescript")).arg(&document).arg("-o").arg(generated),
    );
    let options =
        ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "main.ts"];
    stdout(Command::new(node_modules.join(".bin/tsc")).args(options).current_dir(directory));
    stdout(
        Command::new(tool("node_modules/.bin/esbuild"))
            .args(["main.ts", "--bundle", "--platform=node", "--format=esm", "--log-level=warning"])
            .arg("--outfile=main.mjs")
            .current_dir(directory),
    );
    prints_what_is_expected(described, Command::new("node").arg("main.mjs").current_dir(directory));
}

fn oapi_codegen(described: &Described) {
    let scratch = go_program("oapi-codegen", described);
    let document = described.written(&scratch.0);
    let client = scratch.0.join("client");
    fs::create_dir_all(&client).unwrap();
    stdout(
        Command::new(tool("bin/oapi-codegen"))
            .args(["-generate", "models,client", "-package", "client", "-o"])
            .arg(client.join("client.go"))
            .arg(document),
    );
    prints_what_is_expected(described, Command::new("go").args(["run", "."]).current_dir(&scratch.0));
}

/// A directory with the program of a generator of Go for this schema.
fn go_program(generator: &str, described: &Described) -> Scratch {
    let scratch = Scratch::new(&format!("{generator}-{}", described.name));
    let source = program(generator);
    for (from, to) in
        [("go.mod", "go.mod"), ("go.sum", "go.sum"), (&format!("{}.go", described.name), "main.go")]
    {
        fs::copy(source.join(from), scratch.0.join(to)).unwrap();
    }
    scratch
}

/// Runs openapi-generator; only what is compiled is made.
fn openapi_generator(language: &str, described: &Described, directory: &Path, out: &Path) {
    stdout(
        Command::new(tool("openapi/python/bin/openapi-generator-cli"))
            .args(["generate", "--generator-name", language, "--input-spec"])
            .arg(described.written(directory))
            .arg("--output")
            .arg(out)
            .args(["--additional-properties", "packageName=client,withGoMod=false"])
            .args(["--global-property", "apis,models,supportingFiles,apiDocs=false,modelDocs=false"])
            .args(["--global-property", "apiTests=false,modelTests=false"]),
    );
}

fn openapi_generator_python(described: &Described) {
    let scratch = Scratch::new(&format!("python-{}", described.name));
    let out = scratch.0.join("out");
    openapi_generator("python", described, &scratch.0, &out);
    let mut python = Command::new(tool("openapi/python/bin/python"));
    prints_what_is_expected(described, python.arg(program(&format!("{}.py", described.name))).arg(out));
}

fn openapi_generator_go(described: &Described) {
    let scratch = go_program("openapi-generator-go", described);
    openapi_generator("go", described, &scratch.0, &scratch.0.join("client"));
    prints_what_is_expected(described, Command::new("go").args(["run", "."]).current_dir(&scratch.0));
}

#[test]
fn openapi_typescript_s_types_compile_and_do_everything() {
    [demo(), awkward()].iter().for_each(openapi_typescript);
}

#[test]
fn oapi_codegen_s_client_compiles_and_does_everything() {
    [demo(), awkward()].iter().for_each(oapi_codegen);
}

#[test]
fn openapi_generator_s_client_for_python_does_everything() {
    [demo(), awkward()].iter().for_each(openapi_generator_python);
}

#[test]
fn openapi_generator_s_client_for_go_compiles_and_does_everything() {
    [demo(), awkward()].iter().for_each(openapi_generator_go);
}
