//! Who says what a field's value is, as `google.api.field_behavior` has it
//! (<https://google.aip.dev/203>): the database, once and for all, or the client, and whether it has to. Decoders pass
//! over what is output only, so that a client can send back what it has read.
//!
//! The structs that descriptors are made of have no place for options of others, so the option is written into the encoded
//! form.

use crate::grpc::{
    method::FixedKind,
    surface::{Field, Package, Presence, Resource},
};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use std::collections::HashMap;

/// What declares the option.
pub(crate) const FILE: &str = "google/api/field_behavior.proto";
/// The number of the option.
const OPTION: u32 = 1052;

/// A value of `google.api.FieldBehavior`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    Required = 2,
    OutputOnly = 3,
    Immutable = 5,
    Identifier = 8,
}

impl Behavior {
    /// The value's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Required => "REQUIRED",
            Self::OutputOnly => "OUTPUT_ONLY",
            Self::Immutable => "IMMUTABLE",
            Self::Identifier => "IDENTIFIER",
        }
    }
}

/// The behaviors of fields, by message and number.
pub(crate) type Behaviors = HashMap<(String, u32), Vec<Behavior>>;

/// Those of a package's fields.
pub(crate) fn behaviors(package: &Package) -> Behaviors {
    let mut behaviors = Behaviors::new();
    for resource in package.all_resources() {
        let message = &resource.names.singular;
        for (at, field) in resource.fields.iter().enumerate() {
            let of_field = of_column(resource, at, field);
            if !of_field.is_empty() {
                behaviors.insert((message.clone(), field.number), of_field);
            }
        }
        let computed = resource.computed.iter().map(|field| field.number);
        let counts = resource.embeds.iter().filter_map(|embed| Some(embed.count.as_ref()?.number));
        for number in computed.chain(counts) {
            behaviors.insert((message.clone(), number), vec![Behavior::OutputOnly]);
        }
        for method in &resource.methods {
            let request = format!("{}Request", method.messages(&resource.names));
            let fixed = method.row().request.iter().filter(|field| match field.kind {
                FixedKind::Resource | FixedKind::Requests(_) => true,
                FixedKind::Int32
                | FixedKind::Int64
                | FixedKind::Text
                | FixedKind::Bool
                | FixedKind::Mask
                | FixedKind::Count
                | FixedKind::Where
                | FixedKind::Embeds
                | FixedKind::Aggregates
                | FixedKind::OnConflict => false,
            });
            let required = method.key_fields(resource).map(|field| field.number);
            for number in required.chain(fixed.map(|field| field.number)) {
                behaviors.insert((request.clone(), number), vec![Behavior::Required]);
            }
        }
    }
    for function in &package.functions {
        let required = function.arguments.iter().filter(|field| field.presence == Presence::Required);
        for field in required {
            behaviors
                .insert((format!("{}Request", function.messages), field.number), vec![Behavior::Required]);
        }
    }
    behaviors
}

fn of_column(resource: &Resource, at: usize, field: &Field) -> Vec<Behavior> {
    let mut behaviors = Vec::new();
    match field.presence {
        Presence::Required => behaviors.push(Behavior::Required),
        Presence::Computed => behaviors.push(Behavior::OutputOnly),
        Presence::Defaulted | Presence::Optional => {}
    }
    if resource.key.contains(&at) {
        behaviors.extend([Behavior::Identifier, Behavior::Immutable]);
    }
    behaviors
}

/// Field numbers of `descriptor.proto`.
mod number {
    pub(super) const FILE_MESSAGE: u32 = 4;
    pub(super) const MESSAGE_FIELD: u32 = 2;
    pub(super) const FIELD_OPTIONS: u32 = 8;
}

/// A file in its encoded form, with the behaviors of its fields.
pub(super) fn encoded(mut file: FileDescriptorProto, behaviors: &Behaviors) -> Vec<u8> {
    if behaviors.is_empty() {
        return file.encode_to_vec();
    }
    file.dependency.push(FILE.to_owned());
    file.dependency.sort_unstable();
    let messages = std::mem::take(&mut file.message_type);
    let mut out = file.encode_to_vec();
    for message in messages {
        append(number::FILE_MESSAGE, &of_message(message, behaviors), &mut out);
    }
    out
}

fn of_message(mut message: DescriptorProto, behaviors: &Behaviors) -> Vec<u8> {
    let fields = std::mem::take(&mut message.field);
    let mut out = message.encode_to_vec();
    for field in fields {
        let number = u32::try_from(field.number()).unwrap_or_default();
        let of_field = behaviors.get(&(message.name().to_owned(), number));
        append(number::MESSAGE_FIELD, &of_field_with(&field, of_field.map_or(&[], Vec::as_slice)), &mut out);
    }
    out
}

fn of_field_with(field: &FieldDescriptorProto, behaviors: &[Behavior]) -> Vec<u8> {
    let mut out = field.encode_to_vec();
    let mut options = Vec::new();
    for behavior in behaviors {
        encode_key(OPTION, WireType::Varint, &mut options);
        encode_varint(*behavior as u64, &mut options);
    }
    if !options.is_empty() {
        append(number::FIELD_OPTIONS, &options, &mut out);
    }
    out
}

/// Appends a field that is a message.
pub(super) fn append(number: u32, message: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(message.len() as u64, out);
    out.extend_from_slice(message);
}
