//! Embeds: every relationship that a select list can name without doubt becomes
//! a field. One that is to one row is called after the column that refers to it, one that is to several in the
//! plural; where two would have one name, and where several lead to one relation, their columns or their
//! constraints tell them apart. None is called after its place among others.
//!
//! How a relationship is named in a select list is PostgREST's rule
//! (<https://docs.postgrest.org/en/v14/references/api/resource_embedding.html>).

use super::{Embed, Multiplicity, Package, Resource, build::is_view, locked::settle_embeds};
use crate::{
    catalog::{
        Catalog,
        relationship::{Cardinality, Link, Relationship},
    },
    grpc::{
        lock::{Rank, RelationLock},
        names::{field_name, plural, singular, snake},
    },
};
use std::collections::{HashMap, HashSet};

/// A relationship as a select list names it.
struct Named {
    /// What it is, whatever others there are.
    key: String,
    /// What its field would be called, the plainest first.
    names: Vec<String>,
    rank: Rank,
    target: String,
    hint: Option<String>,
    resource: usize,
    multiplicity: Multiplicity,
}

impl Package {
    /// Gives one of the package's resources its embeds.
    pub(super) fn embeds(&self, resource: &mut Resource, next: &mut RelationLock) {
        let relationships = self.catalog.relationships(resource.oid);
        let mut count: HashMap<u32, usize> = HashMap::new();
        for relationship in relationships {
            *count.entry(relationship.target).or_default() += 1;
        }
        let mut found: Vec<Named> = relationships
            .iter()
            .filter_map(|relationship| {
                let at = self.resource_of(relationship.target)?;
                let siblings = match count.get(&relationship.target) {
                    Some(1) => Siblings::None,
                    Some(_) | None => Siblings::Some,
                };
                named(&self.catalog, relationship, at, &self.relation(at)?.name, siblings)
            })
            .collect();
        drop_ambiguous(&mut found, &resource.relation);
        found.sort_by(|a, b| (&a.names, &a.key).cmp(&(&b.names, &b.key)));
        let names = found.iter_mut().map(|found| (std::mem::take(&mut found.names), found.rank)).collect();
        resource.embeds = found
            .into_iter()
            .map(|found| Embed {
                key: found.key,
                name: String::new(),
                number: 0,
                target: found.target,
                hint: found.hint,
                resource: found.resource,
                multiplicity: found.multiplicity,
                count: None,
            })
            .collect();
        settle_embeds(self, resource, next, names);
    }
}

/// Whether other relationships lead to the same relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Siblings {
    None,
    Some,
}

