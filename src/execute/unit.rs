//! A unit's conversation with PostgreSQL, in the order of the drawing in
//! `execute`. It keeps the rules: everything is sent before anything is
//! awaited, the first error is the one that counts, and nothing is reported
//! before the transaction has ended.

use super::{
    Access, End, Expectation, Report, ResponseSettings, Unit,
    count::{self, only_row, planned_rows},
    error::reported,
    facts, preamble,
    row::Received,
    sent::Sent,
    statement_cache::{Statements, bind},
};
use crate::{
    error::{Error, Fault},
    outcome::Sink,
    sql::{Fact, Fragment, Layout},
};
use futures_util::TryStreamExt;
use std::{mem, pin::pin, sync::Arc, task::Poll, time::Duration};
use tokio_postgres::{Client, Row, RowStream, Statement, error::SqlState};

/// Why a unit gave no report.
pub(super) struct Failure {
    pub(super) error: Box<Error>,
    pub(super) transaction: Transaction,
}

/// What became of a failed unit's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    /// It has ended, and the connection runs nothing.
    Ended,
    /// It has ended before a row came, because a prepared statement no longer
    /// fits the database. Run it again: prepared statements are forgotten.
    Outdated,
    /// Unknown: answers are still to come.
    Open,
}

/// What made the conversation stop.
pub(super) enum Stop {
    /// PostgreSQL, or the way to it.
    Database(tokio_postgres::Error),
    /// The result is not what the unit expects.
    Result(Box<Error>),
    /// The sink takes no more rows.
    Sink(Box<Error>),
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

/// Sinks are asked whether they can take more after so many rows.
const ROWS_AT_ONCE: u64 = 64;

const RESPONSE_SETTINGS: &str =
    "SELECT current_setting('response.headers', true), current_setting('response.status', true)";

/// A unit, and the connection it runs on.
pub(super) struct Conversation<'a> {
    pub(super) client: &'a Arc<Client>,
    pub(super) statements: &'a mut Statements,
    pub(super) unit: &'a Unit,
    /// What ends the transaction, once it is sent.
    end: Option<Sent<'a, ()>>,
    rows: Rows,
}

