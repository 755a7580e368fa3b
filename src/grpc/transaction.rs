//! Several writes in one transaction: `TransactionService.Execute`. An operation means what it would mean as a call of its
//! own, and is decoded and answered by the same code. It plans and runs nothing.

mod reference;
mod wire;

pub(super) use wire::{Written, results};

use super::{
    Grpc,
    blame::Asked,
    call::{Asker, ONE_ROW, context, found, left, mismatch, telling, timezone},
    decode::{self, Answer, Keyed, MAX_BYTES, Missing, Returned, Surroundings, Told},
    descriptor::Side,
    encode::{Envelope, KeyedSink, PageSink, WholeSink, number_field},
    method::number,
    refuse::{refuse, within},
    services::{Method, gone},
    surface::Package,
};
use crate::{
    engine::{Operation, Operations},
    error::{Error, Fault, Result},
    memory::Memory,
    outcome::{Outcome, Pace, Row, Sink},
    request::{Context, Request, prefer::TransactionEnd},
};
use http::request::Parts;
use reference::Values;
use std::{borrow::Cow, time::Instant};
use tonic::Status;
use wire::Reference;

/// Carries out the operations of a call.
pub(super) async fn execute(
    grpc: &Grpc,
    package: usize,
    head: &Parts,
    asker: &Asker,
    message: &[u8],
) -> std::result::Result<Vec<u8>, Status> {
    let caller = asker.identity.caller;
    let mut running = Running::read(grpc, package, head, asker.deadline, message)
        .map_err(|error| grpc.refusal(&error, caller))?;
    match grpc.engine.transact(&mut running, &asker.identity).await {
        Ok(()) => Ok(running.out),
        Err(error) => Err(match (&running.asked, error.operation) {
            (Some(asked), Some(_)) => grpc.refusal_of(asked, &error, caller),
            (Some(_) | None, _) => grpc.refusal(&error, caller),
        }),
    }
}

/// An operation that has been looked up.
struct Part<'m> {
    number: u32,
    method: Method,
    path: String,
    message: Cow<'m, [u8]>,
    references: Vec<Reference>,
}

/// How the operation that runs is answered.
struct Answering {
    told: Told,
    by: By,
}

enum By {
    Row(Missing, Envelope),
    Nothing(Missing),
    Whole,
    Affected,
    Keyed(Returned),
}

/// A transaction while it runs.
struct Running<'c> {
    grpc: &'c Grpc,
    operations: Vec<Part<'c>>,
    end: Option<TransactionEnd>,
    context: Context,
    deadline: Option<Instant>,
    timezone: Option<String>,
    memory: Memory,
    values: Values,
    /// What the operation that runs asks, and how it is answered.
    asked: Option<Asked>,
    answering: Option<Answering>,
    /// The response so far.
    out: Vec<u8>,
}

impl<'c> Running<'c> {
    fn read(
        grpc: &'c Grpc,
        package: usize,
        head: &Parts,
        deadline: Option<Instant>,
        message: &'c [u8],
    ) -> Result<Self> {
        let envelope = wire::Envelope::read(message)?;
        let (found, _) = grpc.services.package(package).ok_or_else(gone)?;
        let mut values = Values::default();
        let mut operations = Vec::with_capacity(envelope.operations.len());
        for (at, asked) in envelope.operations.into_iter().enumerate() {
            let part = part(grpc, package, found, asked, &mut values, at);
            operations.push(part.map_err(|error| placed(at, error))?);
        }
        Ok(Self {
            grpc,
            operations,
            end: envelope.validates_only.then_some(TransactionEnd::Rollback),
            context: context(head),
            deadline,
            timezone: timezone(&head.headers)?,
            memory: grpc.engine.memory().request(),
            values,
            asked: None,
            answering: None,
            out: Vec::new(),
        })
    }

    fn decode(&self, at: usize) -> Result<decode::Call> {
        let Part { method, path, message, references, .. } = self.operations.get(at).ok_or_else(gone)?;
        let services = &self.grpc.services;
        let mut message = services.read(method, Side::Request, message)?;
        for reference in references {
            self.values.fill(&mut message, reference)?;
        }
        let surroundings = Surroundings {
            context: Context { path: path.clone().into(), ..self.context.clone() },
            deadline: left(self.deadline)?,
            timezone: self.timezone.clone(),
            sealer: &self.grpc.sealer,
            max_rows: None,
        };
        let mut call = decode::decode_read(services, method, &message, surroundings)?;
        for request in std::iter::once(&mut *call.request).chain(call.otherwise.as_deref_mut()) {
            self.has_end(request)?;
        }
        Ok(call)
    }

    /// The transaction ends for all operations alike.
    fn has_end(&self, request: &mut Request) -> Result<()> {
        let end = &mut request.preferences.transaction_end;
        if end.is_some() && *end != self.end {
            return Err(refuse(
                "validate_only",
                "holds for the whole transaction, whose request can have it",
            ));
        }
        *end = self.end;
        Ok(())
    }

