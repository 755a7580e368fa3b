//! Binary columns, by `catalog/form`: what is written so that the bytes are
//! those that an encoder expects.

use super::{Fragment, statement::Scope, types::is_one_of};
use crate::catalog::{
    descriptor::{Type, TypeKind},
    form::{Form, form},
};

/// An expression of this type as a binary column. `write` writes the
/// expression; records repeat it.
pub(super) fn binary(out: &mut Fragment, declared: &Type, scope: Scope<'_>, write: &dyn Fn(&mut Fragment)) {
    match form(scope.catalog, declared.oid) {
        Form::Text => text(out, declared, scope, write),
        Form::Array(element) if *element == Form::Text => {
            out.sql("(");
            write(out);
            out.sql(")::text[]");
        }
        Form::Record(oid) => {
            let attributes =
                scope.catalog.type_of(oid).map(|found| found.attributes.as_slice()).unwrap_or_default();
            out.sql("CASE WHEN ");
            write(out);
            out.sql(" IS NOT DISTINCT FROM NULL THEN NULL ELSE ROW(");
            out.separated(", ", attributes, |out, attribute| {
                let part = |out: &mut Fragment| {
                    out.sql("(");
                    write(out);
                    out.sql(").").identifier(&attribute.name);
                };
                match scope.catalog.type_of(attribute.r#type) {
                    Some(declared) => binary(out, declared, scope, &part),
                    None => {
                        out.sql("(");
                        part(out);
                        out.sql(")::text");
                    }
                }
            });
            out.sql(") END");
        }
        Form::Bool
        | Form::Int2
        | Form::Int4
        | Form::Int8
        | Form::Float4
        | Form::Float8
        | Form::TimestampTz
        | Form::Bytea
        | Form::Array(_) => write(out),
    }
}

/// PostgreSQL's own text of a value.
fn text(out: &mut Fragment, declared: &Type, scope: Scope<'_>, write: &dyn Fn(&mut Fragment)) {
    let base = scope.catalog.base_type(declared.oid);
    let is_own = base.is_some_and(|base| base.schema == "pg_catalog" || base.kind() == TypeKind::Enum);
    // Casts to text that are not the type's output, and types that may have one.
    if is_one_of(scope.catalog, Some(declared), &["inet", "cidr", "bpchar"]) || !is_own {
        out.sql("to_json(");
        write(out);
        out.sql(") #>> '{}'");
    } else {
        out.sql("(");
        write(out);
        out.sql(")::text");
    }
}
