//! A body of CSV: what is made of it is JSON, and each record has the fields that it was written with.
#![no_main]

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use pgduet::rest::probe;
use serde_json::{Map, Value};

fuzz_target!(|body: &[u8]| {
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/csv"))]);
    let Ok(payload) = probe::rows(&headers, Bytes::copy_from_slice(body)) else { return };
    let rows: Vec<Map<String, Value>> = serde_json::from_slice(payload.json.given().expect("it was given"))
        .expect("rows are an array of objects");
    assert!(rows.iter().all(|row| row.keys().all(|key| payload.keys.contains(key))));
    // Written again with every field in quotes, it says the same.
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut again: String = payload.keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(",") + "\n";
    let distinct: std::collections::HashSet<_> = payload.keys.iter().collect();
    if distinct.len() < payload.keys.len() || rows.is_empty() {
        return;
    }
    for row in &rows {
        let fields = payload.keys.iter().map(|key| quoted(row[key].as_str().unwrap_or("NULL")));
        again += &(fields.collect::<Vec<_>>().join(",") + "\n");
    }
    assert_eq!(probe::rows(&headers, again.into()).expect("what is quoted is right"), payload);
});
