//! Conditions: `not.eq(any).{1,2}`, `in.(a,b)`, and the trees made of them.

use super::{
    name::{delimiter, field, field_name, quoted, words},
    parser::{Failure, Parsed, Parser},
};
use crate::request::{
    EmbedPath,
    filter::{Filter, Is, Junction, Logic, Operation, Quantifier},
    literal::Literal,
    operator::{Operand, Operator},
};

/// What reads the value on the right side.
type Value = fn(&mut Parser<'_>) -> Parsed<String>;

/// The value of a condition of its own: all that is left.
pub(super) fn whole_value(p: &mut Parser<'_>) -> Parsed<String> {
    Ok(p.remainder().to_owned())
}

/// The value of a condition in a tree: quoted, `{…}`, or up to `,` or `)`.
fn value_in_tree(p: &mut Parser<'_>) -> Parsed<String> {
    if let Some(value) = p.optional(|p| p.attempt(quoted_element))? {
        return Ok(value);
    }
    match p.optional(|p| p.attempt(array_literal))? {
        Some(value) => Ok(value),
        None => Ok(bare_element(p)),
    }
}

fn quoted_element(p: &mut Parser<'_>) -> Parsed<String> {
    let value = quoted(p)?;
    p.attempt(|p| p.not_followed_by(None, |c| c != ',' && c != ')'))?;
    Ok(value)
}

fn array_literal(p: &mut Parser<'_>) -> Parsed<String> {
    p.text("{")?;
    let inside = p.stretch(&[], |c| c != '{' && c != '}');
    p.text("}")?;
    Ok(["{", inside, "}"].concat())
}

fn bare_element(p: &mut Parser<'_>) -> String {
    p.stretch(&[], |c| c != ',' && c != ')').to_owned()
}

/// `not.` and an operation.
pub(super) fn condition(p: &mut Parser<'_>, value: Value) -> Parsed<(bool, Operation)> {
    let negated = p.optional(|p| p.attempt(not))?.is_some();
    let operation = p.label("operator (eq, gt, ...)", |p| operation(p, value))?;
    Ok((negated, operation))
}

fn not(p: &mut Parser<'_>) -> Parsed<()> {
    p.text("not")?;
    delimiter(p)
}

fn operation(p: &mut Parser<'_>, value: Value) -> Parsed<Operation> {
    let word = |p: &mut Parser<'_>, operator: Operator| {
        p.optional(|p| {
            p.attempt(|p| {
                p.text(operator.row().name)?;
                delimiter(p)
            })
        })
    };
    // The operator says which alternative it is.
    match p.known_word().and_then(Operator::named).map(|operator| operator.row().operand) {
        Some(Operand::Value) => return comparison(p, value),
        Some(Operand::Quantifiable | Operand::Pattern) => return quantifiable(p, value),
        Some(Operand::FullText) => return full_text(p, value),
        Some(Operand::List | Operand::Is | Operand::Distinct) | None => {}
    }
    // Most arguments of functions are no conditions.
    if p.known_word()
        .is_some_and(|word| !Operator::ALL.iter().any(|begins| word.starts_with(begins.row().name)))
    {
        return Err(Failure::Syntax);
    }
    if word(p, Operator::In)?.is_some() {
        return list(p).map(|values| Operation::In(Literal::array(values)));
    }
    if word(p, Operator::Is)?.is_some() {
        return is(p).map(Operation::Is);
    }
    if word(p, Operator::IsDistinct)?.is_some() {
        return value(p).map(|value| Operation::IsDistinct(value.into()));
    }
    if let Some(search) = p.optional(|p| p.attempt(|p| full_text(p, value)))? {
        return Ok(search);
    }
    if let Some(comparison) = p.optional(|p| p.attempt(|p| comparison(p, value)))? {
        return Ok(comparison);
    }
    p.attempt(|p| quantifiable(p, value))
}

/// The first operator in the table's order whose operand is one of `operands`
/// and whose name stands here.
fn operator(p: &mut Parser<'_>, operands: &[Operand]) -> Parsed<Operator> {
    for operator in Operator::ALL.iter().filter(|operator| operands.contains(&operator.row().operand)) {
        if p.optional(|p| p.attempt(|p| p.text(operator.row().name)))?.is_some() {
            return Ok(*operator);
        }
    }
    Err(Failure::Syntax)
}

fn full_text(p: &mut Parser<'_>, value: Value) -> Parsed<Operation> {
    let operator = operator(p, &[Operand::FullText])?;
    let language = p.optional(|p| p.attempt(|p| parenthesised(p, words)))?;
    delimiter(p)?;
    Ok(Operation::FullText { operator, language, value: value(p)?.into() })
}

