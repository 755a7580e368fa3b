//! Embeds: every relationship that a select list can name without doubt becomes a field. A field to one row has the name
//! of the column that refers to it. A field to several rows has the plural of their relation where the foreign key's
//! column says no more than that (`books` of `author_id` in `authors`), and else the column besides
//! (`books_by_editor_id`). So a field's name depends on its own relationship alone, and another relationship does not
//! change it. Only where two would have the same name do their columns or constraints tell them apart.
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
    let source = Parent { catalog, oid: relationship.source };
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
            let plain = source.is_meant_by(link).then(|| one.clone());
            found(either(plain, by_columns(&one, target, link)), &link.constraint, Multiplicity::One)
        }
        Cardinality::OneToMany(link) => {
            let plain = source.is_meant_by(link).then(|| many.clone());
            found(either(plain, by_columns(&many, target, link)), &link.constraint, Multiplicity::Many)
        }
        Cardinality::ManyToMany(junction) => {
            let through = &catalog.relation_by_oid(junction.relation)?.name;
            let plain = source.is_joined_by(through, target).then(|| many.clone());
            let names = vec![format!("{many}_via_{through}"), format!("{target}_via_{through}")];
            found(either(plain, names), through, Multiplicity::Many)
        }
    }
}

/// The plain name, if there is one, before the others.
fn either(plain: Option<String>, names: Vec<String>) -> Vec<String> {
    plain.into_iter().chain(names).collect()
}

/// The relation that other rows refer to.
#[derive(Clone, Copy)]
struct Parent<'c> {
    catalog: &'c Catalog,
    oid: u32,
}

impl Parent<'_> {
    /// Whether the columns of a foreign key say no more than that they refer to this relation: `author_id`, `author` and
    /// `author_name` for the column `name` of `authors`, and columns that have the names of those that they refer to.
    fn is_meant_by(self, link: &Link) -> bool {
        link.columns.iter().filter(|(own, referring)| own != referring).all(|(own, referring)| {
            let referring = snake(referring);
            self.names(own).iter().any(|name| {
                stem(&referring) == Some(name)
                    || referring.strip_prefix(name.as_str()).is_some_and(|rest| {
                        rest.is_empty() || rest.strip_prefix('_').is_some_and(|rest| rest == snake(own))
                    })
            })
        })
    }

    /// What one of its rows is called; of a view the row of the table that has the column, too.
    fn names(self, column: &str) -> Vec<String> {
        let Some(relation) = self.catalog.relation_by_oid(self.oid) else { return Vec::new() };
        let column = relation.columns.iter().find(|found| found.name == column);
        let origin = column.and_then(|column| column.origin.as_ref());
        let table = origin.and_then(|origin| self.catalog.relation_by_oid(origin.relation));
        std::iter::once(relation).chain(table).map(|relation| singular(&snake(&relation.name))).collect()
    }

    /// Whether a junction has the names of both relations and no other: `book_tags`, `tags_books`.
    fn is_joined_by(self, junction: &str, target: &str) -> bool {
        let Some(source) = self.catalog.relation_by_oid(self.oid) else { return false };
        let forms = |name: &str| [singular(&snake(name)), plural(&snake(name))];
        let (source, target, junction) = (forms(&source.name), forms(target), snake(junction));
        let is_pair = |first: &str, second: &str| {
            junction.strip_prefix(first).and_then(|rest| rest.strip_prefix('_')) == Some(second)
        };
        let mut pairs = source.iter().flat_map(|source| target.iter().map(move |target| (source, target)));
        pairs.any(|(source, target)| is_pair(source, target) || is_pair(target, source))
    }
}

/// What columns end with that hold keys of other rows.
const REFERENCES: [&str; 4] = ["_id", "_uuid", "_code", "_key"];

/// A column's name without such an end.
fn stem(column: &str) -> Option<&str> {
    REFERENCES.iter().find_map(|end| column.strip_suffix(end))
}

/// `billing_address` of the column `billing_address_id`; then by all that tells it apart. A view is one of several
/// relations that a column leads to, so it has the column's name only if that is its own. Of several columns, those that
/// have other names than the columns that they refer to count, such as `author_id` beside `tenant_id`.
fn by_reference(one: &str, target: &str, link: &Link, rank: Rank) -> Vec<String> {
    let of = |pairs: &mut dyn Iterator<Item = &(String, String)>| {
        pairs.map(|(column, _)| snake(column)).collect::<Vec<_>>()
    };
    let mut telling = of(&mut link.columns.iter().filter(|(column, referred)| column != referred));
    if telling.is_empty() {
        telling = of(&mut link.columns.iter());
    }
    let stem = match telling.as_slice() {
        [column] => stem(column),
        columns => columns.iter().find_map(|column| stem(column).filter(|stem| *stem == one)),
    };
    let stem = stem.filter(|stem| rank != Rank::Third || *stem == one).map(str::to_owned);
    let columns: Vec<&str> = link.columns.iter().map(|(column, _)| column.as_str()).collect();
    either(stem, told_apart(one, target, &columns, link))
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
