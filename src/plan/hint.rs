//! What was perhaps meant by a name that is not there. Nothing is searched that a client could not name anyway; where that
//! would reveal names, only close ones are told.

use crate::catalog::similar::Similar;

/// The least similarity of relations and functions, whose names are not for everybody.
pub(super) const CLOSE: f64 = 0.75;
/// The least similarity of names that reveal nothing: arguments, and what can be embedded.
pub(super) const SIMILAR: f64 = 0.33;

/// The one of a few names that is most like `wanted`, if it is at least so similar (0 to 1); case does not matter. The
/// catalog knows all names of a schema and searches them without taking them apart each time.
pub(super) fn closest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>, least: f64) -> Option<String> {
    Similar::new(names).closest(wanted, least).map(str::to_owned)
}
