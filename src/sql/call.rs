//! Calls: the function with its arguments, as something to read from.

use super::{Fragment, ROW, premise::Premise, statement::with_source};
use crate::{
    plan::{
        call::{Call, Given, Named, SCALAR, Text},
        mutate::{Returned, Whole},
        tree::Node,
    },
    request::payload::Rows,
};

/// What arguments in JSON are called within a statement.
const ARGUMENTS: &str = "pgduet_arguments";

/// The call as an item of `FROM`, without an alias.
pub(super) fn function<'f>(out: &'f mut Fragment, call: &Call<'_>) -> &'f mut Fragment {
    if let Given::Json { json, rows, arguments } = &call.arguments
        && !arguments.is_empty()
    {
        out.sql("pg_catalog.json_to_record(").literal(json).sql(match rows {
            Rows::One => "::pg_catalog.json) AS ",
            Rows::Many => "::pg_catalog.json OPERATOR(pg_catalog.->) 0) AS ",
        });
        out.identifier(ARGUMENTS).sql("(");
        out.separated(", ", arguments, |out, Named { argument, declared }| {
            out.identifier(&argument.name).sql(" ").type_of(declared);
        });
        out.sql(") CROSS JOIN LATERAL ");
    }
    if call.is_scalar() {
        out.sql("(SELECT ");
    }
    out.qualified(&call.function.schema, &call.function.name).sql("(");
    match &call.arguments {
        Given::Texts(texts) => {
            out.separated(", ", texts, |out, (named, text)| {
                name(out, named);
                match text {
                    Text::One(text) => out.literal(text),
                    Text::Several(texts) => out.array(texts),
                };
                out.sql("::").type_of(named.declared);
            });
        }
        Given::Json { arguments, .. } => {
            out.separated(", ", arguments, |out, named| {
                name(out, named);
                out.qualified(ARGUMENTS, &named.argument.name);
            });
        }
        Given::Body(declared, raw) => {
            match declared.name.as_str() {
                "bytea" => out.bytes(raw),
                _ => out.literal(raw),
            };
            out.sql("::").type_of(declared);
        }
    }
    out.sql(")");
    if call.is_scalar() {
        out.sql(" AS ").identifier(SCALAR).sql(")");
    }
    out
}

fn name(out: &mut Fragment, named: &Named<'_>) {
    if named.argument.variadic {
        out.sql("VARIADIC ");
    }
    out.identifier(&named.argument.name).sql(" := ");
}

/// The call as a part of the statement that is found by name: it is read from
/// twice but must not be made twice.
pub(super) fn source(out: &mut Fragment, call: &Call<'_>, node: &Node<'_>, premise: Option<Premise<'_>>) {
    with_source(out, |out| {
        out.sql("SELECT ");
        returned(out, &call.returned, &node.alias);
        if let Some(premise) = premise {
            premise.write_column(out, &node.alias);
        }
        out.sql(" FROM ");
        function(out, call).sql(" AS ").identifier(&node.alias);
    });
}

/// What later parts of the statement need of the rows called `alias`.
pub(super) fn returned(out: &mut Fragment, needed: &Returned, alias: &str) {
    out.separated(", ", &needed.names, |out, name| {
        out.qualified(alias, name);
    });
    match (needed.row, needed.names.is_empty()) {
        (Whole::Needed, is_first) => {
            out.sql(if is_first { "coalesce(" } else { ", coalesce(" });
            // Without a function around it, a row falls apart into its columns.
            out.identifier(alias).sql(".*) AS ").identifier(ROW);
        }
        (Whole::NotNeeded, true) => {
            out.sql("1");
        }
        (Whole::NotNeeded, false) => {}
    }
}
