//! The surface: what the gRPC side offers, worked out of the catalog: packages, resources, fields with their names and
//! numbers, functions. A reload gives relations their names; what is in a resource is worked out when somebody asks for
//! it ([`Package::resource`]). Descriptors, decoders and encoders are all made from the surface, so that they cannot
//! differ. It holds no protobuf types and no SQL.

mod aggregate;
mod build;
mod change;
mod computed;
mod embed;
mod function;
mod locked;
mod names;
mod number;
mod operation;
mod resource;
mod types;
mod unique;

pub use build::SurfaceError;
pub(crate) use build::{FUNCTIONS_SERVICE, surface};
pub(crate) use change::changes;
pub(crate) use names::ResourceNames;
pub(crate) use number::{Numbered, Numbers};
pub(crate) use operation::{
    EXECUTE, OPERATION, Operation, Operations, REFERENCES, RESULT, TRANSACTION_SERVICE,
};
pub(crate) use resource::Resources;
pub(crate) use unique::Uniques;

use crate::{
    catalog::{Catalog, descriptor::Volatility},
    config::GrpcTimestamps,
    grpc::{
        lock::{Ledger, Lock, PackageLock},
        method::{Effects, RelationMethod, Responses},
        options::Aggregates,
    },
    request::select::Texts,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, OnceLock},
};

/// Everything offered.
#[derive(Debug, Default)]
pub(crate) struct Surface {
    /// One package for each exposed schema, in their order.
    pub(crate) packages: Vec<Package>,
    /// What the next lock has besides relations.
    lock: Lock,
}

/// What is offered of one schema.
#[derive(Debug, Default)]
pub(crate) struct Package {
    /// The schema.
    pub(crate) schema: String,
    /// Its SQL comment.
    pub(crate) comment: Option<String>,
    /// The proto package, such as `api.v1`.
    pub(crate) name: String,
    /// The file, such as `api/v1/api.proto`.
    pub(crate) file: String,
    /// Relations, by name.
    resources: Resources,
    /// Whether relations have a method for aggregates.
    aggregates: Aggregates,
    /// What a `timestamptz` is where the lock does not say it.
    timestamps: GrpcTimestamps,
    /// Functions, by name and arguments.
    pub(crate) functions: Vec<Function>,
    /// Enums that fields above or below have.
    pub(crate) enums: Vec<Enum>,
    /// Composite types that fields above or below have.
    pub(crate) records: Vec<Record>,
    /// Arrays that are text, where they are no columns.
    pub(crate) texts: Texts,
    /// Where resources come from when they are asked for.
    catalog: Arc<Catalog>,
    /// The names and numbers that are locked.
    lock: Arc<PackageLock>,
    /// What columns, attributes and arguments of these types are, by OID: enums and composites.
    types: HashMap<u32, Scalar>,
    /// The unique keys of relations, by OID, where a value has not the name that follows from its columns: something else
    /// of the package has it.
    renamed_uniques: HashMap<u32, Ledger>,
    /// What can be a part of a transaction, once somebody has asked for it.
    operations: OnceLock<Operations>,
}

/// A relation, as a message and a service.
#[derive(Debug)]
pub(crate) struct Resource {
    /// The relation's OID.
    pub(crate) oid: u32,
    /// The relation's name.
    pub(crate) relation: String,
    /// Its SQL comment.
    pub(crate) comment: Option<String>,
    /// What it is called.
    pub(crate) names: ResourceNames,
    /// Its columns.
    pub(crate) fields: Vec<Field>,
    /// What can be embedded.
    pub(crate) embeds: Vec<Embed>,
    /// What functions make of a row: filled when a mask names it.
    pub(crate) computed: Vec<Field>,
    /// Its key: indexes into `fields`; empty if it has none.
    pub(crate) key: Vec<usize>,
    /// Its unique keys, if rows can be inserted.
    pub(crate) uniques: Option<Uniques>,
    /// What can be done with it.
    pub(crate) methods: Vec<RelationMethod>,
    /// What columns were called and numbered before.
    pub(crate) reserved: Reserved,
    /// What embeds were called and numbered before.
    pub(crate) reserved_embeds: Reserved,
    /// What computed fields and numbers of embeds' rows were called and numbered before.
    pub(crate) reserved_computed: Reserved,
    /// What the key's columns were called and numbered before.
    pub(crate) reserved_key: Reserved,
}

