//! The catalog: look-ups over one schema descriptor. Immutable; a reload makes
//! a new one. It talks to nobody.

pub mod descriptor;
pub mod form;
pub mod relationship;

use crate::name::QualifiedName;
use descriptor::{Database, Function, Relation, Type, TypeKind};
use relationship::Relationship;
use std::collections::HashMap;

/// Look-ups over a descriptor.
#[derive(Debug, Default)]
pub struct Catalog {
    database: Database,
    relations: HashMap<QualifiedName, usize>,
    relations_by_oid: HashMap<u32, usize>,
    functions: HashMap<QualifiedName, Vec<usize>>,
    types: HashMap<u32, usize>,
    relationships: HashMap<u32, Vec<Relationship>>,
}

impl Catalog {
    /// Indexes a descriptor and derives its relationships.
    pub fn new(database: Database) -> Self {
        let index = |relation: &Relation| QualifiedName::new(&relation.schema, &relation.name);
        let mut functions: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, function) in database.functions.iter().enumerate() {
            functions.entry(QualifiedName::new(&function.schema, &function.name)).or_default().push(at);
        }
        Self {
            relations: database.relations.iter().enumerate().map(|(at, r)| (index(r), at)).collect(),
            relations_by_oid: database.relations.iter().enumerate().map(|(at, r)| (r.oid, at)).collect(),
            functions,
            types: database.types.iter().enumerate().map(|(at, t)| (t.oid, at)).collect(),
            relationships: HashMap::new(),
            database,
        }
    }

    /// The descriptor that this was made from.
    pub fn descriptor(&self) -> &Database {
        &self.database
    }

    /// The relation of this name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        let at = self.relations.get(&QualifiedName::new(schema, name))?;
        self.database.relations.get(*at)
    }

    /// The relation of this OID.
    pub fn relation_by_oid(&self, oid: u32) -> Option<&Relation> {
        self.database.relations.get(*self.relations_by_oid.get(&oid)?)
    }

    /// The relations of a schema, in the descriptor's order.
    pub fn relations_in<'a>(&'a self, schema: &'a str) -> impl Iterator<Item = &'a Relation> {
        self.database.relations.iter().filter(move |relation| relation.schema == schema)
    }

    /// The functions of this name: several if it is overloaded.
    pub fn functions(&self, schema: &str, name: &str) -> impl Iterator<Item = &Function> {
        let at = self.functions.get(&QualifiedName::new(schema, name)).map(Vec::as_slice).unwrap_or_default();
        at.iter().filter_map(|at| self.database.functions.get(*at))
    }

    /// The functions of a schema, in the descriptor's order.
    pub fn functions_in<'a>(&'a self, schema: &'a str) -> impl Iterator<Item = &'a Function> {
        self.database.functions.iter().filter(move |function| function.schema == schema)
    }

    /// The type of this OID.
    pub fn type_of(&self, oid: u32) -> Option<&Type> {
        self.database.types.get(*self.types.get(&oid)?)
    }

    /// The type of this OID, or below it where it is a domain.
    pub fn base_type(&self, oid: u32) -> Option<&Type> {
        let mut found = self.type_of(oid)?;
        while found.kind() == TypeKind::Domain {
            found = self.type_of(found.base)?;
        }
        Some(found)
    }

    /// What can be embedded in the relation of this OID.
    pub fn relationships(&self, source: u32) -> &[Relationship] {
        self.relationships.get(&source).map(Vec::as_slice).unwrap_or_default()
    }
}
