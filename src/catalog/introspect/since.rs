//! What has changed since an introspection, as PostgreSQL's own catalogs tell: rows that came are known by the transaction
//! that wrote them, and rows that went by their absence. It knows relations alone; what else a descriptor has is read anew
//! each time. Where it cannot be sure, it says so, and everything is read.

use super::{
    Exposed,
    node_tree::Origins,
    relations::KeyRow,
    row::{Fields, Parameter, rows},
};
use crate::error::Result;
use std::collections::HashSet;
use tokio_postgres::{Row, Transaction, types::Type};

/// More objects than this are not asked for one by one. `changed.sql` gives one more.
const MOST: usize = 1000;

/// A transaction's number comes again after four billion others; half of that is how far PostgreSQL itself sees.
const FAR: i64 = 1 << 31;

/// Numbers below this are no transaction's.
const FIRST_TRANSACTION: i64 = 3;

/// What an introspection leaves to the next, so that the next reads no more than what has changed.
#[derive(Debug)]
pub struct Known {
    /// What was asked for.
    pub(super) exposed: Exposed,
    pub(super) moment: Moment,
    pub(super) parts: Parts,
    pub(super) origins: Origins,
    pub(super) foreign_keys: Vec<KeyRow>,
}

/// Whose catalog was read, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) version: i32,
    /// Differs where anything but the catalog could make other texts of the same catalog, or another catalog.
    server: String,
    /// Every transaction before this one had ended.
    settled: i64,
    /// No transaction from this one on had begun.
    next: i64,
}

impl Moment {
    pub(super) fn of(row: &Row) -> Result<Self> {
        let mut fields = Fields::of(row);
        Ok(Self {
            version: fields.next()?,
            server: fields.next()?,
            settled: fields.next()?,
            next: fields.next()?,
        })
    }

    /// Whether what was written between the former moment and this one can be told by its transactions.
    fn continues(&self, former: &Moment) -> bool {
        let begins = former.settled.rem_euclid(1 << 32);
        (self.version, &self.server) == (former.version, &former.server)
            && former.next <= self.next
            && self.next - former.settled < FAR
            && begins >= FIRST_TRANSACTION
    }

    /// The transaction that the next introspection begins at, as PostgreSQL writes it in rows.
    pub(super) fn horizon(&self) -> String {
        self.settled.rem_euclid(1 << 32).to_string()
    }
}

/// Parts of relations that can go without a trace in another row: catalog, relation, part. In this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts(Vec<(i32, u32, u32)>);

impl Parts {
    pub(super) fn of(rows: &[Row]) -> Result<Self> {
        let mut all = Vec::new();
        for row in rows {
            let mut fields = Fields::of(row);
            let catalog: i32 = fields.next()?;
            let (parts, relations): (Vec<u32>, Vec<u32>) = (fields.next()?, fields.next()?);
            all.reserve(parts.len());
            all.extend(parts.into_iter().zip(relations).map(|(part, relation)| (catalog, relation, part)));
        }
        all.sort_unstable();
        Ok(Self(all))
    }

    /// The relations that had parts which are no longer there.
    fn lost_since<'p>(&'p self, former: &'p Parts) -> impl Iterator<Item = u32> + 'p {
        let gone = former.0.iter().filter(|part| self.0.binary_search(part).is_err());
        gone.map(|(_, relation, _)| *relation)
    }
}

/// An object: its catalog and its OID.
type Object = (u32, u32);

/// The relations that have to be read again: what is said of them, or what has a part in it, may have changed. Some may not
/// be there any more. `None` where that cannot be told.
pub(super) async fn touched(
    transaction: &Transaction<'_>,
    known: &Known,
    (moment, parts): (&Moment, &Parts),
    changed: &[Row],
) -> Result<Option<HashSet<u32>>> {
    if !moment.continues(&known.moment) || changed.len() > MOST {
        return Ok(None);
    }
    let objects = changed.iter().map(object).collect::<Result<HashSet<_>>>()?;
    if objects.contains(&EVERYTHING) {
        return Ok(None);
    }
    let mut relations: HashSet<u32> = parts.lost_since(&known.parts).collect();
    let lost = relations.iter().map(|relation| (CLASS, *relation));
    let (classes, oids): (Vec<u32>, Vec<u32>) = objects.into_iter().chain(lost).unzip();
    if oids.len() > MOST {
        return Ok(None);
    }
    let parameters: [Parameter; 2] = [(&classes, Type::OID_ARRAY), (&oids, Type::OID_ARRAY)];
    for row in &rows(transaction, include_str!("../sql/touched.sql"), &parameters).await? {
        relations.insert(Fields::of(row).next()?);
    }
    Ok(Some(relations))
}

/// What `changed.sql` says where a change may be about everything.
const EVERYTHING: Object = (0, 0);

/// The OID of `pg_class`, in every PostgreSQL.
const CLASS: u32 = 1259;

fn object(row: &Row) -> Result<Object> {
    let mut fields = Fields::of(row);
    Ok((fields.next()?, fields.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(settled: i64, next: i64) -> Moment {
        Moment { version: 170_000, server: "one".to_owned(), settled, next }
    }

    #[test]
    fn changes_are_told_by_transactions_on_one_server_and_not_too_far_apart() {
        let former = moment(1000, 1010);
        assert!(moment(1000, 1010).continues(&former));
        assert!(moment(1500, 1000 + FAR - 1).continues(&former));
        assert!(!moment(1500, 1000 + FAR).continues(&former));
        // Behind it: another server that is called by the same name, or a backup.
        assert!(!moment(900, 1009).continues(&former));
        assert!(!Moment { server: "another".to_owned(), ..moment(1000, 1010) }.continues(&former));
        assert!(!Moment { version: 170_001, ..moment(1000, 1010) }.continues(&former));
        // The numbers begin anew, with those that stand for no transaction.
        assert!(!moment(1 << 33, 1 << 33).continues(&moment(1 << 32, 1 << 32)));
        assert_eq!(moment((1 << 32) + 7, 1 << 33).horizon(), "7");
    }

    #[test]
    fn what_is_no_longer_there_says_whose_it_was() {
        let former = Parts(vec![(1, 10, 5), (1, 20, 6), (2, 10, 7), (5, 30, 0)]);
        let now = Parts(vec![(1, 10, 5), (2, 10, 7), (2, 40, 8)]);
        assert_eq!(now.lost_since(&former).collect::<Vec<_>>(), [20, 30]);
    }
}
