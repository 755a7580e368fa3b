//! What the admin server answers to operators: is the process alive, is it ready, its numbers, its catalog.
//!
//! It has a port or socket of its own and no authentication, so it changes nothing and shows no rows. It knows the state
//! of the process only through [`Status`].

mod metrics;
mod targets;

use crate::server::coding::coded;
use axum::{Router, body::Body, extract::State as Shared, routing::any};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use std::{future::Future, sync::Arc, time::Duration};
use tower_http::timeout::TimeoutLayer;

pub use metrics::{JwtCacheMetrics, Metrics, PoolMetrics, SchemaCacheMetrics};
pub use targets::TargetStatus;

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

    /// The servers, where there are replicas.
    fn targets(&self) -> Vec<TargetStatus>;

    /// The catalog as JSON; empty before the first one is loaded.
    fn schema_cache(&self) -> Bytes;
}

/// The deadline of a request to the admin server. `/live` reaches it when the main server does not accept connections.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// The admin server's service, which answers from `status`. The method does not matter, as in PostgREST.
pub fn router<S: Status>(status: Arc<S>) -> Router {
    Router::new()
        .route("/live", any(live::<S>))
        .route("/ready", any(ready::<S>))
        .route("/metrics", any(metrics::<S>))
        .route("/schema_cache", any(schema_cache::<S>))
        .layer(TimeoutLayer::with_status_code(StatusCode::INTERNAL_SERVER_ERROR, ANSWERED_WITHIN))
        .with_state(status)
}

async fn live<S: Status>(Shared(status): Shared<Arc<S>>) -> StatusCode {
    if status.is_reachable().await { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

/// The status is for machines, and the state in the body for whoever wants to know why.
async fn ready<S: Status>(Shared(status): Shared<Arc<S>>, headers: HeaderMap) -> Response<Body> {
    let state = status.state();
    let mut text = state.name().to_owned();
    if let Some(reason) = state.reason() {
        text.push_str(": ");
        text.push_str(reason);
    }
    text.push('\n');
    text.push_str(&targets::lines(&status.targets()));
    let mut response = told("text/plain; charset=utf-8", text, &headers).await;
    *response.status_mut() = match state {
        State::Loading(_) | State::Away(_) | State::Ending => StatusCode::SERVICE_UNAVAILABLE,
        State::Loaded | State::Stale(_) => live(Shared(status)).await,
    };
    response
}

async fn metrics<S: Status>(Shared(status): Shared<Arc<S>>, headers: HeaderMap) -> Response<Body> {
    let (content_type, page) = status.metrics().page(&headers);
    told(content_type, page, &headers).await
}

async fn schema_cache<S: Status>(Shared(status): Shared<Arc<S>>, headers: HeaderMap) -> Response<Body> {
    told("application/json; charset=utf-8", status.schema_cache(), &headers).await
}

async fn told(content_type: &'static str, body: impl Into<Bytes>, request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    coded(response, request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    struct Fixed(State, Reachable);

    #[derive(Clone, Copy)]
    enum Reachable {
        Yes,
        No,
        /// It does not say.
        Silent,
    }

    impl Status for Fixed {
        async fn is_reachable(&self) -> bool {
            match self.1 {
                Reachable::Yes => true,
                Reachable::No => false,
                Reachable::Silent => std::future::pending().await,
            }
        }

        fn state(&self) -> State {
            self.0.clone()
        }

        fn metrics(&self) -> Metrics {
            Metrics::default()
        }

        fn targets(&self) -> Vec<TargetStatus> {
            Vec::new()
        }

        fn schema_cache(&self) -> Bytes {
            Bytes::from_static(b"{}")
        }
    }

    async fn get(path: &str, status: Fixed) -> Result<Response<Body>, http::Error> {
        let request = Request::get(path).body(Body::empty())?;
        let Ok(response) = router(Arc::new(status)).oneshot(request).await;
        Ok(response)
    }

    #[tokio::test]
    async fn live_and_ready_tell_the_state_by_their_status() -> Result<(), http::Error> {
        use Reachable::{No, Silent, Yes};
        use State::{Ending, Loaded, Loading};
        let (stale, away) = (|| State::Stale("why".to_owned()), || State::Away("why".to_owned()));
        let cases = [
            ("/live", Loaded, Yes, 200),
            ("/live", Loading(None), Yes, 200),
            ("/live", away(), Yes, 200),
            ("/live", Loaded, No, 500),
            ("/live", Loaded, Silent, 500),
            ("/ready", Loaded, Yes, 200),
            ("/ready", Loaded, No, 500),
            ("/ready", Loaded, Silent, 500),
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
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(memchr::memmem::find(&body, part.as_bytes()).is_some(), "{path}: {body:?}");
        }
        Ok(())
    }
}
