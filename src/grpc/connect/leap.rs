//! Leap seconds: `google.protobuf.Timestamp` has none, and its JSON ends at second 59
//! (<https://protobuf.dev/reference/protobuf/google.protobuf/#timestamp>). The reader of JSON
//! takes a second 60 for the next minute; this finds it first. It reads nothing else of a message.

use bytes::Bytes;
use prost_reflect::{Kind, MessageDescriptor};
use serde_json::Value;

const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The timestamp with a second 60 that the JSON of a `message` has, if it has one.
pub(super) fn second(json: &Bytes, message: &MessageDescriptor) -> Option<String> {
    // Of most messages nothing more is looked at.
    memchr::memmem::find(json, b":60")?;
    find(&serde_json::from_slice(json).ok()?, message)
}

fn find(json: &Value, message: &MessageDescriptor) -> Option<String> {
    if message.full_name() == TIMESTAMP {
        let text = json.as_str().filter(|text| text.get("2016-12-31T23:59".len()..).is_some_and(is_leap))?;
        return Some(text.to_owned());
    }
    json.as_object()?.iter().find_map(|(name, value)| {
        let field = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))?;
        let Kind::Message(inner) = field.kind() else { return None };
        match value {
            Value::Array(elements) => elements.iter().find_map(|element| find(element, &inner)),
            Value::Object(_) | Value::String(_) => find(value, &inner),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    })
}

fn is_leap(rest: &str) -> bool {
    rest.starts_with(":60")
}
