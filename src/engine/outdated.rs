//! What to do where PostgreSQL does not know a column: the catalog may be behind the database. Then the columns that are
//! gone are read as NULL until the next load.

use super::{Engine, question};
use crate::{
    auth::Identity,
    error::{Error, Fault, Origin, Result},
    outcome::{Row, Sink},
    plan::Plan,
    sql,
};
use std::collections::{HashMap, HashSet};

/// SQLSTATE `undefined_column`.
const UNDEFINED_COLUMN: &str = "42703";

/// Whether this is how an outdated catalog shows. It may be the client's mistake as well.
pub(super) fn is_suspect(error: &Error) -> bool {
    matches!(&error.origin, Origin::PostgreSql(report) if report.sqlstate == UNDEFINED_COLUMN)
}

impl Engine {
    /// Compares the columns that `plan` reads with the database's, and forgets those that are gone; whether there are any.
    pub(super) async fn forget_dropped(&self, plan: &mut Plan<'_>, identity: &Identity) -> Result<bool> {
        let relations = plan.relations();
        let mut columns = Columns::default();
        self.pool.run(question(sql::columns(&relations), identity), &mut columns).await?;
        let there: HashMap<u32, HashSet<String>> = columns
            .0
            .into_iter()
            .filter_map(|(place, names)| Some((relations.get(place.checked_sub(1)?)?.oid, names)))
            .collect();
        // Of a relation that is gone as a whole nothing is known.
        Ok(plan.forget(|relation, column| {
            there.get(&relation.oid).is_some_and(|columns| !columns.contains(column))
        }))
    }
}

/// Takes rows of `sql::columns`.
#[derive(Default)]
struct Columns(HashMap<usize, HashSet<String>>);

impl Sink for Columns {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        let place = row.get(0).and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
        let place = place.and_then(|place| usize::try_from(place).ok());
        let name = row.get(1).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let (Some(place), Some(name)) = (place, name) else {
            return Err(Error::new(Fault::UnexpectedResult, "The columns have an unknown form"));
        };
        self.0.entry(place).or_default().insert(name.to_owned());
        Ok(())
    }
}
