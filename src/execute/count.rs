//! How the total is found where the statement does not say it, or not for sure:
//! by asking the planner.

use super::{Report, row::Received, sent::Sent, unit::Stop};
use crate::{
    error::{Error, Fault},
    outcome::Row as _,
    sql::{Count, Fragment},
};
use futures_util::TryStreamExt;
use serde_json::Value;
use std::pin::pin;
use tokio_postgres::{Row, RowStream};

/// What asks the planner. Of an estimate it is sent together with the count,
/// since waiting for that would take longer than planning.
pub(super) fn planned(count: Option<&Count>) -> Option<&Fragment> {
    match count? {
        Count::Rows | Count::Fact => None,
        Count::Planned(planned) | Count::Estimated { planned, .. } => Some(planned),
    }
}

/// Completes the report's total. `planned` is what the planner expects.
pub(super) fn complete(report: &mut Report, count: &Count, planned: Option<u64>) {
    match count {
        Count::Rows => report.total = Some(report.rows),
        Count::Fact => {}
        Count::Planned(_) => report.total = planned,
        Count::Estimated { limit, .. } if report.total > *limit => {
            report.total = report.total.max(planned);
        }
        Count::Estimated { .. } => {}
    }
}

/// The number of rows that the planner expects.
pub(super) async fn planned_rows(planned: Sent<'_, RowStream>) -> Result<u64, Stop> {
    let row = only_row(planned).await?;
    let plan = row.as_ref().and_then(|row| serde_json::from_slice::<Value>(Received(row).get(0)?).ok());
    plan.and_then(|plan| plan.pointer("/0/Plan/Plan Rows")?.as_u64()).ok_or_else(|| {
        Stop::Result(
            Error::new(Fault::UnexpectedResult, "PostgreSQL answered in an unexpected form.")
                .cause("a plan without a number of rows"),
        )
    })
}

/// The row, if there is one.
pub(super) async fn only_row(sent: Sent<'_, RowStream>) -> Result<Option<Row>, Stop> {
    let mut rows = pin!(sent.answer().await?);
    let mut last = None;
    // To the end, and not a step further: that would fail.
    while let Some(row) = rows.try_next().await? {
        last = Some(row);
    }
    Ok(last)
}
