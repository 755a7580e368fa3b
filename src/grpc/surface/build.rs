//! From the catalog to the [`Surface`]. Names are given to tables first, then to views, to
//! types and to functions, among equals by [`Claims::settle`]: so neither OIDs nor an order in the
//! database have a say.

use super::{Numbered, Package, ResourceNames, Resources, Surface, operation};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Relation, RelationKind, Schema},
    },
    config::package::{self, PackageTemplate},
    grpc::{
        lock::{Lock, LockError, PackageLock},
        names::{Claims, pascal, plural, singular, snake},
        options::Options,
    },
};
use std::{collections::HashMap, fmt, sync::Arc};

/// The one service that all functions of a schema share.
pub(crate) const FUNCTIONS_SERVICE: &str = "FunctionsService";

/// Packages of what is served or exported besides.
const TAKEN: &[&str] = &[
    "google.api",
    "google.protobuf",
    "google.rpc",
    "grpc.health.v1",
    "grpc.reflection.v1",
    "grpc.reflection.v1alpha",
    "pgduet.query.v1",
    "pgduet.schema.v1",
    "pgduet.types.v1",
];

/// What the names of a relation's messages besides its own, and of its service, end with.
const DERIVED: [&str; 13] = [
    "Request",
    "Response",
    "Where",
    "Service",
    "Embed",
    "Embeds",
    "Predicate",
    "OnConflict",
    "Unique",
    "Aggregates",
    "Sums",
    "Averages",
    "Counts",
];

/// Why there is no surface.
#[derive(Debug)]
pub enum SurfaceError {
    /// The lock gives one name to two things.
    Lock(LockError),
    /// The template gives this schema no package of its own.
    Package(String),
}

impl From<LockError> for SurfaceError {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}

impl fmt::Display for SurfaceError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(error) => error.fmt(out),
            Self::Package(schema) => write!(
                out,
                "grpc-package gives the schema {schema} a package that is taken; with {{schema}} in it each has its own"
            ),
        }
    }
}

/// Works out the surface. Names and numbers are those of `lock` as far as it has them.
pub(crate) fn surface(
    catalog: &Arc<Catalog>,
    options: &Options,
    lock: &Lock,
) -> Result<Surface, SurfaceError> {
    let mut packages = Claims::of(TAKEN);
    let mut surface = Surface { packages: Vec::new(), lock: lock.clone() };
    let schemas = &catalog.descriptor().schemas;
    for (schema, (name, stem)) in schemas.iter().zip(package_names(schemas, &options.package, &mut packages)?)
    {
        let locked = Arc::new(lock.schemas.get(&schema.name).cloned().unwrap_or_default());
        let package = Package {
            schema: schema.name.clone(),
            comment: schema.comment.clone(),
            file: format!("{}/{stem}.proto", name.replace('.', "/")),
            name,
            aggregates: options.aggregates,
            timestamps: options.timestamps,
            catalog: catalog.clone(),
            lock: locked.clone(),
            ..Package::default()
        };
        let mut builder = Builder {
            catalog,
            claims: Claims::default(),
            related: HashMap::new(),
            next: PackageLock::clone(&locked),
            lock: locked,
        };
        surface.packages.push(builder.build(package)?);
        surface.lock.schemas.insert(schema.name.clone(), builder.next);
    }
    Ok(surface)
}

impl Surface {
    /// The lock that keeps the surface as it is. It makes every resource anew, without keeping it.
    pub(crate) fn lock(&self) -> Lock {
        let mut lock = self.lock.clone();
        for package in &self.packages {
            if let Some(next) = lock.schemas.get_mut(&package.schema) {
                next.relations.extend(package.relation_locks());
                next.operations.clone_from(&package.operations().ledger);
            }
        }
        lock
    }
}

/// A schema, its name without a version, and the version.
type Stem<'a> = (&'a Schema, String, &'a str);

/// The packages of schemas, and the stems of their names.
fn package_names(
    schemas: &[Schema],
    template: &PackageTemplate,
    taken: &mut Claims,
) -> Result<Vec<(String, String)>, SurfaceError> {
    let stems: Vec<Stem<'_>> = schemas
        .iter()
        .map(|schema| {
            let (stem, version) = package::version(&schema.name);
            (schema, snake(stem), version)
        })
        .collect();
    let candidate = |(schema, stem, version): &Stem<'_>, attempt| {
        let stem = match attempt {
            0 => stem.clone(),
            attempt => format!("{stem}_{}", own_number(&schema.name, attempt)),
        };
        template.package(&stem, version)
    };
    let is_one = |schema: &Stem<'_>| candidate(schema, 0) == candidate(schema, 1);
    // Another attempt would give no other name.
    for only in stems.iter().filter(|schema| is_one(schema)) {
        let taken_by_other = |_| SurfaceError::Package(only.0.name.clone());
        taken.take(vec![candidate(only, 0)]).map_err(taken_by_other)?;
    }
    let several: Vec<_> = stems.iter().filter(|schema| !is_one(schema)).collect();
    let mut named = taken
        .settle(&several, |schema, attempt| candidate(schema, attempt), |name| vec![name.clone()])
        .into_iter();
    let name = |found: &Stem<'_>| {
        let own = if is_one(found) { None } else { named.next() };
        (own.unwrap_or_else(|| candidate(found, 0)), found.1.clone())
    };
    Ok(stems.iter().map(name).collect())
}

