//! Which relations run code of the database's authors: those with a reason of
//! their own, and those whose statements touch such a one.

use super::row::Fields;
use crate::error::Result;
use std::collections::{HashMap, HashSet};
use tokio_postgres::Row;

/// The relations that run code, from the rows of `code.sql`.
pub(super) fn closure(reasons: &[Row]) -> Result<HashSet<u32>> {
    let mut touching: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut pending = Vec::new();
    for row in reasons {
        let mut fields = Fields::of(row);
        let relation: u32 = fields.next()?;
        match fields.next::<Option<u32>>()? {
            Some(through) => touching.entry(through).or_default().push(relation),
            None => pending.push(relation),
        }
    }
    let mut running = HashSet::new();
    while let Some(relation) = pending.pop() {
        if running.insert(relation) {
            pending.extend(touching.get(&relation).into_iter().flatten());
        }
    }
    Ok(running)
}
