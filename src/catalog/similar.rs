//! Names that resemble one that is not there, as PostgREST finds them: those that share sequences of three letters, or
//! else of two, ranked by these and then by their edit distance. It decides neither which names are searched nor how much
//! alike they have to be.
//!
//! The ranking is that of Haskell's `fuzzyset`
//! (<https://hackage.haskell.org/package/fuzzyset>), so that hints are the same.
//!
//! Names are taken apart once, when a catalog is first asked for one that it lacks; a question costs what its own
//! sequences and the few best names cost.

use std::{cmp::Ordering, collections::HashMap};

/// So many names are not searched, as in PostgREST.
const TOO_MANY: usize = 500;

/// How many of the names that share sequences are compared letter by letter.
const COMPARED: usize = 50;

/// A longer text resembles nothing: names have at most 63 bytes, and only the signatures of functions are longer. The cost
/// of a comparison is the product of both lengths.
const LONGEST: usize = 512;

/// The lengths of sequences, in the order in which they are tried.
const SIZES: [usize; 2] = [3, 2];

/// Names, taken apart.
#[derive(Debug, Default)]
pub struct Similar {
    names: Vec<Name>,
    /// By the name in lower case.
    exact: HashMap<String, usize>,
    grams: [Grams; SIZES.len()],
}

#[derive(Debug)]
struct Name {
    lower: Vec<char>,
    text: String,
}

/// The names that have each sequence of one length, and how often.
#[derive(Debug, Default)]
struct Grams {
    names: HashMap<Vec<char>, Vec<(usize, f64)>>,
    /// Of each name.
    magnitudes: Vec<f64>,
}

impl Similar {
    /// Takes names apart; none where there are too many. Case does not matter: of two the first counts.
    pub fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let names: Vec<_> = names.take(TOO_MANY).collect();
        let mut similar = Self::default();
        if names.len() == TOO_MANY {
            return similar;
        }
        for text in names {
            let lower = text.to_lowercase();
            let at = similar.names.len();
            if similar.exact.contains_key(&lower) {
                continue;
            }
            for (grams, size) in similar.grams.iter_mut().zip(SIZES) {
                let counted = counted(&lower, size);
                grams.magnitudes.push(magnitude(&counted));
                for (gram, count) in counted {
                    grams.names.entry(gram).or_default().push((at, count));
                }
            }
            similar.names.push(Name { lower: lower.chars().collect(), text: text.to_owned() });
            similar.exact.insert(lower, at);
        }
        similar
    }

    /// The name most like `wanted`, if it is at least so similar (0 to 1).
    pub fn closest(&self, wanted: &str, least: f64) -> Option<&str> {
        if wanted.chars().nth(LONGEST).is_some() {
            return None;
        }
        let wanted = wanted.to_lowercase();
        if let Some(exact) = self.exact.get(&wanted) {
            return self.names.get(*exact).map(|name| name.text.as_str());
        }
        let letters: Vec<char> = wanted.chars().collect();
        self.grams.iter().zip(SIZES).find_map(|(grams, size)| {
            let candidates = grams.sharing(&counted(&wanted, size)).into_iter().take(COMPARED);
            let candidates = candidates.filter_map(|at| self.names.get(at));
            let possible = candidates.filter(|name| attainable(&letters, &name.lower) >= least);
            let distances = possible.map(|name| (similarity(&letters, &name.lower), name));
            // Among equals the one that shares more comes first.
            let best = distances.reduce(|best, next| if next.0 > best.0 { next } else { best });
            best.filter(|(similarity, _)| *similarity >= least).map(|(_, name)| name.text.as_str())
        })
    }
}

impl Grams {
    /// The names that share a sequence with these, by the cosine of the angle between both, the largest first.
    fn sharing(&self, sought: &HashMap<Vec<char>, f64>) -> Vec<usize> {
        let mut shared: HashMap<usize, f64> = HashMap::new();
        for (gram, count) in sought {
            for (at, times) in self.names.get(gram).into_iter().flatten() {
                *shared.entry(*at).or_default() += count * times;
            }
        }
        let of_sought = magnitude(sought);
        let cosine = |(at, product): (usize, f64)| {
            (product / (of_sought * self.magnitudes.get(at).copied().unwrap_or(f64::INFINITY)), at)
        };
        let mut found: Vec<_> = shared.into_iter().map(cosine).collect();
        found.sort_by(|(one, first), (other, second)| other.total_cmp(one).then(first.cmp(second)));
        found.into_iter().map(|(_, at)| at).collect()
    }
}

