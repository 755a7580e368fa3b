//! Renames that a lock cannot know of: something is gone and something like it is new. Which of the two it was, the one
//! who made the change knows; this only asks.

use super::{Ledger, Lock, PackageLock};

/// What may have been renamed between two locks, a line each.
pub(crate) fn renames(before: &Lock, after: &Lock) -> Vec<String> {
    let pairs = before.schemas.iter().filter_map(|(name, former)| Some((former, after.schemas.get(name)?)));
    pairs.flat_map(|(former, package)| in_package(former, package)).collect()
}

fn in_package(before: &PackageLock, after: &PackageLock) -> Vec<String> {
    let mut found = Vec::new();
    for (name, relation) in &after.relations {
        if let Some(former) = before.relations.get(name) {
            let place = format!("\"{name}\"");
            found.extend(in_ledger(&place, &former.columns, &relation.columns));
            found.extend(in_ledger(&place, &former.computed, &relation.computed));
        }
    }
    for (name, composite) in &after.composites {
        if let Some(former) = before.composites.get(name) {
            found.extend(in_ledger(&format!("\"{name}\""), &former.attributes, &composite.attributes));
        }
    }
    for (name, known) in &after.enums {
        if let Some(former) = before.enums.get(name) {
            found.extend(in_ledger(&format!("\"{name}\""), &former.labels, &known.labels));
        }
    }
    found
}

/// One that is gone and one that is new, of one type.
fn in_ledger(place: &str, before: &Ledger, after: &Ledger) -> Option<String> {
    let mut gone = before.fields.iter().filter(|(key, _)| !after.fields.contains_key(*key));
    let mut new = after.fields.iter().filter(|(key, _)| !before.fields.contains_key(*key));
    let (Some((was, former)), None, Some((is, declaration)), None) =
        (gone.next(), gone.next(), new.next(), new.next())
    else {
        return None;
    };
    (former.kind == declaration.kind).then(|| {
        format!(
            "In {place} \"{was}\" is gone and \"{is}\" is new. If that is a rename, take the lock as it was, write \
             \"{is}\": \"{former}\" there in place of \"{was}\", and export again: then the number stays."
        )
    })
}
