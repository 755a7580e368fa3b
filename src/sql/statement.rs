//! The statement of a plan: what the operation does, the rows in the form that
//! the body asks for, and the total where it comes along.

use super::{
    Count, Encoder, Fact, Fragment, Layout, SOURCE, Statement, call,
    column::{Aggregates, Cell, Cells, Values},
    mutate,
    read::{Rows, existing, rows},
};
use crate::{
    catalog::Catalog,
    media::{Nulls, PlanFormat, PlanOption},
    plan::{
        Operation, Plan,
        call::Call,
        mutate::Mutation,
        negotiate::{Body, Explain},
        tree::Node,
    },
    request::{prefer, range::Range},
};

/// What names in a statement can stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'p> {
    pub(super) catalog: &'p Catalog,
    pub(super) results: Results<'p>,
}

/// Where the rows of a mutation or a call are found.
#[derive(Clone, Copy)]
pub(super) enum Results<'p> {
    /// There are none.
    None,
    /// In a part of the statement with a name of its own.
    Named,
    /// In the call itself.
    Call(&'p Call<'p>),
}

/// What one row becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Each {
    /// An object of its columns.
    Object,
    /// The value of its one column.
    Value,
}

/// How many rows there can be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    Several,
    One,
}

/// The rows of a statement, and what they become.
struct Page<'p> {
    node: &'p Node<'p>,
    body: &'p Body<'p>,
    each: Each,
    many: Many,
    /// Facts and their expressions, which come after those of the data.
    facts: Vec<(Fact, &'static str)>,
    scope: Scope<'p>,
}

/// The statement of a plan, and what its rows become.
pub fn statement(plan: &Plan<'_>) -> Statement {
    let mut out = Fragment::new();
    if let Some(explain) = &plan.explain {
        explained(&mut out, explain);
    }
    let statement = match &plan.operation {
        Operation::Read(_) => selected(out, plan, Page::of(plan, Results::None)),
        Operation::Call(call, _) => {
            let mut page = Page::of(plan, Results::Call(call));
            page.each = if call.is_scalar() { Each::Value } else { Each::Object };
            page.many = if call.function.returns_set { Many::Several } else { Many::One };
            if counted(plan).is_some() {
                call::source(&mut out, call, page.node);
                page.scope.results = Results::Named;
            }
            selected(out, plan, page)
        }
        Operation::Mutation(mutation, _) => changed(out, mutation, Page::of(plan, Results::Named)),
    };
    match plan.explain {
        None => statement,
        Some(_) => Statement { layout: Layout::Lines, facts: Vec::new(), ..statement },
    }
}

/// Rows that are read, with the total beside them if it comes along.
fn selected(mut out: Fragment, plan: &Plan<'_>, mut page: Page<'_>) -> Statement {
    page.made();
    let Some(limit) = counted(plan) else {
        let layout = page.write(&mut out);
        return Statement { fragment: out, layout, facts: page.facts() };
    };
    // One snapshot for page and total, and a row for the total where the page is empty.
    page.facts.push((Fact::Present, "TRUE AS \"present\""));
    out.sql("SELECT \"page\".*, \"count\".\"total\" FROM (");
    total(&mut out, page.node, limit, page.scope);
    out.sql(") AS \"count\" LEFT JOIN (");
    let layout = page.write(&mut out);
    out.sql(") AS \"page\" ON TRUE");
    let mut facts = page.facts();
    facts.push(Fact::Total);
    Statement { fragment: out, layout, facts }
}

/// A change, and the changed rows if they are wanted.
fn changed(mut out: Fragment, mutation: &Mutation<'_>, mut page: Page<'_>) -> Statement {
    if matches!(page.body, Body::Nothing) {
        return mutate::unseen(out, mutation, page.node, page.scope);
    }
    page.made();
    page.facts.extend(mutate::inserted(mutation).map(|counted| (Fact::Inserted, counted)));
    let layout = match page.returned() {
        Some(layout) => {
            let values = if matches!(page.body, Body::Columns) { Values::Binary } else { Values::Text };
            mutate::returning(&mut out, mutation, page.node, values, &page.expressions(), page.scope);
            layout
        }
        None => {
            mutate::source(&mut out, mutation, page.node, page.scope);
            page.write(&mut out)
        }
    };
    Statement { fragment: out, layout, facts: page.facts() }
}

