//! The cases of `tests/spec/*.yaml`: requests and what is expected of their answers, by the rows of PostgREST's feature
//! list. Reads that gRPC can say run over both protocols and have to give equal rows. Every file has a server of its own
//! on one database; nothing that a case changes stays, as transactions are rolled back.
//!
//! ```yaml
//! config: { PGRST_DB_MAX_ROWS: "2" }        # on top of the usual; may be left out
//! cases:
//!   - row: M13                              # which row of the list it shows
//!     does: tells the range it answers with
//!     request: GET /films?select=id&limit=1 # sent as it stands, not encoded
//!     headers: { Prefer: count=exact }
//!     body: '{"id": 1}'
//!     status: 206
//!     reason: Partial Content
//!     answer: '[{"id":1}]'                  # JSON: same values, keys in the same order; else byte for byte
//!     answer_headers: { Content-Range: 0-0/3, Location: null }  # null: not there
//! ```

mod groups;
mod translate;

use crate::support::{
    database::Database,
    grpc::Client,
    http::{Answer, send},
    server::Server,
};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

pub(crate) const FIXTURE: &str = include_str!("../fixtures/spec.sql");

/// How many cases at least can be said over gRPC too.
const OVER_BOTH: usize = 35;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(default)]
    config: BTreeMap<String, String>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    row: String,
    pub(crate) does: String,
    pub(crate) request: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<String>,
    status: u16,
    reason: Option<String>,
    answer: Option<String>,
    #[serde(default)]
    answer_headers: BTreeMap<String, Option<String>>,
}

/// A server for the cases of a file.
pub(crate) fn served(database: &Database, file: &File) -> Server {
    let uri = database.uri("authenticator");
    let mut environment = vec![
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_TX_END", "rollback-allow-override"),
    ];
    environment.extend(file.config.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Server::start(&environment)
}

#[test]
fn every_case_is_answered_as_expected() {
    let database = Database::fresh(FIXTURE);
    let mut wrong = Vec::new();
    let mut over_both = 0;
    for (name, file) in files() {
        let server = served(&database, &file);
        let config: Vec<_> =
            file.config.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let client = Client::new(&server, &database, "api", &config);
        for case in &file.cases {
            let answer = case.answer_of(&server);
            let mut differences = case.differences(&answer);
            match translate::run(case, &answer, &client) {
                translate::Outcome::Unsaid => {}
                translate::Outcome::Equal => over_both += 1,
                translate::Outcome::Different(difference) => differences.push(format!("gRPC {difference}")),
            }
            if !differences.is_empty() {
                let Case { row, does, request, .. } = case;
                wrong
                    .push(format!("{name} {row}: {does}\n    {request}\n    {}", differences.join("\n    ")));
            }
        }
    }
    assert!(over_both >= OVER_BOTH, "only {over_both} cases ran over gRPC too");
    assert!(wrong.is_empty(), "{} cases are answered otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_case_names_a_row_and_no_two_are_the_same() {
    let mut seen = Vec::new();
    for (name, file) in files() {
        for case in file.cases {
            let (letters, digits) =
                case.row.split_at(case.row.find(|c: char| c.is_ascii_digit()).unwrap_or(0));
            assert!(letters.len() == 1 && digits.parse::<u8>().is_ok(), "{name}: {}", case.row);
            let asked = (case.request, case.headers, case.body, file.config.clone());
            assert!(!seen.contains(&asked), "{name}: {} is there twice", asked.0);
            seen.push(asked);
        }
    }
}

/// The files of cases by their names.
pub(crate) fn files() -> Vec<(String, File)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let file =
                serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().unwrap().to_string_lossy().into_owned(), file)
        })
        .collect();
    files.sort_by(|(one, _), (other, _)| one.cmp(other));
    files
}

impl Case {
    /// The method and the target, as it is sent.
    pub(crate) fn line(&self) -> (&str, &str) {
        self.request.split_once(' ').expect("a request is a method and a target")
    }

    /// What the server answers.
    pub(crate) fn answer_of(&self, server: &Server) -> Answer {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (method, target) = self.line();
        send(server.address(), method, target, &headers, self.body.as_deref())
    }

    fn differences(&self, answer: &Answer) -> Vec<String> {
        let mut differences = Vec::new();
        if answer.status != self.status {
            differences.push(format!(
                "status {} instead of {}: {}",
                answer.status,
                self.status,
                answer.text()
            ));
        }
        if self.reason.as_ref().is_some_and(|reason| *reason != answer.reason) {
            differences.push(format!("reason {:?}", answer.reason));
        }
        if let Some(expected) = &self.answer
            && compact(expected) != compact(&answer.text())
        {
            differences.push(format!("answer   {}\n    expected {expected}", answer.text()));
        }
        for (name, expected) in &self.answer_headers {
            let found = answer.header(name);
            if found != *expected {
                differences.push(format!("{name}: {found:?} instead of {expected:?}"));
            }
        }
        differences
    }
}

/// JSON without blanks, its keys in their order; anything else as it is.
fn compact(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.to_string(),
        Err(_) => text.to_owned(),
    }
}
