//! Changes between the surfaces of two catalogs that clients of the first cannot see coming: something has another number
//! or another name or type, or its number or its name is something else's now. What is new and what is gone is no such change: to
//! a client that is unknown and no more.
//!
//! Resources are compared where what they are made of differs: of the others nothing is made for it.

use super::{Count, Enum, EnumValue, Field, Multiplicity, Package, Resource, Returns, computed};
use crate::catalog::{
    descriptor::Relation,
    relationship::{Cardinality, Relationship},
};
use std::collections::HashMap;

/// A field or a label, as it looks to clients.
struct Seen<'a> {
    /// What it is in the database.
    what: &'a str,
    name: &'a str,
    number: u32,
    kind: String,
}

/// What has changed, a line each.
pub(crate) fn changes<'a>(
    before: impl Iterator<Item = &'a Package>,
    after: impl Iterator<Item = &'a Package>,
) -> Vec<String> {
    let before: HashMap<&str, &Package> = before.map(|package| (package.name.as_str(), package)).collect();
    let mut found = Vec::new();
    for package in after {
        if let Some(former) = before.get(package.name.as_str()) {
            in_package(former, package, &mut found);
        }
    }
    found
}

fn in_package(before: &Package, after: &Package, found: &mut Vec<String>) {
    let places: HashMap<&str, usize> =
        (0..before.resource_count()).map(|at| (before.message(at), at)).collect();
    let same_types = have_same_types(before, after);
    for at in 0..after.resource_count() {
        let message = after.message(at);
        let Some(former) = places.get(message) else { continue };
        let (Some(was), Some(is)) = (before.relation(*former), after.relation(at)) else { continue };
        if was.name != is.name {
            found.push(format!("{message} was \"{}\" and is \"{}\"", was.name, is.name));
        }
        if same_types && is_same(before, was, after, is) {
            continue;
        }
        if let (Some(was), Some(is)) = (before.resource(*former), after.resource(at)) {
            compare(message, &of_resource(before, was), &of_resource(after, is), found);
            if let (Some(was), Some(is)) = (&was.uniques, &is.uniques) {
                compare(&is.found.name, &of_labels(&was.found), &of_labels(&is.found), found);
            }
        }
    }
    for record in &after.records {
        let former = before.records.iter().find(|former| former.message == record.message);
        if let Some(former) = former {
            compare(
                &record.message,
                &of_fields(before, &former.fields),
                &of_fields(after, &record.fields),
                found,
            );
        }
    }
    for is in &after.enums {
        if let Some(was) = before.enums.iter().find(|was| was.name == is.name) {
            compare(&is.name, &of_labels(was), &of_labels(is), found);
        }
    }
    for function in &after.functions {
        let method = &function.method;
        let Some(former) = before.functions.iter().find(|former| former.method == *method) else { continue };
        let (was, is) = (of_fields(before, &former.arguments), of_fields(after, &function.arguments));
        compare(&format!("the request of {method}"), &was, &is, found);
        let (was, is) = (row(before, &former.returns), row(after, &function.returns));
        if was != is || former.multiplicity != function.multiplicity {
            found.push(format!("{method} gave {was} and gives {is}"));
        }
        if let (Returns::Columns(was), Returns::Columns(is)) = (&former.returns, &function.returns) {
            let (was, is) = (of_fields(before, was), of_fields(after, is));
            compare(&format!("the response of {method}"), &was, &is, found);
        }
    }
}

/// Whether columns of one type have one type over gRPC in both.
fn have_same_types(before: &Package, after: &Package) -> bool {
    let enums = |package: &Package| package.enums.iter().map(|found| found.name.clone()).collect::<Vec<_>>();
    let records =
        |package: &Package| package.records.iter().map(|record| record.message.clone()).collect::<Vec<_>>();
    before.types == after.types
        && before.timestamps == after.timestamps
        && enums(before) == enums(after)
        && records(before) == records(after)
        && before.catalog.descriptor().types == after.catalog.descriptor().types
}

