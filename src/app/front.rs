//! The service behind the port: each request is steered to a front door of the
//! services that are in place when it comes, and logged when it is answered.

use super::{
    held::held,
    loader::Loader,
    pages::{self, InPlace, pages},
    seen::{About, Seen},
    services::{Services, unavailable},
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
        cors,
        forwarded::Forwarded,
        head::{self, Flaw},
        request_id::RequestIds,
        steer::{Branch, steer},
    },
};
use axum::{Router, body::Body};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, request::Parts};
use std::{
    convert::Infallible,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

/// Cloned for each connection.
#[derive(Clone, Debug)]
pub(super) struct Front {
    loader: Arc<Loader>,
    pages: Router,
    ids: Arc<RequestIds>,
    admission: Admission,
}

impl Front {
    pub(super) fn new(loader: Arc<Loader>) -> Self {
        Self { loader, pages: pages(), ids: Arc::default(), admission: Admission::default() }
    }
}

impl tower::Service<Request<RequestBody>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let (services, config) = (self.loader.services(), self.loader.config());
        if let Some(forwarded) = Forwarded::of(&head, body.peer(), &config) {
            head.extensions.insert(forwarded);
        }
        let id = self.ids.of(&head.headers);
        let mut seen = Seen::of(&head, body.peer(), id, &config, &self.loader);
        let place = match config.server_base_path.as_deref().map(|base| base::below(base, &head.uri)) {
            None => Place::Everywhere,
            Some(None) => Place::Elsewhere,
            Some(Some(target)) => {
                seen.was_sent_to(mem::replace(&mut head.uri, target));
                Place::Below
            }
        };
        let is_service = |name: &str| services.as_ref().is_some_and(|services| services.grpc.knows(name));
        let branch = steer(&head, is_service, |path| pages::are_at(path, &config));
        seen.steered(branch, head.uri.path());
        let (ticket, refused) = match self.enter(&config, branch, head.uri.path()) {
            Ok(ticket) => (ticket, None),
            Err(Busy) => (None, Some(busy())),
        };
        let admitted = check(&head, &config, place, branch).and_then(|()| refused.map_or(Ok(()), Err));
        let policy = match branch {
            Branch::Grpc => &cors::GRPC,
            Branch::Rest | Branch::Pages => &cors::REST,
        };
        let preflight = match admitted {
            Ok(()) => policy.preflight(&head, &config.server_cors_allowed_origins),
            Err(_) => None,
        };
        let held = admitted.and_then(|()| hold_head(&head, services.as_deref()));
        let limits_roles = services.as_ref().is_some_and(|services| !services.engine.limits().is_empty());
        let pad = seen.pad();
        let mut way = Way { seen, config, place, policy: Some(policy), ticket, limits_roles };
        // Each branch is a future of its own: none takes room for what only another needs.
        let answered: Self::Future = match (branch, held, services) {
            (branch, _, services) if let Some(preflight) = preflight => {
                way.policy = None;
                let services = services.filter(|_| branch == Branch::Rest);
                let route = services.map(|services| rest::route(&services.engine, &head));
                let about = About { route, ..About::default() };
                Box::pin(std::future::ready(Ok(way.back(head, preflight, about))))
            }
            (Branch::Grpc, Ok(held), Some(services)) => Box::pin(async move {
                let leaving = way.seen.leaving(&head, &services);
                let answer = services.grpc.clone().serve(&head, body).await.map(Body::new);
                leaving.stays();
                drop(held);
                let about = answer.extensions().get::<grpc::Called>().cloned();
                Ok(way.back(head, answer, about.map(About::from).unwrap_or_default()))
            }),
            (Branch::Rest, Ok(held), Some(services)) => Box::pin(async move {
                let Services { engine, authenticator, documents, .. } = &*services;
                let leaving = way.seen.leaving(&head, &services);
                let (answer, about) = rest::serve(engine, authenticator, documents, &head, body, None).await;
                leaving.stays();
                drop(held);
                Ok(way.back(head, answer, about.into()))
            }),
            (Branch::Pages, Ok(held), services) => {
                let route = self.loader.pool().meters().routes.documents.clone();
                let mut router = self.pages.clone();
                let mut request = Request::from_parts(head.clone(), body);
                request.extensions_mut().insert(InPlace { services, config: way.config.clone() });
                Box::pin(async move {
                    let answer = pages::measured(&head.method, router.call(request).await?);
                    drop(held);
                    let identity = answer.extensions().get::<Arc<Identity>>().cloned();
                    Ok(way.back(head, answer, About { identity, route: Some(route), method: None }))
                })
            }
            (Branch::Grpc, held, _) => Box::pin(async move {
                let error = held.err().unwrap_or_else(unavailable);
                let answer = grpc::failure(&head, body, &error).await.map(Body::new);
                Ok(way.back(head, answer, About::default()))
            }),
            (Branch::Rest | Branch::Pages, held, _) => {
                let error = held.err().unwrap_or_else(unavailable);
                let answer = rest::failure(&error, &head, &way.config);
                Box::pin(std::future::ready(Ok(way.back(head, answer, About::default()))))
            }
        };
        match pad {
            Some(pad) => Box::pin(async move { pad.during(answered).await }),
            None => answered,
        }
    }
}

