//! Reads: the rows of a level with what is embedded in it. To-one embeds are
//! lateral joins, which PostgreSQL can turn into hash joins; to-many embeds
//! are subqueries in the select list, which it computes after sorting and
//! limiting; embeds that only filter are `EXISTS`.

mod apart;

pub(super) use apart::{ROWS, is_apart, object, one};

use super::{
    Fragment, ROW, SOURCE,
    call::function,
    column::{Aggregates, Cells, Values},
    filter::{column, condition, order_term},
    premise::{Kinds, Premise},
    statement::{Results, Scope},
};
use crate::{
    plan::tree::{self, Arity, Embed, Form, Item, Node, Source},
    request::{range::Range, select::Join},
};

/// What `rows` writes besides the node itself.
pub(super) struct Rows<'p> {
    /// In which form the values are wanted.
    pub(super) values: Values,
    /// The embed that the rows are those of.
    pub(super) link: Option<Link<'p>>,
    /// More expressions, at the end of the select list.
    pub(super) facts: &'p [&'static str],
    /// How the rows find those above.
    pub(super) place: Place,
}

/// How the rows of an embed find the rows that they belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// They are read for each row above.
    Within,
    /// They are read once for all rows above, each with the key that it belongs to: see [`apart`].
    Apart,
}

/// An embed and the level that it is embedded in.
#[derive(Clone, Copy)]
pub(super) struct Link<'p> {
    pub(super) embed: &'p Embed<'p>,
    pub(super) above: &'p Node<'p>,
}

impl Rows<'_> {
    /// Rows within rows are JSON when they come, unless their columns are among those of the level above.
    fn kinds(&self) -> Kinds {
        match self.link.map(|link| link.embed.form) {
            None | Some(Form::Spread) => Kinds::Matter,
            Some(Form::Key | Form::Count | Form::Hidden) => Kinds::DoNotMatter,
        }
    }

    /// What these rows take for granted: of binary columns their sink looks at the types, whole rows pass
    /// as they are, and what a part of the statement gave has been looked at there.
    fn premise<'n>(&self, node: &'n Node<'n>, scope: Scope<'n>) -> Option<Premise<'n>> {
        match (self.values, node.source, scope.results) {
            (Values::Binary | Values::Whole, ..) | (_, Source::Result, Results::Named) => None,
            (Values::Plain | Values::Record | Values::Text, ..) => Premise::of(node, self.kinds(), scope),
        }
    }
}

/// A level: select list, source, joins, conditions, groups, order, range.
pub(super) fn rows(out: &mut Fragment, node: &Node<'_>, wanted: Rows<'_>, scope: Scope<'_>) {
    let above = wanted.link.map(|link| Aggregates::of(link.embed));
    let cells = Cells::of(node, above.unwrap_or(Aggregates::Here));
    out.sql("SELECT");
    select_list(out, node, &cells, &wanted, scope);
    from(out, node, wanted.link, scope);
    for item in &node.items {
        if let Item::Embed(embed) = item {
            join(out, embed, node, wanted.values.nested(), scope);
        }
    }
    conditions(out, node, wanted.link, Joined::Yes(wanted.premise(node, scope), wanted.place), scope);
    if cells.are_groups() {
        group_by(out, node, &cells);
    }
    if !node.order.is_empty() {
        out.sql(" ORDER BY ");
        out.separated(", ", &node.order, |out, term| order_term(out, term, node, scope));
    }
    if let Some(limit) = node.range.limit {
        out.sql(" LIMIT ").integer(limit);
    }
    if !node.range.offset.is_zero() {
        out.sql(" OFFSET ").number(node.range.offset);
    }
}

fn select_list(out: &mut Fragment, node: &Node<'_>, cells: &Cells<'_>, wanted: &Rows<'_>, scope: Scope<'_>) {
    if wanted.values == Values::Whole {
        whole_row(out.sql(" "), node, scope);
        return;
    }
    let mut separator = " ";
    if cells.0.is_empty() && wanted.link.is_some() {
        // Nothing is taken from it, but it may be ordered by.
        out.sql(" ").identifier(&node.alias).sql(".*");
        separator = ", ";
    }
    for cell in &cells.0 {
        out.sql(separator);
        cell.write(out, node, wanted.values, scope);
        separator = ", ";
    }
    for fact in wanted.facts {
        out.sql(separator).sql(fact);
        separator = ", ";
    }
    if let (Some(link), Place::Apart) = (wanted.link, wanted.place) {
        apart::select_keys(out.sql(separator), link, node);
    }
}

