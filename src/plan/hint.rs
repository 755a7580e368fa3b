//! What was perhaps meant by a name that is not there.

/// Names without a neighbour this close are not suggested.
pub(super) const CLOSE: f64 = 0.75;

/// The name most like `wanted`, if it is at least so similar (0 to 1).
pub(super) fn closest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>, least: f64) -> Option<&'n str> {
    let wanted = wanted.to_lowercase();
    names
        .map(|name| (strsim::normalized_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity >= least)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}
