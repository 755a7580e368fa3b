//! The fields of a message, or the values of an enum, past and present: who has
//! which name and number. What is there keeps both; what is gone keeps others
//! from having them; what has another type is gone and new.

use super::Declaration;
use crate::grpc::{
    names::{Claims, numbered},
    surface::{Numbered, Numbers, Reserved},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Names and numbers of one message or enum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    /// By what the database calls them.
    #[serde(default)]
    pub(crate) fields: BTreeMap<String, Declaration>,
    /// What is no more, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reserved: Vec<Declaration>,
}

/// A field or a label that is to have a name and a number.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// What the database calls it. Its number at first sight is this name's.
    pub(crate) key: String,
    /// Its type.
    pub(crate) kind: String,
    /// The names that it would have, the first of them if it is free.
    pub(crate) names: Vec<String>,
    /// Who goes first where two would have one name.
    pub(crate) rank: Rank,
}

/// Who goes first where two would have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    First,
    Second,
    Third,
}

impl Rank {
    const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];
}

impl Wanted {
    /// The name at this attempt: where it has no other, its number tells it apart.
    pub(crate) fn name(&self, attempt: usize) -> String {
        self.names.get(attempt).cloned().unwrap_or_else(|| {
            let plain = self.names.first().map_or("", String::as_str);
            let again = "'".repeat(attempt.saturating_sub(self.names.len()));
            format!("{plain}_{}", Numbered::Field.number(&format!("{}{again}", self.key)))
        })
    }
}

/// The last number that a column has by its place in its table.
const LAST_PLACE: u32 = 2000;

impl Ledger {
    /// All that these have, for what must not have any of it.
    pub(crate) fn all_of(ledgers: &[&Ledger]) -> Self {
        let reserved = ledgers.iter().flat_map(|ledger| ledger.all()).cloned().collect();
        Self { reserved, ..Self::default() }
    }

    /// Whether nothing is locked.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.reserved.is_empty()
    }

    /// The type that this is locked as.
    pub(crate) fn kind(&self, key: &str) -> Option<&str> {
        self.fields.get(key).map(|declaration| declaration.kind.as_str())
    }

    /// Everything that has a name and a number, or had.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Declaration> {
        self.fields.values().chain(&self.reserved)
    }

    /// Gives each of `wanted` a name and a number; what is here already keeps its own. `names` are
    /// those of what is new, in its order; it is told what must not be used again.
    pub(crate) fn settle(
        &self,
        wanted: &[Wanted],
        numbers: &mut Numbers,
        names: impl FnOnce(&[&Wanted], &[Declaration]) -> Vec<String>,
    ) -> Ledger {
        let mut settled = Ledger { fields: BTreeMap::new(), reserved: self.reserved.clone() };
        let kinds: HashMap<&str, &str> =
            wanted.iter().map(|wanted| (wanted.key.as_str(), wanted.kind.as_str())).collect();
        for (key, declaration) in &self.fields {
            if kinds.get(key.as_str()) == Some(&declaration.kind.as_str()) {
                settled.fields.insert(key.clone(), declaration.clone());
            } else {
                settled.reserved.push(declaration.clone());
            }
        }
        settled.reserved.sort_by_key(|declaration| declaration.number);
        let new: Vec<&Wanted> =
            wanted.iter().filter(|wanted| !settled.fields.contains_key(&wanted.key)).collect();
        let keys: Vec<&str> = new.iter().map(|wanted| wanted.key.as_str()).collect();
        let (given, names) = (numbers.give(&keys), names(&new, &settled.reserved));
        for ((wanted, number), name) in new.into_iter().zip(given).zip(names) {
            let declaration = Declaration { kind: wanted.kind.clone(), name, number };
            settled.fields.insert(wanted.key.clone(), declaration);
        }
        settled
    }

    /// As [`Ledger::settle`], for fields of a message. `beside` are the other fields of it, which keep
    /// their names and numbers.
    pub(crate) fn settle_fields(&self, wanted: &[Wanted], beside: &Ledger) -> Ledger {
        let known = || self.all().chain(beside.all());
        let mut numbers = Numbers::of(Numbered::Field, known().map(|declaration| declaration.number));
        let mut claims = Claims::default();
        for declaration in known() {
            claims.take_field(&declaration.name);
        }
        self.settle(wanted, &mut numbers, |new, reserved| {
            let candidate = |wanted: &&Wanted, attempt| match wanted.names.first() {
                // It was there before, and is counted.
                Some(plain) if reserved.iter().any(|former| former.name == *plain) => {
                    numbered(plain, attempt)
                }
                Some(_) | None => wanted.name(attempt),
            };
            let mut names = HashMap::new();
            for rank in Rank::ALL {
                let equals: Vec<&Wanted> = new.iter().copied().filter(|wanted| wanted.rank == rank).collect();
                let named = claims.fields(&equals, candidate);
                names.extend(equals.iter().map(|wanted| wanted.key.clone()).zip(named));
            }
            new.iter().map(|wanted| names.remove(&wanted.key).unwrap_or_default()).collect()
        })
    }

    /// What must not be used again.
    pub(crate) fn reserved(&self) -> Reserved {
        Reserved {
            numbers: self.reserved.iter().map(|declaration| declaration.number).collect(),
            names: self.reserved.iter().map(|declaration| declaration.name.clone()).collect(),
        }
    }

    /// As [`Ledger::reserved`], of columns: their numbers in locks of old are places in a table, and those that are left out
    /// below others belonged to columns once.
    pub(crate) fn reserved_with_gaps(&self) -> Reserved {
        let mut reserved = self.reserved();
        let used: BTreeSet<u32> = self.all().map(|declaration| declaration.number).collect();
        let last = used.range(..=LAST_PLACE).next_back().copied().unwrap_or_default();
        reserved.numbers.extend((1..last).filter(|number| !used.contains(number)));
        reserved
    }

    /// No two of these have one name or one number.
    pub(super) fn check<'a>(ledgers: impl IntoIterator<Item = &'a Ledger>) -> Result<(), String> {
        let mut names: HashMap<&str, &Declaration> = HashMap::new();
        let mut numbers: HashMap<u32, &Declaration> = HashMap::new();
        for declaration in ledgers.into_iter().flat_map(Ledger::all) {
            if let Some(other) = names.insert(&declaration.name, declaration) {
                return Err(format!("\"{other}\" and \"{declaration}\" have one name"));
            }
            if let Some(other) = numbers.insert(declaration.number, declaration) {
                return Err(format!("\"{other}\" and \"{declaration}\" have one number"));
            }
        }
        Ok(())
    }
}
