//! Aggregates: groups of rows, what the rows of each have in common, and what is worked out of them. A group's message is
//! put together of columns, as the select list has them: what they have in common, the number of rows, and then function
//! by function.

use super::{Answer, Call, Relation, Surroundings, all_known, order};
use crate::{
    error::Result,
    grpc::{
        encode::{ColumnEncoder, MessageEncoder},
        method::number,
        refuse::{refuse, within},
        selection::Selection,
        surface::{self, Scalar, Shape},
    },
    request::{
        Action, Excess,
        order::OrderTerm,
        prefer::Preferences,
        select::{Aggregate, AggregateFunction, Field, SelectItem},
    },
};
use std::{collections::HashSet, sync::Arc};

/// A function, the mask with its columns in the request, and the message with its results in a group.
struct OfFunction {
    function: AggregateFunction,
    mask: u32,
    results: u32,
}

const fn of(function: AggregateFunction, mask: u32, results: u32) -> OfFunction {
    OfFunction { function, mask, results }
}

const OF_FUNCTIONS: [OfFunction; 5] = [
    of(AggregateFunction::Sum, number::OF_SUM, number::SUM),
    of(AggregateFunction::Avg, number::OF_AVG, number::AVG),
    of(AggregateFunction::Min, number::OF_MIN, number::MIN),
    of(AggregateFunction::Max, number::OF_MAX, number::MAX),
    of(AggregateFunction::Count, number::OF_COUNT, number::COUNT_OF),
];

impl Relation<'_> {
    pub(super) fn aggregate(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let group = self.masked(number::GROUP_BY)?;
        group
            .check_groups(self.package, self.resource)
            .map_err(|why| refuse(&self.request_field(number::GROUP_BY), why))?;
        let mut query = self.query(&group);
        let in_common = group.encoder(self.package, self.encoders, self.at);
        let mut columns: Vec<Arc<ColumnEncoder>> =
            in_common.columns().iter().map(|column| ColumnEncoder::within(column, number::GROUP)).collect();

        query.select.push(aggregated(AggregateFunction::Count, "", 0));
        columns.push(self.encoders.column("row_count", number::ROW_COUNT, Shape::One(Scalar::Int8)));
        for OfFunction { function, mask, results } in OF_FUNCTIONS {
            for (field, shape) in self.aggregates(function, mask)? {
                query.select.push(aggregated(function, &field.column, query.select.len()));
                let column = self.encoders.column(&field.column, field.number, shape);
                columns.push(ColumnEncoder::within(&column, results));
            }
        }

        self.conditions(&mut query)?;
        let order = self.order_of_groups(&group)?;
        if !order.is_empty() {
            query.order.push((Vec::new(), order));
        }
        query.range.offset = self.count_field(number::SKIP)?.into();
        query.range.limit = Some(self.count_field(number::GROUP_LIMIT)?).filter(|limit| *limit > 0);
        query.excess = Excess::Told;
        let most = surroundings.max_rows;
        let action = Action::Read { relation: self.resource.relation.clone() };
        let answer = Answer::Groups { most };
        let mut call = self.call(surroundings, action, query, Preferences::default(), &group, answer);
        call.rows = Arc::new(MessageEncoder::new(columns));
        Ok(call)
    }

    /// The columns in a mask of `aggregates`, and the types of what the function gives of them.
    fn aggregates(&self, function: AggregateFunction, mask: u32) -> Result<Vec<(&surface::Field, Shape)>> {
        let place = self.request_field(number::AGGREGATES);
        if !self.message.has_field_by_number(number::AGGREGATES) {
            return Ok(Vec::new());
        }
        let value = self.message.get_field_by_number(number::AGGREGATES);
        let Some(message) = value.as_deref().and_then(|value| value.as_message()) else {
            return Ok(Vec::new());
        };
        all_known(message, &place)?;
        let inner = Relation { message, ..*self };
        let paths = inner.mask(mask).map_err(|error| within(&place, error))?;
        let name = inner.request_field(mask);
        let refused = |why: String| refuse(&format!("{place}.{name}"), why);
        let found = |path: &String| {
            let field = self.resource.field(path).and_then(|at| self.resource.fields.get(at));
            let field = field.ok_or_else(|| refused(format!("\"{path}\" is no column")))?;
            let shape = self.package.aggregated(self.resource, function, field);
            Ok((field, shape.ok_or_else(|| refused(format!("\"{path}\" has no {name}")))?))
        };
        let mut columns: Vec<(&surface::Field, Shape)> = paths.iter().map(found).collect::<Result<_>>()?;
        let mut seen = HashSet::new();
        columns.retain(|(field, _)| seen.insert(field.number));
        Ok(columns)
    }

    fn order_of_groups(&self, group: &Selection) -> Result<Vec<OrderTerm>> {
        let name = self.request_field(number::ORDER_BY);
        let terms = order::of_groups(self.resource, &self.grammar(number::ORDER_BY)?)?;
        for term in &terms {
            let column = &term.field.name;
            let at = self.resource.fields.iter().position(|field| field.column == *column);
            let field = at.and_then(|at| self.resource.fields.get(at));
            let is_possible = match term.aggregate {
                None => term.relation.is_none() && at.is_some_and(|at| group.has_field(at)),
                Some(AggregateFunction::Count) if column.is_empty() => true,
                Some(function) => field
                    .is_some_and(|field| self.package.aggregated(self.resource, function, field).is_some()),
            };
            if !is_possible {
                return Err(refuse(&name, format!("\"{column}\" is nothing that groups can be ordered by")));
            }
        }
        Ok(terms)
    }
}

/// An aggregate over a column, or over rows, at this place of the select list.
fn aggregated(function: AggregateFunction, column: &str, at: usize) -> SelectItem {
    SelectItem::Field {
        field: Field::column(column),
        cast: None,
        aggregate: Some(Aggregate { function, cast: None }),
        alias: Some(format!("pgduet_aggregate_{at}")),
    }
}
