//! From outcomes and errors to responses: statuses, headers and bodies as
//! PostgREST has them. It neither runs anything nor reads requests.

mod failure;

use super::{
    conditional::Conditional,
    headers::{CONTENT_PROFILE, Negotiated, Profile},
    prefer, range,
    route::Verb,
};
use crate::{
    config::Verbosity,
    error::{Error, Fault, Result},
    openapi::Format,
    outcome::{LegacyName, Outcome},
    request::{
        prefer::{Count, Preferences, Resolution, Return},
        range::Range,
        urlencoded,
    },
    server::stored::Stored,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, request::Parts};
use std::borrow::Cow;

pub(super) use failure::failure;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Who warns: the release whose warnings these are.
const POSTGREST: &str = "PostgRESTv16.2";
const VARY: HeaderValue = HeaderValue::from_static("Accept, Prefer, Range");
const DOCUMENT_VARY: HeaderValue =
    HeaderValue::from_static("Accept, Accept-Encoding, Accept-Profile, Authorization");

/// What an answer depends on besides the outcome.
pub(super) struct Asked {
    /// What was done.
    pub(super) what: What,
    /// Whether a body is wanted.
    pub(super) content: Content,
    /// The rows asked for.
    pub(super) range: Range<u64>,
    /// The preferences.
    pub(super) preferences: Preferences,
    /// The schema.
    pub(super) profile: Profile,
    /// Whether an execution plan could be the answer.
    pub(super) plan: Plan,
    /// How much of an error is told.
    pub(super) verbosity: Verbosity,
    /// Whether the answer is tagged.
    pub(super) conditional: Conditional,
}

/// What was done.
pub(super) enum What {
    /// Something with a relation.
    Relation {
        /// Its name.
        name: String,
        /// What.
        verb: Verb,
        /// The query string in its canonical form.
        canonical: String,
    },
    /// A function was called.
    Call,
}

/// Whether the method has content in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It has.
    Full,
    /// HEAD.
    HeadersOnly,
}

/// Whether an execution plan was asked for, among other media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It was.
    Possible,
    /// It was not.
    Impossible,
}

