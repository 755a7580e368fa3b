//! The fields of a call of a function besides its arguments. An argument never takes the name of one: it makes way, so that
//! these fields have the same names in all requests that have them.

use crate::name::snake;

/// Of functions whose arguments have names.
const OF_ARGUMENTS: &[&str] = &["null_mask"];
/// Of functions that give rows of a relation.
const OF_ROWS: &[&str] = &["read_mask", "embeds"];
/// Of functions that give a stream of such rows.
const OF_STREAMS: &[&str] = &["where", "filter", "order_by", "limit", "skip"];

/// What a function gives, as far as its request depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// Something else than rows of a relation.
    NoRows,
    /// One row of a relation.
    Row,
    /// A stream of them.
    Rows,
}

/// The name of an argument's field: what it would be called by itself, unless the field that a request of such a function
/// has, or gets when the relation gets related ones, is called so.
pub(crate) fn argument_name(name: &str, gives: Gives) -> String {
    let fixed = match gives {
        Gives::NoRows => [OF_ARGUMENTS, &[], &[]],
        Gives::Row => [OF_ARGUMENTS, OF_ROWS, &[]],
        Gives::Rows => [OF_ARGUMENTS, OF_ROWS, OF_STREAMS],
    };
    // Compilers take two names for one that differ in underscores alone.
    let key = |name: &str| name.replace('_', "");
    match fixed.iter().copied().flatten().any(|fixed| key(fixed) == key(&snake(name))) {
        true => format!("{name}_argument"),
        false => name.to_owned(),
    }
}
