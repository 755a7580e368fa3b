//! The cases of `tests/spec` against the document that their server gives to their role: status, media type, headers and
//! body of each answer are what the document says, and so is each request that succeeds. ajv judges what JSON Schema says.

use super::described::Scratch;
use crate::{
    spec::{Case, FIXTURE, files, served},
    support::{
        database::Database,
        http::{Answer, send},
        server::Server,
        tools::{stdout, tool},
    },
};
use serde_json::{Value, json};
use std::{fs, process::Command};

/// How many cases at least are about something that a document describes.
const DESCRIBED: u64 = 300;

#[test]
fn answers_are_what_the_document_says() {
    let database = Database::fresh(FIXTURE);
    let (mut documents, mut exchanges): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for (name, file) in files() {
        let server = served(&database, &file);
        for case in &file.cases {
            let Some(document) = document(&server, case) else { continue };
            let known = documents.iter().position(|known| *known == document);
            let place = known.unwrap_or_else(|| {
                documents.push(document);
                documents.len() - 1
            });
            exchanges.push(exchange(&name, place, case, &case.answer_of(&server)));
        }
    }
    let scratch = Scratch::new("replayed");
    let recorded = scratch.0.join("recorded.json");
    fs::write(&recorded, json!({"documents": documents, "exchanges": exchanges}).to_string()).unwrap();
    let printed = stdout(
        Command::new("node")
            .arg("tests/clients/openapi/replay.mjs")
            .arg(&recorded)
            .env("NODE_PATH", tool("openapi/node_modules")),
    );
    let found: Value = serde_json::from_str(&printed).unwrap();
    let faults: Vec<_> = found["faults"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(faults.is_empty(), "{} answers are not as described:\n{}", faults.len(), faults.join("\n"));
    assert!(found["described"].as_u64().unwrap() >= DESCRIBED, "{printed}");
}

/// The document for the role and the schema of a case; `None` where there is none. A token that is refused has no role,
/// and what the anonymous one may do is described then.
fn document(server: &Server, case: &Case) -> Option<Value> {
    let (mut authorization, mut profile) = (None, None);
    for (name, value) in &case.headers {
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(("Authorization", value.as_str())),
            "accept-profile" | "content-profile" => profile = Some(("Accept-Profile", value.as_str())),
            _ => {}
        }
    }
    let ask = |headers: &[Option<(&str, &str)>]| {
        let headers: Vec<_> = headers.iter().flatten().copied().collect();
        let answer = send(server.address(), "GET", "/", &headers, None);
        (answer.status == 200).then(|| serde_json::from_slice(&answer.body).unwrap())
    };
    ask(&[authorization, profile]).or_else(|| ask(&[profile])).or_else(|| ask(&[]))
}

fn exchange(file: &str, document: usize, case: &Case, answer: &Answer) -> Value {
    let (method, target) = case.line();
    json!({
        "name": format!("{file}: {}: {} {:?}", case.does, case.request, case.headers),
        "document": document,
        "method": method,
        "target": target,
        "headers": case.headers,
        "body": case.body,
        "status": answer.status,
        "answer": {"headers": answer.headers, "body": String::from_utf8_lossy(&answer.body)},
    })
}
