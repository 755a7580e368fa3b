//! Request bodies: JSON, CSV and forms become one JSON text, of which only the
//! keys are looked at. Values and types are PostgreSQL's business.

mod csv;
mod json;

use crate::{
    engine::Engine,
    error::{Error, Fault, Result},
    media::MediaType,
    memory::Full,
    request::{
        payload::{Arguments, BodyKind, Payload, Rows},
        urlencoded,
    },
    server::body::{self, Broken, Uncollected},
};
use bytes::{Buf, Bytes};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;
use std::{fmt::Display, pin::pin, time::Duration};
use tokio::time::timeout;

/// All of a body, as far as the configuration and the memory that is left allow.
pub(super) async fn collect<B>(body: B, engine: &Engine) -> Result<Bytes>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let limit = engine.config().server_max_body_bytes;
    body::collect(body, limit, engine.memory()).await.map_err(uncollected)
}

/// So much of a body is read for an answer that does not need it.
const DISCARDED: usize = 64 << 10;
/// So long its next part is waited for.
const DISCARDED_WITHIN: Duration = Duration::from_millis(200);

/// Reads a short body to its end. What is left unread ends the connection, which a client may be about to use again.
pub(super) async fn discard<B: Body>(body: B) {
    let mut body = pin!(body);
    let mut left = DISCARDED;
    while let Ok(Some(Ok(frame))) = timeout(DISCARDED_WITHIN, body.frame()).await {
        match left.checked_sub(frame.data_ref().map_or(0, Buf::remaining)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn uncollected(uncollected: Uncollected) -> Box<Error> {
    match uncollected {
        Uncollected::TooLarge(limit) => {
            Error::new(Fault::BodyTooLarge, format!("The body is larger than {limit} bytes"))
        }
        Uncollected::Full(full) => self::full(full),
        Uncollected::Broken(error) => match error.downcast_ref() {
            Some(Broken::Stalled(_)) => {
                Error::new(Fault::BodyTimeout, "The body stopped coming").details(error.to_string())
            }
            Some(Broken::Connection(_)) | None => invalid("The body could not be read").cause(error),
        },
    }
}

/// There is no memory for a body.
pub(super) fn full(full: Full) -> Box<Error> {
    let fault = match full {
        Full::Ever => Fault::BodyTooLarge,
        Full::Now => Fault::MemoryExhausted,
    };
    Error::new(fault, full.to_string())
}

/// What a body says of itself; without a word it is JSON.
fn content_type(headers: &HeaderMap) -> MediaType {
    let text = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    text.map_or(MediaType::Json, |text| MediaType::parse(&text))
}

/// The columns of `columns=`, which is about JSON alone: other bodies name theirs
/// by themselves.
pub(super) fn columns(headers: &HeaderMap, columns: Option<Vec<String>>) -> Option<Vec<String>> {
    columns.filter(|_| content_type(headers) == MediaType::Json)
}

/// Rows to write. With `columns` the keys are given and JSON goes to PostgreSQL
/// as it came.
pub(super) fn rows(headers: &HeaderMap, body: Bytes, columns: Option<&[String]>) -> Result<Payload> {
    match content_type(headers) {
        MediaType::Json => json_rows(body, columns),
        MediaType::Csv => csv::rows(&body),
        MediaType::UrlEncoded => Ok(object(&form(&body)?)),
        other => Err(not_acceptable(&other)),
    }
}

/// Arguments of a call.
pub(super) fn arguments(headers: &HeaderMap, body: Bytes, columns: Option<&[String]>) -> Result<Arguments> {
    let raw = |kind, raw: Bytes| Ok(Arguments::Body { kind, raw: raw.into(), object: None });
    match content_type(headers) {
        MediaType::Json => {
            // Of no body there are no arguments, but it is no JSON either.
            let object = match (body.is_empty(), columns) {
                (true, None) => Bytes::from_static(b"{}"),
                (true, Some(_)) | (false, _) => body.clone(),
            };
            let object = Some(json_rows(object, columns)?);
            Ok(Arguments::Body { kind: BodyKind::Json, raw: body.into(), object })
        }
        MediaType::Csv => {
            let rows = csv::rows(&body)?;
            Ok(Arguments::Body { kind: BodyKind::Csv, raw: rows.json.clone(), object: Some(rows) })
        }
        MediaType::UrlEncoded => {
            let pairs = form(&body)?.into_iter();
            Ok(Arguments::Named(pairs.map(|(name, value)| (name, value.into())).collect()))
        }
        MediaType::Text => raw(BodyKind::Text, body),
        MediaType::Xml => raw(BodyKind::Xml, body),
        MediaType::OctetStream => raw(BodyKind::OctetStream, body),
        other => Err(not_acceptable(&other)),
    }
}

fn json_rows(body: Bytes, columns: Option<&[String]>) -> Result<Payload> {
    match columns {
        Some(columns) => {
            let rows = match body.trim_ascii_start().first() {
                Some(b'{') => Rows::One,
                Some(_) | None => Rows::Many,
            };
            Ok(Payload { json: body.into(), keys: columns.to_vec(), rows })
        }
        None => json::rows(body),
    }
}

fn form(body: &[u8]) -> Result<Vec<(String, String)>> {
    let text = std::str::from_utf8(body).map_err(|error| invalid("The form is not UTF-8").cause(error))?;
    let pairs = urlencoded::pairs(text).map_err(|error| invalid(error.message))?;
    Ok(pairs
        .into_iter()
        .map(|(key, value)| (key.into_owned(), value.unwrap_or_default().into_owned()))
        .collect())
}

/// A JSON object of texts; of several values of a key the last one counts.
fn object(pairs: &[(String, String)]) -> Payload {
    let object: serde_json::Map<_, _> =
        pairs.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    Payload {
        keys: object.keys().cloned().collect(),
        json: serde_json::Value::Object(object).to_string().into(),
        rows: Rows::One,
    }
}

fn invalid(message: impl Into<String>) -> Box<Error> {
    Error::new(Fault::InvalidBody, message)
}

fn not_acceptable(media: &impl Display) -> Box<Error> {
    invalid(format!("Content-Type not acceptable: {media}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(content_type: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))])
    }

    fn text(payload: &Payload) -> &str {
        std::str::from_utf8(payload.json.given().unwrap()).unwrap()
    }

    #[test]
    fn a_body_without_content_type_is_json() {
        let payload = rows(&HeaderMap::new(), Bytes::from_static(br#"{"b":1,"a":2}"#), None).unwrap();
        assert_eq!(
            (payload.keys.as_slice(), payload.rows),
            (["b".to_owned(), "a".to_owned()].as_slice(), Rows::One)
        );
    }

    #[test]
    fn with_columns_the_body_is_not_looked_at() {
        let columns = ["a".to_owned()];
        let payload =
            rows(&HeaderMap::new(), Bytes::from_static(b" [{},{\"x\":1}]"), Some(&columns)).unwrap();
        assert_eq!((payload.keys.as_slice(), payload.rows), (columns.as_slice(), Rows::Many));
    }

    #[test]
    fn forms_are_objects_of_texts() {
        let form = headers("application/x-www-form-urlencoded; charset=utf-8");
        let payload = rows(&form, Bytes::from_static(b"a=1&b=x+y%22&a=2"), None).unwrap();
        assert_eq!(text(&payload), r#"{"a":"2","b":"x y\""}"#);
    }

    #[test]
    fn arguments_in_forms_keep_all_their_values() {
        let form = headers("application/x-www-form-urlencoded");
        let found = arguments(&form, Bytes::from_static(b"v=1&v=2"), None).unwrap();
        let pair = |key: &str, value: &'static str| (key.to_owned(), value.into());
        assert_eq!(found, Arguments::Named(vec![pair("v", "1"), pair("v", "2")]));
    }

    #[test]
    fn a_call_without_a_body_has_no_arguments() {
        let Arguments::Body { object: Some(object), .. } =
            arguments(&HeaderMap::new(), Bytes::new(), None).unwrap()
        else {
            panic!()
        };
        assert_eq!((text(&object), object.keys.len()), ("{}", 0));
    }

    #[test]
    fn texts_are_bodies_of_calls_alone() {
        let found = arguments(&headers("text/plain"), Bytes::from_static(b"x"), None).unwrap();
        let expected = Arguments::Body { kind: BodyKind::Text, raw: "x".into(), object: None };
        assert_eq!(found, expected);
        let error = rows(&headers("text/plain"), Bytes::new(), None).unwrap_err();
        assert_eq!(
            (error.code(), error.message.as_str()),
            ("PGRST102", "Content-Type not acceptable: text/plain")
        );
    }

    #[test]
    fn what_keeps_a_body_from_being_read_is_told_apart() {
        let stalled = || Box::new(Broken::Stalled(std::time::Duration::from_secs(30)));
        for (reason, code) in [
            (Uncollected::TooLarge(4), "PGDUET01"),
            (Uncollected::Full(Full::Ever), "PGDUET01"),
            (Uncollected::Full(Full::Now), "PGDUET16"),
            (Uncollected::Broken(stalled()), "PGDUET15"),
            (Uncollected::Broken("what else".into()), "PGRST102"),
        ] {
            assert_eq!(uncollected(reason).code(), code);
        }
    }
}
