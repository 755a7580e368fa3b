//! Names: from whatever a database calls its things to what protobuf's grammar
//! and style guide take. Pure text (the words are
//! `crate::name`'s); it knows neither catalog nor descriptors.
//!
//! Two things that end at one name are told apart by [`Claims`], always in the
//! same way for the same input.

pub(crate) use crate::name::{pascal, plural, singular, snake};
use std::collections::{HashMap, HashSet, hash_map::Entry};

/// Fields that generators write code for which does not compile: Java's has `getDescriptor`, Go's `ProtoReflect`.
const UNFIT: [&str; 2] = ["descriptor", "proto_reflect"];

/// A field's name: of a column, an attribute, an argument.
pub(crate) fn field_name(text: &str) -> String {
    let name = snake(text);
    if UNFIT.contains(&name.as_str()) { format!("{name}_value") } else { name }
}

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

/// After so many attempts things are alike to the last letter, which no database has: then their order decides.
const ALIKE: usize = 16;

/// Who has a name: a round of [`Claims::settle`] gives each of its things a number of its own.
type Owner = usize;

/// The owner of names that were taken outside of rounds.
const NOBODY: Owner = 0;

/// How a thing stands after a round, from the best on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Nobody else has any of its names.
    Alone,
    /// Another thing of the round, or the thing itself once more, has one of its names.
    Shared,
    /// One of its names was taken before the round.
    Late,
}

/// The names taken in one scope.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    owners: HashMap<String, Owner>,
    /// The highest number that a round has given.
    last: Owner,
}

impl Claims {
    /// A scope in which these names are taken.
    pub(crate) fn of(names: &[&str]) -> Self {
        let owners = names.iter().map(|name| ((*name).to_owned(), NOBODY)).collect();
        Self { owners, last: NOBODY }
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
            let are_distinct = || wanted.iter().collect::<HashSet<_>>().len() == wanted.len();
            if !wanted.iter().any(|name| self.owners.contains_key(name))
                && (wanted.len() == 1 || are_distinct())
            {
                self.owners.extend(wanted.into_iter().map(|name| (name, NOBODY)));
                return found;
            }
            attempt += 1;
        }
    }

    /// Names for things of one scope that are equals. Each has candidates, from the plainest on. One that is taken, or that
    /// another of them would have as well, is nobody's: who had it before the other was there is not known, and a client
    /// is better off without a thing than with another one. `candidate` must go on giving new names.
    pub(crate) fn settle<T, N>(
        &mut self,
        things: &[T],
        candidate: impl Fn(&T, usize) -> N,
        names: impl Fn(&N) -> Vec<String>,
    ) -> Vec<N> {
        let mut settled: Vec<Option<N>> = things.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..things.len()).collect();
        let mut attempt = 0;
        while !open.is_empty() {
            let tried: Vec<(usize, N)> =
                open.drain(..).filter_map(|at| Some((at, candidate(things.get(at)?, attempt)))).collect();
            let standings = self.round(tried.iter().map(|(_, found)| names(found)));
            for (place, ((at, found), standing)) in tried.into_iter().zip(standings).enumerate() {
                let is_free = match (attempt, standing) {
                    (..ALIKE, Standing::Alone) => true,
                    (ALIKE.., Standing::Alone | Standing::Shared) => place == 0,
                    (..ALIKE, Standing::Shared) | (_, Standing::Late) => false,
                };
                match settled.get_mut(at) {
                    Some(place) if is_free => *place = Some(found),
                    Some(_) | None => open.push(at),
                }
            }
            attempt += 1;
        }
        settled.into_iter().flatten().collect()
    }

    /// Takes the names of several things at once, and tells how each thing stands. Each name is looked up once: a catalog of
    /// ten thousand relations has four hundred thousand names.
    fn round(&mut self, things: impl ExactSizeIterator<Item = Vec<String>>) -> Vec<Standing> {
        let first = self.last + 1;
        let mut standings = vec![Standing::Alone; things.len()];
        self.last += things.len();
        for (place, names) in things.enumerate() {
            if place == 0 {
                // Things of one kind have as many names as each other.
                self.owners.reserve(names.len().saturating_mul(standings.len()));
            }
            for name in names {
                let owner = match self.owners.entry(name) {
                    Entry::Vacant(entry) => {
                        entry.insert(first + place);
                        continue;
                    }
                    Entry::Occupied(entry) => *entry.get(),
                };
                let shared = owner.checked_sub(first);
                for (at, standing) in [(Some(place), shared), (shared, shared)] {
                    if let Some(found) = at.and_then(|at| standings.get_mut(at)) {
                        *found =
                            (*found).max(if standing.is_some() { Standing::Shared } else { Standing::Late });
                    }
                }
            }
        }
        standings
    }

    /// Takes names that are given; those of them that are taken already are the error.
    pub(crate) fn take(&mut self, names: Vec<String>) -> Result<(), Vec<String>> {
        let (free, taken): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| !self.owners.contains_key(name));
        self.owners.extend(free.into_iter().map(|name| (name, NOBODY)));
        if taken.is_empty() { Ok(()) } else { Err(taken) }
    }

    /// Takes a field's name that is given.
    pub(crate) fn take_field(&mut self, name: &str) {
        self.owners.insert(field_key(name), NOBODY);
    }

    /// A field's name, beside fields that are there whatever the schema.
    pub(crate) fn field(&mut self, text: &str) -> String {
        let base = snake(text);
        self.claim(|attempt| numbered(&base, attempt), |name| vec![field_key(name)])
    }

    /// Names of fields that are equals, as [`Claims::settle`] has it.
    pub(crate) fn fields<T>(&mut self, fields: &[T], candidate: impl Fn(&T, usize) -> String) -> Vec<String> {
        self.settle(fields, candidate, |name| vec![field_key(name)])
    }
}

/// What two fields of one message must not have in common. Compilers refuse two whose default
/// JSON names are equal, some of them without regard to case.
fn field_key(name: &str) -> String {
    name.replace('_', "")
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
    fn a_name_that_two_equals_would_have_is_nobodys() {
        let candidate = |thing: &&str, attempt| match attempt {
            0 => snake(thing),
            attempt => format!("{}_{}{attempt}", snake(thing), thing.len()),
        };
        let named = |things: &[&str]| Claims::of(&["taken"]).fields(things, candidate);
        assert_eq!(
            named(&["fullName", "full name!", "other", "taken"]),
            ["full_name_81", "full_name_101", "other", "taken_51"]
        );
        assert_eq!(named(&["full name!", "other", "fullName"]), ["full_name_101", "other", "full_name_81"]);
    }

    #[test]
    fn fields_whose_json_names_collide_are_numbered_in_order() {
        let mut claims = Claims::default();
        let named = ["a_b", "aB", "ab", "c"].map(|name| claims.field(name));
        assert_eq!(named, ["a_b", "a_b_2", "ab_3", "c"]);
    }
}
