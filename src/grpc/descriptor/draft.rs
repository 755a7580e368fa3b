//! Drafts: messages, enums and services being written, each with its comments,
//! which protobuf keeps apart from what they are about.

use crate::grpc::{
    method::{Effects, Responses},
    names::default_json,
    surface::{Package, Reserved},
};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, MethodDescriptorProto, MethodOptions, OneofDescriptorProto, ServiceDescriptorProto,
    SourceCodeInfo,
    descriptor_proto::ReservedRange,
    enum_descriptor_proto::EnumReservedRange,
    field_descriptor_proto::{Label, Type},
    method_options::IdempotencyLevel,
    source_code_info::Location,
};
use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

/// Field numbers of `descriptor.proto`, of which the paths of comments are made.
mod path {
    pub(super) const PACKAGE: i32 = 2;
    pub(super) const FILE_MESSAGE: i32 = 4;
    pub(super) const FILE_ENUM: i32 = 5;
    pub(super) const FILE_SERVICE: i32 = 6;
    pub(super) const FILE_SYNTAX: i32 = 12;
    /// Fields of a message, values of an enum, methods of a service.
    pub(super) const MEMBER: i32 = 2;
    /// Oneofs of a message.
    pub(super) const CHOICE: i32 = 8;
}

/// A field's type.
#[derive(Clone, Debug)]
pub(super) enum FieldType {
    /// One of protobuf's own.
    Scalar(Type),
    /// A message, by its full name without the first dot.
    Message(String),
    /// An enum, by its full name without the first dot.
    Enum(String),
}

/// How often a field is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cardinality {
    /// Always: absent and zero are one.
    Implicit,
    /// Once or not at all.
    Explicit,
    /// Any number of times.
    Repeated,
}

/// A field.
#[derive(Debug)]
pub(super) struct FieldDraft {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) of: FieldType,
    pub(super) cardinality: Cardinality,
    /// Its name in JSON; protobuf's default if `None`.
    pub(super) json: Option<String>,
    pub(super) comment: String,
}

/// Something with members that have comments of their own.
#[derive(Debug)]
pub(super) struct Draft<T> {
    proto: T,
    comment: String,
    members: Vec<String>,
    /// Oneofs, but for those that stand for the presence of a field.
    choices: Vec<String>,
}

impl Draft<DescriptorProto> {
    pub(super) fn message(name: String, comment: String) -> Self {
        Draft {
            proto: DescriptorProto { name: Some(name), ..DescriptorProto::default() },
            comment,
            members: vec![],
            choices: vec![],
        }
    }

    pub(super) fn field(&mut self, field: FieldDraft) {
        let (kind, type_name) = match field.of {
            FieldType::Scalar(kind) => (kind, None),
            FieldType::Message(name) => (Type::Message, Some(format!(".{name}"))),
            FieldType::Enum(name) => (Type::Enum, Some(format!(".{name}"))),
        };
        let mut proto = FieldDescriptorProto {
            json_name: Some(field.json.unwrap_or_else(|| default_json(&field.name))),
            name: Some(field.name),
            number: i32::try_from(field.number).ok(),
            label: Some(Label::Optional.into()),
            r#type: Some(kind.into()),
            type_name,
            ..FieldDescriptorProto::default()
        };
        match field.cardinality {
            Cardinality::Repeated => proto.label = Some(Label::Repeated.into()),
            // Presence is a oneof with one member.
            Cardinality::Explicit if kind != Type::Message => {
                proto.proto3_optional = Some(true);
                proto.oneof_index = i32::try_from(self.proto.oneof_decl.len()).ok();
                let name = Some(format!("_{}", proto.name()));
                self.proto.oneof_decl.push(OneofDescriptorProto { name, ..OneofDescriptorProto::default() });
            }
            Cardinality::Explicit | Cardinality::Implicit => {}
        }
        self.proto.field.push(proto);
        self.members.push(field.comment);
    }

    /// Adds a oneof of these fields, before any field that has presence.
    pub(super) fn choice(&mut self, name: &str, comment: String, fields: impl Iterator<Item = FieldDraft>) {
        let index = i32::try_from(self.proto.oneof_decl.len()).ok();
        self.proto
            .oneof_decl
            .push(OneofDescriptorProto { name: Some(name.to_owned()), ..OneofDescriptorProto::default() });
        self.choices.push(comment);
        for field in fields {
            self.field(field);
            if let Some(field) = self.proto.field.last_mut() {
                field.oneof_index = index;
            }
        }
    }

