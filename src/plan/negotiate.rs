//! What the rows become: the first of the media types asked for that can be
//! made (RFC 9110, section 12.5.1; the front door has put them in order).
//! A handler of the relation's own comes first, then one for any rows, then
//! what pgduet makes by itself.

use super::{Context, Operation, call::Call};
use crate::{
    catalog::{descriptor::MediaHandler, routine::Shape},
    error::{Error, Fault, Result},
    media::{MediaType, Nulls, PlanFormat, PlanOption},
    request::{
        Accept,
        prefer::{Preferences, Return},
        select::SelectItem,
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
    /// A GeoJSON feature collection, by PostGIS.
    GeoJson,
    /// What this aggregate makes of them.
    Handler(&'c MediaHandler),
    /// The one value as it is: the function says which media type it makes.
    Raw,
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
            Body::Array(_)
            | Body::Csv
            | Body::GeoJson
            | Body::Handler(_)
            | Body::Raw
            | Body::Columns
            | Body::Nothing => false,
        }
    }
}

/// A statement is not run but explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explain {
    /// How the plan is written.
    pub format: PlanFormat,
    /// What is in it.
    pub options: Vec<PlanOption>,
}

/// What was agreed on.
#[derive(Debug)]
pub(super) struct Agreed<'c> {
    pub(super) body: Body<'c>,
    /// What it is called; `None` where rows go to an encoder.
    pub(super) media: Option<MediaType>,
    pub(super) explain: Option<Explain>,
}

/// What a select list leaves of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Selected {
    /// All of it, and nothing else.
    Everything,
    /// Some of it, or more.
    Some,
}

impl Selected {
    pub(super) fn by(select: &[SelectItem]) -> Self {
        match select {
            // Every column too, but that was not said.
            [] => Selected::Some,
            [SelectItem::Every] => Selected::Everything,
            _ => Selected::Some,
        }
    }
}

/// The first of these that can be made.
pub(super) fn agree<'c>(
    accept: &Accept,
    selected: Selected,
    operation: &Operation<'c>,
    context: &Context<'c>,
) -> Result<Agreed<'c>> {
    let wanted = match accept {
        Accept::Columns | Accept::CheckedColumns => {
            return Ok(Agreed { body: Body::Columns, media: None, explain: None });
        }
        Accept::Media(wanted) | Accept::Head(wanted) => wanted,
    };
    let offer = Offer { selected, operation, context };
    wanted.iter().find_map(|media| offer.agreed(media)).ok_or_else(|| not_acceptable(wanted))
}

/// What is left of a body: mutations give rows only where they are asked for,
/// and HEAD asks for none.
pub(super) fn wanted<'c>(
    body: Body<'c>,
    accept: &Accept,
    operation: &Operation<'c>,
    preferences: &Preferences,
) -> Body<'c> {
    match (operation, preferences.representation, accept) {
        (Operation::Mutation(..), Some(Return::Minimal | Return::HeadersOnly) | None, _) => Body::Nothing,
        (Operation::Call(Call { shape: Shape::Void, .. }, _), _, _) => Body::Nothing,
        (_, _, Accept::Head(_)) => Body::Nothing,
        (_, _, Accept::Media(_) | Accept::Columns | Accept::CheckedColumns) => body,
    }
}

/// What can be made for a request.
struct Offer<'r, 'c> {
    selected: Selected,
    operation: &'r Operation<'c>,
    context: &'r Context<'c>,
}

impl<'c> Offer<'_, 'c> {
    fn agreed(&self, wanted: &MediaType) -> Option<Agreed<'c>> {
        let MediaType::Plan { target, format, options } = wanted else {
            let (body, media) = self.body(wanted)?;
            return Some(Agreed { body, media: Some(media), explain: None });
        };
        let (body, _) = self.body(target).filter(|_| self.context.config.db_plan_enabled)?;
        let explain = Explain { format: *format, options: options.clone() };
        Some(Agreed { body, media: Some(wanted.clone()), explain: Some(explain) })
    }

    fn body(&self, wanted: &MediaType) -> Option<(Body<'c>, MediaType)> {
        match wanted {
            // Those with parameters are PostgREST's alone.
            MediaType::ArrayStripped => Some((Body::Array(Nulls::Stripped), wanted.clone())),
            MediaType::Object(nulls) => Some((Body::Object(*nulls), wanted.clone())),
            MediaType::Plan { .. } => None,
            MediaType::Json
            | MediaType::Csv
            | MediaType::GeoJson
            | MediaType::OpenApi
            | MediaType::UrlEncoded
            | MediaType::OctetStream
            | MediaType::Text
            | MediaType::Xml
            | MediaType::Any
            | MediaType::Other(_) => {
                self.own(wanted).or_else(|| self.any_rows(wanted)).or_else(|| builtin(wanted))
            }
        }
    }

    /// By a handler of the relation, or by the function itself; of all of the row only.
    fn own(&self, wanted: &MediaType) -> Option<(Body<'c>, MediaType)> {
        if self.selected == Selected::Some {
            return None;
        }
        if let Operation::Call(call, _) = self.operation
            && let Some(made) = call.function.media_type(self.context.catalog)
        {
            return made_of(made, wanted).map(|media| (Body::Raw, media));
        }
        let oid = self.operation.node().shape.relation()?.oid;
        let own = || self.handlers(oid);
        let any = own().find(|handler| handler.media_type == ANY);
        let handler = any.or_else(|| own().find(|handler| names(&handler.media_type, wanted)))?;
        Some((Body::Handler(handler), made_of(&handler.media_type, wanted)?))
    }

    /// By a handler for rows of any kind.
    fn any_rows(&self, wanted: &MediaType) -> Option<(Body<'c>, MediaType)> {
        let handler = self.handlers(0).find(|handler| names(&handler.media_type, wanted))?;
        Some((Body::Handler(handler), made_of(&handler.media_type, wanted)?))
    }

    fn handlers(&self, relation: u32) -> impl Iterator<Item = &'c MediaHandler> {
        let handlers = self.context.catalog.descriptor().media_handlers.iter();
        handlers.filter(move |handler| handler.relation == relation)
    }
}

/// What handles every media type.
const ANY: &str = "*/*";

fn names(made: &str, wanted: &MediaType) -> bool {
    wanted.to_string().eq_ignore_ascii_case(made)
}

/// What is made of a handler's media type, if that is wanted.
fn made_of(made: &str, wanted: &MediaType) -> Option<MediaType> {
    match made {
        ANY => Some(MediaType::OctetStream),
        _ => names(made, wanted).then(|| wanted.clone()),
    }
}

fn builtin<'c>(wanted: &MediaType) -> Option<(Body<'c>, MediaType)> {
    match wanted {
        MediaType::Json | MediaType::Any => Some((Body::Array(Nulls::Kept), MediaType::Json)),
        MediaType::Csv => Some((Body::Csv, MediaType::Csv)),
        MediaType::GeoJson => Some((Body::GeoJson, MediaType::GeoJson)),
        MediaType::ArrayStripped
        | MediaType::Object(_)
        | MediaType::OpenApi
        | MediaType::UrlEncoded
        | MediaType::OctetStream
        | MediaType::Text
        | MediaType::Xml
        | MediaType::Plan { .. }
        | MediaType::Other(_) => None,
    }
}

/// PGRST107.
fn not_acceptable(wanted: &[MediaType]) -> Box<Error> {
    let names: Vec<_> = wanted.iter().map(ToString::to_string).collect();
    Error::new(Fault::NotAcceptable, format!("None of these media types are available: {}", names.join(", ")))
}