fn comparison(p: &mut Parser<'_>, value: Value) -> Parsed<Operation> {
    let operator = p.label("unknown single value operator", |p| operator(p, &[Operand::Value]))?;
    delimiter(p)?;
    Ok(Operation::Compare { operator, quantifier: None, value: value(p)?.into() })
}

fn quantifiable(p: &mut Parser<'_>, value: Value) -> Parsed<Operation> {
    let operands = [Operand::Quantifiable, Operand::Pattern];
    let operator = p.label("unknown single value operator", |p| operator(p, &operands))?;
    let quantifier = p.optional(|p| p.attempt(|p| parenthesised(p, quantifier)))?;
    delimiter(p)?;
    let value = value(p)?;
    let value = match operator.row().operand {
        Operand::Pattern => value.replace('*', "%"),
        Operand::Value
        | Operand::Quantifiable
        | Operand::List
        | Operand::Is
        | Operand::Distinct
        | Operand::FullText => value,
    };
    Ok(Operation::Compare { operator, quantifier, value: value.into() })
}

fn quantifier(p: &mut Parser<'_>) -> Parsed<Quantifier> {
    match p.optional(|p| p.attempt(|p| p.text("any")))? {
        Some(()) => Ok(Quantifier::Any),
        None => p.text("all").map(|()| Quantifier::All),
    }
}

fn parenthesised<T>(p: &mut Parser<'_>, inner: impl FnOnce(&mut Parser<'_>) -> Parsed<T>) -> Parsed<T> {
    p.text("(")?;
    let found = inner(p)?;
    p.text(")")?;
    Ok(found)
}

const IS: [(&str, Is); 5] = [
    ("null", Is::Null),
    ("not_null", Is::NotNull),
    ("true", Is::True),
    ("false", Is::False),
    ("unknown", Is::Unknown),
];

fn is(p: &mut Parser<'_>) -> Parsed<Is> {
    p.label("isVal: (null, not_null, true, false, unknown)", |p| {
        for (word, is) in IS {
            let letters = |p: &mut Parser<'_>| {
                word.chars()
                    .try_for_each(|letter| p.one(None, |c| c.eq_ignore_ascii_case(&letter)).map(|_| ()))
            };
            if p.optional(|p| p.attempt(letters))?.is_some() {
                return Ok(is);
            }
        }
        Err(Failure::Syntax)
    })
}

/// `(a,"b,c")`. As in PostgREST one empty element, even a quoted one, is none.
fn list(p: &mut Parser<'_>) -> Parsed<Vec<String>> {
    p.padded(|p| p.text("("))?;
    let element = |p: &mut Parser<'_>| match p.optional(|p| p.attempt(quoted_element))? {
        Some(element) => Ok(element),
        None => Ok(bare_element(p)),
    };
    let elements = p.separated(element, |p| p.text(","))?;
    p.padded(|p| p.text(")"))?;
    Ok(if elements == [""] { Vec::new() } else { elements })
}

/// `id.eq.1`, or several under `and(…)` or `or(…)`.
pub(super) fn tree(p: &mut Parser<'_>) -> Parsed<Logic> {
    if let Some(filter) = p.optional(|p| p.attempt(filter_in_tree))? {
        return Ok(Logic::Filter(filter));
    }
    let negated = p.label("negation operator (not)", |p| p.optional(|p| p.attempt(not)))?.is_some();
    let junction =
        p.label("logic operator (and, or)", |p| match p.optional(|p| p.attempt(|p| p.text("and")))? {
            Some(()) => Ok(Junction::And),
            None => p.text("or").map(|()| Junction::Or),
        })?;
    p.padded(|p| p.text("("))?;
    let members = p.nested(|p| p.separated(tree, |p| p.padded(|p| p.text(","))))?;
    p.padded(|p| p.text(")"))?;
    Ok(Logic::Group { negated, junction, members })
}

fn filter_in_tree(p: &mut Parser<'_>) -> Parsed<Filter> {
    let field = field(p)?;
    delimiter(p)?;
    let (negated, operation) = condition(p, value_in_tree)?;
    Ok(Filter { field, negated, operation })
}

/// `a.b.not.or`: a path of embeds, and what the tree begins with.
pub(super) fn tree_key(p: &mut Parser<'_>) -> Parsed<(EmbedPath, String)> {
    let mut path = p.separated(field_name, delimiter)?;
    let negated = path.iter().any(|name| name == "not");
    let junction = path.pop().unwrap_or_default();
    path.retain(|name| name != "not");
    Ok((path, if negated { format!("not.{junction}") } else { junction }))
}
