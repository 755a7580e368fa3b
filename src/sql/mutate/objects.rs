//! The objects of a body, as rows that a mutation takes its values from. What is
//! made of them is not decided here.

use super::{BODY, OBJECT, Otherwise, absent, default_name, is_of_parts};
use crate::{
    catalog::descriptor::{Column, Relation},
    plan::mutate::{Target, Values},
    request::{payload::Rows, prefer::Missing},
    sql::{Fragment, binary::read_as},
};

/// What objects whose keys are looked for are read as: jsonb finds keys faster,
/// json keeps the text of columns that are json.
pub(super) enum ObjectType {
    Json,
    Jsonb,
}

impl ObjectType {
    pub(super) fn of(values: &Values<'_>) -> Self {
        let is_json = |target: &Target<'_>| target.declared.name == "json";
        if values.columns.iter().any(is_json) { ObjectType::Json } else { ObjectType::Jsonb }
    }

    /// The cast to it, and the functions that take arrays and objects apart.
    fn words(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            ObjectType::Json => {
                ("::pg_catalog.json", "pg_catalog.json_array_elements", "pg_catalog.json_to_record")
            }
            ObjectType::Jsonb => {
                ("::pg_catalog.jsonb", "pg_catalog.jsonb_array_elements", "pg_catalog.jsonb_to_record")
            }
        }
    }
}

/// The objects of the body, as rows of the columns' types, with these defaults for each. They are for this relation.
pub(super) fn objects(
    out: &mut Fragment,
    values: &Values<'_>,
    ahead: &[(&Column, Otherwise<'_>)],
    relation: &Relation,
) {
    let json = &values.json;
    if values.columns.is_empty() {
        // Only their number is left.
        match values.rows {
            Rows::One => out.sql("(VALUES (1)) AS ").identifier(BODY),
            Rows::Many => out
                .sql("pg_catalog.json_array_elements(")
                .literal(json)
                .sql("::pg_catalog.json) AS ")
                .identifier(BODY),
        };
        return;
    }
    match (values.missing, values.rows) {
        // Citus computes functions of a statement ahead, unless they return sets, and knows no types of columns there.
        (Missing::Null, Rows::One) if relation.is_distributed => out
            .sql("pg_catalog.json_to_recordset(pg_catalog.json_build_array(")
            .literal(json)
            .sql("::pg_catalog.json))"),
        (Missing::Null, Rows::One) => {
            out.sql("pg_catalog.json_to_record(").literal(json).sql("::pg_catalog.json)")
        }
        (Missing::Null, Rows::Many) => {
            out.sql("pg_catalog.json_to_recordset(").literal(json).sql("::pg_catalog.json)")
        }
        (Missing::Default, rows) => {
            let (one, elements, record) = ObjectType::of(values).words();
            if !ahead.is_empty() {
                out.sql("(SELECT \"value\"");
                for (number, (column, otherwise)) in (1..).zip(ahead) {
                    absent(out.sql(", "), column, *otherwise);
                    out.sql(" AS ").identifier(&default_name(number));
                }
                out.sql(" FROM ");
            }
            match rows {
                Rows::One => out.sql("(VALUES (").literal(json).sql(one).sql("))"),
                Rows::Many => out.sql(elements).sql("(").literal(json).sql(one).sql(")"),
            };
            out.sql(" AS ").identifier(OBJECT).sql("(\"value\")");
            if !ahead.is_empty() {
                out.sql(") AS ").identifier(OBJECT);
            }
            out.sql(" CROSS JOIN LATERAL ").sql(record).sql("(").qualified(OBJECT, "value").sql(")")
        }
    };
    out.sql(" AS ").identifier(BODY).sql("(");
    out.separated(", ", &values.columns, |out, target| {
        out.identifier(&target.column.name).sql(" ");
        match target.representation {
            None if !is_of_parts(target, values) => read_as(out, target.declared),
            None | Some(_) => {
                out.sql("pg_catalog.json");
            }
        }
    });
    out.sql(")");
}
