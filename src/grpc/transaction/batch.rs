//! A batch whose requests run one after the other in one transaction, because no single statement says all of them: each
//! updates its row, or inserts it if there is none. The response has the rows in the order of the requests.

use super::answer::{Answering, Rows};
use crate::{
    auth::Identity,
    engine::{Operation, Operations},
    error::{Error, Fault, Result},
    grpc::{
        Grpc,
        call::{Reply, mismatch},
        decode::{self, MAX_BYTES},
        services::gone,
    },
    memory::Memory,
    outcome::Outcome,
};
use tonic::Status;

/// Carries out the requests of a batch.
pub(in crate::grpc) async fn answer(
    grpc: &Grpc,
    calls: Vec<decode::Call>,
    identity: &Identity,
) -> std::result::Result<Reply, Status> {
    let memory = grpc.engine.memory().request();
    let mut batch = Batch { calls, memory, answering: None, out: Vec::new(), headers: Vec::new() };
    match grpc.engine.transact(&mut batch, identity).await {
        Ok(()) => Ok((batch.out, batch.headers)),
        Err(error) => Err(match (&batch.answering, error.operation) {
            (Some(answering), Some(_)) => grpc.refusal_of(answering.asked(), &error, identity.caller),
            (Some(_) | None, _) => grpc.refusal(&error, identity.caller),
        }),
    }
}

/// The requests while they run.
struct Batch {
    calls: Vec<decode::Call>,
    memory: Memory,
    /// How the request that runs is answered.
    answering: Option<Answering>,
    /// The response so far.
    out: Vec<u8>,
    /// The `response.headers` of the last request.
    headers: Vec<(String, String)>,
}

impl Operations for Batch {
    type Sink = Rows;

    fn count(&self) -> usize {
        self.calls.len()
    }

    fn operation(&mut self, at: usize) -> Result<Operation<Rows>> {
        let call = self.calls.get(at).cloned().ok_or_else(gone)?;
        let (answering, operation) = Answering::of(call)?;
        self.answering = Some(answering);
        Ok(operation)
    }

    fn answered(&mut self, at: usize, outcome: Outcome, sink: Option<Rows>) -> Result<()> {
        let (Some(answering), Some(sink)) = (&self.answering, sink) else { return Err(mismatch()) };
        let (response, _) = answering.response(&outcome, sink).map_err(|error| of_request(at, error))?;
        append(&response, &mut self.out)?;
        self.headers = outcome.headers;
        Ok(())
    }

    fn restart(&mut self) {
        self.out.clear();
        self.headers.clear();
        self.answering = None;
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }
}

/// Appends the response to one request to that of the batch: protobuf's repeated fields are joined by putting messages one
/// behind the other.
pub(super) fn append(response: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(response);
    match out.len() {
        ..=MAX_BYTES => Ok(()),
        _ => Err(Error::new(Fault::AnswerTooLarge, "The rows are more than one message holds")
            .hint("Name fewer fields in read_mask, or none")),
    }
}

/// The error of the request at this place of a batch.
pub(super) fn of_request(at: usize, mut error: Box<Error>) -> Box<Error> {
    error.message.insert_str(0, &format!("requests[{at}]: "));
    error
}
