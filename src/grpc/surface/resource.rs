//! Resources: what is in a relation's message, service and requests. A reload gives relations their names alone, for
//! these depend on each other; a resource is made when it is first asked for, and stays as it is. So a reload takes
//! neither time nor memory for relations that nobody calls.

use super::{
    Field, Package, Presence, Reserved, Resource, ResourceNames, Scalar, Shape,
    locked::{lock_relation, settle},
    types::compared,
};
use crate::{
    catalog::descriptor::{Column, Identity, Relation},
    grpc::{
        lock::{Ledger, RelationLock},
        method::RelationMethod,
    },
};
use std::{collections::HashMap, sync::OnceLock};

/// The resources of a package, by the names of their relations.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    outlines: Vec<Outline>,
    by_oid: HashMap<u32, usize>,
    /// In the order of their messages' names.
    by_message: OnceLock<Vec<usize>>,
}

/// What is known of a resource before it is made.
#[derive(Debug)]
struct Outline {
    oid: u32,
    names: ResourceNames,
    made: OnceLock<Box<Resource>>,
}

impl Resources {
    /// Those of the relations with these OIDs and names.
    pub(super) fn named(relations: impl Iterator<Item = (u32, ResourceNames)>) -> Self {
        let outlines: Vec<_> =
            relations.map(|(oid, names)| Outline { oid, names, made: OnceLock::new() }).collect();
        let by_oid = outlines.iter().enumerate().map(|(at, outline)| (outline.oid, at)).collect();
        Self { outlines, by_oid, by_message: OnceLock::new() }
    }
}

impl Package {
    /// How many resources there are.
    pub(crate) fn resource_count(&self) -> usize {
        self.resources.outlines.len()
    }

    /// The resource at this place, which is made if nobody has asked for it before.
    pub(crate) fn resource(&self, at: usize) -> Option<&Resource> {
        let outline = self.resources.outlines.get(at)?;
        let relation = self.catalog.relation_by_oid(outline.oid)?;
        Some(outline.made.get_or_init(|| Box::new(self.make(relation, &outline.names).0)))
    }

    /// All resources: each of them is made.
    pub(crate) fn all_resources(&self) -> impl Iterator<Item = &Resource> {
        (0..self.resource_count()).filter_map(|at| self.resource(at))
    }

    /// What the resource at this place is called.
    pub(crate) fn names(&self, at: usize) -> Option<&ResourceNames> {
        self.resources.outlines.get(at).map(|outline| &outline.names)
    }

    /// The message of the resource at this place; empty if there is none.
    pub(crate) fn message(&self, at: usize) -> &str {
        self.names(at).map_or("", |names| names.singular.as_str())
    }

    /// The relation of the resource at this place.
    pub(crate) fn relation(&self, at: usize) -> Option<&Relation> {
        self.catalog.relation_by_oid(self.resources.outlines.get(at)?.oid)
    }

    /// The place of the resource that is the relation with this OID.
    pub(crate) fn resource_of(&self, oid: u32) -> Option<usize> {
        self.resources.by_oid.get(&oid).copied()
    }

    /// The place of the resource one of whose names this is: of its messages or of its service.
    pub(crate) fn resource_declaring(&self, name: &str) -> Option<usize> {
        let by_message = self.resources.by_message.get_or_init(|| {
            let mut places: Vec<usize> = (0..self.resource_count()).collect();
            places.sort_unstable_by_key(|at| self.message(*at));
            places
        });
        // The longest of the messages that the name begins with is not always the one.
        let ends = name.char_indices().map(|(at, letter)| at + letter.len_utf8()).rev();
        ends.filter_map(|end| {
            let message = name.get(..end)?;
            let found = by_message.binary_search_by_key(&message, |at| self.message(*at)).ok()?;
            by_message.get(found).copied()
        })
        .find(|at| self.names(*at).is_some_and(|names| names.all().iter().any(|own| own == name)))
    }

    /// What the next lock has of each relation.
    pub(super) fn relation_locks(&self) -> impl Iterator<Item = (String, RelationLock)> {
        self.resources.outlines.iter().filter_map(|outline| {
            let relation = self.catalog.relation_by_oid(outline.oid)?;
            Some((relation.name.clone(), self.make(relation, &outline.names).1))
        })
    }

    fn make(&self, relation: &Relation, names: &ResourceNames) -> (Resource, RelationLock) {
        let known = self.lock.relations.get(&relation.name);
        let mut next = known.cloned().unwrap_or_default();
        let mut fields: Vec<Field> = relation
            .columns
            .iter()
            .map(|column| self.column(column, next.columns.kind(&column.name)))
            .collect();
        let beside = Ledger::all_of(&[&next.embeds, &next.computed, &next.counts]);
        next.columns = settle(self, &next.columns, &mut fields, &beside);
        let key = key(relation, |at| fields.get(at).map(|field| field.shape));
        let uniques = self.uniques(relation, names, &mut next);
        let mut resource = Resource {
            oid: relation.oid,
            relation: relation.name.clone(),
            comment: relation.comment.clone(),
            names: names.clone(),
            embeds: Vec::new(),
            computed: Vec::new(),
            methods: self.methods(relation).collect(),
            fields,
            key,
            uniques,
            reserved: Reserved::default(),
            reserved_embeds: Reserved::default(),
            reserved_computed: Reserved::default(),
            reserved_key: Reserved::default(),
        };
        lock_relation(&mut resource, known, &mut next);
        self.embeds(&mut resource, &mut next);
        self.computed(relation, &mut resource, &mut next);
        (resource, next)
    }

    /// The methods that a relation has.
    pub(super) fn methods(&self, relation: &Relation) -> impl Iterator<Item = RelationMethod> {
        let locked = self.lock.relations.get(&relation.name).map(|known| &known.columns);
        let shape = |column: &Column| {
            self.shape(column.r#type, locked.and_then(|columns| columns.kind(&column.name)))
        };
        let key = key(relation, |at| relation.columns.get(at).map(shape));
        let is_offered = move |method: &RelationMethod| method.is_offered(relation, &key, self.aggregates);
        RelationMethod::ALL.iter().copied().filter(is_offered)
    }

    fn column(&self, column: &Column, locked: Option<&str>) -> Field {
        Field {
            column: column.name.clone(),
            name: column.name.clone(),
            number: 0,
            shape: self.shape(column.r#type, locked),
            presence: presence(column),
            comment: column.comment.clone(),
            sql_type: column.sql_type.clone(),
            compared: compared(&self.catalog, column.r#type),
        }
    }
}

fn presence(column: &Column) -> Presence {
    match (column.generated, column.identity(), column.not_null, &column.default) {
        (true, ..) | (_, Identity::Always, ..) => Presence::Computed,
        (_, Identity::ByDefault, true, _) | (.., true, Some(_)) => Presence::Defaulted,
        (_, Identity::Unspecified, true, None) => Presence::Required,
        (_, Identity::ByDefault | Identity::Unspecified, false, _) => Presence::Optional,
    }
}

/// The key, if all of it is there and of types that can stand in a request: the places of its columns.
fn key(relation: &Relation, shape: impl Fn(usize) -> Option<Shape>) -> Vec<usize> {
    let find = |name: &String| {
        let at = relation.columns.iter().position(|column| column.name == *name)?;
        match shape(at)? {
            Shape::Many(_) | Shape::One(Scalar::Record(_)) => None,
            Shape::One(_) => Some(at),
        }
    };
    relation.primary_key.iter().map(find).collect::<Option<_>>().unwrap_or_default()
}
