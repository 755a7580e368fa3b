//! References: values that an operation takes out of an earlier answer, as if the client had copied them.

use super::invalid;
use crate::{
    error::{Error, Fault, Result},
    memory::{Lease, Memory},
    rest::body,
};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer as _,
    de::{Error as Custom, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    /// The operation.
    pub(super) from: usize,
    /// A field of the one row that it answers; without it all of the answer, as a function's value.
    #[serde(default)]
    pub(super) field: Option<String>,
}

/// A value is a key, and not a document: what refers to it repeats it.
const LONGEST: usize = 4096;

/// What an answer has at a reference, or why it has nothing.
type Found = std::result::Result<Bytes, String>;

/// The values that are referred to.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// By operation.
    wanted: HashMap<usize, BTreeSet<Reference>>,
    found: HashMap<Reference, Found>,
}

impl Values {
    /// Those of these references.
    pub(super) fn of<'r>(references: impl Iterator<Item = &'r Reference>) -> Self {
        let mut wanted: HashMap<usize, BTreeSet<Reference>> = HashMap::new();
        for reference in references {
            wanted.entry(reference.from).or_default().insert(reference.clone());
        }
        Self { wanted, found: HashMap::new() }
    }

    /// Forgets what was found.
    pub(super) fn clear(&mut self) {
        self.found.clear();
    }

    /// Takes what later operations refer to out of the answer to an operation.
    pub(super) fn take(&mut self, at: usize, answer: &Bytes) {
        let Some(wanted) = self.wanted.get(&at) else { return };
        let row = if wanted.iter().any(|reference| reference.field.is_some()) {
            row(answer)
        } else {
            Ok(BTreeMap::new())
        };
        for reference in wanted {
            let value = match (&reference.field, &row) {
                (None, _) if answer.is_empty() => Err("answers nothing".to_owned()),
                (None, _) => Ok(answer.clone()),
                (Some(_), Err(why)) => Err(why.clone()),
                (Some(field), Ok(row)) => match row.get(field) {
                    Some(value) => Ok(answer.slice_ref(value.get().as_bytes())),
                    None => Err(format!("does not answer a field \"{field}\"")),
                },
            };
            let value = value.and_then(|value| match value.len() {
                ..=LONGEST => Ok(value),
                _ => Err(format!("answers a value that is longer than {LONGEST} bytes")),
            });
            self.found.insert(reference.clone(), value);
        }
    }

    /// The value of a reference: null where the operation is not answered yet.
    fn get(&self, reference: &Reference) -> Result<&[u8]> {
        match self.found.get(reference) {
            None => Ok(b"null"),
            Some(Ok(value)) => Ok(value),
            Some(Err(why)) => {
                let from = reference.from;
                Err(invalid(format!("The operation refers to operation {from}, which {why}"))
                    .hint("What is referred to has to be answered: Prefer: return=representation, and the field in select"))
            }
        }
    }
}

/// The fields of the one row in an answer.
fn row(answer: &[u8]) -> std::result::Result<BTreeMap<String, &RawValue>, String> {
    let text = match answer.trim_ascii_start().first() {
        None => return Err("answers no row".to_owned()),
        Some(b'[') => {
            let rows: Vec<&RawValue> =
                serde_json::from_slice(answer).map_err(|_| "answers no rows".to_owned())?;
            match rows.as_slice() {
                [row] => row.get().as_bytes(),
                rows => return Err(format!("answers {} rows, and not one", rows.len())),
            }
        }
        Some(_) => answer,
    };
    serde_json::from_slice(text).map_err(|_| "answers no row".to_owned())
}

/// A body with the values of references in each of its objects. It has at most `limit` bytes, which are counted as they come.
pub(super) fn filled(
    body: &Bytes,
    references: &BTreeMap<String, Reference>,
    values: &Values,
    limit: usize,
    memory: &Memory,
) -> Result<Bytes> {
    let mut members = Vec::new();
    for (name, reference) in references {
        if !members.is_empty() {
            members.push(b',');
        }
        serde_json::to_writer(&mut members, name)
            .map_err(|error| invalid("A reference is malformed").cause(error))?;
        members.push(b':');
        members.extend_from_slice(values.get(reference)?);
    }
    let no_object = || invalid("What refers to an earlier operation is a JSON object, or a list of them");
    let lease = memory.lease();
    let mut filled = Filled { references, members, out: Vec::new(), limit, lease, refusal: None };
    match body.trim_ascii_start().first() {
        None => filled.object("{}")?,
        Some(b'[') => {
            let read = serde_json::Deserializer::from_slice(body).deserialize_seq(&mut filled);
            if let Some(refusal) = filled.refusal {
                return Err(refusal);
            }
            read.map_err(|error| no_object().cause(error))?;
        }
        Some(_) => filled.object(std::str::from_utf8(body).map_err(|error| no_object().cause(error))?)?,
    }
    Ok(filled.lease.keep(filled.out))
}

