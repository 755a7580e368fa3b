//! The tower service of the gRPC branch: CORS, gRPC-Web and Connect around it,
//! methods looked up by path in the services of one catalog.

use super::{
    Grpc, call as calls,
    codec::RawCodec,
    connect::{self, PREFIX},
    intake, respond,
    services::Responses,
};
use crate::{
    config::Origins,
    error::{Caller, Error, Fault},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tonic::{
    Code, Status,
    body::Body,
    codec::CompressionEncoding,
    server::{ServerStreamingService, UnaryService},
};
use tower::{Layer, Service, ServiceExt};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What a browser's script may read of an answer.
const EXPOSED: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// A shorter answer is not compressed: that costs more than calling for it, and
/// saves no packet.
const SHORTEST_COMPRESSED: usize = 1024;

/// How long a browser may remember a preflight, as on the REST side.
const PREFLIGHT: Duration = Duration::from_secs(86_400);

/// Answers a request of the gRPC branch: gRPC, gRPC-Web, Connect or a preflight.
pub(super) async fn serve<B>(grpc: Arc<Grpc>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let service = grpc.cors.layer(Methods(grpc.clone()));
    let request = request.map(Body::new);
    match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// What browsers are told; `allowed` is the option `server-cors-allowed-origins`.
pub(super) fn cors(allowed: &Origins) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([http::Method::POST, http::Method::GET])
        .allow_headers(tower_http::cors::AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(PREFLIGHT);
    match allowed {
        Origins::Any => layer.allow_origin(tower_http::cors::Any),
        Origins::Listed(origins) => {
            let origins = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
            layer.allow_origin(AllowOrigin::list(origins)).allow_credentials(true)
        }
    }
}

/// Methods by path, in each protocol.
#[derive(Clone)]
struct Methods(Arc<Grpc>);

impl Service<Request<Body>> for Methods {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let grpc = self.0.clone();
        Box::pin(async move {
            if !is_grpc(&request) {
                return Ok(connect::serve(grpc, request).await);
            }
            let methods = tower::service_fn(move |request| {
                let grpc = grpc.clone();
                async move { Ok::<_, Infallible>(answer(grpc, request).await) }
            });
            tonic_web::GrpcWebLayer::new().layer(methods).oneshot(request).await
        })
    }
}

/// Whether a request is gRPC's or gRPC-Web's; what is not is Connect's.
fn is_grpc(request: &Request<Body>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    kind.to_ascii_lowercase().starts_with(b"application/grpc")
}

/// Services that are there whatever the catalog, by full name.
const REFLECTION: &str = "grpc.reflection.v1.ServerReflection";
const REFLECTION_ALPHA: &str = "grpc.reflection.v1alpha.ServerReflection";
const HEALTH: &str = "grpc.health.v1.Health";

/// Whether the service describes or watches the others.
pub(super) fn is_infrastructure(service: &str) -> bool {
    [REFLECTION, REFLECTION_ALPHA, HEALTH].contains(&service)
}

/// Answers a gRPC call.
pub(super) async fn answer(grpc: Arc<Grpc>, request: Request<Body>) -> Response<Body> {
    let service = request.uri().path().split('/').nth(1).unwrap_or_default();
    let answered = match service {
        REFLECTION => grpc.reflection.v1().oneshot(request).await,
        REFLECTION_ALPHA => grpc.reflection.v1alpha().oneshot(request).await,
        HEALTH => grpc.health.server().oneshot(request).await,
        _ => Ok(call(grpc, request).await),
    };
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn call(grpc: Arc<Grpc>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let Some(method) = grpc.services.method(&path) else { return missing(&path).into_http() };
    let responses = method.responses;
    let limit = grpc.engine.config().grpc_max_receive_bytes;
    let mut server = tonic::server::Grpc::new(RawCodec).max_decoding_message_size(limit);
    // The messages of a stream are compressed one by one, as long as a row each. Most
    // clients say by themselves that they take that; those that want it do so, too.
    let sends_compressed = match responses {
        Responses::One => true,
        Responses::Stream => is_compressed(request.headers()),
    };
    for encoding in [CompressionEncoding::Zstd, CompressionEncoding::Gzip] {
        server = server.accept_compressed(encoding);
        if sends_compressed {
            server = server.send_compressed(encoding);
        }
    }
    let (head, body) = request.into_parts();
    let message = match intake::whole(&grpc, &head.extensions, body, limit.saturating_add(PREFIX)).await {
        Ok(message) => message,
        Err(status) => return status.into_http(),
    };
    // Counted until the call is answered; the decoder has a copy.
    let _held = message.clone();
    let request = Request::from_parts(head, Body::new(http_body_util::Full::new(message)));
    let handler = Handler { grpc, path };
    let response = match responses {
        Responses::One => server.unary(handler, request).await,
        Responses::Stream => server.server_streaming(handler, request).await,
    };
    if is_over_limit(response.headers()) { too_large(limit).into_http() } else { response }
}

/// Whether a request's messages are, or may be.
fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity")
}

/// Whether tonic refused a message for its length, as it came or decompressed.
/// Other errors of these codes have details.
fn is_over_limit(headers: &HeaderMap) -> bool {
    let codes = [Code::OutOfRange, Code::ResourceExhausted];
    !headers.contains_key("grpc-status-details-bin")
        && headers.get("grpc-status").is_some_and(|found| codes.contains(&Code::from_bytes(found.as_bytes())))
}

/// A message is over the limit.
pub(super) fn too_large(limit: usize) -> Status {
    let error = Error::new(Fault::BodyTooLarge, format!("The message is longer than {limit} bytes"));
    respond::status(&error, Caller::Anonymous)
}

fn missing(path: &str) -> Status {
    respond::status(
        &Error::new(Fault::MethodMissing, format!("There is no method {path}")),
        Caller::Anonymous,
    )
}

/// Whether a request is gRPC's at all, for an answer when nothing can be looked up yet.
pub(super) fn refuse(status: Status) -> Response<Body> {
    let mut response = status.into_http();
    response
        .headers_mut()
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/grpc"));
    response
}

/// One call.
struct Handler {
    grpc: Arc<Grpc>,
    path: String,
}

impl UnaryService<Bytes> for Handler {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (grpc, path) = (self.grpc.clone(), std::mem::take(&mut self.path));
        Box::pin(async move {
            let method = grpc.services.method(&path).ok_or_else(|| missing(&path))?;
            let message = calls::unary(&grpc, method, &path, request).await?;
            let is_short = message.len() < SHORTEST_COMPRESSED;
            let mut response = tonic::Response::new(message);
            if is_short {
                response.disable_compression();
            }
            Ok(response)
        })
    }
}

impl ServerStreamingService<Bytes> for Handler {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = BoxFuture<'static, Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (grpc, path) = (self.grpc.clone(), std::mem::take(&mut self.path));
        Box::pin(async move {
            let method = grpc.services.method(&path).ok_or_else(|| missing(&path))?;
            let rows = calls::streaming(&grpc, method, &path, request)?;
            Ok(tonic::Response::new(Box::pin(rows) as Self::ResponseStream))
        })
    }
}
