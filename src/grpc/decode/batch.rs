//! Batches: several requests as one statement, so that all of them take effect
//! or none. Rows that are asked for by keys are matched to their requests by
//! the keys' form on the wire. Updates that may insert are no single statement: they become calls of one transaction.

use super::{Answer, Call, Calls, Keyed, Relation, Returned, Surroundings, preferences, representation};
use crate::{
    engine::check_count,
    error::{Error, Fault, Result},
    grpc::{
        encode::{MessageEncoder, Missing, Wanted},
        method::number,
        refuse::{refuse, within},
        selection::{Selection, column},
        services::gone,
        surface::Field,
    },
    request::{
        Accept, Action, EmbedPath, Query,
        filter::{Filter, Junction, Logic, Operation},
        literal::Literal,
        payload::{Payload, Rows},
        prefer::{self, Preferences, Return},
    },
};
use bytes::{BufMut, BytesMut};
use prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use std::{borrow::Cow, collections::HashSet, sync::Arc};

/// The requests of a batch, as one payload.
struct Joined {
    payload: Payload,
    /// What it means where an object lacks a key; `None` if none does.
    missing: Option<prefer::Missing>,
    /// The columns of which only some attributes are written.
    parts: Vec<String>,
}

impl<'a> Relation<'a> {
    pub(super) fn batch_get(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let requests = self.requests()?;
        self.agree(&requests, number::KEYED_READ_MASK, number::BATCH_READ_MASK)?;
        self.agree(&requests, number::KEYED_EMBEDS, number::BATCH_EMBEDS)?;
        if let Some(max) = surroundings.max_rows.filter(|max| requests.len() as u64 > *max) {
            return Err(Error::new(Fault::TooManyRows, format!("requests: db-max-rows allows {max}")));
        }
        let selection = self.selection_with_embeds(number::BATCH_READ_MASK, number::BATCH_EMBEDS)?;
        let wanted = self.wanted(&requests, |_, message| Ok((message.clone(), Missing::NotFound)))?;
        let mut query = self.any_of(&requests, self.query(&selection))?;
        self.embeds(number::BATCH_EMBEDS, &mut query)?;
        let action = Action::Read { relation: self.resource.relation.clone() };
        Ok(self.keyed(surroundings, action, query, Preferences::default(), &selection, wanted))
    }

    pub(super) fn batch_delete(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let requests = self.requests()?;
        self.agree(&requests, number::KEYED_VALIDATE_ONLY, number::BATCH_VALIDATE_ONLY)?;
        let wanted = self.wanted(&requests, |request, message| {
            let fine = request.flag(number::KEYED_ALLOW_MISSING);
            Ok((message.clone(), if fine { Missing::Fine } else { Missing::NotFound }))
        })?;
        let query = self.any_of(&requests, Query::default())?;
        let preferences = Preferences { representation: Some(Return::Representation), ..self.end() };
        let action = Action::Delete { relation: self.resource.relation.clone() };
        Ok(self.keyed(surroundings, action, query, preferences, &Selection::default(), wanted))
    }

    pub(super) fn batch_create(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let requests = self.requests()?;
        self.agree_on_writing(&requests)?;
        let Joined { payload, missing, .. } = self.joined(&requests, |at| self.resource.is_writable(at))?;
        self.agree(&requests, number::ON_CONFLICT, number::BATCH_ON_CONFLICT)?;
        let conflict = self.conflict(number::BATCH_ON_CONFLICT)?;
        let selection = self.written_selection(number::BATCH_READ_MASK)?;
        let (accept, representation) = representation(&selection);
        let answer = match selection.is_empty() {
            true => Answer::Nothing(Missing::Fine),
            false => Answer::Whole,
        };
        let preferences = Preferences { representation, missing, ..self.end() };
        let query = self.query(&selection);
        let action = self.insert(payload);
        let mut call = self.call(surroundings, action, query, preferences, &selection, answer);
        call.request.accept = accept;
        conflict.apply(&mut call);
        Ok(call)
    }

    pub(super) fn batch_update(self, surroundings: Surroundings<'_>) -> Result<Calls> {
        let requests = self.requests()?;
        self.agree_on_writing(&requests)?;
        let wanted = self.wanted(&requests, |request, _| Ok((request.carried()?, Missing::NotFound)))?;
        let mut seen = HashSet::new();
        if let Some(at) = wanted.iter().position(|wanted| !seen.insert(&wanted.key)) {
            return Err(refuse(&format!("requests[{at}]"), "a request before it is about the same row"));
        }
        if requests.iter().any(|request| self.inner(request).flag(number::WRITE_ALLOW_MISSING)) {
            return self.update_one_by_one(&requests, &surroundings).map(Calls::Batch);
        }
        let is_taken = |at| self.resource.key.contains(&at) || self.resource.is_writable(at);
        let Joined { payload, missing, parts } = self.joined(&requests, is_taken)?;
        let key: Vec<String> = self.key_columns().map(|field| field.column.clone()).collect();
        if payload.keys.iter().all(|column| key.contains(column)) {
            return Err(refuse("requests", "no field to be updated is set"));
        }
        let selection = self.written_selection(number::BATCH_READ_MASK)?;
        let relation = self.resource.relation.clone();
        let action = Action::UpdateEach { relation, payload, key, parts };
        let preferences = Preferences { representation: Some(Return::Representation), missing, ..self.end() };
        let query = self.query(&selection);
        Ok(Calls::One(self.keyed(surroundings, action, query, preferences, &selection, wanted)))
    }

