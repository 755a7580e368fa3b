//! For benchmarks and fuzz targets alone, and so in no documentation: what a
//! reload makes of a catalog, the encoder of rows, and what is read of
//! messages. All are the server's own, called as it calls them; a benchmark is
//! another crate and could not reach them otherwise.

use super::{
    decode::{Surroundings, decode},
    descriptor::Side,
    encode::MessageEncoder,
    index,
    lock::Lock,
    options::Options,
    page_token::{Binding, OwnSecret, Position, Sealer},
    refuse::refuse,
    selection::Selection,
    services::Services,
};
use crate::{
    catalog::Catalog,
    config::Config,
    error::{Error, Fault, Result},
    outcome::Row,
    request::{Context, Request},
};
use bytes::Bytes;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use std::sync::Arc;

/// What a reload makes of a catalog: the names of services, and whatever else is there when it is first asked for.
#[derive(Debug)]
pub struct Made(Services);

/// Makes it, without a lock.
///
/// # Errors
/// The catalog cannot be described.
pub fn make(catalog: impl Into<Arc<Catalog>>) -> Result<Made> {
    Services::new(&catalog.into(), &Options::default(), &Lock::default()).map(Made)
}

/// The rows of one relation.
#[derive(Debug)]
pub struct Rows {
    encoder: MessageEncoder,
    message: MessageDescriptor,
}

impl Made {
    /// The full names of the services.
    pub fn services(&self) -> Vec<String> {
        self.0.names()
    }

    /// Makes what reflection answers from, and gives the number of bytes of the files in it.
    ///
    /// # Errors
    /// The catalog cannot be described.
    pub fn reflect(&self) -> Result<usize> {
        index(&self.0).map(|index| index.bytes())
    }

    /// What has changed for clients since `former`, a line each.
    pub fn changes_since(&self, former: &Self) -> Vec<String> {
        self.0.changes_since(&former.0)
    }

    /// The paths of the methods.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = self.0.paths();
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
        let calls = decode(&self.0, &method, &message, surroundings)?;
        Ok(calls.first().map(|call| Request::clone(&call.request)))
    }

    /// Reads `token` as one of this method, and `place` as what is in one; the latter has to survive.
    ///
    /// # Errors
    /// One of both is malformed, or did not survive.
    pub fn page_token(&self, path: &str, token: &str, place: &[u8], config: &Config) -> Result<()> {
        let broken = |why: &str| Error::new(Fault::Internal, why);
        let method = self.0.method(path).ok_or_else(|| broken("no such method"))?;
        let sealer = Sealer::new(config, None, &OwnSecret::random()?)?;
        let query = DynamicMessage::new(self.0.part(&method, Side::Request)?.message().clone());
        let binding = Binding::new(path, &query);
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
        let at = package.all_resources().position(|resource| resource.relation == relation)?;
        let resource = package.resource(at)?;
        let encoder = Selection::all(resource).encoder(package, encoders, at);
        let list = format!("/{}.{}/List{}", package.name, resource.names.service(), resource.names.plural);
        let part = self.0.part(&self.0.method(&list)?, Side::Response).ok()?;
        let pool = part.message().parent_pool().clone();
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
