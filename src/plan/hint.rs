//! What was perhaps meant by a name that is not there, as PostgREST finds it:
//! names that share sequences of three letters, or else of two, ranked by
//! these and then by their edit distance. Nothing is searched that a client
//! could not name anyway; where that would reveal names, only close ones are told.
//!
//! The ranking is that of Haskell's `fuzzyset`
//! (<https://hackage.haskell.org/package/fuzzyset>), so that hints are the same.

use std::collections::{HashMap, HashSet};

/// The least similarity of relations and functions, whose names are not for everybody.
pub(super) const CLOSE: f64 = 0.75;
/// The least similarity of names that reveal nothing: arguments, and what can be embedded.
pub(super) const SIMILAR: f64 = 0.33;

/// So many names are not searched: it would take too long.
const TOO_MANY: usize = 500;

/// How many of the names that share sequences are compared letter by letter.
const COMPARED: usize = 50;

/// The name most like `wanted`, if it is at least so similar (0 to 1); case does not matter.
pub(super) fn closest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>, least: f64) -> Option<&'n str> {
    let names: Vec<_> = names.take(TOO_MANY).collect();
    if names.len() == TOO_MANY {
        return None;
    }
    let wanted = wanted.to_lowercase();
    let mut known = HashSet::new();
    let names = names.into_iter().map(|name| (name.to_lowercase(), name));
    let names: Vec<_> = names.filter(|(lower, _)| known.insert(lower.clone())).collect();
    if let Some((_, exact)) = names.iter().find(|(lower, _)| *lower == wanted) {
        return Some(exact);
    }
    [3, 2].into_iter().find_map(|size| {
        let sought = Grams::of(&wanted, size);
        let mut found: Vec<_> = names
            .iter()
            .map(|(lower, name)| (sought.similarity(&Grams::of(lower, size)), lower, *name))
            .filter(|(shared, ..)| *shared > 0.0)
            .collect();
        found.sort_by(|(one, ..), (other, ..)| other.total_cmp(one));
        found.truncate(COMPARED);
        let distances =
            found.into_iter().map(|(_, lower, name)| (strsim::normalized_levenshtein(&wanted, lower), name));
        // Among equals the one that shares more comes first.
        let best = distances.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.filter(|(similarity, _)| *similarity >= least).map(|(_, name)| name)
    })
}

/// How often each sequence of a size occurs in a name.
struct Grams(HashMap<Vec<char>, u32>);

impl Grams {
    /// Of the letters, digits, blanks and commas of a name, with a hyphen at each end.
    fn of(name: &str, size: usize) -> Self {
        let counted = |letter: &char| letter.is_alphanumeric() || letter.is_whitespace() || *letter == ',';
        let letters: Vec<_> =
            std::iter::once('-').chain(name.chars().filter(counted)).chain(std::iter::once('-')).collect();
        let mut grams = HashMap::new();
        for gram in letters.windows(size) {
            *grams.entry(gram.to_vec()).or_insert(0) += 1;
        }
        Self(grams)
    }

    /// The cosine of the angle between both.
    fn similarity(&self, other: &Self) -> f64 {
        let shared = self.0.iter().filter_map(|(gram, count)| Some(count * other.0.get(gram)?));
        f64::from(shared.sum::<u32>()) / (self.magnitude() * other.magnitude())
    }

    fn magnitude(&self) -> f64 {
        f64::from(self.0.values().map(|count| count * count).sum::<u32>()).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'n>(wanted: &str, names: &[&'n str], least: f64) -> Option<&'n str> {
        closest(wanted, names.iter().copied(), least)
    }

    #[test]
    fn the_closest_name_is_found() {
        let films = ["directors", "roles", "actors"];
        assert_eq!(found("role", &films, SIMILAR), Some("roles"));
        assert_eq!(found("Directer", &films, CLOSE), Some("directors"));
        assert_eq!(found("noclosealternative", &films, SIMILAR), None);
    }

    #[test]
    fn signatures_are_names_too() {
        let signatures = ["(name, param, val)", "(attr, id)"];
        assert_eq!(found("(nam, pqaram, vall)", &signatures, SIMILAR), Some("(name, param, val)"));
        assert_eq!(found("(id)", &signatures, SIMILAR), Some("(attr, id)"));
        assert_eq!(found("(noclosealternative)", &signatures, SIMILAR), None);
    }

    #[test]
    fn names_without_a_sequence_in_common_are_not_alike() {
        // Half of its letters are right, but neither the ends nor two of them together.
        assert_eq!(found("xbxdxfx", &["abcdefg"], SIMILAR), None);
    }

    #[test]
    fn sequences_of_three_go_before_closer_ones_of_two() {
        assert_eq!(found("abcdef", &["xbcyex", "zzzzdef"], SIMILAR), Some("zzzzdef"));
        assert_eq!(found("abcdef", &["xbcyex"], SIMILAR), Some("xbcyex"));
    }

    #[test]
    fn too_many_names_are_not_searched() {
        let names: Vec<_> = (0..TOO_MANY).map(|number| format!("films{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(found("films1", &names, CLOSE), None);
        assert_eq!(found("films1", &names[1..], CLOSE), Some("films1"));
    }

    #[test]
    fn upper_and_lower_case_are_one() {
        assert_eq!(found("FILMS", &["films"], CLOSE), Some("films"));
    }
}
