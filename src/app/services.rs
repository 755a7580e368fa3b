//! What one catalog and one configuration make: everything that a request can
//! reach. Never changed; a reload makes another.

use crate::{
    auth::Authenticator,
    catalog::Catalog,
    config::{self, Config},
    engine::Engine,
    execute::{Pool, configuration::RoleSettings},
    server::shutdown::Shutdown,
};
use std::sync::Arc;

/// Everything that a request can reach.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) engine: Arc<Engine>,
    pub(super) authenticator: Arc<Authenticator>,
}

impl Services {
    pub(super) fn new(
        catalog: Arc<Catalog>,
        config: Arc<Config>,
        pool: Pool,
        roles: RoleSettings,
        shutdown: Shutdown,
    ) -> Result<Self, config::Error> {
        let authenticator = Arc::new(Authenticator::new(&config)?);
        let engine = Arc::new(Engine::new(catalog, config, pool, roles));
        let _ = shutdown;
        Ok(Self { engine, authenticator })
    }
}
