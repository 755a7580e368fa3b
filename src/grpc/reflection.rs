//! Server reflection, `grpc.reflection.v1` and `v1alpha`: what is in an [`Index`]
//! of descriptors, asked for over a stream. A question that has no answer is
//! answered with an error of its own and never ends the stream. It makes no descriptors: the index is given to it when
//! somebody asks for more than the names of services.
//!
//! The rules are those of
//! <https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto>.

mod index;
#[cfg(test)]
mod tests;
mod version;

pub use index::Index;

use super::serve::NO_PROTOBUF;
use crate::{error, server::shutdown::Shutdown};
use std::{collections::HashSet, fmt, sync::Arc};
use tokio::sync::OnceCell;
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

/// The reflection service of one catalog. Its streams end when the server goes down.
#[derive(Clone, Debug)]
pub struct Reflection {
    described: Arc<Described>,
    shutdown: Shutdown,
}

/// What there is to tell.
struct Described {
    services: Vec<String>,
    make: Arc<dyn Fn() -> error::Result<Index> + Send + Sync>,
    index: OnceCell<Index>,
}

impl Reflection {
    /// Answers until `shutdown` is announced: that there are these services, by their full names, besides reflection and
    /// health themselves, and from the index that `make` gives when it is first needed.
    pub fn new(
        mut services: Vec<String>,
        make: impl Fn() -> error::Result<Index> + Send + Sync + 'static,
        shutdown: Shutdown,
    ) -> Self {
        services.extend(OWN_SERVICES.map(str::to_owned));
        services.sort_unstable();
        services.dedup();
        let described = Described { services, make: Arc::new(make), index: OnceCell::new() };
        Self { described: Arc::new(described), shutdown }
    }
}

impl Described {
    /// The index. Of thousands of tables it takes a while, and other requests are not to wait for it.
    async fn index(&self) -> Result<&Index, Status> {
        let broken = |error: &dyn fmt::Display| {
            tracing::error!("Reflection has nothing to tell: {error}");
            Status::internal("Internal error")
        };
        let made = self.index.get_or_try_init(|| async {
            let make = self.make.clone();
            let made = tokio::task::spawn_blocking(move || make()).await;
            made.map_err(|panic| broken(&panic))?.map_err(|error| broken(&error))
        });
        made.await
    }
}

impl fmt::Debug for Described {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Described").field("services", &self.services.len()).finish_non_exhaustive()
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

/// One stream, and the names of the files that have been sent.
#[derive(Debug)]
struct Conversation {
    described: Arc<Described>,
    sent: HashSet<Arc<str>>,
}

impl Conversation {
    async fn answer(&mut self, question: Option<Question<'_>>) -> Result<Answer, Status> {
        Ok(match question {
            Some(Question::Services) => Answer::Services(self.described.services.clone()),
            other => self.look_up(self.described.clone().index().await?, other),
        })
    }

    fn look_up(&mut self, index: &Index, question: Option<Question<'_>>) -> Answer {
        let (file, what) = match question {
            None => {
                let message = "The request asks for nothing that reflection knows of.";
                return Answer::Error(Code::InvalidArgument, message.to_owned());
            }
            Some(Question::Services) => return Answer::Services(self.described.services.clone()),
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
