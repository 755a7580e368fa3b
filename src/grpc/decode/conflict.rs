//! `on_conflict`: which unique key decides whether a row is there already, and what becomes of it.

use super::{Call, Relation, Told, all_known};
use crate::{
    error::Result,
    grpc::{method::number, refuse::refuse},
    request::{Action, prefer::Resolution},
};

/// What becomes of rows that are there already.
pub(super) enum Conflict {
    /// The call fails.
    Fails,
    /// This, by the unique key with these columns.
    Resolved(Resolution, Vec<String>),
}

impl Conflict {
    /// Adds it to a call that inserts.
    pub(super) fn apply(self, call: &mut Call) {
        match (self, &mut call.request.action) {
            (Self::Resolved(resolution, columns), Action::Insert { on_conflict, .. }) => {
                *on_conflict = Some(columns);
                call.request.preferences.resolution = Some(resolution);
                call.told = Told::Inserted;
            }
            (Self::Fails | Self::Resolved(..), _) => {}
        }
    }
}

impl Relation<'_> {
    /// What the field of this number says.
    pub(super) fn conflict(&self, number: u32) -> Result<Conflict> {
        if !self.message.has_field_by_number(number) {
            return Ok(Conflict::Fails);
        }
        let place = self.request_field(number);
        let value = self.message.get_field_by_number(number);
        let Some(message) = value.as_deref().and_then(|value| value.as_message()) else {
            return Ok(Conflict::Fails);
        };
        all_known(message, &place)?;
        let of_enum = |number| message.get_field_by_number(number).and_then(|value| value.as_enum_number());
        let action = format!("{place}.action");
        let resolution = match of_enum(number::CONFLICT_ACTION).unwrap_or_default() {
            0 => return Err(refuse(&action, "has to be set")),
            1 => Resolution::IgnoreDuplicates,
            2 => Resolution::MergeDuplicates,
            other => return Err(refuse(&action, format!("{other} is no value of its enum"))),
        };
        let target = format!("{place}.target");
        let columns = match of_enum(number::CONFLICT_TARGET).unwrap_or_default() {
            0 => self.key_columns().map(|field| field.column.clone()).collect(),
            other => {
                let uniques = self.resource.uniques.as_ref();
                let columns = uniques.and_then(|uniques| uniques.columns(other)).map(<[String]>::to_vec);
                columns.ok_or_else(|| refuse(&target, format!("{other} is no value of its enum")))?
            }
        };
        match columns.is_empty() {
            false => Ok(Conflict::Resolved(resolution, columns)),
            true => Err(refuse(&target, "has to be set: there is no primary key")),
        }
    }
}
