//! Names, fields and paths of embeds. Nothing here is looked up.

use super::parser::{Failure, Parsed, Parser};
use crate::request::{
    EmbedPath,
    select::{Arrow, Field, Step},
};

const FIELD_NAME: &str = "field name (* or [a..z0..9_$])";
const JSON_KEY: &str = "any non reserved character different from: .,>()";

/// `.`
pub(super) fn delimiter(p: &mut Parser<'_>) -> Parsed<()> {
    p.label("delimiter (.)", |p| p.text("."))
}

/// `a name`, `a-name` or `"any name"`. An empty one is nothing's in PostgreSQL, whatever else could stand here.
pub(super) fn field_name(p: &mut Parser<'_>) -> Parsed<String> {
    let at = p.position();
    let name = p.label(FIELD_NAME, |p| match p.optional(quoted)? {
        Some(name) => Ok(name),
        None => dashed(p, identifier),
    })?;
    if name.is_empty() { Err(Failure::Unnamed { at, expected: FIELD_NAME }) } else { Ok(name) }
}

/// A name of one word or of several, without dashes and quotes: a type's, or a language's.
pub(super) fn words(p: &mut Parser<'_>) -> Parsed<String> {
    let words = identifier(p)?;
    if words.is_empty() { Err(Failure::Syntax) } else { Ok(words.to_owned()) }
}

/// Letters, digits, `_`, `$` and blanks, those at the ends not counted.
fn identifier<'a>(p: &mut Parser<'a>) -> Parsed<&'a str> {
    let accept = |c: char| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | ' ' | '$');
    p.stretch1(&[Some("letter"), Some("digit")], accept).map(str::trim)
}

/// `"…"`, a backslash taking the next character as it is. NUL is in no name and no value of PostgreSQL's, and would end
/// the statement that it stands in.
pub(super) fn quoted(p: &mut Parser<'_>) -> Parsed<String> {
    character(p, '"', "\"\\\"\"")?;
    let pieces = p.many(|p| {
        if let Some(plain) = p.optional(|p| p.stretch1(&[], |c| !matches!(c, '\\' | '"' | '\0')))? {
            return Ok(plain.to_owned());
        }
        character(p, '\\', "\"\\\\\"")?;
        p.one(None, |c| c != '\0').map(String::from)
    })?;
    character(p, '"', "\"\\\"\"")?;
    Ok(pieces.concat())
}

fn character(p: &mut Parser<'_>, wanted: char, label: &'static str) -> Parsed<char> {
    p.one(Some(label), |c| c == wanted)
}

/// Parts joined by `-`, which is not the beginning of an arrow.
fn dashed<'a>(p: &mut Parser<'a>, part: fn(&mut Parser<'a>) -> Parsed<&'a str>) -> Parsed<String> {
    let dash = |p: &mut Parser<'a>| {
        p.attempt(|p| {
            p.text("-")?;
            p.not_followed_by(Some("\">\""), |c| c == '>')
        })
    };
    let mut name = part(p)?.to_owned();
    while p.optional(dash)?.is_some() {
        name.push('-');
        name.push_str(part(p)?);
    }
    Ok(name)
}

/// A column and a JSON path into it.
pub(super) fn field(p: &mut Parser<'_>) -> Parsed<Field> {
    p.padded(|p| {
        let name = field_name(p)?;
        Ok(Field { name, path: json_path(p)? })
    })
}

/// `->key->>0…`; may be empty.
pub(super) fn json_path(p: &mut Parser<'_>) -> Parsed<Vec<(Arrow, Step)>> {
    p.many(|p| {
        let arrow = match p.optional(|p| p.attempt(|p| p.text("->>")))? {
            Some(()) => Arrow::Text,
            None => {
                p.attempt(|p| p.text("->"))?;
                Arrow::Json
            }
        };
        let step = match p.optional(|p| p.attempt(index))? {
            Some(index) => Step::Index(index),
            None => Step::Key(p.attempt(json_key)?),
        };
        Ok((arrow, step))
    })
}

/// A position. One that does not fit is beyond the end of every array, as is
/// the largest that fits.
fn index(p: &mut Parser<'_>) -> Parsed<i32> {
    let sign = p.optional(|p| p.text("-"))?;
    let digits = p.stretch1(&[Some("digit")], |c| c.is_ascii_digit())?;
    let position = digits.parse::<i32>().unwrap_or(i32::MAX);
    for next in ["->", "::", ".", ","] {
        if p.optional(|p| p.attempt(|p| p.look_ahead(|p| p.text(next))))?.is_some() {
            return Ok(if sign.is_some() { -position } else { position });
        }
    }
    p.attempt(Parser::end)?;
    Ok(if sign.is_some() { -position } else { position })
}

fn json_key(p: &mut Parser<'_>) -> Parsed<String> {
    p.label(JSON_KEY, |p| match p.optional(quoted)? {
        Some(key) => Ok(key),
        None => dashed(p, |p| p.stretch1(&[], |c| !"(-:.,>)\0".contains(c)).map(str::trim)),
    })
}

/// `a.b.field->key`: a path of embeds and a field.
pub(super) fn tree_path(p: &mut Parser<'_>) -> Parsed<(EmbedPath, Field)> {
    let mut names = p.separated(field_name, delimiter)?;
    let path = json_path(p)?;
    let name = names.pop().unwrap_or_default();
    Ok((names, Field { name, path }))
}

/// `a,b`.
pub(super) fn columns(p: &mut Parser<'_>) -> Parsed<Vec<String>> {
    p.separated(field_name, |p| p.padded(|p| p.text(",")))
}
