//! The services as a page lists them, in JSON: what each method takes and gives, and a request to begin with.

use super::ExportedFile;
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The numbers of `FileDescriptorProto.service` and `ServiceDescriptorProto.method`, by which comments are found.
const SERVICE: i32 = 6;
const METHOD: i32 = 2;

/// Fields of requests that say how, and not what.
const OPTIONS: [&str; 8] = [
    "allow_missing",
    "filter",
    "order_by",
    "page_token",
    "read_mask",
    "skip",
    "update_mask",
    "validate_only",
];

/// The services in the files of an export.
///
/// # Errors
/// The descriptors among the files are broken.
pub fn listing(files: &[ExportedFile]) -> Result<Value, prost::DecodeError> {
    let descriptors = files.iter().find(|file| file.path == "descriptors.binpb");
    let set = FileDescriptorSet::decode(descriptors.map_or(&[][..], |file| &file.contents))?;
    let messages: HashMap<String, &DescriptorProto> = set
        .file
        .iter()
        .flat_map(|file| {
            let name = |message: &DescriptorProto| format!(".{}.{}", file.package(), message.name());
            file.message_type.iter().map(move |message| (name(message), message))
        })
        .collect();
    let services = set.file.iter().flat_map(|file| {
        let messages = &messages;
        file.service.iter().zip(0..).map(move |(service, at)| {
            let methods = service.method.iter().zip(0..).map(|(method, number)| {
                let comment = comment(file, &[SERVICE, at, METHOD, number]);
                of_method(method, comment, messages)
            });
            json!({
                "name": format!("{}.{}", file.package(), service.name()),
                "comment": comment(file, &[SERVICE, at]),
                "methods": methods.collect::<Vec<_>>(),
            })
        })
    });
    Ok(Value::from(services.collect::<Vec<_>>()))
}

fn of_method(
    method: &MethodDescriptorProto,
    comment: Option<String>,
    messages: &HashMap<String, &DescriptorProto>,
) -> Value {
    let simple = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let request = messages.get(method.input_type()).map(|message| begin(message, messages));
    json!({
        "name": method.name(),
        "comment": comment,
        "takes": simple(method.input_type()),
        "gives": simple(method.output_type()),
        "streams": method.server_streaming(),
        "request": request.unwrap_or_default(),
    })
}

/// A request to begin with: a small page, or a key, a row and arguments, as far as they cannot be left out.
fn begin(message: &DescriptorProto, messages: &HashMap<String, &DescriptorProto>) -> Map<String, Value> {
    if message.field.iter().any(|field| field.name() == "page_size") {
        return Map::from_iter([("page_size".to_owned(), json!(3))]);
    }
    let fields = message.field.iter().filter(|field| !OPTIONS.contains(&field.name()));
    let value = |field: &FieldDescriptorProto| match messages.get(field.type_name()) {
        Some(row) if field.label() != Label::Repeated => Some(Value::Object(scalars(row))),
        _ => sample(field),
    };
    fields.filter_map(|field| Some((field.name().to_owned(), value(field)?))).collect()
}

fn scalars(message: &DescriptorProto) -> Map<String, Value> {
    message.field.iter().filter_map(|field| Some((field.name().to_owned(), sample(field)?))).collect()
}

fn sample(field: &FieldDescriptorProto) -> Option<Value> {
    if field.label() == Label::Repeated || field.proto3_optional() {
        return None;
    }
    match field.r#type() {
        Type::String => Some(json!("text")),
        Type::Bool => Some(json!(true)),
        Type::Int32 | Type::Sint32 | Type::Uint32 | Type::Fixed32 | Type::Sfixed32 => Some(json!(1)),
        // JSON has them as texts.
        Type::Int64 | Type::Sint64 | Type::Uint64 | Type::Fixed64 | Type::Sfixed64 => Some(json!("1")),
        Type::Double | Type::Float => Some(json!(1.5)),
        Type::Bytes | Type::Enum | Type::Message | Type::Group => None,
    }
}

fn comment(file: &FileDescriptorProto, path: &[i32]) -> Option<String> {
    let mut locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let found = locations.find(|location| location.path == path)?;
    Some(found.leading_comments().trim().to_owned()).filter(|text| !text.is_empty())
}
