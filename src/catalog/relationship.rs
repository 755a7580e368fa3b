//! Relationships: what can be embedded in what, derived from foreign keys,
//! the origins of view columns, junctions and functions. It only derives; which
//! relationship a request means is decided in `plan/embed`.
//!
//! A view has the relationships of the tables below it whose columns it passes
//! on: one for each way to choose among its columns where it passes a column on
//! several times. What ends at a partition or in a schema that is not exposed
//! is left out, and so are junctions there.

use super::{
    Catalog,
    descriptor::{ForeignKey, Relation},
};
use std::collections::{HashMap, HashSet};

/// How many rows of the target belong to one row of the source, and by which columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// The source has the foreign key.
    ManyToOne(Link),
    /// The target has the foreign key.
    OneToMany(Link),
    /// As `ManyToOne`, and the source's columns are unique.
    OneToOneChild(Link),
    /// As `OneToMany`, and the target's columns are unique.
    OneToOneParent(Link),
    /// Through a junction whose primary key holds both foreign keys.
    ManyToMany(Junction),
    /// By a function from the source's row; to one row at the most if `to_one`.
    Computed {
        /// The function's schema.
        function_schema: String,
        /// The function's name.
        function_name: String,
        /// Whether it gives one row at the most.
        to_one: bool,
    },
}

/// A foreign key's columns, seen from the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The constraint's name.
    pub constraint: String,
    /// Pairs of a source column and a target column.
    pub columns: Vec<(String, String)>,
}

/// A junction between two relations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Junction {
    /// The junction's OID.
    pub relation: u32,
    /// From the source to the junction: source column, junction column.
    pub source: Link,
    /// From the junction to the target: junction column, target column.
    pub target: Link,
}

/// One way to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// The relation embedded into, by OID.
    pub source: u32,
    /// The relation embedded, by OID.
    pub target: u32,
    /// How.
    pub cardinality: Cardinality,
    /// Whether source or target takes part through a view rather than by
    /// a foreign key of its own.
    pub through_view: bool,
}

/// The relationships of every relation, by the OID of the source.
pub(super) fn derive(catalog: &Catalog) -> HashMap<u32, Vec<Relationship>> {
    let views = Views::of(catalog);
    let mut found = Vec::new();
    for key in &catalog.descriptor().foreign_keys {
        add_foreign_key(catalog, &views, key, &mut found);
    }
    add_junctions(catalog, &mut found);
    let mut by_source: HashMap<u32, Vec<Relationship>> = HashMap::new();
    for relationship in found {
        by_source.entry(relationship.source).or_default().push(relationship);
    }
    add_computed(catalog, &mut by_source);
    for relationships in by_source.values_mut() {
        relationships.sort_by_cached_key(|relationship| order(catalog, relationship));
    }
    by_source
}

/// Whether a relation can be embedded, embedded into, or be a junction.
fn offered(catalog: &Catalog, oid: u32) -> Option<&Relation> {
    let relation = catalog.relation_by_oid(oid)?;
    (!relation.is_partition && catalog.is_exposed(&relation.schema)).then_some(relation)
}

/// Of each table: the views over it, and of each of its columns the view's
/// columns that pass it on.
struct Views<'c>(HashMap<u32, HashMap<u32, HashMap<&'c str, Vec<&'c str>>>>);

/// A relation that has a key's columns, under the names that they have there.
struct End<'c> {
    relation: u32,
    columns: Vec<&'c str>,
}

impl<'c> Views<'c> {
    fn of(catalog: &'c Catalog) -> Self {
        let mut tables: HashMap<u32, HashMap<u32, HashMap<&str, Vec<&str>>>> = HashMap::new();
        for view in &catalog.descriptor().relations {
            for column in &view.columns {
                let Some(origin) = &column.origin else { continue };
                let views = tables.entry(origin.relation).or_default();
                views.entry(view.oid).or_default().entry(&origin.column).or_default().push(&column.name);
            }
        }
        Self(tables)
    }

    /// Everything that has these columns of the relation: itself, and views
    /// that pass all of them on.
    fn ends(&self, catalog: &Catalog, relation: u32, columns: &'c [String]) -> Vec<End<'c>> {
        let itself = End { relation, columns: columns.iter().map(String::as_str).collect() };
        let mut ends = vec![itself];
        for (view, names) in self.0.get(&relation).into_iter().flatten() {
            let choices: Option<Vec<_>> = columns.iter().map(|column| names.get(column.as_str())).collect();
            for columns in choices.map(|choices| combinations(&choices)).unwrap_or_default() {
                ends.push(End { relation: *view, columns });
            }
        }
        ends.retain(|end| offered(catalog, end.relation).is_some());
        ends
    }
}

/// Every way to take one of each.
fn combinations<'c>(choices: &[&Vec<&'c str>]) -> Vec<Vec<&'c str>> {
    let mut found = vec![Vec::with_capacity(choices.len())];
    for choice in choices {
        found = found
            .iter()
            .flat_map(|begun| choice.iter().map(move |next| begun.iter().copied().chain([*next]).collect()))
            .collect();
    }
    found
}

