//! Values as text: in filters as PostgreSQL reads them, in payloads as JSON.
//! Errors say what is wrong with a value; their callers know its field.

use crate::grpc::{
    encode::SECONDS,
    extent::{Extent, Parts},
    surface::{Package, Scalar, Shape},
};
use prost_reflect::{DynamicMessage, Value};
use std::fmt::Write as _;

/// Why a value is refused.
pub(super) type Refused = String;

/// A value as PostgreSQL's text.
pub(super) fn text(package: &Package, scalar: Scalar, value: &Value) -> Result<String, Refused> {
    match (scalar, value) {
        (Scalar::Int2, Value::I32(number)) if i16::try_from(*number).is_err() => {
            Err(format!("{number} is no smallint"))
        }
        (Scalar::Enum(at), Value::EnumNumber(number)) => label(package, at, *number),
        (Scalar::Hstore, Value::Message(message)) => hstore(message),
        _ => plain(value),
    }
}

/// A value whose protobuf type says all about it.
pub(super) fn plain(value: &Value) -> Result<String, Refused> {
    match value {
        Value::Bool(value) => Ok(value.to_string()),
        Value::I32(value) => Ok(value.to_string()),
        Value::I64(value) => Ok(value.to_string()),
        Value::F32(value) => Ok(float(value.to_string())),
        Value::F64(value) => Ok(float(value.to_string())),
        Value::String(value) if value.contains('\0') => Err("text cannot hold the character 0".to_owned()),
        Value::String(value) => Ok(value.clone()),
        Value::Bytes(bytes) => Ok(hex(bytes)),
        Value::Message(message) => timestamp(message),
        Value::U32(_) | Value::U64(_) | Value::EnumNumber(_) | Value::List(_) | Value::Map(_) => {
            Err("has no form as text".to_owned())
        }
    }
}

/// Appends a column's value as JSON.
pub(super) fn json(package: &Package, shape: Shape, value: &Value, out: &mut String) -> Result<(), Refused> {
    match (shape, value) {
        // An array within an array of json would be taken for a dimension.
        (Shape::Many(Scalar::Json), Value::List(elements)) => {
            string(&array_literal(elements)?, out);
            Ok(())
        }
        (Shape::Many(scalar), Value::List(elements)) => {
            separated('[', ']', elements.iter(), out, |element, out| {
                element_json(package, scalar, element, out)
            })
        }
        (Shape::Many(_), _) => {
            out.push_str("[]");
            Ok(())
        }
        (Shape::One(scalar), value) => element_json(package, scalar, value, out),
    }
}

fn element_json(package: &Package, scalar: Scalar, value: &Value, out: &mut String) -> Result<(), Refused> {
    match (scalar, value) {
        (Scalar::Bool, Value::Bool(value)) => out.push_str(if *value { "true" } else { "false" }),
        (Scalar::Int4, Value::I32(number)) => {
            let _ = write!(out, "{number}");
        }
        (Scalar::Int8, Value::I64(number)) => {
            let _ = write!(out, "{number}");
        }
        (Scalar::Json, Value::String(text)) => {
            // Written as it is, so that numbers keep their digits.
            serde_json::from_str::<&serde_json::value::RawValue>(text)
                .map_err(|error| format!("is no JSON: {error}"))?;
            out.push_str(text);
        }
        (Scalar::Record(at), Value::Message(message)) => record(package, at, message, out)?,
        _ => string(&text(package, scalar, value)?, out),
    }
    Ok(())
}

/// Texts as an array is written in SQL
/// (<https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>).
fn array_literal(elements: &[Value]) -> Result<String, Refused> {
    let mut out = String::new();
    separated('{', '}', elements.iter(), &mut out, |element, out| {
        let _ = write!(out, "\"{}\"", escaped(&plain(element)?));
        Ok::<(), Refused>(())
    })?;
    Ok(out)
}

