//! What the admin server answers to operators: is the process alive, is it ready, its numbers, its catalog.
//!
//! It has a port or socket of its own and no authentication, so it changes nothing and shows no rows. It knows the state
//! of the process only through [`Status`].

mod metrics;

use std::convert::Infallible;
use std::future::{self, Future};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::Service;

pub use metrics::{JwtCacheMetrics, Metrics, PoolMetrics, SchemaCacheMetrics};

/// How the process is: what `/ready`, the metrics and gRPC's health agree upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is no catalog yet; why, if an attempt has failed.
    Loading(Option<String>),
    /// The catalog is as the database was when it was read.
    Loaded,
    /// The last load has failed, for this reason: an older catalog is in service.
    Stale(String),
    /// There is a catalog, and no database that answers, for this reason.
    Away(String),
    /// It goes down.
    Ending,
}

impl State {
    /// The names, in the order of the variants.
    pub const NAMES: [&str; 5] = ["loading", "loaded", "stale", "away", "ending"];

    /// Its name.
    pub fn name(&self) -> &'static str {
        let [loading, loaded, stale, away, ending] = Self::NAMES;
        match self {
            State::Loading(_) => loading,
            State::Loaded => loaded,
            State::Stale(_) => stale,
            State::Away(_) => away,
            State::Ending => ending,
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            State::Loading(reason) => reason.as_deref(),
            State::Stale(reason) | State::Away(reason) => Some(reason),
            State::Loaded | State::Ending => None,
        }
    }
}

/// The state of the process, asked for at each request.
pub trait Status: Send + Sync + 'static {
    /// Whether a client could connect to the main server now.
    fn is_reachable(&self) -> impl Future<Output = bool> + Send;

    /// How it is.
    fn state(&self) -> State;

    /// The numbers for `/metrics`.
    fn metrics(&self) -> Metrics;

    /// The catalog as JSON; empty before the first one is loaded.
    fn schema_cache(&self) -> Bytes;
}

/// The admin server's service.
#[derive(Debug)]
pub struct Admin<S>(Arc<S>);

impl<S: Status> Admin<S> {
    /// A service that answers from `status`.
    pub fn new(status: Arc<S>) -> Self {
        Admin(status)
    }
}

impl<S> Clone for Admin<S> {
    fn clone(&self) -> Self {
        Admin(self.0.clone())
    }
}

impl<S: Status, B> Service<Request<B>> for Admin<S> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// The method does not matter, as in PostgREST.
    fn call(&mut self, request: Request<B>) -> Self::Future {
        let status = self.0.clone();
        match request.uri().path() {
            "/live" => Box::pin(async move { Ok(empty(live(&*status).await)) }),
            "/ready" => Box::pin(async move { Ok(ready(&*status).await) }),
            "/metrics" => {
                let (content_type, page) = status.metrics().page(request.headers());
                found(content_type, page)
            }
            "/schema_cache" => found("application/json; charset=utf-8", status.schema_cache()),
            _ => Box::pin(future::ready(Ok(empty(StatusCode::NOT_FOUND)))),
        }
    }
}

async fn live(status: &impl Status) -> StatusCode {
    if status.is_reachable().await { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

/// The status is for machines, and the state in the body for whoever wants to know why.
async fn ready(status: &impl Status) -> Response<Full<Bytes>> {
    let state = status.state();
    let mut text = state.name().to_owned();
    if let Some(reason) = state.reason() {
        text.push_str(": ");
        text.push_str(reason);
    }
    text.push('\n');
    let mut response = text_response("text/plain; charset=utf-8", text);
    *response.status_mut() = match state {
        State::Loading(_) | State::Away(_) | State::Ending => StatusCode::SERVICE_UNAVAILABLE,
        State::Loaded | State::Stale(_) => live(status).await,
    };
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn found(
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> BoxFuture<'static, Result<Response<Full<Bytes>>, Infallible>> {
    Box::pin(future::ready(Ok(text_response(content_type, body))))
}

fn text_response(content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    struct Fixed(State, Reachable);

    #[derive(Clone, Copy, PartialEq)]
    enum Reachable {
        Yes,
        No,
    }

    impl Status for Fixed {
        async fn is_reachable(&self) -> bool {
            self.1 == Reachable::Yes
        }

        fn state(&self) -> State {
            self.0.clone()
        }

        fn metrics(&self) -> Metrics {
            Metrics::default()
        }

        fn schema_cache(&self) -> Bytes {
            Bytes::from_static(b"{}")
        }
    }

    async fn get(path: &str, status: Fixed) -> Result<Response<Full<Bytes>>, http::Error> {
        let request = Request::get(path).body(())?;
        let Ok(response) = Admin::new(Arc::new(status)).oneshot(request).await;
        Ok(response)
    }

    #[tokio::test]
    async fn live_and_ready_tell_the_state_by_their_status() -> Result<(), http::Error> {
        use Reachable::{No, Yes};
        use State::{Ending, Loaded, Loading};
        let (stale, away) = (|| State::Stale("why".to_owned()), || State::Away("why".to_owned()));
        let cases = [
            ("/live", Loaded, Yes, 200),
            ("/live", Loading(None), Yes, 200),
            ("/live", away(), Yes, 200),
            ("/live", Loaded, No, 500),
            ("/ready", Loaded, Yes, 200),
            ("/ready", Loaded, No, 500),
            ("/ready", stale(), Yes, 200),
            ("/ready", Loading(None), Yes, 503),
            ("/ready", Loading(None), No, 503),
            ("/ready", away(), Yes, 503),
            ("/ready", Ending, Yes, 503),
            ("/config", Loaded, Yes, 404),
            ("/", Loaded, Yes, 404),
            ("/live/", Loaded, Yes, 404),
        ];
        for (path, state, reachable, expected) in cases {
            let status = get(path, Fixed(state.clone(), reachable)).await?.status();
            assert_eq!(status.as_u16(), expected, "{path} {state:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn metrics_are_text_and_the_schema_cache_is_json() -> Result<(), http::Error> {
        for (path, content_type, part) in [
            ("/metrics", "text/plain; charset=utf-8", "pgrst_db_pool_max 0.0\n"),
            ("/schema_cache", "application/json; charset=utf-8", "{}"),
        ] {
            let response = get(path, Fixed(State::Loaded, Reachable::Yes)).await?;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()[CONTENT_TYPE], content_type);
            let Ok(body) = response.into_body().collect().await;
            let body = body.to_bytes();
            assert!(memchr::memmem::find(&body, part.as_bytes()).is_some(), "{path}: {body:?}");
        }
        Ok(())
    }
}
