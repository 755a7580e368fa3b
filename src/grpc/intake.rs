//! What comes in and goes out as bytes: the message of a call is taken in whole before anybody looks at it, and what is
//! under way is counted. It knows frames by their length alone.

use super::{Grpc, respond, serve};
use crate::{
    config::Verbosity,
    error::{Caller, Error, Fault},
    memory::{Full, Memory},
    server::body::{self, Broken, Uncollected},
};
use bytes::Bytes;
use http::{Extensions, Request};
use http_body::Body as _;
use http_body_util::BodyExt;
use std::sync::{Arc, OnceLock};
use tonic::{Status, body::Body};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How the body of a call broke; in the extensions of its request, for on the way gRPC-Web replaces what it was.
#[derive(Clone, Debug, Default)]
struct Failure(Arc<OnceLock<Status>>);

/// The request with a body that tells how it breaks: where it stops coming, the call ends with a status that says so.
pub(super) fn request<B>(request: Request<B>) -> Request<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let failure = Failure::default();
    let told = failure.clone();
    let mut request = request.map(|body| {
        Body::new(body.map_err(move |error| told.0.get_or_init(|| broken(error.into())).clone()))
    });
    request.extensions_mut().insert(failure);
    request
}

/// The status of a body that breaks off.
fn broken(error: BoxError) -> Status {
    match error.downcast_ref() {
        Some(Broken::Stalled(_)) => status(Fault::BodyTimeout, "The message stopped coming"),
        Some(Broken::Connection(_)) | None => Status::from_error(error),
    }
}

/// All of a body of at most `limit` bytes. A length that a frame announces is a claim: with all that there is at hand,
/// nobody takes room for what never comes.
pub(super) async fn whole<B>(
    grpc: &Grpc,
    extensions: &Extensions,
    body: B,
    limit: usize,
) -> Result<Bytes, Status>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    body::collect(body, limit, grpc.engine.memory()).await.map_err(|uncollected| match uncollected {
        Uncollected::TooLarge(_) | Uncollected::Full(Full::Ever) => {
            serve::too_large(grpc.engine.config().grpc_max_receive_bytes)
        }
        Uncollected::Full(full @ Full::Now) => status(Fault::MemoryExhausted, full.to_string()),
        Uncollected::Broken(error) => match extensions.get::<Failure>().and_then(|failure| failure.0.get()) {
            Some(status) => status.clone(),
            None => broken(error),
        },
    })
}

/// An answer whose bytes are counted until they have left. They are no longer refused: the call has been carried out.
pub(super) fn answer(body: Body, memory: Memory) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(body.map_frame(move |frame| {
        frame.map_data(|data| {
            let mut lease = memory.overdraft();
            // One message is never larger than all of them may be; were it, it would go uncounted.
            let _counted = lease.cover(data.len());
            lease.keep(data)
        })
    }))
}

fn status(fault: Fault, message: impl Into<String>) -> Status {
    respond::status(&Error::new(fault, message), Caller::Anonymous, Verbosity::Minimal)
}
