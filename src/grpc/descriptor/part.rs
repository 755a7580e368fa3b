//! Parts of a package's description: one message and what it leads to, which is what reads and writes messages. Foreign
//! keys lead from a table to most others, and hardly a message follows them: what a message can hold of other resources
//! is left out until one comes that has it. So are comments.

use super::{draft::FileDraft, messages};
use crate::{
    error::Result,
    grpc::{
        services::{Target, broken},
        surface::{Package, Returns},
    },
};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage, Value};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashMap};

/// Which message of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The request message.
    Request,
    /// The response message.
    Response,
}

/// The message that a part begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root<'a> {
    pub(crate) package: &'a Package,
    pub(crate) target: Target,
    pub(crate) side: Side,
}

/// A described message.
#[derive(Debug)]
pub(crate) struct Part {
    message: MessageDescriptor,
    /// The resources that it is described how to hold something of.
    resources: BTreeSet<usize>,
    /// The fields that are left out, by message.
    left_out: HashMap<String, Vec<FieldDescriptorProto>>,
}

impl Part {
    /// The most resources that one message can hold something of.
    pub(crate) const MOST_RESOURCES: usize = 256;

    /// The part with this root; `imports` are the files that generated ones import.
    ///
    /// # Errors
    /// `Internal`: descriptors contradict themselves.
    pub(crate) fn new(root: Root<'_>, imports: &[FileDescriptorProto]) -> Result<Self> {
        Self::with(root, imports, BTreeSet::new())
    }

    fn with(root: Root<'_>, imports: &[FileDescriptorProto], others: BTreeSet<usize>) -> Result<Self> {
        let (file, resources) = root.draft(others);
        let mut selection = Selection::of(std::iter::once(&file).chain(imports));
        let name = root.name();
        selection.keep(&name);
        let pool = DescriptorPool::from_file_descriptor_set(prost_types::FileDescriptorSet {
            file: selection.files(),
        });
        let message = pool.map_err(broken)?.get_message_by_name(&name).ok_or_else(|| broken(&name))?;
        Ok(Self { message, resources, left_out: selection.left_out })
    }

    /// This part, and besides what it leads to by fields of these types, which were left out. None where that is too much.
    ///
    /// # Errors
    /// As [`Part::new`].
    pub(crate) fn grown(
        &self,
        root: Root<'_>,
        imports: &[FileDescriptorProto],
        types: &BTreeSet<String>,
    ) -> Result<Option<Self>> {
        let prefix = format!(".{}.", root.package.name);
        let owner = |name: &String| root.package.resource_declaring(name.strip_prefix(&prefix)?);
        let resources: BTreeSet<usize> =
            types.iter().filter_map(owner).chain(self.resources.clone()).collect();
        let is_possible = resources.len() <= Self::MOST_RESOURCES && resources != self.resources;
        is_possible.then(|| Self::with(root, imports, resources)).transpose()
    }

    /// What describes the message.
    pub(crate) fn message(&self) -> &MessageDescriptor {
        &self.message
    }

    /// The types of the fields in a message that were left out of its description.
    pub(crate) fn lacking(&self, message: &DynamicMessage) -> BTreeSet<String> {
        let mut types = BTreeSet::new();
        if !self.left_out.is_empty() {
            self.look_at(message, &mut types);
        }
        types
    }

    fn look_at(&self, message: &DynamicMessage, types: &mut BTreeSet<String>) {
        if let Some(left_out) = self.left_out.get(message.descriptor().full_name()) {
            for unknown in message.unknown_fields() {
                let is_it =
                    |field: &&FieldDescriptorProto| u32::try_from(field.number()) == Ok(unknown.number());
                types.extend(left_out.iter().find(is_it).map(|field| field.type_name().to_owned()));
            }
        }
        for (_, value) in message.fields() {
            match value {
                Value::Message(inner) => self.look_at(inner, types),
                Value::List(values) => {
                    values.iter().filter_map(Value::as_message).for_each(|inner| self.look_at(inner, types));
                }
                _ => {}
            }
        }
    }

