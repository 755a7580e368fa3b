//! What one catalog and one configuration make: everything that a request can
//! reach. Never changed; a reload makes another.

use crate::{
    auth::Authenticator,
    engine::{Engine, Parts},
    error::Result,
    grpc::{Grpc, Lasting},
};
use std::sync::Arc;

/// Everything that a request can reach.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) engine: Arc<Engine>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) grpc: Arc<Grpc>,
}

impl Services {
    pub(super) fn new(parts: Parts, lasting: Lasting) -> Result<Self> {
        let authenticator = Authenticator::new(&parts.config).map_err(|error| super::unusable(&error))?;
        let authenticator = Arc::new(authenticator);
        let engine = Arc::new(Engine::new(parts));
        let grpc = Grpc::new(engine.clone(), authenticator.clone(), lasting)?;
        Ok(Self { engine, authenticator, grpc })
    }
}