fn explained(out: &mut Fragment, explain: &Explain) {
    out.sql(match explain.format {
        PlanFormat::Json => "EXPLAIN (FORMAT JSON",
        PlanFormat::Text => "EXPLAIN (FORMAT TEXT",
    });
    for option in &explain.options {
        out.sql(match option {
            PlanOption::Analyze => ", ANALYZE",
            PlanOption::Verbose => ", VERBOSE",
            PlanOption::Settings => ", SETTINGS",
            PlanOption::Buffers => ", BUFFERS",
            PlanOption::Wal => ", WAL",
        });
    }
    out.sql(") ");
}

/// Whether the statement counts, and up to how many rows: `None` for all.
fn counted(plan: &Plan<'_>) -> Option<Option<u64>> {
    let is_whole = plan.operation.node().range == Range::default();
    match (plan.count?, plan.config.db_max_rows) {
        (prefer::Count::Exact, _) if is_whole => None,
        (prefer::Count::Exact, _) | (prefer::Count::Estimated, None) => Some(None),
        (prefer::Count::Estimated, Some(max)) => Some(Some(max.saturating_add(1))),
        (prefer::Count::Planned, _) => None,
    }
}

/// How the total is found, where it was asked for and the statement is run.
pub fn count(plan: &Plan<'_>) -> Option<Count> {
    if plan.explain.is_some() {
        return None;
    }
    let planned = || {
        let results = match &plan.operation {
            Operation::Call(call, _) => Results::Call(call),
            Operation::Read(_) | Operation::Mutation(..) => Results::None,
        };
        let mut out = Fragment::new();
        out.sql("EXPLAIN (FORMAT JSON) SELECT");
        existing(&mut out, plan.operation.node(), None, Scope { catalog: plan.catalog, results });
        out
    };
    Some(match (plan.count?, counted(plan)) {
        (prefer::Count::Planned, _) => Count::Planned(planned()),
        // Without a limit the larger of both always counts, as PostgREST has it.
        (prefer::Count::Estimated, _) => {
            Count::Estimated { planned: planned(), limit: plan.config.db_max_rows.unwrap_or(0) }
        }
        (prefer::Count::Exact, None) => Count::Rows,
        (prefer::Count::Exact, Some(_)) => Count::Fact,
    })
}

/// Counts the rows without limit and offset, but no more than `limit`.
fn total(out: &mut Fragment, node: &Node<'_>, limit: Option<u64>, scope: Scope<'_>) {
    match limit {
        None => {
            out.sql("SELECT count(*) AS \"total\"");
            existing(out, node, None, scope);
        }
        Some(limit) => {
            out.sql("SELECT count(*) AS \"total\" FROM (SELECT");
            existing(out, node, None, scope);
            out.sql(" LIMIT ").text(limit.to_string()).sql(") AS \"counted\"");
        }
    }
}

impl<'p> Page<'p> {
    fn of(plan: &'p Plan<'_>, results: Results<'p>) -> Self {
        Page {
            node: plan.operation.node(),
            body: &plan.body,
            each: Each::Object,
            many: Many::Several,
            facts: Vec::new(),
            scope: Scope { catalog: plan.catalog, results },
        }
    }

