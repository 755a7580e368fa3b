//! A field or an enum's value on one line, as a `.proto` file has it:
//! `repeated string tags = 7`, `GRADE_PASS = 2`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The last number that a field can have.
const LAST: u32 = (1 << 29) - 1;
/// The last number that an enum's value can have.
const LAST_VALUE: u32 = i32::MAX.unsigned_abs();
/// Numbers that protobuf keeps for itself.
const KEPT: std::ops::RangeInclusive<u32> = 19_000..=19_999;

/// What a thing has been called and numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Declaration {
    /// The type with `repeated` before it; empty for an enum's value.
    pub(crate) kind: String,
    /// The name.
    pub(crate) name: String,
    /// The number.
    pub(crate) number: u32,
}

impl fmt::Display for Declaration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.kind.is_empty() { "" } else { " " };
        write!(out, "{}{space}{} = {}", self.kind, self.name, self.number)
    }
}

impl From<Declaration> for String {
    fn from(declaration: Declaration) -> String {
        declaration.to_string()
    }
}

impl TryFrom<String> for Declaration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.rsplit_once(" = ").and_then(|(head, number)| {
            let (kind, name) = head.rsplit_once(' ').unwrap_or(("", head));
            let number = number.parse().ok()?;
            Some(Declaration { kind: kind.to_owned(), name: name.to_owned(), number })
        });
        let form = "is not of the form \"string name = 1\"";
        let declaration = parsed.ok_or_else(|| format!("\"{text}\" {form}"))?;
        identifiers([&declaration.name])?;
        let number = declaration.number;
        let (what, is_one) = match declaration.kind.is_empty() {
            true => ("an enum's value", (1..=LAST_VALUE).contains(&number)),
            false => ("a field", (1..=LAST).contains(&number) && !KEPT.contains(&number)),
        };
        if is_one { Ok(declaration) } else { Err(format!("\"{text}\": {number} is no number for {what}")) }
    }
}

/// Each is a name that protobuf takes.
pub(super) fn identifiers<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<(), String> {
    let wrong = names.into_iter().find(|name| {
        let name = name.as_ref();
        let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        !begins || !name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    });
    match wrong {
        Some(name) => Err(format!("\"{}\" is no name in protobuf", name.as_ref())),
        None => Ok(()),
    }
}
