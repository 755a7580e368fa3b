//! Collects what a role may do from the rows that tell it.

use crate::{
    error::{Error, Fault, Result},
    outcome::{Pace, Privileges, RelationPrivileges, Row, Sink},
};

/// Takes rows of an OID and four booleans in binary form (see `sql::privileges`).
#[derive(Default)]
pub(super) struct Collector(pub(super) Privileges);

impl Sink for Collector {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        let oid = row.get(0).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let oid =
            oid.ok_or_else(|| Error::new(Fault::UnexpectedResult, "The privileges have an unknown form"))?;
        let may = |column| row.get(column).map(|bytes| bytes == [1]);
        match (may(1), may(2), may(3), may(4)) {
            (Some(select), Some(insert), Some(update), Some(delete)) => {
                let privileges = RelationPrivileges { select, insert, update, delete };
                self.0.relations.insert(oid, privileges);
            }
            _ => {
                self.0.functions.insert(oid);
            }
        }
        Ok(())
    }
}
