//! Kinds of methods, as protocols tell them apart. Relations and functions have methods of each.

/// What a method changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effects {
    /// Nothing, as it is declared.
    None,
    /// Something.
    Some,
}

/// How many messages a method answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Responses {
    /// One message.
    One,
    /// Any number of them.
    Stream,
}
