//! Calls of functions: the request's fields are the arguments. One that is not
//! set takes its SQL default; if it has none, it has to be set, or named as NULL.

use super::{
    Answer, Call, MAX_PATHS, Missing, Relation, Surroundings, Told, order,
    text::{json, separated, string, text},
    too_complex,
    write::kept_if_answered,
};
use crate::{
    error::Result,
    grpc::{
        encode::{Encoders, Envelope, MessageEncoder},
        method::{Effects, number},
        refuse::refuse,
        selection::column,
        surface::{Field, Function, Multiplicity, Package, Passing, Presence, Returns},
    },
    request::{
        Accept, Action, CallAccess, Excess, Query, Request,
        payload::{Arguments, BodyKind, Payload, Rows},
        prefer::Preferences,
    },
};
use bytes::Bytes;
use prost_reflect::{DynamicMessage, Value};
use std::{collections::HashSet, sync::Arc};

/// The call of a function.
pub(super) fn call(
    package: &Package,
    encoders: &Encoders,
    function: &Function,
    message: &DynamicMessage,
    surroundings: Surroundings<'_>,
) -> Result<Call> {
    let arguments = match function.passing {
        Passing::Named => named(package, function, message)?,
        Passing::Body(kind) => body(package, function, kind, message)?,
    };
    let (query, rows, envelope) = result(package, encoders, function, message)?;
    let answer = match (function.multiplicity, &function.returns) {
        (_, Returns::Void) => Answer::Nothing(Missing::Fine),
        (Multiplicity::One, _) => Answer::Row(envelope, Missing::Fine),
        (Multiplicity::Many, _) => Answer::Stream(envelope),
    };
    let access = CallAccess::ByVolatility;
    let action = Action::Call { function: function.function.clone(), arguments, access };
    let Surroundings { context, deadline, timezone, .. } = surroundings;
    let request = Request {
        schema: package.schema.clone(),
        action,
        query: Query {
            texts: package.texts.clone(),
            // What is not a stream has one row.
            excess: Excess::Told,
            ..query
        },
        preferences: Preferences { timezone, ..Preferences::default() },
        accept: match (function.effects(), function.multiplicity) {
            (Effects::None, _) => Accept::Columns,
            (Effects::Some, Multiplicity::One) => kept_if_answered(&rows),
            // There may be too many.
            (Effects::Some, Multiplicity::Many) => Accept::CheckedColumns,
        },
        context,
        deadline,
    };
    let (request, rows) = (Box::new(request), Arc::new(rows));
    Ok(Call { request, rows, answer, otherwise: None, told: Told::Nothing })
}

/// The query that reads a function's result, the encoder of its rows, and the envelope around them.
fn result(
    package: &Package,
    encoders: &Encoders,
    function: &Function,
    message: &DynamicMessage,
) -> Result<(Query, MessageEncoder, Envelope)> {
    // A composite that is NULL comes as a row of NULLs.
    let row = Envelope::FieldUnlessNull(number::ROWS);
    Ok(match &function.returns {
        Returns::Void => (Query::default(), MessageEncoder::default(), Envelope::Bare),
        Returns::Value(shape) => {
            let value = encoders.column("value", number::ROWS, *shape);
            (Query::default(), MessageEncoder::new(vec![value]), Envelope::Bare)
        }
        Returns::Columns(fields) => {
            let select = fields.iter().map(|field| column(field, None)).collect();
            let query = Query { select, ..Query::default() };
            (query, MessageEncoder::new(encoders.fields(fields)), Envelope::Bare)
        }
        Returns::Resource(at) => match package.resource(*at) {
            Some(resource) => {
                let relation = Relation { package, resource, at: *at, encoders, message };
                let (query, rows) = relation.of_call(function.multiplicity)?;
                (query, rows, row)
            }
            None => (Query::default(), MessageEncoder::default(), row),
        },
    })
}

