//! `order_by`: `last_name desc, id` (<https://google.aip.dev/132>), with
//! `nulls first` and `nulls last` as in SQL; each term may as well be in the
//! grammar of the REST side, which `request::parse` knows.

use crate::{
    error::Result,
    grpc::{refuse::refuse, surface::Resource},
    request::{EmbedPath, order::OrderTerm, parse, select::AggregateFunction},
};

/// The order that `text` says, empty if it says none.
pub(super) fn order(resource: &Resource, text: &str) -> Result<Vec<(EmbedPath, Vec<OrderTerm>)>> {
    let terms = terms(resource, text)?;
    Ok(if terms.is_empty() { Vec::new() } else { vec![(Vec::new(), terms)] })
}

/// The terms of the order that `text` says.
pub(super) fn terms(resource: &Resource, text: &str) -> Result<Vec<OrderTerm>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let dotted: Vec<String> = split(text).into_iter().map(dotted).collect();
    let mut terms = parse::order(&dotted.join(",")).map_err(|error| refuse("order_by", error.message))?;
    for term in terms.iter_mut().filter(|term| term.relation.is_none()) {
        if let Some(column) = resource.column_called(&term.field.name) {
            term.field.name = column;
        }
        let name = &term.field.name;
        if name.contains(char::is_whitespace) && resource.field(name).is_none() {
            return Err(refuse(
                "order_by",
                format!("\"{name}\" is neither a column nor a column and a direction"),
            ));
        }
    }
    Ok(terms)
}

/// What a term of an order of groups is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OfGroup {
    /// What the rows have in common.
    Field,
    /// What this function gives.
    Result(AggregateFunction),
}

/// The fields of a group's message that have fields of their own.
const OF_GROUP: [(&str, OfGroup); 6] = [
    ("group", OfGroup::Field),
    ("sum", OfGroup::Result(AggregateFunction::Sum)),
    ("avg", OfGroup::Result(AggregateFunction::Avg)),
    ("min", OfGroup::Result(AggregateFunction::Min)),
    ("max", OfGroup::Result(AggregateFunction::Max)),
    ("count", OfGroup::Result(AggregateFunction::Count)),
];
/// The number of a group's rows.
const ROW_COUNT: &str = "row_count";

/// The terms of an order of groups, by the paths of their messages: `group.level`, or plainly `level`, `row_count desc`,
/// `sum.amount`.
pub(super) fn of_groups(resource: &Resource, text: &str) -> Result<Vec<OrderTerm>> {
    let mut found = Vec::new();
    for path in split(text).into_iter().map(str::trim).filter(|term| !term.is_empty()) {
        let (about, rest) = of_group(resource, path);
        for mut term in terms(resource, rest)? {
            match about {
                None if term.relation.is_none() && term.field.name == ROW_COUNT => {
                    term.field.name.clear();
                    term.aggregate = Some(AggregateFunction::Count);
                }
                None | Some(OfGroup::Field) => {}
                Some(OfGroup::Result(function)) => term.aggregate = Some(function),
            }
            found.push(term);
        }
    }
    Ok(found)
}

/// What a path is about, and the rest of it. A column can be called like a field of groups: then a direction follows it.
fn of_group<'t>(resource: &Resource, path: &'t str) -> (Option<OfGroup>, &'t str) {
    let found = path.split_once('.').and_then(|(first, rest)| {
        let (_, about) = OF_GROUP.iter().find(|(name, _)| *name == first)?;
        let name = rest.split(|letter: char| letter == '.' || letter.is_whitespace()).next()?;
        (rest.starts_with('"') || resource.field(name).is_some()).then_some((Some(*about), rest))
    });
    found.unwrap_or((None, path))
}

/// Splits at commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split(|letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
    .collect()
}

/// `name desc nulls last` as `name.desc.nullslast`.
fn dotted(term: &str) -> String {
    const WORDS: &[(&[&str], &str)] = &[
        (&["nulls", "first"], ".nullsfirst"),
        (&["nulls", "last"], ".nullslast"),
        (&["asc"], ".asc"),
        (&["desc"], ".desc"),
    ];
    let mut rest = term.trim();
    let mut suffix = String::new();
    for (words, dotted) in WORDS {
        if let Some(before) = without(rest, words) {
            rest = before;
            suffix.insert_str(0, dotted);
        }
    }
    rest.to_owned() + &suffix
}

/// `text` without these words at its end.
fn without<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    words.iter().rev().try_fold(text, |rest, word| {
        let (before, last) = rest.trim_end().rsplit_once(char::is_whitespace)?;
        last.eq_ignore_ascii_case(word).then(|| before.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_words_become_the_grammars_suffixes() {
        let cases = [
            ("id", "id"),
            (" last_name  DESC ", "last_name.desc"),
            ("a asc nulls FIRST", "a.asc.nullsfirst"),
            ("a nulls last", "a.nullslast"),
            ("a.desc.nullslast", "a.desc.nullslast"),
            ("\"Shoe Size\" desc", "\"Shoe Size\".desc"),
            ("desc", "desc"),
        ];
        for (term, expected) in cases {
            assert_eq!(dotted(term), expected);
        }
    }

    #[test]
    fn commas_in_quotes_do_not_end_a_term() {
        assert_eq!(split("\"a,b\" desc,c"), ["\"a,b\" desc", "c"]);
    }
}
