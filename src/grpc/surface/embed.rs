//! Embeds: every relationship that a select list can name without doubt becomes
//! a field. To-one embeds are called in the singular, to-many in the plural;
//! where several lead to one relation, their columns tell them apart.
//!
//! How a relationship is named in a select list is PostgREST's rule
//! (<https://docs.postgrest.org/en/v14/references/api/resource_embedding.html>).

use super::{Embed, FIRST_SYNTHETIC, Multiplicity, Package, build::Builder};
use crate::{
    catalog::{
        Catalog,
        relationship::{Cardinality, Link, Relationship},
    },
    grpc::names::{plural, singular, snake},
};
use std::collections::{HashMap, HashSet};

/// A relationship as a select list names it.
struct Named {
    field: String,
    target: String,
    hint: Option<String>,
    resource: usize,
    multiplicity: Multiplicity,
}

impl Builder<'_> {
    /// Gives each of the package's resources its embeds.
    pub(super) fn embeds(&mut self, package: &mut Package) {
        let by_oid: HashMap<u32, (usize, String)> = package
            .resources
            .iter()
            .enumerate()
            .map(|(at, resource)| (resource.oid, (at, resource.relation.clone())))
            .collect();
        let messages: Vec<String> =
            package.resources.iter().map(|resource| resource.names.singular.clone()).collect();
        for resource in &mut package.resources {
            let relationships = self.catalog.relationships(resource.oid);
            let mut named: Vec<Named> = relationships
                .iter()
                .filter_map(|relationship| {
                    let (target, name) = by_oid.get(&relationship.target)?;
                    named(self.catalog, relationship, *target, name)
                })
                .collect();
            drop_ambiguous(&mut named, &resource.relation);
            named.sort_by(|a, b| (&a.field, &a.target, &a.hint).cmp(&(&b.field, &b.target, &b.hint)));
            resource.embeds = (FIRST_SYNTHETIC..)
                .zip(named)
                .map(|(number, found)| Embed {
                    name: found.field,
                    number,
                    target: found.target,
                    hint: found.hint,
                    resource: found.resource,
                    multiplicity: found.multiplicity,
                })
                .collect();
            self.settle_embeds(&messages, resource);
        }
    }
}

/// How `relationship` is named, if it can be.
fn named(catalog: &Catalog, relationship: &Relationship, resource: usize, target: &str) -> Option<Named> {
    let to_itself = relationship.source == relationship.target;
    let all = catalog.relationships(relationship.source);
    let alone = all.iter().filter(|other| other.target == relationship.target).count() == 1;
    let name = |field: String, target: &str, hint: Option<&str>, multiplicity| {
        let hint = hint.map(str::to_owned);
        Some(Named { field, target: target.to_owned(), hint, resource, multiplicity })
    };
    let (one, many) = (singular(&snake(target)), plural(&snake(target)));
    let own_schema = catalog.relation_by_oid(relationship.source).map(|source| &source.schema);
    match &relationship.cardinality {
        // It is looked up in the schema of the request.
        Cardinality::Computed { function_schema, .. } if own_schema != Some(function_schema) => None,
        Cardinality::Computed { function_name, to_one, .. } => {
            let multiplicity = if *to_one { Multiplicity::One } else { Multiplicity::Many };
            name(function_name.clone(), function_name, None, multiplicity)
        }
        Cardinality::ManyToOne(link) if to_itself => {
            let [(column, _)] = link.columns.as_slice() else { return None };
            name(by_reference(&one, link), column, None, Multiplicity::One)
        }
        Cardinality::OneToMany(link) if to_itself => {
            let [(_, column)] = link.columns.as_slice() else { return None };
            name(format!("{many}_by_{column}"), target, Some(column), Multiplicity::Many)
        }
        // These have no name that leads to them alone.
        Cardinality::OneToOneChild(_) | Cardinality::OneToOneParent(_) | Cardinality::ManyToMany(_)
            if to_itself =>
        {
            None
        }
        Cardinality::ManyToOne(_) | Cardinality::OneToOneChild(_) | Cardinality::OneToOneParent(_)
            if alone =>
        {
            name(one, target, None, Multiplicity::One)
        }
        Cardinality::OneToMany(_) | Cardinality::ManyToMany(_) if alone => {
            name(many, target, None, Multiplicity::Many)
        }
        Cardinality::ManyToOne(link) | Cardinality::OneToOneChild(link) => {
            name(by_reference(&one, link), target, Some(&link.constraint), Multiplicity::One)
        }
        Cardinality::OneToOneParent(link) => {
            name(by_columns(&one, link), target, Some(&link.constraint), Multiplicity::One)
        }
        Cardinality::OneToMany(link) => {
            name(by_columns(&many, link), target, Some(&link.constraint), Multiplicity::Many)
        }
        Cardinality::ManyToMany(junction) => {
            let through = &catalog.relation_by_oid(junction.relation)?.name;
            name(format!("{many}_via_{through}"), target, Some(through), Multiplicity::Many)
        }
    }
}

/// `billing_address` of the column `billing_address_id`.
fn by_reference(target: &str, link: &Link) -> String {
    match link.columns.as_slice() {
        [(column, _)] => match snake(column).strip_suffix("_id") {
            Some(stem) => stem.to_owned(),
            None => format!("{target}_by_{column}"),
        },
        columns => {
            let columns: Vec<&str> = columns.iter().map(|(column, _)| column.as_str()).collect();
            format!("{target}_by_{}", columns.join("_"))
        }
    }
}

/// `orders_by_billing_address_id`.
fn by_columns(target: &str, link: &Link) -> String {
    let columns: Vec<&str> = link.columns.iter().map(|(_, column)| column.as_str()).collect();
    format!("{target}_by_{}", columns.join("_"))
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
