//! Health, `grpc.health.v1`: one entry per service and the empty name for the
//! whole server. It is told how things are; it asks no database.
//!
//! One [`Health`] lives as long as the server: reloads and a database that comes
//! and goes reach the watch streams that are open. The rules are those of
//! <https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto>.

#[cfg(test)]
mod tests;

use crate::server::shutdown::Shutdown;
use futures_util::stream::{self, BoxStream};
use std::collections::HashSet;
use tokio::sync::watch;
use tonic::{Request, Response, Status, codec::CompressionEncoding};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{self, HealthServer},
};

/// Whether the database can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// It answers: SERVING.
    Present,
    /// It does not: NOT_SERVING, for every service alike.
    Away,
}

/// Whether the server takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Running,
    /// It goes down: NOT_SERVING, whatever the database does.
    Ending,
}

/// Sets what [`Health`] tells. Its clones set the same.
#[derive(Clone, Debug)]
pub struct Serving(watch::Sender<State>);

#[derive(Debug)]
struct State {
    server: Server,
    database: Database,
    services: HashSet<String>,
}

impl Serving {
    /// The database came, or went.
    pub fn set(&self, database: Database) {
        self.0.send_if_modified(|state| std::mem::replace(&mut state.database, database) != database);
    }

    /// Whether the server goes down.
    pub fn is_ending(&self) -> bool {
        self.0.borrow().server == Server::Ending
    }

    /// The server is about to go down.
    pub fn end(&self) {
        self.0.send_modify(|state| state.server = Server::Ending);
    }

    /// A reload: these are the services now, by full name.
    pub fn replace_services(&self, services: &[String]) {
        let services = services.iter().cloned().collect();
        self.0.send_modify(|state| state.services = services);
    }
}

impl State {
    /// The status of a service, or of the server for the empty name.
    fn of(&self, service: &str) -> Option<ServingStatus> {
        let is_known = service.is_empty() || self.services.contains(service);
        is_known.then_some(match (self.server, self.database) {
            (Server::Running, Database::Present) => ServingStatus::Serving,
            (Server::Running, Database::Away) | (Server::Ending, _) => ServingStatus::NotServing,
        })
    }
}

/// The health service. Its watch streams end when the server goes down.
#[derive(Clone, Debug)]
pub struct Health {
    serving: Serving,
    shutdown: Shutdown,
}

impl Health {
    /// The health of these services, given by full name. Nothing has been heard of
    /// the database yet: it is away until [`Serving::set`] says otherwise.
    pub fn new(services: &[String], shutdown: Shutdown) -> Self {
        let state = State {
            server: Server::Running,
            database: Database::Away,
            services: services.iter().cloned().collect(),
        };
        Self { serving: Serving(watch::Sender::new(state)), shutdown }
    }

    /// The handle that changes what is told.
    pub fn serving(&self) -> Serving {
        self.serving.clone()
    }

    /// The tower service.
    pub fn server(&self) -> HealthServer<Self> {
        HealthServer::new(self.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        match self.serving.0.borrow().of(service) {
            Some(status) => Ok(Response::new(HealthCheckResponse { status: status.into() })),
            None => Err(Status::not_found(format!("There is no service \"{service}\"."))),
        }
    }

    /// Sends the status, and again when it has changed. An unknown service does not
    /// end the stream: a reload may bring it.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let watch = Watch {
            service: request.into_inner().service,
            last: None,
            state: self.serving.0.subscribe(),
            shutdown: self.shutdown.clone(),
        };
        let statuses = stream::unfold(watch, async |mut watch| {
            let status = watch.next().await?;
            Some((Ok(HealthCheckResponse { status: status.into() }), watch))
        });
        Ok(Response::new(Box::pin(statuses)))
    }
}

/// One watch stream.
struct Watch {
    service: String,
    /// What was sent last.
    last: Option<ServingStatus>,
    state: watch::Receiver<State>,
    shutdown: Shutdown,
}

impl Watch {
    /// The next status that differs from the last; none when the server goes down.
    async fn next(&mut self) -> Option<ServingStatus> {
        let Self { service, last, state, shutdown } = self;
        let differs = |state: &State| Some(status(state, service)) != *last;
        let next = tokio::select! {
            biased;
            // First, so that the end is told before the stream ends.
            state = state.wait_for(differs) => status(&*state.ok()?, service),
            () = shutdown.announced() => return None,
        };
        *last = Some(next);
        *last
    }
}

fn status(state: &State, service: &str) -> ServingStatus {
    state.of(service).unwrap_or(ServingStatus::ServiceUnknown)
}
