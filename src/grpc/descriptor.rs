//! Descriptors: from the surface to protobuf's own description of files,
//! messages and services, comments included. It decides nothing: names, numbers
//! and types are the surface's.
//!
//! Whole files are made for reflection and for the export. Messages are read and written by parts of them ([`Part`]).

mod aggregates;
pub(crate) mod behavior;
mod computed;
mod conflict;
mod draft;
mod embeds;
mod messages;
mod part;
mod predicates;
mod reading;
mod services;
mod transaction;

use super::surface::Package;
use crate::catalog::descriptor::FILE_DESCRIPTOR_SET;
use draft::FileDraft;
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

pub(crate) use part::{Part, Root, Side};

/// The files of packages, with everything that they import before them.
pub(crate) fn files<'a>(
    packages: impl Iterator<Item = &'a Package>,
) -> Result<FileDescriptorSet, prost::DecodeError> {
    let mut set = imports()?;
    set.file.extend(packages.map(file));
    Ok(set)
}

/// The encoded form of the same files, in which fields have their behaviors.
pub(crate) fn encoded<'a>(
    set: FileDescriptorSet,
    packages: impl Iterator<Item = &'a Package> + Clone,
) -> Vec<u8> {
    /// The number of `FileDescriptorSet.file`.
    const FILE: u32 = 1;
    let mut out = Vec::new();
    for file in set.file {
        let own = packages.clone().find(|package| package.file == file.name());
        let behaviors = own.map(behavior::behaviors).unwrap_or_default();
        behavior::append(FILE, &behavior::encoded(file, &behaviors), &mut out);
    }
    out
}

/// What generated files import: protobuf's well-known types, `google.api.field_behavior`, `pgduet.query.v1` and
/// `pgduet.types.v1`.
pub(crate) fn imports() -> Result<FileDescriptorSet, prost::DecodeError> {
    let mut set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)?;
    set.file.retain(|file| {
        let package = file.package();
        ["google.protobuf", "google.api", QUERY_PACKAGE, TYPES_PACKAGE].contains(&package)
    });
    Ok(set)
}

/// The package of the predicates.
pub(crate) const QUERY_PACKAGE: &str = "pgduet.query.v1";

/// The package of types that protobuf does not have.
pub(crate) const TYPES_PACKAGE: &str = "pgduet.types.v1";

/// The file of one package.
fn file(package: &Package) -> FileDescriptorProto {
    let mut file = FileDraft::new(package);
    services::declare(&mut file, package);
    messages::declare(&mut file, package);
    file.finish()
}

#[cfg(test)]
mod tests;