/// Whether rows went into the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    Awaited,
    Coming,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(client: &'a Arc<Client>, statements: &'a mut Statements, unit: &'a Unit) -> Self {
        Self { client, statements, unit, end: None, rows: Rows::Awaited }
    }

    /// Runs the unit. `left` is what is left of its deadline.
    pub(super) async fn run(
        mut self,
        left: Option<Duration>,
        sink: &mut impl Sink,
    ) -> Result<Report, Failure> {
        let outcome = self.exchange(left, sink).await;
        if let Err(Stop::Sink(error)) = outcome {
            // The rest of the rows is nobody's: whoever holds the connection cancels.
            return Err(Failure { error, transaction: Transaction::Open });
        }
        let ended = match self.end {
            Some(end) => end.answer().await,
            None if outcome.is_ok() => match finish(self.client, self.unit).await {
                Ok(end) => end.answer().await,
                Err(error) => Err(error),
            },
            None => self.client.batch_execute("ROLLBACK").await,
        };
        self.statements.settle_described().await;
        let error = match (outcome, ended) {
            (Ok(report), Ok(())) => return Ok(report),
            (Err(Stop::Database(error)), _) if self.rows == Rows::Awaited && is_outdated(&error) => {
                // What is being described would come in between when the unit runs again.
                self.statements.settle().await;
                self.statements.clear();
                return Err(Failure { error: reported(&error), transaction: Transaction::Outdated });
            }
            // Whatever comes after the first error only says that the transaction has failed.
            (Err(Stop::Database(error)), _) | (Ok(_), Err(error)) => reported(&error),
            (Err(Stop::Result(error) | Stop::Sink(error)), _) => error,
        };
        Err(Failure { error, transaction: Transaction::Ended })
    }

    async fn exchange(&mut self, left: Option<Duration>, sink: &mut impl Sink) -> Result<Report, Stop> {
        let Self { client, unit, .. } = *self;
        let settings = preamble::settings(unit, left);

        let begin = Sent::new(client.batch_execute(preamble::begin(unit.isolation, unit.access))).await?;
        let mut start = Start { begin: Some(begin), calls: vec![self.send(&settings).await?] };
        if let Some(call) = &unit.pre_request {
            start.calls.push(self.send(call).await?);
        }
        let rows = self.statement(&mut start, sink).await?;
        let planned = match count::planned(unit.count.as_ref()) {
            Some(explain) => Some(self.send(explain).await?),
            None => None,
        };
        let response = match unit.response_settings {
            ResponseSettings::Read => Some(self.statements.send(client, RESPONSE_SETTINGS, &[]).await?),
            ResponseSettings::Unset => None,
        };
        if self.ends_at_once() {
            self.end = Some(finish(client, unit).await?);
        }

        start.answer().await?;
        let rows = rows.answer().await?;
        self.rows = Rows::Coming;
        let mut report = deliver(rows, &unit.statement.facts, sink).await?;
        sink.complete().map_err(Stop::Result)?;
        let planned = match planned {
            Some(planned) => Some(planned_rows(planned).await?),
            None => None,
        };
        if let Some(count) = &unit.count {
            count::complete(&mut report, count, planned);
        }
        if let Some(response) = response
            && let Some(row) = only_row(response).await?
        {
            (report.headers, report.status) = (facts::text(&row, 0), facts::text(&row, 1));
        }
        check(unit.expectation, report.rows).map_err(Stop::Result)?;
        Ok(report)
    }

    /// Sends the statement. Where its columns may be of any type and are not
    /// known yet, this waits for PostgreSQL to describe them.
    async fn statement(
        &mut self,
        start: &mut Start<'_>,
        sink: &mut impl Sink,
    ) -> Result<Sent<'a, RowStream>, Stop> {
        let fragment = &self.unit.statement.fragment;
        if !has_any_columns(&self.unit.statement.layout) {
            return Ok(self.send(fragment).await?);
        }
        let statement = match self.statements.prepared(fragment.as_str()) {
            Some(statement) if fits(&statement, sink).is_ok() => statement,
            // What does not fit may have changed since it was described.
            Some(_) | None => {
                let described = self.statements.describe(self.client, fragment.as_str()).await?;
                start.answer().await?;
                let statement = described.answer().await?;
                fits(&statement, sink).map_err(Stop::Result)?;
                self.statements.keep(fragment.as_str(), statement.clone());
                statement
            }
        };
        Ok(bind(self.client, statement, fragment.parameters()).await?)
    }

    async fn send<'f>(&mut self, fragment: &'f Fragment) -> Result<Sent<'f, RowStream>, tokio_postgres::Error>
    where
        'a: 'f,
    {
        self.statements.send(self.client, fragment.as_str(), fragment.parameters()).await
    }

    /// Whether the end can be sent with the rest.
    fn ends_at_once(&self) -> bool {
        // The result does not decide it, or there is nothing that could be undone.
        let is_decided = self.unit.expectation == Expectation::Any || self.unit.access == Access::ReadOnly;
        // A named statement that is not kept is closed within its transaction: the
        // next one may be on another connection of a transaction pooler.
        is_decided && (self.statements.are_kept() || !has_any_columns(&self.unit.statement.layout))
    }
}

/// Sends what ends a transaction that has not failed.
async fn finish<'a>(client: &'a Client, unit: &Unit) -> Result<Sent<'a, ()>, tokio_postgres::Error> {
    match unit.end {
        End::Commit => Sent::new(client.batch_execute(preamble::commit(unit.response_settings))).await,
        End::Rollback => {
            // Not in one query string: an error would skip the rest of it.
            let checked = Sent::new(client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE")).await?;
            Ok(checked.and(Sent::new(client.batch_execute("ROLLBACK")).await?))
        }
    }
}

