//! Server reflection, `grpc.reflection.v1` and `v1alpha`: what is in an [`Index`]
//! of descriptors, asked for over a stream. A question that has no answer is
//! answered with an error of its own and never ends the stream. It describes what
//! it was given; it makes no descriptors.
//!
//! The rules are those of
//! <https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto>.

mod index;
#[cfg(test)]
mod tests;
mod version;

pub use index::Index;

use super::serve::NO_PROTOBUF;
use crate::server::shutdown::Shutdown;
use std::{collections::HashSet, sync::Arc};
use tonic::{Code, Status};
use tonic_reflection::pb::{v1, v1alpha};

/// What is listed besides the services that the index was made for, by full name.
const OWN_SERVICES: [&str; 3] = [
    v1::server_reflection_server::SERVICE_NAME,
    v1alpha::server_reflection_server::SERVICE_NAME,
    tonic_health::pb::health_server::SERVICE_NAME,
];

/// The encoded `FileDescriptorSet`s of reflection and health themselves. Sets are
/// merged by concatenation: an [`Index`] of these and of others is made from
/// `[others, &own_descriptors().concat()].concat()`.
pub fn own_descriptors() -> Vec<&'static [u8]> {
    vec![v1::FILE_DESCRIPTOR_SET, v1alpha::FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET]
}

/// The reflection service of one index. Its streams end when the server goes down.
#[derive(Clone, Debug)]
pub struct Reflection {
    index: Arc<Index>,
    shutdown: Shutdown,
}

impl Reflection {
    /// Answers from `index` until `shutdown` is announced.
    pub fn new(index: Arc<Index>, shutdown: Shutdown) -> Self {
        Self { index, shutdown }
    }
}

/// What a client asks, in the words of neither version.
#[derive(Debug)]
enum Question<'a> {
    FileByName(&'a str),
    FileContainingSymbol(&'a str),
    FileContainingExtension { extendee: &'a str, number: i32 },
    ExtensionNumbers { extendee: &'a str },
    Services,
}

/// What it is told.
#[derive(Debug)]
enum Answer {
    /// Encoded `FileDescriptorProto`s.
    Files(Vec<Vec<u8>>),
    ExtensionNumbers {
        extendee: String,
        numbers: Vec<i32>,
    },
    /// Full names.
    Services(Vec<String>),
    Error(Code, String),
}

/// One stream: the index, and the names of the files that have been sent.
#[derive(Debug)]
struct Conversation {
    index: Arc<Index>,
    sent: HashSet<Arc<str>>,
}

impl Conversation {
    fn answer(&mut self, question: Option<Question<'_>>) -> Answer {
        let index = &self.index;
        let (file, what) = match question {
            None => {
                let message = "The request asks for nothing that reflection knows of.";
                return Answer::Error(Code::InvalidArgument, message.to_owned());
            }
            Some(Question::Services) => return Answer::Services(index.services().to_vec()),
            Some(Question::ExtensionNumbers { extendee }) => {
                return match index.extension_numbers(extendee) {
                    Some(numbers) => Answer::ExtensionNumbers { extendee: extendee.to_owned(), numbers },
                    None => not_found(&format!("type \"{extendee}\"")),
                };
            }
            Some(Question::FileByName(name)) => (index.file(name), format!("file \"{name}\"")),
            Some(Question::FileContainingSymbol(symbol)) => {
                (index.file_of_symbol(symbol), format!("symbol \"{symbol}\""))
            }
            Some(Question::FileContainingExtension { extendee, number }) => {
                (index.file_of_extension(extendee, number), format!("extension {number} of \"{extendee}\""))
            }
        };
        match file {
            Some(file) => Answer::Files(index.with_imports(file, &mut self.sent)),
            None => not_found(&what),
        }
    }
}

/// What cannot be read is the client's fault, though tonic calls it internal.
fn malformed(status: Status) -> Status {
    match status.code() {
        Code::Internal if status.message().starts_with(NO_PROTOBUF) => {
            Status::invalid_argument(status.message())
        }
        _ => status,
    }
}

fn not_found(what: &str) -> Answer {
    Answer::Error(Code::NotFound, format!("There is no {what}."))
}
