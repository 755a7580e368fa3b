//! The invariants of ARCHITECTURE.md, kept by reading the source: who may import whom, who may speak to PostgreSQL,
//! how files open and how long they are.

use std::{fs, path::Path};

/// Each top-level module and the modules of this crate that it may name. Directions run one way: down this table
/// everything is closer to the database and further from a protocol.
const LAYERS: &[(&str, &str)] = &[
    // The binary uses the library from outside, as `pgduet::…`.
    ("main", ""),
    (
        "app",
        "admin admission auth catalog check cli config engine error execute grpc memory metrics notes openapi rest server sql \
         telemetry typescript",
    ),
    ("cli", "config"),
    ("check", "auth config error"),
    ("demo", "embedded"),
    ("embedded", ""),
    ("server", "config error memory metrics"),
    ("admin", "metrics server"),
    (
        "rest",
        "admission auth catalog config engine error media memory metrics openapi notes outcome request server",
    ),
    (
        "grpc",
        "admission auth catalog config engine error media memory metrics name notes outcome request server",
    ),
    ("openapi", "catalog config error media name outcome request"),
    ("typescript", "catalog"),
    ("telemetry", "config notes"),
    (
        "engine",
        "admission auth catalog config error execute media memory metrics notes outcome plan request sql",
    ),
    ("execute", "config error media memory metrics notes outcome plan sql"),
    ("sql", "auth catalog config error media outcome plan request"),
    ("plan", "auth catalog config error media outcome request"),
    ("auth", "config error"),
    ("catalog", "error media"),
    ("request", "error media"),
    ("outcome", "error metrics"),
    ("config", ""),
    ("error", ""),
    ("media", ""),
    ("memory", ""),
    ("metrics", ""),
    ("admission", "error"),
    ("name", ""),
    ("notes", ""),
];

/// Crates of the two protocols, and the files besides the front doors that may name them.
const PROTOCOL_CRATES: &[&str] =
    &["axum", "tonic", "tonic_health", "tonic_reflection", "tonic_types", "tonic_web"];
const PROTOCOL_MODULES: &[&str] = &["app", "rest", "grpc", "openapi", "admin", "server"];

/// The generated descriptor type and its JSON form are protobuf's; everything else of it is gRPC's.
const PROTOBUF_CRATES: &[&str] = &["prost", "prost_types", "prost_reflect"];
const PROTOBUF_FILES: &[&str] = &["catalog/descriptor.rs"];

/// Who speaks to PostgreSQL. `config/connection` only reads connection strings, the demo loads its sample,
/// and the check asks what no request asks.
const DATABASE_CRATES: &[&str] =
    &["tokio_postgres", "deadpool", "deadpool_postgres", "tokio_postgres_rustls"];
const DATABASE_FILES: &[&str] = &[
    "execute.rs",
    "execute/",
    "catalog/introspect",
    "catalog/watch",
    "config/connection",
    "check.rs",
    "check/",
    "demo.rs",
    "demo/",
];

/// Files over the limit because they are one table.
const TABLES: &[&str] = &[];
const LONGEST: usize = 500;

struct Source {
    /// Below `src/`.
    path: String,
    text: String,
}

impl Source {
    /// The top-level module.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }

