//! For benchmarks and fuzz targets alone, and so in no documentation: what a
//! reload makes of a catalog, the encoder of rows, and what is read of
//! messages. All are the server's own, called as it calls them; a benchmark is
//! another crate and could not reach them otherwise.

use super::{
    decode::{Surroundings, decode},
    described,
    encode::MessageEncoder,
    lock::Lock,
    page_token::{Binding, OwnSecret, Position, Sealer},
    refuse::refuse,
    selection::Selection,
    services::Services,
};
use crate::{
    catalog::Catalog,
    config::{Config, PackageTemplate},
    error::{Error, Fault, Result},
    outcome::Row,
    request::{Context, Request},
};
use bytes::Bytes;
use prost_reflect::{DynamicMessage, MessageDescriptor};
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

    /// The paths of the methods.
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<_> = self.0.paths().collect();
        paths.sort_unstable();
        paths
    }

    /// What a call asks of the engine; none if there is no such method.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn request(&self, path: &str, message: Bytes, config: &Config) -> Result<Option<Request>> {
        let Some(method) = self.0.method(path) else { return Ok(None) };
        let sealer = Sealer::new(config, None, &OwnSecret::random()?)?;
        let context = Context::default();
        let surroundings =
            Surroundings { context, deadline: None, timezone: None, sealer: &sealer, max_rows: None };
        Ok(Some(decode(&self.0, method, message, surroundings)?.request))
    }

    /// Reads `token` as one of this method, and `place` as what is in one; the latter has to survive.
    ///
    /// # Errors
    /// One of both is malformed, or did not survive.
    pub fn page_token(&self, path: &str, token: &str, place: &[u8], config: &Config) -> Result<()> {
        let broken = |why: &str| Error::new(Fault::Internal, why);
        let method = self.0.method(path).ok_or_else(|| broken("no such method"))?;
        let sealer = Sealer::new(config, None, &OwnSecret::random()?)?;
        let binding = Binding::new(path, &DynamicMessage::new(method.signature.input.clone()));
        if sealer.open(token, &binding).is_ok() {
            return Err(broken("a token was guessed"));
        }
        let place: Position = serde_json::from_slice(place).map_err(|_| refuse("place", "is no place"))?;
        match sealer.open(&sealer.seal(&place, &binding)?, &binding) {
            Ok(opened) if opened == place => Ok(()),
            Ok(_) | Err(_) => Err(broken("a place did not survive")),
        }
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
