//! The tower service of the gRPC branch: CORS, gRPC-Web and Connect around it,
//! methods looked up by path in the services of one catalog. What a request cannot
//! be is refused before anything of it is read; see [`Protocol`].

use super::{
    Grpc, call as calls,
    call::{Answered, Asker},
    codec::RawCodec,
    connect::{self, Form, Known, PREFIX},
    ended::{Ended, watched},
    infrastructure::Infrastructure,
    intake,
    lent::lend,
    protocol::{NotTaken, Protocol},
    respond,
    services::{Effects, Method, Responses, Signature},
};
use crate::{
    config::{Origins, Verbosity},
    error::{Caller, Error, Fault},
};
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header};
use http_body::Frame;
use http_body_util::StreamBody;
use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};
use tonic::{
    Code, Status,
    body::Body,
    codec::CompressionEncoding,
    metadata::{MetadataMap, MetadataValue},
    server::{ServerStreamingService, UnaryService},
};
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// What a browser's script may read of an answer: how a call ended.
const EXPOSED: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static(DETAILS),
];
/// What prost's errors begin with.
pub(super) const NO_PROTOBUF: &str = "failed to decode Protobuf message";
const DETAILS: &str = "grpc-status-details-bin";
/// Which compression there is, where another one was used.
const ACCEPTED: &str = "grpc-accept-encoding";

/// A shorter answer is not compressed: that costs more than calling for it, and
/// saves no packet.
pub(super) const SHORTEST_COMPRESSED: usize = 1024;

/// How long a browser may remember a preflight, as on the REST side.
const PREFLIGHT: Duration = Duration::from_secs(86_400);

/// Answers a request of the gRPC branch: gRPC, gRPC-Web, Connect or a preflight.
pub(super) async fn serve<B>(grpc: Arc<Grpc>, request: Request<B>) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let cors = grpc.cors.clone();
    let service = tower::service_fn(move |request| {
        let grpc = grpc.clone();
        async move { Ok(enter(grpc, request).await) }
    });
    infallible(cors.layer(service).oneshot(request.map(Body::new)).await).map(Body::new)
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

/// Answers in the request's protocol. A client gets to see a refusal while it still writes.
async fn enter(grpc: Arc<Grpc>, request: Request<Body>) -> Response<Body> {
    let (request, rest) = lend(request);
    let path = request.uri().path().to_owned();
    let known = grpc.signature(&path).map(|signature| Known { grpc: &grpc, signature });
    let called = grpc.clone();
    let service = move |request| answer(called.clone(), request);
    let response = translated(request, known, service).await;
    let ended = response.extensions().get::<Ended>().and_then(Ended::code);
    if ended.is_some_and(|code| code != Code::Ok) {
        rest.drain().await;
    }
    response
}

/// Refuses a call that no service has seen, in its own protocol.
pub(super) async fn refuse(request: Request<Body>, status: Status) -> Response<Body> {
    let (request, rest) = lend(request);
    // What a client of gRPC over HTTP/1.1 can read is this alone.
    if request.version() < Version::HTTP_2 && Protocol::is_grpc_itself(request.headers()) {
        return watched(status.into_http());
    }
    let service = |_| std::future::ready(watched(status.clone().into_http()));
    let response = translated(request, None, service).await;
    rest.drain().await;
    response
}

/// The answer of a gRPC service to a request of any protocol. What is in none does not reach it.
async fn translated<F: Future<Output = Response<Body>>>(
    mut request: Request<Body>,
    known: Option<Known<'_>>,
    service: impl Fn(Request<Body>) -> F,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let (head, body) = request.into_parts();
    let protocol = match Protocol::of(&head).and_then(|protocol| fitting(protocol, known, &path)) {
        Ok(protocol) => protocol,
        Err(why) => return why.into_response(&head),
    };
    request = Request::from_parts(head, body);
    match protocol {
        Protocol::Grpc => service(request).await,
        Protocol::GrpcWeb(kind) => {
            // Without the parameters that it may have, which the layer does not look for.
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            let service = tower::service_fn(|request| {
                let answered = service(request);
                async { Ok(with_trailers(answered.await)) }
            });
            infallible(tonic_web::GrpcWebLayer::new().layer(service).oneshot(request).await)
        }
        Protocol::Connect(form) => connect::serve(form, known, request, service).await,
    }
}