    /// As [`Part::lacking`], of a message in JSON.
    pub(crate) fn lacking_in_json(&self, json: &Json) -> BTreeSet<String> {
        let mut types = BTreeSet::new();
        self.look_at_json(json, &self.message, &mut types);
        types
    }

    fn look_at_json(&self, json: &Json, message: &MessageDescriptor, types: &mut BTreeSet<String>) {
        let Some(object) = json.as_object() else { return };
        let left_out = self.left_out.get(message.full_name()).map(Vec::as_slice).unwrap_or_default();
        for (name, value) in object {
            let known = message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
            let Some(field) = known else {
                let is_it = |field: &&FieldDescriptorProto| field.json_name() == name || field.name() == name;
                types.extend(left_out.iter().find(is_it).map(|field| field.type_name().to_owned()));
                continue;
            };
            let prost_reflect::Kind::Message(inner) = field.kind() else { continue };
            match value {
                Json::Array(elements) => {
                    elements.iter().for_each(|element| self.look_at_json(element, &inner, types));
                }
                _ => self.look_at_json(value, &inner, types),
            }
        }
    }
}

impl Root<'_> {
    /// The full name of the message.
    fn name(&self) -> String {
        let side = match self.side {
            Side::Request => "Request",
            Side::Response => "Response",
        };
        let stem = match self.target {
            Target::Relation { resource, method } => {
                self.package.names(resource).map(|names| method.messages(names)).unwrap_or_default()
            }
            Target::Function { function } => {
                self.package.functions.get(function).map(|found| found.messages.clone()).unwrap_or_default()
            }
            Target::Transaction => String::new(),
        };
        format!("{}.{stem}{side}", self.package.name)
    }

    /// A file with the message, and with what can be held of `others` and of the resources that it is itself about.
    fn draft(&self, others: BTreeSet<usize>) -> (FileDescriptorProto, BTreeSet<usize>) {
        let (package, mut resources) = (self.package, others);
        let mut file = FileDraft::without_comments(package);
        match self.target {
            Target::Relation { resource: at, .. } => {
                if let Some(resource) = package.resource(at) {
                    messages::declare_methods(&mut file, package, resource);
                }
                resources.insert(at);
            }
            Target::Function { function } => {
                if let Some(function) = package.functions.get(function) {
                    messages::declare_function(&mut file, package, function);
                    if let Returns::Resource(at) = function.returns {
                        resources.insert(at);
                    }
                }
            }
            // Nothing reads or writes it as a whole.
            Target::Transaction => {}
        }
        for resource in resources.iter().filter_map(|at| package.resource(*at)) {
            messages::declare_row(&mut file, package, resource);
            messages::declare_related(&mut file, package, resource);
        }
        // Enums and composites are found by the fields that have them, those of composites too.
        let prefix = format!(".{}.", package.name);
        let mut seen = BTreeSet::new();
        loop {
            let new: Vec<String> = file
                .types()
                .filter_map(|name| name.strip_prefix(&prefix))
                .filter(|name| !seen.contains(*name))
                .map(str::to_owned)
                .collect();
            if new.is_empty() {
                break;
            }
            for name in new {
                if seen.insert(name.clone()) && !file.declares(&name) {
                    messages::declare_type(&mut file, package, &name);
                }
            }
        }
        (file.bare(), resources)
    }
}

/// The parts of files that a message leads to; the rest of the files is left out.
struct Selection<'a> {
    files: Vec<&'a FileDescriptorProto>,
    /// Where messages and enums are declared, by their full names.
    declared: HashMap<String, Place>,
    kept: BTreeSet<Place>,
    left_out: HashMap<String, Vec<FieldDescriptorProto>>,
}

/// The place of the generated file among those that are selected from.
const OWN: usize = 0;

/// A file, and a message or an enum in it.
type Place = (usize, Item);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Message(usize),
    Enum(usize),
}

