//! Reads: the rows of a level with what is embedded in it. To-one embeds are
//! lateral joins, which PostgreSQL can turn into hash joins; to-many embeds
//! are subqueries in the select list, which it computes after sorting and
//! limiting; embeds that only filter are `EXISTS`.

use super::{
    Count, Fact, Fragment, Layout, Statement,
    column::{Cell, Values, cells, is_grouped},
    filter::{condition, order_term},
};
use crate::{
    catalog::Catalog,
    media::Nulls,
    plan::{
        Operation, Plan,
        negotiate::Body,
        tree::{self, Arity, Embed, Form, Item, Node, Source},
    },
    request::{prefer, range::Range, select::Join},
    sql::Encoder,
};

/// What `rows` writes besides the node itself.
pub(super) struct Rows<'p> {
    /// In which form the values are wanted.
    pub(super) values: Values,
    /// The embed that the rows are those of.
    pub(super) link: Option<Link<'p>>,
    /// More expressions, at the end of the select list.
    pub(super) facts: &'p [&'static str],
}

/// An embed and the level that it is embedded in.
#[derive(Clone, Copy)]
pub(super) struct Link<'p> {
    pub(super) embed: &'p Embed<'p>,
    pub(super) above: &'p Node<'p>,
}

/// The statement of a plan, and what its rows become.
pub fn statement(plan: &Plan<'_>) -> Statement {
    let Operation::Read(node) = &plan.operation;
    let mut out = Fragment::new();
    let counted = counted(plan);
    let mut facts: &[&'static str] = &[];
    if let Some(limit) = &counted {
        // One snapshot for page and total, and a row for the total where the page is empty.
        facts = &["TRUE AS \"present\""];
        out.sql("SELECT \"page\".*, \"count\".\"total\" FROM (");
        total(&mut out, node, *limit, plan.catalog);
        out.sql(") AS \"count\" LEFT JOIN (");
    }
    let layout = page(&mut out, node, &plan.body, facts, plan.catalog);
    if counted.is_some() {
        out.sql(") AS \"page\" ON TRUE");
    }
    let facts = counted.map(|_| vec![Fact::Present, Fact::Total]).unwrap_or_default();
    Statement { fragment: out, layout, facts }
}

/// Up to how many rows the statement counts, if it counts: `None` for all.
fn counted(plan: &Plan<'_>) -> Option<Option<u64>> {
    let is_whole = plan.operation.node().range == Range::default();
    match (plan.count?, plan.config.db_max_rows) {
        (prefer::Count::Exact | prefer::Count::Estimated, _) if is_whole => None,
        (prefer::Count::Exact, _) | (prefer::Count::Estimated, None) => Some(None),
        (prefer::Count::Estimated, Some(max)) => Some(Some(max.saturating_add(1))),
        (prefer::Count::Planned, _) => None,
    }
}

/// How the total is found, where it was asked for.
pub fn count(plan: &Plan<'_>) -> Option<Count> {
    let planned = || {
        let mut out = Fragment::new();
        out.sql("EXPLAIN (FORMAT JSON) SELECT");
        existing(&mut out, plan.operation.node(), None, plan.catalog);
        out
    };
    Some(match (plan.count?, counted(plan), plan.config.db_max_rows) {
        (prefer::Count::Planned, _, _) => Count::Planned(planned()),
        (prefer::Count::Exact | prefer::Count::Estimated, None, _) => Count::Rows,
        (prefer::Count::Estimated, Some(_), Some(limit)) => Count::Estimated { planned: planned(), limit },
        (prefer::Count::Exact, Some(_), _) | (prefer::Count::Estimated, Some(_), None) => Count::Fact,
    })
}

/// Counts the rows without limit and offset, but no more than `limit`.
fn total(out: &mut Fragment, node: &Node<'_>, limit: Option<u64>, catalog: &Catalog) {
    match limit {
        None => {
            out.sql("SELECT count(*) AS \"total\"");
            existing(out, node, None, catalog);
        }
        Some(limit) => {
            out.sql("SELECT count(*) AS \"total\" FROM (SELECT");
            existing(out, node, None, catalog);
            out.sql(" LIMIT ").text(limit.to_string()).sql(") AS \"counted\"");
        }
    }
}

/// Writes the rows in the form that the body asks for.
fn page(
    out: &mut Fragment,
    node: &Node<'_>,
    body: &Body<'_>,
    facts: &[&'static str],
    catalog: &Catalog,
) -> Layout {
    let columns = || cells(node).iter().map(|cell| cell.column(catalog)).collect::<Vec<_>>();
    let names = || cells(node).iter().map(|cell| cell.key.to_owned()).collect();
    let plain = Rows { values: Values::Plain, link: None, facts: &[] };
    match body {
        Body::Array(Nulls::Kept) | Body::Object(Nulls::Kept) => {
            if is_grouped(node) {
                groups(out, node, facts, catalog);
            } else {
                rows(out, node, Rows { values: Values::Text, link: None, facts }, catalog);
            }
            match body.is_singular() {
                true => Layout::Object(columns()),
                false => Layout::Array(columns()),
            }
        }
        Body::Array(Nulls::Stripped) | Body::Object(Nulls::Stripped) => {
            out.sql("SELECT json_strip_nulls(row_to_json(\"row\".*))::text");
            also(out, facts);
            out.sql(" FROM (");
            rows(out, node, plain, catalog);
            out.sql(") AS \"row\"");
            match body.is_singular() {
                true => Layout::Scalar(Encoder::Verbatim),
                false => Layout::Scalars(Encoder::Verbatim),
            }
        }
        Body::Csv => {
            // A row's text is its values as CSV, in parentheses.
            out.sql("SELECT substr((\"row\".*)::text, 2, length((\"row\".*)::text) - 2)");
            also(out, facts);
            out.sql(" FROM (");
            rows(out, node, plain, catalog);
            out.sql(") AS \"row\"");
            Layout::Csv(names())
        }
        Body::Columns => {
            rows(out, node, Rows { values: Values::Binary, link: None, facts }, catalog);
            Layout::Columns
        }
        Body::Nothing | Body::Handler(_) => {
            rows(out, node, Rows { values: Values::Text, link: None, facts }, catalog);
            Layout::Nothing
        }
    }
}

/// Groups, whose values become text only when they are complete.
fn groups(out: &mut Fragment, node: &Node<'_>, facts: &[&'static str], catalog: &Catalog) {
    let cells = cells(node);
    out.sql("SELECT ");
    out.separated(", ", cells.iter().enumerate(), |out, (at, cell)| {
        out.sql(cell.text_open(catalog)).sql("\"group\".").identifier(&format!("c{at}")).sql(")::text");
    });
    also(out, facts);
    out.sql(" FROM (");
    rows(out, node, Rows { values: Values::Plain, link: None, facts: &[] }, catalog);
    out.sql(") AS \"group\"(");
    out.separated(", ", 0..cells.len(), |out, at| {
        out.identifier(&format!("c{at}"));
    });
    out.sql(")");
}

fn also(out: &mut Fragment, facts: &[&'static str]) {
    for fact in facts {
        out.sql(", ").sql(fact);
    }
}

/// A level: select list, source, joins, conditions, groups, order, range.
pub(super) fn rows(out: &mut Fragment, node: &Node<'_>, wanted: Rows<'_>, catalog: &Catalog) {
    let cells = cells(node);
    out.sql("SELECT");
    select_list(out, node, &cells, &wanted, catalog);
    from(out, node, wanted.link);
    for item in &node.items {
        if let Item::Embed(embed) = item {
            join(out, embed, node, wanted.values.nested(), catalog);
        }
    }
    conditions(out, node, wanted.link, Joined::Yes, catalog);
    if is_grouped(node) {
        group_by(out, &cells);
    }
    if !node.order.is_empty() {
        out.sql(" ORDER BY ");
        out.separated(", ", &node.order, |out, term| order_term(out, term, node, catalog));
    }
    if let Some(limit) = node.range.limit {
        out.sql(" LIMIT ").text(limit.to_string());
    }
    if node.range.offset > 0 {
        out.sql(" OFFSET ").text(node.range.offset.to_string());
    }
}

fn select_list(
    out: &mut Fragment,
    node: &Node<'_>,
    cells: &[Cell<'_>],
    wanted: &Rows<'_>,
    catalog: &Catalog,
) {
    let mut separator = " ";
    if cells.is_empty() && wanted.link.is_some() {
        // Nothing is taken from it, but it may be ordered by.
        out.sql(" ").identifier(&node.alias).sql(".*");
        separator = ", ";
    }
    for cell in cells {
        out.sql(separator);
        cell.write(out, node, wanted.values, catalog);
        separator = ", ";
    }
    for fact in wanted.facts {
        out.sql(separator).sql(fact);
        separator = ", ";
    }
}

/// By what is not an aggregate, by its position in the select list.
fn group_by(out: &mut Fragment, cells: &[Cell<'_>]) {
    let mut separator = " GROUP BY ";
    for (at, _) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_aggregate()) {
        out.sql(separator).position(at + 1);
        separator = ", ";
    }
}

fn from(out: &mut Fragment, node: &Node<'_>, link: Option<Link<'_>>) {
    out.sql(" FROM ");
    match (node.source, link.map(|link| (&link.embed.link, link.above))) {
        (Source::Relation(relation), _) => out.qualified(&relation.schema, &relation.name),
        (Source::Result, _) => out.identifier(super::SOURCE),
        (Source::Computed(function), Some((tree::Link::Computed(row), above))) => {
            // The type decides between functions of one name.
            out.qualified(&function.schema, &function.name).sql("((").identifier(&above.alias).sql(".*)::");
            out.qualified(&row.schema, &row.name).sql(")")
        }
        (Source::Computed(function), _) => out.qualified(&function.schema, &function.name).sql("()"),
    };
    out.sql(" AS ").identifier(&node.alias);
    if let Some(tree::Link::Junction { relation, alias, .. }) = link.map(|link| &link.embed.link) {
        out.sql(", ").qualified(&relation.schema, &relation.name).sql(" AS ").identifier(alias);
    }
}

/// Whether an embed stands among the joins of its level.
fn is_joined(embed: &Embed<'_>, above: &Node<'_>) -> bool {
    let is_embed =
        |item: usize| matches!(above.items.get(item), Some(Item::Embed(found)) if std::ptr::eq(found, embed));
    match (embed.form, embed.arity) {
        (Form::Hidden, _) => above.order.iter().filter_map(|term| term.embed).any(is_embed),
        (Form::Key | Form::Spread, Arity::ToOne) | (Form::Spread, Arity::ToMany) => true,
        (Form::Key, Arity::ToMany) => false,
    }
}

fn join(out: &mut Fragment, embed: &Embed<'_>, above: &Node<'_>, values: Values, catalog: &Catalog) {
    if !is_joined(embed, above) {
        return;
    }
    out.sql(match (embed.join, embed.arity) {
        (Join::Inner, Arity::ToOne) => " INNER JOIN LATERAL (",
        (Join::Left, _) | (Join::Inner, Arity::ToMany) => " LEFT JOIN LATERAL (",
    });
    let wanted = Rows { values, link: Some(Link { embed, above }), facts: &[] };
    match embed.arity {
        Arity::ToOne => rows(out, &embed.node, wanted, catalog),
        Arity::ToMany => {
            out.sql("SELECT ");
            out.separated(", ", cells(&embed.node), |out, cell| {
                out.sql("coalesce(json_agg(").qualified(&embed.join_alias, cell.key).sql("), '[]') AS ");
                out.identifier(cell.key);
            });
            out.sql(" FROM (");
            rows(out, &embed.node, wanted, catalog);
            out.sql(") AS ").identifier(&embed.join_alias);
        }
    }
    out.sql(") AS ").identifier(&embed.join_alias).sql(" ON TRUE");
}

/// Whether embeds are joined to the level, or only looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joined {
    Yes,
    No,
}

/// `WHERE`: what belongs to the row above, what was asked for, and that inner
/// embeds have rows where the join does not see to it.
fn conditions(
    out: &mut Fragment,
    node: &Node<'_>,
    link: Option<Link<'_>>,
    joined: Joined,
    catalog: &Catalog,
) {
    let mut separator = " WHERE ";
    let mut and = |out: &mut Fragment| {
        out.sql(separator);
        separator = " AND ";
    };
    if let Some(link) = link {
        for [one, other] in equal_columns(&link, node) {
            and(out);
            out.qualified(one.0, one.1).sql(" = ").qualified(other.0, other.1);
        }
    }
    for found in &node.conditions {
        and(out);
        condition(out, found, node, catalog);
    }
    for item in &node.items {
        let Item::Embed(embed) = item else { continue };
        let by_join = joined == Joined::Yes && embed.arity == Arity::ToOne && is_joined(embed, node);
        if embed.join == Join::Inner && !by_join {
            and(out);
            out.sql("EXISTS (");
            exists(out, embed, node, catalog);
            out.sql(")");
        }
    }
}

/// Pairs of columns, each with its alias, that are equal in rows that belong together.
fn equal_columns<'p>(link: &Link<'p>, node: &'p Node<'p>) -> Vec<[(&'p str, &'p str); 2]> {
    let pairs = |columns: &'p [(String, String)], one: &'p str, other: &'p str| {
        columns.iter().map(move |(here, there)| [(one, here.as_str()), (other, there.as_str())])
    };
    match &link.embed.link {
        tree::Link::Columns(columns) => pairs(columns, &link.above.alias, &node.alias).collect(),
        tree::Link::Junction { alias, above, here, .. } => {
            pairs(above, &link.above.alias, alias).chain(pairs(here, alias, &node.alias)).collect()
        }
        tree::Link::Computed(_) => Vec::new(),
    }
}

/// The rows of an embed, for asking whether there are any.
pub(super) fn exists(out: &mut Fragment, embed: &Embed<'_>, above: &Node<'_>, catalog: &Catalog) {
    out.sql("SELECT");
    existing(out, &embed.node, Some(Link { embed, above }), catalog);
    let Range { offset, limit } = embed.node.range;
    if limit == Some(0) {
        out.sql(" LIMIT 0");
    }
    if offset > 0 {
        out.sql(" OFFSET ").text(offset.to_string());
    }
}

/// Source and conditions of all the rows of a level.
fn existing(out: &mut Fragment, node: &Node<'_>, link: Option<Link<'_>>, catalog: &Catalog) {
    from(out, node, link);
    conditions(out, node, link, Joined::No, catalog);
}
