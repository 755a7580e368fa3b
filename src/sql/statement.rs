//! The statement of a plan: what the operation does, the rows in the form that
//! the body asks for, and the total where it comes along.

use super::{
    Count, Fact, Fragment, LEFT, Layout, SOURCE, Statement, call,
    column::Values,
    mutate,
    page::{Each, Many, Page},
    read::existing,
};
use crate::{
    catalog::Catalog,
    media::{PlanFormat, PlanOption},
    plan::{
        Operation, Plan,
        call::Call,
        mutate::{Mutation, Returned},
        negotiate::{Body, Explain},
        tree::{Item, Node},
    },
    request::{prefer, range::Range, select::Texts},
};

/// What names in a statement can stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'p> {
    pub(super) catalog: &'p Catalog,
    pub(super) results: Results<'p>,
    pub(super) texts: &'p Texts,
}

impl<'p> Scope<'p> {
    pub(super) fn of(plan: &'p Plan<'_>, results: Results<'p>) -> Self {
        Scope { catalog: plan.catalog, results, texts: &plan.texts }
    }
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

/// The statement of a plan, and what its rows become.
pub fn statement(plan: &Plan<'_>) -> Statement {
    let mut out = Fragment::new();
    if let Some(explain) = &plan.explain {
        explained(&mut out, plan, explain);
        return Statement { fragment: out, layout: Layout::Lines, facts: Vec::new() };
    }
    match &plan.operation {
        Operation::Read(_) => {
            let page = Page::of(plan, Results::None);
            selected(out, plan, page)
        }
        Operation::Call(call, _) => {
            let page = called(&mut out, plan, call);
            selected(out, plan, page)
        }
        Operation::Mutation(mutation, _) => changed(out, mutation, Page::of(plan, Results::Named)),
    }
}

/// The statement of a call that looks itself at what its code has left behind. PostgreSQL computes the columns of the one
/// row from left to right, so the look comes last. `None` where there may be another number of rows, where something is
/// computed before the row is complete, or where nothing is called.
pub fn looking(plan: &Plan<'_>) -> Option<Statement> {
    let Operation::Call(call, node) = &plan.operation else { return None };
    let is_one_row = !call.function.returns_set
        && node.conditions.is_empty()
        && node.order.is_empty()
        && node.range.offset.is_zero()
        && node.range.limit != Some(0)
        && node.items.iter().all(|item| matches!(item, Item::Field(output) if output.aggregate.is_none()));
    if !is_one_row || plan.explain.is_some() || counted(plan).is_some() {
        return None;
    }
    let mut out = Fragment::new();
    let mut page = called(&mut out, plan, call);
    page.made();
    page.facts.extend(LEFT.map(|expression| (Fact::Left, expression)));
    let layout = page.write(&mut out);
    Some(Statement { fragment: out, layout, facts: page.facts() })
}

/// The rows of a call, which becomes a part of the statement where they are also counted.
fn called<'p>(out: &mut Fragment, plan: &'p Plan<'_>, call: &'p Call<'_>) -> Page<'p> {
    let mut page = Page::of(plan, Results::Call(call));
    page.each = if call.is_scalar() { Each::Value } else { Each::Object };
    page.many = if call.function.returns_set { Many::Several } else { Many::One };
    if counted(plan).is_some() {
        call::source(out, call, page.node, page.premise());
        page.scope.results = Results::Named;
    }
    page
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
    let returned = page.returned().filter(|_| mutate::computes(mutation, page.scope));
    let origin = if returned.is_some() { mutate::Origin::Mutation } else { mutate::Origin::Source };
    page.facts.extend(mutate::inserted(mutation, origin));
    let layout = match returned {
        Some(layout) => {
            let values = if matches!(page.body, Body::Columns) { Values::Binary } else { Values::Text };
            let (premise, facts) = (page.premise(), page.expressions());
            mutate::returning(&mut out, mutation, page.node, values, premise, &facts, page.scope);
            layout
        }
        None => {
            mutate::source(&mut out, mutation, &mutation.returned, page.node, page.premise(), page.scope);
            page.write(&mut out)
        }
    };
    Statement { fragment: out, layout, facts: page.facts() }
}

/// The statement with all that it gives in one row, made by PostgreSQL as PostgREST has it made: whoever reads
/// plans looks for this aggregate at their top. What is below it is what runs.
fn explained(out: &mut Fragment, plan: &Plan<'_>, explain: &Explain) {
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
    let page = match &plan.operation {
        Operation::Read(_) => Page::of(plan, Results::None),
        Operation::Call(call, _) => called(out, plan, call),
        Operation::Mutation(mutation, node) => {
            let page = Page::of(plan, Results::Named);
            if matches!(plan.body, Body::Nothing) {
                mutate::source(out, mutation, &Returned::default(), node, None, page.scope);
                out.sql("SELECT NULL, pg_catalog.count(*), '' FROM ").identifier(SOURCE);
                return;
            }
            mutate::source(out, mutation, &mutation.returned, node, page.premise(), page.scope);
            page
        }
    };
    out.sql("SELECT ");
    match counted(plan) {
        None => {
            out.sql("NULL");
        }
        Some(limit) => {
            out.sql("(");
            total(out, page.node, limit, page.scope);
            out.sql(")");
        }
    }
    out.sql(", ");
    page.aggregate(out);
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
        let mut out = Fragment::new();
        out.sql("EXPLAIN (FORMAT JSON) SELECT");
        existing(&mut out, plan.operation.node(), None, Scope::of(plan, Results::None));
        out
    };
    Some(match (plan.count?, counted(plan)) {
        (prefer::Count::Planned, _) => Count::Planned(planned()),
        (prefer::Count::Estimated, _) => {
            Count::Estimated { planned: planned(), limit: plan.config.db_max_rows }
        }
        (prefer::Count::Exact, None) => Count::Rows,
        (prefer::Count::Exact, Some(_)) => Count::Fact,
    })
}

/// Counts the rows without limit and offset, but no more than `limit`.
fn total(out: &mut Fragment, node: &Node<'_>, limit: Option<u64>, scope: Scope<'_>) {
    match limit {
        None => {
            out.sql("SELECT pg_catalog.count(*) AS \"total\"");
            existing(out, node, None, scope);
        }
        Some(limit) => {
            out.sql("SELECT pg_catalog.count(*) AS \"total\" FROM (SELECT");
            existing(out, node, None, scope);
            out.sql(" LIMIT ").integer(limit).sql(") AS \"counted\"");
        }
    }
}

/// Begins the part of a statement that its rest finds rows in.
pub(super) fn with_source(out: &mut Fragment, write: impl FnOnce(&mut Fragment)) {
    out.sql("WITH ").identifier(SOURCE).sql(" AS (");
    write(out);
    out.sql(") ");
}
