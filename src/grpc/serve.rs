//! The gRPC branch: gRPC-Web and Connect around it,
//! methods looked up by path in the services of one catalog. What a request cannot
//! be is refused before anything of it is read; see [`Protocol`].

use super::{
    Callable, Grpc,
    blame::Asked,
    call::{self as calls, Asker},
    connect::{self, Compression, Form, Known, PREFIX},
    decode::{self, Calls},
    ended::{Called, Ended, watched},
    framing,
    infrastructure::Infrastructure,
    intake,
    lent::{drain, lend},
    metadata,
    method::{Effects, Responses},
    protocol::{NotTaken, Protocol},
    respond,
    services::{Method, Signature, Target},
    timing, transaction,
};
use crate::{
    auth::Identity,
    config::Verbosity,
    error::{Caller, Error, Fault},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header, request::Parts};
use http_body::Frame;
use http_body_util::StreamBody;
use std::{convert::Infallible, sync::Arc};
use tonic::{Code, Status, body::Body, metadata::MetadataValue};
use tower::{Layer, ServiceExt};

/// How a call ended, where an answer has it in its headers.
const ENDING: [HeaderName; 3] = [
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

/// Answers a request of the gRPC branch: gRPC, gRPC-Web or Connect.
pub(super) async fn serve<B>(grpc: Arc<Grpc>, head: &Parts, mut body: B) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let Some(method) = called_as_it_is(&grpc, head) else {
        let memory = grpc.engine.memory().clone();
        let request = intake::request(Request::from_parts(head.clone(), body));
        // Apart, so that a call of gRPC itself needs no room for what translates.
        let answered = Box::pin(enter(grpc, request)).await;
        return answered.map(|body| intake::answer(body, memory));
    };
    let response = call(&grpc, &method, head, &mut body).await;
    if is_refusal(&response) {
        drain(body, &head.headers).await;
    }
    response
}

