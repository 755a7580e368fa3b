//! The tree that planning ends with: what is taken from which relation, under
//! which conditions, in which order, and what is embedded in it. Every name in
//! it is resolved, every embed has its relationship; it cannot be wrong in
//! shape, though PostgreSQL may still refuse a column or an operator.
//!
//! It knows no SQL: `sql` writes it down.

use crate::{
    catalog::{
        descriptor::{Function, Relation, Representation, Type},
        routine::Shape,
    },
    request::{
        filter::{Existence, Junction, Operation},
        order::{Direction, Nulls},
        range::Range,
        select::{Aggregate, AggregateFunction, Arrow, Join, SelectItem, Step},
    },
};

/// The rows of one level.
#[derive(Clone, Debug)]
pub struct Node<'c> {
    /// What its columns are.
    pub shape: Shape<'c>,
    /// Where the rows come from.
    pub source: Source<'c>,
    /// What the rows are called in SQL, unique along each path of the tree.
    pub alias: String,
    /// Which columns were asked for.
    pub taken: Taken,
    /// What is taken of each row, in the order of the answer.
    pub items: Vec<Item<'c>>,
    /// What must hold of each row.
    pub conditions: Vec<Condition<'c>>,
    /// The order.
    pub order: Vec<OrderTerm<'c>>,
    /// Which part of the rows.
    pub range: Range,
}

/// Which columns of a row were asked for. Where it is about the rows that a mutation changed or a call
/// gave, PostgREST takes them like that, which shows in the order of keys and in what PostgreSQL says of
/// columns that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All that there are, among others: `*`, or no select list.
    Whole,
    /// Those that are named.
    ByName,
}

impl Taken {
    /// By the select list of an embed, which can be empty.
    pub(super) fn by(select: &[SelectItem]) -> Self {
        if select.contains(&SelectItem::Every) { Taken::Whole } else { Taken::ByName }
    }

    /// By the select list of a request.
    pub(super) fn by_request(select: &[SelectItem]) -> Self {
        if select.is_empty() { Taken::Whole } else { Taken::by(select) }
    }
}

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'c> {
    /// A relation.
    Relation(&'c Relation),
    /// What the mutation or the call that the request is about gave.
    Result,
    /// What this function gives for a row of the level above.
    Computed(&'c Function),
}

/// One key of the answer, or several of them.
#[derive(Clone, Debug)]
pub enum Item<'c> {
    /// A field.
    Field(Output<'c>),
    /// Rows of another relation.
    Embed(Embed<'c>),
}

/// A field in the answer.
#[derive(Clone, Debug)]
pub struct Output<'c> {
    /// The key.
    pub key: String,
    /// The field.
    pub field: Field<'c>,
    /// The cast from its domain to json.
    pub representation: Option<&'c Representation>,
    /// The type it is cast to.
    pub cast: Option<String>,
    /// The aggregate over it.
    pub aggregate: Option<Aggregate>,
}

/// A column or a computed field, and a path into it.
#[derive(Clone, Debug)]
pub struct Field<'c> {
    /// Its name; empty for whole rows, as in `count()`.
    pub name: String,
    /// The steps, outermost first.
    pub path: Vec<(Arrow, Step)>,
    /// What it is.
    pub origin: Origin<'c>,
}

impl<'c> Field<'c> {
    /// Its type, as far as the catalog knows it.
    pub fn declared(&self) -> Option<&'c Type> {
        match self.origin {
            Origin::Column(found) | Origin::Computed(found) | Origin::Dropped(found) => found,
            Origin::Unknown => None,
        }
    }
}

/// What a field is.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'c> {
    /// A column.
    Column(Option<&'c Type>),
    /// What a function makes of the row.
    Computed(Option<&'c Type>),
    /// A column that is no more, for whoever cannot do without its place: NULL.
    Dropped(Option<&'c Type>),
    /// Perhaps a mistake. PostgreSQL will know.
    Unknown,
}

/// Rows of another relation for each row.
#[derive(Clone, Debug)]
pub struct Embed<'c> {
    /// What the select list calls the relation.
    pub target: String,
    /// The key that the select list gives it.
    pub alias: Option<String>,
    /// What it becomes in the answer.
    pub form: Form,
    /// How many rows there can be.
    pub arity: Arity,
    /// Whether rows without a match stay.
    pub join: Join,
    /// Which rows belong together.
    pub link: Link<'c>,
    /// What the join is called in SQL.
    pub join_alias: String,
    /// The rows.
    pub node: Node<'c>,
}

impl Embed<'_> {
    /// The name that it goes by in filters, orders and ranges.
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.target)
    }
}

/// What an embed becomes in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One key, by the embed's name.
    Key,
    /// Its keys become those of the level above.
    Spread,
    /// One key, by the embed's name, for the number of its rows.
    Count,
    /// Nothing: it serves filters and orders only.
    Hidden,
}

/// How many rows an embed can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the field's")]
pub enum Arity {
    ToOne,
    ToMany,
}

/// Which rows of an embed belong to a row of the level above.
#[derive(Clone, Debug)]
pub enum Link<'c> {
    /// Those with equal columns: above and here.
    Columns(&'c [(String, String)]),
    /// Those that a row of the junction connects.
    Junction {
        /// The junction.
        relation: &'c Relation,
        /// What it is called in SQL.
        alias: String,
        /// Equal columns: above and in the junction.
        above: &'c [(String, String)],
        /// Equal columns: in the junction and here.
        here: &'c [(String, String)],
    },
    /// Those that a function gives for the row above, which is one of this relation.
    Computed(&'c Relation),
}

/// What must hold of a row.
#[derive(Clone, Debug)]
pub enum Condition<'c> {
    /// Several conditions under one AND or OR.
    Group {
        /// Whether the opposite must hold.
        negated: bool,
        /// What joins them.
        junction: Junction,
        /// The conditions.
        members: Vec<Condition<'c>>,
    },
    /// A comparison.
    Compare {
        /// Whether the opposite must hold.
        negated: bool,
        /// What is compared.
        field: Field<'c>,
        /// With what.
        operation: Operation,
        /// The cast from text to its domain.
        representation: Option<&'c Representation>,
    },
    /// Whether an embed has rows.
    Embed {
        /// Its position among the items.
        item: usize,
        /// Whether it must have some.
        existence: Existence,
    },
    /// Whether there are related rows that meet the conditions of the embed's node. The embed is no item: nothing of it
    /// is read.
    Related {
        /// The related rows.
        embed: Box<Embed<'c>>,
        /// Whether there must be some.
        existence: Existence,
    },
}

/// One term of an order.
#[derive(Clone, Debug)]
pub struct OrderTerm<'c> {
    /// The position among the items of the embed whose field it is.
    pub embed: Option<usize>,
    /// By which field; of an aggregate over rows the name is empty.
    pub field: Field<'c>,
    /// The aggregate over it.
    pub aggregate: Option<AggregateFunction>,
    /// `None` if nothing was said.
    pub direction: Option<Direction>,
    /// `None` if nothing was said.
    pub nulls: Option<Nulls>,
}
