//! CSV rows (RFC 4180) with their names in the first one: a bare `NULL` is
//! null, everything else a text.

use super::invalid;
use crate::{
    error::Result,
    request::payload::{Payload, Rows},
};
use serde_json::{Map, Value};

pub(super) fn rows(csv: &[u8]) -> Result<Payload> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
    let malformed = |error: csv::Error| invalid(format!("parse error ({error})"));
    let keys: Vec<String> = reader.headers().map_err(malformed)?.iter().map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(invalid("parse error (not enough input)"));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        if record.len() < keys.len() {
            return Err(invalid("All lines must have same number of fields"));
        }
        let row: Map<_, _> = keys.iter().cloned().zip(record.iter().map(value)).collect();
        rows.push(Value::Object(row));
    }
    Ok(Payload { json: Value::Array(rows).to_string().into(), keys, rows: Rows::Many })
}

fn value(field: &str) -> Value {
    match field {
        "NULL" => Value::Null,
        text => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_objects_with_nulls() {
        let payload = rows(b"a,b\r\n1,\"x,\"\"y\"\"\"\n\nNULL,\n").unwrap();
        assert_eq!(payload.json, r#"[{"a":"1","b":"x,\"y\""},{"a":null,"b":""}]"#);
        assert_eq!(payload.keys, ["a", "b"]);
    }

    #[test]
    fn short_lines_and_nothing_at_all_are_refused() {
        assert_eq!(
            rows(b"a,b\nfoo,bar\nbaz").unwrap_err().message,
            "All lines must have same number of fields"
        );
        assert_eq!(rows(b"").unwrap_err().code(), "PGRST102");
    }
}