    /// Gives a field protobuf's own name in JSON where the one that it has is a name of another field: compilers and
    /// runtimes refuse such messages.
    fn tell_json_names_apart(&mut self) {
        loop {
            let mut count: HashMap<&str, usize> = HashMap::with_capacity(2 * self.proto.field.len());
            for field in &self.proto.field {
                *count.entry(field.name()).or_default() += 1;
                if field.json_name() != field.name() {
                    *count.entry(field.json_name()).or_default() += 1;
                }
            }
            // A field with presence is also a oneof, whose name begins with an underscore.
            let is_choice = |json: &str| {
                let name = json.strip_prefix('_');
                name.is_some_and(|name| self.proto.field.iter().any(|field| field.name() == name))
            };
            let is_shared = |field: &FieldDescriptorProto| {
                let json = field.json_name();
                (count.get(json) > Some(&1) || is_choice(json)) && json != default_json(field.name())
            };
            let shared: Vec<bool> = self.proto.field.iter().map(is_shared).collect();
            if !shared.contains(&true) {
                return;
            }
            for (field, _) in self.proto.field.iter_mut().zip(shared).filter(|(_, is_shared)| *is_shared) {
                field.json_name = Some(default_json(field.name()));
            }
        }
    }

    /// Keeps numbers and names from being used again.
    pub(super) fn reserve(&mut self, reserved: &Reserved) {
        // The end is not part of a message's range.
        let range = |start, end: i32| ReservedRange { start: Some(start), end: Some(end + 1) };
        self.proto.reserved_range =
            ranges(&reserved.numbers).into_iter().map(|(start, end)| range(start, end)).collect();
        self.proto.reserved_name = reserved.names.iter().cloned().collect();
    }
}

