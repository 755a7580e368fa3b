//! Mutations: `INSERT`, `UPDATE` and `DELETE`. The body of a request is one
//! parameter, whatever the number of its rows.

mod inserted;
mod objects;
mod single;

pub(super) use inserted::{Origin, inserted};

use super::{
    Fact, Fragment, Layout, SOURCE, Statement,
    call::returned,
    column::{Aggregates, Cells, Values as Form},
    filter::condition,
    premise::Premise,
    statement::{Scope, with_source},
};
use crate::{
    catalog::descriptor::{Column, Identity, Relation},
    plan::{
        mutate::{Change, Conflict, Mutation, Returned, Target, Values},
        tree::{Node, Source},
    },
    request::{
        payload::Rows,
        prefer::{Identities, Missing, Resolution},
    },
};

use inserted::{TO_INSERT, TO_UPDATE, merges};
use objects::{ObjectType, objects};
use single::is_single;

/// What the written values are called within a statement, which PostgreSQL's
/// messages tell, and each object as it came, where keys can be missing.
const BODY: &str = "pgrst_body";
const OBJECT: &str = "pgduet_object";

/// Whether all that the answer has can be computed in the mutation itself. Workers of Citus compute nothing there that
/// depends on settings, such as the text of a date, of rows that are updated or deleted.
pub(super) fn computes(mutation: &Mutation<'_>, scope: Scope<'_>) -> bool {
    match &mutation.change {
        Change::Insert { values, .. } => !is_single(values, mutation.relation, scope),
        Change::Upsert { .. } => true,
        Change::Update(_) | Change::UpdateEach { .. } | Change::Delete => !mutation.relation.is_distributed,
    }
}

/// Whether PostgreSQL says which rule a row breaks only where rows come back: without, Citus copies them to its workers,
/// and errors lose their SQLSTATE.
fn is_copied(mutation: &Mutation<'_>, scope: Scope<'_>) -> bool {
    let relation = mutation.relation;
    match &mutation.change {
        Change::Insert { values, .. } => relation.is_distributed && !is_single(values, relation, scope),
        Change::Upsert { .. } => relation.is_distributed,
        Change::Update(_) | Change::UpdateEach { .. } | Change::Delete => false,
    }
}

/// A mutation whose rows nobody wants to see.
pub(super) fn unseen(
    mut out: Fragment,
    mutation: &Mutation<'_>,
    node: &Node<'_>,
    scope: Scope<'_>,
) -> Statement {
    let mut facts = Vec::new();
    let keys = mutation.location.as_slice();
    let counted = inserted(mutation, Origin::Source);
    if counted.is_none() && mutation.readable == Returned::default() && !is_copied(mutation, scope) {
        change(&mut out, mutation, node, scope, None);
        return Statement { fragment: out, layout: Layout::Nothing, facts };
    }
    // Workers of Citus return no text of what depends on settings.
    let (returned_text, read_text) = match mutation.relation.is_distributed {
        false => (Text::Here, Text::Elsewhere),
        true => (Text::Elsewhere, Text::Here),
    };
    with_source(&mut out, |out| {
        let write = |out: &mut Fragment| {
            for key in keys {
                as_text(out, returned_text, |out| out.qualified(&node.alias, key));
                out.sql(" AS ").identifier(key).sql(", ");
            }
            let mut others = mutation.readable.clone();
            others.names.retain(|name| !keys.contains(&name.as_str()));
            returned(out, &others, &node.alias);
            count(out, mutation);
        };
        change(out, mutation, node, scope, Some(&write));
    });
    out.sql("SELECT pg_catalog.count(*)");
    facts.push(Fact::Rows);
    if let Some((fact, counted)) = counted {
        out.sql(", ").sql(counted);
        facts.push(fact);
    }
    for key in keys {
        // Of one row the largest value is the value.
        out.sql(", pg_catalog.max(");
        as_text(&mut out, read_text, |out| out.identifier(key));
        out.sql(")");
        facts.push(Fact::Key((*key).to_owned()));
    }
    out.sql(" FROM ").identifier(SOURCE);
    Statement { fragment: out, layout: Layout::Nothing, facts }
}

/// Whether a key becomes text.
#[derive(Clone, Copy)]
enum Text {
    Here,
    Elsewhere,
}

/// What `write` writes, as text where this is the place for that.
fn as_text(out: &mut Fragment, here: Text, write: impl FnOnce(&mut Fragment) -> &mut Fragment) {
    match here {
        Text::Here => write(out.sql("pg_catalog.to_json(")).sql(") OPERATOR(pg_catalog.#>>) '{}'"),
        Text::Elsewhere => write(out),
    };
}

