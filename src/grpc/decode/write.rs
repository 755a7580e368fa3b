//! Create, Update and Delete: the resource as a payload. Which fields are
//! written is the mask's word, else that of their presence.

use super::{
    Answer, Call, Missing, Relation, Surroundings, preferences, representation,
    text::{json, parts, separated, string},
};
use crate::{
    error::Result,
    grpc::{
        encode::{Envelope, MessageEncoder},
        extent::{Extent, Parts},
        method::number,
        refuse::refuse,
        selection::{Selection, column},
        surface::{Field, Presence, Resource, Scalar, Shape},
    },
    request::{
        Accept, Action, Query, Request,
        payload::{Payload, Rows},
        prefer::{Identities, Preferences, Resolution, Return},
        select::SelectItem,
    },
};
use prost_reflect::DynamicMessage;
use std::collections::{BTreeMap, BTreeSet};

/// Which fields are written: indexes into the resource's fields.
pub(super) struct Written {
    /// These, or so much of them, NULL if they are not set; `None` for those that are set.
    masked: Option<BTreeMap<usize, Extent>>,
    /// These are NULL, whatever they are set to.
    nulls: BTreeSet<usize>,
}

/// How deep a mask may name parts.
const MAX_DEPTH: usize = 16;

/// The values of a write, and how much of each column they cover.
pub(super) struct Values {
    pub(super) payload: Payload,
    /// Composite columns of which only some attributes are written.
    pub(super) parts: Vec<String>,
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
        self.nulls.contains(&at) || self.masked.as_ref().is_none_or(|fields| fields.contains_key(&at))
    }

    /// The attributes of the field at this place that are written, where not all of it is.
    fn parts(&self, at: usize) -> Option<&Parts> {
        match self.masked.as_ref()?.get(&at)? {
            Extent::Parts(parts) if !self.nulls.contains(&at) => Some(parts),
            Extent::Parts(_) | Extent::Whole => None,
        }
    }
}