/// One package in the making.
pub(super) struct Builder<'a> {
    pub(super) catalog: &'a Catalog,
    /// Names of messages, enums, enum values and services: one scope in protobuf.
    pub(super) claims: Claims,
    /// [`ResourceNames::related`] of locked relations, by name.
    pub(super) related: HashMap<String, String>,
    /// What is locked.
    pub(super) lock: Arc<PackageLock>,
    /// What will be, relations aside.
    pub(super) next: PackageLock,
}

impl Builder<'_> {
    fn build(&mut self, mut package: Package) -> Result<Package, LockError> {
        self.claims.claim(|_| FUNCTIONS_SERVICE.to_owned(), |name| vec![name.clone()]);
        self.claims.claim(|_| operation::names(), Vec::clone);
        self.hold_locked_names()?;
        let (catalog, schema) = (self.catalog, package.schema.clone());
        let mut relations: Vec<&Relation> = catalog
            .relations_in(&schema)
            .filter(|relation| !relation.is_partition && !relation.columns.is_empty())
            .collect();
        relations.sort_by(|a, b| a.name.cmp(&b.name));
        let mut names = self.relation_names(&relations);
        let named: Vec<_> = relations
            .iter()
            .map(|relation| {
                let names = names.remove(&relation.oid).unwrap_or_else(|| names_of(&relation.name, 0));
                (*relation, names)
            })
            .collect();
        package.renamed_uniques = self.claim_uniques(&named);
        package.resources =
            Resources::named(named.into_iter().map(|(relation, names)| (relation.oid, names)));
        let functions = self.offered_functions(&package);
        self.declare_types(&mut package, &relations, &functions);
        self.record_fields(&mut package);
        self.functions(&mut package, functions);
        Ok(package)
    }

    /// What relations are called, by OID. Tables go before views.
    fn relation_names(&mut self, relations: &[&Relation]) -> HashMap<u32, ResourceNames> {
        let mut names = HashMap::new();
        let mut new = Vec::new();
        for &relation in relations {
            match self.lock.relations.get(&relation.name) {
                Some(locked) => {
                    let related = self.related.get(&relation.name).unwrap_or(&locked.message).clone();
                    let (singular, plural) = (locked.message.clone(), locked.plural.clone());
                    names.insert(relation.oid, ResourceNames { singular, plural, related });
                }
                None => new.push((relation, names_of(&relation.name, 0))),
            }
        }
        // A relation whose name looks like another one's request message does not rename that other relation.
        let is_derived = |(_, plain): &Plain<'_>| DERIVED.iter().any(|end| plain.singular.ends_with(end));
        let (views, tables): (Vec<_>, Vec<_>) = new.into_iter().partition(|(relation, _)| is_view(relation));
        let split = |relations: Vec<_>| -> [Vec<Plain<'_>>; 2] {
            let (derived, own) = relations.into_iter().partition(is_derived);
            [own, derived]
        };
        for equals in [split(tables), split(views)].into_iter().flatten() {
            let candidate = |(relation, plain): &Plain<'_>, attempt| match attempt {
                0 => plain.clone(),
                attempt => names_of(&relation.name, attempt),
            };
            let named = self.claims.settle(&equals, candidate, ResourceNames::all);
            for ((relation, plain), found) in equals.iter().zip(named) {
                if found.singular != plain.singular {
                    tracing::warn!(
                        relation = relation.name,
                        message = found.singular,
                        "name taken: another one over gRPC"
                    );
                }
                names.insert(relation.oid, found);
            }
        }
        names
    }
}

/// A relation and what it is called if nothing else is called so.
type Plain<'a> = (&'a Relation, ResourceNames);

/// What a relation is called at this attempt: of `students` `Student` and `Students`, then `StudentsRow` and `StudentsRows`,
/// then with a number of its own.
fn names_of(relation: &str, attempt: usize) -> ResourceNames {
    let base = snake(relation);
    let (singular, plural) = match attempt {
        0 => (pascal(&singular(&base)), pascal(&plural(&base))),
        attempt => {
            let (name, own) = (pascal(&base), own_number(relation, attempt - 1));
            (format!("{name}Row{own}"), format!("{name}Rows{own}"))
        }
    };
    ResourceNames { related: singular.clone(), singular, plural }
}

/// What tells a thing apart from others whose names end at the same: nothing at first, then a number of its own.
pub(super) fn own_number(name: &str, attempt: usize) -> String {
    match attempt.checked_sub(1) {
        None => String::new(),
        Some(again) => Numbered::Field.number(&format!("{name}{}", "'".repeat(again))).to_string(),
    }
}

/// Whether it is there for the sake of others.
pub(super) fn is_view(relation: &Relation) -> bool {
    match relation.kind() {
        RelationKind::View | RelationKind::MaterializedView => true,
        RelationKind::Table
        | RelationKind::ForeignTable
        | RelationKind::PartitionedTable
        | RelationKind::Unspecified => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalog::descriptor::FILE_DESCRIPTOR_SET, grpc::reflection::own_descriptors};
    use prost::Message as _;

    #[test]
    fn every_package_that_is_served_besides_is_taken() {
        let own = own_descriptors();
        for set in own.into_iter().chain([FILE_DESCRIPTOR_SET, tonic_types::pb::FILE_DESCRIPTOR_SET]) {
            for file in prost_types::FileDescriptorSet::decode(set).unwrap().file {
                assert!(TAKEN.contains(&file.package()), "{}", file.package());
            }
        }
    }
}