/// An answer, or a part of one.
pub(super) struct Draft {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The answer to a request that succeeded.
pub(super) fn success(outcome: Outcome, asked: &Asked) -> Result<Response<Bytes>> {
    let Draft { status, headers, body } = draft(outcome, asked)?;
    let mut response = response(status, body);
    *response.headers_mut() = headers;
    Ok(response)
}

/// The same before it is a response.
pub(super) fn draft(outcome: Outcome, asked: &Asked) -> Result<Draft> {
    if asked.plan == Plan::Possible && outcome.content_type.starts_with("application/vnd.pgrst.plan") {
        return Ok(explained(outcome, asked));
    }
    let mut draft = match &asked.what {
        What::Relation { name, verb: Verb::Read, canonical } => read(name, canonical, &outcome, asked)?,
        What::Relation { name, verb: Verb::Insert, .. } => insert(name, &outcome, asked),
        What::Relation { verb: Verb::Upsert, .. } => upsert(&outcome, asked),
        What::Relation { verb: Verb::Update, .. } => update(&outcome, asked),
        What::Relation { verb: Verb::Delete, .. } => delete(&outcome, asked),
        What::Call => call(&outcome, asked)?,
    };
    put(&mut draft.headers, PREFERENCE_APPLIED, prefer::applied(&applied(&outcome, asked)));
    put(&mut draft.headers, header::WARNING, warning(&outcome.facts.legacy_names));
    draft.headers.insert(header::VARY, VARY);
    overridden(draft, &outcome, &asked.conditional)
}

fn read(name: &str, canonical: &str, outcome: &Outcome, asked: &Asked) -> Result<Draft> {
    let mut draft = paged(outcome, asked)?;
    let location = match canonical {
        "" => ["/", name].concat(),
        query => ["/", name, "?", query].concat(),
    };
    put(&mut draft.headers, header::CONTENT_LOCATION, short(location));
    Ok(draft)
}

fn call(outcome: &Outcome, asked: &Asked) -> Result<Draft> {
    let mut draft = paged(outcome, asked)?;
    if outcome.facts.returns_void {
        draft.status = StatusCode::NO_CONTENT;
        draft.body = Bytes::new();
        draft.headers.remove(header::CONTENT_TYPE);
        draft.headers.remove(CONTENT_PROFILE);
    }
    Ok(draft)
}

/// The value of `Warning` (RFC 7234, section 5.5), which the log has too.
fn warning(legacy_names: &[LegacyName]) -> Option<String> {
    let update = |LegacyName { target, alias }: &LegacyName| format!("`{target}` to `{alias}`");
    let updates: Vec<_> = legacy_names.iter().map(update).collect();
    if updates.is_empty() {
        return None;
    }
    let text = format!(
        "Embedded resource was referenced by relation name even though it has an alias. This is deprecated and \
         will stop working in a future release. Update {} in query string filters, orders or limits.",
        updates.join(", ")
    );
    tracing::warn!("{text}");
    short(format!("299 {POSTGREST} \"{text}\""))
}

/// Rows out of a total, or that there are none so far on.
fn paged(outcome: &Outcome, asked: &Asked) -> Result<Draft> {
    let status = range::status(asked.range, outcome.rows, outcome.total);
    let mut headers = content_headers(outcome, asked);
    put(
        &mut headers,
        header::CONTENT_RANGE,
        Some(range::content_range(asked.range.offset, outcome.rows, outcome.total)),
    );
    let body = match (status, asked.content) {
        (StatusCode::RANGE_NOT_SATISFIABLE, _) => {
            failure::body(&range::beyond_the_end(asked.range, outcome.total), asked.verbosity)
        }
        (_, Content::Full) => outcome.body.clone(),
        (_, Content::HeadersOnly) => Bytes::new(),
    };
    Ok(Draft { status, headers, body })
}

fn insert(name: &str, outcome: &Outcome, asked: &Asked) -> Draft {
    // Without a key to tell duplicates by, all rows are new.
    let inserted = outcome.inserted.unwrap_or(outcome.rows);
    let merged = asked.preferences.resolution == Some(Resolution::MergeDuplicates) && inserted == 0;
    let status = if merged { StatusCode::OK } else { StatusCode::CREATED };
    let mut draft = mutation(status, status, outcome, asked);
    let key = outcome.location.iter().flatten().map(|(column, value)| {
        let value = value.as_ref().map_or_else(|| "is.null".to_owned(), |value| format!("eq.{value}"));
        format!("{}={}", urlencoded::encode(column), urlencoded::encode(&value))
    });
    let key = key.collect::<Vec<_>>().join("&");
    let location = (!key.is_empty()).then(|| format!("/{name}?{key}"));
    put(&mut draft.headers, header::LOCATION, location.and_then(short));
    put(&mut draft.headers, header::CONTENT_RANGE, Some(range::content_range(0, 0, counted(outcome, asked))));
    draft
}

fn upsert(outcome: &Outcome, asked: &Asked) -> Draft {
    let inserted = outcome.inserted.is_some_and(|rows| rows > 0);
    let status = if inserted { StatusCode::CREATED } else { StatusCode::OK };
    mutation(status, StatusCode::NO_CONTENT, outcome, asked)
}

fn update(outcome: &Outcome, asked: &Asked) -> Draft {
    let mut draft = mutation(StatusCode::OK, StatusCode::NO_CONTENT, outcome, asked);
    let range = range::content_range(0, outcome.rows, counted(outcome, asked));
    put(&mut draft.headers, header::CONTENT_RANGE, Some(range));
    draft
}

fn delete(outcome: &Outcome, asked: &Asked) -> Draft {
    let mut draft = mutation(StatusCode::OK, StatusCode::NO_CONTENT, outcome, asked);
    put(&mut draft.headers, header::CONTENT_RANGE, Some(range::content_range(0, 0, counted(outcome, asked))));
    draft
}

fn mutation(with_rows: StatusCode, without: StatusCode, outcome: &Outcome, asked: &Asked) -> Draft {
    match asked.preferences.representation {
        Some(Return::Representation) => {
            Draft { status: with_rows, headers: content_headers(outcome, asked), body: outcome.body.clone() }
        }
        Some(Return::Minimal | Return::HeadersOnly) | None => {
            Draft { status: without, headers: HeaderMap::new(), body: Bytes::new() }
        }
    }
}

/// A plan is not what the preferences, or functions by `response.headers`, are about.
fn explained(outcome: Outcome, asked: &Asked) -> Draft {
    let mut headers = content_headers(&outcome, asked);
    put(&mut headers, header::WARNING, warning(&outcome.facts.legacy_names));
    headers.insert(header::VARY, VARY);
    Draft { status: StatusCode::OK, headers, body: outcome.body }
}

/// How many rows were affected, where that was asked for; the planner is not
/// asked about mutations.
fn counted(outcome: &Outcome, asked: &Asked) -> Option<u64> {
    match asked.preferences.count {
        Some(Count::Exact | Count::Estimated) => Some(outcome.rows),
        Some(Count::Planned) | None => None,
    }
}

fn content_headers(outcome: &Outcome, asked: &Asked) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    put(&mut headers, header::CONTENT_TYPE, Some(&*outcome.content_type));
    match asked.profile.negotiated {
        Negotiated::Yes => put(&mut headers, CONTENT_PROFILE, Some(&asked.profile.schema)),
        Negotiated::No => {}
    }
    headers
}

