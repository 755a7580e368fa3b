//! How the total is found where the statement does not say it, or not for sure:
//! by asking the planner.

use super::{Report, error};
use crate::{
    error::Result,
    sql::{Count, Fragment},
};
use serde_json::Value;

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

/// The number of rows that a plan expects.
pub(super) fn planned_rows(plan: Option<&str>) -> Result<u64> {
    let plan = plan.and_then(|plan| serde_json::from_str::<Value>(plan).ok());
    plan.and_then(|plan| plan.pointer("/0/Plan/Plan Rows")?.as_u64())
        .ok_or_else(|| error::unexpected("a plan without a number of rows"))
}