/// The inside of double quotes, in arrays and in hstore.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn record(package: &Package, at: usize, message: &DynamicMessage, out: &mut String) -> Result<(), Refused> {
    let fields = package.records.get(at).map(|record| record.fields.as_slice()).unwrap_or_default();
    separated('{', '}', fields.iter(), out, |field, out| {
        string(&field.column, out);
        out.push(':');
        match message.get_field_by_number(field.number) {
            Some(value) if message.has_field_by_number(field.number) => {
                json(package, field.shape, &value, out).map_err(|why| format!("{}: {why}", field.name))
            }
            // Said, for an attribute that is left out keeps its value where others are updated.
            _ => {
                out.push_str("null");
                Ok(())
            }
        }
    })
}

/// Appends these attributes of a composite as JSON; those that are not set are NULL, arrays empty.
pub(super) fn parts(
    package: &Package,
    at: usize,
    message: Option<&DynamicMessage>,
    parts: &Parts,
    out: &mut String,
) -> Result<(), Refused> {
    let fields = package.records.get(at).map(|record| record.fields.as_slice()).unwrap_or_default();
    let named = parts.iter().filter_map(|(at, extent)| Some((fields.get(*at)?, extent)));
    separated('{', '}', named, out, |(field, extent), out| {
        string(&field.column, out);
        out.push(':');
        let set = message.filter(|message| message.has_field_by_number(field.number));
        let value = set.and_then(|message| message.get_field_by_number(field.number));
        let written = match (extent, field.shape, value) {
            (Extent::Parts(inner), Shape::One(Scalar::Record(at)), value) => {
                self::parts(package, at, value.as_deref().and_then(Value::as_message), inner, out)
            }
            (_, shape, Some(value)) => json(package, shape, &value, out),
            (_, Shape::Many(_), None) => {
                out.push_str("[]");
                Ok(())
            }
            (_, Shape::One(_), None) => {
                out.push_str("null");
                Ok(())
            }
        };
        written.map_err(|why| format!("{}: {why}", field.name))
    })
}

/// Appends items between brackets, commas between them.
pub(super) fn separated<T, E>(
    open: char,
    close: char,
    items: impl Iterator<Item = T>,
    out: &mut String,
    mut each: impl FnMut(T, &mut String) -> Result<(), E>,
) -> Result<(), E> {
    out.push(open);
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(',');
        }
        each(item, out)?;
    }
    out.push(close);
    Ok(())
}

/// Appends a JSON string.
pub(super) fn string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn label(package: &Package, at: usize, number: i32) -> Result<String, Refused> {
    let values = package.enums.get(at).map(|found| found.values.as_slice()).unwrap_or_default();
    let value = values.iter().find(|value| u32::try_from(number) == Ok(value.number));
    value.map(|value| value.label.clone()).ok_or_else(|| format!("{number} is no value of its enum"))
}

/// `pgduet.types.v1.Hstore` as the extension's text.
fn hstore(message: &DynamicMessage) -> Result<String, Refused> {
    let entries = message.get_field_by_number(1);
    let entries = entries.as_deref().and_then(Value::as_map);
    let mut out = String::new();
    for (key, value) in entries.into_iter().flatten() {
        let text = |text: Option<&str>| match text {
            Some(text) if text.contains('\0') => Err("text cannot hold the character 0".to_owned()),
            text => Ok(escaped(text.unwrap_or_default())),
        };
        let separator = if out.is_empty() { "" } else { "," };
        let _ = write!(out, "{separator}\"{}\"=>\"{}\"", text(key.as_str())?, text(value.as_str())?);
    }
    Ok(out)
}

/// Rust writes `inf`; PostgreSQL reads `infinity`.
fn float(text: String) -> String {
    if text.ends_with("inf") { text.replace("inf", "infinity") } else { text }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 + 2 * bytes.len());
    out.push_str("\\x");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// `google.protobuf.Timestamp`; no other message has a text.
fn timestamp(message: &DynamicMessage) -> Result<String, Refused> {
    let seconds = message.get_field_by_number(1).and_then(|value| value.as_i64()).unwrap_or_default();
    let nanos = message.get_field_by_number(2).and_then(|value| value.as_i32()).unwrap_or_default();
    let range = || "is no time in the years 1 to 9999".to_owned();
    if !SECONDS.contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(range());
    }
    // jiff's own timestamps end a day before the year does.
    let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    let time = epoch.checked_add(jiff::SignedDuration::new(seconds, nanos)).map_err(|_| range())?;
    Ok(format!("{time}Z"))
}
