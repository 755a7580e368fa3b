//! A generated request as SQL in the plainest form: a correlated subquery for everything that is embedded. It is slow and
//! shares nothing with `src/sql`.

use super::{
    request::{Condition, Embed, Field, Form, Item, Level, Term},
    schema::{Link, Schema, literal, quoted},
};

/// The whole answer, as text.
pub(super) fn array(schema: &Schema, request: &Level) -> String {
    format!("SELECT coalesce(json_agg(j), '[]')::text FROM ({}) AS rows", rows(schema, request))
}

/// How many rows there are without limit and offset, as text.
pub(super) fn total(schema: &Schema, request: &Level) -> String {
    format!("SELECT count(*)::text{}", source(schema, request, "t", None))
}

/// Each row as an object called `j`.
pub(super) fn rows(schema: &Schema, request: &Level) -> String {
    level(schema, request, "t", None)
}

/// Which rows of an embed are meant: those that belong to a row of the level called so.
type Above<'a> = Option<(&'a Link, &'a str)>;

fn level(schema: &Schema, asked: &Level, alias: &str, above: Above<'_>) -> String {
    let keys: Vec<_> = keys(schema, asked, alias)
        .into_iter()
        .map(|(key, value)| format!("{}, {value}", literal(&key)))
        .collect();
    let order: Vec<_> = asked.order.iter().map(|term| ordered(schema, asked, term, alias)).collect();
    let mut sql = format!("SELECT json_build_object({}) AS j", keys.join(", "));
    sql += &source(schema, asked, alias, above);
    sql += &format!(" ORDER BY {}", order.join(", "));
    sql += &asked.limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    sql += &asked.offset.map(|offset| format!(" OFFSET {offset}")).unwrap_or_default();
    sql
}

/// `FROM` and `WHERE`.
fn source(schema: &Schema, asked: &Level, alias: &str, above: Above<'_>) -> String {
    let mut conditions = vec!["true".to_owned()];
    conditions.extend(above.map(|(link, above)| linked(link, above, alias)));
    conditions.extend(asked.conditions.iter().map(|condition| holds(schema, asked, condition, alias)));
    for (_, embed) in super::request::embeds(&asked.items).filter(|(_, embed)| embed.inner) {
        conditions.push(exists(schema, embed, alias));
    }
    format!(
        " FROM {} AS {alias} WHERE {}",
        quoted(&schema.tables[asked.table].name),
        conditions.join(" AND ")
    )
}

fn linked(link: &Link, above: &str, alias: &str) -> String {
    match link {
        Link::Columns(there, here) => format!("{above}.{} = {alias}.{}", quoted(there), quoted(here)),
        Link::Junction(table, there, here) => format!(
            "{alias}.id IN (SELECT x.{} FROM {} AS x WHERE x.{} = {above}.id)",
            quoted(here),
            quoted(table),
            quoted(there),
        ),
    }
}

/// The keys of the object and their values.
fn keys(schema: &Schema, asked: &Level, alias: &str) -> Vec<(String, String)> {
    let items = asked.items.iter().flat_map(|item| match item {
        Item::Field { key, field, cast, .. } => {
            let value = value(field, alias);
            let value = cast.map(|cast| format!("({value})::{cast}")).unwrap_or(value);
            vec![(key.clone(), value)]
        }
        Item::Embed(embed) => embedded(schema, embed, alias),
    });
    items.collect()
}

fn embedded(schema: &Schema, embed: &Embed, alias: &str) -> Vec<(String, String)> {
    let many = schema.relationships[embed.relationship].many;
    let rows = related(schema, embed, alias);
    let collect = |what: &str| match many {
        true => format!("(SELECT coalesce(json_agg({what}), '[]') FROM ({rows}) AS q)"),
        false => format!("(SELECT {what} FROM ({rows}) AS q)"),
    };
    match embed.form {
        Form::Hidden => Vec::new(),
        Form::Key => vec![(embed.name().to_owned(), collect("j"))],
        Form::Spread => {
            let spread = keys(schema, &embed.level, "unused").into_iter();
            spread.map(|(key, _)| (key.clone(), collect(&format!("j->{}", literal(&key))))).collect()
        }
    }
}

/// The rows of an embed for a row of the level called `above`.
fn related(schema: &Schema, embed: &Embed, above: &str) -> String {
    let relationship = &schema.relationships[embed.relationship];
    level(schema, &embed.level, &format!("{above}x"), Some((&relationship.link, above)))
}

fn exists(schema: &Schema, embed: &Embed, above: &str) -> String {
    format!("EXISTS (SELECT 1 FROM ({}) AS q)", related(schema, embed, above))
}

fn holds(schema: &Schema, asked: &Level, condition: &Condition, alias: &str) -> String {
    match condition {
        Condition::Compare { negated, field, operation } => {
            let not = if *negated { "NOT " } else { "" };
            format!("({not}({}))", operation.sql.replace('§', &value(field, alias)))
        }
        Condition::Embed { item, exists: wanted } => {
            let Item::Embed(embed) = &asked.items[*item] else {
                unreachable!("the position is that of an embed")
            };
            let not = if *wanted { "" } else { "NOT " };
            format!("({not}{})", exists(schema, embed, alias))
        }
        Condition::Group { negated, or, members } => {
            let not = if *negated { "NOT " } else { "" };
            let members: Vec<_> = members.iter().map(|member| holds(schema, asked, member, alias)).collect();
            format!("({not}({}))", members.join(if *or { " OR " } else { " AND " }))
        }
    }
}

fn ordered(schema: &Schema, asked: &Level, term: &Term, alias: &str) -> String {
    let by = match term.embed.map(|item| &asked.items[item]) {
        Some(Item::Embed(embed)) => {
            let relationship = &schema.relationships[embed.relationship];
            let below = format!("{alias}x");
            let source = source(schema, &embed.level, &below, Some((&relationship.link, alias)));
            let Level { limit, offset, .. } = embed.level;
            let limit = limit.map_or(1, |limit| limit.min(1));
            let offset = offset.unwrap_or(0);
            format!("(SELECT {}{source} LIMIT {limit} OFFSET {offset})", value(&term.field, &below))
        }
        Some(Item::Field { .. }) | None => value(&term.field, alias),
    };
    let nulls = match term.nulls {
        Some("nullsfirst") => "NULLS FIRST",
        Some(_) => "NULLS LAST",
        None => "",
    };
    format!("{by} {} {nulls}", term.direction.unwrap_or_default())
}

fn value(field: &Field, alias: &str) -> String {
    let column = format!("{alias}.{}", quoted(&field.column));
    if field.path.is_empty() {
        return column;
    }
    let steps = field.path.iter().map(|step| {
        let at = step.rfind('>').map_or(0, |at| at + 1);
        let (arrow, key) = step.split_at(at);
        // `->-1` is an arrow and a number.
        match key.parse::<i32>() {
            Ok(index) => format!("{arrow}({index})"),
            Err(_) => format!("{arrow}{}", literal(key)),
        }
    });
    format!("(to_jsonb({column}){})", steps.collect::<String>())
}
