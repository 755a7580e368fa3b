//! Several writes in one transaction: a POST of a JSON list to `/`. An operation means what it would mean as a request of
//! its own, and is read and answered by the same code; its answer is an element of the list that answers. It runs nothing.
//!
//! ```text
//!     [{"method": "POST", "path": "/films?select=id", "headers": {"Prefer": "return=representation"}, "body": {…}},
//!      {"method": "POST", "path": "/roles", "body": {…}, "references": {"film_id": {"from": 0, "field": "id"}}}]
//!
//!     [{"status": 201, "headers": {"content-type": …}, "body": [{"id": 7}]},
//!      {"status": 201, "headers": {…}}]
//! ```
//!
//! A reference stands beside the body and not in it, so that it can be taken for no value.

mod list;
mod references;

use super::{
    Wish, headers, prefer,
    respond::{self, Asked, Draft},
    timing::Stopwatch,
};
use crate::{
    auth::Identity,
    config::Config,
    engine::{Engine, Operation, Operations},
    error::{Error, Fault, Result},
    media::TRANSACTION,
    memory::{Full, Memory},
    notes::Stage,
    outcome::{Outcome, Pace, Row, Sink},
    request::{
        Action, Context,
        payload::Arguments,
        prefer::{Handling, Preferences},
    },
    server::base,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, header, request::Parts};
use http_body::{Frame, SizeHint};
use list::Listed;
use references::Values;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    pin::Pin,
    task::{Context as Task, Poll},
};

/// Whether the request is a transaction.
pub(super) fn is_meant(head: &Parts) -> bool {
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    head.method == Method::POST && head.uri.path() == "/" && essence.eq_ignore_ascii_case(TRANSACTION)
}

fn invalid(message: impl Into<String>) -> Box<Error> {
    Error::new(Fault::InvalidTransaction, message)
}

/// A transaction as it was asked for.
pub(super) struct Transaction {
    operations: Vec<Listed>,
    /// What the request tells the database of itself.
    context: Context,
    /// Those that hold for all operations.
    preferences: Preferences,
}

impl Transaction {
    /// Reads a body.
    pub(super) fn read(config: &Config, head: &Parts, body: &Bytes) -> Result<Self> {
        let preferences = shared(prefer::parse(&head.headers, config.db_tx_end))?;
        let operations = list::read(config, head, body)?;
        Ok(Self { operations, context: headers::context(head), preferences })
    }

    /// Runs it, and makes its answer.
    pub(super) async fn run(
        self: Box<Self>,
        engine: &Engine,
        identity: &Identity,
        stopwatch: &mut Stopwatch,
    ) -> Result<Response<Body>> {
        stopwatch.lap(Stage::Parse);
        let values = Values::of(self.operations.iter().flat_map(|operation| operation.references.values()));
        let mut running = Running {
            config: engine.config(),
            transaction: &self,
            values,
            memory: engine.memory().request(),
            left: 0,
            asked: None,
            answers: VecDeque::new(),
        };
        engine.transact(&mut running, identity).await?;
        stopwatch.lap(Stage::Transaction);
        let answers = Answers(running.answers);
        Ok(respond::transaction(Body::new(answers), &self.preferences))
    }
}

/// The preferences that hold for all operations. Under strict handling there may be no others.
fn shared(all: Preferences) -> Result<Preferences> {
    let Preferences { transaction_end, timezone, handling, unknown, .. } = all.clone();
    let most = all.max_affected.map(|number| format!("max-affected={number}"));
    let others =
        prefer::applied(&Preferences { transaction_end: None, timezone: None, handling: None, ..all });
    let refused = unknown.into_iter().chain(others).chain(most).collect::<Vec<_>>().join(", ");
    match handling {
        Some(Handling::Strict) if !refused.is_empty() => {
            Err(Error::new(Fault::InvalidPreferences, "Invalid preferences given with handling=strict")
                .details(format!("Invalid preferences: {refused}")))
        }
        Some(Handling::Strict | Handling::Lenient) | None => {
            Ok(Preferences { transaction_end, timezone, handling, ..Preferences::default() })
        }
    }
}

/// A transaction while it runs.
struct Running<'r> {
    config: &'r Config,
    transaction: &'r Transaction,
    values: Values,
    memory: Memory,
    /// How many bytes of bodies with values of references there may still be.
    left: usize,
    /// What the answer to the operation that runs depends on.
    asked: Option<Asked>,
    answers: VecDeque<Bytes>,
}

