//! The select list, as typed: fields, embeds and spreads.

use std::{collections::BTreeSet, sync::Arc};

/// A step of a JSON path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// By key.
    Key(String),
    /// By position, from the end if negative.
    Index(i32),
}

/// How a step hands on what it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrow {
    /// `->`: as json.
    Json,
    /// `->>`: as text.
    Text,
}

/// A column, and a path into it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// The column's name, whatever it is: `*` is a name too.
    pub name: String,
    /// The steps, outermost first.
    pub path: Vec<(Arrow, Step)>,
}

impl Field {
    /// A column as it is.
    pub fn column(name: impl Into<String>) -> Self {
        Self { name: name.into(), path: Vec::new() }
    }
}

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum AggregateFunction {
    Sum,
    Avg,
    Min,
    Max,
    Count,
}

/// An aggregate over a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// The function.
    pub function: AggregateFunction,
    /// The type its result is cast to.
    pub cast: Option<String>,
}

/// `!inner` or `!left`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Join {
    /// Rows without a match stay.
    #[default]
    Left,
    /// Rows without a match go.
    Inner,
}

/// What a related relation becomes in the row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EmbedForm {
    /// A key of its own, under this alias if there is one.
    Nested {
        /// The key, if it is not the target's name.
        alias: Option<String>,
    },
    /// Its keys become the row's: `...rel(a,b)`.
    Spread,
    /// The number of its rows, under this key. Order and range do not change the number.
    Count {
        /// The key.
        alias: String,
    },
}

/// A related relation in the select list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Embed {
    /// A relation, a foreign key's constraint or column, or a function.
    pub target: String,
    /// What tells several relationships apart.
    pub hint: Option<String>,
    /// How rows without a match are treated; `None` if nothing was said.
    pub join: Option<Join>,
    /// Nested or spread.
    pub form: EmbedForm,
    /// Its own select list; may be empty.
    pub select: Vec<SelectItem>,
}

/// What no item of a select list can name, and so cannot cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// An attribute of composites.
    Attribute {
        /// The OID of the composite type.
        of: u32,
        /// The attribute's number.
        number: i32,
    },
    /// The one value that a function gives.
    Result {
        /// The function's OID.
        of: u32,
    },
}

/// Parts of rows that are wanted as PostgreSQL's own text, whatever their types.
pub type Texts = Arc<BTreeSet<Part>>;

/// One item of a select list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SelectItem {
    /// `*`: every column.
    Every,
    /// A field.
    Field {
        /// Which; the name is empty for a bare `count()`.
        field: Field,
        /// The type it is cast to, before any aggregate.
        cast: Option<String>,
        /// The aggregate over it.
        aggregate: Option<Aggregate>,
        /// The key in the answer.
        alias: Option<String>,
    },
    /// A related relation.
    Embed(Embed),
}