/// The method, if the request is a call of the catalog's services in gRPC itself: around it nothing has to be translated.
fn called_as_it_is(grpc: &Grpc, head: &Parts) -> Option<Method> {
    let is_grpc = matches!(Protocol::of(head), Ok(Protocol::Grpc));
    is_grpc.then(|| grpc.services.method(head.uri.path()))?
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Answers in the request's protocol. A client gets to see a refusal while it still writes.
async fn enter(grpc: Arc<Grpc>, request: Request<Body>) -> Response<Body> {
    let (request, rest) = lend(request);
    let path = request.uri().path().to_owned();
    let method = grpc.method(&path);
    let known = method.as_ref().map(|method| Known { grpc: &grpc, method });
    let called = grpc.clone();
    let service = move |request| answer(called.clone(), request);
    let response = translated(request, known, service).await;
    if is_refusal(&response) {
        rest.drain().await;
    }
    response
}

/// Whether a call has failed by now.
fn is_refusal(response: &Response<Body>) -> bool {
    let ended = response.extensions().get::<Ended>().and_then(Ended::code);
    ended.is_some_and(|code| code != Code::Ok)
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
    let Some(Signature { responses, effects }) = known.map(|known| known.method.signature()) else {
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
    let told = ENDING.map(|name| (response.headers().get(&name).cloned(), name));
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
    let (head, mut body) = request.into_parts();
    match grpc.method(&path) {
        Some(Callable::Catalog(method)) => call(&grpc, &method, &head, &mut body).await,
        Some(Callable::Infrastructure(method)) => {
            let request = Request::from_parts(head, body);
            let answered = infrastructure(&grpc, method.of, request, limit).await;
            let mut response = watched(mended(answered.unwrap_or_else(Status::into_http), limit));
            let identity = response.extensions_mut().remove::<Arc<Identity>>();
            let route = grpc.engine.meters().routes.infrastructure.clone();
            response.extensions_mut().insert(Called { identity, route, method: method.of.counted() });
            response
        }
        None => watched(missing(&path).into_http()),
    }
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
    let identity = calls::identify(grpc, request.headers()).await?;
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
async fn call<B>(grpc: &Grpc, method: &Method, head: &Parts, body: &mut B) -> Response<Body>
where
    B: http_body::Body + Unpin,
    B::Error: Into<BoxError>,
{
    let (route, counted) = (grpc.route(method), method.counted());
    let asker = match Asker::of(grpc, &head.headers).await {
        Ok(asker) => asker,
        Err(status) => {
            let mut response = watched(status.into_http());
            response.extensions_mut().insert(Called { identity: None, route, method: counted });
            return response;
        }
    };
    let ticket = grpc.engine.limits().enter(&asker.identity.role);
    let answered = match (&ticket, &method.target) {
        (Err(error), _) => Err(grpc.refusal(error, asker.identity.caller)),
        // Apart from other calls, which need no room for it.
        (Ok(_), Target::Transaction) => Box::pin(transacted(grpc, method, head, body, &asker)).await,
        (Ok(_), Target::Relation { .. } | Target::Function { .. }) => {
            match received(grpc, method, head, body, &asker).await {
                Ok(received) if grpc.engine.config().server_timing_enabled => {
                    timing::timed(Box::pin(carried_out(grpc, method, received, &asker))).await
                }
                Ok(received) => carried_out(grpc, method, received, &asker).await,
                Err(status) => Err(status),
            }
        }
    };
    let mut response = answered.unwrap_or_else(|status| watched(status.into_http()));
    response.extensions_mut().insert(Called { identity: Some(asker.identity), route, method: counted });
    if let Ok(Some(ticket)) = ticket {
        response.extensions_mut().insert(ticket);
    }
    response
}

/// A call whose message has come in whole.
struct Received {
    calls: decode::Calls,
    asked: Asked,
    /// How the answer is compressed, if that is worth it.
    compression: Option<Compression>,
}

/// The message of a call, and how it came compressed.
async fn taken_in<B>(grpc: &Grpc, head: &Parts, body: &mut B) -> Result<(Bytes, Option<Compression>), Status>
where
    B: http_body::Body + Unpin,
    B::Error: Into<BoxError>,
{
    let limit = grpc.engine.config().grpc_max_receive_bytes;
    let compression = compression(&head.headers)?;
    let frame = intake::whole(grpc, &head.extensions, body, limit.saturating_add(PREFIX)).await?;
    Ok((framing::message(&frame, compression, limit)?, compression))
}

async fn received<B>(
    grpc: &Grpc,
    method: &Method,
    head: &Parts,
    body: &mut B,
    asker: &Asker,
) -> Result<Received, Status>
where
    B: http_body::Body + Unpin,
    B::Error: Into<BoxError>,
{
    let (message, compression) = taken_in(grpc, head, body).await?;
    let calls = calls::decode(grpc, method, head, asker, &message)
        .map_err(|error| grpc.refusal(&error, asker.identity.caller))?;
    let accepted = Compression::accepted(head.headers.get(ACCEPTED));
    let compression = accepted.filter(|_| match method.signature.responses {
        Responses::One => true,
        // The messages of a stream are compressed one by one, as long as a row each. Most clients say by themselves that
        // they take that; those that want it do so, too.
        Responses::Stream => compression.is_some(),
    });
    let first = calls.first().ok_or_else(|| grpc.refusal(&calls::mismatch(), asker.identity.caller))?;
    Ok(Received { asked: Asked::of(&first.request), calls, compression })
}

async fn carried_out(
    grpc: &Grpc,
    method: &Method,
    received: Received,
    asker: &Asker,
) -> Result<Response<Body>, Status> {
    let (Received { calls, asked, compression }, identity) = (received, &asker.identity);
    let refused = |error: Box<Error>| grpc.refusal_of(&asked, &error, identity.caller);
    let (message, headers) = match (method.signature.responses, calls) {
        (Responses::One, Calls::One(call)) => {
            calls::answer(grpc, call, &asked, identity).await.map_err(refused)?
        }
        // Apart from other calls, which need no room for it.
        (Responses::One, Calls::Batch(calls)) => {
            Box::pin(transaction::batch::answer(grpc, calls, identity)).await?
        }
        (Responses::Stream, Calls::One(call)) => {
            return calls::streaming(grpc, call, asked, identity, compression);
        }
        (Responses::Stream, Calls::Batch(_)) => return Err(refused(calls::mismatch())),
    };
    metadata::initial(&headers)
        .and_then(|headers| framing::one(&message, headers, compression, grpc.engine.memory()))
        .map_err(refused)
}

/// Carries out several writes in one transaction.
async fn transacted<B>(
    grpc: &Grpc,
    method: &Method,
    head: &Parts,
    body: &mut B,
    asker: &Asker,
) -> Result<Response<Body>, Status>
where
    B: http_body::Body + Unpin,
    B::Error: Into<BoxError>,
{
    let (message, _) = taken_in(grpc, head, body).await?;
    let answer = transaction::execute(grpc, method.package, head, asker, &message).await?;
    let accepted = Compression::accepted(head.headers.get(ACCEPTED));
    framing::one(&answer, HeaderMap::new(), accepted, grpc.engine.memory())
        .map_err(|error| grpc.refusal(&error, asker.identity.caller))
}

/// As [`framing::message`], for what decodes its messages by itself: a frame that is cut off is told of by its decoder.
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

/// How a request's message is compressed. What there is not is refused before anything is read.
fn compression(headers: &HeaderMap) -> Result<Option<Compression>, Status> {
    let encoding = headers.get("grpc-encoding");
    let name = encoding.map(|encoding| encoding.to_str().unwrap_or("an unknown encoding"));
    Compression::of(name).map_err(|mut status| {
        status.metadata_mut().insert(ACCEPTED, MetadataValue::from_static("zstd,gzip,identity"));
        status
    })
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
