//! Messages to requests: what a client sent, as the neutral [`Request`], and how
//! the rows that come back are to be answered. Nothing is looked up in the
//! database; whatever is wrong with a message is said here, by field.

mod aggregate;
mod batch;
mod change;
mod conflict;
mod embeds;
mod filter;
mod function;
mod order;
mod page;
mod predicate;
mod text;
mod write;

pub(crate) use super::encode::Missing;
pub(crate) use page::{MAX_BYTES, Paging};

use super::{
    descriptor::Side,
    encode::{Envelope, MessageEncoder, Wanted},
    method::{RelationMethod, number},
    page_token::Sealer,
    refuse::refuse,
    selection::Selection,
    services::{Method, Services, Target, gone},
    surface::{Package, Resource},
};
use crate::{
    error::{Error, Fault, Result},
    request::{
        Accept, Action, Context, Excess, Query, Request,
        filter::{Filter, Operation},
        operator::Operator,
        prefer::{Preferences, Return, TransactionEnd},
        select::Field,
    },
};
use prost_reflect::{DynamicMessage, Value};
use std::{sync::Arc, time::Duration};

/// How long a text in the grammar of the REST side may be: as long as there, where it is a part of the request target. What
/// is made of it takes many times its length.
const MAX_TEXT: usize = 65_534;

/// How many paths a mask may have.
const MAX_PATHS: usize = 3000;

/// What a message asks.
#[derive(Debug)]
pub(crate) enum Calls {
    /// One request.
    One(Call),
    /// Several requests, to be carried out one after the other in one transaction. The response has the rows of all.
    Batch(Vec<Call>),
}

impl Calls {
    /// The first of them.
    pub(crate) fn first(&self) -> Option<&Call> {
        match self {
            Self::One(call) => Some(call),
            Self::Batch(calls) => calls.first(),
        }
    }
}

/// A call, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What the engine is asked. Boxed: each future on the way to the engine would have room for it.
    pub(crate) request: Box<Request>,
    /// The encoder of its rows.
    pub(crate) rows: Arc<MessageEncoder>,
    /// How they are answered.
    pub(crate) answer: Answer,
    /// What the engine is asked where the first request finds no row.
    pub(crate) otherwise: Option<Box<Request>>,
    /// What the response says of new rows.
    pub(crate) told: Told,
}

/// What a response says of new rows besides the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// How many there are; of one row whether there is one.
    Inserted,
}

/// How rows are answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// By one message that holds one row.
    Row(Envelope, Missing),
    /// By one message without a row.
    Nothing(Missing),
    /// By one message with a page of them.
    Page(Box<Paging>),
    /// By one message with all of them.
    Whole,
    /// By one message with all of them, or none, in the order of keys.
    Keyed(Keyed),
    /// By one message with their number, and all of them if they come.
    Affected,
    /// By one message with all groups of rows.
    Groups {
        /// How many there may be: the option `db-max-rows`.
        most: Option<u64>,
    },
    /// By a message for each.
    Stream(Envelope),
}

/// How the rows of a batch are answered.
#[derive(Clone, Debug)]
pub(crate) struct Keyed {
    /// The keys, in the order of the requests.
    pub(crate) wanted: Vec<Wanted>,
    /// The encoder of the columns after those of the row, which are the key's.
    pub(crate) keys: Arc<MessageEncoder>,
    /// What the response has of them.
    pub(crate) returned: Returned,
}

/// What a response has of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// Each of them.
    Rows,
    /// Nothing.
    Nothing,
}

/// What a request takes besides its message.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings<'a> {
    /// What the transaction is told.
    pub(crate) context: Context,
    /// How long the call may take.
    pub(crate) deadline: Option<Duration>,
    /// The time zone of the transaction, if the client prefers one.
    pub(crate) timezone: Option<String>,
    /// Opens and seals page tokens.
    pub(crate) sealer: &'a Sealer,
    /// The option `db-max-rows`.
    pub(crate) max_rows: Option<u64>,
}

/// Decodes a call of `method`.
pub(crate) fn decode(
    services: &Services,
    method: &Method,
    message: &[u8],
    surroundings: Surroundings<'_>,
) -> Result<Calls> {
    decode_read(services, method, &services.read(method, Side::Request, message)?, surroundings)
}

