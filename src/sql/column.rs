//! The select list: every item of a level as one expression, in the form that
//! the rows are wanted in. Aggregates of a spread to-one embed are computed
//! where its keys end up, over the rows of the level above.

use super::{
    Column, Encoder, Fragment,
    binary::binary,
    read::{Link, Place, ROWS, Rows, existing, is_apart, object, one, rows},
    statement::Scope,
    value::{Binary, aggregate_encoder, binary_of, cast_aggregate, field_encoder, value},
};
use crate::{
    plan::tree::{Arity, Embed, Field, Form, Item, Node, Output},
    request::select::{Aggregate, Join},
};

/// In which form values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// As they are, each under its key: PostgreSQL will make JSON of the rows.
    Plain,
    /// As [`Values::Plain`], but what is embedded is jsonb, whose text PostgREST
    /// shows where rows are not JSON themselves.
    Record,
    /// As their text is what an [`Encoder`] takes.
    Text,
    /// Not one by one: the row as a whole.
    Whole,
    /// As binary columns, by `catalog/form`.
    Binary,
}

impl Values {
    /// The form of rows within rows.
    pub(super) fn nested(self) -> Values {
        match self {
            Values::Plain | Values::Record | Values::Whole | Values::Text => Values::Plain,
            Values::Binary => Values::Binary,
        }
    }
}

/// Where the aggregates of a level are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregates {
    /// There.
    Here,
    /// Above: the level is spread into that.
    Above,
}

impl Aggregates {
    /// Where those of an embed are.
    pub(super) fn of(embed: &Embed<'_>) -> Self {
        match (embed.form, embed.arity) {
            (Form::Spread, Arity::ToOne) => Aggregates::Above,
            (Form::Spread, Arity::ToMany) | (Form::Key | Form::Count | Form::Hidden, _) => Aggregates::Here,
        }
    }
}

/// The expressions of a level.
pub(super) struct Cells<'p>(pub(super) Vec<Cell<'p>>);

/// One expression of a select list.
pub(super) struct Cell<'p> {
    pub(super) key: &'p str,
    source: Source<'p>,
    /// The aggregate over it, if it is computed at this level.
    aggregate: Option<&'p Aggregate>,
    /// What JSON of embedded rows is written as.
    json: Json,
}

