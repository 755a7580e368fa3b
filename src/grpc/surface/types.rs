//! Types: from a column's [`Form`] to a field's [`Shape`]; enums and composites
//! are declared in the package where they are first used.

use super::{
    Compared, Declared, Enum, EnumValue, Field, Package, Presence, Record, Reserved, Scalar, Shape,
    build::{Builder, pascal_candidate},
};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Type, TypeKind},
        form::{Form, form},
    },
    grpc::names::upper_snake,
    request::select::Part,
};
use std::{collections::HashSet, sync::Arc};

impl Builder<'_> {
    /// The shape of a column of this type, which is locked as this.
    pub(super) fn shape(&mut self, package: &mut Package, oid: u32, locked: Option<&str>) -> Shape {
        match form(self.catalog, oid) {
            // The way out for values that the usual type cannot hold.
            Form::TimestampTz if locked == Some("string") => Shape::One(Scalar::TimestampText),
            Form::Array(element) if *element == Form::TimestampTz && locked == Some("repeated string") => {
                Shape::Many(Scalar::TimestampText)
            }
            Form::Array(_) if locked == Some("string") => Shape::One(Scalar::OwnText),
            Form::Array(element) => {
                let of = self.catalog.base_type(oid).map_or(0, |array| array.element);
                Shape::Many(self.scalar(package, &element, of))
            }
            single => Shape::One(self.scalar(package, &single, oid)),
        }
    }

    fn scalar(&mut self, package: &mut Package, form: &Form, oid: u32) -> Scalar {
        match form {
            Form::Bool => Scalar::Bool,
            Form::Int2 => Scalar::Int2,
            Form::Int4 => Scalar::Int4,
            Form::Int8 => Scalar::Int8,
            Form::Float4 => Scalar::Float4,
            Form::Float8 => Scalar::Float8,
            Form::TimestampTz => Scalar::TimestampTz,
            Form::Bytea => Scalar::Bytea,
            Form::Hstore => Scalar::Hstore,
            Form::Record(oid) => self.record(package, *oid),
            // An array is never an element.
            Form::Text | Form::Array(_) => match self.catalog.base_type(oid) {
                Some(found) if found.kind() == TypeKind::Enum => self.enumeration(package, found),
                Some(found)
                    if found.schema == "pg_catalog" && matches!(found.name.as_str(), "json" | "jsonb") =>
                {
                    Scalar::Json
                }
                _ => Scalar::Text,
            },
        }
    }

    /// The enum, declared on first use; text if its labels cannot be told apart
    /// as names.
    fn enumeration(&mut self, package: &mut Package, found: &Type) -> Scalar {
        if let Some(known) = self.types.get(&found.oid) {
            return *known;
        }
        let distinct: HashSet<String> = found.labels.iter().map(|label| upper_snake(label)).collect();
        let ambiguous = distinct.len() < found.labels.len() || distinct.contains("UNSPECIFIED");
        let scalar = if ambiguous {
            Scalar::Text
        } else {
            let locked = self.lock.enums.get(&qualified(found)).cloned();
            let mut declared = match locked {
                // Its names are taken already.
                Some(locked) => named(found, &locked.name),
                None => self.claims.claim(
                    |attempt| named(found, &pascal_candidate(&found.name, "Enum", attempt)),
                    Enum::names,
                ),
            };
            self.settle_labels(&qualified(found), &mut declared);
            package.enums.push(declared);
            Scalar::Enum(package.enums.len() - 1)
        };
        self.types.insert(found.oid, scalar);
        scalar
    }

    /// The composite, declared on first use; of an exposed relation's row type
    /// the message is there already.
    fn record(&mut self, package: &mut Package, oid: u32) -> Scalar {
        if let Some(known) = self.types.get(&oid) {
            return *known;
        }
        let Some(found) = self.catalog.type_of(oid) else { return Scalar::Text };
        let resource = package.resources.iter().find(|resource| resource.oid == found.relation);
        let (message, declared) = match resource {
            Some(resource) if found.relation != 0 => (resource.names.singular.clone(), Declared::ByResource),
            _ => {
                let message = match self.lock.composites.get(&qualified(found)) {
                    Some(locked) => locked.message.clone(),
                    None => self.claims.claim(
                        |attempt| pascal_candidate(&found.name, "Record", attempt),
                        |name| vec![name.clone()],
                    ),
                };
                (message, Declared::Here)
            }
        };
        // Entered before its attributes: whatever leads back here ends here.
        let at = package.records.len();
        self.types.insert(oid, Scalar::Record(at));
        package.records.push(Record {
            message,
            sql_type: found.sql_name.clone(),
            comment: found.comment.clone(),
            fields: Vec::new(),
            declared,
            reserved: Reserved::default(),
        });
        let ledger = self.attributes_of(package, at, found);
        let mut fields = Vec::with_capacity(found.attributes.len());
        for attribute in &found.attributes {
            let shape = self.shape(package, attribute.r#type, ledger.kind(&attribute.name));
            if shape == Shape::One(Scalar::OwnText) {
                let part = Part::Attribute { of: found.oid, number: attribute.number };
                Arc::make_mut(&mut package.texts).insert(part);
            }
            fields.push(Field {
                column: attribute.name.clone(),
                name: attribute.name.clone(),
                number: u32::try_from(attribute.number).unwrap_or_default(),
                shape,
                presence: Presence::Optional,
                comment: attribute.comment.clone(),
                sql_type: attribute.sql_type.clone(),
                compared: compared(self.catalog, attribute.r#type),
            });
        }
        self.settle_attributes(package, at, found, &ledger, fields);
        Scalar::Record(at)
    }
}

/// PostgreSQL's types without an operator that says whether two values are equal, by their names in `pg_catalog`.
const WITHOUT_EQUALITY: &[&str] =
    &["json", "jsonpath", "pg_snapshot", "point", "polygon", "refcursor", "txid_snapshot", "xml"];

/// What values of the type of this OID can be compared with: of arrays and composites that depends on their parts.
pub(super) fn compared(catalog: &Catalog, oid: u32) -> Compared {
    // Arrays, composites and domains end somewhere; a saved descriptor could claim otherwise.
    const MOST: usize = 100;
    let mut rest = vec![oid];
    let mut seen = 0;
    while let Some(found) = rest.pop().and_then(|oid| catalog.base_type(oid)) {
        seen += 1;
        if found.schema == "pg_catalog" && WITHOUT_EQUALITY.contains(&found.name.as_str()) {
            return Compared::WithNull;
        }
        if seen < MOST {
            rest.extend(
                Some(found.element).filter(|element| found.kind() == TypeKind::Array && *element != 0),
            );
            rest.extend(found.attributes.iter().map(|attribute| attribute.r#type));
        }
    }
    Compared::WithValues
}

/// What the lock calls a type.
pub(super) fn qualified(found: &Type) -> String {
    format!("{}.{}", found.schema, found.name)
}

/// The enum under this name.
fn named(found: &Type, name: &str) -> Enum {
    let prefix = upper_snake(name);
    let value = |(number, label): (u32, &String)| EnumValue {
        label: label.clone(),
        name: format!("{prefix}_{}", upper_snake(label)),
        number,
    };
    Enum {
        name: name.to_owned(),
        sql_type: found.sql_name.clone(),
        comment: found.comment.clone(),
        unspecified: format!("{prefix}_UNSPECIFIED"),
        values: (1..).zip(&found.labels).map(value).collect(),
        reserved: Reserved::default(),
    }
}
