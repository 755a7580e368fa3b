//! What the document calls things: components, operations, parameters. Each name is a function of the thing's own name
//! in the database and of nothing else, so that no neighbour ever renames it, and two names never end at one.

use crate::name::{pascal, plural, singular};
use std::borrow::Cow;

/// Last words of the document's own components, and of what generators make of operations: a relation whose name ends with
/// one is told apart by its hash.
const OWN_LAST_WORDS: [&str; 21] = [
    "Arguments",
    "Body",
    "Composite",
    "Enum",
    "Filter",
    "Insert",
    "Key",
    "Params",
    "Request",
    "Response",
    "Result",
    "Row",
    "Update",
    "Upsert",
    "F",
    "O",
    "P",
    "Q",
    "R",
    "S",
    "X",
];

/// The component that describes error bodies.
pub(super) const ERROR: &str = "ApiError";
/// The components that describe an operation of a transaction, its references, and the answer to it.
pub(super) const OPERATION: &str = "ApiOperation";
pub(super) const REFERENCE: &str = "ApiReference";
pub(super) const RESULT: &str = "ApiResult";
/// The components that no relation names.
const OWN: [&str; 4] = [ERROR, OPERATION, REFERENCE, RESULT];

/// The name in `PascalCase`, as operations are named by it. What is no plain `snake_case` has its hash behind it: `a b`
/// and `a_b` would be one otherwise.
pub(super) fn word(name: &str) -> String {
    match is_plain(name) {
        true => pascal(name),
        false => tagged(&pascal(name), name),
    }
}

/// What one row of a relation of this name is called: `Book` of `books`. Of `film`, which could be of `films`, it is
/// `FilmRow`.
pub(super) fn stem(name: &str) -> String {
    if !is_plain(name) {
        return word(name);
    }
    let (one, several) = (singular(name), plural(name));
    if one != name && plural(&one) == name {
        return own(pascal(&one), name);
    }
    if several != name && singular(&several) == name {
        return pascal(name) + "Row";
    }
    own(pascal(name), name)
}

/// The name of a type's component, such as `GenreEnum`; one of another schema has the schema's name in it.
pub(super) fn of_type(described: &str, schema: &str, name: &str, last: &str) -> String {
    match schema == described {
        true => word(name) + last,
        false => word(&format!("{schema}.{name}")) + last,
    }
}

/// A component of a relation, or of a column. Their keys are short: a document has thousands of references to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The filter by a column.
    Filter,
    /// The filter by a column of PUT's key.
    Key,
    /// `order`.
    Order,
    /// What a function answers with.
    Result,
    /// The answer with rows.
    Rows,
    /// `select`.
    Select,
}

impl Kind {
    const fn last_word(self) -> &'static str {
        match self {
            Kind::Filter => "f",
            Kind::Key => "key",
            Kind::Order => "o",
            Kind::Result => "x",
            Kind::Rows => "r",
            Kind::Select => "s",
        }
    }
}

/// The key of a component that belongs to what is called so: `books.r`.
pub(super) fn key(name: &str, kind: Kind) -> String {
    format!("{}.{}", part(name), kind.last_word())
}

/// The key of the filter that columns of this name and type of PostgreSQL's own share: `id.int4.q`, `tags.text.array.q`.
pub(super) fn of_filter(column: &str, typed: &str) -> String {
    format!("{}.{typed}.q", part(column))
}

/// The key of the filter that one column has for itself: `books.genre.f`. Generators leave out what stands between words,
/// and only of the first word do they know where it ends.
pub(super) fn of_column(relation: &str, column: &str) -> String {
    let last = Kind::Filter.last_word();
    match is_plain(relation) && !relation.contains('_') && is_plain(column) {
        true => format!("{relation}.{column}.{last}"),
        false => {
            let words = pascal(relation) + &pascal(column);
            format!("{}.{last}", tagged(&words, &format!("{relation}.{column}")))
        }
    }
}

fn part(name: &str) -> Cow<'_, str> {
    match is_plain(name) {
        true => name.into(),
        false => word(name).into(),
    }
}