/// How often each sequence occurs among the letters, digits, blanks and commas of a name, with a hyphen at each end.
fn counted(name: &str, size: usize) -> HashMap<Vec<char>, f64> {
    let counts = |letter: &char| letter.is_alphanumeric() || letter.is_whitespace() || *letter == ',';
    let hyphen = std::iter::once('-');
    let letters: Vec<_> = hyphen.clone().chain(name.chars().filter(counts)).chain(hyphen).collect();
    let mut grams = HashMap::new();
    for gram in letters.windows(size) {
        *grams.entry(gram.to_vec()).or_default() += 1.0;
    }
    grams
}

fn magnitude(grams: &HashMap<Vec<char>, f64>) -> f64 {
    grams.values().map(|count| count * count).sum::<f64>().sqrt()
}

/// The edit distance as a similarity, from 0 to 1.
fn similarity(one: &[char], other: &[char]) -> f64 {
    let longest = one.len().max(other.len());
    match longest {
        0 => 1.0,
        _ => 1.0 - strsim::generic_levenshtein(&Letters(one), &Letters(other)) as f64 / longest as f64,
    }
}

/// The most that their lengths allow.
fn attainable(one: &[char], other: &[char]) -> f64 {
    match one.len().cmp(&other.len()) {
        Ordering::Equal => 1.0,
        Ordering::Less => one.len() as f64 / other.len() as f64,
        Ordering::Greater => other.len() as f64 / one.len() as f64,
    }
}

struct Letters<'l>(&'l [char]);

impl<'l> IntoIterator for &'l Letters<'_> {
    type Item = &'l char;
    type IntoIter = std::slice::Iter<'l, char>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSE: f64 = 0.75;
    const SIMILAR: f64 = 0.33;

    fn found(wanted: &str, names: &[&str], least: f64) -> Option<String> {
        Similar::new(names.iter().copied()).closest(wanted, least).map(str::to_owned)
    }

    #[test]
    fn the_closest_name_is_found() {
        let films = ["directors", "roles", "actors"];
        assert_eq!(found("role", &films, SIMILAR).as_deref(), Some("roles"));
        assert_eq!(found("Directer", &films, CLOSE).as_deref(), Some("directors"));
        assert_eq!(found("noclosealternative", &films, SIMILAR), None);
    }

    #[test]
    fn signatures_are_names_too() {
        let signatures = ["(name, param, val)", "(attr, id)"];
        let closest = |wanted| found(wanted, &signatures, SIMILAR);
        assert_eq!(closest("(nam, pqaram, vall)").as_deref(), Some("(name, param, val)"));
        assert_eq!(closest("(id)").as_deref(), Some("(attr, id)"));
        assert_eq!(closest("(noclosealternative)"), None);
    }

    #[test]
    fn names_without_a_sequence_in_common_are_not_alike() {
        // Half of its letters are right, but neither the ends nor two of them together.
        assert_eq!(found("xbxdxfx", &["abcdefg"], SIMILAR), None);
    }

    #[test]
    fn sequences_of_three_go_before_closer_ones_of_two() {
        assert_eq!(found("abcdef", &["xbcyex", "zzzzdef"], SIMILAR).as_deref(), Some("zzzzdef"));
        assert_eq!(found("abcdef", &["xbcyex"], SIMILAR).as_deref(), Some("xbcyex"));
    }

    #[test]
    fn too_many_names_and_too_long_ones_are_not_searched() {
        let names: Vec<_> = (0..TOO_MANY).map(|number| format!("films{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(found("films1", &names, CLOSE), None);
        assert_eq!(found("films1", &names[1..], CLOSE).as_deref(), Some("films1"));
        let long = "a".repeat(LONGEST);
        assert_eq!(found(&long, &[&long], CLOSE).as_deref(), Some(long.as_str()));
        assert_eq!(found(&format!("{long}a"), &[&long], CLOSE), None);
    }

    #[test]
    fn upper_and_lower_case_are_one() {
        assert_eq!(found("FILMS", &["films"], CLOSE).as_deref(), Some("films"));
    }
}
