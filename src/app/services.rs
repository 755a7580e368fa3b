//! What one catalog and one configuration make: everything that a request can
//! reach. Never changed; a reload makes another.

use crate::{
    auth::Authenticator,
    catalog::introspect::Known,
    engine::{Engine, Parts},
    error::{Error, Fault, Result},
    grpc::{Grpc, Lasting},
    rest::Documents,
    server::stored::Store,
};
use std::sync::Arc;

/// An archive with more bytes than this is made for each download.
const MOST_PROTOS: usize = 16 << 20;

/// Everything that a request can reach.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) engine: Arc<Engine>,
    /// What the next introspection needs to know of the one that this comes from.
    pub(super) known: Known,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) grpc: Arc<Grpc>,
    pub(super) documents: Documents,
    /// The `.proto` files of the services, as one archive.
    pub(super) protos: Store<()>,
    /// What the page lists of them.
    pub(super) listing: Store<()>,
}

impl Services {
    /// Services in place of `former`.
    pub(super) fn new(
        parts: Parts,
        known: Known,
        lasting: Lasting,
        former: Option<&Services>,
    ) -> Result<Self> {
        let former = former.map(|former| &*former.authenticator);
        let authenticator =
            Authenticator::new(&parts.config, former).map_err(|error| super::unusable(&error))?;
        let authenticator = Arc::new(authenticator);
        let engine = Arc::new(Engine::new(parts));
        let grpc = Grpc::new(engine.clone(), authenticator.clone(), lasting)?;
        let (documents, protos) = (Documents::default(), Store::new(MOST_PROTOS));
        let listing = Store::new(MOST_PROTOS);
        Ok(Self { engine, known, authenticator, grpc, documents, protos, listing })
    }
}

/// There are none yet.
pub(super) fn unavailable() -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "Could not query the database for the schema cache. Retrying.")
}
