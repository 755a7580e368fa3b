//! The load generator, on a server that only counts.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{net::TcpListener, runtime::Runtime};

use super::compare::{
    exchange::{Call, Endpoint, Protocol},
    load::{self, Limit, Pace},
};

/// A server that reads each request to its end and counts it. It lives as long as its runtime.
struct Counting {
    authority: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Counting {
    /// Answers everything with 200, and gRPC calls with this `grpc-status` behind a message of three bytes.
    fn start(grpc_status: &'static str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (connections, requests) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (opened, counted) = (connections.clone(), requests.clone());
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                let counted = counted.clone();
                let service = service_fn(move |request| answer(request, counted.clone(), grpc_status));
                tokio::spawn(async move {
                    auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                });
            }
        });
        Self { authority, connections, requests, _runtime: runtime }
    }

    fn endpoint(&self, protocol: Protocol) -> Endpoint {
        Endpoint { authority: self.authority.clone(), protocol }
    }

    fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::Relaxed), self.requests.load(Ordering::Relaxed))
    }
}

async fn answer(
    request: Request<Incoming>,
    counted: Arc<AtomicUsize>,
    grpc_status: &'static str,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let grpc = request.headers().get("content-type").is_some_and(|value| value == "application/grpc");
    request.into_body().collect().await?;
    counted.fetch_add(1, Ordering::Relaxed);
    let body = match grpc {
        true => {
            let trailers = HeaderMap::from_iter([(
                "grpc-status".parse().unwrap(),
                HeaderValue::from_static(grpc_status),
            )]);
            Full::from("\0\0\0\0\x03abc").with_trailers(async { Some(Ok(trailers)) }).boxed()
        }
        false => Full::from("[]").boxed(),
    };
    Ok(Response::new(body))
}

fn get(endpoint: &Endpoint, expected: StatusCode) -> Call {
    Call::rest(endpoint, Method::GET, "/items?id=eq.1", Bytes::new(), expected).unwrap()
}

#[test]
fn every_rest_caller_has_a_connection_and_sends_its_requests_on_it() {
    let server = Counting::start("0");
    let endpoint = server.endpoint(Protocol::Rest);
    let calls = vec![get(&endpoint, StatusCode::OK); 3];
    let sample = load::run(&endpoint, &calls, 5, Pace::Full, Limit::Requests(20)).unwrap();
    assert_eq!(server.seen(), (5, 100));
    assert_eq!(sample.answered, 100);
    assert!(sample.rate > 0.0 && sample.p50 <= sample.p99, "{sample:?}");
}

#[test]
fn at_a_rate_requests_wait_for_their_time_and_latencies_do_not_grow_by_it() {
    let server = Counting::start("0");
    let endpoint = server.endpoint(Protocol::Rest);
    let calls = [get(&endpoint, StatusCode::OK)];
    let begin = Instant::now();
    let sample = load::run(&endpoint, &calls, 1, Pace::Rate(5), Limit::Requests(3)).unwrap();
    // The first one is due at once.
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
    assert!(sample.p50 < Duration::from_millis(200), "{sample:?}");
}

#[test]
fn grpc_callers_share_several_connections() {
    let server = Counting::start("0");
    let endpoint = server.endpoint(Protocol::Grpc);
    let calls = [Call::grpc(&endpoint, "/bench.v1.ItemsService/GetItem", b"\x08\x01").unwrap()];
    load::run(&endpoint, &calls, 16, Pace::Full, Limit::Requests(10)).unwrap();
    let (connections, requests) = server.seen();
    assert_eq!(requests, 160);
    assert!((2..16).contains(&connections), "{connections}");
}

#[test]
fn an_answer_with_another_status_ends_the_measurement() {
    let server = Counting::start("0");
    let endpoint = server.endpoint(Protocol::Rest);
    let error =
        load::run(&endpoint, &[get(&endpoint, StatusCode::CREATED)], 1, Pace::Full, Limit::Requests(1))
            .unwrap_err();
    assert!(error.to_string().contains("200 OK"), "{error}");
}

#[test]
fn a_grpc_status_in_the_trailers_ends_the_measurement() {
    let server = Counting::start("14");
    let endpoint = server.endpoint(Protocol::Grpc);
    let calls = [Call::grpc(&endpoint, "/bench.v1.ItemsService/GetItem", b"").unwrap()];
    let error = load::run(&endpoint, &calls, 1, Pace::Full, Limit::Requests(1)).unwrap_err();
    assert!(format!("{error:#}").contains("grpc-status 14"), "{error:#}");
}
