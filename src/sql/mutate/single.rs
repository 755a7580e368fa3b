//! One row for a table whose rows Citus keeps, value by value: Citus computes such values itself and sends one worker one
//! statement. Rows that come from a function take it two steps with a file between them, ten times as long for an INSERT.
//!
//! Each value is found in the object anew, so there is a limit to their number. What PostgreSQL makes of JSON only in its
//! record functions, such as arrays, is left to those.

use crate::{
    catalog::descriptor::{Relation, TypeKind},
    plan::mutate::{Target, Values},
    request::{payload::Rows, prefer::Missing},
    sql::{Fragment, binary::read_as, statement::Scope, types::is_one_of},
};

/// The most columns that are found one by one.
const MOST: usize = 16;

/// Whether these values are written one by one.
pub(super) fn is_single(values: &Values<'_>, relation: &Relation, scope: Scope<'_>) -> bool {
    let is_scalar = |target: &Target<'_>| {
        let base = scope.catalog.base_type(target.declared.oid);
        let is_text = base.is_some_and(|base| match base.kind() {
            TypeKind::Base | TypeKind::Enum | TypeKind::Range => true,
            TypeKind::Unspecified
            | TypeKind::Composite
            | TypeKind::Domain
            | TypeKind::Array
            | TypeKind::Pseudo => false,
        });
        is_text && target.representation.is_none()
    };
    relation.is_distributed
        && values.rows == Rows::One
        && values.missing == Missing::Null
        && values.parts.is_empty()
        && (1..=MOST).contains(&values.columns.len())
        && values.columns.iter().all(is_scalar)
}

/// The row of an INSERT.
pub(super) fn row(out: &mut Fragment, values: &Values<'_>, scope: Scope<'_>) {
    out.sql(" VALUES (");
    out.separated(", ", &values.columns, |out, target| value(out, target, values, scope));
    out.sql(")");
}

/// What an UPDATE sets.
pub(super) fn set(out: &mut Fragment, values: &Values<'_>, scope: Scope<'_>) {
    out.separated(", ", &values.columns, |out, target| {
        out.identifier(&target.column.name).sql(" = ");
        value(out, target, values, scope);
    });
}

/// A value, as the record functions read it: JSON of json, of all else the text. JSON's null is none.
fn value(out: &mut Fragment, target: &Target<'_>, values: &Values<'_>, scope: Scope<'_>) {
    let found = |out: &mut Fragment, operator: &'static str| {
        out.literal_once(&values.json).sql("::pg_catalog.json").sql(operator);
        out.text(&target.column.name).sql("::pg_catalog.text");
    };
    let is_json = is_one_of(scope.catalog, Some(target.declared), &["json", "jsonb"]);
    let operator = match is_json {
        true => {
            out.sql("CASE WHEN (");
            found(out, " OPERATOR(pg_catalog.->>) ");
            out.sql(") IS NOT NULL THEN ");
            " OPERATOR(pg_catalog.->) "
        }
        false => " OPERATOR(pg_catalog.->>) ",
    };
    out.sql("CAST(");
    found(out, operator);
    out.sql(" AS ");
    read_as(out, target.declared);
    out.sql(if is_json { ") END" } else { ")" });
}
