//! What the rows become: the first of the media types asked for that can be
//! made (RFC 9110, section 12.5.1; the front door has put them in order).

use super::{Context, Operation, call::Call};
use crate::{
    catalog::{descriptor::MediaHandler, routine::Shape},
    error::{Error, Fault, Result},
    media::{MediaType, Nulls},
    request::{
        Accept,
        prefer::{Preferences, Return},
    },
};

/// What the rows become.
#[derive(Clone, Debug)]
pub enum Body<'c> {
    /// A JSON array of objects.
    Array(Nulls),
    /// One JSON object.
    Object(Nulls),
    /// CSV with a header.
    Csv,
    /// What this function or aggregate makes of them.
    Handler(&'c MediaHandler),
    /// Binary columns for an encoder that knows the select list.
    Columns,
    /// Nothing: they are only counted.
    Nothing,
}

impl Body<'_> {
    /// Whether there must be exactly one row.
    pub fn is_singular(&self) -> bool {
        match self {
            Body::Object(_) => true,
            Body::Array(_) | Body::Csv | Body::Handler(_) | Body::Columns | Body::Nothing => false,
        }
    }
}

impl Body<'_> {
    /// What became of keys without a value.
    pub fn nulls(&self) -> Nulls {
        match self {
            Body::Array(nulls) | Body::Object(nulls) => *nulls,
            Body::Csv | Body::Handler(_) | Body::Columns | Body::Nothing => Nulls::Kept,
        }
    }
}

/// The first of these that can be made, and its `Content-Type`.
pub(super) fn body<'c>(
    accept: Accept,
    _operation: &Operation<'c>,
    _context: &Context<'c>,
) -> Result<(Body<'c>, Option<MediaType>)> {
    let wanted = match accept {
        Accept::Columns => return Ok((Body::Columns, None)),
        Accept::Media(wanted) => wanted,
    };
    let made = |media: &MediaType| builtin(media).map(|(body, media)| (body, Some(media)));
    wanted.iter().find_map(made).ok_or_else(|| not_acceptable(&wanted))
}

/// What is left of it: mutations give rows only where they are asked for.
pub(super) fn wanted<'c>(body: Body<'c>, operation: &Operation<'c>, preferences: &Preferences) -> Body<'c> {
    match (operation, preferences.representation) {
        (Operation::Mutation(..), Some(Return::Minimal | Return::HeadersOnly) | None) => Body::Nothing,
        (Operation::Mutation(..), Some(Return::Representation)) => body,
        (Operation::Call(Call { shape: Shape::Void, .. }, _), _) => Body::Nothing,
        (Operation::Read(_) | Operation::Call(..), _) => body,
    }
}

fn builtin<'c>(media: &MediaType) -> Option<(Body<'c>, MediaType)> {
    match media {
        MediaType::Json | MediaType::Any => Some((Body::Array(Nulls::Kept), MediaType::Json)),
        MediaType::ArrayStripped => Some((Body::Array(Nulls::Stripped), media.clone())),
        MediaType::Object(nulls) => Some((Body::Object(*nulls), media.clone())),
        MediaType::Csv => Some((Body::Csv, MediaType::Csv)),
        MediaType::GeoJson
        | MediaType::OpenApi
        | MediaType::UrlEncoded
        | MediaType::OctetStream
        | MediaType::Text
        | MediaType::Xml
        | MediaType::Plan { .. }
        | MediaType::Other(_) => None,
    }
}

fn not_acceptable(wanted: &[MediaType]) -> Box<Error> {
    let names: Vec<_> = wanted.iter().map(ToString::to_string).collect();
    Error::new(Fault::NotAcceptable, format!("None of these media types are available: {}", names.join(", ")))
}