/// Decodes a call of `method` whose message has been read.
pub(crate) fn decode_read(
    services: &Services,
    method: &Method,
    message: &DynamicMessage,
    surroundings: Surroundings<'_>,
) -> Result<Calls> {
    let (package, encoders) = services.package(method.package).ok_or_else(gone)?;
    match method.target {
        Target::Relation { resource: at, method } => {
            let resource = package.resource(at).ok_or_else(gone)?;
            let decoder = Relation { package, resource, at, encoders, message };
            let call = match method {
                RelationMethod::BatchUpdate => return decoder.batch_update(surroundings),
                RelationMethod::Get => decoder.get(surroundings),
                RelationMethod::List => decoder.list(surroundings),
                RelationMethod::Stream => decoder.stream(surroundings),
                RelationMethod::Create => decoder.create(surroundings),
                RelationMethod::Update => decoder.update(surroundings),
                RelationMethod::Delete => decoder.delete(surroundings),
                RelationMethod::BatchGet => decoder.batch_get(surroundings),
                RelationMethod::BatchCreate => decoder.batch_create(surroundings),
                RelationMethod::BatchDelete => decoder.batch_delete(surroundings),
                RelationMethod::Patch => decoder.patch(surroundings),
                RelationMethod::Purge => decoder.purge(surroundings),
                RelationMethod::Aggregate => decoder.aggregate(surroundings),
            };
            call.map(Calls::One)
        }
        Target::Function { function } => {
            let function = package.functions.get(function).ok_or_else(gone)?;
            function::call(package, encoders, function, message, surroundings).map(Calls::One)
        }
        Target::Transaction => Err(gone()),
    }
}

/// A call of a relation's method.
struct Relation<'a> {
    package: &'a Package,
    resource: &'a Resource,
    at: usize,
    encoders: &'a super::encode::Encoders,
    message: &'a DynamicMessage,
}

