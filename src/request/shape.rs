//! The shape of a request: everything that decides how it is planned, with a slot for each literal. Requests of one shape
//! have one statement; they differ in literals and in what the transaction is told.

use super::{
    Accept, Action, Context, Query, Request,
    filter::{Logic, Operation},
    literal::Literals,
    payload::{Arguments, Payload},
    prefer::{Handling, Preferences},
    range::{EmbedRange, Range},
};
use std::time::Duration;

/// What decides how a request is planned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The schema that names are looked up in.
    pub schema: String,
    /// What is to be done.
    pub action: Action,
    /// Which columns, rows and relations.
    pub query: Query,
    /// How.
    pub preferences: Preferences,
    /// In which form rows are wanted.
    pub accept: Accept,
}

/// What of a request its transaction is told, besides the statement.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// `request.*` settings.
    pub context: Context,
    /// `timezone`, where the request prefers one.
    pub timezone: Option<String>,
    /// How long it may take; becomes `statement_timeout`.
    pub deadline: Option<Duration>,
}

impl Request {
    /// Splits it into what is planned, the values for that, and what the transaction is told.
    pub fn split(self) -> (Shape, Literals, Told) {
        let Request { schema, mut action, mut query, mut preferences, accept, context, deadline } = self;
        let told = Told { context, timezone: preferences.timezone.take(), deadline };
        match preferences.handling {
            // They are an error, which names them.
            Some(Handling::Strict) => {}
            Some(Handling::Lenient) | None => preferences.unknown.clear(),
        }
        let mut literals = Literals::default();
        action.take_literals(&mut literals);
        query.take_literals(&mut literals);
        if !matches!(action, Action::Call { .. }) {
            // Why a call refuses an offset names the offset.
            literals.take_number(&mut query.range.offset);
        }
        (Shape { schema, action, query, preferences, accept }, literals, told)
    }
}

impl Action {
    fn take_literals(&mut self, literals: &mut Literals) {
        match self {
            Action::Read { .. } | Action::Delete { .. } => {}
            Action::Insert { payload, .. }
            | Action::Upsert { payload, .. }
            | Action::Update { payload, .. }
            | Action::UpdateEach { payload, .. } => payload.take_literals(literals),
            Action::Call { arguments, .. } => match arguments {
                Arguments::Named(pairs) => pairs.iter_mut().for_each(|(_, value)| literals.take(value)),
                Arguments::Body { raw, object, .. } => {
                    literals.take(raw);
                    object.iter_mut().for_each(|object| object.take_literals(literals));
                }
            },
        }
    }
}

impl Payload {
    fn take_literals(&mut self, literals: &mut Literals) {
        literals.take(&mut self.json);
    }
}

impl Query {
    /// All but the offset of the root.
    fn take_literals(&mut self, literals: &mut Literals) {
        let Query { select: _, texts: _, filters, logic, order: _, ranges, range: _, excess: _ } = self;
        filters.iter_mut().for_each(|(_, filter)| filter.operation.take_literals(literals));
        logic.iter_mut().for_each(|(_, tree)| tree.take_literals(literals));
        for (_, range) in ranges {
            match range {
                EmbedRange::Rows(Range { offset, limit: _ }) => literals.take_number(offset),
                EmbedRange::Negative => {}
            }
        }
    }
}

impl Logic {
    fn take_literals(&mut self, literals: &mut Literals) {
        match self {
            Logic::Group { members, .. } => {
                members.iter_mut().for_each(|member| member.take_literals(literals));
            }
            Logic::Filter(filter) => filter.operation.take_literals(literals),
            Logic::Related(related) => {
                related.members.iter_mut().for_each(|member| member.take_literals(literals));
            }
        }
    }
}

impl Operation {
    fn take_literals(&mut self, literals: &mut Literals) {
        match self {
            Operation::Compare { value, .. }
            | Operation::In(value)
            | Operation::IsDistinct(value)
            | Operation::FullText { value, .. } => literals.take(value),
            Operation::Is(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
