//! Mutations: `INSERT`, `UPDATE` and `DELETE`. The body of a request is one
//! parameter, whatever the number of its rows.

use super::{
    Fact, Fragment, Layout, SOURCE, Statement,
    binary::read_as,
    call::returned,
    column::{Aggregates, Cells, Values as Form},
    filter::condition,
    premise::{Kinds, Premise},
    statement::{Scope, with_source},
};
use crate::{
    catalog::descriptor::{Column, Identity, Relation},
    plan::{
        mutate::{Change, Conflict, Mutation, Returned, Target, Values},
        tree::Node,
    },
    request::{
        payload::Rows,
        prefer::{Missing, Resolution},
    },
};

/// What the written values are called within a statement, which PostgreSQL's
/// messages tell, and each object as it came, where keys can be missing.
const BODY: &str = "pgrst_body";
const OBJECT: &str = "pgduet_object";

/// Adds one for each row that comes to be inserted.
const COUNT_UP: &str = "set_config('pgduet.inserted', \
     (coalesce(nullif(current_setting('pgduet.inserted', TRUE), ''), '0')::int8 + 1)::text, TRUE) IS NOT NULL";
/// Takes it back where the row was there already.
const COUNT_DOWN: &str = "set_config('pgduet.inserted', \
     (coalesce(nullif(current_setting('pgduet.inserted', TRUE), ''), '0')::int8 - 1)::text, TRUE) IS NOT NULL";
/// What has been counted so far.
const COUNTED: &str = "nullif(current_setting('pgduet.inserted', TRUE), '')::int8";

