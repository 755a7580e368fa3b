//! The export of a schema whose names are as nasty as PostgreSQL allows, through the generators of Python, Go, TypeScript
//! and Java: what they write compiles, and can be imported.

use crate::support::{
    database::Database,
    tools::{stdout, tool},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SCHEMA: &str = r#"
    CREATE SCHEMA api;
    COMMENT ON SCHEMA api IS 'Ends */ here, """ there and ` everywhere C:\users \x \N \u0041 %s {@link x} <b>\';
    CREATE TYPE api."Class" AS ENUM ('class', 'None', 'a-b', 'größe', '1', '');
    CREATE TYPE api."Object" AS ("toString" text, "hasOwnProperty" int, "__proto__" text, "class" api."Class");
    CREATE TABLE api.patients (
        id int PRIMARY KEY, "Full Name" text, full_name text, "fullName" text, "FULL NAME" text,
        a_1 text, a1 text, "a 1" text, "class" text, "def" text, "None" text, "package" text, "func" text,
        "type" text, "interface" text, "enum" api."Class", "constructor" text, "prototype" text, "__proto__" text,
        "toString" text, "getClass" text, "serialVersionUID" text, "descriptor" text, "DESCRIPTOR" text,
        "and" text, "or" text, "not" text, "column_and" text, "%" text, "größe" text, "1st" text, "[a]" text,
        "q""\" text, "json_name" text, "visits" text, "visitsCount" int, "visits_list" text, "has_id" text, "clear_id" text,
        "get_id" text, "id_" text, "_id" text, "ID" text, "hash_code" text, "message" text, "Object" api."Object",
        "case" text, "value" text, "mutable_id" text, "XXX_unrecognized" text, "reset" text, "proto_reflect" text
    );
    COMMENT ON TABLE api.patients IS 'Ends */ here, """ there and ` everywhere C:\users \x \N \u0041 %s {@link x} <b>\';
    COMMENT ON COLUMN api.patients.a_1 IS E'*/ int x; /*\n"""\nraise\n\u202E';
    CREATE TABLE api.visits (
        read_mask int, "update_mask" text, validate_only text, patient_id int REFERENCES api.patients, "requests" int,
        "visit" int REFERENCES api.patients, PRIMARY KEY (read_mask, validate_only)
    );
    CREATE VIEW api.visit AS SELECT * FROM api.visits;
    CREATE VIEW api.patient AS SELECT "Full Name", "class" FROM api.patients;
    CREATE TABLE api."None" (id int PRIMARY KEY, "None" int REFERENCES api."None");
    CREATE VIEW api."true" AS SELECT 1 AS id;
    CREATE TABLE api."class" (id int PRIMARY KEY, "class" text);
    CREATE VIEW api."string" AS SELECT 1 AS id;
    CREATE VIEW api."object" AS SELECT 1 AS id;
    CREATE VIEW api."order details" AS SELECT 1 AS id;
    CREATE VIEW api."orderDetails" AS SELECT 1 AS id;
    CREATE VIEW api."apis" AS SELECT 1 AS id;
    CREATE VIEW api."functions" AS SELECT 1 AS id;
    CREATE VIEW api."timestamps" AS SELECT now() AS at;
    CREATE VIEW api."get_patient_requests" AS SELECT 1 AS id;
    CREATE FUNCTION api."class"("class" text, "def" int, "in" text, "ßß" text) RETURNS text LANGUAGE sql STABLE
        AS 'SELECT NULL::text';
    CREATE FUNCTION api.get_patient(id int) RETURNS api."Object" LANGUAGE sql STABLE AS 'SELECT NULL::api."Object"';
    CREATE FUNCTION api.f(a int) RETURNS TABLE ("Full Name" text, full_name text, "value" text) LANGUAGE sql STABLE
        AS 'SELECT NULL::text, NULL::text, NULL::text';
    CREATE FUNCTION api.f(b text) RETURNS SETOF api.patients LANGUAGE sql STABLE AS 'SELECT * FROM api.patients';
    CREATE FUNCTION api."F"(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
    CREATE FUNCTION api.f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous;"#;

/// A directory with the export below `protos`; gone when this is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Scratch {
    fn protos(&self) -> PathBuf {
        self.0.join("protos")
    }

    /// A directory for one language, with files of `tests/clients` in it.
    fn language(&self, name: &str, files: &[&str]) -> PathBuf {
        let directory = self.0.join(name);
        fs::create_dir_all(&directory).unwrap();
        for file in files {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(file);
            fs::copy(&source, directory.join(source.file_name().unwrap())).unwrap();
        }
        directory
    }

    fn generate(&self, directory: &Path, plugins: Value) {
        let template = json!({
            "version": "v2",
            "inputs": [{ "directory": ".", "exclude_paths": ["google"] }],
            "managed": {
                "enabled": true,
                "disable": [{ "path": "google" }],
                "override": [{ "file_option": "go_package_prefix", "value": "example.com/library/gen" }],
            },
            "plugins": plugins,
        });
        let mut buf = Command::new(tool("node_modules/.bin/buf"));
        buf.args(["generate", "--template", &template.to_string(), "--output"]).arg(directory);
        stdout(buf.current_dir(self.protos()));
    }
}

fn exported() -> Scratch {
    let database = Database::fresh(SCHEMA);
    let scratch = Scratch(std::env::temp_dir().join(format!("pgduet-nasty-{}", database.name())));
    let mut export = Command::new(crate::support::server::binary());
    export.args(["proto", "--out"]).arg(scratch.protos());
    stdout(export.env("PGRST_DB_URI", database.uri("authenticator")).env("PGRST_DB_SCHEMAS", "api"));
    scratch
}

#[test]
fn nasty_names_pass_buf_lint() {
    stdout(Command::new(tool("node_modules/.bin/buf")).arg("lint").current_dir(exported().protos()));
}

#[test]
fn python_imports_what_it_generates_from_nasty_names() {
    let scratch = exported();
    let mut python = Command::new(tool("python/bin/python"));
    let seen: Value =
        serde_json::from_str(&stdout(python.arg("tests/clients/nasty.py").arg(scratch.protos()))).unwrap();
    assert!(seen["messages"].as_u64() > Some(100), "{seen}");
    // Names are the database's where they are nobody else's.
    for column in ["full_name", "Full Name", "größe", "column_and", "a_1", "%"] {
        assert!(seen["patient"].get(column).is_some(), "{column} in {seen}");
    }
}

#[test]
fn go_builds_what_it_generates_from_nasty_names() {
    let scratch = exported();
    let directory = scratch.language("go", &["go/go.mod", "go/go.sum"]);
    let plugin = |name: &str| json!({ "local": tool(name), "out": "gen", "opt": "paths=source_relative" });
    scratch.generate(&directory, json!([plugin("bin/protoc-gen-go"), plugin("bin/protoc-gen-go-grpc")]));
    // A program registers the descriptors when it starts.
    let main = "package main\n\nimport api \"example.com/library/gen/api/v1\"\n\nfunc main() {\n\tprintln(api.File_api_v1_api_proto.Messages().Len())\n}\n";
    fs::write(directory.join("main.go"), main).unwrap();
    stdout(Command::new("go").args(["run", "."]).current_dir(&directory));
}

#[test]
fn typescript_takes_what_it_generates_from_nasty_names() {
    let scratch = exported();
    let directory = scratch.language("web", &["nasty/main.ts", "web/tsconfig.json"]);
    let plugin = json!({
        "local": tool("node_modules/.bin/protoc-gen-es"), "out": "gen", "opt": "target=ts", "include_imports": true
    });
    scratch.generate(&directory, json!([plugin]));
    std::os::unix::fs::symlink(tool("node_modules"), directory.join("node_modules")).unwrap();
    stdout(Command::new(tool("node_modules/.bin/tsc")).args(["-p", "."]).current_dir(&directory));
    stdout(
        Command::new(tool("node_modules/.bin/esbuild"))
            .args(["main.ts", "--bundle", "--platform=node", "--log-level=warning", "--outfile=bundle.js"])
            .current_dir(&directory),
    );
    let seen = stdout(Command::new("node").arg("bundle.js").current_dir(&directory));
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["patient"], json!({"id": 1, "full_name": "plain"}));
}

#[test]
fn java_compiles_what_it_generates_from_nasty_names() {
    let scratch = exported();
    let directory = scratch.language("java", &[]);
    let plugin =
        json!({ "protoc_builtin": "java", "protoc_path": "protoc", "out": ".", "include_imports": true });
    scratch.generate(&directory, json!([plugin]));
    let mut sources = Vec::new();
    files_below(&directory, "java", &mut sources);
    let mut javac = Command::new("javac");
    javac
        .args(["-nowarn", "-encoding", "UTF-8", "-cp", "/usr/share/java/protobuf.jar", "-d"])
        .arg(directory.join("out"));
    stdout(javac.args(&sources));
}

fn files_below(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}
