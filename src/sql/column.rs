//! The select list: every item of a level as one expression, in the form that
//! the rows are wanted in.

use super::{
    Column, Encoder, Fragment,
    filter::field,
    read::{Link, Rows, rows},
    statement::Scope,
    types::{encoder, is_one_of},
};
use crate::{
    catalog::{
        descriptor::{Type, TypeKind},
        form::{Form, form},
    },
    plan::tree::{self, Arity, Embed, Item, Node, Output},
    request::select::{AggregateFunction, Arrow},
};

/// In which form values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// As they are, each under its key: PostgreSQL will make JSON of the rows.
    Plain,
    /// As [`Values::Plain`], but what is embedded is jsonb, whose text PostgREST
    /// shows where rows are not JSON themselves.
    Record,
    /// Not at all: rows are only counted.
    None,
    /// As text for an [`Encoder`].
    Text,
    /// Not one by one: the row as a whole, as a value of its own type.
    Whole,
    /// As binary columns, by `catalog/form`.
    Binary,
}

impl Values {
    /// The form of rows within rows.
    pub(super) fn nested(self) -> Values {
        match self {
            Values::Plain | Values::Record | Values::Whole | Values::None | Values::Text => Values::Plain,
            Values::Binary => Values::Binary,
        }
    }
}

/// One expression of a select list.
pub(super) struct Cell<'p> {
    pub(super) key: &'p str,
    source: CellSource<'p>,
}

enum CellSource<'p> {
    Field(&'p Output<'p>),
    ToOne(&'p Embed<'p>),
    ToMany(&'p Embed<'p>),
    /// What a spread to-one embed has under the key.
    Lifted(&'p Embed<'p>, Box<Cell<'p>>),
    /// What a spread to-many embed has under the key, as an array.
    Collected(&'p Embed<'p>),
}

/// The expressions of a level, spreads included.
pub(super) fn cells<'p>(node: &'p Node<'p>) -> Vec<Cell<'p>> {
    let mut cells = Vec::with_capacity(node.items.len());
    for item in &node.items {
        match item {
            Item::Field(output) => cells.push(Cell { key: &output.key, source: CellSource::Field(output) }),
            Item::Embed(embed) => embedded(&mut cells, embed),
        }
    }
    cells
}

fn embedded<'p>(found: &mut Vec<Cell<'p>>, embed: &'p Embed<'p>) {
    match (embed.form, embed.arity) {
        (tree::Form::Hidden, _) => {}
        (tree::Form::Key, Arity::ToOne) => {
            found.push(Cell { key: embed.name(), source: CellSource::ToOne(embed) });
        }
        (tree::Form::Key, Arity::ToMany) => {
            found.push(Cell { key: embed.name(), source: CellSource::ToMany(embed) });
        }
        (tree::Form::Spread, Arity::ToOne) => found.extend(
            cells(&embed.node)
                .into_iter()
                .map(|cell| Cell { key: cell.key, source: CellSource::Lifted(embed, Box::new(cell)) }),
        ),
        (tree::Form::Spread, Arity::ToMany) => found.extend(
            cells(&embed.node)
                .into_iter()
                .map(|cell| Cell { key: cell.key, source: CellSource::Collected(embed) }),
        ),
    }
}

impl<'p> Cell<'p> {
    /// The column of the answer that the cell's text becomes.
    pub(super) fn column(&self, scope: Scope<'_>) -> Column {
        Column { name: self.key.to_owned(), encoder: self.encoder(scope).unwrap_or(Encoder::Verbatim) }
    }

    /// How its text becomes JSON; `None` if PostgreSQL has to make it.
    fn encoder(&self, scope: Scope<'_>) -> Option<Encoder> {
        match &self.source {
            CellSource::Field(output) => field_encoder(output, scope),
            CellSource::ToOne(_) | CellSource::ToMany(_) | CellSource::Collected(_) => {
                Some(Encoder::Verbatim)
            }
            CellSource::Lifted(_, cell) => cell.encoder(scope),
        }
    }

