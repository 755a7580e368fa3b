//! Embeds in rows that a mutation or a call gave, where Citus keeps the embedded relation. Its workers are not sent a
//! subquery for each of those rows, so the embed is read once, with the keys of all of them, and joined by its key:
//!
//! ```sql
//! LEFT JOIN (SELECT "authors"."name" AS "name", "authors"."id" AS "pgduet_key1" FROM "api"."authors" AS "authors"
//!            WHERE ("authors"."id") IN (SELECT "author_id" FROM "pgduet_source")) AS "authors_1"
//!     ON "authors_1"."pgduet_key1" = "books"."author_id"
//! ```
//!
//! What has an order or a range of its own for each row above, or is in groups, stays a subquery, which Citus refuses.

use super::{Link, Place, Rows, equal_columns, rows};
use crate::{
    plan::tree::{self, Arity, Embed, Form, Node, Source},
    request::{range::Range, select::Join},
    sql::{
        Fragment, SOURCE,
        column::{Aggregates, Cell, Cells, Values},
        statement::{Results, Scope},
    },
};

/// What the rows of an embed become, together.
pub(in crate::sql) const ROWS: &str = "pgduet_rows";

/// Whether an embed is read once for all rows above.
pub(in crate::sql) fn is_apart(embed: &Embed<'_>, above: &Node<'_>, scope: Scope<'_>) -> bool {
    let (Source::Result, Results::Named) = (above.source, scope.results) else { return false };
    let is_kept = embed.node.shape.relation().is_some_and(|relation| relation.is_distributed);
    let is_linked = match embed.link {
        tree::Link::Columns(_) | tree::Link::Junction { .. } => true,
        tree::Link::Computed(_) => false,
    };
    let is_shown = match embed.form {
        Form::Key | Form::Spread => true,
        Form::Count | Form::Hidden => false,
    };
    let is_plain = embed.arity == Arity::ToOne || embed.node.order.is_empty();
    is_kept
        && is_linked
        && is_shown
        && is_plain
        && embed.node.range == Range::default()
        && !Cells::of(&embed.node, Aggregates::of(embed)).are_groups()
}

/// Columns here, and the columns above that they are equal to.
fn keys<'p>(link: Link<'p>, node: &'p Node<'p>) -> impl Iterator<Item = ((&'p str, &'p str), &'p str)> {
    let pairs = equal_columns(&link, node).into_iter();
    pairs.filter_map(move |[one, other]| (one.0 == link.above.alias).then_some((other, one.1)))
}

fn key(number: usize) -> String {
    format!("pgduet_key{number}")
}

/// Ends the select list of the embed's rows with the keys that they belong to.
pub(super) fn select_keys(out: &mut Fragment, link: Link<'_>, node: &Node<'_>) {
    out.separated(", ", (1..).zip(keys(link, node)), |out, (number, (here, _))| {
        out.qualified(here.0, here.1).sql(" AS ").identifier(&key(number));
    });
}

/// Writes that rows belong to one of those above.
pub(super) fn is_of_those_above(out: &mut Fragment, link: Link<'_>, node: &Node<'_>) {
    out.sql("(");
    out.separated(", ", keys(link, node), |out, (here, _)| {
        out.qualified(here.0, here.1);
    });
    out.sql(") IN (SELECT ");
    out.separated(", ", keys(link, node), |out, (_, above)| {
        out.identifier(above);
    });
    out.sql(" FROM ").identifier(SOURCE).sql(")");
}

/// Joins an embed to the rows above.
pub(super) fn join(out: &mut Fragment, link: Link<'_>, values: Values, scope: Scope<'_>) {
    let Link { embed, above } = link;
    let node = &embed.node;
    out.sql(match (embed.join, embed.arity) {
        (Join::Inner, Arity::ToOne) => " INNER JOIN (",
        (Join::Left, _) | (Join::Inner, Arity::ToMany) => " LEFT JOIN (",
    });
    let wanted = Rows { values, link: Some(link), facts: &[], place: Place::Apart };
    match embed.arity {
        Arity::ToOne => rows(out, node, wanted, scope),
        Arity::ToMany => {
            out.sql("SELECT ");
            let each_key = |out: &mut Fragment| {
                out.separated(", ", (1..).zip(keys(link, node)), |out, (number, _)| {
                    out.qualified(&embed.join_alias, &key(number));
                });
            };
            each_key(out);
            match embed.form {
                Form::Spread => {
                    for cell in Cells::of(node, Aggregates::Here).0 {
                        out.sql(", pg_catalog.json_agg(").qualified(&embed.join_alias, cell.key);
                        out.sql(") AS ").identifier(cell.key);
                    }
                }
                Form::Key | Form::Count | Form::Hidden => {
                    out.sql(match values {
                        Values::Binary => ", pg_catalog.array_send(pg_catalog.array_agg(",
                        Values::Plain | Values::Record | Values::Text | Values::Whole => {
                            ", pg_catalog.json_agg("
                        }
                    });
                    object(out, embed, values);
                    out.sql(if values == Values::Binary { ")) AS " } else { ") AS " }).identifier(ROWS);
                }
            }
            out.sql(" FROM (");
            rows(out, node, wanted, scope);
            out.sql(") AS ").identifier(&embed.join_alias).sql(" GROUP BY ");
            each_key(out);
        }
    }
    out.sql(") AS ").identifier(&embed.join_alias).sql(" ON ");
    out.separated(" AND ", (1..).zip(keys(link, node)), |out, (number, (_, column))| {
        out.qualified(&embed.join_alias, &key(number)).sql(" = ").qualified(&above.alias, column);
    });
}

/// What a function of PostgreSQL's takes at most, in keys and their values.
const MOST_KEYS: usize = 50;

/// The object of a row that is there, key by key, or its record. Citus makes the query of an inner join plain before it
/// writes it for its workers, and the names of the row's columns are lost with the subquery that gave them.
pub(in crate::sql) fn object(out: &mut Fragment, embed: &Embed<'_>, values: Values) {
    let cells = Cells::of(&embed.node, Aggregates::Here).0;
    if values == Values::Binary {
        out.sql("ROW(");
        out.separated(", ", &cells, |out, cell| {
            out.qualified(&embed.join_alias, cell.key);
        });
        out.sql(")");
        return;
    }
    let part = |out: &mut Fragment, cells: &[_]| {
        out.sql("pg_catalog.json_build_object(");
        out.separated(", ", cells, |out, cell: &Cell<'_>| {
            out.text(cell.key).sql("::pg_catalog.text, ").qualified(&embed.join_alias, cell.key);
        });
        out.sql(")");
    };
    if cells.len() <= MOST_KEYS {
        return part(out, &cells);
    }
    // Several objects, without the braces between them.
    out.sql("pg_catalog.concat('{', ");
    out.separated(", ', ', ", cells.chunks(MOST_KEYS), |out, cells| {
        out.sql("pg_catalog.substr(pg_catalog.left(");
        part(out, cells);
        out.sql("::pg_catalog.text, -1), 2)");
    });
    out.sql(", '}')::pg_catalog.json");
}

/// Writes what is made of a to-one embed, which has no value where no row was found.
pub(in crate::sql) fn one(out: &mut Fragment, embed: &Embed<'_>, values: Values) {
    out.sql("CASE WHEN ").qualified(&embed.join_alias, &key(1)).sql(" IS NOT NULL THEN ");
    if values == Values::Binary {
        out.sql("pg_catalog.record_send(");
    }
    object(out, embed, values);
    out.sql(if values == Values::Binary { ") END" } else { " END" });
}
