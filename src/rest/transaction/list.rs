//! The list of a transaction: its operations as they are written. Values in them are PostgreSQL's business, and whether
//! what they name exists is not asked here.

use super::{invalid, references::Reference};
use crate::{
    config::Config,
    engine::{MOST_OPERATIONS, check_count},
    error::{Error, Result},
    rest::{headers::CONTENT_PROFILE, prefer},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, request::Parts};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt};

/// An operation, as a request of its own.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) head: Parts,
    pub(super) body: Bytes,
    /// The columns or arguments that take their values from earlier answers.
    pub(super) references: BTreeMap<String, Reference>,
}

/// An operation as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'b> {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow, default)]
    body: Option<&'b RawValue>,
    #[serde(default)]
    references: BTreeMap<String, Reference>,
}

/// The list: how many operations there are, and no more of them than there may be.
struct List<'b> {
    count: usize,
    first: Vec<&'b RawValue>,
}

impl<'de: 'b, 'b> Deserialize<'de> for List<'b> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> std::result::Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = List<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut elements: A,
            ) -> std::result::Result<List<'de>, A::Error> {
                let mut list = List { count: 0, first: Vec::new() };
                while let Some(element) = elements.next_element()? {
                    list.count += 1;
                    if list.count <= MOST_OPERATIONS {
                        list.first.push(element);
                    }
                }
                Ok(list)
            }
        }

        reader.deserialize_seq(Elements)
    }
}

/// What an operation can say of itself. All else is the request's.
static OWN_HEADERS: [HeaderName; 2] = [header::ACCEPT, HeaderName::from_static("prefer")];

/// What clients write into targets and `Uri` refuses.
const REFUSED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The operations of a body. `head` is that of the request.
pub(super) fn read(config: &Config, head: &Parts, body: &Bytes) -> Result<Vec<Listed>> {
    let malformed = |error| {
        invalid("A transaction is a JSON list of operations, such as [{\"method\": \"POST\", \"path\": \"/films\", \"body\": {}}]")
            .cause(error)
    };
    let List { count, first: written } = serde_json::from_slice(body).map_err(malformed)?;
    check_count(count)?;
    let operation = |(at, text): (usize, &&RawValue)| {
        listed(config, head, body, at, text).map_err(|mut error: Box<Error>| {
            error.operation = Some(at);
            error
        })
    };
    written.iter().enumerate().map(operation).collect()
}

fn listed(config: &Config, head: &Parts, body: &Bytes, at: usize, text: &RawValue) -> Result<Listed> {
    let Written { method, path, headers, body: own, references } = serde_json::from_str(text.get())
        .map_err(|error| invalid(format!("The operation is malformed: {error}")))?;
    let method = match method.as_str() {
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        other => {
            return Err(invalid(format!("The operations of a transaction write, which {other} does not")));
        }
    };
    for Reference { from, .. } in references.values() {
        if *from >= at {
            return Err(invalid(format!("The operation refers to operation {from}, which is not before it")));
        }
    }
    if method == Method::DELETE && !references.is_empty() {
        return Err(invalid("What is deleted has no body that could refer to an earlier operation"));
    }
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.uri = target(&path)?;
    parts.headers = own_headers(config, head, headers)?;
    parts.method = method;
    let body = own.map_or_else(Bytes::new, |own| body.slice_ref(own.get().as_bytes()));
    Ok(Listed { head: parts, body, references })
}

/// The path and the query, which name no server.
fn target(path: &str) -> Result<Uri> {
    let uri = utf8_percent_encode(path, REFUSED).to_string().parse::<Uri>().ok();
    uri.filter(|uri| path.starts_with('/') && uri.path() != "/" && uri.host().is_none()).ok_or_else(|| {
        invalid("The path of an operation is that of a relation or of a function, such as \"/films?id=eq.1\"")
    })
}

/// What the operation says of itself, and the schema, which is the request's.
fn own_headers(config: &Config, head: &Parts, written: BTreeMap<String, String>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(4);
    for (name, value) in written {
        let own = OWN_HEADERS.iter().find(|own| own.as_str().eq_ignore_ascii_case(&name));
        let own = own.ok_or_else(|| {
            invalid(format!("An operation has no header {name}: it is the request that can have it"))
                .hint("An operation can have Accept and Prefer, and its body is JSON")
        })?;
        let value = HeaderValue::try_from(value)
            .map_err(|error| invalid(format!("The header {name} is malformed")).cause(error))?;
        headers.append(own, value);
    }
    let preferred = prefer::parse(&headers, config.db_tx_end);
    if preferred.transaction_end.is_some() || preferred.timezone.is_some() {
        return Err(invalid(
            "tx and timezone hold for the whole transaction: it is the request that can prefer them",
        ));
    }
    // The answer is a part of a JSON document, whatever else the database could make.
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
    if let Some(profile) = head.headers.get(CONTENT_PROFILE) {
        headers.insert(CONTENT_PROFILE, profile.clone());
    }
    Ok(headers)
}
