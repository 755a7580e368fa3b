//! The fields of a message, or the values of an enum, past and present: who has
//! which name and number. What is there keeps both; what is gone keeps others
//! from having them; what has another type is gone and new.

use super::Declaration;
use crate::grpc::{names::Claims, surface::Reserved};
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

/// A field that is to have a name and a number.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// What the database calls it.
    pub(crate) key: String,
    /// Its type.
    pub(crate) kind: String,
    /// The name that it gets if that is free.
    pub(crate) name: String,
    /// The number that it gets if nothing is locked yet.
    pub(crate) number: u32,
}

/// Which numbers are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Those of columns: up to 2000, where other fields begin, then far above.
    Columns,
    /// Those of fields that are no columns: from 2001.
    Embeds,
    /// Those of an enum: from 1.
    Values,
}

impl Numbers {
    /// The number after `last`.
    fn after(self, last: u32) -> u32 {
        match (self, last + 1) {
            (Self::Columns, 2001..100_000) => 100_000,
            (Self::Embeds, ..2001) => 2001,
            (Self::Embeds, 19_000..20_000) => 20_000,
            (_, next) => next,
        }
    }

    /// Whether unused numbers below used ones belonged to something once.
    fn have_gaps(self) -> bool {
        match self {
            Self::Columns => true,
            Self::Embeds | Self::Values => false,
        }
    }
}

impl Ledger {
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

    /// Gives each of `wanted` a name and a number, in their order; what is here
    /// already keeps its own. `claim` chooses the name of what is new.
    pub(crate) fn settle(
        &self,
        wanted: &[Wanted],
        numbers: Numbers,
        mut claim: impl FnMut(&Wanted) -> String,
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
        let mut last = self.all().map(|declaration| declaration.number).max();
        for wanted in wanted {
            if settled.fields.contains_key(&wanted.key) {
                continue;
            }
            let number = match &mut last {
                None => wanted.number,
                Some(last) => {
                    *last = numbers.after(*last);
                    *last
                }
            };
            let declaration = Declaration { kind: wanted.kind.clone(), name: claim(wanted), number };
            settled.fields.insert(wanted.key.clone(), declaration);
        }
        settled
    }

    /// As [`Ledger::settle`], for fields of a message: names are told apart as `claims` does.
    pub(crate) fn settle_fields(&self, wanted: &[Wanted], numbers: Numbers, claims: &mut Claims) -> Ledger {
        for declaration in self.all() {
            claims.take_field(&declaration.name);
        }
        self.settle(wanted, numbers, |wanted| claims.field(&wanted.name))
    }

    /// What must not be used again.
    pub(crate) fn reserved(&self, numbers: Numbers) -> Reserved {
        let mut reserved = Reserved {
            numbers: self.reserved.iter().map(|declaration| declaration.number).collect(),
            names: self.reserved.iter().map(|declaration| declaration.name.clone()).collect(),
        };
        if numbers.have_gaps() {
            let used: BTreeSet<u32> = self.all().map(|declaration| declaration.number).collect();
            let last = used.range(..=2000).next_back().copied().unwrap_or_default();
            reserved.numbers.extend((1..last).filter(|number| !used.contains(number)));
        }
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
