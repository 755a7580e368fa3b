//! Collects what a role may do from the rows that tell it.

use crate::{
    error::{Error, Fault, Result},
    outcome::{Columns, Pace, Privileges, RelationPrivileges, Row, Sink},
};

/// Takes rows of an OID, a column's number and four booleans in binary form (see `sql::privileges`).
#[derive(Default)]
pub(super) struct Collector(pub(super) Privileges);

impl Sink for Collector {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        let malformed = || Error::new(Fault::UnexpectedResult, "The privileges have an unknown form");
        let oid = row.get(0).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let oid = oid.ok_or_else(malformed)?;
        let number = row.get(1).and_then(|bytes| bytes.try_into().ok()).map(i16::from_be_bytes);
        let may = |column| row.get(column).map(|bytes| bytes == [1]);
        match (number, may(2), may(3), may(4), may(5)) {
            (None, Some(select), Some(insert), Some(update), Some(delete)) => {
                let found = self.0.relations.entry(oid).or_default();
                *found = RelationPrivileges {
                    select: on_the_whole(select, &found.select),
                    insert: on_the_whole(insert, &found.insert),
                    update: on_the_whole(update, &found.update),
                    delete,
                };
            }
            (Some(number), Some(select), Some(insert), Some(update), None) => {
                let found = self.0.relations.entry(oid).or_default();
                let granted =
                    [(select, &mut found.select), (insert, &mut found.insert), (update, &mut found.update)];
                for (_, columns) in granted.into_iter().filter(|(granted, _)| *granted) {
                    columns.add(number.into());
                }
            }
            (None, None, None, None, None) => {
                self.0.functions.insert(oid);
            }
            _ => return Err(malformed()),
        }
        Ok(())
    }
}

/// The columns of a privilege, once it is known whether it is granted on the whole relation.
fn on_the_whole(granted: bool, so_far: &Columns) -> Columns {
    if granted { Columns::All } else { so_far.clone() }
}
