//! Patch and Purge: changes to whatever rows meet the conditions, as REST's
//! PATCH and DELETE. Without a condition they are refused, unless that is what
//! the request says it wants.

use super::{Answer, Call, Relation, Surroundings, preferences, representation, write::Values};
use crate::{
    error::Result,
    grpc::{method::number, refuse::refuse, selection::Selection},
    request::{
        Action, Query,
        prefer::{Handling, Preferences},
    },
};

impl Relation<'_> {
    pub(super) fn patch(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let carried = self.carried()?;
        let written = self.written()?;
        let Values { payload, parts } =
            self.values(&carried, &written, |at| written.is_named(at) && self.resource.is_writable(at))?;
        if payload.keys.is_empty() {
            return Err(refuse(&self.request_field(number::RESOURCE), "no field to be updated is set"));
        }
        let relation = self.resource.relation.clone();
        let action = Action::Update { relation, columns: Some(payload.keys.clone()), payload, parts };
        self.affect(surroundings, action)
    }

    pub(super) fn purge(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let action = Action::Delete { relation: self.resource.relation.clone() };
        self.affect(surroundings, action)
    }

    fn affect(self, surroundings: Surroundings<'_>, action: Action) -> Result<Call> {
        let selection = match self.message.has_field_by_number(number::READ_MASK) {
            true => self.written_selection(number::READ_MASK)?,
            false => Selection::default(),
        };
        let (accept, representation) = representation(&selection);
        let mut query = Query::default();
        self.conditions(&mut query)?;
        let restricts = query.filters.iter().any(|(path, _)| path.is_empty())
            || query.logic.iter().any(|(path, _)| path.is_empty());
        if !restricts && !self.flag(number::ALLOW_ALL) {
            return Err(refuse(
                "filter",
                "there is no condition: every row would be affected, which allow_all allows",
            ));
        }
        query.select = selection.select(self.package, self.resource);
        let most = self.message.get_field_by_number(number::MAX_AFFECTED).and_then(|most| most.as_i64());
        let most = most.unwrap_or_default();
        if most < 0 {
            return Err(refuse("max_affected", "cannot be negative"));
        }
        let preferences = Preferences {
            representation,
            max_affected: (most > 0).then_some(most),
            // Only so is the number more than advice.
            handling: Some(Handling::Strict),
            ..preferences(self.flag(number::CHANGE_VALIDATE_ONLY))
        };
        let mut call = self.call(surroundings, action, query, preferences, &selection, Answer::Affected);
        call.request.accept = accept;
        Ok(call)
    }
}