/// Numbers as ranges: the first and the last of each.
fn ranges(numbers: &BTreeSet<u32>) -> Vec<(i32, i32)> {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for number in numbers.iter().filter_map(|number| i32::try_from(*number).ok()) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

impl Draft<EnumDescriptorProto> {
    pub(super) fn enumeration(name: String, comment: String) -> Self {
        let proto = EnumDescriptorProto { name: Some(name), ..EnumDescriptorProto::default() };
        Draft { proto, comment, members: vec![], choices: vec![] }
    }

    pub(super) fn value(&mut self, name: String, number: u32, comment: String) {
        let number = i32::try_from(number).ok();
        self.proto.value.push(EnumValueDescriptorProto { name: Some(name), number, options: None });
        self.members.push(comment);
    }

    /// Keeps numbers and names from being used again.
    pub(super) fn reserve(&mut self, reserved: &Reserved) {
        // The end is part of an enum's range.
        let range = |start, end| EnumReservedRange { start: Some(start), end: Some(end) };
        self.proto.reserved_range =
            ranges(&reserved.numbers).into_iter().map(|(start, end)| range(start, end)).collect();
        self.proto.reserved_name = reserved.names.iter().cloned().collect();
    }
}

impl Draft<ServiceDescriptorProto> {
    pub(super) fn service(name: String, comment: String) -> Self {
        let proto = ServiceDescriptorProto { name: Some(name), ..ServiceDescriptorProto::default() };
        Draft { proto, comment, members: vec![], choices: vec![] }
    }

    /// Adds a method whose messages are full names' `…Request` and `…Response`.
    pub(super) fn method(
        &mut self,
        name: String,
        messages: &str,
        responses: Responses,
        effects: Effects,
        comment: String,
    ) {
        let options = match effects {
            Effects::None => Some(MethodOptions {
                idempotency_level: Some(IdempotencyLevel::NoSideEffects.into()),
                ..MethodOptions::default()
            }),
            Effects::Some => None,
        };
        self.proto.method.push(MethodDescriptorProto {
            name: Some(name),
            input_type: Some(format!(".{messages}Request")),
            output_type: Some(format!(".{messages}Response")),
            options,
            client_streaming: None,
            server_streaming: matches!(responses, Responses::Stream).then_some(true),
        });
        self.members.push(comment);
    }
}

/// A file.
#[derive(Debug)]
pub(super) struct FileDraft {
    proto: FileDescriptorProto,
    /// None where nobody reads them.
    comments: Option<Vec<Location>>,
}

impl FileDraft {
    /// A file of the package.
    pub(super) fn new(package: &Package) -> Self {
        let mut file = FileDraft { comments: Some(Vec::new()), ..Self::without_comments(package) };
        let generated = format!("Generated by pgduet from the database schema `{}`.", package.schema);
        file.comment(&[path::FILE_SYNTAX], &generated);
        if let Some(comment) = &package.comment {
            file.comment(&[path::PACKAGE], comment);
        }
        file
    }

    /// The same for programs, which read no comments.
    pub(super) fn without_comments(package: &Package) -> Self {
        let proto = FileDescriptorProto {
            name: Some(package.file.clone()),
            package: Some(package.name.clone()),
            syntax: Some("proto3".to_owned()),
            ..FileDescriptorProto::default()
        };
        FileDraft { proto, comments: None }
    }

    pub(super) fn add_message(&mut self, mut draft: Draft<DescriptorProto>) {
        draft.tell_json_names_apart();
        let at = self.proto.message_type.len();
        self.proto.message_type.push(draft.proto);
        self.comments_of(path::FILE_MESSAGE, at, &draft.comment, &draft.members);
        let Ok(at) = i32::try_from(at) else { return };
        for (choice, comment) in (0..).zip(&draft.choices) {
            self.comment(&[path::FILE_MESSAGE, at, path::CHOICE, choice], comment);
        }
    }

    pub(super) fn add_enum(&mut self, draft: Draft<EnumDescriptorProto>) {
        let at = self.proto.enum_type.len();
        self.proto.enum_type.push(draft.proto);
        self.comments_of(path::FILE_ENUM, at, &draft.comment, &draft.members);
    }

    pub(super) fn add_service(&mut self, draft: Draft<ServiceDescriptorProto>) {
        let at = self.proto.service.len();
        self.proto.service.push(draft.proto);
        self.comments_of(path::FILE_SERVICE, at, &draft.comment, &draft.members);
    }

    fn comments_of(&mut self, kind: i32, at: usize, comment: &str, members: &[String]) {
        let Ok(at) = i32::try_from(at) else { return };
        self.comment(&[kind, at], comment);
        for (member, comment) in (0..).zip(members) {
            self.comment(&[kind, at, path::MEMBER, member], comment);
        }
    }

    fn comment(&mut self, path: &[i32], text: &str) {
        let Some(comments) = &mut self.comments else { return };
        // That of grpcio puts comments into strings as they are: these would end them, or not be taken.
        let mut text = Cow::Borrowed(text);
        if text.bytes().any(|byte| matches!(byte, b'"' | b'\\')) {
            let mut safe = text.replace("\"\"\"", "'''");
            for escape in ['N', 'U', 'u', 'x'] {
                safe = safe.replace(&format!("\\{escape}"), &format!("\\\\{escape}"));
            }
            text = Cow::Owned(safe);
        }
        let mut lines = String::with_capacity(text.len() + 2);
        for line in text.trim().lines() {
            lines.extend([" ", line.trim_end(), "\n"]);
        }
        comments.push(Location {
            path: path.to_vec(),
            span: vec![0, 0, 0],
            leading_comments: Some(lines),
            ..Location::default()
        });
    }

    /// The types of its fields that are no scalars, with a dot before their full names.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        let fields = self.proto.message_type.iter().flat_map(|message| &message.field);
        fields.map(FieldDescriptorProto::type_name).filter(|name| !name.is_empty())
    }

    /// Whether it has a message or an enum of this name.
    pub(super) fn declares(&self, name: &str) -> bool {
        self.proto.message_type.iter().any(|message| message.name() == name)
            || self.proto.enum_type.iter().any(|found| found.name() == name)
    }

    /// The file with just the imports that it uses.
    pub(super) fn finish(mut self) -> FileDescriptorProto {
        let imports: BTreeSet<&str> = self.types().filter_map(import).collect();
        self.proto.dependency = imports.into_iter().map(str::to_owned).collect();
        self.proto.source_code_info = Some(SourceCodeInfo { location: self.comments.unwrap_or_default() });
        self.proto
    }

    /// The file without imports.
    pub(super) fn bare(self) -> FileDescriptorProto {
        self.proto
    }
}

/// The file outside of the package that declares a type.
fn import(type_name: &str) -> Option<&'static str> {
    match type_name {
        ".google.protobuf.Timestamp" => Some("google/protobuf/timestamp.proto"),
        ".google.protobuf.FieldMask" => Some("google/protobuf/field_mask.proto"),
        ".pgduet.query.v1.Aggregates" => Some("pgduet/query/v1/aggregates.proto"),
        ".pgduet.query.v1.CountMode" => Some("pgduet/query/v1/count_mode.proto"),
        ".pgduet.query.v1.ConflictAction" => Some("pgduet/query/v1/conflict_action.proto"),
        ".pgduet.query.v1.Reference" => Some("pgduet/query/v1/reference.proto"),
        ".pgduet.types.v1.Hstore" => Some("pgduet/types/v1/hstore.proto"),
        name if name.starts_with(".pgduet.query.v1.") => Some("pgduet/query/v1/predicate.proto"),
        _ => None,
    }
}
