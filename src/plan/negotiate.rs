//! What the rows become: the first of the media types asked for that can be
//! made (RFC 9110, section 12.5.1; the front door has put them in order).

use super::Context;
use crate::{
    catalog::descriptor::MediaHandler,
    error::{Error, Fault, Result},
    media::{MediaType, Nulls},
    request::Accept,
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
    /// The media type of what is made; `None` where no body is.
    pub fn media_type(&self) -> Option<MediaType> {
        match self {
            Body::Array(Nulls::Kept) => Some(MediaType::Json),
            Body::Array(Nulls::Stripped) => Some(MediaType::ArrayStripped),
            Body::Object(nulls) => Some(MediaType::Object(*nulls)),
            Body::Csv => Some(MediaType::Csv),
            Body::Handler(handler) => Some(MediaType::Other(handler.media_type.clone())),
            Body::Columns | Body::Nothing => None,
        }
    }

    /// What became of keys without a value.
    pub fn nulls(&self) -> Nulls {
        match self {
            Body::Array(nulls) | Body::Object(nulls) => *nulls,
            Body::Csv | Body::Handler(_) | Body::Columns | Body::Nothing => Nulls::Kept,
        }
    }
}

/// The first of these that can be made.
pub(super) fn body<'c>(accept: Accept, _context: &Context<'c>) -> Result<Body<'c>> {
    let wanted = match accept {
        Accept::Columns => return Ok(Body::Columns),
        Accept::Media(wanted) => wanted,
    };
    wanted.iter().find_map(|media| builtin(media)).ok_or_else(|| not_acceptable(&wanted))
}

fn builtin<'c>(media: &MediaType) -> Option<Body<'c>> {
    match media {
        MediaType::Json | MediaType::Any => Some(Body::Array(Nulls::Kept)),
        MediaType::ArrayStripped => Some(Body::Array(Nulls::Stripped)),
        MediaType::Object(nulls) => Some(Body::Object(*nulls)),
        MediaType::Csv => Some(Body::Csv),
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