/// Whether the resources of these relations are made of the same: columns, what is locked, what can be embedded.
fn is_same(before: &Package, was: &Relation, after: &Package, is: &Relation) -> bool {
    let relationships = before.catalog.relationships(was.oid);
    let is_known = |oid: u32| as_seen(before, oid) == as_seen(after, oid);
    let leads_to_same = |relationship: &Relationship| {
        let through = match &relationship.cardinality {
            Cardinality::ManyToMany(junction) => Some(junction.relation),
            Cardinality::ManyToOne(_)
            | Cardinality::OneToMany(_)
            | Cardinality::OneToOneChild(_)
            | Cardinality::OneToOneParent(_)
            | Cardinality::Computed { .. } => None,
        };
        is_known(relationship.target) && through.is_none_or(is_known)
    };
    was == is
        && before.renamed_uniques.get(&was.oid) == after.renamed_uniques.get(&is.oid)
        && before.lock.relations.get(&was.name) == after.lock.relations.get(&is.name)
        && computed::functions(&before.catalog, was).eq(computed::functions(&after.catalog, is))
        && relationships == after.catalog.relationships(is.oid)
        && relationships.iter().all(leads_to_same)
}

/// What an embed shows of the relation with this OID: its name, its kind and its message.
fn as_seen(package: &Package, oid: u32) -> Option<(&str, i32, Option<&str>)> {
    let relation = package.catalog.relation_by_oid(oid)?;
    let message = package.resource_of(oid).map(|at| package.message(at));
    Some((&relation.name, relation.kind, message))
}

fn of_fields<'a>(package: &Package, fields: &'a [Field]) -> Vec<Seen<'a>> {
    let seen = |field: &'a Field| Seen {
        what: if field.column.is_empty() { &field.name } else { &field.column },
        name: &field.name,
        number: field.number,
        kind: package.kind(field.shape),
    };
    fields.iter().map(seen).collect()
}

fn of_resource<'a>(package: &Package, resource: &'a Resource) -> Vec<Seen<'a>> {
    let embeds = resource.embeds.iter().map(|embed| {
        let message = package.message(embed.resource);
        let label = match embed.multiplicity {
            Multiplicity::One => "",
            Multiplicity::Many => "repeated ",
        };
        Seen { what: &embed.key, name: &embed.name, number: embed.number, kind: format!("{label}{message}") }
    });
    let counts = resource.embeds.iter().filter_map(|embed| {
        let Count { key, name, number } = embed.count.as_ref()?;
        Some(Seen { what: key, name, number: *number, kind: "int64".to_owned() })
    });
    let fields = [&resource.fields, &resource.computed].map(|fields| of_fields(package, fields));
    fields.into_iter().flatten().chain(embeds).chain(counts).collect()
}

fn of_labels<'a>(found: &'a Enum) -> Vec<Seen<'a>> {
    let seen = |value: &'a EnumValue| Seen {
        what: &value.label,
        name: &value.name,
        number: value.number,
        kind: String::new(),
    };
    found.values.iter().map(seen).collect()
}

fn row(package: &Package, returns: &Returns) -> String {
    match returns {
        Returns::Void => "nothing".to_owned(),
        Returns::Value(shape) => package.kind(*shape),
        Returns::Resource(at) => package.message(*at).to_owned(),
        Returns::Columns(_) => "columns".to_owned(),
    }
}

fn compare(message: &str, before: &[Seen<'_>], after: &[Seen<'_>], found: &mut Vec<String>) {
    let by_what: HashMap<&str, &Seen<'_>> = before.iter().map(|seen| (seen.what, seen)).collect();
    let by_number: HashMap<u32, &Seen<'_>> = before.iter().map(|seen| (seen.number, seen)).collect();
    let by_name: HashMap<&str, &Seen<'_>> = before.iter().map(|seen| (seen.name, seen)).collect();
    for seen in after {
        let Seen { what, name, number, kind } = seen;
        match by_what.get(what) {
            Some(was) if was.number != *number => {
                found.push(format!("{message}: \"{what}\" had the number {} and has {number}", was.number));
            }
            Some(was) if was.kind != *kind => {
                found.push(format!(
                    "{message}: \"{what}\" was {} and is {kind}, with the number {number}",
                    was.kind
                ));
            }
            Some(was) if was.name != *name => {
                found.push(format!(
                    "{message}: \"{what}\" had the name {} and has {name}, with the number {number}",
                    was.name
                ));
            }
            Some(_) | None => {}
        }
        if let Some(was) = by_number.get(number).filter(|was| was.what != *what) {
            found.push(format!(
                "{message}: the number {number} was that of \"{}\" and is that of \"{what}\"",
                was.what
            ));
        } else if let Some(was) = by_name.get(name).filter(|was| was.what != *what) {
            found.push(format!(
                "{message}: the name {name} was that of \"{}\" and is that of \"{what}\"",
                was.what
            ));
        }
    }
}
