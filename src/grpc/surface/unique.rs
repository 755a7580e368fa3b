//! Unique keys: an enum for each relation that takes rows, with a value for each key that can decide whether a row is
//! there already. A key is called after its columns, so that it is the same whatever its index is called.

use super::{Enum, EnumValue, Numbered, Reserved, Resource, build::Builder};
use crate::{catalog::descriptor::Relation, grpc::names::upper_snake};
use std::collections::HashSet;

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
    /// Gives a relation that takes rows its unique keys, if it has or had some.
    pub(super) fn uniques(&mut self, relation: &Relation, resource: &mut Resource) {
        if !relation.insertable {
            return;
        }
        let keys =
            std::iter::once(&relation.primary_key).chain(relation.unique_keys.iter().map(|key| &key.columns));
        let mut seen = HashSet::new();
        let columns: Vec<Vec<String>> =
            keys.filter(|columns| !columns.is_empty() && seen.insert(label(columns))).cloned().collect();
        let name = resource.names.unique();
        let prefix = upper_snake(&name);
        let value = |columns: &Vec<String>| EnumValue {
            label: label(columns),
            name: format!("{prefix}_{}", upper_snake(&columns.join("_"))),
            number: Numbered::Label.number(&label(columns)),
        };
        let mut found = Enum {
            name,
            sql_type: format!("unique keys of {}", relation.name),
            comment: Some(format!("Columns that tell rows of `{}` from each other.", relation.name)),
            unspecified: format!("{prefix}_UNSPECIFIED"),
            values: columns.iter().map(value).collect(),
            reserved: Reserved::default(),
        };
        self.settle_uniques(&relation.name, &mut found);
        if !found.values.is_empty() || !found.reserved.numbers.is_empty() {
            resource.uniques = Some(Uniques { found, columns });
        }
    }
}

/// What a key is, whatever it is called: its columns, quoted where a comma could be taken for one between columns.
fn label(columns: &[String]) -> String {
    let quoted = |column: &String| match column.contains([',', '"']) {
        true => format!("\"{}\"", column.replace('"', "\"\"")),
        false => column.clone(),
    };
    columns.iter().map(quoted).collect::<Vec<_>>().join(",")
}
