//! CSV rows (RFC 4180) with their names in the first one: a bare `NULL` is
//! null, everything else a text.

use super::invalid;
use crate::{
    error::{Error, Result},
    request::payload::{Payload, Rows},
};
use csv::StringRecord;

/// The rows as a JSON array. It is written row by row: what is kept beside the
/// array is one row. Their keys are as many names as the first row has fields.
pub(super) fn rows(csv: &[u8]) -> Result<Payload> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
    let malformed = |error: csv::Error| invalid(format!("parse error ({error})"));
    // The names are a line of their own, with an end.
    if !csv.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Err(invalid("parse error (not enough input) at \"\""));
    }
    let names: Vec<String> = reader.headers().map_err(malformed)?.iter().map(str::to_owned).collect();
    let mut keys = Vec::new();
    let mut json = vec![b'['];
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(malformed)? {
        let named = record.len().min(names.len());
        match json.len() {
            1 => keys = names.iter().take(named).cloned().collect(),
            _ if named == keys.len() => json.push(b','),
            _ => return Err(invalid("All lines must have same number of fields")),
        }
        object(&keys, &record, &mut json).map_err(unwritable)?;
    }
    json.push(b']');
    Ok(Payload { json: json.into(), keys, rows: Rows::Many })
}

/// Adds a row. Fields beyond the last name are nobody's.
fn object(keys: &[String], record: &StringRecord, json: &mut Vec<u8>) -> serde_json::Result<()> {
    for (index, (key, field)) in keys.iter().zip(record).enumerate() {
        json.push(if index == 0 { b'{' } else { b',' });
        serde_json::to_writer(&mut *json, key)?;
        json.push(b':');
        match field {
            "NULL" => json.extend_from_slice(b"null"),
            text => serde_json::to_writer(&mut *json, text)?,
        }
    }
    json.push(b'}');
    Ok(())
}

fn unwritable(error: serde_json::Error) -> Box<Error> {
    invalid("The rows could not be written as JSON").cause(error)
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
    fn lines_may_all_be_short_and_there_may_be_none() {
        let payload = rows(b"a,b\n1\n2").unwrap();
        assert_eq!(
            (payload.json.as_ref(), payload.keys),
            (br#"[{"a":"1"},{"a":"2"}]"#.as_slice(), vec!["a".to_owned()])
        );
        let payload = rows(b"a,b\n").unwrap();
        assert_eq!((payload.json.as_ref(), payload.keys.len()), (b"[]".as_slice(), 0));
    }

    #[test]
    fn short_lines_and_nothing_at_all_are_refused() {
        assert_eq!(
            rows(b"a,b\nfoo,bar\nbaz").unwrap_err().message,
            "All lines must have same number of fields"
        );
        for lines in [b"".as_slice(), b"a,b"] {
            assert_eq!(rows(lines).unwrap_err().message, "parse error (not enough input) at \"\"");
        }
    }
}
