//! A field of the select list as an expression: with its path, its casts and
//! its aggregate.

use super::{Encoder, Fragment, column::Values, filter::field, statement::Scope, types::encoder};
use crate::{
    catalog::descriptor::Type,
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

/// An aggregate over what `write` writes.
pub(super) fn aggregated(out: &mut Fragment, aggregate: &Aggregate, write: impl FnOnce(&mut Fragment)) {
    cast(out, aggregate.cast.as_deref(), |out| {
        out.sql(match aggregate.function {
            // Types that are not PostgreSQL's own come with aggregates of their own.
            AggregateFunction::Sum => "sum(",
            AggregateFunction::Avg => "avg(",
            AggregateFunction::Min => "min(",
            AggregateFunction::Max => "max(",
            AggregateFunction::Count => "pg_catalog.count(",
        });
        write(out);
        out.sql(")");
    });
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