enum Source<'p> {
    Field(&'p Output<'p>),
    ToOne(&'p Embed<'p>),
    ToMany(&'p Embed<'p>),
    /// How many rows an embed has.
    Count(&'p Embed<'p>),
    /// What a spread to-one embed has under the key.
    Lifted(&'p Embed<'p>, Box<Cell<'p>>),
    /// What a spread to-many embed has under the key, as an array.
    Collected(&'p Embed<'p>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Json {
    Json,
    /// Rows are grouped by it, and json has no equality.
    Jsonb,
}

impl<'p> Cells<'p> {
    /// Those of `node`, spreads included.
    pub(super) fn of(node: &'p Node<'p>, aggregates: Aggregates) -> Self {
        let mut cells = Vec::with_capacity(node.items.len());
        for item in &node.items {
            match item {
                Item::Field(output) => cells.push(Cell::new(&output.key, Source::Field(output))),
                Item::Embed(embed) => embedded(&mut cells, embed),
            }
        }
        let mut cells = Cells(cells);
        if aggregates == Aggregates::Here {
            for cell in &mut cells.0 {
                cell.aggregate = cell.asked();
            }
        }
        if cells.are_groups() {
            for cell in &mut cells.0 {
                cell.json = Json::Jsonb;
            }
        }
        cells
    }

    /// Whether the rows of the level are groups.
    pub(super) fn are_groups(&self) -> bool {
        self.0.iter().any(Cell::is_aggregate)
    }
}

fn embedded<'p>(found: &mut Vec<Cell<'p>>, embed: &'p Embed<'p>) {
    let own = || Cells::of(&embed.node, Aggregates::of(embed)).0.into_iter();
    match (embed.form, embed.arity) {
        (Form::Hidden, _) => {}
        (Form::Count, _) => found.push(Cell::new(embed.name(), Source::Count(embed))),
        (Form::Key, Arity::ToOne) => found.push(Cell::new(embed.name(), Source::ToOne(embed))),
        (Form::Key, Arity::ToMany) => found.push(Cell::new(embed.name(), Source::ToMany(embed))),
        (Form::Spread, Arity::ToOne) => {
            found.extend(own().map(|cell| Cell::new(cell.key, Source::Lifted(embed, Box::new(cell)))));
        }
        (Form::Spread, Arity::ToMany) => {
            found.extend(own().map(|cell| Cell::new(cell.key, Source::Collected(embed))));
        }
    }
}

impl<'p> Cell<'p> {
    fn new(key: &'p str, source: Source<'p>) -> Self {
        Cell { key, source, aggregate: None, json: Json::Json }
    }

    /// The aggregate that was asked for, wherever it is computed.
    fn asked(&self) -> Option<&'p Aggregate> {
        match &self.source {
            Source::Field(output) => output.aggregate.as_ref(),
            Source::Lifted(_, cell) => cell.asked(),
            Source::ToOne(_) | Source::ToMany(_) | Source::Count(_) | Source::Collected(_) => None,
        }
    }

    /// The column of the answer that the cell's text becomes.
    pub(super) fn column(&self, scope: Scope<'_>) -> Column {
        Column { name: self.key.to_owned(), encoder: self.encoder(scope).unwrap_or(Encoder::Verbatim) }
    }

    /// How its text becomes JSON; `None` if PostgreSQL has to make it.
    fn encoder(&self, scope: Scope<'_>) -> Option<Encoder> {
        match (self.aggregate, &self.source) {
            (Some(aggregate), _) => aggregate_encoder(aggregate),
            (None, Source::Field(output)) => field_encoder(output, scope),
            (None, Source::Lifted(_, cell)) => cell.encoder(scope),
            (None, Source::ToOne(_) | Source::ToMany(_) | Source::Count(_) | Source::Collected(_)) => {
                Some(Encoder::Verbatim)
            }
        }
    }

    /// Writes what `expression` writes so that its text is what the cell's encoder takes.
    pub(super) fn text(&self, out: &mut Fragment, scope: Scope<'_>, expression: impl FnOnce(&mut Fragment)) {
        match self.encoder(scope) {
            Some(_) => expression(out),
            None => {
                out.sql("pg_catalog.to_json(");
                expression(out);
                out.sql(")");
            }
        }
    }

    /// Whether it is JSON that was made of embedded rows.
    fn is_json(&self) -> bool {
        match &self.source {
            Source::ToOne(_) | Source::ToMany(_) | Source::Collected(_) => true,
            Source::Field(_) | Source::Count(_) => false,
            Source::Lifted(_, cell) => cell.is_json(),
        }
    }

    /// The column that rows are grouped by where it is not what is shown. SQL looks for names among the columns
    /// first, so what is made of a column groups by that as long as it goes by its name; and what a domain is in
    /// JSON has no equality.
    pub(super) fn group_key(&self) -> Option<&'p Field<'p>> {
        match &self.source {
            Source::Field(Output { key, field, representation, .. }) => {
                (representation.is_some() || *key == field.name).then_some(field)
            }
            Source::ToOne(_)
            | Source::ToMany(_)
            | Source::Count(_)
            | Source::Lifted(..)
            | Source::Collected(_) => None,
        }
    }

    /// Whether it is a field of the row itself.
    pub(super) fn is_field(&self) -> bool {
        matches!(self.source, Source::Field(_)) && !self.is_aggregate()
    }

    /// Whether it is an aggregate.
    pub(super) fn is_aggregate(&self) -> bool {
        self.aggregate.is_some()
    }

    /// Writes it in the form that the rows are wanted in.
    pub(super) fn write(&self, out: &mut Fragment, node: &Node<'_>, values: Values, scope: Scope<'_>) {
        if values == Values::Text {
            self.text(out, scope, |out| self.expression(out, node, values, scope));
            return;
        }
        match &self.source {
            Source::Field(output) if values == Values::Binary => {
                let expression = |out: &mut Fragment| self.expression(out, node, values, scope);
                match binary_of(output, scope) {
                    Binary::Typed(declared) => binary(out, declared, scope, &expression),
                    Binary::Bare => expression(out),
                    Binary::Text => {
                        out.sql("(");
                        expression(out);
                        out.sql(")::pg_catalog.text");
                    }
                }
            }
            Source::Field(_)
            | Source::ToOne(_)
            | Source::ToMany(_)
            | Source::Count(_)
            | Source::Lifted(..)
            | Source::Collected(_) => self.expression(out, node, values, scope),
        }
        out.sql(" AS ").identifier(self.key);
    }

    fn expression(&self, out: &mut Fragment, node: &Node<'_>, values: Values, scope: Scope<'_>) {
        match (self.aggregate, &self.source) {
            (None, _) => self.bare(out, node, values, scope),
            (Some(aggregate), Source::Field(output)) if output.field.name.is_empty() => {
                cast_aggregate(out, aggregate, |out| {
                    out.sql("*");
                });
            }
            (Some(aggregate), _) => cast_aggregate(out, aggregate, |out| self.bare(out, node, values, scope)),
        }
    }

    fn bare(&self, out: &mut Fragment, node: &Node<'_>, values: Values, scope: Scope<'_>) {
        match &self.source {
            Source::Field(output) => value(out, output, &node.alias, values, scope),
            Source::ToOne(embed) if is_apart(embed, node, scope) => one(out, embed, values),
            Source::ToOne(embed) => {
                let has_citus = scope.catalog.descriptor().has_citus;
                match (values, embed.join) {
                    // Without a function around it, a row falls apart into its columns.
                    (Values::Binary, _) => {
                        out.sql(if has_citus { "pg_catalog.record_send(" } else { "coalesce(" });
                        out.identifier(&embed.join_alias).sql(".*)");
                    }
                    (_, Join::Inner) if has_citus => object(out, embed, values),
                    (Values::Plain | Values::Record | Values::Text | Values::Whole, _) => {
                        out.sql("pg_catalog.row_to_json(").identifier(&embed.join_alias).sql(".*)");
                    }
                }
            }
            Source::ToMany(embed) if is_apart(embed, node, scope) => {
                let [open, close] = match values {
                    Values::Binary => ["", ""],
                    Values::Plain | Values::Record | Values::Whole | Values::Text => ["coalesce(", ", '[]')"],
                };
                out.sql(open).qualified(&embed.join_alias, ROWS).sql(close);
            }
            Source::ToMany(embed) => {
                let [open, close] = match values {
                    Values::Binary if scope.catalog.descriptor().has_citus => {
                        ["pg_catalog.array_send(pg_catalog.array_agg(", ".*))"]
                    }
                    Values::Binary => ["pg_catalog.array_agg(", ".*)"],
                    Values::Plain | Values::Record | Values::Whole | Values::Text => {
                        ["coalesce(pg_catalog.json_agg(", ".*), '[]')"]
                    }
                };
                out.sql("(SELECT ").sql(open).identifier(&embed.join_alias).sql(close).sql(" FROM (");
                let link = Link { embed, above: node };
                rows(
                    out,
                    &embed.node,
                    Rows { values: values.nested(), link: Some(link), facts: &[], place: Place::Within },
                    scope,
                );
                out.sql(") AS ").identifier(&embed.join_alias).sql(")");
            }
            Source::Count(embed) => {
                out.sql("(SELECT pg_catalog.count(*)");
                existing(out, &embed.node, Some(Link { embed, above: node }), scope);
                out.sql(")");
            }
            Source::Collected(embed) if is_apart(embed, node, scope) => {
                out.sql("coalesce(").qualified(&embed.join_alias, self.key).sql(", '[]')");
            }
            Source::Lifted(embed, _) | Source::Collected(embed) => {
                out.qualified(&embed.join_alias, self.key);
            }
        }
        let is_jsonb = match values {
            Values::Binary => false,
            Values::Record => true,
            Values::Plain | Values::Text | Values::Whole => self.json == Json::Jsonb,
        };
        if self.is_json() && is_jsonb {
            out.sql("::pg_catalog.jsonb");
        }
    }
}
