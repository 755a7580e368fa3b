//! Types: from a column's [`Form`] to a field's [`Shape`]. Enums and composites are named before
//! any field is made, all that columns, arguments and results lead to: so it does not matter which is met first.

use super::{
    Compared, Declared, Enum, EnumValue, Field, Numbered, Package, Presence, Record, Reserved, Scalar, Shape,
    build::{Builder, own_number},
    computed,
    locked::TIMESTAMP,
};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation, Type, TypeKind},
        form::{Form, form},
    },
    config::GrpcTimestamps,
    grpc::names::{pascal, upper_snake},
    request::select::Part,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Types by schema and name.
type Found<'a> = BTreeMap<(&'a str, &'a str), &'a Type>;

impl<'a> Builder<'a> {
    /// Declares the enums and composites of these relations and functions.
    pub(super) fn declare_types(
        &mut self,
        package: &mut Package,
        relations: &[&Relation],
        functions: &[(&'a Function, super::function::Offered<'a>)],
    ) {
        let (mut enums, mut records) = (Found::new(), Found::new());
        let columns =
            relations.iter().flat_map(|relation| relation.columns.iter().map(|column| column.r#type));
        let computed = relations.iter().flat_map(|relation| computed::functions(self.catalog, relation));
        let computed = computed.map(|function| function.return_type);
        let of_functions = functions.iter().flat_map(|(function, offered)| offered.types(function));
        // Columns are many, and their types few.
        let mut seen = HashSet::new();
        for oid in columns.chain(computed).chain(of_functions).filter(|oid| seen.insert(*oid)) {
            self.find(oid, &mut enums, &mut records);
        }
        self.declare_records(package, records.into_values().collect());
        self.declare_enums(package, enums.into_values().collect());
    }

    fn find(&self, oid: u32, enums: &mut Found<'a>, records: &mut Found<'a>) {
        let Some(found) = self.catalog.base_type(oid) else { return };
        match form(self.catalog, oid) {
            Form::Array(_) => self.find(found.element, enums, records),
            Form::Record(_) => {
                if records.insert((&found.schema, &found.name), found).is_none() {
                    for attribute in &found.attributes {
                        self.find(attribute.r#type, enums, records);
                    }
                }
            }
            Form::Text if found.kind() == TypeKind::Enum && !is_ambiguous(found) => {
                enums.insert((&found.schema, &found.name), found);
            }
            Form::Text
            | Form::Bool
            | Form::Int2
            | Form::Int4
            | Form::Int8
            | Form::Float4
            | Form::Float8
            | Form::TimestampTz
            | Form::Bytea
            | Form::Hstore => {}
        }
    }

    fn declare_enums(&mut self, package: &mut Package, found: Vec<&'a Type>) {
        let new: Vec<&Type> =
            found.iter().copied().filter(|found| !self.lock.enums.contains_key(&qualified(found))).collect();
        let named = self.claims.settle(
            &new,
            |found, attempt| named(found, &candidate(found, "Enum", attempt)),
            Enum::names,
        );
        let mut named = named.into_iter();
        for found in found {
            let declared = match self.lock.enums.get(&qualified(found)) {
                // Its names are taken already.
                Some(locked) => Some(self::named(found, &locked.name)),
                None => named.next(),
            };
            if let Some(mut declared) = declared {
                self.settle_labels(&qualified(found), &mut declared);
                package.types.insert(found.oid, Scalar::Enum(package.enums.len()));
                package.enums.push(declared);
            }
        }
    }

    /// Declares composites without their fields; of an exposed relation's row type the message
    /// is there already.
    fn declare_records(&mut self, package: &mut Package, found: Vec<&'a Type>) {
        let places: HashMap<u32, usize> = found
            .iter()
            .filter(|found| found.relation != 0)
            .filter_map(|found| Some((found.oid, package.resource_of(found.relation)?)))
            .collect();
        let resource = |found: &Type| places.get(&found.oid);
        let is_new =
            |found: &Type| resource(found).is_none() && !self.lock.composites.contains_key(&qualified(found));
        let new: Vec<&Type> = found.iter().copied().filter(|found| is_new(found)).collect();
        let named = self.claims.settle(
            &new,
            |found, attempt| candidate(found, "Record", attempt),
            |name| vec![name.clone()],
        );
        let mut named = named.into_iter();
        let mut records = Vec::with_capacity(found.len());
        for found in found {
            let (message, declared) = match (resource(found), self.lock.composites.get(&qualified(found))) {
                (Some(at), _) => (package.message(*at).to_owned(), Declared::ByResource),
                (None, Some(locked)) => (locked.message.clone(), Declared::Here),
                (None, None) => (named.next().unwrap_or_default(), Declared::Here),
            };
            package.types.insert(found.oid, Scalar::Record(records.len()));
            records.push(Record {
                of: found.oid,
                message,
                sql_type: found.sql_name.clone(),
                comment: found.comment.clone(),
                fields: Vec::new(),
                declared,
                reserved: Reserved::default(),
            });
        }
        package.records = records;
    }

    /// Gives composites their fields: those of relations are the relations'.
    pub(super) fn record_fields(&mut self, package: &mut Package) {
        for at in 0..package.records.len() {
            let Some(found) = package.records.get(at).and_then(|record| self.catalog.type_of(record.of))
            else {
                continue;
            };
            let ledger = self.attributes_of(package, at, found);
            let mut fields = Vec::with_capacity(found.attributes.len());
            for attribute in &found.attributes {
                let shape = package.shape(attribute.r#type, ledger.kind(&attribute.name));
                if shape == Shape::One(Scalar::OwnText) {
                    let part = Part::Attribute { of: found.oid, number: attribute.number };
                    Arc::make_mut(&mut package.texts).insert(part);
                }
                fields.push(Field {
                    column: attribute.name.clone(),
                    name: attribute.name.clone(),
                    number: 0,
                    shape,
                    presence: Presence::Optional,
                    comment: attribute.comment.clone(),
                    sql_type: attribute.sql_type.clone(),
                    compared: compared(self.catalog, attribute.r#type),
                });
            }
            self.settle_attributes(package, at, found, &ledger, fields);
        }
    }
}

impl Package {
    /// The shape of a column of this type, which is locked as this.
    pub(super) fn shape(&self, oid: u32, locked: Option<&str>) -> Shape {
        match form(&self.catalog, oid) {
            // Text has a form for values that the usual type cannot hold.
            Form::TimestampTz => Shape::One(self.timestamp(locked)),
            Form::Array(_) if locked == Some("string") => Shape::One(Scalar::OwnText),
            Form::Array(element) if *element == Form::TimestampTz => {
                Shape::Many(self.timestamp(locked.and_then(|locked| locked.strip_prefix("repeated "))))
            }
            Form::Array(element) => {
                let of = self.catalog.base_type(oid).map_or(0, |array| array.element);
                Shape::Many(self.scalar(&element, of))
            }
            single => Shape::One(self.scalar(&single, oid)),
        }
    }

    /// What a `timestamptz` is that is locked as this. The lock has precedence over the option, because clients know it.
    fn timestamp(&self, locked: Option<&str>) -> Scalar {
        match (locked, self.timestamps) {
            (Some("string"), _) => Scalar::TimestampText,
            (Some(TIMESTAMP), _) | (_, GrpcTimestamps::Timestamp) => Scalar::TimestampTz,
            (_, GrpcTimestamps::String) => Scalar::TimestampText,
        }
    }

    fn scalar(&self, form: &Form, oid: u32) -> Scalar {
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
            Form::Record(oid) => self.types.get(oid).copied().unwrap_or(Scalar::Text),
            // An array is never an element.
            Form::Text | Form::Array(_) => match self.catalog.base_type(oid) {
                Some(found) if found.kind() == TypeKind::Enum => {
                    self.types.get(&found.oid).copied().unwrap_or(Scalar::Text)
                }
                Some(found)
                    if found.schema == "pg_catalog" && matches!(found.name.as_str(), "json" | "jsonb") =>
                {
                    Scalar::Json
                }
                _ => Scalar::Text,
            },
        }
    }
}

/// Whether labels cannot be told apart as names: then they are text.
fn is_ambiguous(found: &Type) -> bool {
    let distinct: HashSet<String> = found.labels.iter().map(|label| upper_snake(label)).collect();
    distinct.len() < found.labels.len() || distinct.contains("UNSPECIFIED")
}

/// What a type is called at this attempt: `Grade`, `GradeEnum` (or whatever `kind` says), `ApiGradeEnum`, and then with a
/// number of its own.
fn candidate(found: &Type, kind: &str, attempt: usize) -> String {
    let name = pascal(&found.name);
    match attempt {
        0 => name,
        1 => name + kind,
        attempt => {
            let own = own_number(&qualified(found), attempt - 2);
            format!("{}{name}{kind}{own}", pascal(&found.schema))
        }
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
    let value = |label: &String| EnumValue {
        label: label.clone(),
        name: format!("{prefix}_{}", upper_snake(label)),
        number: Numbered::Label.number(label),
    };
    Enum {
        name: name.to_owned(),
        sql_type: found.sql_name.clone(),
        comment: found.comment.clone(),
        unspecified: format!("{prefix}_UNSPECIFIED"),
        values: found.labels.iter().map(value).collect(),
        reserved: Reserved::default(),
    }
}
