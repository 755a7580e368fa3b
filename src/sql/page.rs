//! The rows of a statement in the form that its body asks for, and the layout
//! that says what they become.

use super::{
    Elements, Encoder, Fact, Fragment, Layout,
    column::{Aggregates, Cell, Cells, Values},
    premise::{Kinds, Premise},
    read::{Place, Rows, rows},
    statement::{Results, Scope},
};
use crate::{
    catalog::{
        descriptor::{Type, TypeKind},
        routine::Shape,
    },
    media::Nulls,
    plan::{Plan, negotiate::Body, tree::Node},
    request::range::Range,
};

/// What one row becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    /// An object of its columns.
    Object,
    /// The value of its one column.
    Value,
}

/// How many rows there can be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    Several,
    One,
}

/// The rows of a statement, and what they become.
pub(super) struct Page<'p> {
    pub(super) node: &'p Node<'p>,
    pub(super) body: &'p Body<'p>,
    pub(super) each: Each,
    pub(super) many: Many,
    /// Facts and their expressions, which come after those of the data.
    pub(super) facts: Vec<(Fact, &'static str)>,
    pub(super) scope: Scope<'p>,
}

impl<'p> Page<'p> {
    pub(super) fn of(plan: &'p Plan<'_>, results: Results<'p>) -> Self {
        Page {
            node: plan.operation.node(),
            body: &plan.body,
            each: Each::Object,
            many: Many::Several,
            facts: Vec::new(),
            scope: Scope::of(plan, results),
        }
    }

