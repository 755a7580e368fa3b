//! The demo's schema through clients that others wrote, with code generated from the exported protos: in a real
//! browser, in Python and in Go.

use crate::demo::given;
use crate::support::{
    database::Database,
    server::Server,
    tools::{stdout, tool},
};
use pgduet::demo::{ANONYMOUS_ROLE, JWT_SECRET, SCHEMA};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The demo's database and its token, served.
pub(crate) fn demo() -> (Database, Server, String) {
    let database = Database::fresh("");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let demo = runtime.block_on(pgduet::demo::prepare(given(&database))).unwrap();
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", SCHEMA),
        ("PGRST_JWT_SECRET", JWT_SECRET),
        ("PGRST_DB_ANON_ROLE", ANONYMOUS_ROLE),
        ("PGRST_DB_AGGREGATES_ENABLED", "true"),
    ]);
    (database, server, demo.token().to_owned())
}

/// A directory that is gone when this is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The exported protos, below a directory of the test's own; they are clean as `buf lint` sees it.
fn exported(database: &Database) -> Scratch {
    let scratch = Scratch(std::env::temp_dir().join(format!("pgduet-client-{}", database.name())));
    let protos = scratch.0.join("protos");
    stdout(
        Command::new(crate::support::server::binary())
            .args(["proto", "--out"])
            .arg(&protos)
            .env("PGRST_DB_URI", database.uri("authenticator"))
            .env("PGRST_DB_SCHEMAS", SCHEMA)
            .env("PGRST_DB_AGGREGATES_ENABLED", "true"),
    );
    stdout(Command::new(tool("node_modules/.bin/buf")).arg("lint").current_dir(&protos));
    scratch
}

/// Copies a client beside the protos and generates its code, with plugins of this machine in place of remote ones.
fn generated(scratch: &Scratch, client: &str, plugins: Value) -> PathBuf {
    let directory = scratch.0.join(client);
    fs::create_dir_all(&directory).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(client);
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), directory.join(entry.file_name())).unwrap();
    }
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
    buf.args(["generate", "--template", &template.to_string(), "--output"]).arg(&directory);
    stdout(buf.current_dir(scratch.0.join("protos")));
    directory
}

/// The script of `tests/clients/web`, checked by the compiler and bundled.
fn bundle(scratch: &Scratch) -> PathBuf {
    let plugin = json!({
        "local": tool("node_modules/.bin/protoc-gen-es"), "out": "gen", "opt": "target=ts", "include_imports": true
    });
    let directory = generated(scratch, "web", json!([plugin]));
    std::os::unix::fs::symlink(tool("node_modules"), directory.join("node_modules")).unwrap();
    stdout(Command::new(tool("node_modules/.bin/tsc")).args(["-p", "."]).current_dir(&directory));
    let bundle = directory.join("bundle.js");
    stdout(
        Command::new(tool("node_modules/.bin/esbuild"))
            .args(["main.ts", "--bundle", "--format=iife", "--log-level=warning"])
            .arg(format!("--outfile={}", bundle.display()))
            .current_dir(&directory),
    );
    bundle
}

/// Where `grpcurl` is, before everything else.
fn path_with_grpcurl() -> String {
    let directory = tool("bin/grpcurl").parent().unwrap().display().to_string();
    format!("{directory}:{}", std::env::var("PATH").unwrap_or_default())
}