/// A body in the making.
struct Filled<'r> {
    references: &'r BTreeMap<String, Reference>,
    /// What each object gets.
    members: Vec<u8>,
    out: Vec<u8>,
    limit: usize,
    lease: Lease,
    /// Why an object of a list cannot be used.
    refusal: Option<Box<Error>>,
}

impl<'de> Visitor<'de> for &mut Filled<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> std::result::Result<(), A::Error> {
        let mut before = b'[';
        while let Some(row) = rows.next_element::<&RawValue>()? {
            self.out.push(before);
            if let Err(refusal) = self.object(row.get()) {
                self.refusal = Some(refusal);
                return Err(Custom::custom("an object cannot be used"));
            }
            before = b',';
        }
        self.out.extend_from_slice(if before == b'[' { b"[]" } else { b"]" });
        Ok(())
    }
}

impl Filled<'_> {
    fn object(&mut self, text: &str) -> Result<()> {
        let text = text.trim_ascii();
        let own: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| {
            invalid("What refers to an earlier operation is a JSON object, or a list of them").cause(error)
        })?;
        if let Some(name) = own.keys().find(|name| self.references.contains_key(*name)) {
            return Err(invalid(format!("\"{name}\" is in the body, and refers to an earlier operation")));
        }
        let length = self.out.len() + text.len() + self.members.len();
        if length > self.limit {
            let message = format!("The bodies with what they refer to are larger than {} bytes", self.limit);
            return Err(Error::new(Fault::BodyTooLarge, message));
        }
        self.lease.cover(length).map_err(body::full)?;
        self.out.push(b'{');
        self.out.extend_from_slice(&self.members);
        if !own.is_empty() {
            self.out.push(b',');
        }
        self.out.extend_from_slice(text.strip_prefix('{').unwrap_or(text).as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(from: usize, field: &str) -> Reference {
        Reference { from, field: Some(field.to_owned()) }
    }

    /// A body whose `a` is the field `id` of this answer.
    fn with(answer: &str, body: &str) -> std::result::Result<String, String> {
        let references = BTreeMap::from([("a".to_owned(), reference(0, "id"))]);
        let mut values = Values::of(references.values());
        values.take(0, &Bytes::from(answer.to_owned()));
        let filled = filled(&Bytes::from(body.to_owned()), &references, &values, 100, &Memory::new(1000));
        filled.map(|filled| String::from_utf8(filled.to_vec()).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn values_are_copied_as_they_are() {
        for (answer, body, expected) in [
            (r#"[{"id": 7, "x": 1}]"#, r#"{"b":1}"#, r#"{"a":7,"b":1}"#),
            (r#"{"id":"7\n"}"#, "{ }", r#"{"a":"7\n" }"#),
            (r#"{"id":[1,{"x":2}]}"#, "", r#"{"a":[1,{"x":2}]}"#),
            (r#"{"id":null}"#, r#"[{"b":1}, {}]"#, r#"[{"a":null,"b":1},{"a":null}]"#),
        ] {
            let found = with(answer, body).unwrap();
            assert_eq!(found, expected);
            serde_json::from_str::<serde_json::Value>(&found).unwrap();
        }
    }

    #[test]
    fn what_has_no_value_or_no_place_is_refused() {
        for (answer, body, expected) in [
            ("[]", "{}", "answers 0 rows"),
            (r#"[{"id":1},{"id":2}]"#, "{}", "answers 2 rows"),
            ("", "{}", "answers no row"),
            ("17", "{}", "answers no row"),
            (r#"{"x":1}"#, "{}", "does not answer a field \"id\""),
            (r#"{"id":1}"#, r#"{"a":1}"#, "\"a\" is in the body"),
            (r#"{"id":1}"#, "[1]", "is a JSON object"),
            (r#"{"id":1}"#, "7", "is a JSON object"),
            (r#"{"id":1}"#, &format!("[{}{{}}]", "{},".repeat(40)), "larger than 100 bytes"),
            (&format!(r#"{{"id":"{}"}}"#, "x".repeat(LONGEST)), "{}", "longer than"),
        ] {
            let error = with(answer, body).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_not_answered_yet_is_null() {
        let references = BTreeMap::from([("a".to_owned(), reference(0, "id"))]);
        let values = Values::of(references.values());
        assert_eq!(
            filled(&Bytes::new(), &references, &values, 100, &Memory::new(1000)).unwrap(),
            r#"{"a":null}"#
        );
    }
}
