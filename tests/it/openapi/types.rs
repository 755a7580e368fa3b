//! The types that `pgduet types typescript` prints, in programs with the real supabase-js: tsc --strict takes the programs,
//! and they do what their types say.

use super::{
    described::{AWKWARD, Described, Scratch, awkward, demo},
    pgduet,
};
use crate::support::{
    database::Database,
    snapshot::matches_file,
    tools::{stdout, tool},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

/// What the program for this schema prints.
fn expected(described: &Described) -> Value {
    match described.name {
        "demo" => json!({
            "embedded": [{"title": "Emma", "author": {"name": "Jane Austen"}}],
            "many": 2,
            "author": "Jane Austen",
            "inserted": "Zebra one",
            "updated": [{"pages": 3}],
            "found": [{"title": "Zebra one"}],
            "deleted": 1,
        }),
        _ => json!({
            "names": [["Ada", "A", {"number": "X1"}, {"id": 1}], ["Grace", "G", null, {"id": 2}]],
            "boss": null,
            "from": {"name": "Ada"},
            "team": "first",
            "number": "X1",
            "mood": "happy",
            "odd": 1,
            "sum": 42,
            "listed": 2,
        }),
    }
}

fn types(described: &Described) -> String {
    let uri = described.database.uri("authenticator");
    pgduet(&["types", "typescript"], &[("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", "api")])
}

fn works_with_supabase_js(described: &Described) {
    let scratch = Scratch::new(&format!("supabase-{}", described.name));
    let directory = &scratch.0;
    let node_modules = tool("openapi/node_modules");
    symlink(&node_modules, directory.join("node_modules")).unwrap();
    fs::write(directory.join("package.json"), r#"{"type": "module"}"#).unwrap();
    fs::write(directory.join("database.ts"), types(described)).unwrap();
    let program = format!("tests/clients/openapi/supabase-{}.ts", described.name);
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(program), directory.join("main.ts")).unwrap();
    let options =
        ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck", "main.ts"];
    stdout(Command::new(node_modules.join(".bin/tsc")).args(options).current_dir(directory));
    stdout(
        Command::new(tool("node_modules/.bin/esbuild"))
            .args(["main.ts", "--bundle", "--platform=node", "--format=esm", "--log-level=warning"])
            .arg("--outfile=main.mjs")
            .current_dir(directory),
    );
    let mut program = Command::new("node");
    let program = program.arg("main.mjs").current_dir(directory);
    let printed = stdout(program.arg(described.server.url()).arg(&described.token));
    let found: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(found, expected(described), "{}", described.name);
}

#[test]
fn a_program_with_supabase_js_is_checked_by_them() {
    [demo(), awkward()].iter().for_each(works_with_supabase_js);
}

#[test]
fn they_are_as_committed_with_and_without_a_database() {
    let demo = demo();
    let printed = types(&demo);
    matches_file("openapi/demo.ts", &printed);
    let scratch = Scratch::new("types-saved");
    let saved = scratch.0.join("schema.json");
    let uri = demo.database.uri("authenticator");
    let environment = [("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", "api")];
    fs::write(&saved, pgduet(&["schema"], &environment)).unwrap();
    assert_eq!(pgduet(&["types", "typescript", "--schema", saved.to_str().unwrap()], &[]), printed);
}

#[test]
fn names_mean_something_in_several_schemas() {
    let database = Database::fresh(AWKWARD);
    database.execute("CREATE TABLE elsewhere.people (id int PRIMARY KEY, mood elsewhere.mood NOT NULL)");
    let uri = database.uri("authenticator");
    let environment = [("PGRST_DB_URI", uri.as_str()), ("PGRST_DB_SCHEMAS", "api, elsewhere")];
    let scratch = Scratch::new("types-schemas");
    let program = r#"
        import { type Enums, type Tables, Constants } from "./database.js";
        const here: Tables<"people">["name"] = "x";
        const there: Tables<{ schema: "elsewhere" }, "people">["mood"] = "up";
        const mood: Enums<{ schema: "elsewhere" }, "mood"> = Constants.elsewhere.Enums.mood[1];
        // @ts-expect-error there is no such label
        const wrong: Tables<{ schema: "elsewhere" }, "people">["mood"] = "happy";
        void [here, there, mood, wrong];
    "#;
    fs::write(scratch.0.join("database.ts"), pgduet(&["types", "typescript"], &environment)).unwrap();
    fs::write(scratch.0.join("package.json"), r#"{"type": "module"}"#).unwrap();
    fs::write(scratch.0.join("main.ts"), program).unwrap();
    let options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "main.ts"];
    stdout(Command::new(tool("openapi/node_modules/.bin/tsc")).args(options).current_dir(&scratch.0));
}
