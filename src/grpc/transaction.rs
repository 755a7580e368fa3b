//! Several writes in one transaction: `TransactionService.Execute`. An operation means what it would mean as a call of its
//! own, and is decoded and answered by the same code. It plans and runs nothing.

mod answer;
pub(super) mod batch;
mod reference;
mod wire;

pub(super) use wire::{Written, results};

use super::{
    Grpc,
    call::{Asker, context, left, mismatch, timezone},
    decode::{self, Calls, MAX_BYTES, Surroundings},
    descriptor::Side,
    method::RelationMethod,
    refuse::{refuse, within},
    services::{Method, Target, gone},
    surface::Package,
};
use crate::{
    engine::{Operation, Operations, check_count},
    error::{Error, Fault, Result},
    memory::Memory,
    outcome::Outcome,
    request::{Context, Request, prefer::TransactionEnd},
};
use answer::{Answering, Rows};
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
        Err(mut error) => {
            let step = error.operation.and_then(|at| running.steps.get(at));
            error.operation = step.map(|step| step.part);
            Err(match (&running.answering, error.operation) {
                (Some(answering), Some(_)) => grpc.refusal_of(answering.asked(), &error, caller),
                (Some(_) | None, _) => grpc.refusal(&error, caller),
            })
        }
    }
}

/// What runs at once: an operation, or one of the requests of an operation.
#[derive(Clone, Copy)]
struct Step {
    part: usize,
    request: usize,
}

/// An operation that has been looked up.
struct Part<'m> {
    number: u32,
    method: Method,
    path: String,
    message: Cow<'m, [u8]>,
    references: Vec<Reference>,
    /// Its requests, where it is a batch whose requests run one by one.
    batch: Option<Vec<decode::Call>>,
}

/// A transaction while it runs.
struct Running<'c> {
    grpc: &'c Grpc,
    parts: Vec<Part<'c>>,
    steps: Vec<Step>,
    end: Option<TransactionEnd>,
    context: Context,
    deadline: Option<Instant>,
    timezone: Option<String>,
    memory: Memory,
    values: Values,
    /// How the operation that runs is answered.
    answering: Option<Answering>,
    /// The rows so far of a batch.
    rows: Vec<u8>,
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
        let mut parts = Vec::with_capacity(envelope.operations.len());
        for (at, asked) in envelope.operations.into_iter().enumerate() {
            let part = part(grpc, package, found, asked, &mut values, at);
            parts.push(part.map_err(|error| placed(at, error))?);
        }
        let mut running = Self {
            grpc,
            parts,
            steps: Vec::new(),
            end: envelope.validates_only.then_some(TransactionEnd::Rollback),
            context: context(head),
            deadline,
            timezone: timezone(&head.headers)?,
            memory: grpc.engine.memory().request(),
            values,
            answering: None,
            rows: Vec::new(),
            out: Vec::new(),
        };
        running.unfold()?;
        Ok(running)
    }

    /// Works out what runs: of a batch whose requests run one by one, each of them.
    fn unfold(&mut self) -> Result<()> {
        for at in 0..self.parts.len() {
            let batch = self.batch(at).map_err(|error| placed(at, error))?;
            let requests = batch.as_ref().map_or(1, Vec::len);
            self.steps.extend((0..requests).map(|request| Step { part: at, request }));
            check_count(self.steps.len())?;
            if let Some(part) = self.parts.get_mut(at) {
                part.batch = batch;
            }
        }
        Ok(())
    }

    /// The requests of an operation that is such a batch. No reference leads into a list, so they are known from the start.
    fn batch(&self, at: usize) -> Result<Option<Vec<decode::Call>>> {
        let is_batch = |part: &Part<'_>| match part.method.target {
            Target::Relation { method, .. } => method == RelationMethod::BatchUpdate,
            Target::Function { .. } | Target::Transaction => false,
        };
        if !self.parts.get(at).is_some_and(is_batch) {
            return Ok(None);
        }
        match self.decode(at)? {
            Calls::One(_) => Ok(None),
            Calls::Batch(mut calls) => {
                for call in &mut calls {
                    self.end(call)?;
                }
                Ok(Some(calls))
            }
        }
    }

    fn step(&self, at: usize) -> Result<Step> {
        self.steps.get(at).copied().ok_or_else(gone)
    }

    /// What a step asks.
    fn call(&self, step: Step) -> Result<decode::Call> {
        let part = self.parts.get(step.part).ok_or_else(gone)?;
        if let Some(calls) = &part.batch {
            return calls.get(step.request).cloned().ok_or_else(gone);
        }
        match self.decode(step.part)? {
            Calls::One(mut call) => {
                self.end(&mut call)?;
                Ok(call)
            }
            Calls::Batch(_) => Err(mismatch()),
        }
    }

    /// Ends an operation as the transaction ends.
    fn end(&self, call: &mut decode::Call) -> Result<()> {
        for request in std::iter::once(&mut *call.request).chain(call.otherwise.as_deref_mut()) {
            self.has_end(request)?;
        }
        Ok(())
    }

    fn decode(&self, at: usize) -> Result<Calls> {
        let Part { method, path, message, references, .. } = self.parts.get(at).ok_or_else(gone)?;
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
        decode::decode_read(services, method, &message, surroundings)
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
    Ok(Part { number: operation.number, method, path, message, references: asked.references, batch: None })
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
        self.steps.len()
    }

    fn operation(&mut self, at: usize) -> Result<Operation<Rows>> {
        let step = self.step(at)?;
        let call = self.call(step).map_err(|error| placed(step.part, error))?;
        let (answering, operation) = Answering::of(call)?;
        self.answering = Some(answering);
        Ok(operation)
    }

    fn answered(&mut self, at: usize, outcome: Outcome, sink: Option<Rows>) -> Result<()> {
        let step = self.step(at)?;
        let (Some(answering), Some(sink)) = (&self.answering, sink) else { return Err(mismatch()) };
        let Part { number, method, batch, .. } = self.parts.get(step.part).ok_or_else(gone)?;
        let placed = |error| placed(step.part, error);
        match batch {
            None => {
                let (response, row) = answering.response(&outcome, sink).map_err(placed)?;
                wire::result(*number, &response, &mut self.out);
                if self.values.are_wanted_of(step.part) {
                    let response = self.grpc.services.read(method, Side::Response, &response)?;
                    self.values.take(step.part, &response, row);
                }
            }
            Some(calls) => {
                let response = answering.response(&outcome, sink);
                let (response, _) =
                    response.map_err(|error| placed(batch::of_request(step.request, error)))?;
                batch::append(&response, &mut self.rows).map_err(placed)?;
                if step.request + 1 == calls.len() {
                    wire::result(*number, &std::mem::take(&mut self.rows), &mut self.out);
                }
            }
        }
        match self.out.len() {
            ..=MAX_BYTES => Ok(()),
            _ => Err(Error::new(Fault::AnswerTooLarge, "The results are more than one message holds")
                .hint("Name fewer fields in read_mask, or none")),
        }
    }

    fn restart(&mut self) {
        self.values.clear();
        self.out.clear();
        self.rows.clear();
        self.answering = None;
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }
}