/// The expression of how many rows were inserted, not updated, where that is a question.
pub(super) fn inserted(mutation: &Mutation<'_>) -> Option<&'static str> {
    merges(&mutation.change).then_some(COUNTED)
}

fn merges(change: &Change<'_>) -> bool {
    match change {
        Change::Insert { conflict: Some(Conflict { resolution, .. }), .. } => {
            *resolution == Resolution::MergeDuplicates
        }
        Change::Upsert { .. } => true,
        Change::Insert { conflict: None, .. }
        | Change::Update(_)
        | Change::UpdateEach { .. }
        | Change::Delete => false,
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
    if inserted(mutation).is_none() && mutation.readable == Returned::default() {
        change(&mut out, mutation, node, scope, None);
        return Statement { fragment: out, layout: Layout::Nothing, facts };
    }
    with_source(&mut out, |out| {
        let write = |out: &mut Fragment| {
            for key in keys {
                out.sql("to_json(").qualified(&node.alias, key).sql(") #>> '{}' AS ").identifier(key);
                out.sql(", ");
            }
            let mut others = mutation.readable.clone();
            others.names.retain(|name| !keys.contains(&name.as_str()));
            returned(out, &others, &node.alias);
        };
        change(out, mutation, node, scope, Some(&write));
    });
    out.sql("SELECT count(*)");
    facts.push(Fact::Rows);
    if let Some(counted) = inserted(mutation) {
        out.sql(", ").sql(counted);
        facts.push(Fact::Inserted);
    }
    for key in keys {
        // Of one row the largest value is the value.
        out.sql(", max(").identifier(key).sql(")");
        facts.push(Fact::Key((*key).to_owned()));
    }
    out.sql(" FROM ").identifier(SOURCE);
    Statement { fragment: out, layout: Layout::Nothing, facts }
}

/// A mutation that gives its rows by itself.
pub(super) fn returning(
    out: &mut Fragment,
    mutation: &Mutation<'_>,
    node: &Node<'_>,
    form: Form,
    facts: &[&'static str],
    scope: Scope<'_>,
) {
    let write = |out: &mut Fragment| {
        out.separated(", ", Cells::of(node, Aggregates::Here).0, |out, cell| {
            cell.write(out, node, form, scope)
        });
        // Of binary columns their sink looks at the types.
        if form != Form::Binary
            && let Some(premise) = Premise::of(node, Kinds::Matter, scope)
        {
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
    scope: Scope<'_>,
) {
    with_source(out, |out| {
        let write = |out: &mut Fragment| {
            returned(out, needed, &node.alias);
            if let Some(premise) = Premise::of(node, Kinds::Matter, scope) {
                premise.write_column(out, &node.alias);
            }
        };
        change(out, mutation, node, scope, Some(&write));
    });
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
        Change::Insert { values, conflict } => {
            insert(out, mutation, node, values, scope);
            on_conflict(out, conflict.as_ref(), values);
        }
        Change::Upsert { values, conflict } => {
            insert(out, mutation, node, values, scope);
            on_conflict(out, Some(conflict), values);
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
        Change::Update(values) => {
            out.sql("UPDATE ").qualified(&relation.schema, &relation.name).sql(" AS ");
            out.identifier(&node.alias).sql(" SET ");
            let mut ahead = Vec::new();
            out.separated(", ", &values.columns, |out, target| {
                out.identifier(&target.column.name).sql(" = ");
                // All rows take the same.
                value(out, target, values, otherwise(target, values, relation).ahead(target, &mut ahead));
            });
            out.sql(" FROM ");
            objects(out, values, &ahead);
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
                value(out, target, values, otherwise);
            });
            out.sql(" FROM ");
            objects(out, values, &[]);
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
    let relation = mutation.relation;
    out.sql("INSERT INTO ").qualified(&relation.schema, &relation.name).sql(" AS ").identifier(&node.alias);
    if !values.columns.is_empty() {
        out.sql("(");
        out.separated(", ", &values.columns, |out, target| {
            out.identifier(&target.column.name);
        });
        out.sql(")");
    }
    out.sql(" SELECT ");
    let mut ahead = Vec::new();
    out.separated(", ", &values.columns, |out, target| {
        let otherwise = otherwise(target, values, relation);
        let otherwise = match values.rows {
            Rows::One => otherwise,
            Rows::Many => otherwise.ahead(target, &mut ahead),
        };
        value(out, target, values, otherwise);
    });
    out.sql(" FROM ");
    objects(out, values, &ahead);
    conditions(out, mutation, node, BODY, scope);
    if merges(&mutation.change) {
        out.sql(if mutation.conditions.is_empty() { " WHERE " } else { " AND " }).sql(COUNT_UP);
    }
}

/// `WHERE`, of the rows called `alias`.
fn conditions(out: &mut Fragment, mutation: &Mutation<'_>, node: &Node<'_>, alias: &str, scope: Scope<'_>) {
    let conditions = match &mutation.change {
        // An insert takes every row.
        Change::Insert { .. } => &[],
        Change::Upsert { .. } | Change::Update(_) | Change::UpdateEach { .. } | Change::Delete => {
            mutation.conditions.as_slice()
        }
    };
    if !conditions.is_empty() {
        out.sql(" WHERE ");
        out.separated(" AND ", conditions, |out, found| condition(out, found, alias, node, scope));
    }
}

fn on_conflict(out: &mut Fragment, conflict: Option<&Conflict>, values: &Values<'_>) {
    let Some(conflict) = conflict else { return };
    out.sql(" ON CONFLICT (");
    out.separated(", ", &conflict.columns, |out, column| {
        out.identifier(column);
    });
    match (conflict.resolution, values.columns.is_empty()) {
        (Resolution::IgnoreDuplicates, _) | (Resolution::MergeDuplicates, true) => {
            out.sql(") DO NOTHING");
        }
        (Resolution::MergeDuplicates, false) => {
            out.sql(") DO UPDATE SET ");
            out.separated(", ", &values.columns, |out, target| {
                out.identifier(&target.column.name).sql(" = EXCLUDED.").identifier(&target.column.name);
            });
            out.sql(" WHERE ").sql(COUNT_DOWN);
        }
    }
}

/// The value of a column, of the object at hand, or else what it does not say.
fn value(out: &mut Fragment, target: &Target<'_>, values: &Values<'_>, otherwise: Otherwise<'_>) {
    let column = target.column;
    if otherwise != Otherwise::Null {
        out.sql("CASE WHEN ").qualified(OBJECT, "value");
        match ObjectType::of(values) {
            ObjectType::Jsonb => out.sql(" ? ").text(&column.name),
            ObjectType::Json => out.sql(" -> ").text(&column.name).sql(" IS NOT NULL"),
        };
        out.sql(" THEN ");
    }
    match target.representation {
        None => out.qualified(BODY, &column.name),
        Some(cast) => {
            out.qualified(&cast.function_schema, &cast.function_name);
            out.sql("(").qualified(BODY, &column.name).sql(")")
        }
    };
    if otherwise == Otherwise::Null {
        return;
    }
    out.sql(" ELSE ");
    absent(out, column, otherwise);
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
            out.sql("nextval(pg_get_serial_sequence(").text(name.as_str()).sql(", ");
            out.text(&column.name).sql(")::regclass)")
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

/// What objects whose keys are looked for are read as: jsonb finds keys faster,
/// json keeps the text of columns that are json.
enum ObjectType {
    Json,
    Jsonb,
}

impl ObjectType {
    fn of(values: &Values<'_>) -> Self {
        let is_json = |target: &Target<'_>| target.declared.name == "json";
        if values.columns.iter().any(is_json) { ObjectType::Json } else { ObjectType::Jsonb }
    }

    /// The cast to it, and the functions that take arrays and objects apart.
    fn words(&self) -> (&'static str, &'static str, &'static str) {
        match self {
            ObjectType::Json => ("::json", "json_array_elements", "json_to_record"),
            ObjectType::Jsonb => ("::jsonb", "jsonb_array_elements", "jsonb_to_record"),
        }
    }
}

/// The objects of the body, as rows of the columns' types, with these defaults for each.
fn objects(out: &mut Fragment, values: &Values<'_>, ahead: &[(&Column, Otherwise<'_>)]) {
    let json = Some(values.json.clone());
    if values.columns.is_empty() {
        // Only their number is left.
        match values.rows {
            Rows::One => out.sql("(VALUES (1)) AS ").identifier(BODY),
            Rows::Many => out.sql("json_array_elements(").parameter(json).sql("::json) AS ").identifier(BODY),
        };
        return;
    }
    match (values.missing, values.rows) {
        (Missing::Null, Rows::One) => out.sql("json_to_record(").parameter(json).sql("::json)"),
        (Missing::Null, Rows::Many) => out.sql("json_to_recordset(").parameter(json).sql("::json)"),
        (Missing::Default, rows) => {
            let (one, elements, record) = ObjectType::of(values).words();
            if !ahead.is_empty() {
                out.sql("(SELECT \"value\"");
                for (number, (column, otherwise)) in (1..).zip(ahead) {
                    absent(out.sql(", "), column, *otherwise);
                    out.sql(" AS ").identifier(&default_name(number));
                }
                out.sql(" FROM ");
            }
            match rows {
                Rows::One => out.sql("(VALUES (").parameter(json).sql(one).sql("))"),
                Rows::Many => out.sql(elements).sql("(").parameter(json).sql(one).sql(")"),
            };
            out.sql(" AS ").identifier(OBJECT).sql("(\"value\")");
            if !ahead.is_empty() {
                out.sql(") AS ").identifier(OBJECT);
            }
            out.sql(" CROSS JOIN LATERAL ").sql(record).sql("(").qualified(OBJECT, "value").sql(")")
        }
    };
    out.sql(" AS ").identifier(BODY).sql("(");
    out.separated(", ", &values.columns, |out, target| {
        out.identifier(&target.column.name).sql(" ");
        match target.representation {
            None => read_as(out, target.declared),
            Some(_) => {
                out.sql("json");
            }
        }
    });
    out.sql(")");
}
