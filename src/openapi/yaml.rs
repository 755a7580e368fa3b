//! JSON values as YAML, in block style.
//!
//! Texts are always between quotes: readers of YAML 1.1 take `no`, `1:30` and `2024-01-01` for something else without them,
//! and a serializer that follows YAML 1.2 does not write any there.

use serde_json::Value;
use std::fmt::Write as _;

/// The media type (RFC 9512).
pub(super) const MEDIA_TYPE: &str = "application/yaml";
/// Plain words that YAML 1.1 takes for booleans and nulls.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// The value as a document.
pub(super) fn written(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0, Place::Line);
    out
}

/// Where a value begins.
#[derive(Clone, Copy)]
enum Place {
    /// On a line of its own.
    Line,
    /// Behind a key.
    Key,
    /// Behind a dash.
    Dash,
}

fn write(out: &mut String, value: &Value, indent: usize, place: Place) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (at, (key, value)) in members.iter().enumerate() {
                begin(out, indent, place, at);
                name(out, key);
                out.push(':');
                write(out, value, indent + 2, Place::Key);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (at, value) in elements.iter().enumerate() {
                begin(out, indent, place, at);
                out.push('-');
                write(out, value, indent + 2, Place::Dash);
            }
        }
        scalar => {
            match place {
                Place::Line => {}
                Place::Key | Place::Dash => out.push(' '),
            }
            match scalar {
                Value::String(string) => text(out, string),
                Value::Number(value) => number(out, &value.to_string()),
                // Nothing is in it, where it has elements at all.
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    let _ = write!(out, "{scalar}");
                }
            }
            out.push('\n');
        }
    }
}

/// Begins the member or element at this position: the first one stands beside a dash, others on lines of their own.
fn begin(out: &mut String, indent: usize, place: Place, at: usize) {
    match (place, at) {
        (Place::Dash, 0) => return out.push(' '),
        (Place::Key, 0) => out.push('\n'),
        (Place::Line | Place::Key | Place::Dash, _) => {}
    }
    out.extend(std::iter::repeat_n(' ', indent));
}

fn name(out: &mut String, key: &str) {
    let is_plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '$')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || "/$_-.".contains(c))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(key));
    if is_plain { out.push_str(key) } else { text(out, key) }
}

/// A text between quotes: as in JSON, but what YAML takes for line breaks or for unprintable is escaped.
fn text(out: &mut String, text: &str) {
    for c in Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// A number: YAML 1.1 wants a point and a sign with an exponent.
fn number(out: &mut String, number: &str) {
    let Some((mantissa, exponent)) = number.split_once('e') else { return out.push_str(number) };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    let _ = write!(out, "{mantissa}{point}e{sign}{exponent}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_reads_like_one_that_a_person_has_written() {
        let value = json!({
            "openapi": "3.1.0",
            "paths": {"/books": {"get": {"tags": ["a", {"b": 1, "c": [[], {}]}], "x": {}}}},
            "200": null,
            "on": true,
        });
        let expected = "\
openapi: \"3.1.0\"
paths:
  /books:
    get:
      tags:
        - \"a\"
        - b: 1
          c:
            - []
            - {}
      x: {}
\"200\": null
\"on\": true
";
        assert_eq!(written(&value), expected);
    }

    #[test]
    fn readers_get_back_what_was_written() {
        let texts = [
            "",
            "no",
            "1:30",
            "2024-01-01",
            "null",
            "~",
            "a: b",
            "- a",
            "#",
            "'",
            "\"",
            "\\",
            "\n",
            "\t x ",
            "größe",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "😀",
            "{}",
            "1e3",
            "<<",
            "=",
        ];
        let keyed: serde_json::Map<_, _> =
            texts.iter().map(|text| ((*text).to_owned(), json!([text]))).collect();
        let value =
            json!({"texts": keyed, "numbers": [0, -1, 1.5, 1e300, 1.5e-9, u64::MAX], "nested": [[1, [2]]]});
        let read: Value = serde_yaml_ng::from_str(&written(&value)).unwrap();
        assert_eq!(read, value);
    }
}