/// The preferences that had a say in what was done.
fn applied(outcome: &Outcome, asked: &Asked) -> Preferences {
    let mut applied = asked.preferences.clone();
    let verb = match &asked.what {
        What::Relation { verb, .. } => Some(*verb),
        What::Call => None,
    };
    if verb != Some(Verb::Insert) || !outcome.facts.resolution_applied {
        applied.resolution = None;
    }
    if matches!(verb, Some(Verb::Read) | None) {
        applied.representation = None;
    }
    if !matches!(verb, Some(Verb::Insert | Verb::Update)) {
        applied.missing = None;
    }
    if matches!(verb, Some(Verb::Read | Verb::Insert | Verb::Upsert)) {
        applied.max_affected = None;
    }
    applied
}

/// The answer with what the database said of status and headers.
fn overridden(draft: Draft, outcome: &Outcome, conditional: &Conditional) -> Result<Draft> {
    let Draft { mut status, mut headers, mut body } = draft;
    if let Some(code) = outcome.status {
        status = StatusCode::from_u16(code).map_err(|_| {
            Error::new(Fault::ResponseStatus, "response.status guc must be a valid status code")
        })?;
    }
    let malformed = || {
        let message = "response.headers guc must be a JSON array composed of objects with a single key and a string value";
        Error::new(Fault::ResponseHeaders, message)
    };
    let own = outcome.headers.iter().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| malformed().cause(error))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| malformed().cause(error))?;
        Ok((name, value))
    });
    let mut own = own.collect::<Result<Vec<_>>>()?;
    own.retain(|(name, _)| !frames(name));
    for (name, _) in &own {
        headers.remove(name);
    }
    for (name, value) in own {
        headers.append(name, value);
    }
    conditional.apply(&mut status, &mut headers, &mut body)?;
    Ok(Draft { status, headers, body })
}

/// Whether a header says where an answer ends, which the database has no say in:
/// a wrong one would break the connection.
fn frames(name: &HeaderName) -> bool {
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(name)
}

fn response<B>(status: StatusCode, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// A value whose length clients choose, unless proxies would refuse the answer for it: nginx has 4 KiB for all headers
/// and answers 502, although the request may have been carried out.
fn short(value: String) -> Option<String> {
    const LONGEST: usize = 2048;
    (value.len() <= LONGEST).then_some(value)
}

/// Adds a header; a value that no header can have is left out.
fn put<'v>(headers: &mut HeaderMap, name: HeaderName, value: Option<impl Into<Cow<'v, str>>>) {
    let value = value.and_then(|value| match value.into() {
        Cow::Borrowed(value) => HeaderValue::from_bytes(value.as_bytes()).ok(),
        Cow::Owned(value) => HeaderValue::from_maybe_shared(Bytes::from(value)).ok(),
    });
    if let Some(value) = value {
        headers.append(name, value);
    }
}

/// The answer to a transaction: what is in `body`, and the preferences that held for all of it.
pub(super) fn transaction(body: Body, preferences: &Preferences) -> Response<Body> {
    let mut answer = response(StatusCode::OK, body);
    let headers = answer.headers_mut();
    put(headers, header::CONTENT_TYPE, Some(crate::media::TRANSACTION));
    put(headers, PREFERENCE_APPLIED, prefer::applied(preferences));
    answer
}

/// The answer to OPTIONS.
pub(super) fn allow(methods: &str) -> Response<Body> {
    let mut answer = response(StatusCode::OK, Body::empty());
    let headers = answer.headers_mut();
    put(headers, header::ALLOW, Some(methods));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::VARY, VARY);
    answer
}

/// The answer to GET and HEAD on the root.
pub(super) fn document(document: &Stored, format: Format, head: &Parts, profile: &Profile) -> Response<Body> {
    let mut answer = document.answer(&head.method, &head.headers);
    let is_sent = answer.status() == StatusCode::OK;
    let headers = answer.headers_mut();
    if is_sent {
        put(headers, header::CONTENT_TYPE, Some(format.content_type()));
    }
    match profile.negotiated {
        Negotiated::Yes => put(headers, CONTENT_PROFILE, Some(&profile.schema)),
        Negotiated::No => {}
    }
    headers.insert(header::VARY, DOCUMENT_VARY);
    answer
}

#[cfg(test)]
mod tests;
