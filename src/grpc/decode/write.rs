//! Create, Update and Delete: the resource as a payload. Which fields are
//! written is the mask's word, else that of their presence.

use super::{
    Answer, Call, Missing, Relation, Surroundings, preferences, representation,
    text::{json, separated, string},
};
use crate::{
    error::Result,
    grpc::{
        encode::{Envelope, MessageEncoder},
        method::number,
        refuse::refuse,
        selection::Selection,
        surface::{Field, Presence},
    },
    request::{
        Accept, Action, Query,
        payload::{Payload, Rows},
        prefer::{Preferences, Resolution, Return},
    },
};
use prost_reflect::DynamicMessage;
use std::collections::BTreeSet;

/// Which fields are written: indexes into the resource's fields.
pub(super) struct Written {
    /// These, NULL if they are not set; `None` for those that are set.
    masked: Option<BTreeSet<usize>>,
    /// These are NULL, whatever they are set to.
    nulls: BTreeSet<usize>,
}

/// What cannot be answered is not to be kept. Where anything can be, the end of the
/// transaction is sent with the rest instead of after the row.
pub(super) fn kept_if_answered(rows: &MessageEncoder) -> Accept {
    if rows.is_total() { Accept::Columns } else { Accept::CheckedColumns }
}

impl Written {
    /// Whether the field at this place is written by what was said, and not
    /// just because it belongs to the key.
    pub(super) fn is_named(&self, at: usize) -> bool {
        self.nulls.contains(&at) || self.masked.as_ref().is_none_or(|fields| fields.contains(&at))
    }
}

impl Relation<'_> {
    pub(super) fn create(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let carried = self.carried()?;
        let written = self.written()?;
        let payload = self.payload(&carried, &written, |_| true)?;
        let action = Action::Insert {
            relation: self.resource.relation.clone(),
            columns: Some(payload.keys.clone()),
            payload,
            on_conflict: None,
        };
        self.write(surroundings, action, Query::default(), None, Missing::Fine)
    }

    pub(super) fn update(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let carried = self.carried()?;
        let written = self.written()?;
        let carrier = self.request_field(number::RESOURCE);
        let filters = self.key(&carried, |field| format!("{carrier}.{}", field.name))?;
        let relation = self.resource.relation.clone();
        if self.flag(number::WRITE_ALLOW_MISSING) {
            let payload = self.payload(&carried, &written, |_| true)?;
            let columns = Some(payload.keys.clone());
            let action = Action::Insert { relation, payload, columns, on_conflict: None };
            let resolution = Some(Resolution::MergeDuplicates);
            return self.write(surroundings, action, Query::default(), resolution, Missing::NotFound);
        }
        let payload = self.payload(&carried, &written, |at| !self.resource.key.contains(&at))?;
        if payload.keys.is_empty() {
            return Err(refuse(&carrier, "no field to be updated is set"));
        }
        let action = Action::Update { relation, columns: Some(payload.keys.clone()), payload };
        let query = Query { filters, ..Query::default() };
        self.write(surroundings, action, query, None, Missing::NotFound)
    }

    pub(super) fn delete(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let filters = self.key(self.message, |field| self.request_field(field.number))?;
        let preferences = Preferences {
            representation: Some(Return::Minimal),
            ..preferences(self.flag(number::KEYED_VALIDATE_ONLY))
        };
        let missing = if self.flag(number::KEYED_ALLOW_MISSING) { Missing::Fine } else { Missing::NotFound };
        let query = Query { filters, ..Query::default() };
        let action = Action::Delete { relation: self.resource.relation.clone() };
        let nothing = Selection::default();
        Ok(self.call(surroundings, action, query, preferences, &nothing, Answer::Nothing(missing)))
    }

    fn write(
        self,
        surroundings: Surroundings<'_>,
        action: Action,
        query: Query,
        resolution: Option<Resolution>,
        missing: Missing,
    ) -> Result<Call> {
        let selection = self.written_selection(number::WRITE_READ_MASK)?;
        let query = Query { filters: query.filters, ..self.query(&selection) };
        let (_, representation) = representation(&selection);
        let preferences =
            Preferences { representation, resolution, ..preferences(self.flag(number::WRITE_VALIDATE_ONLY)) };
        let answer = match selection.is_empty() {
            true => Answer::Nothing(missing),
            false => Answer::Row(Envelope::Field(number::ROWS), missing),
        };
        let mut call = self.call(surroundings, action, query, preferences, &selection, answer);
        call.request.accept = kept_if_answered(&call.rows);
        Ok(call)
    }

    /// The resource that the request carries.
    pub(super) fn carried(&self) -> Result<DynamicMessage> {
        let name = self.request_field(number::RESOURCE);
        if !self.message.has_field_by_number(number::RESOURCE) {
            return Err(refuse(&name, "has to be given"));
        }
        let value = self.message.get_field_by_number(number::RESOURCE);
        let message = value.as_deref().and_then(|value| value.as_message()).cloned();
        message.ok_or_else(|| refuse(&name, "has to be given"))
    }

    /// What the masks of the request name.
    pub(super) fn written(&self) -> Result<Written> {
        let masked = self.named(number::WRITE_MASK)?;
        Ok(Written { masked: (!masked.is_empty()).then_some(masked), nulls: self.named(number::NULL_MASK)? })
    }

    fn named(&self, number: u32) -> Result<BTreeSet<usize>> {
        let mut fields = BTreeSet::new();
        for path in &self.mask(number)? {
            if path == "*" {
                let writable =
                    |(at, field): (usize, &Field)| (field.presence != Presence::Computed).then_some(at);
                fields.extend(self.resource.fields.iter().enumerate().filter_map(writable));
            } else {
                let unknown = || refuse(&self.request_field(number), format!("\"{path}\" is no column"));
                fields.insert(self.resource.field(path).ok_or_else(unknown)?);
            }
        }
        Ok(fields)
    }

    /// The written fields as a JSON object. Keys are written when they are set,
    /// mask or no mask.
    pub(super) fn payload(
        &self,
        carried: &DynamicMessage,
        written: &Written,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Payload> {
        let carrier = self.request_field(number::RESOURCE);
        let is_written = |at: usize, field: &Field| {
            let is_set = carried.has_field_by_number(field.number);
            let of_key = is_set && self.resource.key.contains(&at);
            match &written.masked {
                None => is_set || written.nulls.contains(&at),
                Some(_) => of_key || written.is_named(at),
            }
        };
        let fields: Vec<(usize, &Field)> = self
            .resource
            .fields
            .iter()
            .enumerate()
            .filter(|(at, field)| wanted(*at) && is_written(*at, field))
            .collect();
        let mut object = String::new();
        separated('{', '}', fields.iter(), &mut object, |(at, field), out| {
            string(&field.column, out);
            out.push(':');
            let is_set = carried.has_field_by_number(field.number);
            match carried.get_field_by_number(field.number) {
                Some(value) if !written.nulls.contains(at) && (is_set || field.shape.is_many()) => {
                    json(self.package, field.shape, &value, out)
                        .map_err(|why| refuse(&format!("{carrier}.{}", field.name), why))
                }
                _ => {
                    out.push_str("null");
                    Ok(())
                }
            }
        })?;
        let keys = fields.iter().map(|(_, field)| field.column.clone()).collect();
        Ok(Payload { json: object.into(), keys, rows: Rows::One })
    }
}
