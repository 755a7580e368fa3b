//! From the catalog to the [`Surface`]. Relations go first, in the order of
//! their names, then their columns' types, then functions: so names fall the
//! same way for the same catalog.

use super::{
    Field, Package, Presence, Reserved, Resource, ResourceNames, Scalar, Shape, Surface, types::compared,
};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Column, Identity, Relation},
    },
    config::package::{self, PackageTemplate},
    grpc::{
        lock::{Lock, LockError, PackageLock},
        method::RelationMethod,
        names::{Claims, numbered, pascal, plural, singular, snake},
    },
};
use std::{collections::HashMap, fmt};

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

/// Works out the surface, and the lock that keeps it so. `template` is the option
/// `grpc-package`; names and numbers are those of `lock` as far as it has them.
pub(crate) fn surface(
    catalog: &Catalog,
    template: &PackageTemplate,
    lock: &Lock,
) -> Result<(Surface, Lock), SurfaceError> {
    let mut packages = Claims::of(TAKEN);
    let mut next = lock.clone();
    let mut surface = Surface::default();
    let schemas = &catalog.descriptor().schemas;
    for schema in schemas {
        let (stem, version) = package::version(&schema.name);
        let stem = snake(stem);
        let candidate = |attempt| template.package(&numbered(&stem, attempt), version);
        let name = match candidate(0) {
            // Another attempt would give no other name.
            only if only == candidate(1) => {
                packages.take(vec![only.clone()]).map_err(|_| SurfaceError::Package(schema.name.clone()))?;
                only
            }
            _ => packages.claim(candidate, |name| vec![name.clone()]),
        };
        let package = Package {
            schema: schema.name.clone(),
            comment: schema.comment.clone(),
            file: format!("{}/{stem}.proto", name.replace('.', "/")),
            name,
            ..Package::default()
        };
        let locked = lock.schemas.get(&schema.name).cloned().unwrap_or_default();
        let mut builder = Builder {
            catalog,
            claims: Claims::default(),
            types: HashMap::new(),
            next: locked.clone(),
            lock: locked,
        };
        surface.packages.push(builder.build(package)?);
        next.schemas.insert(schema.name.clone(), builder.next);
    }
    Ok((surface, next))
}

/// `Grade`, then `GradeEnum` (or whatever `kind` says), then numbers.
pub(super) fn pascal_candidate(name: &str, kind: &str, attempt: usize) -> String {
    let name = pascal(name);
    match attempt {
        0 => name,
        1 => name + kind,
        attempt => format!("{name}{kind}{attempt}"),
    }
}

/// One package in the making.
pub(super) struct Builder<'a> {
    pub(super) catalog: &'a Catalog,
    /// Names of messages, enums, enum values and services: one scope in protobuf.
    pub(super) claims: Claims,
    /// Enums and composites met so far, by OID.
    pub(super) types: HashMap<u32, Scalar>,
    /// What is locked.
    pub(super) lock: PackageLock,
    /// What will be.
    pub(super) next: PackageLock,
}

impl Builder<'_> {
    fn build(&mut self, mut package: Package) -> Result<Package, LockError> {
        self.claims.claim(|_| FUNCTIONS_SERVICE.to_owned(), |name| vec![name.clone()]);
        self.hold_locked_names()?;
        let (catalog, schema) = (self.catalog, package.schema.clone());
        let mut relations: Vec<&Relation> = catalog
            .relations_in(&schema)
            .filter(|relation| !relation.is_partition && !relation.columns.is_empty())
            .collect();
        relations.sort_by(|a, b| a.name.cmp(&b.name));
        for relation in &relations {
            let resource = self.resource(relation);
            package.resources.push(resource);
        }
        for (at, relation) in relations.iter().enumerate() {
            let fields = self.columns(&mut package, relation);
            if let Some(resource) = package.resources.get_mut(at) {
                resource.key = key(relation, &fields);
                resource.fields = fields;
                self.lock_relation(resource);
                resource.methods = RelationMethod::ALL
                    .iter()
                    .copied()
                    .filter(|method| method.is_offered(relation, &resource.key))
                    .collect();
            }
        }
        self.embeds(&mut package);
        self.functions(&mut package);
        Ok(package)
    }

    /// The relation with its names only: fields may have other relations' types.
    fn resource(&mut self, relation: &Relation) -> Resource {
        let base = snake(&relation.name);
        let candidate = |attempt| ResourceNames {
            singular: pascal(&numbered(&singular(&base), attempt)),
            plural: pascal(&numbered(&plural(&base), attempt)),
        };
        let names = match self.lock.relations.get(&relation.name) {
            Some(locked) => ResourceNames { singular: locked.message.clone(), plural: locked.plural.clone() },
            None => {
                let names = self.claims.claim(candidate, ResourceNames::all);
                if names.singular != candidate(0).singular {
                    tracing::warn!(
                        relation = relation.name,
                        message = names.singular,
                        "name taken: numbered over gRPC"
                    );
                }
                names
            }
        };
        Resource {
            oid: relation.oid,
            relation: relation.name.clone(),
            comment: relation.comment.clone(),
            names,
            fields: Vec::new(),
            embeds: Vec::new(),
            key: Vec::new(),
            methods: Vec::new(),
            reserved: Reserved::default(),
            reserved_embeds: Reserved::default(),
            reserved_key: Reserved::default(),
        }
    }

    fn columns(&mut self, package: &mut Package, relation: &Relation) -> Vec<Field> {
        let locked = self.lock.relations.get(&relation.name).map(|known| known.columns.clone());
        let locked = locked.unwrap_or_default();
        let field = |column: &Column| Field {
            column: column.name.clone(),
            name: column.name.clone(),
            number: u32::try_from(column.number).unwrap_or_default(),
            shape: self.shape(package, column.r#type, locked.kind(&column.name)),
            presence: presence(column),
            comment: column.comment.clone(),
            sql_type: column.sql_type.clone(),
            compared: compared(self.catalog, column.r#type),
        };
        let mut fields: Vec<Field> = relation.columns.iter().map(field).collect();
        self.settle_columns(package, &relation.name, &mut fields);
        fields
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

/// The key, if all of it is there and of types that can stand in a request.
fn key(relation: &Relation, fields: &[Field]) -> Vec<usize> {
    let find = |name: &String| {
        let at = fields.iter().position(|field| field.column == *name)?;
        match fields.get(at)?.shape {
            Shape::Many(_) | Shape::One(Scalar::Record(_)) => None,
            Shape::One(_) => Some(at),
        }
    };
    relation.primary_key.iter().map(find).collect::<Option<_>>().unwrap_or_default()
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