/// How `relationship` is named, if it can be.
fn named(
    catalog: &Catalog,
    relationship: &Relationship,
    resource: usize,
    target: &str,
    siblings: Siblings,
) -> Option<Named> {
    let to_itself = relationship.source == relationship.target;
    let alone = siblings == Siblings::None;
    let rank = match catalog.relation_by_oid(relationship.target) {
        Some(relation) if is_view(relation) => Rank::Third,
        Some(_) | None => Rank::Second,
    };
    let name = |names: Vec<String>, target: &str, hint: Option<&str>, multiplicity| Named {
        key: format!("{target}!{}", hint.unwrap_or_default()),
        names: names.iter().map(|name| field_name(name)).collect(),
        rank,
        target: target.to_owned(),
        hint: hint.map(str::to_owned),
        resource,
        multiplicity,
    };
    // The hint is a part of what it is, but needed only beside others.
    let found = |names: Vec<String>, hint: &str, multiplicity| {
        let found = name(names, target, Some(hint), multiplicity);
        Some(Named { hint: found.hint.filter(|_| !alone || to_itself), ..found })
    };
    let (one, many) = (singular(&snake(target)), plural(&snake(target)));
    let own_schema = catalog.relation_by_oid(relationship.source).map(|source| &source.schema);
    match &relationship.cardinality {
        // It is looked up in the schema of the request.
        Cardinality::Computed { function_schema, .. } if own_schema != Some(function_schema) => None,
        Cardinality::Computed { function_name, to_one, .. } => {
            let multiplicity = if *to_one { Multiplicity::One } else { Multiplicity::Many };
            let of_rows = format!("{function_name}_{}", if *to_one { &one } else { &many });
            let key = format!("!{function_name}");
            let names = vec![function_name.clone(), of_rows];
            Some(Named { key, rank: Rank::First, ..name(names, function_name, None, multiplicity) })
        }
        Cardinality::ManyToOne(link) if to_itself => {
            let [(column, _)] = link.columns.as_slice() else { return None };
            let key = format!("!{column}");
            let names = by_reference(&one, target, link, rank);
            Some(Named { key, ..name(names, column, None, Multiplicity::One) })
        }
        Cardinality::OneToMany(link) if to_itself => {
            let [(_, column)] = link.columns.as_slice() else { return None };
            found(by_columns(&many, target, link), column, Multiplicity::Many)
        }
        // These have no name that leads to them alone.
        Cardinality::OneToOneChild(_) | Cardinality::OneToOneParent(_) | Cardinality::ManyToMany(_)
            if to_itself =>
        {
            None
        }
        Cardinality::ManyToOne(link) | Cardinality::OneToOneChild(link) => {
            found(by_reference(&one, target, link, rank), &link.constraint, Multiplicity::One)
        }
        Cardinality::OneToOneParent(link) => {
            found(plain(alone, &one, by_columns(&one, target, link)), &link.constraint, Multiplicity::One)
        }
        Cardinality::OneToMany(link) => {
            found(plain(alone, &many, by_columns(&many, target, link)), &link.constraint, Multiplicity::Many)
        }
        Cardinality::ManyToMany(junction) => {
            let through = &catalog.relation_by_oid(junction.relation)?.name;
            let names = vec![format!("{many}_via_{through}"), format!("{target}_via_{through}")];
            found(plain(alone, &many, names), through, Multiplicity::Many)
        }
    }
}

/// The names of what is alone of its target begin with this one.
fn plain(alone: bool, name: &str, names: Vec<String>) -> Vec<String> {
    alone.then(|| name.to_owned()).into_iter().chain(names).collect()
}

/// What columns end with that hold keys of other rows.
const REFERENCES: [&str; 4] = ["_id", "_uuid", "_code", "_key"];

/// `billing_address` of the column `billing_address_id`, whether there are other addresses or not; then by all that tells
/// it apart. A view is one of several that a column leads to: it has the column's name if that is its own.
fn by_reference(one: &str, target: &str, link: &Link, rank: Rank) -> Vec<String> {
    let stem = link.columns.last().and_then(|(column, _)| {
        let column = snake(column);
        REFERENCES.iter().find_map(|end| column.strip_suffix(end).map(str::to_owned))
    });
    let stem = stem.filter(|stem| rank != Rank::Third || stem == one);
    let columns: Vec<&str> = link.columns.iter().map(|(column, _)| column.as_str()).collect();
    stem.into_iter().chain(told_apart(one, target, &columns, link)).collect()
}

/// `orders_by_billing_address_id`; then by all that tells it apart.
fn by_columns(many: &str, target: &str, link: &Link) -> Vec<String> {
    let columns: Vec<&str> = link.columns.iter().map(|(_, column)| column.as_str()).collect();
    told_apart(many, target, &columns, link)
}

fn told_apart(name: &str, target: &str, columns: &[&str], link: &Link) -> Vec<String> {
    let (columns, constraint) = (columns.join("_"), &link.constraint);
    vec![
        format!("{name}_by_{columns}"),
        format!("{target}_by_{columns}"),
        format!("{name}_by_{constraint}"),
        format!("{target}_by_{constraint}"),
    ]
}

fn drop_ambiguous(named: &mut Vec<Named>, source: &str) {
    let mut seen = HashSet::new();
    let mut twice = HashSet::new();
    for found in named.iter() {
        let address = (found.target.clone(), found.hint.clone());
        if !seen.insert(address.clone()) {
            twice.insert(address);
        }
    }
    for (target, _) in &twice {
        tracing::warn!(
            source,
            target = target.as_str(),
            "several relationships share a name: not offered over gRPC"
        );
    }
    named.retain(|found| !twice.contains(&(found.target.clone(), found.hint.clone())));
}