#[test]
fn a_person_executes_in_swagger_ui_and_a_page_runs_the_official_clients() {
    let (database, server, token) = demo();
    let scratch = exported(&database);
    let printed = stdout(
        Command::new("node")
            .args(["tests/clients/browser.mjs", &server.url(), &token])
            .arg(bundle(&scratch))
            .env("NODE_PATH", tool("node_modules")),
    );
    let seen: Value = serde_json::from_str(&printed).unwrap();

    let ui = &seen["swaggerUi"];
    assert_eq!(ui["failed"], json!([]), "the page needs nothing from elsewhere");
    for title in [&ui["title"], &ui["bar"][0], &ui["bar"][1]] {
        assert!(title.as_str().unwrap().starts_with("A small library"), "{ui}");
    }
    let has = |list: &Value, path: &str| list.as_array().unwrap().contains(&json!(path));
    assert!(has(&ui["anonymous"], "/books") && !has(&ui["anonymous"], "/loans"), "{ui}");
    let done = |name: &str| (ui[name]["isArmed"].as_bool().unwrap(), ui[name]["status"].as_str().unwrap());
    assert_eq!(done("read"), (true, "200"));
    assert!(ui["read"]["body"].as_str().unwrap().contains("\"member\": \"ada\""), "{ui}");
    assert!(!ui["read"]["body"].as_str().unwrap().contains("grace"), "{ui}");
    assert_eq!(ui["field"]["example"], "eq.1");
    assert!(ui["field"]["operators"].as_str().unwrap().contains("neq, gt, gte"), "{ui}");
    assert_eq!(
        (done("created"), done("updated"), done("called")),
        ((false, "201"), (false, "204"), (true, "200"))
    );
    assert_eq!((done("counted"), done("put")), ((true, "200"), (false, "204")));
    assert!(ui["kept"]["asked"].as_str().unwrap().contains("every row of /loans"), "{ui}");
    assert_eq!((&ui["kept"]["executed"], done("deleted")), (&json!(0), (false, "204")));
    assert!(has(&ui["reloaded"], "/loans"), "a reload has the document of the role: {ui}");
    let refused = &ui["refused"];
    assert!(refused["problem"].as_str().unwrap().contains("No suitable key"), "{ui}");
    assert!(has(&refused["paths"], "/books") && !has(&refused["paths"], "/loans"), "{ui}");
    assert_eq!((&refused["authorize"], &refused["reloaded"]), (&json!(1), &json!(1)));
    let commands = ui["grpc"]["commands"].as_array().unwrap();
    let list =
        commands.iter().filter_map(Value::as_str).find(|line| line.ends_with("BooksService/ListBooks"));
    let listed = stdout(Command::new("sh").arg("-c").arg(list.unwrap()).env("PATH", path_with_grpcurl()));
    assert!(listed.contains("Pride and Prejudice"), "{listed}");
    assert_eq!(ui["grpc"]["link"], "proto.zip");
    assert!(
        ui["phone"]["widths"].as_array().unwrap().iter().all(|width| width.as_u64().unwrap() <= 390),
        "{ui}"
    );
    assert_eq!(ui["phone"]["isDark"], true);

    for protocol in ["grpcWeb", "connect"] {
        let web = &seen[protocol];
        assert_eq!(web["listed"], json!(["Frankenstein", "The Last Man"]), "{protocol}");
        assert_eq!(
            [&web["genre"], &web["added"]],
            ["SCIENCE_FICTION", "2024-01-08T09:10:00.000Z"],
            "{protocol}"
        );
        assert_eq!((&web["more"], &web["member"]), (&json!(true), &json!("ada")), "{protocol}");
        assert_eq!(web["streamed"].as_array().unwrap().len(), 16, "{protocol}");
        assert_eq!(web["refused"], "AlreadyExists google.rpc.ErrorInfo", "{protocol}");
    }
    let gets = |protocol: &str| {
        seen[protocol]["methods"].as_array().unwrap().iter().filter(|method| *method == "GET").count()
    };
    assert_eq!((gets("grpcWeb"), gets("connect")), (0, 1));
}

#[test]
fn a_go_client_lists_creates_and_streams_with_stubs_from_the_exported_protos() {
    let (database, server, token) = demo();
    let scratch = exported(&database);
    let plugin = |name: &str| json!({ "local": tool(name), "out": "gen", "opt": "paths=source_relative" });
    let plugins = json!([plugin("bin/protoc-gen-go"), plugin("bin/protoc-gen-go-grpc")]);
    let directory = generated(&scratch, "go", plugins);
    let printed =
        stdout(Command::new("go").args(["run", ".", server.address(), &token]).current_dir(directory));

    let seen: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        seen["listed"],
        json!(["The Last Man by Mary Shelley", "The Hound of the Baskervilles by Arthur Conan Doyle"])
    );
    assert_eq!((&seen["added"], &seen["total"]), (&json!("2024-01-08T09:15:00Z"), &json!(6)));
    assert_eq!((&seen["member"], &seen["returned"]), (&json!("ada"), &json!(false)));
    assert_eq!(seen["streamed"].as_array().unwrap().len(), 16);
    assert_eq!([&seen["refused"], &seen["reason"]], ["Unauthenticated", "INSUFFICIENT_PRIVILEGE"]);
}

#[test]
fn a_python_client_lists_creates_and_streams_with_stubs_from_the_exported_protos() {
    let (database, server, token) = demo();
    let scratch = exported(&database);
    let printed = stdout(
        Command::new(tool("python/bin/python"))
            .arg("tests/clients/client.py")
            .arg(scratch.0.join("protos"))
            .args([server.address(), &token]),
    );

    let seen: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(seen["listed"], json!(["Pride and Prejudice", "Emma", "Frankenstein"]));
    assert_eq!(seen["next"][0], "The Last Man");
    assert_eq!([&seen["genre"], &seen["added"]], ["GENRE_NOVEL", "2024-01-08T09:00:00Z"]);
    assert_eq!(seen["created"], json!({"member": "ada", "book": 2, "returned": false}));
    assert_eq!(seen["streamed"].as_array().unwrap().len(), 16);
    assert_eq!(seen["streamed"][0], "A Room of One's Own");
    assert_eq!(
        seen["shelves"],
        json!([["GENRE_SCIENCE_FICTION", 6, 1901, 1484], ["GENRE_NOVEL", 4, 1925, 1436]])
    );
    assert_eq!(seen["authors"], json!([["Jane Austen", 2], ["Mary Shelley", 2]]));
    assert_eq!(seen["refused"], "UNAUTHENTICATED");
}