impl Relation<'_> {
    pub(super) fn create(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let carried = self.carried()?;
        let written = self.written()?;
        let Values { payload, .. } = self.values(&carried, &written, |at| self.resource.is_writable(at))?;
        let conflict = self.conflict(number::ON_CONFLICT)?;
        let action = self.insert(payload);
        let mut call = self.write(surroundings, action, Query::default(), Missing::Fine)?;
        conflict.apply(&mut call);
        Ok(call)
    }

    pub(super) fn update(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let carried = self.carried()?;
        let written = self.written()?;
        let carrier = self.request_field(number::RESOURCE);
        let filters = self.key(&carried, |field| format!("{carrier}.{}", field.name))?;
        let relation = self.resource.relation.clone();
        let is_key = |at: usize| self.resource.key.contains(&at);
        let Values { payload, parts } =
            self.values(&carried, &written, |at| !is_key(at) && self.resource.is_writable(at))?;
        // Of a new row everything is written that is set, whatever the mask (<https://google.aip.dev/134>).
        let missing = match self.flag(number::WRITE_ALLOW_MISSING) {
            true => {
                let everything = Written { masked: None, nulls: written.nulls };
                let whole =
                    self.values(&carried, &everything, |at| is_key(at) || self.resource.is_writable(at))?;
                Some(self.insert(whole.payload))
            }
            false => None,
        };
        let action = match (payload.keys.is_empty(), &missing) {
            (false, _) => Action::Update { relation, columns: Some(payload.keys.clone()), payload, parts },
            // The row stays as it is.
            (true, Some(_)) => Action::Read { relation },
            (true, None) => return Err(refuse(&carrier, "no field to be updated is set")),
        };
        let query = Query { filters, ..Query::default() };
        let key: Vec<SelectItem> = self.key_columns().map(|field| column(field, None)).collect();
        let mut call = self.write(surroundings, action, query, Missing::NotFound)?;
        if matches!((&call.request.action, &call.answer), (Action::Read { .. }, Answer::Nothing(_))) {
            // A select list without items is every column.
            call.request.query.select = key;
        }
        call.otherwise = missing.map(|action| {
            let mut request = Request { action, ..(*call.request).clone() };
            request.query.filters.clear();
            // Another call may have inserted it meanwhile.
            request.preferences.resolution = Some(Resolution::MergeDuplicates);
            request.preferences.identities = Identities::Given;
            Box::new(request)
        });
        Ok(call)
    }

    /// What inserts these values.
    pub(super) fn insert(&self, payload: Payload) -> Action {
        Action::Insert {
            relation: self.resource.relation.clone(),
            columns: Some(payload.keys.clone()),
            payload,
            on_conflict: None,
        }
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
        missing: Missing,
    ) -> Result<Call> {
        let selection = self.written_selection(number::WRITE_READ_MASK)?;
        let query = Query { filters: query.filters, ..self.query(&selection) };
        let (_, representation) = representation(&selection);
        let preferences =
            Preferences { representation, ..preferences(self.flag(number::WRITE_VALIDATE_ONLY)) };
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
        let mut nulls = BTreeSet::new();
        for (at, extent) in self.named(number::NULL_MASK)?.unwrap_or_default() {
            match extent {
                Extent::Whole => nulls.insert(at),
                Extent::Parts(_) => {
                    let name = self.request_field(number::NULL_MASK);
                    return Err(refuse(&name, "takes whole columns; the other mask takes parts of them"));
                }
            };
        }
        Ok(Written { masked, nulls })
    }

    /// What a mask names; `None` where it has no paths.
    fn named(&self, number: u32) -> Result<Option<BTreeMap<usize, Extent>>> {
        let mut fields = BTreeMap::new();
        let paths = self.mask(number)?;
        for path in &paths {
            if path == "*" {
                let all = (0..self.resource.fields.len()).filter(|at| self.resource.is_writable(*at));
                fields.extend(all.map(|at| (at, Extent::Whole)));
            } else {
                let unknown = || refuse(&self.request_field(number), format!("\"{path}\" is no column"));
                let parts: Vec<&str> = path.split('.').collect();
                let (first, rest) =
                    parts.split_first().filter(|_| parts.len() <= MAX_DEPTH).ok_or_else(unknown)?;
                let Some(at) = self.resource.field(first) else {
                    // A computed field cannot be written. It is passed over, as generated columns are.
                    match self.resource.computed_field(path).or(self.resource.counted(path)) {
                        Some(_) => continue,
                        None => return Err(unknown()),
                    }
                };
                let shape = self.resource.fields.get(at).ok_or_else(unknown)?.shape;
                let extent = fields.entry(at).or_insert_with(Extent::nothing);
                extent.add(self.package, shape, rest).ok_or_else(unknown)?;
            }
        }
        Ok((!paths.is_empty()).then_some(fields))
    }

    /// The written fields as a JSON object. Keys are written when they are set,
    /// mask or no mask.
    pub(super) fn values(
        &self,
        carried: &DynamicMessage,
        written: &Written,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Values> {
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
            let value = carried.get_field_by_number(field.number);
            if let (Some(named), Shape::One(Scalar::Record(record))) = (written.parts(*at), field.shape) {
                let message = value.as_deref().filter(|_| is_set).and_then(|value| value.as_message());
                return parts(self.package, record, message, named, out)
                    .map_err(|why| refuse(&format!("{carrier}.{}", field.name), why));
            }
            match value {
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
        let of_parts = fields.iter().filter(|(at, _)| written.parts(*at).is_some());
        let parts = of_parts.map(|(_, field)| field.column.clone()).collect();
        Ok(Values { payload: Payload { json: object.into(), keys, rows: Rows::One }, parts })
    }
}

impl Resource {
    /// Whether the field at this place can be written. What the database computes is output only: clients may send back
    /// what they read, and it is passed over (<https://google.aip.dev/203>).
    pub(super) fn is_writable(&self, at: usize) -> bool {
        self.fields.get(at).is_some_and(|field| match field.presence {
            Presence::Required | Presence::Defaulted | Presence::Optional => true,
            Presence::Computed => false,
        })
    }
}