    /// The response to an operation, and where it has its row.
    fn response(
        &self,
        Answering { told, by }: Answering,
        outcome: &Outcome,
        sink: Rows,
    ) -> Result<(Vec<u8>, Option<Envelope>)> {
        let asked = self.asked.as_ref().ok_or_else(mismatch)?;
        Ok(match (by, sink) {
            (By::Row(missing, envelope), Rows::Page(sink)) => {
                found(sink.taken(), missing, asked)?;
                (telling(told, outcome, sink.into_response()), Some(envelope))
            }
            (By::Nothing(missing), _) => {
                found(outcome.rows, missing, asked)?;
                (telling(told, outcome, Vec::new()), None)
            }
            (By::Whole, Rows::Whole(sink)) => (telling(told, outcome, sink.into_response()), None),
            (By::Affected, Rows::Whole(sink)) => {
                let mut response = sink.into_response();
                number_field(number::AFFECTED_ROWS, outcome.rows, &mut response);
                (response, None)
            }
            (By::Keyed(Returned::Rows), Rows::Keyed(sink)) => (sink.into_response(), None),
            (By::Keyed(Returned::Nothing), Rows::Keyed(_)) => (Vec::new(), None),
            (By::Row(..) | By::Whole | By::Affected | By::Keyed(_), _) => return Err(mismatch()),
        })
    }
}

/// Looks an operation up.
fn part<'m>(
    grpc: &Grpc,
    package: usize,
    found: &Package,
    asked: wire::Asked<'m>,
    values: &mut Values,
    at: usize,
) -> Result<Part<'m>> {
    let operation = wire::operation(found.operations(), &asked)?;
    let (method, path) = grpc.services.operation(package, operation.target).ok_or_else(gone)?;
    for reference in &asked.references {
        values.want(at, reference)?;
    }
    let message = asked.request.map(|(_, message)| message).unwrap_or_default();
    Ok(Part { number: operation.number, method, path, message, references: asked.references })
}

/// The error of an operation before any has run.
fn placed(at: usize, error: Box<Error>) -> Box<Error> {
    let mut error = within(&format!("operations[{at}]"), error);
    error.operation = Some(at);
    error
}

impl Operations for Running<'_> {
    type Sink = Rows;

    fn count(&self) -> usize {
        self.operations.len()
    }

    fn operation(&mut self, at: usize) -> Result<Operation<Rows>> {
        let call = self.decode(at).map_err(|error| placed(at, error))?;
        self.asked = Some(Asked::of(&call.request));
        let decode::Call { request, rows, answer, otherwise, told } = call;
        let whole = |rows| Rows::Whole(WholeSink::new(rows, Envelope::Field(number::ROWS), None, MAX_BYTES));
        let (by, sink) = match answer {
            Answer::Row(envelope, missing) => {
                (By::Row(missing, envelope), Rows::Page(PageSink::new(rows, envelope, ONE_ROW)))
            }
            Answer::Nothing(missing) => {
                (By::Nothing(missing), Rows::Page(PageSink::new(rows, Envelope::Bare, ONE_ROW)))
            }
            Answer::Whole => (By::Whole, whole(rows)),
            Answer::Affected => (By::Affected, whole(rows)),
            Answer::Keyed(Keyed { wanted, keys, returned }) => {
                (By::Keyed(returned), Rows::Keyed(KeyedSink::new(rows, keys, wanted, MAX_BYTES)))
            }
            Answer::Page(_) | Answer::Groups { .. } | Answer::Stream(_) => return Err(mismatch()),
        };
        self.answering = Some(Answering { told, by });
        Ok(Operation { request: *request, otherwise, sink: Some(sink) })
    }

    fn answered(&mut self, at: usize, outcome: Outcome, sink: Option<Rows>) -> Result<()> {
        let (Some(answering), Some(sink)) = (self.answering.take(), sink) else { return Err(mismatch()) };
        let Part { number, method, .. } = self.operations.get(at).ok_or_else(gone)?;
        let (response, row) = self.response(answering, &outcome, sink).map_err(|error| placed(at, error))?;
        wire::result(*number, &response, &mut self.out);
        if self.out.len() > MAX_BYTES {
            return Err(Error::new(Fault::AnswerTooLarge, "The results are more than one message holds")
                .hint("Name fewer fields in read_mask, or none"));
        }
        if self.values.are_wanted_of(at) {
            let response = self.grpc.services.read(method, Side::Response, &response)?;
            self.values.take(at, &response, row);
        }
        Ok(())
    }

    fn restart(&mut self) {
        self.values.clear();
        self.out.clear();
        self.answering = None;
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }
}

/// Where the rows of an operation go.
enum Rows {
    Page(PageSink),
    Whole(WholeSink),
    Keyed(KeyedSink),
}

impl Sink for Rows {
    const PACE: Pace = Pace::Database;

    fn columns(&mut self, types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        match self {
            Rows::Page(sink) => sink.columns(types),
            Rows::Whole(sink) => sink.columns(types),
            Rows::Keyed(sink) => sink.columns(types),
        }
    }

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        match self {
            Rows::Page(sink) => sink.row(row),
            Rows::Whole(sink) => sink.row(row),
            Rows::Keyed(sink) => sink.row(row),
        }
    }

    fn complete(&mut self) -> Result<()> {
        match self {
            Rows::Page(sink) => sink.complete(),
            Rows::Whole(sink) => sink.complete(),
            Rows::Keyed(sink) => sink.complete(),
        }
    }
}