/// What a client made of a call that fails, and what it has to be.
const FAILURES: [(&str, &str); 11] = [
    ("fine", "OK"),
    ("gzip", "OK"),
    ("tooLarge", "ResourceExhausted|ErrorInfo"),
    ("muchTooLarge", "ResourceExhausted|ErrorInfo"),
    ("timeout", "InvalidArgument|ErrorInfo"),
    ("compression", "Unimplemented|ErrorInfo"),
    ("method", "Unimplemented|ErrorInfo"),
    ("service", "Unimplemented"),
    ("unauthenticated", "Unauthenticated|ErrorInfo"),
    ("token", "Unauthenticated|ErrorInfo"),
    ("argument", "InvalidArgument|ErrorInfo"),
];

#[test]
fn clients_of_javascript_see_why_a_call_failed_in_every_protocol_and_form() {
    let (database, server, _) = demo();
    let scratch = exported(&database);
    let printed = stdout(
        Command::new("node")
            .args(["tests/clients/failures.mjs", &server.url()])
            .arg(scratch.0.join("protos/descriptors.binpb"))
            .env("NODE_PATH", tool("node_modules")),
    );
    let seen: Value = serde_json::from_str(&printed).unwrap();
    let clients = seen.as_object().unwrap();
    assert_eq!(clients.len(), 14, "two of each of seven");
    for (client, seen) in clients {
        for (failure, expected) in FAILURES {
            let found = seen[failure].as_str().unwrap();
            assert!(found.starts_with(expected), "{client}, {failure}: {found}");
        }
        // gRPC's streams may have one message; what is no stream may not have several.
        let expected =
            if client.starts_with("grpc") && client.ends_with("stream") { "OK" } else { "Unimplemented" };
        let found = seen["kind"].as_str().unwrap();
        assert!(found.starts_with(expected), "{client}, another kind: {found}");
    }
}

#[test]
fn clients_of_grpc_in_python_and_go_see_why_a_call_failed() {
    let (database, server, _) = demo();
    let scratch = exported(&database);
    let python = stdout(
        Command::new(tool("python/bin/python")).arg("tests/clients/failures.py").arg(server.address()),
    );
    let plugin = |name: &str| json!({ "local": tool(name), "out": "gen", "opt": "paths=source_relative" });
    let plugins = json!([plugin("bin/protoc-gen-go"), plugin("bin/protoc-gen-go-grpc")]);
    let directory = generated(&scratch, "go", plugins);
    let go =
        stdout(Command::new("go").args(["run", ".", server.address(), "failures"]).current_dir(directory));
    for (client, printed) in [("python", python), ("go", go)] {
        let seen: Value = serde_json::from_str(&printed).unwrap();
        for kind in ["unary", "stream"] {
            let found =
                |failure: &str| seen[kind][failure].as_str().unwrap_or_else(|| panic!("{client}: {printed}"));
            for (failure, expected) in [
                ("fine", "OK"),
                ("tooLarge", "RESOURCE_EXHAUSTED BODY_TOO_LARGE"),
                ("compression", "UNIMPLEMENTED NOT_IMPLEMENTED"),
                ("method", "UNIMPLEMENTED METHOD_MISSING"),
                ("service", "UNIMPLEMENTED METHOD_MISSING"),
                ("unauthenticated", "UNAUTHENTICATED INSUFFICIENT_PRIVILEGE"),
                ("token", "UNAUTHENTICATED JWT_INVALID"),
                ("argument", "INVALID_ARGUMENT INVALID_MESSAGE"),
            ] {
                assert_eq!(found(failure), expected, "{client}, {kind}, {failure}");
            }
            // <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>; the other client sends no such calls.
            if client == "python" {
                for failure in ["none", "two", "noneOfHealth", "twoOfHealth"] {
                    assert_eq!(found(failure), "UNIMPLEMENTED NOT_IMPLEMENTED", "{kind}, {failure}");
                }
                assert_eq!(found("one"), "OK", "{kind}");
            }
        }
        // What is no stream may not have several messages, which the client itself sees.
        assert_ne!(seen["unary"]["kind"], "OK", "{client}");
        assert_eq!(seen["stream"]["kind"], "OK", "{client}");
    }
}