/// A mutation that gives its rows by itself.
pub(super) fn returning(
    out: &mut Fragment,
    mutation: &Mutation<'_>,
    node: &Node<'_>,
    form: Form,
    premise: Option<Premise<'_>>,
    facts: &[&'static str],
    scope: Scope<'_>,
) {
    let write = |out: &mut Fragment| {
        out.separated(", ", Cells::of(node, Aggregates::Here).0, |out, cell| {
            cell.write(out, node, form, scope)
        });
        if let Some(premise) = &premise {
            premise.write_column(out, &node.alias);
        }
        for fact in facts {
            out.sql(", ").sql(fact);
        }
    };
    change(out, mutation, node, scope, Some(&write));
}

/// A mutation as a part of the statement that is found by name, with what is needed of its rows.
pub(super) fn source(
    out: &mut Fragment,
    mutation: &Mutation<'_>,
    needed: &Returned,
    node: &Node<'_>,
    premise: Option<Premise<'_>>,
    scope: Scope<'_>,
) {
    with_source(out, |out| {
        let write = |out: &mut Fragment| {
            returned(out, needed, &node.alias);
            if let Some(premise) = &premise {
                premise.write_column(out, &node.alias);
            }
            count(out, mutation);
        };
        change(out, mutation, node, scope, Some(&write));
    });
}

/// Counts the rows that were inserted.
fn count(out: &mut Fragment, mutation: &Mutation<'_>) {
    if let Some((_, count)) = inserted(mutation, Origin::Mutation) {
        out.sql(", ").sql(count).sql(" AS \"pgduet_inserted\"");
    }
}

/// The change itself; `list` writes what comes back of each row, if anything does.
fn change(
    out: &mut Fragment,
    mutation: &Mutation<'_>,
    node: &Node<'_>,
    scope: Scope<'_>,
    list: Option<&dyn Fn(&mut Fragment)>,
) {
    let relation = mutation.relation;
    match &mutation.change {
        Change::Insert { values, conflict } if is_single(values, relation, scope) => {
            into(out, mutation, node, values);
            single::row(out, values, scope);
            on_conflict(out, conflict.as_ref(), values, relation);
        }
        Change::Insert { values, conflict } => {
            insert(out, mutation, node, values, scope);
            on_conflict(out, conflict.as_ref(), values, relation);
        }
        Change::Upsert { values, conflict } => {
            insert(out, mutation, node, values, scope);
            on_conflict(out, Some(conflict), values, relation);
        }
        Change::Update(values) if values.columns.is_empty() => {
            // SQL has no update of nothing; what has the same columns and no rows is a read.
            out.sql("SELECT ");
            if let Some(list) = list {
                list(out);
            }
            out.sql(" FROM ").qualified(&relation.schema, &relation.name).sql(" AS ");
            out.identifier(&node.alias).sql(" WHERE FALSE");
            return;
        }
        Change::Update(values) if is_single(values, relation, scope) => {
            out.sql("UPDATE ").qualified(&relation.schema, &relation.name).sql(" AS ");
            out.identifier(&node.alias).sql(" SET ");
            single::set(out, values, scope);
            conditions(out, mutation, node, &node.alias, scope);
        }
        Change::Update(values) => {
            out.sql("UPDATE ").qualified(&relation.schema, &relation.name).sql(" AS ");
            out.identifier(&node.alias).sql(" SET ");
            let mut ahead = Vec::new();
            out.separated(", ", &values.columns, |out, target| {
                out.identifier(&target.column.name).sql(" = ");
                // All rows take the same.
                let otherwise = otherwise(target, values, relation).ahead(target, &mut ahead);
                value(out, target, values, otherwise, Some(&node.alias), scope);
            });
            out.sql(" FROM ");
            objects(out, values, &ahead, relation);
            conditions(out, mutation, node, &node.alias, scope);
        }
        Change::UpdateEach { values, key } => {
            let alias = &node.alias;
            out.sql("UPDATE ").qualified(&relation.schema, &relation.name).sql(" AS ");
            out.identifier(alias).sql(" SET ");
            let otherwise = match values.missing {
                Missing::Default => Otherwise::Kept(alias),
                Missing::Null => Otherwise::Null,
            };
            let written = values.columns.iter().filter(|target| !key.contains(&target.column.name));
            out.separated(", ", written, |out, target| {
                out.identifier(&target.column.name).sql(" = ");
                value(out, target, values, otherwise, Some(alias), scope);
            });
            out.sql(" FROM ");
            objects(out, values, &[], relation);
            out.sql(" WHERE ");
            out.separated(" AND ", key, |out, key| {
                out.qualified(alias, key).sql(" = ").qualified(BODY, key);
            });
        }
        Change::Delete => {
            out.sql("DELETE FROM ").qualified(&relation.schema, &relation.name).sql(" AS ");
            out.identifier(&node.alias);
            conditions(out, mutation, node, &node.alias, scope);
        }
    }
    if let Some(list) = list {
        out.sql(" RETURNING ");
        list(out);
    }
}

fn insert(
    out: &mut Fragment,
    mutation: &Mutation<'_>,
    node: &Node<'_>,
    values: &Values<'_>,
    scope: Scope<'_>,
) {
    into(out, mutation, node, values);
    let relation = mutation.relation;
    out.sql(" SELECT ");
    let mut ahead = Vec::new();
    out.separated(", ", &values.columns, |out, target| {
        let otherwise = otherwise(target, values, relation);
        let otherwise = match values.rows {
            Rows::One => otherwise,
            Rows::Many => otherwise.ahead(target, &mut ahead),
        };
        value(out, target, values, otherwise, None, scope);
    });
    out.sql(" FROM ");
    objects(out, values, &ahead, relation);
    conditions(out, mutation, node, BODY, scope);
    if merges(&mutation.change) && !relation.is_distributed {
        out.sql(if mutation.conditions.is_empty() { " WHERE " } else { " AND " }).sql(TO_INSERT);
    }
}

/// Into which columns of what rows are inserted.
fn into(out: &mut Fragment, mutation: &Mutation<'_>, node: &Node<'_>, values: &Values<'_>) {
    let relation = mutation.relation;
    out.sql("INSERT INTO ").qualified(&relation.schema, &relation.name).sql(" AS ").identifier(&node.alias);
    if !values.columns.is_empty() {
        out.sql("(");
        out.separated(", ", &values.columns, |out, target| {
            out.identifier(&target.column.name);
        });
        out.sql(")");
    }
    if values.identities == Identities::Given && values.columns.iter().any(is_identity) {
        out.sql(" OVERRIDING SYSTEM VALUE");
    }
}

/// `WHERE`, of the rows called `alias`.
fn conditions(out: &mut Fragment, mutation: &Mutation<'_>, node: &Node<'_>, alias: &str, scope: Scope<'_>) {
    if mutation.conditions.is_empty() {
        return;
    }
    // Conditions on related rows are about the rows as they are before the change.
    let before = Node {
        source: Source::Relation(mutation.relation),
        alias: alias.to_owned(),
        items: Vec::new(),
        conditions: Vec::new(),
        order: Vec::new(),
        ..*node
    };
    out.sql(" WHERE ");
    out.separated(" AND ", &mutation.conditions, |out, found| condition(out, found, alias, &before, scope));
}

fn on_conflict(out: &mut Fragment, conflict: Option<&Conflict>, values: &Values<'_>, relation: &Relation) {
    let Some(conflict) = conflict else { return };
    out.sql(" ON CONFLICT (");
    out.separated(", ", &conflict.columns, |out, column| {
        out.identifier(column);
    });
    // A row that is there has the identity that it has.
    let kept = |target: &&Target<'_>| values.identities == Identities::Given && is_identity(target);
    let mut updated = values.columns.iter().filter(|target| !kept(target)).peekable();
    match (conflict.resolution, updated.peek()) {
        (Resolution::IgnoreDuplicates, _) | (Resolution::MergeDuplicates, None) => {
            out.sql(") DO NOTHING");
        }
        (Resolution::MergeDuplicates, Some(_)) => {
            out.sql(") DO UPDATE SET ");
            out.separated(", ", updated, |out, target| {
                out.identifier(&target.column.name).sql(" = EXCLUDED.").identifier(&target.column.name);
            });
            if !relation.is_distributed {
                out.sql(" WHERE ").sql(TO_UPDATE);
            }
        }
    }
}

/// Whether PostgreSQL takes a value for this column only where it is told so.
fn is_identity(target: &Target<'_>) -> bool {
    target.column.identity() == Identity::Always
}

/// Whether only some attributes of a column are written.
fn is_of_parts(target: &Target<'_>, values: &Values<'_>) -> bool {
    values.parts.contains(&target.column.name)
}

/// The value of a column, of the object at hand, or else what it does not say. `changed` is the row that is updated,
/// whose attributes stay that the object does not have.
fn value(
    out: &mut Fragment,
    target: &Target<'_>,
    values: &Values<'_>,
    otherwise: Otherwise<'_>,
    changed: Option<&str>,
    scope: Scope<'_>,
) {
    let column = target.column;
    if otherwise != Otherwise::Null {
        out.sql("CASE WHEN ").qualified(OBJECT, "value");
        match ObjectType::of(values) {
            ObjectType::Jsonb => out.sql(" OPERATOR(pg_catalog.?) ").text(&column.name),
            ObjectType::Json => out.sql(" OPERATOR(pg_catalog.->) ").text(&column.name).sql(" IS NOT NULL"),
        };
        out.sql(" THEN ");
    }
    match (changed.filter(|_| is_of_parts(target, values)), target.representation) {
        (Some(changed), _) => {
            out.sql("pg_catalog.json_populate_record(").qualified(changed, &column.name).sql(", ");
            out.qualified(BODY, &column.name).sql(")")
        }
        (None, None) => out.qualified(BODY, &column.name),
        (None, Some(cast)) => {
            out.qualified(&cast.function_schema, &cast.function_name);
            out.sql("(").qualified(BODY, &column.name).sql(")")
        }
    };
    if otherwise == Otherwise::Null {
        return;
    }
    out.sql(" ELSE ");
    match otherwise {
        Otherwise::Null | Otherwise::Kept(_) => absent(out, column, otherwise),
        // Of a default PostgreSQL tells the expression alone, not how it becomes one of the column's type; both
        // branches have to be of one. Lengths and the checks of domains are left to the column.
        Otherwise::Expression | Otherwise::Sequence(_) | Otherwise::Ahead(_) => {
            absent(out.sql("CAST("), column, otherwise);
            let base = scope.catalog.base_type(target.declared.oid).unwrap_or(target.declared);
            out.sql(" AS ").type_of(base).sql(")");
        }
    }
    out.sql(" END");
}

/// What a column takes instead of a value.
fn absent(out: &mut Fragment, column: &Column, otherwise: Otherwise<'_>) {
    match otherwise {
        Otherwise::Null => out.sql("NULL"),
        Otherwise::Expression => out.default_of(column),
        Otherwise::Sequence(relation) => {
            let mut name = Fragment::new();
            name.qualified(&relation.schema, &relation.name);
            out.sql("pg_catalog.nextval(pg_catalog.pg_get_serial_sequence(").text(name.as_str()).sql(", ");
            out.text(&column.name).sql(")::pg_catalog.regclass)")
        }
        Otherwise::Ahead(number) => out.qualified(OBJECT, &default_name(number)),
        Otherwise::Kept(alias) => out.qualified(alias, &column.name),
    };
}

fn default_name(number: usize) -> String {
    format!("default{number}")
}

/// What a column takes where it is given nothing.
#[derive(Clone, Copy, PartialEq)]
enum Otherwise<'s> {
    /// NULL.
    Null,
    /// What its default gives.
    Expression,
    /// The next number of its sequence, of this relation.
    Sequence(&'s Relation),
    /// Its default, which has this number among those that were computed with the object, needed or not: with
    /// PostgREST, too, a sequence goes on by as many numbers as there are objects.
    Ahead(usize),
    /// What it has, in the row that is called so.
    Kept(&'s str),
}

impl<'s> Otherwise<'s> {
    /// The same, but a default is computed with the object, as one more of these.
    fn ahead<'p>(self, target: &Target<'p>, computed: &mut Vec<(&'p Column, Otherwise<'s>)>) -> Self {
        match self {
            Otherwise::Expression | Otherwise::Sequence(_) => {
                computed.push((target.column, self));
                Otherwise::Ahead(computed.len())
            }
            Otherwise::Null | Otherwise::Ahead(_) | Otherwise::Kept(_) => self,
        }
    }
}

fn otherwise<'s>(target: &Target<'_>, values: &Values<'_>, relation: &'s Relation) -> Otherwise<'s> {
    match values.missing {
        Missing::Default => default_of(target.column, relation),
        Missing::Null => Otherwise::Null,
    }
}

fn default_of<'s>(column: &Column, relation: &'s Relation) -> Otherwise<'s> {
    match (column.identity(), &column.default) {
        (Identity::ByDefault, _) => Otherwise::Sequence(relation),
        // PostgreSQL takes no value of ours for these, whatever it is.
        (Identity::Always, _) => Otherwise::Null,
        (Identity::Unspecified, Some(_)) if !column.generated => Otherwise::Expression,
        (Identity::Unspecified, _) => Otherwise::Null,
    }
}
