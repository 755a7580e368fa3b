//! Orders: `a.desc.nullslast,rel(b->c).asc`.

use super::{
    name::{delimiter, field, field_name},
    parser::{Parsed, Parser},
};
use crate::request::order::{Direction, Nulls, OrderTerm};

pub(super) fn order(p: &mut Parser<'_>) -> Parsed<Vec<OrderTerm>> {
    let term = |p: &mut Parser<'_>| {
        p.padded(|p| match p.optional(|p| p.attempt(related))? {
            Some(term) => Ok(term),
            None => own(p),
        })
    };
    p.separated(term, |p| p.text(","))
}

fn own(p: &mut Parser<'_>) -> Parsed<OrderTerm> {
    let field = field(p)?;
    let (direction, nulls) = modifiers(p)?;
    Ok(OrderTerm { relation: None, field, aggregate: None, direction, nulls })
}

fn related(p: &mut Parser<'_>) -> Parsed<OrderTerm> {
    let relation = field_name(p)?;
    p.text("(")?;
    let field = field(p)?;
    p.text(")")?;
    let (direction, nulls) = modifiers(p)?;
    Ok(OrderTerm { relation: Some(relation), field, aggregate: None, direction, nulls })
}

fn modifiers(p: &mut Parser<'_>) -> Parsed<(Option<Direction>, Option<Nulls>)> {
    let direction = modifier(p, &[("asc", Direction::Asc), ("desc", Direction::Desc)])?;
    let nulls = p.optional(|p| {
        let nulls = modifier(p, &[("nullsfirst", Nulls::First), ("nullslast", Nulls::Last)])?;
        end_of_term(p)?;
        Ok(nulls)
    })?;
    match nulls {
        Some(nulls) => Ok((direction, nulls)),
        None => end_of_term(p).map(|()| (direction, None)),
    }
}

fn modifier<T: Copy>(p: &mut Parser<'_>, words: &[(&'static str, T)]) -> Parsed<Option<T>> {
    for (word, meaning) in words {
        let found = p.optional(|p| {
            p.attempt(|p| {
                delimiter(p)?;
                p.text(word)
            })
        })?;
        if found.is_some() {
            return Ok(Some(*meaning));
        }
    }
    Ok(None)
}

fn end_of_term(p: &mut Parser<'_>) -> Parsed<()> {
    match p.optional(|p| p.attempt(|p| p.look_ahead(|p| p.text(","))))? {
        Some(()) => Ok(()),
        None => p.attempt(Parser::end),
    }
}