/// Every column of the row.
fn whole_row(out: &mut Fragment, node: &Node<'_>, scope: Scope<'_>) {
    match (node.source, scope.results) {
        (Source::Result, Results::Named) => out.sql("(").qualified(&node.alias, ROW).sql(").*"),
        (Source::Result | Source::Relation(_) | Source::Computed(_), _) => {
            out.identifier(&node.alias).sql(".*")
        }
    };
}

/// By what is not an aggregate, by its position in the select list unless it has a key of its own.
fn group_by(out: &mut Fragment, node: &Node<'_>, cells: &Cells<'_>) {
    let mut separator = " GROUP BY ";
    for (at, cell) in cells.0.iter().enumerate().filter(|(_, cell)| !cell.is_aggregate()) {
        out.sql(separator);
        match cell.group_key() {
            Some(key) => column(out, &node.alias, key),
            None => {
                out.position(at + 1);
            }
        }
        separator = ", ";
    }
}

fn from(out: &mut Fragment, node: &Node<'_>, link: Option<Link<'_>>, scope: Scope<'_>) {
    out.sql(" FROM ");
    match (node.source, link.map(|link| (&link.embed.link, link.above))) {
        (Source::Relation(relation), _) => out.qualified(&relation.schema, &relation.name),
        (Source::Result, _) => match scope.results {
            Results::Call(call) => function(out, call),
            Results::Named | Results::None => out.identifier(SOURCE),
        },
        (Source::Computed(function), Some((tree::Link::Computed(row), above))) => {
            out.qualified(&function.schema, &function.name).sql("(");
            match (above.source, scope.results) {
                (Source::Result, Results::Named) => out.qualified(&above.alias, ROW),
                // The type decides between functions of one name.
                _ => out.sql("(").identifier(&above.alias).sql(".*)::").qualified(&row.schema, &row.name),
            };
            out.sql(")")
        }
        (Source::Computed(function), _) => out.qualified(&function.schema, &function.name).sql("()"),
    };
    out.sql(" AS ").identifier(&node.alias);
    if let Some(tree::Link::Junction { relation, alias, .. }) = link.map(|link| &link.embed.link) {
        out.sql(", ").qualified(&relation.schema, &relation.name).sql(" AS ").identifier(alias);
    }
}

/// Whether an embed stands among the joins of its level.
fn is_joined(embed: &Embed<'_>, above: &Node<'_>, scope: Scope<'_>) -> bool {
    let is_embed =
        |item: usize| matches!(above.items.get(item), Some(Item::Embed(found)) if std::ptr::eq(found, embed));
    match (embed.form, embed.arity) {
        (Form::Hidden, _) => above.order.iter().filter_map(|term| term.embed).any(is_embed),
        (Form::Key | Form::Spread, Arity::ToOne) | (Form::Spread, Arity::ToMany) => true,
        (Form::Key, Arity::ToMany) => is_apart(embed, above, scope),
        (Form::Count, _) => false,
    }
}

fn join(out: &mut Fragment, embed: &Embed<'_>, above: &Node<'_>, values: Values, scope: Scope<'_>) {
    if !is_joined(embed, above, scope) {
        return;
    }
    if is_apart(embed, above, scope) {
        apart::join(out, Link { embed, above }, values, scope);
        return;
    }
    out.sql(match (embed.join, embed.arity) {
        (Join::Inner, Arity::ToOne) => " INNER JOIN LATERAL (",
        (Join::Left, _) | (Join::Inner, Arity::ToMany) => " LEFT JOIN LATERAL (",
    });
    let wanted = Rows { values, link: Some(Link { embed, above }), facts: &[], place: Place::Within };
    match embed.arity {
        Arity::ToOne => rows(out, &embed.node, wanted, scope),
        Arity::ToMany => {
            out.sql("SELECT ");
            out.separated(", ", Cells::of(&embed.node, Aggregates::Here).0, |out, cell| {
                out.sql("coalesce(pg_catalog.json_agg(")
                    .qualified(&embed.join_alias, cell.key)
                    .sql("), '[]') AS ");
                out.identifier(cell.key);
            });
            out.sql(" FROM (");
            rows(out, &embed.node, wanted, scope);
            out.sql(") AS ").identifier(&embed.join_alias);
        }
    }
    out.sql(") AS ").identifier(&embed.join_alias).sql(" ON TRUE");
}