impl Operations for Running<'_> {
    type Sink = Never;

    fn count(&self) -> usize {
        self.transaction.operations.len()
    }

    fn operation(&mut self, at: usize) -> Result<Operation<Never>> {
        let Transaction { operations, context, preferences } = self.transaction;
        let Some(Listed { head, body, references }) = operations.get(at) else {
            return Err(invalid(format!("There is no operation {at}")));
        };
        if at == 0 {
            self.left = self.config.server_max_body_bytes;
        }
        let mut body = body.clone();
        if !references.is_empty() {
            body = references::filled(&body, references, &self.values, self.left, &self.memory)?;
            self.left = self.left.saturating_sub(body.len());
        }
        let (mut request, asked) = match super::read(self.config, head, body)? {
            Wish::Run(wanted) => *wanted,
            Wish::Describe(_) | Wish::Methods(..) | Wish::Transact(_) => {
                return Err(invalid("The operation is none of a transaction"));
            }
        };
        if !references.is_empty() {
            let taken = taken(&request.action);
            if let Some(name) = references.keys().find(|name| !taken.contains(name)) {
                let message =
                    format!("The operation does not take \"{name}\", which refers to an earlier one");
                return Err(invalid(message));
            }
        }
        let Context { headers, cookies, tls_subject, .. } = context.clone();
        request.context = Context { headers, cookies, tls_subject, ..request.context };
        request.preferences.transaction_end = preferences.transaction_end;
        request.preferences.timezone.clone_from(&preferences.timezone);
        self.asked = Some(asked);
        Ok(Operation { request, otherwise: None, sink: None })
    }

    fn answered(&mut self, at: usize, outcome: Outcome, _: Option<Never>) -> Result<()> {
        let asked =
            self.asked.take().ok_or_else(|| invalid("An operation is answered that was not asked"))?;
        let Draft { status, mut headers, body } = respond::draft(outcome, &asked)?;
        if let Some(base) = &self.config.server_base_path {
            base::restore(base, &mut headers);
        }
        let is_json = is_json(&headers) && serde_json::from_slice::<IgnoredAny>(&body).is_ok();
        if !body.is_empty() && !is_json {
            let message = "The answer to an operation of a transaction is JSON";
            return Err(Error::new(Fault::NotAcceptable, message));
        }
        self.values.take(at, &body);
        let told = json!({ "status": status.as_u16(), "headers": told(&headers) }).to_string();
        let text = told.strip_suffix('}').unwrap_or(&told);
        let begins = if at == 0 { '[' } else { ',' };
        let text = match body.is_empty() {
            true => format!("{begins}{text}"),
            false => format!("{begins}{text},\"body\":"),
        };
        let mut lease = self.memory.overdraft();
        lease.cover(text.len()).map_err(|full: Full| {
            Error::new(Fault::AnswerTooLarge, "The answers are larger than all answers may be together")
                .cause(full)
        })?;
        let end = if at + 1 == self.count() { "}]" } else { "}" };
        let pieces = [lease.keep(text), body, Bytes::from_static(end.as_bytes())];
        self.answers.extend(pieces.into_iter().filter(|piece| !piece.is_empty()));
        Ok(())
    }

    fn restart(&mut self) {
        self.values.clear();
        self.answers.clear();
        self.asked = None;
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }
}

/// The columns that an operation writes to, or the arguments that it calls with.
fn taken(action: &Action) -> HashSet<&String> {
    let names = match action {
        Action::Insert { payload, columns, .. }
        | Action::Upsert { payload, columns, .. }
        | Action::Update { payload, columns, .. } => columns.as_ref().unwrap_or(&payload.keys),
        Action::UpdateEach { payload, .. } => &payload.keys,
        Action::Call { arguments: Arguments::Body { object: Some(object), .. }, .. } => &object.keys,
        Action::Call { .. } | Action::Read { .. } | Action::Delete { .. } => return HashSet::new(),
    };
    names.iter().collect()
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// The headers of an answer, but for what is about caches: nobody keeps a part of an answer. What is there several times
/// is a list.
fn told(headers: &HeaderMap) -> Value {
    let mut told = Map::new();
    for name in headers.keys().filter(|name| *name != header::VARY) {
        let values = headers.get_all(name).iter();
        let mut values: Vec<Value> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into()).collect();
        let value = if values.len() == 1 { values.remove(0) } else { values.into() };
        told.insert(name.as_str().to_owned(), value);
    }
    told.into()
}

/// No sink: rows become bodies.
pub(super) enum Never {}

impl Sink for Never {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, _: &dyn Row) -> Result<()> {
        match *self {}
    }
}

/// The answers, one after the other: they are not copied.
struct Answers(VecDeque<Bytes>);

impl http_body::Body for Answers {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}
