//! Where in the claims of a token the role is (`jwt-role-claim-key`).
//! Two languages: JSON Path of RFC 9535, and the DSL that PostgREST had before version 16.
//! Does not look at tokens; it is given claims that were verified before.

use std::fmt;

use serde_json::Value as Json;
use serde_json_path::JsonPath;

use super::value::{Problem, Rendered, Value};

/// How long a path may be, in bytes, and how deep its brackets and parentheses may nest. The time that it takes to read one
/// grows with a power of its depth.
const LONGEST: usize = 1024;
const DEEPEST: usize = 8;

/// A path into the claims.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimPath {
    /// RFC 9535: `$.realm_access.roles[0]`.
    JsonPath {
        /// As it was written.
        text: String,
        /// As it is evaluated.
        path: JsonPath,
    },
    /// The older DSL: `.realm_access.roles[0]`. Still read, with a warning.
    Legacy(Vec<Step>),
}

/// One step of the older DSL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.key` or `."any key"`: a member of an object.
    Key(String),
    /// `[0]`: an element of an array.
    Index(usize),
    /// `[?(@ == "text")]`: the first text in an array that compares so. Only at the end.
    First(Comparison, String),
}

/// How the older DSL compares an element with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `^==`
    StartsWith,
    /// `==^`
    EndsWith,
    /// `*==`
    Contains,
}

/// The longer tokens first: `==` begins `==^`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("==^", Comparison::EndsWith),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("^==", Comparison::StartsWith),
    ("*==", Comparison::Contains),
];

impl ClaimPath {
    /// The first value that the path leads to.
    pub fn find<'a>(&self, claims: &'a Json) -> Option<&'a Json> {
        match self {
            ClaimPath::JsonPath { path, .. } => path.query(claims).first(),
            ClaimPath::Legacy(steps) => steps.iter().try_fold(claims, |value, step| step.of(value)),
        }
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        match self {
            Step::Key(key) => value.as_object()?.get(key),
            Step::Index(index) => value.as_array()?.get(*index),
            Step::First(comparison, text) => value
                .as_array()?
                .iter()
                .find(|element| element.as_str().is_some_and(|element| comparison.holds(element, text))),
        }
    }
}

impl Comparison {
    fn holds(self, element: &str, text: &str) -> bool {
        match self {
            Comparison::Equal => element == text,
            Comparison::NotEqual => element != text,
            Comparison::StartsWith => element.starts_with(text),
            Comparison::EndsWith => element.ends_with(text),
            Comparison::Contains => element.contains(text),
        }
    }

    fn token(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::StartsWith => "^==",
            Comparison::EndsWith => "==^",
            Comparison::Contains => "*==",
        }
    }
}

/// The form in which PostgREST dumps the path: every key of the older DSL in quotes.
impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClaimPath::JsonPath { text, .. } => f.write_str(text),
            ClaimPath::Legacy(steps) => steps.iter().try_for_each(|step| match step {
                Step::Key(key) => write!(f, ".\"{key}\""),
                Step::Index(index) => write!(f, "[{index}]"),
                Step::First(comparison, text) => write!(f, "[?(@ {} \"{text}\")]", comparison.token()),
            }),
        }
    }
}

impl Value for ClaimPath {
    const FORM: &'static str = "a JSON Path (RFC 9535)";

    fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > LONGEST || depth(text) > DEEPEST {
            let most = format!("at most {LONGEST} bytes and {DEEPEST} levels of brackets");
            return Err(Problem::Because(format!("the path is too long or too deep: it can have {most}")));
        }
        if let Ok(path) = JsonPath::parse(text) {
            return Ok(ClaimPath::JsonPath { text: text.to_owned(), path });
        }
        legacy_steps(text)
            .map(ClaimPath::Legacy)
            .ok_or_else(|| Problem::Because(format!("failed to parse role-claim-key value ({text})")))
    }

    fn render(&self) -> Rendered {
        Rendered::Quoted(self.to_string())
    }
}

/// How deep brackets and parentheses outside of quotes nest.
fn depth(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let (mut depth, mut deepest) = (0_usize, 0);
    for letter in text.chars() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '(') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (None, ']' | ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    deepest
}

/// `.key`, `."quoted key"`, `[0]`, and at the end possibly `[?(@ == "text")]`.
fn legacy_steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let step;
        (step, rest) = if let Some(filter) = rest.strip_prefix("[?(@") {
            let (first, rest) = legacy_filter(filter)?;
            (first, rest.is_empty().then_some(rest)?)
        } else if let Some(index) = rest.strip_prefix('[') {
            let (digits, rest) = index.split_once(']')?;
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            (Step::Index(all_digits.then(|| digits.parse().ok())??), rest)
        } else {
            let key = rest.strip_prefix('.')?;
            match quoted(key) {
                Some((key, rest)) => (Step::Key(key.to_owned()), rest),
                None => {
                    let end =
                        key.find(|c: char| !(c.is_alphanumeric() || "_$@".contains(c))).unwrap_or(key.len());
                    let (key, rest) = key.split_at(end);
                    (Step::Key((!key.is_empty()).then(|| key.to_owned())?), rest)
                }
            }
        };
        steps.push(step);
    }
    (!steps.is_empty()).then_some(steps)
}

