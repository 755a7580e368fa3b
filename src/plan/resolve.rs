//! Names to things: fields to columns and their types, `*` to all of them,
//! domains to their representations. An unknown name is no error here: it may
//! be a computed field, and PostgreSQL knows best.

use super::{
    Context, embed,
    tree::{Condition, Field, Node, OrderTerm, Origin, Output},
};
use crate::{
    catalog::{
        descriptor::{Relation, Representation},
        routine::Shape,
    },
    error::Result,
    request::{
        self,
        filter::{Filter, Logic, Related},
        select::{Aggregate, AggregateFunction, Step},
    },
};

/// `pg_type.oid` of text and json, which are the same in every database
/// (`pg_type.dat` in PostgreSQL's source).
const TEXT: u32 = 25;
const JSON: u32 = 114;

/// An item of the select list that is a field, as typed.
pub(super) struct SelectedField {
    pub(super) field: request::select::Field,
    pub(super) cast: Option<String>,
    pub(super) aggregate: Option<Aggregate>,
    pub(super) alias: Option<String>,
}

impl<'c> Context<'c> {
    /// The field of this name in rows of this shape.
    pub(super) fn field(&self, shape: Shape<'c>, field: request::select::Field) -> Field<'c> {
        let computed = |relation: &Relation| self.catalog.computed_field(relation.oid, &field.name);
        let origin = match (shape.column(&field.name), shape.relation().and_then(computed)) {
            (Some(oid), _) => Origin::Column(self.catalog.type_of(oid)),
            (None, Some(function)) => Origin::Computed(self.catalog.type_of(function.return_type)),
            (None, None) => Origin::Unknown,
        };
        Field { name: field.name, path: field.path, origin }
    }

    /// Every column, under its own name.
    pub(super) fn every_column(&self, shape: Shape<'c>) -> Vec<Output<'c>> {
        let columns = shape.columns().into_iter();
        columns
            .map(|(name, oid)| Output {
                key: name.to_owned(),
                field: Field {
                    name: name.to_owned(),
                    path: Vec::new(),
                    origin: Origin::Column(self.catalog.type_of(oid)),
                },
                representation: self.representation(oid, JSON),
                cast: None,
                aggregate: None,
            })
            .collect()
    }

    /// What a field of the select list stands for.
    pub(super) fn output(&self, shape: Shape<'c>, selected: SelectedField) -> Output<'c> {
        let SelectedField { mut field, cast, aggregate, alias } = selected;
        // An aggregate over `*` is one over rows.
        if field.name == "*" && aggregate.is_some() {
            field.name.clear();
        }
        let key = alias.unwrap_or_else(|| key(&field, aggregate.as_ref()));
        let column = shape.column(&field.name).filter(|_| field.path.is_empty());
        let representation = column.and_then(|oid| self.representation(oid, JSON));
        Output { key, field: self.field(shape, field), representation, cast, aggregate }
    }

    /// A filter as a condition.
    pub(super) fn compare(&self, shape: Shape<'c>, filter: Filter) -> Condition<'c> {
        let column = shape.column(&filter.field.name).filter(|_| filter.field.path.is_empty());
        Condition::Compare {
            negated: filter.negated,
            representation: column.and_then(|oid| self.representation(TEXT, oid)),
            field: self.field(shape, filter.field),
            operation: filter.operation,
        }
    }

    /// A logic tree as a condition on the rows of `node`, which stands at this depth: 1 is the root.
    pub(super) fn logic(&self, node: &Node<'c>, logic: Logic, depth: usize) -> Result<Condition<'c>> {
        Ok(match logic {
            Logic::Filter(filter) => self.compare(node.shape, filter),
            Logic::Group { negated, junction, members } => {
                let members = members.into_iter().map(|member| self.logic(node, member, depth));
                Condition::Group { negated, junction, members: members.collect::<Result<_>>()? }
            }
            Logic::Related(Related { existence, target, hint, members }) => {
                let mut embed = embed::unselected(node, target, hint, depth, self)?;
                let members = members.into_iter().map(|member| self.logic(&embed.node, member, depth + 1));
                embed.node.conditions = members.collect::<Result<_>>()?;
                Condition::Related { embed: Box::new(embed), existence }
            }
        })
    }

    /// A term of an order by a field of these rows.
    pub(super) fn order_term(&self, shape: Shape<'c>, term: request::order::OrderTerm) -> OrderTerm<'c> {
        OrderTerm {
            embed: None,
            field: self.field(shape, term.field),
            aggregate: term.aggregate,
            direction: term.direction,
            nulls: term.nulls,
        }
    }

    /// The cast between these types that is applied by itself.
    pub(super) fn representation(&self, source: u32, target: u32) -> Option<&'c Representation> {
        self.catalog.descriptor().representations.iter().find(|r| r.source == source && r.target == target)
    }

    /// The cast from json that a column of this type takes its values by.
    pub(super) fn json_cast(&self, column: u32) -> Option<&'c Representation> {
        self.representation(JSON, column)
    }
}

/// The key of a field that was given none: the last key of its path that could
/// name a column, its name, or the name of its aggregate.
fn key(field: &request::select::Field, aggregate: Option<&Aggregate>) -> String {
    if let Some(aggregate) = aggregate {
        return match aggregate.function {
            AggregateFunction::Sum => "sum",
            AggregateFunction::Avg => "avg",
            AggregateFunction::Min => "min",
            AggregateFunction::Max => "max",
            AggregateFunction::Count => "count",
        }
        .to_owned();
    }
    let keys = field.path.iter().rev().filter_map(|(_, step)| match step {
        Step::Key(key) => Some(key).filter(|key| !key.is_empty()),
        Step::Index(_) => None,
    });
    keys.into_iter().next().unwrap_or(&field.name).clone()
}