    /// The requests of a batch as calls of `Update`. What holds for the batch is said to each of them.
    fn update_one_by_one(
        &self,
        requests: &[&DynamicMessage],
        surroundings: &Surroundings<'_>,
    ) -> Result<Vec<Call>> {
        check_count(requests.len())?;
        // A mask that is wrong is the batch's, and not that of its first request.
        self.written_selection(number::BATCH_READ_MASK)?;
        let each = |(at, request): (usize, &&DynamicMessage)| {
            let mut request = DynamicMessage::clone(request);
            for (of_batch, of_request) in [
                (number::BATCH_READ_MASK, number::WRITE_READ_MASK),
                (number::BATCH_VALIDATE_ONLY, number::WRITE_VALIDATE_ONLY),
            ] {
                if let Some(value) = self.message.get_field_by_number(of_batch)
                    && self.message.has_field_by_number(of_batch)
                    && request.try_set_field_by_number(of_request, value.into_owned()).is_err()
                {
                    return Err(gone());
                }
            }
            let updated = self.inner(&request).update(surroundings.clone());
            updated.map_err(|error| within(&format!("requests[{at}]"), error))
        };
        requests.iter().enumerate().map(each).collect()
    }

    /// The requests of the batch.
    fn requests(&self) -> Result<Vec<&'a DynamicMessage>> {
        let requests: Vec<_> = match self.message.get_field_by_number(number::REQUESTS) {
            Some(Cow::Borrowed(Value::List(list))) => list.iter().filter_map(Value::as_message).collect(),
            Some(_) | None => Vec::new(),
        };
        if requests.is_empty() {
            return Err(refuse("requests", "has to have at least one request"));
        }
        Ok(requests)
    }

    /// The same relation, and one of the requests.
    fn inner<'r>(&self, message: &'r DynamicMessage) -> Relation<'r>
    where
        'a: 'r,
    {
        Relation { message, ..*self }
    }

    /// What a batch says holds for all of its requests: they may only repeat it.
    fn agree(&self, requests: &[&DynamicMessage], of_request: u32, of_batch: u32) -> Result<()> {
        let said = self.message.get_field_by_number(of_batch);
        let differs = |request: &&DynamicMessage| {
            request.has_field_by_number(of_request) && request.get_field_by_number(of_request) != said
        };
        match requests.iter().position(differs) {
            None => Ok(()),
            Some(at) => {
                let field = self.request_field(of_batch);
                Err(refuse(&format!("requests[{at}].{field}"), "is not that of the batch"))
            }
        }
    }

    fn agree_on_writing(&self, requests: &[&DynamicMessage]) -> Result<()> {
        self.agree(requests, number::WRITE_READ_MASK, number::BATCH_READ_MASK)?;
        self.agree(requests, number::WRITE_VALIDATE_ONLY, number::BATCH_VALIDATE_ONLY)
    }

    fn end(&self) -> Preferences {
        preferences(self.flag(number::BATCH_VALIDATE_ONLY))
    }

    /// The columns of the key, in the order of their numbers.
    pub(super) fn key_columns(&self) -> impl Iterator<Item = &'a Field> + use<'a> {
        let mut fields: Vec<&Field> =
            self.resource.key.iter().filter_map(|at| self.resource.fields.get(*at)).collect();
        fields.sort_by_key(|field| field.number);
        fields.into_iter()
    }

    /// The keys of the requests; `carrier` gives the message that has it.
    fn wanted(
        &self,
        requests: &[&'a DynamicMessage],
        carrier: impl Fn(&Relation<'a>, &DynamicMessage) -> Result<(DynamicMessage, Missing)>,
    ) -> Result<Vec<Wanted>> {
        let each = |(at, request): (usize, &&'a DynamicMessage)| {
            let place = format!("requests[{at}]");
            let inner = self.inner(request);
            let (message, missing) = carrier(&inner, request).map_err(|error| within(&place, error))?;
            let key =
                self.key(&message, |field| field.name.clone()).map_err(|error| within(&place, error))?;
            let text = key.iter().map(|(_, filter)| match &filter.operation {
                Operation::Compare { value, .. } => {
                    let value = value.given().map(|value| String::from_utf8_lossy(value));
                    format!("{}={}", filter.field.name, value.unwrap_or_default())
                }
                _ => filter.field.name.clone(),
            });
            let text = text.collect::<Vec<_>>().join(", ");
            Ok(Wanted { key: self.key_bytes(&message), text, missing })
        };
        requests.iter().enumerate().map(each).collect()
    }

    /// The key's fields alone, encoded.
    fn key_bytes(&self, message: &DynamicMessage) -> Vec<u8> {
        let mut key = DynamicMessage::new(message.descriptor());
        for field in self.key_columns() {
            let Some(value) = message.get_field_by_number(field.number) else { continue };
            let value = match &*value {
                // PostgreSQL writes its letters small.
                Value::String(text) if field.sql_type == "uuid" => Value::String(text.to_ascii_lowercase()),
                value => value.clone(),
            };
            key.set_field_by_number(field.number, value);
        }
        key.encode_to_vec()
    }

    /// Conditions that hold for the rows with one of these keys.
    fn any_of(&self, requests: &[&DynamicMessage], mut query: Query) -> Result<Query> {
        let mut keys = Vec::with_capacity(requests.len());
        for request in requests {
            keys.push(self.key(request, |field| field.name.clone())?);
        }
        let value = |key: &Vec<(EmbedPath, Filter)>| match key.as_slice() {
            [(_, Filter { operation: Operation::Compare { value, .. }, .. })] => value.given().cloned(),
            _ => None,
        };
        let values: Option<Vec<_>> = keys.iter().map(value).collect();
        match (values, keys.first().and_then(|key| key.first())) {
            (Some(values), Some((path, filter))) => {
                let filter = Filter { operation: Operation::In(Literal::array(values)), ..filter.clone() };
                query.filters.push((path.clone(), filter));
            }
            _ => {
                let all = |key: Vec<(EmbedPath, Filter)>| Logic::Group {
                    negated: false,
                    junction: Junction::And,
                    members: key.into_iter().map(|(_, filter)| Logic::Filter(filter)).collect(),
                };
                let members = keys.into_iter().map(all).collect();
                let any = Logic::Group { negated: false, junction: Junction::Or, members };
                query.logic.push((EmbedPath::new(), any));
            }
        }
        Ok(query)
    }

    /// The resources of the requests as an array of objects, with the fields that are `taken`.
    fn joined(&self, requests: &[&DynamicMessage], taken: impl Fn(usize) -> bool) -> Result<Joined> {
        let mut json = BytesMut::from(&b"["[..]);
        let mut keys: Vec<String> = Vec::new();
        let mut missing = None;
        let mut parts = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            let inner = self.inner(request);
            let place = format!("requests[{at}]");
            let values = inner
                .carried()
                .and_then(|carried| inner.values(&carried, &inner.written()?, &taken))
                .map_err(|error| within(&place, error))?;
            let payload = values.payload;
            if at == 0 {
                keys = payload.keys;
                parts = values.parts;
            } else {
                if values.parts != parts {
                    let mask = format!("{place}.{}", inner.request_field(number::WRITE_MASK));
                    return Err(refuse(&mask, "names parts of other columns than that of the first request"));
                }
                json.put_u8(b',');
                // Both are in the order of the columns.
                if payload.keys != keys {
                    missing = Some(prefer::Missing::Default);
                    keys.extend(payload.keys);
                }
            }
            json.extend_from_slice(payload.json.given().map_or(&[], |json| json.as_ref()));
        }
        json.put_u8(b']');
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(key.clone()));
        Ok(Joined { payload: Payload { json: json.freeze().into(), keys, rows: Rows::Many }, missing, parts })
    }

    /// A call whose rows are matched to requests.
    fn keyed(
        &self,
        surroundings: Surroundings<'_>,
        action: Action,
        mut query: Query,
        preferences: Preferences,
        selection: &Selection,
        wanted: Vec<Wanted>,
    ) -> Call {
        let named = |(at, field)| column(field, Some(format!("pgduet_key_{at}")));
        let columns = self.key_columns().enumerate().map(named);
        query.select.extend(columns);
        let fields: Vec<Field> = self.key_columns().cloned().collect();
        let keys = Arc::new(MessageEncoder::new(self.encoders.fields(&fields)));
        let writes = !matches!(action, Action::Read { .. });
        let returned = if writes && selection.is_empty() { Returned::Nothing } else { Returned::Rows };
        let answer = Answer::Keyed(Keyed { wanted, keys, returned });
        let mut call = self.call(surroundings, action, query, preferences, selection, answer);
        call.request.accept = Accept::CheckedColumns;
        call
    }
}
