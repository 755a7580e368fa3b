//! The answer to one operation of a transaction: where its rows go, and the response that is made of them. It is the
//! response that the operation would have as a call of its own.

use crate::{
    engine::Operation,
    error::Result,
    grpc::{
        blame::Asked,
        call::{ONE_ROW, found, mismatch, telling},
        decode::{self, Answer, Keyed, MAX_BYTES, Missing, Returned, Told},
        encode::{Envelope, KeyedSink, PageSink, WholeSink, number_field},
        method::number,
    },
    outcome::{Outcome, Pace, Row, Sink},
};

/// How the operation that runs is answered.
pub(super) struct Answering {
    asked: Asked,
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

impl Answering {
    /// What the engine runs for a call, and how that is answered.
    pub(super) fn of(call: decode::Call) -> Result<(Self, Operation<Rows>)> {
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
        let asked = Asked::of(&request);
        Ok((Self { asked, told, by }, Operation { request: *request, otherwise, sink: Some(sink) }))
    }

    /// What the operation asks, for its errors.
    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The response, and where it has its row.
    pub(super) fn response(&self, outcome: &Outcome, sink: Rows) -> Result<(Vec<u8>, Option<Envelope>)> {
        Ok(match (&self.by, sink) {
            (By::Row(missing, envelope), Rows::Page(sink)) => {
                found(sink.taken(), *missing, &self.asked)?;
                (telling(self.told, outcome, sink.into_response()), Some(*envelope))
            }
            (By::Nothing(missing), _) => {
                found(outcome.rows, *missing, &self.asked)?;
                (telling(self.told, outcome, Vec::new()), None)
            }
            (By::Whole, Rows::Whole(sink)) => (telling(self.told, outcome, sink.into_response()), None),
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

/// Where the rows of an operation go.
pub(super) enum Rows {
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
