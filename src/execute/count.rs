//! How the total is found: by counting, by asking the planner, or both.

use super::{
    CountStatement,
    row::Received,
    statement_cache::Statements,
    unit::{Sending, Stop},
};
use crate::{
    error::{Error, Fault},
    outcome::Row as _,
    sql::Fragment,
};
use futures_util::TryStreamExt;
use serde_json::Value;
use std::{pin::pin, sync::Arc};
use tokio_postgres::{Client, Row, RowStream};

/// The text that asks the planner, where the unit needs it.
pub(super) fn explain(count: Option<&CountStatement>) -> Option<String> {
    let planned = match count? {
        CountStatement::Exact(_) => return None,
        CountStatement::Planned(planned) | CountStatement::Estimated { planned, .. } => planned,
    };
    Some(["EXPLAIN (FORMAT JSON) ", planned.as_str()].concat())
}

/// A count on its way.
pub(super) enum Counting<'a> {
    Exact(Sending<'a, RowStream>),
    Planned(Sending<'a, RowStream>),
    /// Both, since waiting for the first would take longer than planning.
    Estimated {
        counted: Sending<'a, RowStream>,
        planned: Sending<'a, RowStream>,
        limit: u64,
    },
}

impl<'a> Counting<'a> {
    /// Sends what finds the total. `explain` is the text made above.
    pub(super) async fn send(
        client: &'a Arc<Client>,
        statements: &mut Statements,
        count: &'a CountStatement,
        explain: &'a str,
    ) -> Self {
        match count {
            CountStatement::Exact(counted) => Self::Exact(send(client, statements, counted).await),
            CountStatement::Planned(planned) => {
                Self::Planned(statements.send(client, explain, planned.parameters()).await)
            }
            CountStatement::Estimated { counted, planned, limit } => Self::Estimated {
                counted: send(client, statements, counted).await,
                planned: statements.send(client, explain, planned.parameters()).await,
                limit: *limit,
            },
        }
    }

    /// The total.
    pub(super) async fn answer(self) -> Result<u64, Stop> {
        match self {
            Self::Exact(counted) => counted_rows(counted).await,
            Self::Planned(planned) => planned_rows(planned).await,
            Self::Estimated { counted, planned, limit } => {
                let counted = counted_rows(counted).await?;
                let planned = planned_rows(planned).await?;
                Ok(if counted > limit { counted.max(planned) } else { counted })
            }
        }
    }
}

async fn send<'a>(
    client: &'a Arc<Client>,
    statements: &mut Statements,
    fragment: &'a Fragment,
) -> Sending<'a, RowStream> {
    statements.send(client, fragment.as_str(), fragment.parameters()).await
}

async fn counted_rows(counted: Sending<'_, RowStream>) -> Result<u64, Stop> {
    let row = only_row(counted).await?;
    let total = row.as_ref().and_then(|row| row.try_get::<_, i64>(0).ok());
    total.and_then(|total| total.try_into().ok()).ok_or_else(|| unexpected("a count is no int8"))
}

async fn planned_rows(planned: Sending<'_, RowStream>) -> Result<u64, Stop> {
    let row = only_row(planned).await?;
    let plan = row.as_ref().and_then(|row| serde_json::from_slice::<Value>(Received(row).get(0)?).ok());
    plan.and_then(|plan| plan.pointer("/0/Plan/Plan Rows")?.as_u64())
        .ok_or_else(|| unexpected("a plan has no number of rows"))
}

/// The row, if there is one.
pub(super) async fn only_row(sent: Sending<'_, RowStream>) -> Result<Option<Row>, Stop> {
    let mut rows = pin!(sent.answer().await?);
    let mut last = None;
    // To the end, and not a step further: that would fail.
    while let Some(row) = rows.try_next().await? {
        last = Some(row);
    }
    Ok(last)
}

fn unexpected(cause: &str) -> Stop {
    Stop::Result(
        Error::new(Fault::UnexpectedResult, "PostgreSQL answered in an unexpected form.").cause(cause),
    )
}
