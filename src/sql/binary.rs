//! Binary columns, by `catalog/form`: what is written so that the bytes are
//! those that an encoder expects.

use super::{Fragment, statement::Scope, types::is_one_of};
use crate::{
    catalog::{
        descriptor::{Type, TypeKind},
        form::{Form, form},
    },
    request::select::Part,
};

/// An expression of this type as a binary column. `write` writes the
/// expression; records repeat it.
pub(super) fn binary(out: &mut Fragment, declared: &Type, scope: Scope<'_>, write: &dyn Fn(&mut Fragment)) {
    match form(scope.catalog, declared.oid) {
        Form::Text => text(out, declared, scope, write),
        Form::Array(element) if *element == Form::Text => texts(out, declared, scope, write),
        Form::Array(element) if matches!(*element, Form::Record(_)) => records(out, declared, scope, write),
        Form::Record(oid) => {
            let attributes =
                scope.catalog.type_of(oid).map(|found| found.attributes.as_slice()).unwrap_or_default();
            let close = sent(out, "pg_catalog.record_send(", scope);
            out.sql("CASE WHEN ");
            write(out);
            out.sql(" IS NOT DISTINCT FROM NULL THEN NULL ELSE ROW(");
            out.separated(", ", attributes, |out, attribute| {
                let value = |out: &mut Fragment| {
                    out.sql("(");
                    write(out);
                    out.sql(").").identifier(&attribute.name);
                };
                let part = Part::Attribute { of: oid, number: attribute.number };
                let declared = scope.catalog.type_of(attribute.r#type);
                match declared.filter(|_| !scope.texts.contains(&part)) {
                    Some(declared) => binary(out, declared, scope, &value),
                    None => {
                        out.sql("(");
                        value(out);
                        out.sql(")::pg_catalog.text");
                    }
                }
            });
            out.sql(") END").sql(close);
        }
        Form::Bool
        | Form::Int2
        | Form::Int4
        | Form::Int8
        | Form::Float4
        | Form::Float8
        | Form::TimestampTz
        | Form::Bytea
        | Form::Hstore
        | Form::Array(_) => write(out),
    }
}

/// PostgreSQL's own text of a value; of dates and timestamps ISO 8601, whatever `DateStyle`
/// says; of what is drawn on maps, GeoJSON.
fn text(out: &mut Fragment, declared: &Type, scope: Scope<'_>, write: &dyn Fn(&mut Fragment)) {
    if !takes_json(declared, scope) {
        out.sql("(");
        write(out);
        out.sql(")::pg_catalog.text");
        return;
    }
    out.sql("pg_catalog.to_json(");
    match scope.catalog.base_type(declared.oid) {
        // Only the other of PostGIS's types has a cast to json.
        Some(base) if base.name == GEOGRAPHY => {
            out.sql("(");
            write(out);
            out.sql(")::").qualified(&base.schema, GEOMETRY);
        }
        Some(_) | None => write(out),
    }
    out.sql(") OPERATOR(pg_catalog.#>>) '{}'");
}

/// The texts of an array's elements. One of several dimensions keeps them, so
/// that it is seen for what it is.
fn texts(out: &mut Fragment, declared: &Type, scope: Scope<'_>, write: &dyn Fn(&mut Fragment)) {
    let array = scope.catalog.base_type(declared.oid);
    let element = array.and_then(|array| scope.catalog.type_of(array.element));
    let cast = |out: &mut Fragment| {
        out.sql("(");
        write(out);
        out.sql(")::pg_catalog.text[]");
    };
    match element.filter(|element| takes_json(element, scope)) {
        None => cast(out),
        Some(element) => {
            out.sql("CASE WHEN pg_catalog.array_ndims(");
            write(out);
            out.sql(") OPERATOR(pg_catalog.=) 1 THEN ARRAY(SELECT ");
            text(out, element, scope, &|out| {
                out.identifier(ELEMENT);
            });
            out.sql(" FROM pg_catalog.unnest(");
            write(out);
            out.sql(") AS ").identifier(ELEMENT).sql(") ELSE ");
            cast(out);
            out.sql(" END");
        }
    }
}

/// An array of composites, each of them by its form. Of one of several dimensions
/// only that is left.
fn records(out: &mut Fragment, declared: &Type, scope: Scope<'_>, write: &dyn Fn(&mut Fragment)) {
    let array = scope.catalog.base_type(declared.oid);
    let Some(element) = array.and_then(|array| scope.catalog.type_of(array.element)) else {
        return write(out);
    };
    let close = sent(out, "pg_catalog.array_send(", scope);
    out.sql("CASE WHEN pg_catalog.array_ndims(");
    write(out);
    out.sql(") OPERATOR(pg_catalog.>) 1 THEN ARRAY[ARRAY[ROW()]] WHEN ");
    write(out);
    out.sql(" IS NOT NULL THEN ARRAY(SELECT ");
    binary(out, element, scope, &|out| {
        out.identifier(ELEMENT);
    });
    // In FROM, a composite that is NULL would become one of NULLs.
    out.sql(" FROM (SELECT pg_catalog.unnest(");
    write(out);
    out.sql(") AS ").identifier(ELEMENT).sql(") AS ").identifier(ELEMENTS).sql(") END").sql(close);
}

/// Opens the call of the function that gives what PostgreSQL sends of records, where workers of Citus may make them:
/// PostgreSQL reads no record of a type without a name. The bytes are the same. Gives what closes the call.
fn sent(out: &mut Fragment, function: &'static str, scope: Scope<'_>) -> &'static str {
    match scope.catalog.descriptor().has_citus {
        true => {
            out.sql(function);
            ")"
        }
        false => "",
    }
}

/// What an array's element is called.
const ELEMENT: &str = "pgduet_element";
/// What all of them are called.
const ELEMENTS: &str = "pgduet_elements";

/// PostGIS's types, in a schema of anyone's choice.
const GEOMETRY: &str = "geometry";
const GEOGRAPHY: &str = "geography";

/// Types of PostgreSQL's own whose cast to text is not what is wanted: their output, or ISO 8601.
const BY_JSON: &[&str] = &["inet", "cidr", "bpchar", "date", "timestamp"];

/// Whether the text is that of the value's JSON.
fn takes_json(declared: &Type, scope: Scope<'_>) -> bool {
    let base = scope.catalog.base_type(declared.oid);
    let is_own = base.is_some_and(|base| base.schema == "pg_catalog" || base.kind() == TypeKind::Enum);
    is_one_of(scope.catalog, Some(declared), BY_JSON) || !is_own
}

/// The type that a value is read as before it is written to a column of
/// `declared`: PostGIS reads GeoJSON as one of its types only, and casts to the other.
pub(super) fn read_as(out: &mut Fragment, declared: &Type) {
    match declared.kind() {
        TypeKind::Base if declared.name == GEOGRAPHY => out.qualified(&declared.schema, GEOMETRY),
        _ => out.type_of(declared),
    };
}