impl Relation<'_> {
    /// What is read of rows of the relation that a function gives. Of one row there is nothing to choose.
    fn of_call(&self, multiplicity: Multiplicity) -> Result<(Query, MessageEncoder)> {
        let selection = self.selection_with_embeds(number::CALL_READ_MASK, number::CALL_EMBEDS)?;
        let select = selection.select(self.package, self.resource);
        let mut query = Query { select, ..Query::default() };
        self.embeds(number::CALL_EMBEDS, &mut query)?;
        match multiplicity {
            Multiplicity::One => {}
            Multiplicity::Many => {
                self.conditions_at(number::CALL_WHERE, number::CALL_FILTER, &mut query)?;
                let order = self.grammar(number::CALL_ORDER_BY)?;
                query.order.extend(order::order(self.resource, &order)?);
                query.range.offset = self.count_field(number::CALL_SKIP)?.into();
                if self.message.has_field_by_number(number::CALL_LIMIT) {
                    query.range.limit = Some(self.count_field(number::CALL_LIMIT)?);
                }
            }
        }
        Ok((query, selection.encoder(self.package, self.encoders, self.at)))
    }
}

/// The arguments as a JSON object.
fn named(package: &Package, function: &Function, message: &DynamicMessage) -> Result<Arguments> {
    let nulls = nulls(function, message)?;
    let is_null = |field: &Field| nulls.contains(&field.number);
    let mut fields: Vec<&Field> = Vec::with_capacity(function.arguments.len());
    for field in &function.arguments {
        match (message.has_field_by_number(field.number) || is_null(field), field.presence) {
            (true, _) => fields.push(field),
            // Without elements it is as if it were not set.
            (false, Presence::Required) if field.shape.is_many() => fields.push(field),
            (false, Presence::Required) => {
                return Err(refuse(&field.name, "has to be given, if only as NULL in null_mask"));
            }
            (false, Presence::Defaulted | Presence::Optional | Presence::Computed) => {}
        }
    }
    let mut object = String::new();
    separated('{', '}', fields.iter(), &mut object, |field, out| {
        string(&field.column, out);
        out.push(':');
        match message.get_field_by_number(field.number) {
            Some(value) if !is_null(field) => {
                json(package, field.shape, &value, out).map_err(|why| refuse(&field.name, why))
            }
            _ => {
                out.push_str("null");
                Ok(())
            }
        }
    })?;
    let raw = Bytes::from(object);
    let keys = fields.iter().map(|field| field.column.clone()).collect();
    let payload = Payload { json: raw.clone().into(), keys, rows: Rows::One };
    Ok(Arguments::Body { kind: BodyKind::Json, raw: raw.into(), object: Some(payload) })
}

/// The numbers of the arguments that are NULL.
fn nulls(function: &Function, message: &DynamicMessage) -> Result<HashSet<u32>> {
    let Some(mask) = message.get_field_by_number(number::CALL_NULL_MASK) else { return Ok(HashSet::new()) };
    let paths = mask.as_message().and_then(|mask| mask.get_field_by_number(1));
    let paths = paths.as_deref().and_then(Value::as_list).unwrap_or_default();
    if paths.len() > MAX_PATHS {
        return Err(too_complex("null_mask", format!("at most {MAX_PATHS} paths")));
    }
    let argument = |path: &str| {
        let of_name = function.arguments.iter().find(|field| field.name == path);
        let found = of_name.or_else(|| function.arguments.iter().find(|field| field.column == path));
        found.ok_or_else(|| refuse("null_mask", format!("\"{path}\" is no argument")))
    };
    paths.iter().filter_map(Value::as_str).map(|path| argument(path).map(|field| field.number)).collect()
}

/// The one argument without a name.
fn body(
    package: &Package,
    function: &Function,
    kind: BodyKind,
    message: &DynamicMessage,
) -> Result<Arguments> {
    let Some(field) = function.arguments.first() else { return named(package, function, message) };
    let Some(value) = message.get_field_by_number(field.number) else {
        return named(package, function, message);
    };
    if !message.has_field_by_number(field.number) {
        return Err(refuse(&field.name, "has to be given"));
    }
    let raw = match (kind, &*value) {
        (BodyKind::OctetStream, Value::Bytes(bytes)) => bytes.clone(),
        (BodyKind::OctetStream | BodyKind::Json | BodyKind::Csv | BodyKind::Text | BodyKind::Xml, value) => {
            text(package, field.shape.scalar(), value).map_err(|why| refuse(&field.name, why))?.into()
        }
    };
    Ok(Arguments::Body { kind, raw: raw.into(), object: None })
}
