//! The catalog: look-ups over one schema descriptor. Immutable; a reload makes
//! a new one. It talks to nobody, `introspect` and `watch` aside.

pub mod aggregate;
pub mod descriptor;
pub mod form;
pub mod introspect;
pub mod relationship;
pub mod routine;
pub mod similar;
mod tags;
pub mod watch;

use descriptor::{Database, Function, Relation, Type, TypeKind};
use lru::LruCache;
use relationship::Relationship;
use similar::Similar;
use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Positions in the descriptor by schema and name, so that a look-up borrows both.
type Names<T> = HashMap<String, HashMap<String, T>>;

/// Look-ups over a descriptor. Partitions are only found by OID: what is
/// offered is their parent.
#[derive(Debug, Default)]
pub struct Catalog {
    database: Database,
    relations: Names<usize>,
    relations_by_oid: HashMap<u32, usize>,
    functions: Names<Vec<usize>>,
    computed: HashMap<u32, Vec<usize>>,
    types: HashMap<u32, usize>,
    relationships: HashMap<u32, Vec<Relationship>>,
    similar: HashMap<String, Spelled>,
}

/// The names of one schema, taken apart when the first one is looked for that is not there.
#[derive(Debug)]
struct Spelled {
    relations: OnceLock<Similar>,
    functions: OnceLock<Similar>,
    /// The relations that are related to something.
    sources: OnceLock<Similar>,
    /// The names that relate to a relation, by the OID of the relation, for the relations that were looked up last.
    targets: Mutex<LruCache<u32, Arc<Similar>>>,
}

/// The names of what is related are kept for so many relations of a schema.
const TARGETS_KEPT: NonZeroUsize = NonZeroUsize::new(32).unwrap();

impl Default for Spelled {
    fn default() -> Self {
        Self {
            relations: OnceLock::new(),
            functions: OnceLock::new(),
            sources: OnceLock::new(),
            targets: Mutex::new(LruCache::new(TARGETS_KEPT)),
        }
    }
}

impl Catalog {
    /// Indexes a descriptor and derives its relationships.
    pub fn new(mut database: Database) -> Self {
        tags::take(&mut database);
        let mut relations: Names<_> = HashMap::new();
        for (at, relation) in database.relations.iter().enumerate().filter(|(_, found)| !found.is_partition) {
            relations.entry(relation.schema.clone()).or_default().insert(relation.name.clone(), at);
        }
        let similar = |schema: &descriptor::Schema| (schema.name.clone(), Spelled::default());
        let mut catalog = Self {
            relations,
            similar: database.schemas.iter().map(similar).collect(),
            relations_by_oid: database.relations.iter().enumerate().map(|(at, r)| (r.oid, at)).collect(),
            types: database.types.iter().enumerate().map(|(at, t)| (t.oid, at)).collect(),
            database,
            ..Self::default()
        };
        let mut functions: Names<Vec<_>> = HashMap::new();
        let mut computed: HashMap<u32, Vec<_>> = HashMap::new();
        for (at, function) in catalog.database.functions.iter().enumerate() {
            if function.is_callable(&catalog) {
                let named = functions.entry(function.schema.clone()).or_default();
                named.entry(function.name.clone()).or_default().push(at);
            }
            if let Some(relation) = function.row_of(&catalog) {
                computed.entry(relation).or_default().push(at);
            }
        }
        catalog.functions = functions;
        catalog.computed = computed;
        catalog.relationships = relationship::derive(&catalog);
        catalog
    }

    /// The descriptor that this was made from.
    pub fn descriptor(&self) -> &Database {
        &self.database
    }

    /// Whether this schema is exposed.
    pub fn is_exposed(&self, schema: &str) -> bool {
        self.database.schemas.iter().any(|exposed| exposed.name == schema)
    }

