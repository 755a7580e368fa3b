//! One call, from its message to its answer: who asks, what is asked, the
//! engine, what is answered.

use super::{
    Grpc,
    blame::Asked,
    connect::Compression,
    decode::{self, Answer, Keyed, MAX_BYTES, Missing, Paging, Returned, Surroundings, Told},
    encode::{
        Envelope, KeyedSink, MessageEncoder, Page, PageSink, Progress, StreamSink, WholeSink, number_field,
        text_field,
    },
    framing,
    method::number,
    respond,
    services::Method,
};
use crate::{
    auth::{Effect, Identity},
    error::{Caller, Error, Fault, Result},
    notes,
    outcome::Outcome,
    request::{Context, Request},
    server::tls::Subject,
};
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, Response,
    header::{AUTHORIZATION, COOKIE},
    request::Parts,
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::mpsc;
use tonic::{Status, body::Body};

/// Batches of rows that wait for a slow client; PostgreSQL waits behind them.
const WAITING_BATCHES: usize = 2;

/// What a response that is one row may have: all of it.
pub(super) const ONE_ROW: Page = Page { rows: 1, bytes: usize::MAX, keys: 0 };

/// Who asks, and until when.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) identity: Arc<Identity>,
    pub(super) deadline: Option<Instant>,
}

impl Asker {
    /// What the headers say of it.
    pub(super) async fn of(grpc: &Grpc, headers: &HeaderMap) -> std::result::Result<Self, Status> {
        let identity = identify(grpc, headers).await?;
        let left = timeout(headers).map_err(|error| grpc.refusal(&error, identity.caller))?;
        // What is too long to be a time is no limit.
        Ok(Self { identity, deadline: left.and_then(|left| Instant::now().checked_add(left)) })
    }
}

/// A message, and what the database set as `response.headers`.
pub(super) type Reply = (Vec<u8>, Vec<(String, String)>);

/// The one message that answers a call.
pub(super) async fn answer(
    grpc: &Grpc,
    call: decode::Call,
    asked: &Asked,
    identity: &Identity,
) -> Result<Reply> {
    let engine = &grpc.engine;
    let decode::Call { otherwise, told, .. } = call;
    Ok(match call.answer {
        Answer::Row(envelope, missing) => {
            let mut sink = PageSink::new(call.rows, envelope, ONE_ROW);
            let mut outcome = engine.stream(*call.request, identity, &mut sink).await?;
            if sink.taken() == 0
                && let Some(request) = otherwise
            {
                outcome = engine.stream(*request, identity, &mut sink).await?;
            }
            found(sink.taken(), missing, asked)?;
            (telling(told, &outcome, sink.into_response()), outcome.headers)
        }
        Answer::Nothing(missing) => {
            let mut sink = PageSink::new(call.rows, Envelope::Bare, ONE_ROW);
            let mut outcome = engine.stream(*call.request, identity, &mut sink).await?;
            if outcome.rows == 0
                && let Some(request) = otherwise
            {
                outcome = engine.stream(*request, identity, &mut sink).await?;
            }
            found(outcome.rows, missing, asked)?;
            (telling(told, &outcome, Vec::new()), outcome.headers)
        }
        Answer::Page(paging) => page(grpc, call.request, call.rows, *paging, identity).await?,
        Answer::Whole => {
            let mut sink = WholeSink::new(call.rows, Envelope::Field(number::ROWS), None, MAX_BYTES);
            let outcome = engine.stream(*call.request, identity, &mut sink).await?;
            (telling(told, &outcome, sink.into_response()), outcome.headers)
        }
        Answer::Affected => {
            let mut sink = WholeSink::new(call.rows, Envelope::Field(number::ROWS), None, MAX_BYTES);
            let outcome = engine.stream(*call.request, identity, &mut sink).await?;
            let mut response = sink.into_response();
            number_field(number::AFFECTED_ROWS, outcome.rows, &mut response);
            (response, outcome.headers)
        }
        Answer::Groups { most } => {
            let mut sink = WholeSink::new(call.rows, Envelope::Field(number::ROWS), most, MAX_BYTES);
            let outcome = engine.stream(*call.request, identity, &mut sink).await?;
            (sink.into_response(), outcome.headers)
        }
        Answer::Keyed(Keyed { wanted, keys, returned }) => {
            let mut sink = KeyedSink::new(call.rows, keys, wanted, MAX_BYTES);
            let outcome = engine.stream(*call.request, identity, &mut sink).await?;
            match returned {
                Returned::Rows => (sink.into_response(), outcome.headers),
                Returned::Nothing => (Vec::new(), outcome.headers),
            }
        }
        Answer::Stream(_) => return Err(mismatch()),
    })
}

