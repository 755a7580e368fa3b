//! A generated request as the URL that a client would send.

use super::{
    request::{Condition, Embed, Field, Form, Item, Level, Operand, Operation, Term},
    schema::Schema,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// `/table?select=…`
pub(super) fn target(schema: &Schema, request: &Level) -> String {
    let mut pairs = vec![("select".to_owned(), select(&request.items))];
    parameters(request, "", &mut pairs);
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    format!("/{}?{}", encode(&schema.tables[request.table].name), pairs.join("&"))
}

fn select(items: &[Item]) -> String {
    let items = items.iter().map(|item| match item {
        Item::Field { key, alias, field, cast } => {
            let alias = if *alias { format!("{}:", name(key)) } else { String::new() };
            let cast = cast.map(|cast| format!("::{cast}")).unwrap_or_default();
            format!("{alias}{}{cast}", written(field))
        }
        Item::Embed(embed) => {
            let Embed { target, alias, inner, form, level, .. } = embed;
            let alias = alias.as_ref().map(|alias| format!("{}:", name(alias))).unwrap_or_default();
            let spread = if *form == Form::Spread { "..." } else { "" };
            let inner = if *inner { "!inner" } else { "" };
            format!("{spread}{alias}{target}{inner}({})", select(&level.items))
        }
    });
    items.collect::<Vec<_>>().join(",")
}

/// Everything but the select list, for a level and those below it.
fn parameters(level: &Level, path: &str, pairs: &mut Vec<(String, String)>) {
    for condition in &level.conditions {
        match condition {
            Condition::Compare { negated, field, operation } => {
                let not = if *negated { "not." } else { "" };
                pairs.push((format!("{path}{}", written(field)), format!("{not}{}", outside(operation))));
            }
            Condition::Embed { item, exists } => {
                pairs
                    .push((format!("{path}{}", name(embedded(level, *item))), existence(*exists).to_owned()));
            }
            Condition::Group { negated, or, members } => {
                let not = if *negated { "not." } else { "" };
                let junction = if *or { "or" } else { "and" };
                pairs.push((format!("{path}{not}{junction}"), group(level, members)));
            }
        }
    }
    let order: Vec<_> = level.order.iter().map(|term| ordered(level, term)).collect();
    pairs.push((format!("{path}order"), order.join(",")));
    pairs.extend(level.limit.map(|limit| (format!("{path}limit"), limit.to_string())));
    pairs.extend(level.offset.map(|offset| (format!("{path}offset"), offset.to_string())));
    for (_, embed) in super::request::embeds(&level.items) {
        parameters(&embed.level, &format!("{path}{}.", name(embed.name())), pairs);
    }
}

fn group(level: &Level, members: &[Condition]) -> String {
    let members = members.iter().map(|member| match member {
        Condition::Compare { negated, field, operation } => {
            let not = if *negated { "not." } else { "" };
            format!("{}.{not}{}", written(field), inside(operation))
        }
        Condition::Embed { item, exists } => {
            format!("{}.{}", name(embedded(level, *item)), existence(*exists))
        }
        Condition::Group { negated, or, members } => {
            let not = if *negated { "not." } else { "" };
            let junction = if *or { "or" } else { "and" };
            format!("{not}{junction}{}", group(level, members))
        }
    });
    format!("({})", members.collect::<Vec<_>>().join(","))
}

fn embedded(level: &Level, item: usize) -> &str {
    match &level.items[item] {
        Item::Embed(embed) => embed.name(),
        Item::Field { .. } => unreachable!("the position is that of an embed"),
    }
}

fn existence(exists: bool) -> &'static str {
    if exists { "not.is.null" } else { "is.null" }
}

fn ordered(level: &Level, term: &Term) -> String {
    let field = match term.embed {
        Some(item) => format!("{}({})", name(embedded(level, item)), written(&term.field)),
        None => written(&term.field),
    };
    let words = [term.direction, term.nulls].into_iter().flatten();
    words.fold(field, |written, word| format!("{written}.{word}"))
}

fn written(field: &Field) -> String {
    format!("{}{}", name(&field.column), field.path.concat())
}

/// Quoted where it has to be.
fn name(name: &str) -> String {
    match name.contains('.') {
        true => format!("\"{name}\""),
        false => name.to_owned(),
    }
}

/// As the whole value of a parameter, where nothing but lists has quotes.
fn outside(Operation { name, operand, .. }: &Operation) -> String {
    match operand {
        Operand::Value(value) => format!("{name}.{value}"),
        Operand::List(values) => format!("{name}.{}", list(values)),
        Operand::Keyword(word) => format!("{name}.{word}"),
    }
}

/// Inside of a tree.
fn inside(Operation { name, operand, .. }: &Operation) -> String {
    match operand {
        Operand::Value(value) => format!("{name}.{}", text(value)),
        Operand::List(values) => format!("{name}.{}", list(values)),
        Operand::Keyword(word) => format!("{name}.{word}"),
    }
}

fn list(values: &[String]) -> String {
    let values: Vec<_> = values.iter().map(|value| text(value)).collect();
    format!("({})", values.join(","))
}

/// A value in quotes unless it is plain.
fn text(value: &str) -> String {
    let plain = !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "-. %*^$".contains(c));
    match plain {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}
