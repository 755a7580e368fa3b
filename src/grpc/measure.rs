//! For benchmarks alone, and so in no documentation: what a reload makes of a
//! catalog, and the encoder of rows. Both are the server's own, called as it
//! calls them; a benchmark is another crate and could not reach them otherwise.

use super::{described, encode::MessageEncoder, lock::Lock, selection::Selection, services::Services};
use crate::{catalog::Catalog, config::PackageTemplate, error::Result, outcome::Row};
use prost_reflect::MessageDescriptor;
use std::hint::black_box;

/// What a reload makes of a catalog: the surface, descriptors, method table,
/// encoders and the index of reflection.
#[derive(Debug)]
pub struct Made(Services);

/// Makes it, without a lock.
///
/// # Errors
/// The catalog cannot be described.
pub fn make(catalog: &Catalog) -> Result<Made> {
    let (services, index) = described(catalog, &PackageTemplate::default(), &Lock::default())?;
    black_box(index);
    Ok(Made(services))
}

/// The rows of one relation.
#[derive(Debug)]
pub struct Rows {
    encoder: MessageEncoder,
    message: MessageDescriptor,
}

impl Made {
    /// How many methods there are.
    pub fn methods(&self) -> usize {
        self.0.methods()
    }

    /// The rows of a relation of the first schema, with every column.
    pub fn rows(&self, relation: &str) -> Option<Rows> {
        let (package, encoders) = self.0.package(0)?;
        let at = package.resources.iter().position(|resource| resource.relation == relation)?;
        let resource = package.resources.get(at)?;
        let encoder = Selection::all(resource).encoder(package, encoders, at);
        let list = format!("/{}.{}/List{}", package.name, resource.names.service(), resource.names.plural);
        let pool = self.0.method(&list)?.signature.output.parent_pool().clone();
        let message = pool.get_message_by_name(&format!("{}.{}", package.name, resource.names.singular))?;
        Some(Rows { encoder, message })
    }
}

impl Rows {
    /// Appends the message of a row, whose columns are as `sql` asks for them.
    ///
    /// # Errors
    /// A value has no form in protobuf.
    pub fn encode(&self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        self.encoder.row(row, out)
    }

    /// What describes the message.
    pub fn message(&self) -> &MessageDescriptor {
        &self.message
    }
}
