//! References: fields of a request that take their values from an earlier answer, as if the client had copied them. Both
//! are fields of messages, so that a value has its type, and a reference to one of another type is refused.

use super::wire::Reference;
use crate::{
    error::Result,
    grpc::{encode::Envelope, refuse::refuse},
};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use std::collections::{HashMap, HashSet};

/// A value is a key, and not a document: what refers to it repeats it.
const LONGEST: usize = 4096;

/// What an answer has at a reference, or why it has nothing.
type Found = std::result::Result<Value, String>;

/// The values that are referred to, by operation and field.
#[derive(Debug, Default)]
pub(super) struct Values {
    wanted: HashMap<usize, HashSet<String>>,
    found: HashMap<(usize, String), Found>,
}

impl Values {
    /// Wants what an operation refers to.
    pub(super) fn want(&mut self, at: usize, reference: &Reference) -> Result<()> {
        let from = usize::try_from(reference.from).ok().filter(|from| *from < at);
        let from = from
            .ok_or_else(|| refuse("references", format!("operation {} is not before it", reference.from)))?;
        self.wanted.entry(from).or_default().insert(reference.from_field.clone());
        Ok(())
    }

    /// Whether later operations refer to this one.
    pub(super) fn are_wanted_of(&self, at: usize) -> bool {
        self.wanted.contains_key(&at)
    }

    /// Forgets what was found.
    pub(super) fn clear(&mut self) {
        self.found.clear();
    }

    /// Takes what later operations refer to out of the response to an operation. `row` is where it has the row.
    pub(super) fn take(&mut self, at: usize, response: &DynamicMessage, row: Option<Envelope>) {
        for field in self.wanted.get(&at).into_iter().flatten() {
            let value = in_response(response, row).and_then(|message| value(message, field));
            self.found.insert((at, field.clone()), value);
        }
    }

    /// Sets the field that refers to an earlier answer: to any value where that is not there yet.
    pub(super) fn fill(&self, message: &mut DynamicMessage, reference: &Reference) -> Result<()> {
        let Reference { field, from, from_field } = reference;
        let found = usize::try_from(*from).ok().and_then(|from| self.found.get(&(from, from_field.clone())));
        let value = match found {
            None => None,
            Some(Ok(value)) => Some(value),
            Some(Err(why)) => return Err(refuse("references", format!("operation {from} {why}"))),
        };
        set(message, field, value).map_err(|why| refuse("references", format!("{field}: {why}")))
    }
}

/// The message in a response that has the fields of its row.
fn in_response(
    response: &DynamicMessage,
    row: Option<Envelope>,
) -> std::result::Result<&DynamicMessage, String> {
    match row {
        None => Err("answers no single row".to_owned()),
        Some(Envelope::Bare) => Ok(response),
        Some(Envelope::Field(number) | Envelope::FieldUnlessNull(number)) => {
            let mut fields = response.fields();
            let found = fields.find(|(field, _)| field.number() == number);
            let found = found.and_then(|(_, value)| value.as_message());
            found.ok_or_else(|| "answers no row".to_owned())
        }
    }
}

fn value(message: &DynamicMessage, path: &str) -> Found {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = message.descriptor().get_field_by_name(name) else {
        return Err(format!("does not answer a field {path}"));
    };
    let found = message.fields().find(|(found, _)| *found == field).map(|(_, value)| value);
    match (found, rest) {
        (None, _) => Err(format!("answers no value in {path}")),
        (Some(Value::Message(inner)), Some(rest)) => value(inner, rest),
        (Some(_), Some(_)) => Err(format!("does not answer a field {path}")),
        (Some(found), None) => match found {
            Value::String(text) if text.len() > LONGEST => {
                Err(format!("answers more than {LONGEST} bytes in {path}"))
            }
            Value::Bytes(bytes) if bytes.len() > LONGEST => {
                Err(format!("answers more than {LONGEST} bytes in {path}"))
            }
            Value::Bool(_)
            | Value::I32(_)
            | Value::I64(_)
            | Value::U32(_)
            | Value::U64(_)
            | Value::F32(_)
            | Value::F64(_)
            | Value::String(_)
            | Value::Bytes(_) => Ok(found.clone()),
            Value::EnumNumber(_) | Value::Message(_) | Value::List(_) | Value::Map(_) => {
                Err(format!("answers no number, no text and no bytes in {path}"))
            }
        },
    }
}

fn set(message: &mut DynamicMessage, path: &str, value: Option<&Value>) -> std::result::Result<(), String> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) =
        message.descriptor().get_field_by_name(name).filter(|field| !field.is_list() && !field.is_map())
    else {
        return Err("there is no such field".to_owned());
    };
    match rest {
        Some(rest) => match message.get_field_mut(&field) {
            Value::Message(inner) => set(inner, rest, value),
            _ => Err("there is no such field".to_owned()),
        },
        None if message.has_field(&field) => Err("it is set, and refers to an earlier operation".to_owned()),
        None => {
            let value = match value {
                Some(value) => converted(value, &field)?,
                None => any(&field)?,
            };
            message.set_field(&field, value);
            Ok(())
        }
    }
}

/// The value as this field has it.
fn converted(value: &Value, field: &FieldDescriptor) -> Found {
    match (value, field.kind()) {
        (Value::I32(number), Kind::Int64) => Ok(Value::I64((*number).into())),
        (Value::I64(number), Kind::Int32) => {
            let number = i32::try_from(*number).map_err(|_| format!("{number} is no int32"))?;
            Ok(Value::I32(number))
        }
        (value, _) if value.is_valid_for_field(field) => Ok(value.clone()),
        (_, kind) => Err(format!("it is {kind:?}, and the answer has another type")),
    }
}

/// A value that is read like any other.
fn any(field: &FieldDescriptor) -> Found {
    match field.kind() {
        // A number, a text and a JSON document.
        Kind::String => Ok(Value::String("0".to_owned())),
        Kind::Message(_) | Kind::Enum(_) => Err("it is no number, no text and no bytes".to_owned()),
        _ => Ok(Value::default_value_for_field(field)),
    }
}
