//! JSON as YAML, in block style, read and written without a tree of either.
//!
//! Texts are always between quotes: readers of YAML 1.1 take `no`, `1:30` and `2024-01-01` for something else without them,
//! and a serializer that follows YAML 1.2 does not write any there.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt::{self, Write as _};

/// The media type (RFC 9512).
pub(super) const MEDIA_TYPE: &str = "application/yaml";
/// Plain words that YAML 1.1 takes for booleans and nulls.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// JSON as a document.
pub(super) fn written(json: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut out = String::with_capacity(json.len() + json.len() / 2);
    let mut read = serde_json::Deserializer::from_slice(json);
    Writer { out: &mut out, indent: 0, place: Place::Line }.deserialize(&mut read)?;
    read.end()?;
    Ok(out.into_bytes())
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

/// Writes the value that is read.
struct Writer<'o> {
    out: &'o mut String,
    indent: usize,
    place: Place,
}

impl Writer<'_> {
    /// Begins the member or element at this position: the first one stands beside a dash, others on lines of their own.
    fn begin(&mut self, at: usize) {
        match (self.place, at) {
            (Place::Dash, 0) => return self.out.push(' '),
            (Place::Key, 0) => self.out.push('\n'),
            (Place::Line | Place::Key | Place::Dash, _) => {}
        }
        self.out.extend(std::iter::repeat_n(' ', self.indent));
    }

    /// A writer of what is within.
    fn within(&mut self, place: Place) -> Writer<'_> {
        Writer { out: self.out, indent: self.indent + 2, place }
    }

    fn scalar(self, write: impl FnOnce(&mut String)) {
        match self.place {
            Place::Line => {}
            Place::Key | Place::Dash => self.out.push(' '),
        }
        write(self.out);
        self.out.push('\n');
    }

    fn plain(self, value: impl fmt::Display) {
        self.scalar(|out| {
            let _ = write!(out, "{value}");
        });
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(key) = members.next_key::<String>()? {
            self.begin(count);
            name(self.out, &key);
            self.out.push(':');
            members.next_value_seed(self.within(Place::Key))?;
            count += 1;
        }
        if count == 0 {
            self.plain("{}");
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let mut count = 0;
        // Whether there is an element is known when it is read, and it is written then.
        while let Some(()) = elements.next_element_seed(Element { writer: &mut self, at: count })? {
            count += 1;
        }
        if count == 0 {
            self.plain("[]");
        }
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.scalar(|out| text(out, value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.plain(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.plain(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.scalar(|out| number(out, &Value::from(value).to_string()));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.plain(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.plain("null");
        Ok(())
    }
}

/// An element of a list.
struct Element<'w, 'o> {
    writer: &'w mut Writer<'o>,
    at: usize,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.writer.begin(self.at);
        self.writer.out.push('-');
        self.writer.within(Place::Dash).deserialize(deserializer)
    }
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

    fn read(value: &Value) -> String {
        String::from_utf8(written(&serde_json::to_vec(value).unwrap()).unwrap()).unwrap()
    }

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
        assert_eq!(read(&value), expected);
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
        let back: Value = serde_yaml_ng::from_str(&read(&value)).unwrap();
        assert_eq!(back, value);
    }
}
