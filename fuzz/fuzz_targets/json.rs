//! A body of JSON: what is refused, and what the keys are, is compared with a reader that builds trees.
#![no_main]

use bytes::Bytes;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use pgduet::rest::probe;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let found = probe::rows(&HeaderMap::new(), Bytes::copy_from_slice(body)).ok();
    // A tree is no deeper than 128 levels, and has no number beyond a double's.
    let Ok(tree) = serde_json::from_slice::<Value>(body) else { return };
    let keys = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    let sorted = |value: &Value| {
        let mut keys = keys(value)?;
        keys.sort_unstable();
        Some(keys)
    };
    match (tree, found) {
        (Value::Array(rows), None) => assert!(
            rows.iter().any(|row| row.is_object() && sorted(row) != sorted(&rows[0]) || !row.is_object())
        ),
        (Value::Array(rows), Some(found)) => {
            assert!(rows.iter().all(|row| row.is_object() && sorted(row) == sorted(&rows[0])));
            assert_eq!(found.keys, rows.first().and_then(keys).unwrap_or_default());
        }
        (object @ Value::Object(_), found) => assert_eq!(found.map(|found| found.keys), keys(&object)),
        (_, found) => assert_eq!(found.map(|found| found.keys.len()), Some(0)),
    }
});