    fn cells(&self) -> Cells<'p> {
        Cells::of(self.node, Aggregates::Here)
    }

    fn facts(&self) -> Vec<Fact> {
        self.facts.iter().map(|(fact, _)| fact.clone()).collect()
    }

    fn expressions(&self) -> Vec<&'static str> {
        self.facts.iter().map(|(_, expression)| *expression).collect()
    }

    /// A body that PostgreSQL makes does not say of how many rows.
    fn made(&mut self) {
        if matches!(self.body, Body::Handler(_) | Body::GeoJson) {
            self.facts.push((Fact::Rows, "count(*)"));
        }
    }

    /// Writes the rows in the form that the body asks for.
    fn write(&self, out: &mut Fragment) -> Layout {
        match self.body {
            Body::Array(Nulls::Kept) | Body::Object(Nulls::Kept) => {
                match self.cells().are_groups() {
                    true => self.groups(out),
                    false => self.rows(out, Values::Text),
                }
                self.json()
            }
            Body::Array(Nulls::Stripped) | Body::Object(Nulls::Stripped) => {
                let value = match self.each {
                    Each::Object => "SELECT json_strip_nulls(row_to_json(\"row\".*))::text",
                    Each::Value => "SELECT json_strip_nulls(to_json(\"row\".\"pgrst_scalar\"))::text",
                };
                out.sql(value);
                self.of_rows(out, Values::Plain);
                match self.is_one() {
                    true => Layout::Scalar(Encoder::Verbatim),
                    false => Layout::Scalars(Encoder::Verbatim),
                }
            }
            Body::Csv => {
                // A row's text is its values as CSV, in parentheses.
                out.sql("SELECT substr((\"row\".*)::text, 2, length((\"row\".*)::text) - 2)");
                self.of_rows(out, Values::Record);
                Layout::Csv(self.cells().0.iter().map(|cell| cell.key.to_owned()).collect())
            }
            Body::Columns => {
                self.rows(out, Values::Binary);
                Layout::Columns
            }
            Body::GeoJson => {
                out.sql(
                    "SELECT json_build_object('type', 'FeatureCollection', 'features', \
                     coalesce(json_agg(ST_AsGeoJSON(\"row\".*)::json), '[]'))",
                );
                self.of_rows(out, Values::Record);
                Layout::Body
            }
            Body::Handler(handler) => {
                out.sql("SELECT ").qualified(&handler.function_schema, &handler.function_name);
                match self.node.shape.relation().filter(|_| handler.relation != 0) {
                    None => {
                        out.sql("(\"row\".*)");
                        self.of_rows(out, Values::Record);
                    }
                    Some(relation) => {
                        out.sql("((\"row\".*)::").qualified(&relation.schema, &relation.name).sql(")");
                        self.of_rows(out, Values::Whole);
                    }
                }
                Layout::Body
            }
            Body::Raw => {
                self.rows(out, Values::Plain);
                Layout::Body
            }
            Body::Nothing => {
                // A function is called for what it does; nothing else needs to be looked at.
                let values = match self.scope.results {
                    Results::Call(_) => Values::Text,
                    Results::None | Results::Named => Values::None,
                };
                self.rows(out, values);
                Layout::Nothing
            }
        }
    }

    /// The layout, if the rows can be had from the mutation itself, by `RETURNING`.
    fn returned(&self) -> Option<Layout> {
        let is_plain = self.node.order.is_empty() && self.cells().0.iter().all(Cell::is_field);
        match self.body {
            _ if !is_plain || self.node.items.is_empty() => None,
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
        match (self.each, self.is_one()) {
            (Each::Object, false) => Layout::Array(columns.collect()),
            (Each::Object, true) => Layout::Object(columns.collect()),
            (Each::Value, one) => {
                let encoder = columns.next().map_or(Encoder::Verbatim, |column| column.encoder);
                if one { Layout::Scalar(encoder) } else { Layout::Scalars(encoder) }
            }
        }
    }

    fn is_one(&self) -> bool {
        self.many == Many::One || self.body.is_singular()
    }

    fn rows(&self, out: &mut Fragment, values: Values) {
        rows(out, self.node, Rows { values, link: None, facts: &self.expressions() }, self.scope);
    }

    /// The rows as something to be read from, after an expression made of them.
    fn of_rows(&self, out: &mut Fragment, values: Values) {
        self.more(out);
        out.sql(" FROM (");
        rows(out, self.node, Rows { values, link: None, facts: &[] }, self.scope);
        out.sql(") AS \"row\"");
    }

    /// Groups, whose values become text only when they are complete.
    fn groups(&self, out: &mut Fragment) {
        let cells = self.cells().0;
        out.sql("SELECT ");
        out.separated(", ", cells.iter().enumerate(), |out, (at, cell)| {
            out.sql(cell.text_open(self.scope)).sql("\"group\".").identifier(&format!("c{at}"));
            out.sql(")::text");
        });
        self.more(out);
        out.sql(" FROM (");
        rows(out, self.node, Rows { values: Values::Plain, link: None, facts: &[] }, self.scope);
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

/// Begins the part of a statement that its rest finds rows in.
pub(super) fn with_source(out: &mut Fragment, write: impl FnOnce(&mut Fragment)) {
    out.sql("WITH ").identifier(SOURCE).sql(" AS (");
    write(out);
    out.sql(") ");
}