impl Relation<'_> {
    fn get(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let selection = self.selection_with_embeds(number::KEYED_READ_MASK, number::KEYED_EMBEDS)?;
        let filters = self.key(self.message, |field| self.request_field(field.number))?;
        let mut query = Query { filters, ..self.query(&selection) };
        self.embeds(number::KEYED_EMBEDS, &mut query)?;
        let action = Action::Read { relation: self.resource.relation.clone() };
        let answer = Answer::Row(Envelope::Field(number::ROWS), Missing::NotFound);
        Ok(self.call(surroundings, action, query, Preferences::default(), &selection, answer))
    }

    fn stream(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let selection = self.selection_with_embeds(number::READ_MASK, number::EMBEDS)?;
        let mut query = self.query(&selection);
        self.conditions(&mut query)?;
        self.embeds(number::EMBEDS, &mut query)?;
        query.order.extend(order::order(self.resource, &self.grammar(number::ORDER_BY)?)?);
        query.range.offset = self.count_field(number::SKIP)?.into();
        query.excess = Excess::Told;
        let action = Action::Read { relation: self.resource.relation.clone() };
        let answer = Answer::Stream(Envelope::Field(number::ROWS));
        Ok(self.call(surroundings, action, query, Preferences::default(), &selection, answer))
    }

    /// The neutral request and what becomes of its rows.
    fn call(
        &self,
        surroundings: Surroundings<'_>,
        action: Action,
        query: Query,
        preferences: Preferences,
        selection: &Selection,
        answer: Answer,
    ) -> Call {
        let rows = Arc::new(selection.encoder(self.package, self.encoders, self.at));
        let schema = self.package.schema.clone();
        let Surroundings { context, deadline, timezone, .. } = surroundings;
        let preferences = Preferences { timezone, ..preferences };
        let request =
            Request { schema, action, query, preferences, accept: Accept::Columns, context, deadline };
        Call { request: Box::new(request), rows, answer, otherwise: None, told: Told::Nothing }
    }

    fn query(&self, selection: &Selection) -> Query {
        let select = selection.select(self.package, self.resource);
        Query { select, texts: self.package.texts.clone(), ..Query::default() }
    }

    /// What the mask in this field of a reading request selects; every column if it is empty.
    fn selection(&self, number: u32) -> Result<Selection> {
        let selection = self.masked(number)?;
        Ok(if selection.is_empty() { Selection::all(self.resource) } else { selection })
    }

    /// What the mask in this field of a writing request selects: every column if there is none,
    /// nothing if it is there and empty.
    fn written_selection(&self, number: u32) -> Result<Selection> {
        match self.message.has_field_by_number(number) {
            true => self.masked(number),
            false => Ok(Selection::all(self.resource)),
        }
    }

    fn masked(&self, number: u32) -> Result<Selection> {
        let paths = self.mask(number)?;
        let paths = paths.iter().map(String::as_str);
        Selection::of_mask(self.package, self.resource, &self.request_field(number), paths)
    }

    /// Conditions that hold for the row with the key that `message` has.
    fn key(
        &self,
        message: &DynamicMessage,
        name: impl Fn(&super::surface::Field) -> String,
    ) -> Result<Vec<(Vec<String>, Filter)>> {
        let mut filters = Vec::with_capacity(self.resource.key.len());
        for field in self.resource.key.iter().filter_map(|at| self.resource.fields.get(*at)) {
            let missing = || refuse(&name(field), "the key has to be given");
            if !message.has_field_by_number(field.number) {
                return Err(missing());
            }
            let value = message.get_field_by_number(field.number).ok_or_else(missing)?;
            let value = text::text(self.package, field.shape.scalar(), &value)
                .map_err(|why| refuse(&name(field), why))?;
            let operation =
                Operation::Compare { operator: Operator::Eq, quantifier: None, value: value.into() };
            let field = Field::column(&field.column);
            filters.push((Vec::new(), Filter { field, negated: false, operation }));
        }
        Ok(filters)
    }

    /// `where` and `filter`.
    fn conditions(&self, query: &mut Query) -> Result<()> {
        self.conditions_at(number::WHERE, number::FILTER, query)
    }

    /// `where` and `filter`, where they have these numbers.
    fn conditions_at(&self, r#where: u32, filter: u32, query: &mut Query) -> Result<()> {
        if let Some(value) = self.message.get_field_by_number(r#where)
            && self.message.has_field_by_number(r#where)
            && let Some(predicates) = value.as_message()
        {
            let place = self.request_field(r#where);
            let logic = predicate::conditions(self.package, self.resource, predicates, &place)?;
            query.logic.extend(logic.into_iter().map(|tree| (Vec::new(), tree)));
        }
        filter::add(self.resource, &self.grammar(filter)?, query)
    }

    /// A text that is going to be parsed.
    fn grammar(&self, number: u32) -> Result<String> {
        let text = self.text(number);
        match text.len() {
            ..=MAX_TEXT => Ok(text),
            _ => Err(too_complex(&self.request_field(number), format!("at most {MAX_TEXT} bytes"))),
        }
    }

    /// The paths of the mask in this field.
    fn mask(&self, number: u32) -> Result<Vec<String>> {
        let Some(mask) = self.message.get_field_by_number(number) else { return Ok(Vec::new()) };
        let paths = mask.as_message().and_then(|mask| mask.get_field_by_number(1));
        let list = paths.as_deref().and_then(Value::as_list).unwrap_or_default();
        if list.len() > MAX_PATHS {
            return Err(too_complex(&self.request_field(number), format!("at most {MAX_PATHS} paths")));
        }
        Ok(list.iter().filter_map(|path| path.as_str().map(str::to_owned)).collect())
    }

    fn text(&self, number: u32) -> String {
        let value = self.message.get_field_by_number(number);
        value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn flag(&self, number: u32) -> bool {
        let value = self.message.get_field_by_number(number);
        value.is_some_and(|value| *value == Value::Bool(true))
    }

    /// A field that counts something.
    fn count_field(&self, number: u32) -> Result<u64> {
        let value = self.message.get_field_by_number(number).and_then(|value| value.as_i32());
        u64::try_from(value.unwrap_or_default())
            .map_err(|_| refuse(&self.request_field(number), "cannot be negative"))
    }

    /// The name of a field of the request, for errors.
    fn request_field(&self, number: u32) -> String {
        let field = prost_reflect::ReflectMessage::descriptor(self.message).get_field(number);
        field.map(|field| field.name().to_owned()).unwrap_or_default()
    }
}

/// What has to come back of written rows: whoever may only write asks for nothing, which needs
/// no right to read.
fn representation(selection: &Selection) -> (Accept, Option<Return>) {
    match selection.is_empty() {
        true => (Accept::Columns, Some(Return::Minimal)),
        false => (Accept::CheckedColumns, Some(Return::Representation)),
    }
}

/// How the transaction ends.
fn preferences(validate_only: bool) -> Preferences {
    let transaction_end = validate_only.then_some(TransactionEnd::Rollback);
    Preferences { transaction_end, ..Preferences::default() }
}

/// Refuses what a message has that the schema does not: the client was generated from another one, and to leave a
/// condition out would give other rows than it asked for.
fn all_known(message: &DynamicMessage, place: &str) -> Result<()> {
    match message.unknown_fields().next() {
        None => Ok(()),
        Some(field) => {
            let number = field.number();
            Err(refuse(place, format!("has a field {number}, which the schema does not have (any more)")))
        }
    }
}

/// What a field has too much of.
fn too_complex(field: &str, most: String) -> Box<Error> {
    Error::new(Fault::RequestTooComplex, "The request is too complex")
        .details(format!("{field} can have {most}."))
}
