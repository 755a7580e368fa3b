//! From the catalog to the [`Surface`]. Relations go first, in the order of
//! their names, then their columns' types, then functions: so names fall the
//! same way for the same catalog.

use super::{Field, Package, Presence, Resource, ResourceNames, Scalar, Shape, Surface};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Column, Identity, Relation},
    },
    grpc::{
        method::RelationMethod,
        names::{Claims, numbered, pascal, plural, singular, snake},
    },
};
use std::collections::HashMap;

/// The one service that all functions of a schema share.
pub(crate) const FUNCTIONS_SERVICE: &str = "FunctionsService";

/// Works out the surface. `template` is the option `grpc-package`.
pub(crate) fn surface(catalog: &Catalog, template: &str) -> Surface {
    let mut packages = Claims::default();
    let schemas = &catalog.descriptor().schemas;
    let build = |schema: &crate::catalog::descriptor::Schema| {
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
        Builder { catalog, claims: Claims::default(), types: HashMap::new() }.build(package)
    };
    Surface { packages: schemas.iter().map(build).collect() }
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
}

impl Builder<'_> {
    fn build(mut self, mut package: Package) -> Package {
        self.claims.claim(|_| FUNCTIONS_SERVICE.to_owned(), |name| vec![name.clone()]);
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
            let fields: Vec<Field> = self.columns(&mut package, &relation.columns);
            if let Some(resource) = package.resources.get_mut(at) {
                resource.key = key(relation, &fields);
                resource.fields = fields;
                resource.methods = RelationMethod::ALL
                    .iter()
                    .copied()
                    .filter(|method| method.is_offered(relation, &resource.key))
                    .collect();
            }
        }
        self.embeds(&mut package);
        self.functions(&mut package);
        package
    }

    /// The relation with its names only: fields may have other relations' types.
    fn resource(&mut self, relation: &Relation) -> Resource {
        let base = snake(&relation.name);
        let candidate = |attempt| ResourceNames {
            singular: pascal(&numbered(&singular(&base), attempt)),
            plural: pascal(&numbered(&plural(&base), attempt)),
        };
        let names = self.claims.claim(candidate, |names| {
            let methods = RelationMethod::ALL.iter().map(|method| method.name(names));
            methods
                .flat_map(|method| [format!("{method}Request"), format!("{method}Response")])
                .chain([names.singular.clone(), names.predicates(), names.service()])
                .collect()
        });
        if names.singular != candidate(0).singular {
            tracing::warn!(
                relation = relation.name,
                message = names.singular,
                "name taken: numbered over gRPC"
            );
        }
        Resource {
            oid: relation.oid,
            relation: relation.name.clone(),
            comment: relation.comment.clone(),
            names,
            fields: Vec::new(),
            embeds: Vec::new(),
            key: Vec::new(),
            methods: Vec::new(),
        }
    }

    fn columns(&mut self, package: &mut Package, columns: &[Column]) -> Vec<Field> {
        let mut names = Claims::default();
        let field = |column: &Column| Field {
            column: column.name.clone(),
            name: names.field(&column.name),
            number: u32::try_from(column.number).unwrap_or_default(),
            shape: self.shape(package, column.r#type),
            presence: match (column.generated || column.identity() == Identity::Always, column.not_null) {
                (true, _) => Presence::Computed,
                (false, true) => Presence::Required,
                (false, false) => Presence::Optional,
            },
            comment: column.comment.clone(),
            sql_type: column.sql_type.clone(),
        };
        columns.iter().map(field).collect()
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
