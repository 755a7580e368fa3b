//! From the catalog to the [`Surface`]. Relations go first, in the order of
//! their names, then their columns' types, then functions: so names fall the
//! same way for the same catalog.

use super::{Field, Package, Presence, Reserved, Resource, ResourceNames, Scalar, Shape, Surface};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Column, Identity, Relation},
    },
    grpc::{
        lock::{Lock, LockError, PackageLock},
        method::RelationMethod,
        names::{Claims, numbered, pascal, plural, singular, snake},
    },
};
use std::collections::HashMap;

/// The one service that all functions of a schema share.
pub(crate) const FUNCTIONS_SERVICE: &str = "FunctionsService";

/// Works out the surface, and the lock that keeps it so. `template` is the option
/// `grpc-package`; names and numbers are those of `lock` as far as it has them.
///
/// # Errors
/// The lock gives one name to two things.
pub(crate) fn surface(catalog: &Catalog, template: &str, lock: &Lock) -> Result<(Surface, Lock), LockError> {
    let mut packages = Claims::default();
    let mut next = lock.clone();
    let mut surface = Surface::default();
    let schemas = &catalog.descriptor().schemas;
    for schema in schemas {
        let (stem, version) = versioned(&schema.name);
        let name = packages.claim(
            |attempt| {
                let stem = numbered(&stem, attempt);
                template.replace("{schema}", &stem).replace("{version}", version)
            },
            |name| vec![name.clone()],
        );
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

/// `shop_v2` is version 2 of `shop`; a schema without a version is version 1.
fn versioned(schema: &str) -> (String, &str) {
    match schema.rsplit_once("_v") {
        Some((stem, version))
            if !stem.is_empty()
                && !version.is_empty()
                && !version.starts_with('0')
                && version.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (snake(stem), version)
        }
        _ => (snake(schema), "1"),
    }
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
            presence: match (column.generated || column.identity() == Identity::Always, column.not_null) {
                (true, _) => Presence::Computed,
                (false, true) => Presence::Required,
                (false, false) => Presence::Optional,
            },
            comment: column.comment.clone(),
            sql_type: column.sql_type.clone(),
        };
        let mut fields: Vec<Field> = relation.columns.iter().map(field).collect();
        self.settle_columns(package, &relation.name, &mut fields);
        fields
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
    use super::versioned;

    #[test]
    fn a_schema_may_name_its_version() {
        assert_eq!(versioned("shop_v2"), ("shop".to_owned(), "2"));
        assert_eq!(versioned("shop"), ("shop".to_owned(), "1"));
        assert_eq!(versioned("_v2"), ("v2".to_owned(), "1"));
        assert_eq!(versioned("shop_vegan"), ("shop_vegan".to_owned(), "1"));
    }
}