/// Adds what a foreign key relates, in both directions.
fn add_foreign_key(catalog: &Catalog, views: &Views, key: &ForeignKey, found: &mut Vec<Relationship>) {
    let (Some(from), Some(to)) =
        (catalog.relation_by_oid(key.relation), catalog.relation_by_oid(key.referenced))
    else {
        return;
    };
    if from.is_partition || to.is_partition {
        return;
    }
    let unique = is_unique(from, &key.columns);
    let targets = views.ends(catalog, key.referenced, &key.referenced_columns);
    if targets.is_empty() {
        return;
    }
    for source in views.ends(catalog, key.relation, &key.columns) {
        for target in &targets {
            let through_view = source.relation != key.relation || target.relation != key.referenced;
            let (there, back) = (link(key, &source, target), link(key, target, &source));
            let (there, back) = if unique {
                (Cardinality::OneToOneChild(there), Cardinality::OneToOneParent(back))
            } else {
                (Cardinality::ManyToOne(there), Cardinality::OneToMany(back))
            };
            let (source, target) = (source.relation, target.relation);
            found.push(Relationship { source, target, cardinality: there, through_view });
            found.push(Relationship { source: target, target: source, cardinality: back, through_view });
        }
    }
}

fn link(key: &ForeignKey, source: &End, target: &End) -> Link {
    let pairs = source.columns.iter().zip(&target.columns);
    Link {
        constraint: key.name.clone(),
        columns: pairs.map(|(from, to)| (from.to_string(), to.to_string())).collect(),
    }
}

/// Whether these columns, in any order, are the primary key or a unique constraint.
fn is_unique(relation: &Relation, columns: &[String]) -> bool {
    let wanted: HashSet<&String> = columns.iter().collect();
    let constraints = relation.unique_keys.iter().filter(|key| key.constraint).map(|key| &key.columns);
    let mut keys = constraints.chain([&relation.primary_key]);
    keys.any(|key| key.len() == wanted.len() && key.iter().all(|column| wanted.contains(column)))
}

/// Adds many-to-many relationships between what two foreign keys of a junction
/// refer to, where the junction's primary key holds the columns of both.
fn add_junctions(catalog: &Catalog, found: &mut Vec<Relationship>) {
    let mut candidates: HashMap<u32, Vec<(&Link, u32)>> = HashMap::new();
    for relationship in found.iter() {
        let Cardinality::ManyToOne(link) = &relationship.cardinality else { continue };
        let Some(junction) = offered(catalog, relationship.source) else { continue };
        if link.columns.iter().all(|(column, _)| junction.primary_key.contains(column)) {
            candidates.entry(junction.oid).or_default().push((link, relationship.target));
        }
    }
    let is_view = |oid| catalog.relation_by_oid(oid).is_some_and(Relation::is_view);
    let mut more = Vec::new();
    for (junction, links) in &candidates {
        for (one, source) in links {
            for (other, target) in links.iter().filter(|(other, _)| other.constraint != one.constraint) {
                let reversed = one.columns.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
                more.push(Relationship {
                    source: *source,
                    target: *target,
                    cardinality: Cardinality::ManyToMany(Junction {
                        relation: *junction,
                        source: Link { constraint: one.constraint.clone(), columns: reversed },
                        target: (*other).clone(),
                    }),
                    through_view: is_view(*source) || is_view(*target),
                });
            }
        }
    }
    found.extend(more);
}

/// Adds relationships by function, which replace detected ones to a relation of
/// the function's name and schema.
fn add_computed(catalog: &Catalog, by_source: &mut HashMap<u32, Vec<Relationship>>) {
    for function in &catalog.descriptor().functions {
        let Some(source) = function.row_of(catalog).and_then(|oid| offered(catalog, oid)) else { continue };
        let returned = catalog.type_of(function.return_type).map_or(0, |found| found.relation);
        let Some(target) = offered(catalog, returned) else { continue };
        let relationships = by_source.entry(source.oid).or_default();
        if let Some(replaced) = catalog.relation(&function.schema, &function.name) {
            relationships.retain(|detected| {
                detected.target != replaced.oid
                    || matches!(detected.cardinality, Cardinality::Computed { .. })
            });
        }
        relationships.push(Relationship {
            source: source.oid,
            target: target.oid,
            cardinality: Cardinality::Computed {
                function_schema: function.schema.clone(),
                function_name: function.name.clone(),
                to_one: !function.returns_set || function.returns_one_row,
            },
            through_view: false,
        });
    }
}

/// The order in which PostgREST lists the relationships of a source: detected
/// ones by target, kind and constraint, then computed ones by function.
fn order(catalog: &Catalog, relationship: &Relationship) -> impl Ord + use<> {
    let name = |oid| {
        let relation = catalog.relation_by_oid(oid);
        relation.map(|relation| (relation.schema.clone(), relation.name.clone()))
    };
    // Kind, junction, foreign keys, which side of them; or the function.
    let (kind, junction, links, side, function) = match &relationship.cardinality {
        Cardinality::OneToMany(link) => (0, None, vec![link], 0, None),
        Cardinality::ManyToOne(link) => (1, None, vec![link], 0, None),
        Cardinality::OneToOneChild(link) => (2, None, vec![link], 0, None),
        Cardinality::OneToOneParent(link) => (2, None, vec![link], 1, None),
        Cardinality::ManyToMany(Junction { relation, source, target }) => {
            (3, name(*relation), vec![source, target], 0, None)
        }
        Cardinality::Computed { function_schema, function_name, to_one: _ } => {
            (4, None, Vec::new(), 0, Some((function_schema.clone(), function_name.clone())))
        }
    };
    let constraints: Vec<_> = links.iter().map(|link| link.constraint.clone()).collect();
    let columns: Vec<_> = links.iter().map(|link| link.columns.clone()).collect();
    (function, name(relationship.target), kind, junction, constraints, columns, side)
}

#[cfg(test)]
mod tests;
