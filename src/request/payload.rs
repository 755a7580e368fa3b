//! Bodies: rows to be written and arguments of calls, as JSON text that goes
//! to PostgreSQL as one parameter. Nothing here knows columns or types.

use super::literal::Literal;

/// Rows to write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Payload {
    /// A JSON object or an array of objects, as UTF-8.
    pub json: Literal,
    /// The keys, in the order of the first object; the same in each object
    /// unless a list of columns was given with the request.
    pub keys: Vec<String>,
    /// Whether `json` is one object or an array.
    pub rows: Rows,
}

/// One row or an array of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rows {
    /// A JSON object.
    One,
    /// A JSON array of objects, perhaps empty.
    Many,
}

/// What the body of a call is, for functions with one unnamed argument: none
/// of them takes CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the media types'")]
pub enum BodyKind {
    Csv,
    Json,
    Text,
    Xml,
    OctetStream,
}

/// The arguments of a call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Arguments {
    /// By name, each as text, in the order given; a variadic argument may come
    /// several times.
    Named(Vec<(String, Literal)>),
    /// A body: an object of named arguments, or the one unnamed argument.
    Body {
        /// What sort of body.
        kind: BodyKind,
        /// The body as it came.
        raw: Literal,
        /// The body as an object, where it is one.
        object: Option<Payload>,
    },
}
