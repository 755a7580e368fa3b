//! Notes on a request, taken while it is answered and written by the log. A leaf: any module can take a note, which costs
//! one look at a thread-local variable where the log needs none.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The stages of a request, in their order.
pub const STAGES: [&str; 8] =
    ["jwt", "parse", "plan", "transaction", "response", "wait", "database", "encode"];

/// A stage of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The token was verified.
    Jwt,
    /// The request was read.
    Parse,
    /// It was resolved against the catalog and written down as SQL.
    Plan,
    /// PostgreSQL answered, from the wait for a connection to the end of the transaction.
    Transaction,
    /// The answer was made.
    Response,
    /// Of the transaction: a connection was waited for.
    Wait,
    /// Of the transaction: PostgreSQL worked, and what it gave was encoded.
    Database,
    /// Of that: rows were encoded.
    Encode,
}

/// The notes of a request.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// How long each stage took, by its place; none where there was no such stage.
    pub stages: [Option<Duration>; STAGES.len()],
    /// How many rows came, or were affected.
    pub rows: Option<u64>,
    /// The statement, where it is to be logged.
    pub query: Option<String>,
}

/// Where notes are taken.
#[derive(Clone, Debug, Default)]
pub struct Pad(Arc<Mutex<Notes>>);

tokio::task_local! {
    static PAD: Pad;
}

impl Pad {
    /// Runs a future; what is noted while it runs is noted here.
    pub async fn during<T>(&self, future: impl Future<Output = T>) -> T {
        PAD.scope(self.clone(), future).await
    }

    /// What was noted so far.
    pub fn notes(&self) -> Notes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The pad of the request that this task answers, if notes are taken of it.
pub fn pad() -> Option<Pad> {
    PAD.try_with(Pad::clone).ok()
}

/// Whether notes are taken of the request that this task answers.
pub fn are_taken() -> bool {
    PAD.try_with(|_| ()).is_ok()
}

/// Notes something of the request that this task answers, if notes are taken of it.
pub fn note(what: impl FnOnce(&mut Notes)) {
    let _ = PAD.try_with(|Pad(notes)| what(&mut notes.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// Notes that a stage took so long.
pub fn took(stage: Stage, time: Duration) {
    note(|notes| *notes.stages[stage as usize].get_or_insert_default() += time);
}
