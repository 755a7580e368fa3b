//! The statement of a plan: what the operation does, the rows in the form that
//! the body asks for, and the total where it comes along.

use super::{
    Count, Fact, Fragment, Layout, SOURCE, Statement, call,
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
        mutate::Mutation,
        negotiate::{Body, Explain},
        transaction::Formats,
        tree::Node,
    },
    request::{prefer, range::Range},
};

/// What names in a statement can stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'p> {
    pub(super) catalog: &'p Catalog,
    pub(super) results: Results<'p>,
    pub(super) formats: Formats,
}

impl<'p> Scope<'p> {
    pub(super) fn of(plan: &'p Plan<'_>, results: Results<'p>) -> Self {
        Scope { catalog: plan.catalog, results, formats: plan.transaction.formats }
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
    page.counted = counted(plan);
    let Some(limit) = page.counted.filter(|_| !page.is_made()) else {
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
        let mut out = Fragment::new();
        out.sql("EXPLAIN (FORMAT JSON) SELECT");
        existing(&mut out, plan.operation.node(), None, Scope::of(plan, Results::None));
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
pub(super) fn total(out: &mut Fragment, node: &Node<'_>, limit: Option<u64>, scope: Scope<'_>) {
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

/// Begins the part of a statement that its rest finds rows in.
pub(super) fn with_source(out: &mut Fragment, write: impl FnOnce(&mut Fragment)) {
    out.sql("WITH ").identifier(SOURCE).sql(" AS (");
    write(out);
    out.sql(") ");
}
