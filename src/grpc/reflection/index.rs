//! Which file declares what. Files are kept as they were encoded: a copy is
//! decoded for the names in it, and never encoded again, for that would lose
//! custom options.

use bytes::Bytes;
use prost::{DecodeError, Message as _};
use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

/// A `FileDescriptorSet` whose files are left encoded: on the wire, bytes and
/// messages look the same.
#[derive(Clone, PartialEq, prost::Message)]
struct EncodedFiles {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

/// As much of a `FileDescriptorProto` as has names: comments and types are the greater part of it.
#[derive(Clone, PartialEq, prost::Message)]
struct NamedFile {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<NamedMessage>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<NamedGroup>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<NamedGroup>,
    #[prost(message, repeated, tag = "7")]
    extensions: Vec<NamedExtension>,
}

/// A `DescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct NamedMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<Named>,
    #[prost(message, repeated, tag = "3")]
    messages: Vec<NamedMessage>,
    #[prost(message, repeated, tag = "4")]
    enums: Vec<NamedGroup>,
    #[prost(message, repeated, tag = "6")]
    extensions: Vec<NamedExtension>,
    #[prost(message, repeated, tag = "8")]
    oneofs: Vec<Named>,
}

/// An `EnumDescriptorProto` with its values, or a `ServiceDescriptorProto` with its methods.
#[derive(Clone, PartialEq, prost::Message)]
struct NamedGroup {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    members: Vec<Named>,
}

/// The `FieldDescriptorProto` of an extension.
#[derive(Clone, PartialEq, prost::Message)]
struct NamedExtension {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    extendee: String,
    #[prost(int32, tag = "3")]
    number: i32,
}

/// Whatever has no names within.
#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

/// Descriptors by everything that reflection is asked for.
#[derive(Debug)]
pub struct Index {
    files: HashMap<Arc<str>, File>,
    declarations: Declarations,
}

#[derive(Debug)]
struct File {
    encoded: Bytes,
    imports: Vec<String>,
}

impl Index {
    /// Reads an encoded `FileDescriptorSet` that has every import of its files; of
    /// two files of one name, the first counts.
    ///
    /// # Errors
    /// `encoded` is no encoded `FileDescriptorSet`.
    pub fn new(encoded: impl Into<Bytes>) -> Result<Self, DecodeError> {
        let mut files = HashMap::new();
        let mut declarations = Declarations::default();
        for encoded in EncodedFiles::decode(encoded.into())?.file {
            let proto = NamedFile::decode(encoded.clone())?;
            let name: Arc<str> = Arc::from(proto.name.as_str());
            if let Entry::Vacant(entry) = files.entry(name) {
                declarations.read(entry.key(), &proto);
                entry.insert(File { encoded, imports: proto.imports });
            }
        }
        Ok(Self { files, declarations })
    }

    /// How many bytes the files have.
    pub(crate) fn bytes(&self) -> usize {
        self.files.values().map(|file| file.encoded.len()).sum()
    }

    /// The file of this name.
    pub(super) fn file(&self, name: &str) -> Option<&Arc<str>> {
        self.files.get_key_value(name).map(|(name, _)| name)
    }

    /// The file that declares this full name.
    pub(super) fn file_of_symbol(&self, symbol: &str) -> Option<&Arc<str>> {
        self.declarations.symbols.get(symbol)
    }

    /// The file that extends the message `extendee` by a field of this number.
    pub(super) fn file_of_extension(&self, extendee: &str, number: i32) -> Option<&Arc<str>> {
        self.declarations.extensions.get(extendee)?.get(&number)
    }

    /// The numbers by which the message `extendee` is extended; none if there is
    /// no such type.
    pub(super) fn extension_numbers(&self, extendee: &str) -> Option<Vec<i32>> {
        match self.declarations.extensions.get(extendee) {
            Some(extensions) => Some(extensions.keys().copied().collect()),
            None => self.file_of_symbol(extendee).map(|_| Vec::new()),
        }
    }

    /// The encoded `file`, even if it has been sent, and after it those of its
    /// direct and indirect imports that have not. What is returned counts as sent.
    pub(super) fn with_imports(&self, file: &Arc<str>, sent: &mut HashSet<Arc<str>>) -> Vec<Vec<u8>> {
        sent.insert(file.clone());
        let mut queue = vec![file];
        let mut answer = Vec::new();
        // A file's imports went out with it, so those of a file sent before need no second look.
        while let Some(file) = queue.get(answer.len()).and_then(|name| self.files.get(*name)) {
            answer.push(file.encoded.to_vec());
            for import in file.imports.iter().filter_map(|import| self.file(import)) {
                if sent.insert(import.clone()) {
                    queue.push(import);
                }
            }
        }
        answer
    }
}

/// The files, by name, that declare symbols and extensions.
#[derive(Debug, Default)]
struct Declarations {
    symbols: HashMap<String, Arc<str>>,
    /// By the extended message and the number.
    extensions: HashMap<String, BTreeMap<i32, Arc<str>>>,
}

impl Declarations {
    fn read(&mut self, file: &Arc<str>, proto: &NamedFile) {
        let scope = proto.package.as_str();
        for message in &proto.messages {
            self.message(file, scope, message);
        }
        for found in &proto.enums {
            self.enumeration(file, scope, found);
        }
        for extension in &proto.extensions {
            self.extension(file, scope, extension);
        }
        for service in &proto.services {
            let name = self.symbol(file, scope, &service.name);
            for method in &service.members {
                self.symbol(file, &name, &method.name);
            }
        }
    }

    fn message(&mut self, file: &Arc<str>, scope: &str, message: &NamedMessage) {
        let name = self.symbol(file, scope, &message.name);
        for member in message.fields.iter().chain(&message.oneofs) {
            self.symbol(file, &name, &member.name);
        }
        for nested in &message.messages {
            self.message(file, &name, nested);
        }
        for found in &message.enums {
            self.enumeration(file, &name, found);
        }
        for extension in &message.extensions {
            self.extension(file, &name, extension);
        }
    }

    /// Values are siblings of their enum, not children
    /// (<https://protobuf.dev/programming-guides/proto3/#enum>).
    fn enumeration(&mut self, file: &Arc<str>, scope: &str, found: &NamedGroup) {
        self.symbol(file, scope, &found.name);
        for value in &found.members {
            self.symbol(file, scope, &value.name);
        }
    }

    fn extension(&mut self, file: &Arc<str>, scope: &str, field: &NamedExtension) {
        self.symbol(file, scope, &field.name);
        let extendee = field.extendee.trim_start_matches('.').to_owned();
        self.extensions.entry(extendee).or_default().entry(field.number).or_insert_with(|| file.clone());
    }

    /// Notes the symbol and gives its full name.
    fn symbol(&mut self, file: &Arc<str>, scope: &str, name: &str) -> String {
        let name = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        self.symbols.entry(name.clone()).or_insert_with(|| file.clone());
        name
    }
}
