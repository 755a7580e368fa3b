//! The fragment: SQL text and its parameters, which cannot come apart. This is
//! the only place where a run-time string becomes SQL text, and only as a
//! quoted identifier or as a column's default, which PostgreSQL itself wrote
//! down; values are always parameters.

mod binary;
mod call;
mod column;
mod differences;
mod filter;
mod mutate;
mod page;
mod premise;
mod privileges;
mod read;
mod session;
mod statement;
mod types;
mod value;

use crate::{
    catalog::descriptor,
    request::literal::{self, Literal, Number},
};
use bytes::Bytes;
use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::OnceLock,
};

/// The values that a fragment's parameters take from a request.
pub use crate::request::literal::Literals;

pub use self::{
    differences::differences,
    privileges::privileges,
    session::{Setting, Settings, TO_WORKERS, pre_request, reach_workers},
    statement::{count, looking, statement},
};

/// What the rows of a mutation or a call are called within its statement.
const SOURCE: &str = "pgduet_source";
/// What a whole row of theirs is called there.
const ROW: &str = "pgduet_row";

/// A parameter's value in PostgreSQL's text format; `None` is NULL. PostgreSQL
/// infers the type from where it stands.
pub type Value = Option<Bytes>;

/// SQL text and its parameters, written from left to right.
#[derive(Clone, Debug, Default)]
pub struct Fragment {
    text: String,
    parameters: Vec<Parameter>,
    /// Of the text, once somebody has asked for it. Only then is the text complete.
    hash: OnceLock<u64>,
}

impl PartialEq for Fragment {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.parameters == other.parameters
    }
}

/// A text with its hash. Two texts may have the same.
#[derive(Clone, Copy, Debug)]
pub struct Hashed<'t> {
    /// The text.
    pub text: &'t str,
    /// Its hash, the same in every process.
    pub hash: u64,
}

impl<'t> From<&'t str> for Hashed<'t> {
    fn from(text: &'t str) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self { text, hash: hasher.finish() }
    }
}

/// Where the value of a parameter comes from.
#[derive(Clone, Debug, PartialEq)]
enum Parameter {
    /// A literal as it is.
    Literal(Literal),
    /// Bytes, in hexadecimal.
    Hexadecimal(Literal),
    /// The array of these texts.
    Array(Vec<Literal>),
}

impl Parameter {
    fn value(&self, literals: &Literals) -> Bytes {
        match self {
            Parameter::Literal(literal) => literals.value(literal),
            Parameter::Hexadecimal(literal) => hexadecimal(&literals.value(literal)).into(),
            Parameter::Array(texts) => literal::array(texts.iter().map(|text| literals.value(text))),
        }
    }
}

/// PostgreSQL's notation of bytes (its manual, section 8.4.1).
fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
    }
    text
}

impl Fragment {
    /// An empty fragment, with room for what most statements need.
    pub fn new() -> Self {
        Self { text: String::with_capacity(512), ..Self::default() }
    }

    /// Adds SQL that was known when this was compiled.
    pub fn sql(&mut self, sql: &'static str) -> &mut Self {
        self.text.push_str(sql);
        self
    }

    /// Adds an identifier, quoted. It ends at a NUL, which no name in PostgreSQL has
    /// and no statement may have.
    pub fn identifier(&mut self, name: &str) -> &mut Self {
        self.text.push('"');
        match memchr::memchr2(b'"', b'\0', name.as_bytes()) {
            None => self.text.push_str(name),
            Some(_) => {
                let name = name.split('\0').next().unwrap_or_default();
                self.text.push_str(&name.replace('"', "\"\""));
            }
        }
        self.text.push('"');
        self
    }

    /// Adds `schema.name`, both quoted.
    pub fn qualified(&mut self, schema: &str, name: &str) -> &mut Self {
        self.identifier(schema).sql(".").identifier(name)
    }

    /// Adds a column's default, if it has one.
    pub fn default_of(&mut self, column: &descriptor::Column) -> &mut Self {
        self.text.push_str(column.default.as_deref().unwrap_or("NULL"));
        self
    }

    fn parameter(&mut self, parameter: Parameter) -> &mut Self {
        self.parameters.push(parameter);
        self.text.push('$');
        self.position(self.parameters.len())
    }

    /// Adds a text parameter that is the same for every request of the shape.
    pub fn text(&mut self, value: impl Into<String>) -> &mut Self {
        self.parameter(Parameter::Literal(value.into().into()))
    }

    /// Adds a literal as a parameter.
    pub fn literal(&mut self, literal: &Literal) -> &mut Self {
        self.parameter(Parameter::Literal(literal.clone()))
    }

    /// Adds a literal as the parameter that it is already, if it is one.
    fn literal_once(&mut self, literal: &Literal) -> &mut Self {
        let is_it = |found: &Parameter| matches!(found, Parameter::Literal(found) if found == literal);
        match self.parameters.iter().position(is_it) {
            Some(at) => self.sql("$").position(at + 1),
            None => self.literal(literal),
        }
    }

    /// Adds bytes as a parameter of type `bytea`.
    fn bytes(&mut self, literal: &Literal) -> &mut Self {
        self.parameter(Parameter::Hexadecimal(literal.clone()))
    }

    /// Adds the array of some texts as a parameter.
    fn array(&mut self, texts: &[Literal]) -> &mut Self {
        self.parameter(Parameter::Array(texts.to_vec()))
    }