/// What follows `[?(@`: a comparison, a quoted text, `)]`.
fn legacy_filter(text: &str) -> Option<(Step, &str)> {
    let text = text.trim_start();
    let (token, comparison) = COMPARISONS.into_iter().find(|(token, _)| text.starts_with(token))?;
    let (value, rest) = quoted(text[token.len()..].trim_start())?;
    Some((Step::First(comparison, value.to_owned()), rest.strip_prefix(")]")?))
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str, claims: &Json) -> Option<Json> {
        ClaimPath::parse(path).ok()?.find(claims).cloned()
    }

    #[test]
    fn both_languages_find_the_same_claims() {
        let claims = json!({
            "postgrest": {"a_role": "author"},
            "customObject": {"manyRoles": ["other", "author"]},
            "https://www.example.com/roles": [{"value": "author"}],
            "realm_access": {"roles": ["other", "author"]},
            "aud": "author",
        });
        for path in [
            "$.postgrest.a_role",
            "$.customObject.manyRoles[1]",
            "$[\"https://www.example.com/roles\"][0].value",
            "$.realm_access.roles[?(@ == \"author\")]",
            "$.realm_access.roles[?(@ != \"other\")]",
            "$.aud",
            ".postgrest.a_role",
            ".customObject.manyRoles[1]",
            ".\"https://www.example.com/roles\"[0].value",
            ".realm_access.roles[?(@ == \"author\")]",
            ".realm_access.roles[?(@ != \"other\")]",
            ".realm_access.roles[?(@ ^== \"au\")]",
            ".realm_access.roles[?(@ ==^ \"hor\")]",
            ".realm_access.roles[?(@ *== \"tho\")]",
            ".aud",
        ] {
            assert_eq!(found(path, &claims), Some(json!("author")), "{path}");
        }
        for path in [
            "$.myDomain[3]",
            ".myDomain[3]",
            "$.myRole",
            ".myRole",
            ".aud[0]",
            ".realm_access.roles[?(@ == \"x\")]",
        ] {
            assert_eq!(found(path, &claims), None, "{path}");
        }
    }

    #[test]
    fn a_path_in_neither_language_is_refused_in_the_words_of_postgrest() {
        for path in [
            "$.my_role;;domain",
            "@@.role.other",
            "role.other",
            ".role##",
            ".my_role;;domain",
            ".#$$%&$%/",
            "1234",
            ".role[?(@ =)]",
            ".role[?(@ == \"a\")].b",
            ".role[]",
            ".role[+1]",
            "",
        ] {
            let expected = Problem::Because(format!("failed to parse role-claim-key value ({path})"));
            assert_eq!(ClaimPath::parse(path), Err(expected), "{path}");
        }
    }

    #[test]
    fn a_dumped_path_quotes_the_keys_of_the_older_dsl_and_leaves_json_path_alone() {
        for (path, dumped) in [
            (".roles[?(@ ==^ \"role1\")]", ".\"roles\"[?(@ ==^ \"role1\")]"),
            (".roles.user_role", ".\"roles\".\"user_role\""),
            ("$.user[0].real_role", "$.user[0].real_role"),
        ] {
            let shown = ClaimPath::parse(path).map(|path| path.render());
            assert_eq!(shown, Ok(Rendered::Quoted(dumped.into())));
            assert_eq!(
                ClaimPath::parse(dumped).map(|path| path.render()),
                Ok(Rendered::Quoted(dumped.into()))
            );
        }
    }

    #[test]
    fn a_path_that_would_take_long_to_read_is_refused_at_once() {
        let begun = std::time::Instant::now();
        for part in [
            "[?(@",
            "[?@",
            "[?@[?@",
            "[?!(",
            "[?(",
            "[?count(@",
            "[?@==1&&@",
            "[?length(@)==1||(",
            "..[",
            "[0,",
            "[1:2,",
        ] {
            for times in [1, 2, 3, 4, 7, 8, 9, 50, 300] {
                let _ = ClaimPath::parse(&format!("${}", part.repeat(times)));
                let _ = ClaimPath::parse(&format!("$[?{}", part.repeat(times).replace("[?", "")));
            }
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
        let deep = ClaimPath::parse(&format!("${}", "[?(@".repeat(300)));
        let told =
            "the path is too long or too deep: it can have at most 1024 bytes and 8 levels of brackets";
        assert_eq!(deep, Err(Problem::Because(told.to_owned())));
        assert!(ClaimPath::parse(&format!("$[\"{}\"]", "[(".repeat(300))).is_ok());
    }
}
