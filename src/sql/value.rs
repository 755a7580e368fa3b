//! A field of the select list as an expression: with its path, its casts and
//! its aggregate.

use super::{Encoder, Fragment, column::Values, filter::field, statement::Scope, types::encoder};
use crate::{
    catalog::{aggregate, descriptor::Type, form::Form},
    plan::tree::Output,
    request::select::{Aggregate, AggregateFunction, Arrow},
};

/// The field before any aggregate. Of whole rows it is not NULL if there is one.
pub(super) fn value(out: &mut Fragment, output: &Output<'_>, alias: &str, values: Values, scope: Scope<'_>) {
    if output.field.name.is_empty() {
        out.sql("TRUE");
        return;
    }
    cast(out, output.cast.as_deref(), |out| match values {
        // What a domain is in JSON does not matter there.
        Values::Binary => field(out, alias, &output.field, scope),
        Values::Plain | Values::Record | Values::Text | Values::Whole => {
            represented(out, output, alias, scope);
        }
    });
}

/// An aggregate over what `write` writes, with the cast of its result.
pub(super) fn cast_aggregate(out: &mut Fragment, aggregate: &Aggregate, write: impl FnOnce(&mut Fragment)) {
    cast(out, aggregate.cast.as_deref(), |out| aggregated(out, aggregate.function, write));
}

/// An aggregate over what `write` writes.
pub(super) fn aggregated(out: &mut Fragment, function: AggregateFunction, write: impl FnOnce(&mut Fragment)) {
    out.sql(match function {
        // Types that are not PostgreSQL's own come with aggregates of their own.
        AggregateFunction::Sum => "sum(",
        AggregateFunction::Avg => "avg(",
        AggregateFunction::Min => "min(",
        AggregateFunction::Max => "max(",
        AggregateFunction::Count => "pg_catalog.count(",
    });
    write(out);
    out.sql(")");
}

/// The field, by the cast from its domain to json if there is one.
fn represented(out: &mut Fragment, output: &Output<'_>, alias: &str, scope: Scope<'_>) {
    match output.representation {
        None => field(out, alias, &output.field, scope),
        Some(cast) => {
            out.qualified(&cast.function_schema, &cast.function_name).sql("(");
            field(out, alias, &output.field, scope);
            out.sql(")");
        }
    }
}

fn cast(out: &mut Fragment, to: Option<&str>, write: impl FnOnce(&mut Fragment)) {
    match to {
        None => write(out),
        Some(name) => {
            out.sql("CAST(");
            write(out);
            out.sql(" AS ").type_named(name).sql(")");
        }
    }
}

/// The type of a field that is taken as it is; what its domain is in JSON does
/// not matter.
pub(super) fn plain_type<'p>(output: &Output<'p>) -> Option<&'p Type> {
    match output {
        Output { field, cast: None, aggregate: None, .. } if field.path.is_empty() => field.declared(),
        _ => None,
    }
}

/// How a column of rows that are wanted as binary columns is written.
pub(super) enum Binary<'p> {
    /// As a value of this type is.
    Typed(&'p Type),
    /// As it is.
    Bare,
    /// As its text.
    Text,
}

/// How a field of the select list is written as a binary column.
pub(super) fn binary_of<'p>(output: &Output<'p>, scope: Scope<'p>) -> Binary<'p> {
    let Some(found) = &output.aggregate else {
        return plain_type(output).map_or(Binary::Text, Binary::Typed);
    };
    let declared = output.field.declared().filter(|_| output.cast.is_none() && output.field.path.is_empty());
    let bare = |form: Option<Form>| match form {
        None | Some(Form::Text) => Binary::Text,
        Some(_) => Binary::Bare,
    };
    match (found.function, declared) {
        _ if found.cast.is_some() => Binary::Text,
        (AggregateFunction::Count, _) => Binary::Bare,
        (_, None) => Binary::Text,
        (AggregateFunction::Sum, Some(declared)) => bare(aggregate::sum(scope.catalog, declared.oid)),
        (AggregateFunction::Avg, Some(declared)) => bare(aggregate::avg(scope.catalog, declared.oid)),
        (AggregateFunction::Min | AggregateFunction::Max, Some(declared)) => {
            aggregate::extreme(scope.catalog, declared.oid).map_or(Binary::Text, Binary::Typed)
        }
    }
}

/// How the text of a field becomes JSON, before any aggregate; `None` if
/// PostgreSQL has to make it.
pub(super) fn field_encoder(output: &Output<'_>, scope: Scope<'_>) -> Option<Encoder> {
    match output {
        Output { cast: Some(_), .. } => None,
        Output { representation: Some(_), .. } => Some(Encoder::Verbatim),
        Output { field, .. } => match (field.path.last(), field.declared()) {
            (Some((Arrow::Json, _)), _) => Some(Encoder::Verbatim),
            (Some((Arrow::Text, _)), _) => Some(Encoder::Text),
            (None, Some(declared)) => encoder(scope, declared),
            (None, None) => None,
        },
    }
}

/// How the text of an aggregate becomes JSON.
pub(super) fn aggregate_encoder(aggregate: &Aggregate) -> Option<Encoder> {
    match (aggregate.function, &aggregate.cast) {
        (AggregateFunction::Count, None) => Some(Encoder::Verbatim),
        (AggregateFunction::Count, Some(_)) => None,
        (
            AggregateFunction::Sum | AggregateFunction::Avg | AggregateFunction::Min | AggregateFunction::Max,
            _,
        ) => None,
    }
}
