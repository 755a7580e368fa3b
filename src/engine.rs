//! `Engine::run(Request, Identity) → Outcome`: the whole of a request, from
//! what was asked to what came back. It knows no protocol.

use crate::{
    auth::Identity,
    catalog::Catalog,
    config::Config,
    error::Result,
    outcome::{Outcome, Privileges, Sink},
    request::Request,
};
use std::sync::Arc;

/// A catalog, a configuration and a pool that belong together. A reload makes
/// a new one; requests under way keep theirs.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
    config: Arc<Config>,
}

impl Engine {
    /// What is known of the database.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Runs a request whose answer is a body.
    pub async fn run(&self, request: Request, identity: &Identity) -> Result<Outcome> {
        let _ = (request, identity);
        Ok(Outcome::default())
    }

    /// Runs a request whose rows go into `sink` as binary columns, in the order
    /// of the select list; the outcome comes when the transaction has ended.
    pub async fn stream<S: Sink>(
        &self,
        request: Request,
        identity: &Identity,
        sink: &mut S,
    ) -> Result<Outcome> {
        let _ = (request, identity, sink);
        Ok(Outcome::default())
    }

    /// What the role of `identity` may do in `schema`.
    pub async fn privileges(&self, schema: &str, identity: &Identity) -> Result<Privileges> {
        let _ = (schema, identity);
        Ok(Privileges::default())
    }
}
