//! Select lists: `id,alias:col->key::type,rel!hint!inner(a,...other(b)),n.sum()`.

use super::{
    name::{field, field_name, words},
    parser::{Failure, Parsed, Parser},
};
use crate::request::select::{Aggregate, AggregateFunction, Embed, EmbedForm, Field, Join, SelectItem};

pub(super) fn select(p: &mut Parser<'_>) -> Parsed<Vec<SelectItem>> {
    let list = p.optional(|p| p.separated(item, |p| p.padded(|p| p.text(","))))?;
    Ok(list.unwrap_or_default())
}

fn item(p: &mut Parser<'_>) -> Parsed<SelectItem> {
    for head in [spread, relation] {
        let embed = p.optional(|p| {
            let mut embed = p.attempt(|p| p.padded(head))?;
            p.text("(")?;
            embed.select = p.nested(select)?;
            p.text(")")?;
            Ok(embed)
        })?;
        if let Some(embed) = embed {
            return Ok(SelectItem::Embed(embed));
        }
    }
    p.padded(plain)
}

/// `...rel!hint`
fn spread(p: &mut Parser<'_>) -> Parsed<Embed> {
    p.text("...")?;
    let target = field_name(p)?;
    embed(p, target, EmbedForm::Spread)
}

/// `alias:rel!hint`
fn relation(p: &mut Parser<'_>) -> Parsed<Embed> {
    let alias = alias(p)?;
    let target = field_name(p)?;
    // `count()` is an aggregate, not an embed.
    if target == "count" {
        return Err(Failure::Syntax);
    }
    embed(p, target, EmbedForm::Nested { alias })
}

fn embed(p: &mut Parser<'_>, target: String, form: EmbedForm) -> Parsed<Embed> {
    let mut embed = Embed { target, hint: None, join: None, form, select: Vec::new() };
    for _ in 0..2 {
        match p.optional(embed_parameter)? {
            Some(Parameter::Hint(hint)) => embed.hint = embed.hint.or(Some(hint)),
            Some(Parameter::Join(join)) => embed.join = embed.join.or(Some(join)),
            None => {}
        }
    }
    p.attempt(|p| p.look_ahead(|p| p.text("(")))?;
    Ok(embed)
}

enum Parameter {
    Hint(String),
    Join(Join),
}

/// A hint whose name begins with `left` or `inner` has to be quoted.
fn embed_parameter(p: &mut Parser<'_>) -> Parsed<Parameter> {
    p.text("!")?;
    for (word, join) in [("left", Join::Left), ("inner", Join::Inner)] {
        if p.optional(|p| p.attempt(|p| p.text(word)))?.is_some() {
            return Ok(Parameter::Join(join));
        }
    }
    p.attempt(field_name).map(Parameter::Hint)
}

/// `*`, `count()` or a field.
fn plain(p: &mut Parser<'_>) -> Parsed<SelectItem> {
    let star = |p: &mut Parser<'_>| {
        p.text("*")?;
        end_of_item(p)?;
        Ok(SelectItem::Every)
    };
    if let Some(star) = p.optional(|p| p.attempt(star))? {
        return Ok(star);
    }
    match p.optional(|p| p.attempt(count_of_rows))? {
        Some(count) => Ok(count),
        None => aliased_field(p),
    }
}

fn count_of_rows(p: &mut Parser<'_>) -> Parsed<SelectItem> {
    let alias = alias(p)?;
    p.text("count()")?;
    let aggregate = Aggregate { function: AggregateFunction::Count, cast: cast(p)? };
    end_of_item(p)?;
    Ok(SelectItem::Field { field: Field::column(""), cast: None, aggregate: Some(aggregate), alias })
}

fn aliased_field(p: &mut Parser<'_>) -> Parsed<SelectItem> {
    let alias = alias(p)?;
    let field = field(p)?;
    let before = cast(p)?;
    let function = p.optional(|p| {
        p.attempt(|p| {
            p.text(".")?;
            let function = aggregate_function(p)?;
            p.text("()")?;
            Ok(function)
        })
    })?;
    let after = cast(p)?;
    end_of_item(p)?;
    Ok(match function {
        // In quotes too, as PostgREST reads it.
        None if field.name == "*" => SelectItem::Every,
        Some(function) => SelectItem::Field {
            field,
            cast: before,
            aggregate: Some(Aggregate { function, cast: after }),
            alias,
        },
        // Of two casts without an aggregate between them the first one counts.
        None => SelectItem::Field { field, cast: before, aggregate: None, alias },
    })
}

fn alias(p: &mut Parser<'_>) -> Parsed<Option<String>> {
    p.optional(|p| {
        p.attempt(|p| {
            let alias = field_name(p)?;
            p.text(":")?;
            p.not_followed_by(Some("\":\""), |c| c == ':')?;
            Ok(alias)
        })
    })
}

fn cast(p: &mut Parser<'_>) -> Parsed<Option<String>> {
    p.optional(|p| {
        p.text("::")?;
        words(p)
    })
}

fn aggregate_function(p: &mut Parser<'_>) -> Parsed<AggregateFunction> {
    use AggregateFunction::{Avg, Count, Max, Min, Sum};
    for (name, function) in [("sum", Sum), ("avg", Avg), ("count", Count)] {
        if p.optional(|p| p.text(name))?.is_some() {
            return Ok(function);
        }
    }
    match p.optional(|p| p.attempt(|p| p.text("max")))? {
        Some(()) => Ok(Max),
        None => p.attempt(|p| p.text("min")).map(|()| Min),
    }
}

fn end_of_item(p: &mut Parser<'_>) -> Parsed<()> {
    for next in [")", ","] {
        if p.optional(|p| p.attempt(|p| p.look_ahead(|p| p.text(next))))?.is_some() {
            return Ok(());
        }
    }
    p.attempt(Parser::end)
}