/// The response, with what it says of new rows.
pub(super) fn telling(told: Told, outcome: &Outcome, mut response: Vec<u8>) -> Vec<u8> {
    match (told, outcome.inserted.unwrap_or(outcome.rows)) {
        (Told::Nothing, _) => {}
        (Told::Inserted, rows) => number_field(number::INSERTED, rows, &mut response),
    }
    response
}

/// A row was there, or need not be.
pub(super) fn found(rows: u64, missing: Missing, asked: &Asked) -> Result<()> {
    match (rows, missing) {
        (0, Missing::NotFound) => {
            let key = asked.key();
            let details = json!({ "relation": asked.relation(), "key": key });
            Err(Error::new(Fault::RowMissing, format!("No row has the key {key}")).details(details))
        }
        (0, Missing::Fine) | (1.., _) => Ok(()),
    }
}

async fn page(
    grpc: &Grpc,
    request: Box<Request>,
    rows: Arc<MessageEncoder>,
    mut paging: Paging,
    identity: &Identity,
) -> Result<Reply> {
    let mut sink = PageSink::new(rows, Envelope::Field(number::ROWS), paging.page);
    let outcome = grpc.engine.stream(*request, identity, &mut sink).await?;
    let total = match paging.count.take() {
        Some(count) => {
            let mut nothing = PageSink::new(Arc::default(), Envelope::Bare, paging.page);
            grpc.engine.stream(*count, identity, &mut nothing).await?.total
        }
        None => outcome.total,
    };
    let taken = sink.taken();
    // A page without rows leads nowhere.
    let left_off = sink.left_off().filter(|_| taken > 0);
    let mut response = sink.into_response();
    if let Some(keys) = left_off {
        let token = grpc.sealer.seal(&paging.next(keys, taken), &paging.binding)?;
        text_field(number::NEXT_PAGE_TOKEN, &token, &mut response);
    }
    if let Some(total) = total {
        number_field(number::TOTAL_SIZE, total, &mut response);
    }
    Ok((response, outcome.headers))
}

/// Answers a call by a stream. The engine runs beside it, no faster than the
/// client reads; when the client goes away, its query is cancelled.
pub(super) fn streaming(
    grpc: &Grpc,
    call: decode::Call,
    asked: Asked,
    identity: &Arc<Identity>,
    compression: Option<Compression>,
) -> std::result::Result<Response<Body>, Status> {
    let (identity, caller) = (identity.clone(), identity.caller);
    let Answer::Stream(envelope) = call.answer else {
        return Err(grpc.refusal(&mismatch(), caller));
    };
    let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
    let config = grpc.engine.config();
    let progress = Progress::new(config.stream_idle_timeout.0);
    let most = config.db_max_rows;
    let mut sink = StreamSink::new(call.rows, envelope, sender.clone(), compression, progress.clone(), most);
    let (engine, told) = (grpc.engine.clone(), grpc.engine.clone());
    let run = async move {
        tokio::select! {
            outcome = engine.stream(*call.request, &identity, &mut sink) => {
                // Whatever ends the stream, what came before it comes first.
                let handed = crate::outcome::Sink::ready(&mut sink).await;
                outcome?;
                handed
            }
            // Dropping the engine's future cancels the query.
            () = sender.closed() => Ok(()),
        }
    };
    let running = match notes::pad() {
        Some(pad) => tokio::spawn(async move { pad.during(run).await }),
        None => tokio::spawn(run),
    };
    let rows = stream::unfold(receiver, |mut receiver| async {
        let frames = receiver.recv().await?;
        Some((Ok(frames), receiver))
    });
    // The trailers tell how the transaction ended, after the last row.
    let end = stream::once(running).filter_map(move |ended| {
        let error = match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(panic) => {
                let error = Error::new(Fault::Internal, "Internal error").cause(panic);
                tracing::error!("A stream ended early: {error}");
                Some(error)
            }
        };
        let verbosity = told.config().client_error_verbosity;
        let status = error.map(|error| {
            let blamed = asked.blamed(told.catalog(), &error);
            Err(respond::blaming(&error, caller, verbosity, &blamed))
        });
        std::future::ready(status)
    });
    Ok(framing::several(rows.chain(end), compression, progress, grpc.engine.memory().clone()))
}

