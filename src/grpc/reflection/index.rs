//! Which file declares what. Files are kept as they were encoded: a copy is
//! decoded for the names in it, and never encoded again, for that would lose
//! custom options.

use super::OWN_SERVICES;
use bytes::Bytes;
use prost::{DecodeError, Message as _};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, ServiceDescriptorProto};
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

/// As much of a `FileDescriptorProto` as has names: the comments are the greater part of it.
#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<DescriptorProto>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<EnumDescriptorProto>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<ServiceDescriptorProto>,
    #[prost(message, repeated, tag = "7")]
    extensions: Vec<FieldDescriptorProto>,
}

/// Descriptors by everything that reflection is asked for.
#[derive(Debug)]
pub struct Index {
    files: HashMap<Arc<str>, File>,
    declarations: Declarations,
    services: Vec<String>,
}

#[derive(Debug)]
struct File {
    encoded: Bytes,
    imports: Vec<String>,
}

impl Index {
    /// Reads an encoded `FileDescriptorSet` that has every import of its files; of
    /// two files of one name, the first counts. `services` are the full names to
    /// list; reflection and health themselves are listed besides.
    ///
    /// # Errors
    /// `encoded` is no encoded `FileDescriptorSet`.
    pub fn new(encoded: &[u8], services: Vec<String>) -> Result<Self, DecodeError> {
        let mut files = HashMap::new();
        let mut declarations = Declarations::default();
        for encoded in EncodedFiles::decode(Bytes::copy_from_slice(encoded))?.file {
            let proto = Named::decode(encoded.clone())?;
            let name: Arc<str> = Arc::from(proto.name.as_str());
            if let Entry::Vacant(entry) = files.entry(name) {
                declarations.read(entry.key(), &proto);
                entry.insert(File { encoded, imports: proto.imports });
            }
        }
        let mut services = services;
        services.extend(OWN_SERVICES.map(str::to_owned));
        services.sort_unstable();
        services.dedup();
        Ok(Self { files, declarations, services })
    }

    /// The full names of the services to list, sorted.
    pub(super) fn services(&self) -> &[String] {
        &self.services
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
    fn read(&mut self, file: &Arc<str>, proto: &Named) {
        let scope = proto.package.as_str();
        for message in &proto.messages {
            self.message(file, scope, message);
        }
        for proto in &proto.enums {
            self.enumeration(file, scope, proto);
        }
        for extension in &proto.extensions {
            self.extension(file, scope, extension);
        }
        for service in &proto.services {
            let name = self.symbol(file, scope, service.name());
            for method in &service.method {
                self.symbol(file, &name, method.name());
            }
        }
    }

    fn message(&mut self, file: &Arc<str>, scope: &str, message: &DescriptorProto) {
        let name = self.symbol(file, scope, message.name());
        for field in &message.field {
            self.symbol(file, &name, field.name());
        }
        for oneof in &message.oneof_decl {
            self.symbol(file, &name, oneof.name());
        }
        for nested in &message.nested_type {
            self.message(file, &name, nested);
        }
        for proto in &message.enum_type {
            self.enumeration(file, &name, proto);
        }
        for extension in &message.extension {
            self.extension(file, &name, extension);
        }
    }

    /// Values are siblings of their enum, not children
    /// (<https://protobuf.dev/programming-guides/proto3/#enum>).
    fn enumeration(&mut self, file: &Arc<str>, scope: &str, proto: &EnumDescriptorProto) {
        self.symbol(file, scope, proto.name());
        for value in &proto.value {
            self.symbol(file, scope, value.name());
        }
    }

    fn extension(&mut self, file: &Arc<str>, scope: &str, field: &FieldDescriptorProto) {
        self.symbol(file, scope, field.name());
        let extendee = field.extendee().trim_start_matches('.').to_owned();
        self.extensions.entry(extendee).or_default().entry(field.number()).or_insert_with(|| file.clone());
    }

    /// Notes the symbol and gives its full name.
    fn symbol(&mut self, file: &Arc<str>, scope: &str, name: &str) -> String {
        let name = if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") };
        self.symbols.entry(name.clone()).or_insert_with(|| file.clone());
        name
    }
}