/// The sink takes columns of the statement's types.
fn fits(statement: &Statement, sink: &mut impl Sink) -> Result<(), Box<Error>> {
    sink.columns(&mut statement.columns().iter().map(|column| column.type_().oid()))
}

/// Whether the columns may be of types that are not built in. `sql` casts those
/// that become JSON or text here.
fn has_any_columns(layout: &Layout) -> bool {
    match layout {
        Layout::Columns | Layout::Body => true,
        Layout::Array(_)
        | Layout::Object(_)
        | Layout::Scalar(_)
        | Layout::Scalars { .. }
        | Layout::Lines
        | Layout::Csv(_)
        | Layout::Nothing => false,
    }
}

/// Whether PostgreSQL refuses a prepared statement that once was good: its
/// result has other columns now, or it was deallocated. Nothing else tells the
/// first from features that PostgreSQL does not have.
fn is_outdated(error: &tokio_postgres::Error) -> bool {
    let Some(error) = error.as_db_error() else { return false };
    match *error.code() {
        SqlState::INVALID_SQL_STATEMENT_NAME => true,
        SqlState::FEATURE_NOT_SUPPORTED => error.routine() == Some("RevalidateCachedQuery"),
        _ => false,
    }
}

/// What comes before the statement and gives nothing but errors.
struct Start<'a> {
    begin: Option<Sent<'a, ()>>,
    calls: Vec<Sent<'a, RowStream>>,
}

impl Start<'_> {
    /// The first error, if there is one. What was answered is not asked again.
    async fn answer(&mut self) -> Result<(), Stop> {
        if let Some(begin) = self.begin.take() {
            begin.answer().await?;
        }
        for call in mem::take(&mut self.calls) {
            only_row(call).await?;
        }
        Ok(())
    }
}

/// Hands rows to the sink as they come.
async fn deliver(rows: RowStream, facts: &[Fact], sink: &mut impl Sink) -> Result<Report, Stop> {
    let mut rows = pin!(rows);
    let mut report = Report::default();
    let mut last: Option<Row> = None;
    loop {
        let next = match futures_util::poll!(rows.try_next()) {
            Poll::Ready(next) => next?,
            Poll::Pending => {
                sink.ready().await.map_err(Stop::Sink)?;
                rows.try_next().await?
            }
        };
        let Some(row) = next else { break };
        if facts::has_data(&row, facts) {
            sink.row(&Received(&row)).map_err(Stop::Sink)?;
            report.rows += 1;
            if report.rows.is_multiple_of(ROWS_AT_ONCE) {
                sink.ready().await.map_err(Stop::Sink)?;
            }
        }
        last = Some(row);
    }
    match last {
        Some(last) => facts::read(&mut report, &last, facts),
        // What returns no rows says how many it affected.
        None => report.rows = rows.rows_affected().unwrap_or(0),
    }
    Ok(report)
}

fn check(expectation: Expectation, rows: u64) -> Result<(), Box<Error>> {
    match expectation {
        Expectation::One if rows != 1 => {
            Err(Error::new(Fault::NotSingular, "Cannot coerce the result to a single JSON object")
                .details(format!("The result contains {rows} rows")))
        }
        Expectation::UpsertedOne if rows != 1 => Err(Error::new(
            Fault::UpsertKeyMismatch,
            "Payload values do not match URL in primary key column(s)",
        )),
        Expectation::AtMost(most) if i128::from(rows) > i128::from(most) => Err(Error::new(
            Fault::MaxAffectedExceeded,
            "Query result exceeds max-affected preference constraint",
        )
        .details(format!("The query affects {rows} rows"))),
        Expectation::Any
        | Expectation::One
        | Expectation::UpsertedOne
        | Expectation::AtMost(_)
        | Expectation::Sink => Ok(()),
    }
}
