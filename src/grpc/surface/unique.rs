//! Unique keys: an enum for each relation that takes rows, with a value for each key that can decide whether a row is
//! there already. A key is called after its columns, so that it is the same whatever its index is called. Names of values are taken
//! at a reload, since others of the package could have them; the enum is made together with its resource.

use super::{
    Enum, EnumValue, Numbered, Package, Reserved, ResourceNames,
    build::Builder,
    locked::{Scope, settle_values},
};
use crate::{
    catalog::descriptor::Relation,
    grpc::{
        lock::{Ledger, RelationLock},
        names::upper_snake,
    },
};
use std::collections::{HashMap, HashSet};

/// The unique keys of a relation.
#[derive(Debug)]
pub(crate) struct Uniques {
    /// The enum: its labels are the keys.
    pub(crate) found: Enum,
    /// The columns of each key, in the order of the labels.
    columns: Vec<Vec<String>>,
}

impl Uniques {
    /// The columns of the key that has this number.
    pub(crate) fn columns(&self, number: i32) -> Option<&[String]> {
        let is_it = |value: &EnumValue| u32::try_from(number) == Ok(value.number);
        let at = self.found.values.iter().position(is_it)?;
        self.columns.get(at).map(Vec::as_slice)
    }
}

impl Builder<'_> {
    /// Takes the names of the values of relations' unique keys. It gives those relations, by OID, some of whose values have
    /// other names than follow from their columns.
    pub(super) fn claim_uniques(&mut self, named: &[(&Relation, ResourceNames)]) -> HashMap<u32, Ledger> {
        let mut renamed = HashMap::new();
        for (relation, names) in named.iter().filter(|(relation, _)| relation.insertable) {
            let (mut found, _) = plain(relation, names);
            let wanted: Vec<String> = found.values.iter().map(|value| value.name.clone()).collect();
            let known = self.lock.relations.get(&relation.name).map(|known| known.uniques.clone());
            let known = known.unwrap_or_default();
            let settled = settle_values(&known, &mut found, Scope::Open(&mut self.claims));
            if found.values.iter().zip(&wanted).any(|(value, wanted)| value.name != *wanted) {
                renamed.insert(relation.oid, settled);
            }
        }
        renamed
    }
}

impl Package {
    /// The unique keys of a relation that takes rows, if it has or had some.
    pub(super) fn uniques(
        &self,
        relation: &Relation,
        names: &ResourceNames,
        next: &mut RelationLock,
    ) -> Option<Uniques> {
        if !relation.insertable {
            return None;
        }
        let (mut found, columns) = plain(relation, names);
        let known = self.renamed_uniques.get(&relation.oid).unwrap_or(&next.uniques);
        next.uniques = settle_values(known, &mut found, Scope::Settled);
        let is_any = !found.values.is_empty() || !found.reserved.numbers.is_empty();
        is_any.then_some(Uniques { found, columns })
    }
}

/// The enum of a relation's unique keys with the names that follow from their columns, and these columns.
fn plain(relation: &Relation, names: &ResourceNames) -> (Enum, Vec<Vec<String>>) {
    let keys =
        std::iter::once(&relation.primary_key).chain(relation.unique_keys.iter().map(|key| &key.columns));
    let mut seen = HashSet::new();
    let columns: Vec<Vec<String>> =
        keys.filter(|columns| !columns.is_empty() && seen.insert(label(columns))).cloned().collect();
    let name = names.unique();
    let prefix = upper_snake(&name);
    let value = |columns: &Vec<String>| EnumValue {
        label: label(columns),
        name: format!("{prefix}_{}", upper_snake(&columns.join("_"))),
        number: Numbered::Label.number(&label(columns)),
    };
    let found = Enum {
        name,
        sql_type: format!("unique keys of {}", relation.name),
        comment: Some(format!("Columns that tell rows of `{}` from each other.", relation.name)),
        unspecified: format!("{prefix}_UNSPECIFIED"),
        values: columns.iter().map(value).collect(),
        reserved: Reserved::default(),
    };
    (found, columns)
}

/// What a key is, whatever it is called: its columns, quoted where a comma could be taken for one between columns.
fn label(columns: &[String]) -> String {
    let quoted = |column: &String| match column.contains([',', '"']) {
        true => format!("\"{}\"", column.replace('"', "\"\"")),
        false => column.clone(),
    };
    columns.iter().map(quoted).collect::<Vec<_>>().join(",")
}