    /// Lines that are code and not a comment.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
    }

    /// Whether code names the crate: `name::` where `name` is a word of its own.
    fn names(&self, name: &str) -> bool {
        self.code().any(|line| paths_in(line).any(|path| path == name))
    }

    fn is_below(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

/// The first segments of the paths in a line: `a` of `a::b::c`.
fn paths_in(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("::").filter_map(|(at, _)| {
        let before = &line[..at];
        let word = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
        let outside = &before[..before.len() - word.len()];
        (!outside.ends_with("::") && !word.is_empty()).then_some(word)
    })
}

fn sources() -> Vec<Source> {
    fn walk(directory: &Path, root: &Path, found: &mut Vec<Source>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push(Source { path: below, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 20, "the source was not found");
    found
}

/// Modules named by `use crate::{…}` groups, on one line or many, and by `crate::name`.
fn crate_modules(source: &Source) -> Vec<String> {
    let code: String = source.code().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut word = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 && (c.is_alphanumeric() || c == '_') {
                        word.push(c);
                    } else if depth == 0 && c == ',' {
                        found.push(std::mem::take(&mut word));
                    } else if depth == 0 && c == ':' && !word.is_empty() {
                        found.push(std::mem::take(&mut word));
                        // What follows within this item is not a module of the crate.
                        depth = 0;
                    }
                }
                found.push(word);
            }
            None => found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()),
        }
    }
    found.retain(|name| LAYERS.iter().any(|(module, _)| module == name));
    found
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "lib") {
        let Some((_, allowed)) = LAYERS.iter().find(|(module, _)| *module == source.module()) else {
            wrong.push(format!("src/{} has no place among the layers", source.path));
            continue;
        };
        for named in crate_modules(source) {
            if named != source.module() && !allowed.split(' ').any(|module| module == named) {
                wrong.push(format!("src/{} names crate::{named}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_below_the_front_doors_knows_a_protocol() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !PROTOCOL_MODULES.contains(&source.module())) {
        wrong.extend(
            PROTOCOL_CRATES.iter().filter(|name| source.names(name)).map(|name| (source.path.clone(), *name)),
        );
    }
    for source in
        sources().iter().filter(|source| source.module() != "grpc" && !source.is_below(PROTOBUF_FILES))
    {
        wrong.extend(
            PROTOBUF_CRATES.iter().filter(|name| source.names(name)).map(|name| (source.path.clone(), *name)),
        );
    }
    for source in sources().iter().filter(|source| source.module() != "openapi") {
        wrong.extend(
            ["utoipa"].iter().filter(|name| source.names(name)).map(|name| (source.path.clone(), *name)),
        );
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn only_execute_and_the_catalog_speak_to_postgresql() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_below(DATABASE_FILES)) {
        wrong.extend(
            DATABASE_CRATES.iter().filter(|name| source.names(name)).map(|name| (source.path.clone(), *name)),
        );
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//!") {
            wrong.push(format!("src/{} does not open with //!", source.path));
        }
        let lines = source.text.lines().count();
        let exempt = source.path.ends_with("tests.rs") || TABLES.contains(&source.path.as_str());
        if lines > LONGEST && !exempt {
            wrong.push(format!("src/{} has {lines} lines", source.path));
        }
        if source.path.ends_with("/mod.rs") {
            wrong.push(format!("src/{} should be named after its folder", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_is_no_global_state() {
    // A `static` that is not a constant: it can change, or is made at run time.
    let held =
        ["Lock<", "Cell<", "Mutex<", "Atomic", "ArcSwap", "static mut", "thread_local!", "lazy_static"];
    let mut wrong = Vec::new();
    for source in sources() {
        let statics = source.code().filter(|line| {
            let declared = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            declared.starts_with("static ") || line.contains("thread_local!") || line.contains("lazy_static")
        });
        wrong.extend(
            statics
                .filter(|line| held.iter().any(|held| line.contains(held)))
                .map(|line| format!("src/{}: {line}", source.path)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_test_is_switched_off() {
    let mut wrong = Vec::new();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for entry in fs::read_dir(tests).unwrap() {
        let path = entry.unwrap().path();
        // This file has to name what it looks for.
        if path.is_file() && !path.ends_with("design.rs") {
            let text = fs::read_to_string(&path).unwrap();
            wrong.extend(text.contains("#[ignore").then(|| path.display().to_string()));
        }
    }
    wrong.extend(
        sources().into_iter().filter(|source| source.text.contains("#[ignore")).map(|source| source.path),
    );
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_check_itself_sees_imports_of_every_form() {
    let source = |text: &str| Source { path: "name.rs".to_owned(), text: text.to_owned() };
    let grouped = source(
        "use crate::{\n    error::{Error, Result},\n    outcome::Sink,\n    media,\n};\nlet x = crate::sql::Y;",
    );
    assert_eq!(crate_modules(&grouped), ["error", "outcome", "media", "sql"]);
    assert!(source("let s = tonic::Status::ok();").names("tonic"));
    assert!(!source("// tonic::Status").names("tonic"));
    assert!(!source("use crate::tonic::x;").names("tonic"));
}