    fn cells(&self) -> Cells<'p> {
        Cells::of(self.node, Aggregates::Here)
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        self.facts.iter().map(|(fact, _)| fact.clone()).collect()
    }

    pub(super) fn expressions(&self) -> Vec<&'static str> {
        self.facts.iter().map(|(_, expression)| *expression).collect()
    }

    /// What is taken for granted of the rows that a mutation or a call gives, unless their sink looks at them.
    pub(super) fn premise(&self) -> Option<Premise<'p>> {
        match self.body {
            Body::Columns | Body::Nothing => None,
            Body::Array(_) | Body::Object(_) | Body::Csv | Body::GeoJson | Body::Handler(_) | Body::Raw => {
                Premise::of(self.node, Kinds::Matter, self.scope)
            }
        }
    }

    /// A body that PostgreSQL makes does not say of how many rows, nor does none.
    pub(super) fn made(&mut self) {
        match (self.body, self.scope.results) {
            (Body::Handler(_) | Body::GeoJson, _) => self.facts.push((Fact::Rows, "pg_catalog.count(*)")),
            // Of whole rows, which have to be possible: what GET refuses for a value is refused here, too.
            (Body::Nothing, Results::None | Results::Named) => {
                self.facts.push((Fact::Rows, "pg_catalog.count(\"row\".*)"));
            }
            (Body::Nothing, Results::Call(_))
            | (Body::Array(_) | Body::Object(_) | Body::Csv | Body::Columns | Body::Raw, _) => {}
        }
    }

    /// Writes the rows in the form that the body asks for.
    pub(super) fn write(&self, out: &mut Fragment) -> Layout {
        match self.body {
            Body::Array(Nulls::Kept) | Body::Object(Nulls::Kept) => {
                match self.cells().are_groups() {
                    true => self.groups(out),
                    false => self.rows(out, Values::Text),
                }
                self.json()
            }
            Body::Array(Nulls::Stripped) | Body::Object(Nulls::Stripped) => {
                let value = match self.each() {
                    Each::Object => "SELECT pg_catalog.json_strip_nulls(pg_catalog.row_to_json(\"row\".*))",
                    Each::Value => {
                        "SELECT pg_catalog.json_strip_nulls(pg_catalog.to_json(\"row\".\"pgrst_scalar\"))"
                    }
                };
                out.sql(value);
                self.of_rows(out, Values::Plain);
                match self.is_one() {
                    true => Layout::Scalar(Encoder::Verbatim),
                    false => Layout::Scalars { encoder: Encoder::Verbatim, elements: Elements::Stripped },
                }
            }
            Body::Csv => {
                // A row's text is its values as CSV, in parentheses.
                out.sql("SELECT pg_catalog.substr(pg_catalog.left((\"row\".*)::pg_catalog.text, -1), 2)");
                self.of_rows(out, Values::Record);
                Layout::Csv(self.cells().0.iter().map(|cell| cell.key.to_owned()).collect())
            }
            Body::Columns => {
                self.rows(out, Values::Binary);
                Layout::Columns
            }
            Body::GeoJson | Body::Handler(_) => {
                out.sql("SELECT ");
                let values = self.body(out);
                self.of_rows(out, values);
                Layout::Body
            }
            Body::Raw => {
                self.rows(out, Values::Plain);
                Layout::Body
            }
            Body::Nothing => {
                match self.scope.results {
                    // A function is called for what it does, whether it is looked at or not.
                    Results::Call(_) => self.rows(out, Values::Text),
                    Results::None | Results::Named => {
                        out.sql("SELECT ").separated(", ", self.expressions(), |out, fact| {
                            out.sql(fact);
                        });
                        self.subquery(out, Values::Plain);
                    }
                }
                Layout::Nothing
            }
        }
    }

    /// Writes the number of the rows and the body that PostgreSQL makes of them.
    pub(super) fn aggregate(&self, out: &mut Fragment) {
        out.sql(match self.body {
            // The one value is not in an aggregate.
            Body::Raw => "1, ",
            Body::Array(_)
            | Body::Object(_)
            | Body::Csv
            | Body::GeoJson
            | Body::Handler(_)
            | Body::Columns
            | Body::Nothing => "pg_catalog.count(*), ",
        });
        let values = self.body(out);
        self.subquery(out, values);
    }

    /// Writes the expression of a body made of all the rows, which have to come in this form.
    fn body(&self, out: &mut Fragment) -> Values {
        match self.body {
            Body::Array(nulls) | Body::Object(nulls) => {
                out.sql(match nulls {
                    Nulls::Kept => "coalesce((",
                    Nulls::Stripped => "coalesce(pg_catalog.json_strip_nulls(",
                });
                out.sql(match self.each() {
                    Each::Object => "pg_catalog.json_agg(\"row\".*)",
                    Each::Value => "pg_catalog.json_agg(\"row\".\"pgrst_scalar\")",
                });
                out.sql(if self.is_one() { "->0), 'null')" } else { "), '[]')" });
                Values::Plain
            }
            Body::Csv => {
                out.sql("pg_catalog.string_agg(pg_catalog.substr(pg_catalog.left((\"row\".*)::pg_catalog.text, -1), 2), E'\\n')");
                Values::Record
            }
            Body::GeoJson => {
                out.sql(
                    "pg_catalog.json_build_object('type', 'FeatureCollection', 'features', \
                     coalesce(pg_catalog.json_agg(ST_AsGeoJSON(\"row\".*)::pg_catalog.json), '[]'))",
                );
                Values::Record
            }
            Body::Handler(handler) => {
                out.qualified(&handler.function_schema, &handler.function_name);
                match self.node.shape.relation().filter(|_| handler.relation != 0) {
                    None => {
                        out.sql(match (self.each, self.many) {
                            (Each::Value, Many::One) => "(\"row\".\"pgrst_scalar\")",
                            (Each::Value, Many::Several) | (Each::Object, _) => "(\"row\".*)",
                        });
                        Values::Record
                    }
                    Some(relation) => {
                        out.sql("((\"row\".*)::").qualified(&relation.schema, &relation.name).sql(")");
                        Values::Whole
                    }
                }
            }
            Body::Raw => {
                out.sql("\"row\".*");
                Values::Plain
            }
            Body::Columns | Body::Nothing => {
                out.sql("''");
                Values::Plain
            }
        }
    }

    /// The layout, if the rows can be had from the mutation itself, by `RETURNING`.
    pub(super) fn returned(&self) -> Option<Layout> {
        let cells = self.cells().0;
        // SQL has no list of nothing there.
        let is_plain = self.node.order.is_empty() && !cells.is_empty() && cells.iter().all(Cell::is_field);
        match self.body {
            _ if !is_plain => None,
            Body::Array(Nulls::Kept) | Body::Object(Nulls::Kept) => Some(self.json()),
            Body::Columns => Some(Layout::Columns),
            Body::Array(Nulls::Stripped)
            | Body::Object(Nulls::Stripped)
            | Body::Csv
            | Body::GeoJson
            | Body::Handler(_)
            | Body::Raw
            | Body::Nothing => None,
        }
    }

    /// What columns of text become.
    fn json(&self) -> Layout {
        let cells = self.cells();
        let mut columns = cells.0.iter().map(|cell| cell.column(self.scope));
        match (self.each(), self.is_one()) {
            (Each::Object, false) => Layout::Array(columns.collect()),
            (Each::Object, true) => Layout::Object(columns.collect()),
            (Each::Value, one) => {
                let encoder = columns.next().map_or(Encoder::Verbatim, |column| column.encoder);
                match one {
                    true => Layout::Scalar(encoder),
                    false => Layout::Scalars { encoder, elements: self.elements() },
                }
            }
        }
    }

    /// What the values of a set are in an array.
    fn elements(&self) -> Elements {
        let base = match self.node.shape {
            Shape::Scalar(declared) => self.scope.catalog.base_type(declared.oid),
            Shape::Void | Shape::Relation(_) | Shape::Composite(_) | Shape::Columns(_) | Shape::Record => {
                None
            }
        };
        match base.map(Type::kind) {
            Some(TypeKind::Array) => Elements::Structured,
            Some(_) | None => Elements::Plain,
        }
    }

    /// What one row becomes. The one value of a set is an object where it is asked for as such, as PostgREST has it.
    fn each(&self) -> Each {
        match (self.each, self.many, self.body.is_singular()) {
            (Each::Value, Many::Several, true) => Each::Object,
            (each, ..) => each,
        }
    }

    fn is_one(&self) -> bool {
        self.many == Many::One || self.body.is_singular()
    }

    fn rows(&self, out: &mut Fragment, values: Values) {
        rows(
            out,
            self.node,
            Rows { values, link: None, facts: &self.expressions(), place: Place::Within },
            self.scope,
        );
    }

    /// The rows as something to be read from, after an expression made of them.
    fn of_rows(&self, out: &mut Fragment, values: Values) {
        self.more(out);
        self.subquery(out, values);
    }

    fn subquery(&self, out: &mut Fragment, values: Values) {
        out.sql(" FROM (");
        rows(out, self.node, Rows { values, link: None, facts: &[], place: Place::Within }, self.scope);
        self.keep_order(out);
        out.sql(") AS \"row\"");
    }

    /// The order of a subquery is that of its rows. Citus would have each worker order its own, unless a range says that the
    /// order is about all of them.
    fn keep_order(&self, out: &mut Fragment) {
        let Node { order, range, .. } = self.node;
        let has_citus = self.scope.catalog.descriptor().has_citus;
        if has_citus && !order.is_empty() && *range == Range::default() {
            out.sql(" OFFSET 0");
        }
    }

    /// Groups, whose values become JSON only when they are complete.
    fn groups(&self, out: &mut Fragment) {
        let cells = self.cells().0;
        out.sql("SELECT ");
        out.separated(", ", cells.iter().enumerate(), |out, (at, cell)| {
            cell.text(out, self.scope, |out| {
                out.sql("\"group\".").identifier(&format!("c{at}"));
            });
        });
        self.more(out);
        out.sql(" FROM (");
        rows(
            out,
            self.node,
            Rows { values: Values::Plain, link: None, facts: &[], place: Place::Within },
            self.scope,
        );
        self.keep_order(out);
        out.sql(") AS \"group\"(");
        out.separated(", ", 0..cells.len(), |out, at| {
            out.identifier(&format!("c{at}"));
        });
        out.sql(")");
    }

    fn more(&self, out: &mut Fragment) {
        for (_, fact) in &self.facts {
            out.sql(", ").sql(fact);
        }
    }
}
