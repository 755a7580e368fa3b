//! A unit's conversation with PostgreSQL, in the order of the drawing in
//! `execute`. It keeps the rules: everything is sent before anything is
//! awaited, the first error is the one that counts, and nothing is reported
//! before the transaction has ended.

use super::{
    Access, End, Expectation, Isolation, Report, ResponseSettings, Unit,
    count::{self, Counting, only_row},
    error::reported,
    row::Received,
    sent::Sent,
    settings,
    statement_cache::{Statements, bind},
};
use crate::{
    error::{Error, Fault},
    outcome::{Row as _, Sink},
    sql::{Fragment, Layout},
};
use futures_util::TryStreamExt;
use std::{mem, pin::pin, sync::Arc, task::Poll, time::Duration};
use tokio_postgres::{Client, Row, RowStream, error::SqlState};

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

/// What was sent, and what PostgreSQL answers.
pub(super) type Sending<'a, T> = Sent<'a, Result<T, tokio_postgres::Error>>;

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
    end: Option<Sending<'a, ()>>,
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
            None if outcome.is_ok() => finish(self.client, self.unit.end).await.answer().await,
            None => self.client.batch_execute("ROLLBACK").await,
        };
        self.statements.settle_described().await;
        let error = match (outcome, ended) {
            (Ok(report), Ok(())) => return Ok(report),
            (Err(Stop::Database(error)), _) if self.rows == Rows::Awaited && is_outdated(&error) => {
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
        let settings = settings::fragment(unit, left);
        let explain = count::explain(unit.count.as_ref()).unwrap_or_default();

        let begin = Sent::new(client.batch_execute(begin(unit.isolation, unit.access))).await;
        let mut start = Start { begin: Some(begin), calls: vec![self.send(&settings).await] };
        if let Some(call) = &unit.pre_request {
            start.calls.push(self.send(call).await);
        }
        let rows = self.statement(&mut start).await?;
        let counting = match &unit.count {
            Some(count) => Some(Counting::send(client, self.statements, count, &explain).await),
            None => None,
        };
        let response = match unit.response_settings {
            ResponseSettings::Read => Some(self.statements.send(client, RESPONSE_SETTINGS, &[]).await),
            ResponseSettings::Unset => None,
        };
        if ends_at_once(unit) {
            self.end = Some(finish(client, unit.end).await);
        }

        start.answer().await?;
        let rows = rows.answer().await?;
        self.rows = Rows::Coming;
        let mut report = deliver(rows, data_columns(&unit.statement.layout), sink).await?;
        if let Some(counting) = counting {
            report.total = Some(counting.answer().await?);
        }
        if let Some(response) = response
            && let Some(row) = only_row(response).await?
        {
            (report.headers, report.status) = (text(&row, 0), text(&row, 1));
        }
        check(unit.expectation, report.rows).map_err(Stop::Result)?;
        Ok(report)
    }

    /// Sends the statement. Where its columns may be of any type and are not
    /// known yet, this waits for PostgreSQL to describe them.
    async fn statement(&mut self, start: &mut Start<'_>) -> Result<Sending<'a, RowStream>, Stop> {
        let fragment = &self.unit.statement.fragment;
        if self.unit.statement.layout == Layout::Columns && !self.statements.has(fragment.as_str()) {
            start.answer().await?;
            let statement = self.statements.prepared(self.client, fragment.as_str()).await?;
            return Ok(bind(self.client, statement, fragment.parameters()).await);
        }
        Ok(self.send(fragment).await)
    }

    async fn send<'f>(&mut self, fragment: &'f Fragment) -> Sending<'f, RowStream>
    where
        'a: 'f,
    {
        self.statements.send(self.client, fragment.as_str(), fragment.parameters()).await
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
    begin: Option<Sending<'a, ()>>,
    calls: Vec<Sending<'a, RowStream>>,
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

const fn begin(isolation: Isolation, access: Access) -> &'static str {
    match (isolation, access) {
        (Isolation::ReadCommitted, Access::ReadOnly) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        (Isolation::ReadCommitted, Access::ReadWrite) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        (Isolation::RepeatableRead, Access::ReadOnly) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (Isolation::RepeatableRead, Access::ReadWrite) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
        (Isolation::Serializable, Access::ReadOnly) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        (Isolation::Serializable, Access::ReadWrite) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
    }
}

/// Whether the end can be sent with the rest: where the result does not decide
/// it, or where there is nothing that could be undone.
fn ends_at_once(unit: &Unit) -> bool {
    unit.expectation == Expectation::Any || unit.access == Access::ReadOnly
}

/// Sends what ends a transaction that has not failed.
async fn finish<'a>(client: &'a Client, end: End) -> Sending<'a, ()> {
    match end {
        End::Commit => Sent::new(client.batch_execute("COMMIT")).await,
        End::Rollback => {
            // Not in one query string: an error would skip the rest of it.
            let checked = Sent::new(client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE")).await;
            let undone = Sent::new(client.batch_execute("ROLLBACK")).await;
            Sent::Waiting(Box::pin(async move {
                let checked = checked.answer().await;
                undone.answer().await?;
                checked
            }))
        }
    }
}

/// Hands rows to the sink as they come.
async fn deliver(rows: RowStream, data_columns: usize, sink: &mut impl Sink) -> Result<Report, Stop> {
    let mut rows = pin!(rows);
    let mut last: Option<Row> = None;
    let mut count = 0;
    loop {
        let next = match futures_util::poll!(rows.try_next()) {
            Poll::Ready(next) => next?,
            Poll::Pending => {
                sink.ready().await.map_err(Stop::Sink)?;
                rows.try_next().await?
            }
        };
        let Some(row) = next else { break };
        sink.row(&Received(&row)).map_err(Stop::Sink)?;
        count += 1;
        if count % ROWS_AT_ONCE == 0 {
            sink.ready().await.map_err(Stop::Sink)?;
        }
        last = Some(row);
    }
    // What returns no rows says how many it affected.
    let rows = if count > 0 { count } else { rows.rows_affected().unwrap_or(0) };
    let facts = last.map(|row| (data_columns..row.len()).map(|column| text(&row, column)).collect());
    Ok(Report { rows, facts: facts.unwrap_or_default(), ..Report::default() })
}

/// How many columns come before those that carry facts.
fn data_columns(layout: &Layout) -> usize {
    match layout {
        Layout::Array(columns) | Layout::Object(columns) => columns.len(),
        Layout::Csv(names) => names.len(),
        Layout::Scalar(_) | Layout::Scalars(_) | Layout::Body | Layout::Lines => 1,
        Layout::Nothing => 0,
        // The sink knows; there are no facts.
        Layout::Columns => usize::MAX,
    }
}

fn text(row: &Row, column: usize) -> Option<String> {
    Received(row).get(column).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
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
        Expectation::AtMost(most) if rows > most => Err(Error::new(
            Fault::MaxAffectedExceeded,
            "Query result exceeds max-affected preference constraint",
        )
        .details(format!("The query affects {rows} rows"))),
        Expectation::Any | Expectation::One | Expectation::UpsertedOne | Expectation::AtMost(_) => Ok(()),
    }
}
