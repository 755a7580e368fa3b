//! The Connect protocol as curl speaks it, on the demo's schema.

use crate::{
    clients::demo,
    support::{
        grpc::id,
        http::send,
        tools::{curl, stdout, tool},
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::process::Command;

const LIST: &str = "api.v1.BooksService/ListBooks";

#[test]
fn curl_lists_and_creates_with_json_and_nothing_else() {
    let (_database, server, token) = demo();
    let authorization = format!("authorization: Bearer {token}");
    let call = |method: &str, message: &str, more: &[&str]| {
        let url = format!("{}/{method}", server.url());
        curl(&[&["-d", message, "-H", "content-type: application/json", &url], more].concat())
    };
    let listed =
        call(LIST, r#"{"page_size": 2, "orderBy": "id", "readMask": "id,title,author.name,addedAt"}"#, &[]);
    assert_eq!(listed.status, 200);
    assert!(listed.headers.contains("content-type: application/json"), "{}", listed.headers);
    let body = listed.json();
    let first = json!({
        "id": 1, "title": "Pride and Prejudice", "added_at": "2024-01-08T09:00:00Z",
        "author": { "name": "Jane Austen" }
    });
    assert_eq!(body["books"][0], first);
    assert!(body["nextPageToken"].is_string());
    assert_eq!(call(LIST, "{}", &[]).json()["books"].as_array().unwrap().len(), 16);

    let create = "api.v1.LoansService/CreateLoan";
    let created = call(create, r#"{"loan": {"book_id": 2}}"#, &["-H", &authorization]);
    assert_eq!((created.status, &created.json()["loan"]["member"]), (200, &json!("ada")));
    let twice = call(create, r#"{"loan": {"book_id": 2}}"#, &["-H", &authorization]);
    let error = twice.json();
    assert_eq!((twice.status, &error["code"]), (409, &json!("already_exists")));
    assert_eq!(error["details"][0]["type"], "google.rpc.ErrorInfo");
    assert_eq!(call(create, r#"{"loan": {"book_id": 2}}"#, &[]).status, 401);

    let wrong = call(LIST, r#"{"colour": 1}"#, &[]);
    assert_eq!((wrong.status, &wrong.json()["code"]), (400, &json!("invalid_argument")));
    assert!(wrong.json()["message"].as_str().unwrap().contains("colour"));
    assert_eq!(call("api.v1.BooksService/Burn", "{}", &[]).status, 501);
    let late = call(LIST, "{}", &["-H", "connect-timeout-ms: soon"]);
    assert_eq!((late.status, &late.json()["code"]), (400, &json!("invalid_argument")));
    let plain = curl(&["-d", "{}", &format!("{}/{LIST}", server.url())]);
    assert_eq!(plain.status, 415);
    assert!(plain.headers.contains("accept-post: application/json"), "{}", plain.headers);
}

#[test]
fn what_only_reads_can_be_had_by_get_and_what_writes_cannot() {
    let (_database, server, _) = demo();
    let get = |method: &str, query: &str| curl(&[&format!("{}/{method}?{query}", server.url())]);
    let message = "connect=v1&encoding=json&message=%7B%22page_size%22%3A1%7D";
    let listed = get(LIST, message);
    assert_eq!((listed.status, listed.json()["books"].as_array().unwrap().len()), (200, 1));
    // {"id":3}
    let found = get("api.v1.BooksService/GetBook", "encoding=json&base64=1&message=eyJpZCI6M30");
    assert_eq!(found.json()["book"]["title"], "Frankenstein");
    // The same key in protobuf's wire format.
    let key = BASE64_URL_SAFE_NO_PAD.encode(id(3));
    let target = format!("/api.v1.BooksService/GetBook?connect=v1&encoding=proto&base64=1&message={key}");
    let binary = send(server.address(), "GET", &target, &[], None);
    assert_eq!(binary.header("content-type").as_deref(), Some("application/proto"));
    assert!(binary.text().contains("Frankenstein"));
    let missing = get("api.v1.BooksService/GetBook", "encoding=json&message=%7B%22id%22%3A99%7D");
    assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("not_found")));
    let refused = get("api.v1.BooksService/DeleteBook", "encoding=json&message=%7B%22id%22%3A3%7D");
    assert_eq!(refused.status, 405);
    assert!(refused.headers.contains("allow: post"), "{}", refused.headers);
}

#[test]
fn a_page_of_another_origin_may_call() {
    let (_database, server, _) = demo();
    let preflight = curl(&[
        "-X",
        "OPTIONS",
        "-H",
        "origin: https://example.org",
        "-H",
        "access-control-request-method: POST",
        "-H",
        "access-control-request-headers: content-type,connect-protocol-version",
        &format!("{}/{LIST}", server.url()),
    ]);
    assert_eq!(preflight.status, 200);
    assert!(preflight.headers.contains("access-control-allow-origin: *"), "{}", preflight.headers);
    assert!(preflight.headers.contains("connect-protocol-version"), "{}", preflight.headers);
}

#[test]
fn buf_curl_drives_the_demo_over_each_protocol_with_reflection() {
    let (_database, server, token) = demo();
    for protocol in ["connect", "grpc", "grpcweb"] {
        let buf = |method: &str, data: &str| {
            let mut command = Command::new(tool("node_modules/.bin/buf"));
            command
                .args(["curl", "--reflect", "--http2-prior-knowledge", "--protocol", protocol, "-d", data])
                .args(["-H", &format!("authorization: Bearer {token}")])
                .arg(format!("{}/api.v1.{method}", server.url()));
            command
        };
        let listed: Value =
            serde_json::from_str(&stdout(&mut buf("BooksService/ListBooks", r#"{"page_size": 2}"#))).unwrap();
        assert_eq!(listed["books"][1]["title"], "Emma", "{protocol}");
        let streamed = stdout(&mut buf("BooksService/StreamBooks", r#"{"order_by": "title"}"#));
        let streamed: Vec<Value> =
            serde_json::Deserializer::from_str(&streamed).into_iter().map(Result::unwrap).collect();
        assert_eq!(streamed.len(), 16, "{protocol}");
        assert_eq!(streamed[0]["book"]["title"], "A Room of One's Own", "{protocol}");
        let missing = buf("BooksService/GetBook", r#"{"id": 99}"#).output().unwrap();
        let error: Value = serde_json::from_slice(&missing.stderr).unwrap();
        assert_eq!(
            (&error["code"], missing.status.code()),
            (&json!("not_found"), Some(5 << 3)),
            "{protocol}"
        );
        assert_eq!(error["details"][0]["type"], "google.rpc.ErrorInfo", "{protocol}");
    }
}

#[test]
fn json_is_compressed_both_ways() {
    let (_database, server, _) = demo();
    let scratch =
        std::env::temp_dir().join(format!("pgduet-compressed-{}", server.address().replace(':', "-")));
    std::fs::create_dir_all(&scratch).unwrap();
    let file = |name: &str, program: &str, text: &str| {
        let plain = scratch.join(name);
        std::fs::write(&plain, text).unwrap();
        let path = plain.display().to_string();
        stdout(Command::new(program).args(["--force", "--keep", "--quiet", &path]));
        format!("@{path}.{}", if program == "gzip" { "gz" } else { "zst" })
    };
    let url = format!("{}/{LIST}", server.url());
    let json = "content-type: application/json";
    let message = file("list.json", "gzip", r#"{"page_size": 16, "order_by": "id"}"#);
    let encoded = "content-encoding: gzip";
    let listed = curl(&["--data-binary", &message, "-H", json, "-H", encoded, "--compressed", &url]);
    assert_eq!((listed.status, listed.json()["books"].as_array().unwrap().len()), (200, 16));
    assert!(listed.headers.contains("content-encoding: "), "{}", listed.headers);
    for encoding in ["gzip", "zstd"] {
        let headers = [("content-type", "application/json"), ("accept-encoding", encoding)];
        let answer = send(server.address(), "POST", &format!("/{LIST}"), &headers, Some("{}"));
        assert_eq!(answer.header("content-encoding").as_deref(), Some(encoding));
    }
    let short = curl(&["-d", r#"{"page_size": 1, "read_mask": "id"}"#, "-H", json, "--compressed", &url]);
    assert!(!short.headers.contains("content-encoding"), "{}", short.headers);
    // Without side effects, by GET: {"page_size":16}
    let query = "encoding=json&message=%7B%22page_size%22%3A16%7D";
    let got = curl(&["--compressed", &format!("{url}?{query}")]);
    assert!(got.headers.contains("content-encoding: "), "{}", got.headers);
    assert_eq!(got.json()["books"].as_array().unwrap().len(), 16);
    // What is no gzip, what would be too long, and what there is not.
    let refused = |data: &str, encoding: &str| {
        let encoding = format!("content-encoding: {encoding}");
        let answer = curl(&["--data-binary", data, "-H", json, "-H", &encoding, &url]);
        (answer.status, answer.json()["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused("{}", "gzip"), (400, "invalid_argument".to_owned()));
    assert_eq!(refused("{}", "br"), (501, "unimplemented".to_owned()));
    let bomb = file("bomb.json", "gzip", &format!("{{\"filter\": \"{}\"}}", "x".repeat(8 << 20)));
    assert_eq!(refused(&bomb, "gzip"), (429, "resource_exhausted".to_owned()));
    std::fs::remove_dir_all(&scratch).unwrap();
}
