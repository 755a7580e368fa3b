//! `order_by`: `last_name desc, id` (<https://google.aip.dev/132>), with
//! `nulls first` and `nulls last` as in SQL; each term may as well be in the
//! grammar of the REST side, which `request::parse` knows.

use crate::{
    error::Result,
    grpc::{refuse::refuse, surface::Resource},
    request::{EmbedPath, order::OrderTerm, parse},
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
