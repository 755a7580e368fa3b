//! The types of what PostgreSQL's own aggregates give, by the type of the column that they are over. `sql` writes the
//! column by it, and the gRPC encoder and the message descriptors are made from it. Aggregates that somebody has made for
//! a type of their own are not in it.
//!
//! <https://www.postgresql.org/docs/current/functions-aggregate.html>

use super::{
    Catalog,
    descriptor::{Type, TypeKind},
    form::Form,
};

/// What `sum` and `avg` give; a type that one of them does not take has `None` there.
struct Result {
    of: &'static str,
    sum: Option<Form>,
    avg: Option<Form>,
}

const fn result(of: &'static str, sum: Option<Form>, avg: Option<Form>) -> Result {
    Result { of, sum, avg }
}

/// By the name of the column's type in `pg_catalog`. `numeric`, `interval` and `money` have no form but their text.
const RESULTS: &[Result] = &[
    result("int2", Some(Form::Int8), Some(Form::Text)),
    result("int4", Some(Form::Int8), Some(Form::Text)),
    result("int8", Some(Form::Text), Some(Form::Text)),
    result("float4", Some(Form::Float4), Some(Form::Float8)),
    result("float8", Some(Form::Float8), Some(Form::Float8)),
    result("numeric", Some(Form::Text), Some(Form::Text)),
    result("interval", Some(Form::Text), Some(Form::Text)),
    result("money", Some(Form::Text), None),
];

/// Types that `min` and `max` take and give, by their names in `pg_catalog`; of `varchar` it is the text, of `cidr` the
/// `inet` that is the same as text.
const ORDERED: &[&str] = &[
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "money",
    "oid",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "text",
    "varchar",
    "bpchar",
    "inet",
    "cidr",
];

/// The form of a sum of values of the type of this OID; `None` where there is no sum.
pub fn sum(catalog: &Catalog, oid: u32) -> Option<Form> {
    found(catalog, oid)?.sum.clone()
}

/// The form of a mean of values of the type of this OID; `None` where there is none.
pub fn avg(catalog: &Catalog, oid: u32) -> Option<Form> {
    found(catalog, oid)?.avg.clone()
}

/// The type of the least and the greatest of values of the type of this OID, which has the same form; `None` where there
/// is none. A domain over an enum is not taken for the enum by PostgreSQL.
pub fn extreme(catalog: &Catalog, oid: u32) -> Option<&Type> {
    let declared = catalog.type_of(oid)?;
    let is_ordered = |base: &Type| base.schema == "pg_catalog" && ORDERED.contains(&base.name.as_str());
    let has_one = declared.kind() == TypeKind::Enum || catalog.base_type(oid).is_some_and(is_ordered);
    has_one.then_some(declared)
}

fn found(catalog: &Catalog, oid: u32) -> Option<&'static Result> {
    let base = catalog.base_type(oid).filter(|base| base.schema == "pg_catalog")?;
    RESULTS.iter().find(|result| result.of == base.name)
}