pub(super) fn mismatch() -> Box<Error> {
    Error::new(Fault::Internal, "Internal error").cause("a method answers otherwise than it is declared")
}

/// Who asks.
pub(super) async fn identify(grpc: &Grpc, headers: &HeaderMap) -> std::result::Result<Arc<Identity>, Status> {
    let mut found = headers.get_all(AUTHORIZATION).iter();
    let identity = match (found.next(), found.next()) {
        (_, Some(_)) => Err(Error::new(Fault::InvalidMessage, "There is more than one authorization")),
        (_, None) => grpc.authenticator.authenticate(headers, Effect::Change, SystemTime::now()).await,
    };
    identity.map_err(|error| grpc.refusal(&error, Caller::Anonymous))
}

/// What a call with this message asks of the engine.
pub(super) fn decode(
    grpc: &Grpc,
    method: &Method,
    head: &Parts,
    asker: &Asker,
    message: &[u8],
) -> Result<decode::Calls> {
    let surroundings = Surroundings {
        deadline: left(asker.deadline)?,
        context: context(head),
        timezone: timezone(&head.headers)?,
        sealer: &grpc.sealer,
        max_rows: grpc.engine.config().db_max_rows,
    };
    decode::decode(&grpc.services, method, message, surroundings)
}

/// The time until the deadline of a call; an error if the deadline has passed.
pub(super) fn left(deadline: Option<Instant>) -> Result<Option<Duration>> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    match left.is_some_and(|left| left.is_zero()) {
        true => Err(Error::new(Fault::DeadlineExceeded, "The deadline passed before the call began")),
        false => Ok(left),
    }
}

/// What the transaction is told of a call.
pub(super) fn context(head: &Parts) -> Context {
    let subject = head.extensions.get::<Subject>().map(|Subject(subject)| subject.clone());
    Context { tls_subject: subject, ..Context::new("POST", head.uri.path(), told(&head.headers)) }
}

/// The metadata `timezone`, which is what `Prefer: timezone=…` is on the REST side.
pub(super) fn timezone(headers: &HeaderMap) -> Result<Option<String>> {
    let mut found = headers.get_all("timezone").iter();
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(zone), None) => {
            let zone =
                zone.to_str().map_err(|_| Error::new(Fault::InvalidMessage, "timezone is malformed"))?;
            Ok(Some(zone.to_owned()))
        }
        (Some(_), Some(_)) => Err(Error::new(Fault::InvalidMessage, "There is more than one timezone")),
    }
}

/// The metadata as headers. Binary ones are for programs and not for SQL.
fn told(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    let is_told = |name: &HeaderName, value: &HeaderValue| {
        *name == COOKIE || !name.as_str().ends_with("-bin") && value.to_str().is_ok()
    };
    let headers = headers.iter().filter(move |(name, value)| is_told(name, value));
    headers.map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// `grpc-timeout`: up to eight digits and a unit
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(text) = headers.get("grpc-timeout") else { return Ok(None) };
    let parsed = text.to_str().ok().and_then(|text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let amount: u64 = is_number.then(|| digits.parse().ok())??;
        Some(match unit {
            "H" => Duration::from_secs(amount * 3600),
            "M" => Duration::from_secs(amount * 60),
            "S" => Duration::from_secs(amount),
            "m" => Duration::from_millis(amount),
            "u" => Duration::from_micros(amount),
            "n" => Duration::from_nanos(amount),
            _ => return None,
        })
    });
    parsed.map(Some).ok_or_else(|| Error::new(Fault::InvalidMessage, "grpc-timeout is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Option<Duration>> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().ok()?);
        timeout(&headers).ok()
    }

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        assert_eq!(read("250m"), Some(Some(Duration::from_millis(250))));
        assert_eq!(read("99999999H").map(|deadline| deadline.is_some()), Some(true));
        for wrong in ["", "5", "m", "123456789S", "-1S", "1.5S", "5x", "ü"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(matches!(timeout(&HeaderMap::new()), Ok(None)));
    }
}