/// What an answer passes on its way back, whoever made it: the layers of this house. None of them boxes or wraps what it
/// has nothing to do with, so that all requests can pass them.
struct Way {
    seen: Seen,
    config: Arc<Config>,
    place: Place,
    /// What browsers are told; none where the answer is about nothing else.
    policy: Option<&'static cors::Policy>,
    ticket: Option<Ticket>,
    limits_roles: bool,
}

impl Way {
    fn back(self, head: Parts, mut answer: Response<Body>, about: About) -> Response<Body> {
        let Self { seen, config, place, policy, ticket, limits_roles } = self;
        let headers = answer.headers_mut();
        if let (Place::Below, Some(base)) = (place, config.server_base_path.as_deref()) {
            base::restore(base, headers);
        }
        if let Some(policy) = policy {
            policy.expose(&head.headers, headers, &config.server_cors_allowed_origins);
        }
        seen.id().tell(headers);
        let answer = seen.answered(head, answer, about);
        match (&ticket, limits_roles) {
            (None, false) => answer,
            (Some(_), _) | (None, true) => held(answer, ticket),
        }
    }
}

/// Where health and reflection are, which are for whoever looks after a server that is busy.
pub(super) const INFRASTRUCTURE: &str = "/grpc.";

impl Front {
    /// Counts a request where `server-max-requests` limits them. Fails where there are as many as there may be.
    fn enter(&self, config: &Config, branch: Branch, path: &str) -> Result<Option<Ticket>, Busy> {
        let Some(limit) = config.server_max_requests else { return Ok(None) };
        match branch {
            Branch::Grpc if path.starts_with(INFRASTRUCTURE) => Ok(None),
            Branch::Grpc | Branch::Rest | Branch::Pages => {
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

fn headers_too_large(limit: usize) -> Box<Error> {
    Error::new(Fault::HeadersTooLarge, format!("Target and headers are larger than {limit} bytes"))
}

/// Whether a request can be answered at all, as far as its head tells.
fn check(head: &Parts, config: &Config, place: Place, branch: Branch) -> Result<(), Box<Error>> {
    let limit = config.server_max_header_bytes;
    if head_bytes(head) > limit {
        return Err(headers_too_large(limit));
    }
    head::check(head).map_err(flawed)?;
    match (place, branch) {
        (Place::Elsewhere, Branch::Rest | Branch::Pages) => Err(elsewhere()),
        (Place::Elsewhere, Branch::Grpc) | (Place::Everywhere | Place::Below, _) => Ok(()),
    }
}

/// A connection of HTTP/2 may have many requests at once, whose heads are held until they are answered. Over HTTP/1 there is
/// one, which the connection counts.
fn hold_head(head: &Parts, services: Option<&Services>) -> Result<Option<Lease>, Box<Error>> {
    let Some(services) = services.filter(|_| head.version == http::Version::HTTP_2) else { return Ok(None) };
    let mut held = services.engine.memory().lease();
    let refused = |full: Full| Error::new(Fault::MemoryExhausted, full.to_string());
    held.cover(head_bytes(head) * COPIES + head.headers.len() * FIELD).map_err(refused)?;
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
fn head_bytes(head: &Parts) -> usize {
    let line =
        |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    target + head.headers.iter().map(line).sum::<usize>()
}