    /// What stands before the expression that `)::text` follows.
    pub(super) fn text_open(&self, scope: Scope<'_>) -> &'static str {
        match self.encoder(scope) {
            Some(_) => "(",
            None => "to_json(",
        }
    }

    /// Whether it is JSON that was made of embedded rows.
    fn is_json(&self) -> bool {
        match &self.source {
            CellSource::ToOne(_) | CellSource::ToMany(_) | CellSource::Collected(_) => true,
            CellSource::Field(_) => false,
            CellSource::Lifted(_, cell) => cell.is_json(),
        }
    }

    /// Whether it is a field of the row itself.
    pub(super) fn is_field(&self) -> bool {
        matches!(self.source, CellSource::Field(_)) && !self.is_aggregate()
    }

    /// Whether it is an aggregate.
    pub(super) fn is_aggregate(&self) -> bool {
        match &self.source {
            CellSource::Field(output) => output.aggregate.is_some(),
            CellSource::ToOne(_)
            | CellSource::ToMany(_)
            | CellSource::Lifted(..)
            | CellSource::Collected(_) => false,
        }
    }

    /// Writes it in the form that the rows are wanted in.
    pub(super) fn write(&self, out: &mut Fragment, node: &Node<'_>, values: Values, scope: Scope<'_>) {
        match values {
            Values::Plain | Values::Record | Values::Whole | Values::None => {
                self.expression(out, node, values, scope);
                out.sql(" AS ").identifier(self.key);
            }
            Values::Text => {
                out.sql(self.text_open(scope));
                self.expression(out, node, values, scope);
                out.sql(")::text");
            }
            Values::Binary => match &self.source {
                CellSource::Field(output) => {
                    let expression = |out: &mut Fragment| self.expression(out, node, values, scope);
                    match plain_type(output) {
                        Some(declared) => binary(out, declared, scope, &expression),
                        None => {
                            out.sql("(");
                            expression(out);
                            out.sql(")::text");
                        }
                    }
                    out.sql(" AS ").identifier(self.key);
                }
                CellSource::ToOne(_)
                | CellSource::ToMany(_)
                | CellSource::Lifted(..)
                | CellSource::Collected(_) => {
                    self.expression(out, node, values, scope);
                    out.sql(" AS ").identifier(self.key);
                }
            },
        }
    }

    fn expression(&self, out: &mut Fragment, node: &Node<'_>, values: Values, scope: Scope<'_>) {
        match &self.source {
            CellSource::Field(output) => field_expression(out, output, &node.alias, scope),
            CellSource::ToOne(embed) => {
                let [open, close] = match values {
                    Values::Plain | Values::Record | Values::Whole | Values::None | Values::Text => {
                        ["row_to_json(", ".*)"]
                    }
                    // Without a function around it, a row falls apart into its columns.
                    Values::Binary => ["coalesce(", ".*)"],
                };
                out.sql(open).identifier(&embed.join_alias).sql(close);
            }
            CellSource::ToMany(embed) => {
                let [open, close] = match values {
                    Values::Plain | Values::Record | Values::Whole | Values::None | Values::Text => {
                        ["coalesce(json_agg(", ".*), '[]')"]
                    }
                    Values::Binary => ["array_agg(", ".*)"],
                };
                out.sql("(SELECT ").sql(open).identifier(&embed.join_alias).sql(close).sql(" FROM (");
                let link = Link { embed, above: node };
                rows(out, &embed.node, Rows { values: values.nested(), link: Some(link), facts: &[] }, scope);
                out.sql(") AS ").identifier(&embed.join_alias).sql(")");
            }
            CellSource::Lifted(embed, _) | CellSource::Collected(embed) => {
                out.qualified(&embed.join_alias, self.key);
            }
        }
        // Rows are grouped by it, and json has no equality.
        if self.is_json() && (values == Values::Record || is_grouped(node)) {
            out.sql("::jsonb");
        }
    }
}

/// Whether the rows of this level are groups.
pub(super) fn is_grouped(node: &Node<'_>) -> bool {
    node.items.iter().any(|item| matches!(item, Item::Field(output) if output.aggregate.is_some()))
}

fn field_expression(out: &mut Fragment, output: &Output<'_>, alias: &str, scope: Scope<'_>) {
    let value = |out: &mut Fragment| match output.field.name.is_empty() {
        true => {
            out.sql("*");
        }
        false => cast(out, output.cast.as_deref(), |out| represented(out, output, alias, scope)),
    };
    match &output.aggregate {
        None => value(out),
        Some(aggregate) => cast(out, aggregate.cast.as_deref(), |out| {
            out.sql(function_name(aggregate.function)).sql("(");
            value(out);
            out.sql(")");
        }),
    }
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

fn function_name(function: AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::Sum => "sum",
        AggregateFunction::Avg => "avg",
        AggregateFunction::Min => "min",
        AggregateFunction::Max => "max",
        AggregateFunction::Count => "count",
    }
}

/// The type of a field that is taken as it is.
fn plain_type<'p>(output: &Output<'p>) -> Option<&'p Type> {
    match output {
        Output { field, representation: None, cast: None, aggregate: None, .. } if field.path.is_empty() => {
            field.declared()
        }
        _ => None,
    }
}

/// How the text of a field becomes JSON; `None` if PostgreSQL has to make it.
fn field_encoder(output: &Output<'_>, scope: Scope<'_>) -> Option<Encoder> {
    match output {
        Output { cast: Some(_), .. } => None,
        Output { aggregate: Some(aggregate), .. } => match (aggregate.function, &aggregate.cast) {
            (AggregateFunction::Count, None) => Some(Encoder::Verbatim),
            _ => None,
        },
        Output { representation: Some(_), .. } => Some(Encoder::Verbatim),
        Output { field, .. } => match (field.path.last(), field.declared()) {
            (Some((Arrow::Json, _)), _) => Some(Encoder::Verbatim),
            (Some((Arrow::Text, _)), _) => Some(Encoder::Text),
            (None, Some(declared)) => encoder(scope.catalog, declared),
            (None, None) => None,
        },
    }
}

/// An expression of this type as a binary column. `write` writes the
/// expression; records repeat it.
fn binary(out: &mut Fragment, declared: &Type, scope: Scope<'_>, write: &dyn Fn(&mut Fragment)) {
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
    let is_own = scope.catalog.base_type(declared.oid).is_some_and(|base| base.schema == "pg_catalog");
    let is_enum = declared.kind() == TypeKind::Enum;
    // Casts to text that are not the type's output, and types that may have one.
    if is_one_of(scope.catalog, Some(declared), &["inet", "cidr", "bpchar"]) || !(is_own || is_enum) {
        out.sql("to_json(");
        write(out);
        out.sql(") #>> '{}'");
    } else {
        out.sql("(");
        write(out);
        out.sql(")::text");
    }
}