/// The protocol, if the method can be called so: with one message in Connect only what answers
/// by one, and by GET only what changes nothing.
fn fitting(protocol: Protocol, known: Option<Known<'_>>, path: &str) -> Result<Protocol, NotTaken> {
    let Some(Known { signature: Signature { responses, effects, .. }, .. }) = known else {
        return Ok(protocol);
    };
    match (protocol, responses, effects) {
        (Protocol::Connect(Form::Get), Responses::Stream, _)
        | (Protocol::Connect(Form::Get), Responses::One, Effects::Some) => Err(NotTaken::Method("POST")),
        (Protocol::Connect(Form::Unary(_)), Responses::Stream, _) => Err(NotTaken::stream(path)),
        (Protocol::Connect(Form::Get), Responses::One, Effects::None)
        | (Protocol::Connect(Form::Unary(_)), Responses::One, _)
        | (Protocol::Connect(Form::Stream(_)) | Protocol::Grpc | Protocol::GrpcWeb(_), _, _) => Ok(protocol),
    }
}

/// An answer that is an error and nothing else has it in its headers. Clients of gRPC-Web look for it in trailers, some of
/// them in the headers too.
fn with_trailers(response: Response<Body>) -> Response<Body> {
    let told = EXPOSED.map(|name| (response.headers().get(&name).cloned(), name));
    let trailers: HeaderMap = told.into_iter().filter_map(|(value, name)| Some((name, value?))).collect();
    match trailers.is_empty() {
        true => response,
        // A body without a length, which would be that of the empty one.
        false => response.map(|_| {
            let frame = std::future::ready(Ok::<_, Status>(Frame::trailers(trailers)));
            Body::new(StreamBody::new(stream::once(frame)))
        }),
    }
}

/// Answers a gRPC call.
async fn answer(grpc: Arc<Grpc>, request: Request<Body>) -> Response<Body> {
    let limit = grpc.engine.config().grpc_max_receive_bytes;
    let path = request.uri().path().to_owned();
    let answered = match (grpc.services.method(&path), grpc.infrastructure.method(&path)) {
        (Some(method), _) => call(&grpc, path, method, request, limit).await,
        (None, Some(service)) => infrastructure(&grpc, service, request, limit).await,
        (None, None) => Err(missing(&path)),
    };
    watched(mended(answered.unwrap_or_else(Status::into_http), limit))
}

/// Answers a call of what is there whatever the catalog.
async fn infrastructure(
    grpc: &Grpc,
    service: Infrastructure,
    request: Request<Body>,
    limit: usize,
) -> Result<Response<Body>, Status> {
    if service == Infrastructure::Health {
        let (head, body) = request.into_parts();
        let message = intake::whole(grpc, &head.extensions, body, limit.saturating_add(PREFIX)).await?;
        one(&message)?;
        let request = Request::from_parts(head, Body::new(http_body_util::Full::new(message)));
        return Ok(infallible(grpc.health.server().max_decoding_message_size(limit).oneshot(request).await));
    }
    let identity = calls::identify(grpc, request.headers())?;
    grpc.infrastructure.may_reflect(&identity).map_err(|error| grpc.refusal(&error, identity.caller))?;
    let mut response = infallible(match service {
        Infrastructure::ReflectionAlpha => grpc.reflection.v1alpha().oneshot(request).await,
        Infrastructure::Reflection | Infrastructure::Health => grpc.reflection.v1().oneshot(request).await,
    });
    response.extensions_mut().insert(identity);
    Ok(response)
}

/// Answers a call of a method of the catalog's. Who asks and how long it may take is known before
/// anything of the message is read.
async fn call(
    grpc: &Arc<Grpc>,
    path: String,
    method: &Method,
    request: Request<Body>,
    limit: usize,
) -> Result<Response<Body>, Status> {
    let asker = Asker::of(grpc, request.headers())?;
    let identity = asker.identity.clone();
    let responses = method.signature.responses;
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
    known_compression(request.headers())?;
    let (head, body) = request.into_parts();
    let message = intake::whole(grpc, &head.extensions, body, limit.saturating_add(PREFIX)).await?;
    one(&message)?;
    // Counted until the call is answered; the decoder has a copy.
    let _held = message.clone();
    let request = Request::from_parts(head, Body::new(http_body_util::Full::new(message)));
    let handler = Handler { grpc: grpc.clone(), path, asker: Some(asker) };
    let mut response = match responses {
        Responses::One => server.unary(handler, request).await,
        Responses::Stream => server.server_streaming(handler, request).await,
    };
    response.extensions_mut().insert(identity);
    Ok(response)
}

