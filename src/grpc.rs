//! The gRPC side: services made from the catalog at run time. It turns messages
//! into the neutral request and rows into messages; it plans nothing, writes no
//! SQL and talks to no database.

mod blame;
mod call;
mod code;
mod connect;
mod decode;
mod descriptor;
mod encode;
mod ended;
pub mod export;
mod extent;
#[cfg(test)]
mod fixture;
mod framing;
pub mod health;
mod infrastructure;
mod intake;
mod lent;
pub mod lock;
#[doc(hidden)]
pub mod measure;
mod metadata;
mod method;
mod names;
mod options;
mod page_token;
mod protocol;
pub mod reflection;
mod refuse;
mod respond;
mod selection;
mod serve;
mod services;
mod surface;
mod timing;
mod transaction;

use crate::{
    auth::Authenticator,
    config::Verbosity,
    engine::Engine,
    error::{Caller, Error, Result},
    metrics::{self as counted, Route, Subject},
    server::shutdown::Shutdown,
};
use blame::Asked;
use bytes::Bytes;
pub use ended::{Called, Ended};
use health::Health;
use http::{Request, Response, request::Parts};
use lock::Lock;
pub use options::{Aggregates, Options};
use page_token::{OwnSecret, Sealer};
use reflection::{Index, Reflection};
use services::{Method, Services, Signature};
use std::sync::Arc;
pub use surface::SurfaceError;
use tonic::body::Body;

/// So many changes of a reload are told one by one.
const MOST_CHANGES: usize = 100;

/// What the services of all catalogs have in common: it outlives reloads.
#[derive(Clone, Debug)]
pub struct Lasting {
    health: Health,
    secret: OwnSecret,
    shutdown: Shutdown,
}

impl Lasting {
    /// No service is known yet. Endless streams end with `shutdown`.
    pub fn new(shutdown: Shutdown) -> Result<Self> {
        Ok(Self { health: Health::new(&[], shutdown.clone()), secret: OwnSecret::random()?, shutdown })
    }

    /// How things are, for those who check it.
    pub fn health(&self) -> &Health {
        &self.health
    }
}

/// The services of one catalog. A reload makes another; calls under way keep theirs.
#[derive(Debug)]
pub struct Grpc {
    engine: Arc<Engine>,
    authenticator: Arc<Authenticator>,
    services: Arc<Services>,
    sealer: Sealer,
    reflection: Reflection,
    health: Health,
    infrastructure: infrastructure::Methods,
}

impl Grpc {
    /// The services of an engine's catalog.
    pub fn new(
        engine: Arc<Engine>,
        authenticator: Arc<Authenticator>,
        lasting: Lasting,
    ) -> Result<Arc<Self>> {
        let Lasting { health, secret, shutdown } = lasting;
        let config = engine.config();
        let lock = Lock::of_server(config.grpc_lock.as_deref()).map_err(services::unusable)?;
        let services = Arc::new(Services::new(engine.catalog(), &Options::of(config), &lock)?);
        let described = services.clone();
        let reflection = Reflection::new(services.names(), move || index(&described), shutdown);
        let sealer = Sealer::new(config, authenticator.secret(), &secret)?;
        let infrastructure = infrastructure::Methods::new(config.grpc_reflection)?;
        Ok(Arc::new(Self { engine, authenticator, services, sealer, reflection, health, infrastructure }))
    }

    /// The status of an error that `caller` met.
    fn refusal(&self, error: &Error, caller: Caller) -> tonic::Status {
        respond::status(error, caller, self.engine.config().client_error_verbosity)
    }

    /// The status of an error that `caller` met when it asked this: it names the columns that the error is about.
    fn refusal_of(&self, asked: &Asked, error: &Error, caller: Caller) -> tonic::Status {
        let blamed = asked.blamed(self.engine.catalog(), error);
        respond::blaming(error, caller, self.engine.config().client_error_verbosity, &blamed)
    }

    /// Says what clients of the services that these replace do not see coming.
    pub fn warn_of_changes_since(&self, former: &Self) {
        let changes = self.services.changes_since(&former.services);
        for change in changes.iter().take(MOST_CHANGES) {
            tracing::warn!("gRPC clients have to be generated anew: {change}");
        }
        if let Some(more) = changes.len().checked_sub(MOST_CHANGES).filter(|more| *more > 0) {
            tracing::warn!("gRPC clients have to be generated anew: {more} more changes");
        }
    }

    /// Says whether the schema has changed since the lock file was written.
    pub fn warn_of_lock(&self) {
        let Ok(lock) = Lock::of_server(self.engine.config().grpc_lock.as_deref()) else { return };
        if lock != Lock::default() && self.services.lock() != lock {
            tracing::warn!("The schema has changed since the gRPC lock file was written: export the protos");
        }
    }

    /// The full names of the services.
    pub fn names(&self) -> Vec<String> {
        self.services.names()
    }

    /// Whether there is a service of this full name.
    pub fn knows(&self, service: &str) -> bool {
        self.services.knows(service) || self.infrastructure.knows(service)
    }

    /// The method at this path.
    fn method(&self, path: &str) -> Option<Callable> {
        let own = self.services.method(path).map(Callable::Catalog);
        own.or_else(|| self.infrastructure.method(path).cloned().map(Callable::Infrastructure))
    }

    /// What a call of this path is counted as.
    pub fn counted(&self, path: &str) -> (Arc<Route>, counted::Method) {
        match self.method(path) {
            Some(Callable::Catalog(method)) => (self.route(&method), method.counted()),
            Some(Callable::Infrastructure(method)) => {
                (self.engine.meters().routes.infrastructure.clone(), method.of.counted())
            }
            None => (self.engine.meters().routes.unknown.clone(), counted::Method::GrpcOther),
        }
    }

    /// What calls of a method are counted as.
    fn route(&self, method: &Method) -> Arc<Route> {
        let make = |subject: Subject<'_>| match subject {
            Subject::Relation(schema, name) => self.engine.route_of_relation(schema, name),
            Subject::Function(schema, name) => self.engine.route_of_function(schema, name),
        };
        let route = self.services.route(method, make);
        route.unwrap_or_else(|| self.engine.meters().routes.transaction.clone())
    }

    /// Answers a request of the gRPC branch.
    pub async fn serve<B>(self: Arc<Self>, head: &Parts, body: B) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        serve::serve(self, head, body).await
    }
}

/// A method that can be called.
#[derive(Clone, Debug)]
enum Callable {
    /// Of a service that is made of the catalog.
    Catalog(Method),
    /// Of reflection or health, which every catalog is served with.
    Infrastructure(infrastructure::Method),
}

impl Callable {
    /// How it is called.
    fn signature(&self) -> Signature {
        match self {
            Self::Catalog(method) => method.signature,
            Self::Infrastructure(method) => method.signature,
        }
    }
}

/// What reflection says of services.
fn index(services: &Services) -> Result<Index> {
    let mut files = services.files()?;
    files.extend_from_slice(tonic_types::pb::FILE_DESCRIPTOR_SET);
    files.extend(reflection::own_descriptors().concat());
    Index::new(files).map_err(services::broken)
}

/// The answer to a call that no service has seen.
pub async fn failure<B>(head: &Parts, body: B, error: &Error) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request = Request::from_parts(head.clone(), Body::new(body));
    serve::refuse(request, respond::status(error, Caller::Anonymous, Verbosity::Verbose)).await
}