    /// Adds a number that PostgreSQL has to know when it plans: with an unknown limit it assumes a tenth of the rows, finds
    /// every plan for that too dear to keep, and plans anew for each request.
    fn integer(&mut self, number: u64) -> &mut Self {
        self.text.push_str(itoa::Buffer::new().format(number));
        self
    }

    /// Adds a number as a parameter.
    fn number(&mut self, number: Number) -> &mut Self {
        match number {
            Number::Given(number) => self.text(number.to_string()),
            Number::Moved(slot) => self.parameter(Parameter::Literal(Literal::Moved(slot))),
        }
    }

    /// Adds a number that stands for a column of the select list.
    pub fn position(&mut self, position: usize) -> &mut Self {
        self.text.push_str(itoa::Buffer::new().format(position));
        self
    }

    /// Adds one item after the other with `separator` between them.
    pub fn separated<T>(
        &mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.sql(separator);
            }
            write(self, item);
        }
        self
    }

    /// The complete text with its hash, which is computed once.
    pub fn hashed(&self) -> Hashed<'_> {
        let hash = self.hash.get_or_init(|| Hashed::from(self.text.as_str()).hash);
        Hashed { text: &self.text, hash: *hash }
    }

    /// The text; parameters are `$1`, `$2` ….
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The values of the parameters for a request with these literals, `$1` first.
    pub fn values(&self, literals: &Literals) -> Vec<Value> {
        self.parameters.iter().map(|parameter| Some(parameter.value(literals))).collect()
    }
}

/// How one output column becomes JSON. Bytes are what PostgreSQL sends for the
/// expression in the select list, which `sql` has written to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoder {
    /// The text is JSON already: json, anything wrapped in `to_json`.
    Verbatim,
    /// The text is `t` or `f`.
    Boolean,
    /// The text is a number, or `NaN` or an infinity, which JSON quotes.
    Number,
    /// The text becomes a JSON string.
    Text,
}

/// An output column of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The key in the answer.
    pub name: String,
    /// How it becomes JSON.
    pub encoder: Encoder,
}

/// What the rows of a statement become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A JSON array of objects with these columns.
    Array(Vec<Column>),
    /// One JSON object with these columns; there must be exactly one row.
    Object(Vec<Column>),
    /// The one column of the one row is a JSON value: a function's scalar.
    Scalar(Encoder),
    /// The one column of each row is an element of a JSON array.
    Scalars {
        /// How it becomes JSON.
        encoder: Encoder,
        /// What stands before it.
        elements: Elements,
    },
    /// The one column of the one row is the body as it is: PostgreSQL made it.
    Body,
    /// Each row's one column is a line of the body.
    Lines,
    /// CSV: the one column of each row is its line, which PostgreSQL made; these
    /// names are the header, which is left empty where no row came.
    Csv(Vec<String>),
    /// Binary columns for a sink that knows them.
    Columns,
    /// Rows are only counted.
    Nothing,
}

/// Elements of a JSON array, by what `json_agg` sets between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    /// A comma and a blank.
    Plain,
    /// A line break, too, before those that are not NULL: arrays, as composites are.
    Structured,
    /// A comma alone: what was stripped of keys without a value.
    Stripped,
}

/// A column that carries a fact rather than data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// NULL in a row without data, which came for the facts after it alone.
    Present,
    /// How many rows there are without limit and offset.
    Total,
    /// How many rows went into a body that PostgreSQL made.
    Rows,
    /// How many rows an upsert has inserted so far, not updated.
    Inserted,
    /// Whether an upsert has inserted the row: 1, or 0 where it has updated it. Those of all rows are added up.
    IsInserted,
    /// The value of this column of the key, as text.
    Key(String),
    /// What code has left behind: one of [`LEFT`].
    Left,
}

/// A look at what code has left behind: two settings that change the answer, whether it has written, and locks of the
/// session, which are released in passing.
pub const LEFT: [&str; 4] = [
    "pg_catalog.current_setting('response.headers', true)",
    "pg_catalog.current_setting('response.status', true)",
    "pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL",
    "pg_catalog.pg_advisory_unlock_all()",
];

/// A statement and what its rows become.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The SQL.
    pub fragment: Fragment,
    /// What the data columns of its rows become.
    pub layout: Layout,
    /// What the columns after the data's are; of the last row unless they say
    /// otherwise.
    pub facts: Vec<Fact>,
}

/// How the total is found.
#[derive(Clone, Debug, PartialEq)]
pub enum Count {
    /// Every row comes: by their number.
    Rows,
    /// By the statement itself, in one snapshot with the page: [`Fact::Total`].
    Fact,
    /// By the estimate in the plan that this `EXPLAIN (FORMAT JSON)` gives.
    Planned(Fragment),
    /// By [`Fact::Total`], which does not count beyond the limit and one more;
    /// where it is over the limit, by the larger of it and the estimate. Without
    /// a limit the larger of both always counts, as PostgREST has it.
    Estimated {
        /// An `EXPLAIN (FORMAT JSON)`.
        planned: Fragment,
        /// `db-max-rows`.
        limit: Option<u64>,
    },
}

/// LISTEN on a channel.
pub fn listen(channel: &str) -> Fragment {
    let mut out = Fragment::new();
    out.sql("LISTEN ").identifier(channel);
    out
}