impl<'a> Selection<'a> {
    fn of(files: impl Iterator<Item = &'a FileDescriptorProto>) -> Self {
        let files: Vec<_> = files.collect();
        let mut declared = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            for (item, message) in file.message_type.iter().enumerate() {
                declared.insert(format!("{}.{}", file.package(), message.name()), (at, Item::Message(item)));
            }
            for (item, found) in file.enum_type.iter().enumerate() {
                declared.insert(format!("{}.{}", file.package(), found.name()), (at, Item::Enum(item)));
            }
        }
        Self { files, declared, kept: BTreeSet::new(), left_out: HashMap::new() }
    }

    /// Where a type is declared; what is nested in a message is there with it.
    fn place(&self, type_name: &str) -> Option<Place> {
        let name = type_name.trim_start_matches('.');
        let outer = || name.rsplit_once('.').and_then(|(outer, _)| self.declared.get(outer));
        self.declared.get(name).or_else(outer).copied()
    }

    /// Keeps the message of this name and all that it leads to.
    fn keep(&mut self, name: &str) {
        let mut queue: Vec<Place> = self.place(name).into_iter().collect();
        while let Some(place) = queue.pop() {
            if !self.kept.insert(place) {
                continue;
            }
            let (at, Item::Message(item)) = place else { continue };
            let Some(file) = self.files.get(at).copied() else { continue };
            let Some(message) = file.message_type.get(item) else { continue };
            for field in fields(message).filter(|field| !field.type_name().is_empty()) {
                match self.place(field.type_name()) {
                    Some(place) => queue.push(place),
                    None => {
                        let name = format!("{}.{}", file.package(), message.name());
                        self.left_out.entry(name).or_default().push(field.clone());
                    }
                }
            }
        }
    }

    /// The files with what is kept.
    fn files(&self) -> Vec<FileDescriptorProto> {
        let kept: BTreeSet<usize> = self.kept.iter().map(|(at, _)| *at).collect();
        let names: Vec<&str> =
            kept.iter().filter_map(|at| self.files.get(*at)).map(|file| file.name()).collect();
        let imports = |at: usize, file: &FileDescriptorProto| match at {
            OWN => names.iter().filter(|name| **name != file.name()).map(|name| (*name).to_owned()).collect(),
            _ => file.dependency.iter().filter(|name| names.contains(&name.as_str())).cloned().collect(),
        };
        let file = |at: &usize| {
            let file = self.files.get(*at)?;
            let is_kept = |item| self.kept.contains(&(*at, item));
            let messages = file.message_type.iter().enumerate();
            let enums = file.enum_type.iter().enumerate();
            Some(FileDescriptorProto {
                name: file.name.clone(),
                package: file.package.clone(),
                syntax: file.syntax.clone(),
                dependency: imports(*at, file),
                message_type: messages
                    .filter(|(item, _)| is_kept(Item::Message(*item)))
                    .map(|(_, message)| self.bare(file, message))
                    .collect(),
                enum_type: enums
                    .filter(|(item, _)| is_kept(Item::Enum(*item)))
                    .map(|(_, found)| found.clone())
                    .collect(),
                ..FileDescriptorProto::default()
            })
        };
        let (own, imported): (Vec<_>, Vec<_>) = kept.iter().partition(|at| **at == OWN);
        imported.into_iter().chain(own).filter_map(file).collect()
    }

    /// The message without the fields that are left out.
    fn bare(&self, file: &FileDescriptorProto, message: &DescriptorProto) -> DescriptorProto {
        let mut message = message.clone();
        if self.left_out.contains_key(&format!("{}.{}", file.package(), message.name())) {
            message
                .field
                .retain(|field| field.type_name().is_empty() || self.place(field.type_name()).is_some());
        }
        message
    }
}

/// The fields of a message and of the messages in it, which are those of maps.
fn fields(message: &DescriptorProto) -> impl Iterator<Item = &FieldDescriptorProto> {
    message.field.iter().chain(message.nested_type.iter().flat_map(|nested| &nested.field))
}