impl Resource {
    /// Whether its rows have related ones, or had.
    pub(crate) fn has_embeds(&self) -> bool {
        !self.embeds.is_empty() || !self.reserved_embeds.numbers.is_empty()
    }
}

impl Reserved {
    /// These and those.
    pub(crate) fn and(&self, other: &Self) -> Self {
        Self {
            numbers: self.numbers.union(&other.numbers).copied().collect(),
            names: self.names.union(&other.names).cloned().collect(),
        }
    }
}

/// A field that is a column, an attribute or an argument.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// What the database calls it; empty if it has no name there.
    pub(crate) column: String,
    /// The field's name.
    pub(crate) name: String,
    /// The field's number.
    pub(crate) number: u32,
    /// Its type.
    pub(crate) shape: Shape,
    /// Whether it can be NULL or left out, as far as the catalog says.
    pub(crate) presence: Presence,
    /// The SQL comment.
    pub(crate) comment: Option<String>,
    /// The type as SQL writes it.
    pub(crate) sql_type: String,
    /// What its values can be compared with.
    pub(crate) compared: Compared,
}

/// What values of a type can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// With each other.
    WithValues,
    /// With NULL alone: the type has no equality.
    WithNull,
}

/// Whether a value has to be there, and who says what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is never NULL and has no default; an argument has no default.
    Required,
    /// It is never NULL and has a default.
    Defaulted,
    /// It may be NULL; an argument has a default.
    Optional,
    /// The database computes it: it cannot be written.
    Computed,
}

/// A field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value or none.
    One(Scalar),
    /// An array.
    Many(Scalar),
}

impl Shape {
    /// The value's or the element's type.
    pub(crate) fn scalar(self) -> Scalar {
        match self {
            Shape::One(scalar) | Shape::Many(scalar) => scalar,
        }
    }

    /// Whether it is an array.
    pub(crate) fn is_many(self) -> bool {
        match self {
            Shape::One(_) => false,
            Shape::Many(_) => true,
        }
    }
}

/// A value's type: the form it comes in, and what text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are PostgreSQL's types")]
pub(crate) enum Scalar {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    TimestampTz,
    /// The same as text in ISO 8601, which has infinity, because the lock has it so.
    TimestampText,
    Bytea,
    Hstore,
    Text,
    /// Text that is JSON: json and jsonb.
    Json,
    /// An array as PostgreSQL's own text, because the lock has it so.
    OwnText,
    /// Text that is a label of this of the package's enums.
    Enum(usize),
    /// A composite: this of the package's records.
    Record(usize),
}

/// How many rows of the target an embed gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Multiplicity {
    /// One row or none.
    One,
    /// Any number.
    Many,
}

/// A related relation as a field.
#[derive(Clone, Debug)]
pub(crate) struct Embed {
    /// What it is, whatever the field is called: `orders!orders_student_id_fkey`.
    pub(crate) key: String,
    /// The field's name.
    pub(crate) name: String,
    /// The field's number.
    pub(crate) number: u32,
    /// What a select list calls it.
    pub(crate) target: String,
    /// What tells several relationships apart in a select list.
    pub(crate) hint: Option<String>,
    /// Which of the package's resources.
    pub(crate) resource: usize,
    /// How many.
    pub(crate) multiplicity: Multiplicity,
    /// The field that has their number, filled when a mask names it; of one row there is none.
    pub(crate) count: Option<Count>,
}

/// The field that has the number of an embed's rows.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    /// What it is, whatever the field is called: `count(orders!orders_student_id_fkey)`.
    pub(crate) key: String,
    /// Its name.
    pub(crate) name: String,
    /// Its number.
    pub(crate) number: u32,
}