/// No method takes a stream: the body is one message in its frame
/// (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>). A frame that is cut off is told of by its decoder.
fn one(body: &Bytes) -> Result<(), Status> {
    let Some((prefix, rest)) = body.split_first_chunk::<PREFIX>() else {
        return match body.is_empty() {
            true => Err(fault(Fault::NotImplemented, "A method takes one message, and none came")),
            false => Ok(()),
        };
    };
    let [_flag, length @ ..] = *prefix;
    match usize::try_from(u32::from_be_bytes(length)).is_ok_and(|length| rest.len() > length) {
        true => Err(fault(Fault::NotImplemented, "A method takes one message, and more came")),
        false => Ok(()),
    }
}

fn infallible<T>(answered: Result<T, Infallible>) -> T {
    match answered {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// Whether a request's messages are, or may be.
fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity")
}

/// Compression that there is not is refused before anything is read.
fn known_compression(headers: &HeaderMap) -> Result<(), Status> {
    let known = ["identity", "gzip", "zstd"];
    match headers.get("grpc-encoding").map(|encoding| encoding.to_str().unwrap_or("an unknown encoding")) {
        None => Ok(()),
        Some(encoding) if known.contains(&encoding) => Ok(()),
        Some(encoding) => {
            let mut status =
                fault(Fault::NotImplemented, &format!("Nothing is compressed by {encoding} here"));
            status.metadata_mut().insert(ACCEPTED, MetadataValue::from_static("zstd,gzip,identity"));
            Err(status)
        }
    }
}

/// What tonic refuses before a message is read, it says in its own words and without details,
/// which everything that is said here has: it becomes what it would be here, a fault of the client's.
fn mended(response: Response<Body>, limit: usize) -> Response<Body> {
    if response.headers().contains_key(DETAILS) {
        return response;
    }
    let Some(said) = Status::from_header_map(response.headers()) else { return response };
    let status = match said.code() {
        // As it came, or decompressed.
        Code::OutOfRange | Code::ResourceExhausted => too_large(limit),
        // What is no protobuf. Frames that are none are internal errors by gRPC's own rules.
        Code::Internal if said.message().starts_with(NO_PROTOBUF) => {
            fault(Fault::InvalidMessage, said.message())
        }
        Code::Unimplemented => fault(Fault::NotImplemented, said.message()),
        _ => return response,
    };
    let mut mended = status.into_http();
    if let Some(accepted) = response.headers().get(ACCEPTED) {
        mended.headers_mut().insert(ACCEPTED, accepted.clone());
    }
    *mended.extensions_mut() = response.into_parts().0.extensions;
    mended
}

/// The status of a fault that whoever asks may know of.
pub(super) fn fault(fault: Fault, message: &str) -> Status {
    respond::status(&Error::new(fault, message), Caller::Anonymous, Verbosity::Minimal)
}

/// A message is over the limit.
pub(super) fn too_large(limit: usize) -> Status {
    fault(Fault::BodyTooLarge, &format!("The message is longer than {limit} bytes"))
}

fn missing(path: &str) -> Status {
    fault(Fault::MethodMissing, &format!("There is no method {path}"))
}

/// One call.
struct Handler {
    grpc: Arc<Grpc>,
    path: String,
    /// Until it is made.
    asker: Option<Asker>,
}

impl Handler {
    fn take(&mut self) -> Option<(Arc<Grpc>, String, Asker)> {
        Some((self.grpc.clone(), std::mem::take(&mut self.path), self.asker.take()?))
    }
}

/// A handler is made for one call, so this does not happen.
fn called_twice() -> Status {
    fault(Fault::Internal, "Internal error")
}

impl UnaryService<Bytes> for Handler {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let taken = self.take();
        Box::pin(async move {
            let (grpc, path, asker) = taken.ok_or_else(called_twice)?;
            let method = grpc.services.method(&path).ok_or_else(|| missing(&path))?;
            let Answered { message, metadata } = calls::unary(&grpc, method, &path, asker, request).await?;
            let is_short = message.len() < SHORTEST_COMPRESSED;
            let mut response = tonic::Response::new(message);
            *response.metadata_mut() = MetadataMap::from_headers(metadata);
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
        let taken = self.take();
        Box::pin(async move {
            let (grpc, path, asker) = taken.ok_or_else(called_twice)?;
            let method = grpc.services.method(&path).ok_or_else(|| missing(&path))?;
            let rows = calls::streaming(&grpc, method, &path, asker, request)?;
            Ok(tonic::Response::new(Box::pin(rows) as Self::ResponseStream))
        })
    }
}
