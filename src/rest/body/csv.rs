//! CSV rows (RFC 4180) with their names in the first one: `NULL` is null, everything else a text. What the grammar has no
//! place for is refused with its line: whoever guesses what was meant loses data.

mod reader;

use super::invalid;
use crate::{
    error::{Error, Result},
    request::payload::{Payload, Rows},
};
use reader::{Malformed, Reader};
use std::borrow::Cow;

/// No column or argument has a longer name, in bytes. Names are repeated in each object, so one of any length would make
/// more of a body than there was.
const LONGEST_NAME: usize = 63;

/// The rows as a JSON array. It is written row by row: what is kept beside the
/// array is one row. Their keys are as many names as the first row has fields.
pub(super) fn rows(csv: &[u8]) -> Result<Payload> {
    let text = std::str::from_utf8(csv).map_err(|error| invalid(format!("parse error ({error})")))?;
    // The names are a line of their own, with an end.
    if !text.contains(['\n', '\r']) {
        return Err(invalid("parse error (not enough input) at \"\""));
    }
    let mut reader = Reader::new(text);
    let mut record = Vec::new();
    reader.read(&mut record).map_err(malformed)?;
    let names: Vec<String> = record.iter().map(|name| name.clone().into_owned()).collect();
    if let Some(name) = names.iter().find(|name| name.len() > LONGEST_NAME) {
        let fault = format!("a name of {} bytes, which no column has", name.len());
        return Err(malformed(Malformed { line: 1, fault }));
    }
    let mut keys = Vec::new();
    let mut json = vec![b'['];
    while let Some(line) = reader.read(&mut record).map_err(malformed)? {
        if record.len() > names.len() {
            let fault = format!("{} fields for {} names", record.len(), names.len());
            return Err(malformed(Malformed { line, fault }));
        }
        match json.len() {
            1 => keys = names.iter().take(record.len()).cloned().collect(),
            _ if record.len() == keys.len() => json.push(b','),
            _ => return Err(invalid("All lines must have same number of fields")),
        }
        object(&keys, &record, &mut json).map_err(unwritable)?;
    }
    json.push(b']');
    Ok(Payload { json: json.into(), keys, rows: Rows::Many })
}

/// Adds a row.
fn object(keys: &[String], record: &[Cow<'_, str>], json: &mut Vec<u8>) -> serde_json::Result<()> {
    for (index, (key, field)) in keys.iter().zip(record).enumerate() {
        json.push(if index == 0 { b'{' } else { b',' });
        serde_json::to_writer(&mut *json, key)?;
        json.push(b':');
        match field.as_ref() {
            "NULL" => json.extend_from_slice(b"null"),
            text => serde_json::to_writer(&mut *json, text)?,
        }
    }
    json.push(b'}');
    Ok(())
}

fn malformed(Malformed { line, fault }: Malformed) -> Box<Error> {
    invalid(format!("parse error (line {line}: {fault})"))
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
        assert_eq!(payload.json, r#"[{"a":"1","b":"x,\"y\""},{"a":null,"b":""}]"#.into());
        assert_eq!(payload.keys, ["a", "b"]);
    }

    #[test]
    fn lines_may_all_be_short_and_there_may_be_none() {
        let payload = rows(b"a,b\n1\n2").unwrap();
        assert_eq!(
            (payload.json.given().unwrap().as_ref(), payload.keys),
            (br#"[{"a":"1"},{"a":"2"}]"#.as_slice(), vec!["a".to_owned()])
        );
        let payload = rows(b"a,b\n").unwrap();
        assert_eq!((payload.json.given().unwrap().as_ref(), payload.keys.len()), (b"[]".as_slice(), 0));
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

    #[test]
    fn what_rfc_4180_has_no_place_for_is_refused_with_its_line() {
        for (lines, told) in [
            ("a,b\n1,\"x\n2,y\n", "line 2: a quote without its end"),
            ("a,b\n100,{\"a\":213,\"b\":2}\n", "line 2: a quote within a field that does not begin with one"),
            ("a,b\n1,\"x\"\n2,\"a\"b\n", "line 3: text behind the end of a quoted field"),
            ("a\"b,c\n1,2\n", "line 1: a quote within a field that does not begin with one"),
            ("a,b\n\"1\n\",2\n3,4,5\n", "line 4: 3 fields for 2 names"),
        ] {
            assert_eq!(
                rows(lines.as_bytes()).unwrap_err().message,
                format!("parse error ({told})"),
                "{lines}"
            );
        }
        let long = format!("{}\n1\n", "a".repeat(64));
        let told = "parse error (line 1: a name of 64 bytes, which no column has)";
        assert_eq!(rows(long.as_bytes()).unwrap_err().message, told);
    }

    #[test]
    fn lines_end_in_any_way_and_blank_ones_are_none() {
        for lines in ["\u{feff}a,b\r\n1,2\r\n\r\n3,4\r\n", "a,b\r1,2\r3,4", "\na,b\n\n\n1,2\n3,4\n\n"] {
            let payload = rows(lines.as_bytes()).unwrap();
            assert_eq!(payload.json, r#"[{"a":"1","b":"2"},{"a":"3","b":"4"}]"#.into(), "{lines:?}");
        }
    }
}
