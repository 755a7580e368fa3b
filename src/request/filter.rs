//! Filters and logic trees, as typed.

use super::{literal::Literal, operator::Operator, select::Field};

/// `any` or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// At least one of the values.
    Any,
    /// Each of the values.
    All,
}

/// The right side of `is`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Is {
    Null,
    NotNull,
    True,
    False,
    Unknown,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An operator with one value; the value of a quantified one is an array
    /// literal, `{…}`. In patterns `*` is already `%`.
    Compare {
        /// Which.
        operator: Operator,
        /// `(any)` or `(all)`.
        quantifier: Option<Quantifier>,
        /// The value.
        value: Literal,
    },
    /// One of these: an array.
    In(Literal),
    /// A truth value or NULL.
    Is(Is),
    /// Different, NULL being a value.
    IsDistinct(Literal),
    /// A text search by one of the four functions.
    FullText {
        /// Which of the four.
        operator: Operator,
        /// The text search configuration.
        language: Option<String>,
        /// The query.
        value: Literal,
    },
}

/// A condition on one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// The field; at the root of a tree it may also be the name of an embed.
    pub field: Field,
    /// Whether `not.` stands before the operator.
    pub negated: bool,
    /// The condition.
    pub operation: Operation,
}

/// AND or OR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Junction {
    And,
    Or,
}

/// A tree of conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Logic {
    /// Several trees under one AND or OR.
    Group {
        /// Whether `not.` stands before it.
        negated: bool,
        /// What joins the members.
        junction: Junction,
        /// At least one.
        members: Vec<Logic>,
    },
    /// A leaf.
    Filter(Filter),
    /// Whether there are related rows that meet conditions.
    Related(Related),
}

/// A condition on related rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Related {
    /// Whether there have to be such rows.
    pub existence: Existence,
    /// The relationship, as a select list names it: see [`Embed`](super::select::Embed).
    pub target: String,
    /// What tells several relationships apart.
    pub hint: Option<String>,
    /// What must hold of a related row, ANDed; any row will do if it is empty.
    pub members: Vec<Logic>,
}

/// Whether there must be rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Existence {
    Some,
    None,
}
