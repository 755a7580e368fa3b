//! Names: from whatever a database calls its things to what protobuf's grammar
//! and style guide take. Pure text (the words are
//! `crate::name`'s); it knows neither catalog nor descriptors.
//!
//! Two things that end at one name are told apart by [`Claims`], always in the
//! same way for the same input.

pub(crate) use crate::name::{pascal, plural, singular, snake};
use std::collections::HashSet;

/// `UPPER_SNAKE_CASE`: enum values.
pub(crate) fn upper_snake(text: &str) -> String {
    snake(text).to_ascii_uppercase()
}

/// The name that protobuf's JSON gives a field by default: `lowerCamelCase`.
pub(crate) fn default_json(field: &str) -> String {
    let mut json = String::with_capacity(field.len());
    let mut capital = false;
    for letter in field.chars() {
        match letter {
            '_' => capital = true,
            letter if capital => {
                json.push(letter.to_ascii_uppercase());
                capital = false;
            }
            letter => json.push(letter),
        }
    }
    json
}

/// The names taken in one scope.
#[derive(Debug, Default)]
pub(crate) struct Claims(HashSet<String>);

impl Claims {
    /// A scope in which these names are taken.
    pub(crate) fn of(names: &[&str]) -> Self {
        Self(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// The first candidate none of whose names is taken; takes all its names.
    /// `candidate` is asked with 0, 1, 2, … and must go on giving new names.
    pub(crate) fn claim<T>(
        &mut self,
        candidate: impl Fn(usize) -> T,
        names: impl Fn(&T) -> Vec<String>,
    ) -> T {
        let mut attempt = 0;
        loop {
            let found = candidate(attempt);
            let wanted = names(&found);
            let distinct: HashSet<&String> = wanted.iter().collect();
            if distinct.len() == wanted.len() && !wanted.iter().any(|name| self.0.contains(name)) {
                self.0.extend(wanted);
                return found;
            }
            attempt += 1;
        }
    }

    /// Takes names that are given; those of them that are taken already are the error.
    pub(crate) fn take(&mut self, names: Vec<String>) -> Result<(), Vec<String>> {
        let (free, taken): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| !self.0.contains(name));
        self.0.extend(free);
        if taken.is_empty() { Ok(()) } else { Err(taken) }
    }

    /// Takes a field's name that is given.
    pub(crate) fn take_field(&mut self, name: &str) {
        self.0.insert(name.replace('_', ""));
    }

    /// A field's name. Compilers refuse two fields whose default JSON names are
    /// equal, some of them without regard to case: such names count as one.
    pub(crate) fn field(&mut self, text: &str) -> String {
        let base = snake(text);
        self.claim(|attempt| numbered(&base, attempt), |name| vec![name.replace('_', "")])
    }
}

/// `base`, `base_2`, `base_3`, …
pub(crate) fn numbered(base: &str, attempt: usize) -> String {
    match attempt {
        0 => base.to_owned(),
        attempt => format!("{base}_{}", attempt + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_whose_json_names_collide_are_numbered_in_order() {
        let mut claims = Claims::default();
        let named = ["a_b", "aB", "ab", "c"].map(|name| claims.field(name));
        assert_eq!(named, ["a_b", "a_b_2", "ab_3", "c"]);
    }
}
