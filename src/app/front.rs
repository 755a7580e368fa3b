//! The service behind the port: each request is steered to a front door of the
//! services that are in place when it comes, and logged when it is answered.

use super::{
    docs::{self, Docs},
    held::held,
    loader::Loader,
    seen::Seen,
    services::Services,
};
use crate::{
    admission::{Admission, Ticket},
    auth::Identity,
    config::Config,
    error::{Error, Fault},
    grpc,
    memory::{Full, Lease},
    rest,
    server::{
        base,
        body::RequestBody,
        connection::{COPIES, FIELD},
        forwarded::Forwarded,
        head::{self, Flaw},
        steer::{Branch, steer},
    },
};
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

/// Cloned for each connection.
#[derive(Clone, Debug)]
pub(super) struct Front {
    loader: Arc<Loader>,
    docs: Arc<Docs>,
    admission: Admission,
}

impl Front {
    pub(super) fn new(loader: Arc<Loader>) -> Self {
        Self { loader, docs: Arc::default(), admission: Admission::default() }
    }
}

impl tower::Service<Request<RequestBody>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let (services, config) = (self.loader.services(), self.loader.config());
        if let Some(forwarded) = Forwarded::of(&request, request.body().peer(), &config) {
            request.extensions_mut().insert(forwarded);
        }
        let seen = Seen::of(&request, &config, &self.loader);
        let pad = seen.pad();
        if let Some(parent) = seen.for_database() {
            request.extensions_mut().insert(parent);
        }
        let base = config.server_base_path.clone();
        let place = match base.as_deref().map(|base| base::below(base, request.uri())) {
            None => Place::Everywhere,
            Some(None) => Place::Elsewhere,
            Some(Some(target)) => {
                *request.uri_mut() = target;
                Place::Below
            }
        };
        let limits_roles = services.as_ref().is_some_and(|services| !services.engine.limits().is_empty());
        let (head, body) = request.into_parts();
        let branch = steer(&head, |name| services.as_ref().is_some_and(|services| services.grpc.knows(name)));
        let flaw = head::check(&head);
        let request = Request::from_parts(head, body);
        let limit = config.server_max_header_bytes;
        let ticket = self.enter(&config, branch, request.uri().path());
        let services = match services {
            _ if head_bytes(&request) > limit => Err(headers_too_large(limit)),
            _ if let Err(flaw) = flaw => Err(flawed(flaw)),
            _ if ticket.is_err() => Err(busy()),
            _ if place == Place::Elsewhere && branch != Branch::Grpc => Err(elsewhere()),
            Some(services) => hold_head(&request, &services).map(|held| (services, held)),
            None => Err(catalog_unavailable()),
        };
        let serves_docs = config.docs_enabled && flaw.is_ok() && ticket.is_ok() && place != Place::Elsewhere;
        // Each branch is a future of its own: none takes room for what only another needs.
        let answered: Self::Future =
            match (branch, services) {
                (Branch::Docs, services) if serves_docs => {
                    let docs = self.docs.clone();
                    let services = services.map(|(services, _)| services);
                    Box::pin(async move {
                        seen.answered(docs.answer(&request.into_parts().0, services, &config).await, None)
                    })
                }
                (Branch::Rest, Ok((ref services, _))) if docs::is_meant(&request, services) => {
                    Box::pin(std::future::ready(seen.answered(docs::lead(), None)))
                }
                (Branch::Grpc, Ok((services, held))) => Box::pin(async move {
                    let _held = held;
                    let answer = services.grpc.clone().serve(request).await.map(Body::new);
                    let role = answer.extensions().get::<Arc<Identity>>().cloned();
                    seen.answered(answer, role)
                }),
                (Branch::Grpc, Err(error)) => Box::pin(async move {
                    seen.answered(grpc::failure(request, &error).await.map(Body::new), None)
                }),
                (Branch::Rest | Branch::Docs, Ok((services, held))) => Box::pin(async move {
                    let _held = held;
                    let Services { engine, authenticator, documents, .. } = &*services;
                    let (answer, role) = rest::serve(engine, authenticator, documents, request).await;
                    seen.answered(answer, role)
                }),
                (Branch::Rest | Branch::Docs, Err(error)) => {
                    Box::pin(std::future::ready(seen.answered(rest::failure(&error, &config), None)))
                }
            };
        let answered = match (place, base) {
            (Place::Below, Some(base)) => Box::pin(async move {
                let mut response = answered.await?;
                base::restore(&base, response.headers_mut());
                Ok(response)
            }),
            (Place::Below | Place::Everywhere | Place::Elsewhere, _) => answered,
        };
        let answered = match pad {
            Some(pad) => Box::pin(async move { pad.during(answered).await }),
            None => answered,
        };
        match ticket {
            Ok(None) if !limits_roles => answered,
            ticket => Box::pin(async move { Ok(held(answered.await?, ticket.ok().flatten())) }),
        }
    }
}

/// Where health and reflection are, which are for whoever looks after a server that is busy.
const INFRASTRUCTURE: &str = "/grpc.";

impl Front {
    /// Counts a request where `server-max-requests` limits them. Fails where there are as many as there may be.
    fn enter(&self, config: &Config, branch: Branch, path: &str) -> Result<Option<Ticket>, Busy> {
        let Some(limit) = config.server_max_requests else { return Ok(None) };
        match branch {
            Branch::Grpc if path.starts_with(INFRASTRUCTURE) => Ok(None),
            Branch::Grpc | Branch::Rest | Branch::Docs => {
                self.admission.enter(limit.get()).map(Some).ok_or(Busy)
            }
        }
    }
}

/// There are as many requests as there may be.
struct Busy;

fn busy() -> Box<Error> {
    Error::new(Fault::ServerBusy, "The server has as many requests under way as it may have")
}

/// Where a request is, seen from the base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// There is no base path.
    Everywhere,
    Below,
    /// Here is gRPC, or nothing.
    Elsewhere,
}

fn elsewhere() -> Box<Error> {
    Error::new(Fault::InvalidPath, "Invalid path specified in request URL")
        .hint("Everything is below the path of server-base-path")
}

fn catalog_unavailable() -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "Could not query the database for the schema cache. Retrying.")
}

fn headers_too_large(limit: usize) -> Box<Error> {
    Error::new(Fault::HeadersTooLarge, format!("Target and headers are larger than {limit} bytes"))
}

/// A connection of HTTP/2 may have many requests at once, whose heads are held until they are answered. Over HTTP/1 there is
/// one, which the connection counts.
fn hold_head(request: &Request<RequestBody>, services: &Services) -> Result<Option<Lease>, Box<Error>> {
    if request.version() != http::Version::HTTP_2 {
        return Ok(None);
    }
    let mut held = services.engine.memory().lease();
    let refused = |full: Full| Error::new(Fault::MemoryExhausted, full.to_string());
    held.cover(head_bytes(request) * COPIES + request.headers().len() * FIELD).map_err(refused)?;
    Ok(Some(held))
}

/// A head that HTTP itself refuses.
fn flawed(flaw: Flaw) -> Box<Error> {
    let fault = match flaw {
        Flaw::TooManyFields => Fault::HeadersTooLarge,
        Flaw::HostMissing | Flaw::HostTwice | Flaw::HostInvalid | Flaw::AuthorizationTwice => {
            Fault::InvalidHeaders
        }
    };
    Error::new(fault, flaw.to_string())
}

/// The size of target and headers, as HTTP/1.1 writes them.
fn head_bytes(request: &Request<RequestBody>) -> usize {
    let line =
        |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    target + request.headers().iter().map(line).sum::<usize>()
}