    /// The relation of this name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.database.relations.get(*self.relations.get(schema)?.get(name)?)
    }

    /// The name of a relation that is most like `wanted`, if it is at least so similar (0 to 1).
    pub fn relation_like(&self, schema: &str, wanted: &str, least: f64) -> Option<&str> {
        let names = || self.relations_in(schema).map(|relation| relation.name.as_str());
        self.similar.get(schema)?.relations.get_or_init(|| Similar::new(names())).closest(wanted, least)
    }

    /// The name of a function that is most like `wanted`, if it is at least so similar (0 to 1).
    pub fn function_like(&self, schema: &str, wanted: &str, least: f64) -> Option<&str> {
        let names = || self.functions_in(schema).map(|function| function.name.as_str());
        self.similar.get(schema)?.functions.get_or_init(|| Similar::new(names())).closest(wanted, least)
    }

    /// The name of a relation with relationships that is most like `wanted`, if it is at least so similar (0 to 1).
    pub fn source_like(&self, schema: &str, wanted: &str, least: f64) -> Option<&str> {
        let related = |relation: &&Relation| !self.relationships(relation.oid).is_empty();
        let names = || self.relations_in(schema).filter(related).map(|relation| relation.name.as_str());
        self.similar.get(schema)?.sources.get_or_init(|| Similar::new(names())).closest(wanted, least)
    }

    /// The one of `names` that is most like `wanted`, if it is at least so similar (0 to 1). They have to be the names of
    /// what is related to this relation in the schema: they are taken apart when they are first asked for.
    pub fn target_like<'n>(
        &self,
        (schema, source): (&str, u32),
        names: impl Iterator<Item = &'n str>,
        wanted: &str,
        least: f64,
    ) -> Option<String> {
        let mut kept = self.similar.get(schema)?.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let names = kept.get_or_insert(source, || Arc::new(Similar::new(names))).clone();
        drop(kept);
        names.closest(wanted, least).map(str::to_owned)
    }

    /// The relation of this OID.
    pub fn relation_by_oid(&self, oid: u32) -> Option<&Relation> {
        self.database.relations.get(*self.relations_by_oid.get(&oid)?)
    }

    /// The relations of a schema, in the descriptor's order.
    pub fn relations_in<'a>(&'a self, schema: &'a str) -> impl Iterator<Item = &'a Relation> {
        self.database.relations.iter().filter(move |found| found.schema == schema && !found.is_partition)
    }

    /// The functions of this name that the API can call: several if it is
    /// overloaded, those with the fewest arguments first.
    pub fn functions(&self, schema: &str, name: &str) -> impl Iterator<Item = &Function> {
        let at = self.functions.get(schema).and_then(|named| named.get(name));
        at.into_iter().flatten().filter_map(|at| self.database.functions.get(*at))
    }

    /// The functions of a schema that the API can call, in the descriptor's order.
    pub fn functions_in<'a>(&'a self, schema: &'a str) -> impl Iterator<Item = &'a Function> {
        let all = self.database.functions.iter();
        all.filter(move |function| function.schema == schema && function.is_callable(self))
    }

    /// The functions that take a row of the relation of this OID and nothing
    /// else: computed fields, and computed relationships.
    pub fn computed(&self, relation: u32) -> impl Iterator<Item = &Function> {
        let at = self.computed.get(&relation);
        at.into_iter().flatten().filter_map(|at| self.database.functions.get(*at))
    }

    /// The computed field of this name of the relation of this OID: a function
    /// of its schema before one of another, and none that returns a set.
    pub fn computed_field(&self, relation: u32, name: &str) -> Option<&Function> {
        let schema = &self.relation_by_oid(relation)?.schema;
        let mut found = self.computed(relation).filter(|f| f.name == name && !f.returns_set);
        let first = found.next()?;
        if first.schema == *schema {
            return Some(first);
        }
        Some(found.find(|function| function.schema == *schema).unwrap_or(first))
    }

    /// The type of this OID.
    pub fn type_of(&self, oid: u32) -> Option<&Type> {
        self.database.types.get(*self.types.get(&oid)?)
    }

    /// The type of this OID, or below it where it is a domain.
    pub fn base_type(&self, oid: u32) -> Option<&Type> {
        let mut found = self.type_of(oid)?;
        // A domain cannot be below itself, but a descriptor can come from a file.
        for _ in 0..self.database.types.len() {
            if found.kind() != TypeKind::Domain {
                return Some(found);
            }
            found = self.type_of(found.base)?;
        }
        None
    }

    /// What can be embedded in the relation of this OID: by the target's name,
    /// and in the order in which PostgREST lists ambiguous ones.
    pub fn relationships(&self, source: u32) -> &[Relationship] {
        self.relationships.get(&source).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
