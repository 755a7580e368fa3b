//! What the transaction is told of the request, as the values of `request.*` settings.

use super::cookie;
use crate::position::Position;
use bytes::Bytes;
use std::{borrow::Cow, collections::BTreeMap};

/// What carries cookies, which are told apart from other headers.
const COOKIE: &str = "cookie";

/// What a request has among its extensions where PostgreSQL is told of its trace: a `traceparent`.
#[derive(Clone, Debug)]
pub struct TraceParent(pub Bytes);

/// `request.method`, `request.path`, `request.headers` and `request.cookies`.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The method, as HTTP writes it.
    pub method: Bytes,
    /// The path, as it was sent.
    pub path: Bytes,
    /// A JSON object: names in lower case, and their values.
    pub headers: Bytes,
    /// A JSON object.
    pub cookies: Bytes,
    /// What PostgreSQL's log is told of the trace, as `application_name`.
    pub traceparent: Option<Bytes>,
    /// The position in PostgreSQL's log that the client has seen: it reads nothing older. No setting tells it.
    pub seen: Option<Position>,
    /// `request.tls.subject`: whom the client's certificate is for, where it has shown one.
    pub tls_subject: Option<Bytes>,
}

impl Context {
    /// Of a request with these headers, whose names are in lower case. Of several values of one name the last one counts.
    pub fn new<'h>(method: &str, path: &str, headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut cookies = Object::new();
        let mut others = Object::new();
        for (name, value) in headers {
            match name {
                COOKIE => cookies.extend(cookie::pairs(value)),
                _ => {
                    others.insert(name.into(), String::from_utf8_lossy(value));
                }
            }
        }
        // One buffer for all four.
        let mut buffer = Vec::with_capacity(512);
        buffer.extend_from_slice(method.as_bytes());
        let method = buffer.len();
        buffer.extend_from_slice(path.as_bytes());
        let path = buffer.len();
        json(&others, &mut buffer);
        let headers = buffer.len();
        json(&cookies, &mut buffer);
        let mut rest = Bytes::from(buffer);
        Self {
            method: rest.split_to(method),
            path: rest.split_to(path - method),
            headers: rest.split_to(headers - path),
            cookies: rest,
            seen: None,
            tls_subject: None,
            traceparent: None,
        }
    }
}

type Object<'h> = BTreeMap<Cow<'h, str>, Cow<'h, str>>;

fn json(object: &Object<'_>, out: &mut Vec<u8>) {
    // A map of texts can always be written.
    let _ = serde_json::to_writer(out, object);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_apart_from_headers_and_of_several_values_the_last_counts() {
        let headers = [
            ("x-thing", &b"\xc3\xa9 \"1\""[..]),
            ("cookie", b"a=1; b=2=3;c"),
            ("x-twice", b"1"),
            ("x-twice", b"2"),
            // HTTP/2 may send one header for each cookie (RFC 9113, section 8.2.3).
            ("cookie", b"d"),
        ];
        let context = Context::new("GET", "/a%20b", headers.into_iter());
        assert_eq!((&context.method[..], &context.path[..]), (&b"GET"[..], &b"/a%20b"[..]));
        assert_eq!(context.headers, "{\"x-thing\":\"é \\\"1\\\"\",\"x-twice\":\"2\"}");
        assert_eq!(context.cookies, r#"{"a":"1","b":"2=3","c":"","d":""}"#);
        assert_eq!(Context::new("GET", "/", [].into_iter()).cookies, "{}");
    }
}
