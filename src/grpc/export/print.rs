//! A descriptor as the text of a `.proto` file. It prints what the generated
//! files and those in `proto/` have, which is not all of the language: no
//! nested types but those of maps, no extensions, groups or custom options but
//! `google.api.http` and `google.api.field_behavior`.

use super::{
    ANNOTATIONS,
    behavior::{self, Behaviors},
    http::{Rule, Rules},
};
use crate::grpc::names::default_json;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
    method_options::IdempotencyLevel,
};
use std::{collections::HashMap, fmt::Write as _};

/// The text of a file, with the rules that its methods have and the behaviors of its fields.
pub(super) fn proto(file: &FileDescriptorProto, rules: &Rules, behaviors: &Behaviors) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let comments = locations
        .filter_map(|location| Some((location.path.as_slice(), location.leading_comments.as_deref()?)))
        .collect();
    let mut printer = Printer { out: String::new(), comments, package: file.package(), rules, behaviors };
    printer.file(file);
    printer.out
}

struct Printer<'a> {
    out: String,
    comments: HashMap<&'a [i32], &'a str>,
    package: &'a str,
    rules: &'a Rules,
    behaviors: &'a Behaviors,
}

impl Printer<'_> {
    fn file(&mut self, file: &FileDescriptorProto) {
        self.comment(&[12], "");
        self.line("", "syntax = \"proto3\";");
        self.line("", "");
        self.comment(&[2], "");
        self.line("", &format!("package {};", file.package()));
        let mut imports: Vec<&str> = file.dependency.iter().map(String::as_str).collect();
        if !self.rules.is_empty() {
            imports.push(ANNOTATIONS);
        }
        if !self.behaviors.is_empty() {
            imports.push(behavior::FILE);
        }
        imports.sort_unstable();
        if !imports.is_empty() {
            self.line("", "");
        }
        for import in imports {
            self.line("", &format!("import \"{import}\";"));
        }
        for (at, service) in (0..).zip(&file.service) {
            self.service(at, service);
        }
        for (at, message) in (0..).zip(&file.message_type) {
            self.message(at, message);
        }
        for (at, found) in (0..).zip(&file.enum_type) {
            self.enumeration(at, found);
        }
    }

    fn line(&mut self, indent: &str, text: &str) {
        self.out.push_str(indent);
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn comment(&mut self, path: &[i32], indent: &str) {
        let Some(comment) = self.comments.get(path) else { return };
        let lines: Vec<String> = comment.lines().map(|line| format!("//{}", printable(line))).collect();
        for line in lines {
            self.line(indent, line.trim_end());
        }
    }

    /// Opens a block that stands apart from what is before it.
    fn open(&mut self, path: &[i32], head: &str, members: usize) {
        self.line("", "");
        self.comment(path, "");
        self.line("", &format!("{head} {{{}", if members == 0 { "}" } else { "" }));
    }

    fn service(&mut self, at: i32, service: &ServiceDescriptorProto) {
        self.open(&[6, at], &format!("service {}", service.name()), service.method.len());
        for (index, method) in (0..).zip(&service.method) {
            self.comment(&[6, at, 2, index], "  ");
            let stream = if method.server_streaming() { "stream " } else { "" };
            let (input, output) = (self.reference(method.input_type()), self.reference(method.output_type()));
            let head = format!("rpc {}({input}) returns ({stream}{output})", method.name());
            let mut options = Vec::new();
            let idempotency = method.options.as_ref().map(|options| options.idempotency_level());
            if idempotency == Some(IdempotencyLevel::NoSideEffects) {
                options.push("option idempotency_level = NO_SIDE_EFFECTS;".to_owned());
            }
            let rule = self.rules.get(&(service.name().to_owned(), method.name().to_owned()));
            options.extend(rule.map(|rule| self.http(rule)));
            if options.is_empty() {
                self.line("  ", &format!("{head};"));
                continue;
            }
            self.line("  ", &format!("{head} {{"));
            for option in options {
                self.line("    ", &option);
            }
            self.line("  ", "}");
        }
        if !service.method.is_empty() {
            self.line("", "}");
        }
    }

    fn http(&self, rule: &Rule) -> String {
        let name = self.reference("google.api.http");
        let body = rule.response_body.as_ref().map(|field| format!(", response_body: \"{field}\""));
        format!("option ({name}) = {{get: \"{}\"{}}};", rule.get, body.unwrap_or_default())
    }

    fn message(&mut self, at: i32, message: &DescriptorProto) {
        let members = message.field.len() + message.reserved_range.len() + message.reserved_name.len();
        self.open(&[4, at], &format!("message {}", message.name()), members);
        let ranges = message.reserved_range.iter().map(|range| (range.start(), range.end() - 1));
        self.reserved(ranges, &message.reserved_name);
        let mut choice = None;
        for (index, field) in (0..).zip(&message.field) {
            let of = field.oneof_index.filter(|_| !field.proto3_optional());
            if of != choice {
                self.choice(at, message, of);
                choice = of;
            }
            let indent = if of.is_some() { "    " } else { "  " };
            self.comment(&[4, at, 2, index], indent);
            self.field(message, field, indent);
        }
        if choice.is_some() {
            self.line("  ", "}");
        }
        if members > 0 {
            self.line("", "}");
        }
    }

    /// Ranges by their first and last numbers, and names.
    fn reserved(&mut self, ranges: impl Iterator<Item = (i32, i32)>, names: &[String]) {
        let range = |(first, last): (i32, i32)| match first == last {
            true => first.to_string(),
            false => format!("{first} to {last}"),
        };
        let name = |name: &String| format!("\"{name}\"");
        for reserved in [ranges.map(range).collect::<Vec<_>>(), names.iter().map(name).collect()] {
            if !reserved.is_empty() {
                self.line("  ", &format!("reserved {};", reserved.join(", ")));
            }
        }
    }

    /// Opens the oneof that has this place; the one before is closed by the end of the message: no field is behind one.
    fn choice(&mut self, at: i32, message: &DescriptorProto, choice: Option<i32>) {
        let Some(index) = choice else { return };
        let found = usize::try_from(index).ok().and_then(|index| message.oneof_decl.get(index));
        self.comment(&[4, at, 8, index], "  ");
        self.line("  ", &format!("oneof {} {{", found.map(|found| found.name()).unwrap_or_default()));
    }

    fn field(&mut self, message: &DescriptorProto, field: &FieldDescriptorProto, indent: &str) {
        let entry = message.nested_type.iter().find(|nested| {
            let is_map = nested.options.as_ref().is_some_and(|options| options.map_entry());
            is_map && field.type_name().rsplit('.').next() == Some(nested.name())
        });
        let label = match (field.label(), field.proto3_optional()) {
            (Label::Repeated, _) if entry.is_some() => "",
            (Label::Repeated, _) => "repeated ",
            (Label::Optional | Label::Required, true) => "optional ",
            (Label::Optional | Label::Required, false) => "",
        };
        let kind = match entry.map(|entry| entry.field.as_slice()) {
            Some([key, value]) => format!("map<{}, {}>", self.kind(key), self.kind(value)),
            Some(_) | None => self.kind(field),
        };
        let mut options = Vec::new();
        if field.json_name() != default_json(field.name()) {
            options.push(format!("json_name = \"{}\"", escaped(field.json_name())));
        }
        let number = u32::try_from(field.number()).unwrap_or_default();
        if let Some(behaviors) = self.behaviors.get(&(message.name().to_owned(), number)) {
            let option = self.reference("google.api.field_behavior");
            options.extend(behaviors.iter().map(|behavior| format!("({option}) = {}", behavior.name())));
        }
        let options = match options.is_empty() {
            true => String::new(),
            false => format!(" [{}]", options.join(", ")),
        };
        self.line(indent, &format!("{label}{kind} {} = {}{options};", field.name(), field.number()));
    }

    fn kind(&self, field: &FieldDescriptorProto) -> String {
        match field.r#type() {
            Type::Message | Type::Enum | Type::Group => self.reference(field.type_name()),
            scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_ascii_lowercase(),
        }
    }

    fn enumeration(&mut self, at: i32, found: &EnumDescriptorProto) {
        self.open(&[5, at], &format!("enum {}", found.name()), found.value.len());
        let ranges = found.reserved_range.iter().map(|range| (range.start(), range.end()));
        self.reserved(ranges, &found.reserved_name);
        for (index, value) in (0..).zip(&found.value) {
            self.comment(&[5, at, 2, index], "  ");
            self.line("  ", &format!("{} = {};", value.name(), value.number()));
        }
        self.line("", "}");
    }

    /// A type's name as short as it can be said here. Another package whose
    /// first part is also a part of this one is found only from the root.
    fn reference(&self, type_name: &str) -> String {
        let name = type_name.trim_start_matches('.');
        let local = name.strip_prefix(self.package).and_then(|rest| rest.strip_prefix('.'));
        let first = name.split('.').next().unwrap_or_default();
        match local {
            Some(local) if !local.contains('.') => local.to_owned(),
            _ if self.package.split('.').any(|part| part == first) => format!(".{name}"),
            _ => name.to_owned(),
        }
    }
}

/// A comment's line without what would end it or upset a terminal.
fn printable(line: &str) -> String {
    line.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// The inside of a string literal.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' '..=b'~' => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "\\{other:03o}");
            }
        }
    }
    out
}