/// Whether embeds are joined to the level, or only looked for.
enum Joined<'p> {
    /// They are joined, and this is what the level takes for granted.
    Yes(Option<Premise<'p>>, Place),
    No,
}

/// `WHERE`: what belongs to the row above, what was asked for, that inner
/// embeds have rows where the join does not see to it, and the premise.
fn conditions(
    out: &mut Fragment,
    node: &Node<'_>,
    link: Option<Link<'_>>,
    joined: Joined<'_>,
    scope: Scope<'_>,
) {
    let mut separator = " WHERE ";
    let mut and = |out: &mut Fragment| {
        out.sql(separator);
        separator = " AND ";
    };
    if let Some(link) = link {
        let is_apart = matches!(joined, Joined::Yes(_, Place::Apart));
        if is_apart {
            and(out);
            apart::is_of_those_above(out, link, node);
        }
        for [one, other] in equal_columns(&link, node) {
            if is_apart && one.0 == link.above.alias {
                continue;
            }
            and(out);
            out.qualified(other.0, other.1).sql(" = ").qualified(one.0, one.1);
        }
    }
    for found in &node.conditions {
        and(out);
        condition(out, found, &node.alias, node, scope);
    }
    for item in &node.items {
        let Item::Embed(embed) = item else { continue };
        let by_join =
            matches!(joined, Joined::Yes(..)) && embed.arity == Arity::ToOne && is_joined(embed, node, scope);
        if embed.join == Join::Inner && !by_join {
            and(out);
            out.sql("EXISTS (");
            exists(out, embed, node, scope);
            out.sql(")");
        } else if embed.form == Form::Hidden && !is_joined(embed, node, scope) && says_something(&embed.node)
        {
            // Nobody asks whether it has rows, but what is said of them has to be possible. PostgreSQL looks at that
            // and no further.
            and(out);
            out.sql("(TRUE OR EXISTS (");
            let link = Some(Link { embed, above: node });
            rows(
                out,
                &embed.node,
                Rows { values: Values::Plain, link, facts: &[], place: Place::Within },
                scope,
            );
            out.sql("))");
        }
    }
    if let Joined::Yes(Some(premise), _) = joined {
        and(out);
        premise.write(out, &node.alias);
    }
}

/// Whether there are conditions or an order at this level or below.
fn says_something(node: &Node<'_>) -> bool {
    let below = |item: &Item<'_>| matches!(item, Item::Embed(embed) if says_something(&embed.node));
    !node.conditions.is_empty() || !node.order.is_empty() || node.items.iter().any(below)
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

/// The rows of an embed, for asking whether there are any. They go by another name than the rows that are
/// shown, if any are: PostgreSQL would tell them apart by a number, and in plans the plain name is looked for.
pub(super) fn exists(out: &mut Fragment, embed: &Embed<'_>, above: &Node<'_>, scope: Scope<'_>) {
    out.sql("SELECT");
    let mut alias = embed.node.alias.clone();
    if embed.form != Form::Hidden {
        alias.push_str("_any");
    }
    // A relation may be called so, too, and must not be hidden where it is compared with.
    if alias == above.alias {
        alias.push('_');
    }
    let node = Node { alias, ..embed.node.clone() };
    existing(out, &node, Some(Link { embed, above }), scope);
    let Range { offset, limit } = node.range;
    if limit == Some(0) {
        out.sql(" LIMIT 0");
    }
    if !offset.is_zero() {
        out.sql(" OFFSET ").number(offset);
    }
}

/// Source and conditions of all the rows of a level.
pub(super) fn existing(out: &mut Fragment, node: &Node<'_>, link: Option<Link<'_>>, scope: Scope<'_>) {
    from(out, node, link, scope);
    conditions(out, node, link, Joined::No, scope);
}