/// An enum.
#[derive(Debug)]
pub(crate) struct Enum {
    /// Its name.
    pub(crate) name: String,
    /// The type as SQL writes it.
    pub(crate) sql_type: String,
    /// The SQL comment.
    pub(crate) comment: Option<String>,
    /// The name of the value 0.
    pub(crate) unspecified: String,
    /// Its labels.
    pub(crate) values: Vec<EnumValue>,
    /// What its values were called and numbered before.
    pub(crate) reserved: Reserved,
}

impl Enum {
    /// The message of conditions on its values.
    pub(crate) fn predicate(&self) -> String {
        predicate(&self.name)
    }
}

/// The message of conditions on values of the enum of this name.
fn predicate(name: &str) -> String {
    format!("{name}Predicate")
}

/// A label of an enum.
#[derive(Debug)]
pub(crate) struct EnumValue {
    /// What the database calls it.
    pub(crate) label: String,
    /// The value's name.
    pub(crate) name: String,
    /// The value's number.
    pub(crate) number: u32,
}

/// What must not be used again within a message or an enum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reserved {
    /// Numbers.
    pub(crate) numbers: BTreeSet<u32>,
    /// Names.
    pub(crate) names: BTreeSet<String>,
}

/// A composite type.
#[derive(Debug)]
pub(crate) struct Record {
    /// The type's OID.
    pub(crate) of: u32,
    /// The message.
    pub(crate) message: String,
    /// The type as SQL writes it.
    pub(crate) sql_type: String,
    /// The SQL comment.
    pub(crate) comment: Option<String>,
    /// Its attributes.
    pub(crate) fields: Vec<Field>,
    /// What attributes were called and numbered before.
    pub(crate) reserved: Reserved,
    /// Who declares the message.
    pub(crate) declared: Declared,
}

/// Who declares a composite's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// The composite itself.
    Here,
    /// The resource whose row type it is.
    ByResource,
}

/// A function, as a method of `FunctionsService`.
#[derive(Debug)]
pub(crate) struct Function {
    /// The function's name.
    pub(crate) function: String,
    /// The SQL comment.
    pub(crate) comment: Option<String>,
    /// The method's name.
    pub(crate) method: String,
    /// What its messages' names begin with.
    pub(crate) messages: String,
    /// Its arguments.
    pub(crate) arguments: Vec<Field>,
    /// What arguments were called and numbered before.
    pub(crate) reserved_arguments: Reserved,
    /// What the result's columns were called and numbered before.
    pub(crate) reserved_columns: Reserved,
    /// How they are handed over.
    pub(crate) passing: Passing,
    /// A row of its result.
    pub(crate) returns: Returns,
    /// How many rows it gives.
    pub(crate) multiplicity: Multiplicity,
    /// Its volatility.
    pub(crate) volatility: Volatility,
}

impl Function {
    /// Whether its request can say that an argument is NULL.
    pub(crate) fn takes_nulls(&self) -> bool {
        match self.passing {
            Passing::Named => !self.arguments.is_empty(),
            Passing::Body(_) => false,
        }
    }

    /// What calling it changes.
    pub(crate) fn effects(&self) -> Effects {
        match self.volatility {
            Volatility::Stable | Volatility::Immutable => Effects::None,
            Volatility::Volatile | Volatility::Unspecified => Effects::Some,
        }
    }

    /// How many messages it answers with.
    pub(crate) fn responses(&self) -> Responses {
        match self.multiplicity {
            Multiplicity::One => Responses::One,
            Multiplicity::Many => Responses::Stream,
        }
    }
}

/// How arguments are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// By their names.
    Named,
    /// There is one, without a name, and it takes the whole body.
    Body(crate::request::payload::BodyKind),
}

/// A row of a function's result.
#[derive(Debug)]
pub(crate) enum Returns {
    /// Nothing.
    Void,
    /// One value, in the field `value`.
    Value(Shape),
    /// A row of this of the package's resources.
    Resource(usize),
    /// Columns, each a field of the response.
    Columns(Vec<Field>),
}
