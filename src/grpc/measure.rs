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
pub struct Made {
    services: Services,
    /// The server has it from its start on. The first random number of a process takes longer than a call.
    secret: OwnSecret,
}

/// Makes it, without a lock.
///
/// # Errors
/// The catalog cannot be described.
pub fn make(catalog: impl Into<Arc<Catalog>>) -> Result<Made> {
    let secret = OwnSecret::random()?;
    Services::new(&catalog.into(), &Options::default(), &Lock::default())
        .map(|services| Made { services, secret })
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
        self.services.names()
    }

    /// Makes what reflection answers from, and gives the number of bytes of the files in it.
    ///
    /// # Errors
    /// The catalog cannot be described.
    pub fn reflect(&self) -> Result<usize> {
        index(&self.services).map(|index| index.bytes())
    }

    /// What has changed for clients since `former`, a line each.
    pub fn changes_since(&self, former: &Self) -> Vec<String> {
        self.services.changes_since(&former.services)
    }

    /// The paths of the methods.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = self.services.paths();
        paths.sort_unstable();
        paths
    }

    /// What a call asks of the engine; none if there is no such method.
    ///
    /// # Errors
    /// The message is malformed.
    pub fn request(&self, path: &str, message: Bytes, config: &Config) -> Result<Option<Request>> {
        let Some(method) = self.services.method(path) else { return Ok(None) };
        let sealer = Sealer::new(config, None, &self.secret)?;
        let context = Context::default();
        let surroundings =
            Surroundings { context, deadline: None, timezone: None, sealer: &sealer, max_rows: None };
        let calls = decode(&self.services, &method, &message, surroundings)?;
        Ok(calls.first().map(|call| Request::clone(&call.request)))
    }

    /// Reads `token` as one of this method, and `place` as what is in one; the latter has to survive.
    ///
    /// # Errors
    /// One of both is malformed, or did not survive.
    pub fn page_token(&self, path: &str, token: &str, place: &[u8], config: &Config) -> Result<()> {
        let broken = |why: &str| Error::new(Fault::Internal, why);
        let method = self.services.method(path).ok_or_else(|| broken("no such method"))?;
        let sealer = Sealer::new(config, None, &self.secret)?;
        let query = DynamicMessage::new(self.services.part(&method, Side::Request)?.message().clone());
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
        let (package, encoders) = self.services.package(0)?;
        let at = package.all_resources().position(|resource| resource.relation == relation)?;
        let resource = package.resource(at)?;
        let encoder = Selection::all(resource).encoder(package, encoders, at);
        let list = format!("/{}.{}/List{}", package.name, resource.names.service(), resource.names.plural);
        let part = self.services.part(&self.services.method(&list)?, Side::Response).ok()?;
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