/// Whether it is `snake_case` whose words begin with letters: such names and their `PascalCase` are one to one.
pub(super) fn is_plain(name: &str) -> bool {
    name.split('_').all(|word| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn own(stem: String, name: &str) -> String {
    let taken = OWN.contains(&stem.as_str())
        || is_status(&stem)
        || OWN_LAST_WORDS.iter().any(|last| stem.ends_with(last));
    if taken { tagged(&stem, name) } else { stem }
}

/// Whether generators call the answer with some status so.
fn is_status(stem: &str) -> bool {
    stem.strip_prefix(['N', 'H'])
        .is_some_and(|rest| rest.len() == 3 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn tagged(words: &str, name: &str) -> String {
    format!("{words}_{:06x}", hash(name) & 0xff_ffff)
}

/// FNV-1a: the same on every machine, for ever.
fn hash(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What generators of Go make of a member's name: two names that end at one, and names that end at nothing, cannot both
/// be members there. `None` where there is nothing, and of names that generators refuse.
pub(super) fn identifier(name: &str) -> Option<String> {
    let is_refused = |c: char| matches!(c, '"' | '\\' | '`') || c.is_control();
    // JavaScript takes it for the prototype.
    if name == "__proto__" || name.contains(is_refused) {
        return None;
    }
    let mut identifier = String::new();
    let mut capital = true;
    for c in name.chars() {
        match c.is_ascii_alphanumeric() {
            true if capital => identifier.push(c.to_ascii_uppercase()),
            true => identifier.push(c),
            false => {}
        }
        capital = c.is_ascii() && !c.is_ascii_alphanumeric();
    }
    (!identifier.is_empty()).then_some(identifier)
}

/// The identifier of a name that can be a key in a query string as it is. It cannot be if it has a meaning of its own
/// there, or has to be in quotes; such columns are filtered by `and`.
pub(super) fn in_query(name: &str) -> Option<String> {
    match name {
        "select" | "columns" | "on_conflict" | "order" | "limit" | "offset" | "and" | "or" | "not" => None,
        name if is_bare(name) => identifier(name),
        _ => None,
    }
}

/// The name as it is written in lists and trees of a query string: in quotes, unless it can stand bare.
pub(super) fn quoted(name: &str) -> String {
    match is_bare(name) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn is_bare(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.trim() == word
            && word.chars().all(|c| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | ' ' | '$'))
    };
    name.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn rows_are_named_in_the_singular_where_it_is_nobody_else_s() {
        for (name, expected) in
            [("books", "Book"), ("film", "FilmRow"), ("sheep", "Sheep"), ("order_details", "OrderDetail")]
        {
            assert_eq!(stem(name), expected);
        }
        assert!(stem("book_inserts").starts_with("BookInsert_"));
        assert!(stem("Odd Name").starts_with("OddName_"));
    }

    #[test]
    fn no_two_names_end_at_one() {
        let names = [
            "book",
            "books",
            "book_row",
            "book_rows",
            "bookrow",
            "Books",
            "book s",
            "book-s",
            "book_s",
            "book__s",
            "a_1",
            "a1",
            "_a",
            "a_",
            "\"",
            "%",
            "ä",
            "",
            "status",
            "statuses",
            "datum",
            "data",
            "api_errors",
            "n400",
            "plan_q",
        ];
        let (mut stems, mut words) = (HashMap::new(), HashMap::new());
        for name in names {
            assert_eq!(stems.insert(stem(name), name), None, "{name}");
            assert_eq!(words.insert(word(name), name), None, "{name}");
        }
    }

    #[test]
    fn keys_of_components_are_told_apart_without_what_stands_between_their_words() {
        let mut camel = HashMap::new();
        for (relation, column) in
            [("a", "b"), ("a", "b_c"), ("a_b", "c"), ("A", "b"), ("a b", "c"), ("a", "b c"), ("a", "B")]
        {
            let key = of_column(relation, column);
            assert_eq!(camel.insert(pascal(&key), (relation, column)), None, "{key}");
        }
        assert_eq!(of_column("books", "author_id"), "books.author_id.f");
        assert_eq!(
            (key("books", Kind::Rows), of_filter("id", "int4")),
            ("books.r".into(), "id.int4.q".into())
        );
        assert!(
            key("größe", Kind::Order)
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
        );
    }

    #[test]
    fn keys_of_a_query_are_quoted_where_the_grammar_wants_it() {
        for (name, expected) in [
            ("id", "id"),
            ("two words", "two words"),
            ("a-b", "a-b"),
            (" a", "\" a\""),
            ("a.b", "\"a.b\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("100%", "\"100%\""),
            ("größe", "größe"),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }

    #[test]
    fn identifiers_are_what_go_makes_of_a_name() {
        for (name, expected) in [
            ("a_b", Some("AB")),
            ("aB", Some("AB")),
            ("a b", Some("AB")),
            ("ab", Some("Ab")),
            ("日本", None),
            ("__proto__", None),
            ("a\"b", None),
        ] {
            assert_eq!(identifier(name).as_deref(), expected, "{name}");
        }
        assert_eq!(
            (in_query("order"), in_query("100%"), in_query("id")),
            (None, None, Some("Id".to_owned()))
        );
    }
}
