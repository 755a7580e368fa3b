//! Bad calls by gRPC-Web: what is wrong, method, metadata and body as bytes, the status of the answer.

use super::token::{Flaw, token};
use crate::support::grpc::{ID_1, id, tag};

/// A bad call.
pub(super) struct Case {
    pub(super) wrong: &'static str,
    pub(super) method: &'static str,
    pub(super) metadata: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) status: u8,
}

const OK: u8 = 0;
const INVALID_ARGUMENT: u8 = 3;
const NOT_FOUND: u8 = 5;
const ALREADY_EXISTS: u8 = 6;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
/// As tonic has it for messages beyond the limit.
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAUTHENTICATED: u8 = 16;

const LIST: &str = "api.v1.ItemsService/ListItems";
const GET: &str = "api.v1.ItemsService/GetItem";
const CREATE: &str = "api.v1.ItemsService/CreateItem";

/// All of them.
pub(super) fn all() -> Vec<Case> {
    [messages(), values(), frames(), metadata()].into_iter().flatten().collect()
}

fn messages() -> Vec<Case> {
    vec![
        list("bytes that are no message", b"\xff\xff\xff\xff", INVALID_ARGUMENT),
        list("a field without its end", b"\x0a\x10abc", INVALID_ARGUMENT),
        list("a number without its end", b"\x08\x80\x80\x80", INVALID_ARGUMENT),
        list(
            "a number of eleven bytes",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            INVALID_ARGUMENT,
        ),
        list("field 0", b"\x00\x00", INVALID_ARGUMENT),
        list("a kind of field that there is not", b"\x0f", INVALID_ARGUMENT),
        list("another kind of field", b"\x0a\x01a", INVALID_ARGUMENT),
        list("an open group", b"\x0b", INVALID_ARGUMENT),
        list("groups within groups", &[0x0b; 100_000], INVALID_ARGUMENT),
        list("a text that is not UTF-8", b"\x22\x01\xff", INVALID_ARGUMENT),
        list("an unknown field", b"\xf8\x07\x01", OK),
        list("conditions too deep", &conditions(90), INVALID_ARGUMENT),
        list("conditions much too deep", &conditions(3000), INVALID_ARGUMENT),
        list("nothing at all", b"", OK),
    ]
}

fn values() -> Vec<Case> {
    let text = |field: u8, text: &str| {
        let length = u16::try_from(text.len()).unwrap();
        let length = [0x80 | length as u8, (length >> 7) as u8];
        [&[field << 3 | 2], &length[..], text.as_bytes()].concat()
    };
    let (token, filter, order) = (2, 4, 5);
    let mask = |path: &str| {
        let inner = text(1, path);
        let length = u16::try_from(inner.len()).unwrap();
        [&[6 << 3 | 2, 0x80 | length as u8, (length >> 7) as u8], &inner[..]].concat()
    };
    vec![
        list("a negative page size", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", INVALID_ARGUMENT),
        list("the largest page size", b"\x08\xff\xff\xff\xff\x07", OK),
        list("a negative skip", b"\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", INVALID_ARGUMENT),
        list("the largest skip", b"\x38\xff\xff\xff\xff\x07", OK),
        list("an unknown way to count", b"\x40\x63", INVALID_ARGUMENT),
        list("a forged page token", &text(token, "Zm9yZ2Vk"), INVALID_ARGUMENT),
        list("a page token of no base64", &text(token, "\u{1f600}"), INVALID_ARGUMENT),
        list("a filter of an unknown column", &text(filter, "nope=eq.1"), INVALID_ARGUMENT),
        list("a filter that is none", &text(filter, "id"), INVALID_ARGUMENT),
        list("a filter with NUL", &text(filter, "name=eq.a\0b"), INVALID_ARGUMENT),
        list("a filter with NUL in a name", &text(filter, "\"a\0b\"=eq.1"), INVALID_ARGUMENT),
        list("a deep filter", &text(filter, &format!("or={}", "(and".repeat(2000))), INVALID_ARGUMENT),
        list("a filter that selects", &text(filter, "select=id"), INVALID_ARGUMENT),
        list("an order by an unknown column", &text(order, "nope"), INVALID_ARGUMENT),
        list("an order with SQL", &text(order, "id; drop table api.items"), INVALID_ARGUMENT),
        list("an order with NUL", &text(order, "i\0d"), INVALID_ARGUMENT),
        list("an unknown field to return", &mask("nope"), INVALID_ARGUMENT),
        list("a field to return with NUL", &mask("na\0me"), INVALID_ARGUMENT),
        list("a deep field to return", &mask(&"parent.".repeat(1000)), INVALID_ARGUMENT),
        list("a filter beyond its limit", &field(filter.into(), &[b'a'; 65_535]), RESOURCE_EXHAUSTED),
        list("an order beyond its limit", &field(order.into(), &[b'a'; 65_535]), RESOURCE_EXHAUSTED),
        list("a mask beyond its limit", &field(6, &field(1, b"*").repeat(3001)), RESOURCE_EXHAUSTED),
        called("a key that is not there", GET, &framed(&id(99)), NOT_FOUND),
        called("no key", GET, &framed(b""), INVALID_ARGUMENT),
        called("a row without its key", CREATE, &framed(b""), INVALID_ARGUMENT),
        called("a key that is there already", CREATE, &framed(&field(1, &ID_1)), ALREADY_EXISTS),
        called(
            "a text with NUL",
            CREATE,
            &framed(&field(1, &[&id(9)[..], &tag("name", 2), b"\x03a\0b"].concat())),
            INVALID_ARGUMENT,
        ),
    ]
}

fn frames() -> Vec<Case> {
    let header = |flag: u8, length: u32| [&[flag], &length.to_be_bytes()[..]].concat();
    let over = vec![0; 200_000];
    vec![
        called("no frame", LIST, b"", UNIMPLEMENTED),
        called("half a head", LIST, b"\0\0\0", INTERNAL),
        called("a frame without its end", LIST, &[&header(0, 10)[..], b"abc"].concat(), INTERNAL),
        called("a frame of all memory", LIST, &header(0, u32::MAX), RESOURCE_EXHAUSTED),
        called("a message beyond the limit", LIST, &framed(&over), RESOURCE_EXHAUSTED),
        called("a flag that there is not", LIST, &header(7, 0), INTERNAL),
        called("compressed, it says, by nothing", LIST, &header(1, 0), INTERNAL),
        called("two messages", LIST, &[framed(b""), framed(b"")].concat(), UNIMPLEMENTED),
        called("an unknown method", "api.v1.ItemsService/Nope", &framed(b""), UNIMPLEMENTED),
        called("an unknown service", "api.v1.NopesService/ListNopes", &framed(b""), UNIMPLEMENTED),
        called("no method", "api.v1.ItemsService", &framed(b""), UNIMPLEMENTED),
        called("no path", "", &framed(b""), UNIMPLEMENTED),
    ]
}

fn metadata() -> Vec<Case> {
    let with = |wrong, name, value: String, status| Case {
        metadata: vec![(name, value)],
        ..called(wrong, LIST, &framed(b""), status)
    };
    let bearer =
        |wrong, flaw, status| with(wrong, "authorization", format!("Bearer {}", token(flaw)), status);
    let claims = Flaw::Claims;
    vec![
        with("a token of nothing", "authorization", "Bearer ".into(), UNAUTHENTICATED),
        with("a token of one part", "authorization", "Bearer abc".into(), UNAUTHENTICATED),
        bearer("a forged token", Flaw::Forged, UNAUTHENTICATED),
        bearer("a token with other claims", Flaw::ClaimsReplaced, UNAUTHENTICATED),
        bearer("a token without a signature", Flaw::AlgorithmNone, UNAUTHENTICATED),
        bearer("an expired token", claims(r#"{"role":"authenticated","exp":1}"#), UNAUTHENTICATED),
        bearer("a token for others", claims(r#"{"role":"authenticated","aud":"them"}"#), UNAUTHENTICATED),
        bearer("a role that is not granted", claims(r#"{"role":"postgres"}"#), PERMISSION_DENIED),
        bearer("no role, in PostgreSQL's words", claims(r#"{"role":"none"}"#), UNAUTHENTICATED),
        bearer("the login role", claims(r#"{"role":"authenticator"}"#), UNAUTHENTICATED),
        bearer("an unknown role", claims(r#"{"role":"nobody_at_all"}"#), UNAUTHENTICATED),
        with("a time that is none", "grpc-timeout", "soon".into(), INVALID_ARGUMENT),
        with("a time beyond all times", "grpc-timeout", "99999999H".into(), OK),
        with("a time of too many digits", "grpc-timeout", "999999999S".into(), INVALID_ARGUMENT),
        with("an unknown encoding", "grpc-encoding", "zip".into(), UNIMPLEMENTED),
        with("metadata of bytes that are no base64", "x-bin", "???".into(), OK),
        with("metadata beyond the limit", "x-pad", "x".repeat(71_000), RESOURCE_EXHAUSTED),
    ]
}

/// An `ItemWhere` in an `ItemWhere` and so on, as conditions that all must hold.
fn conditions(depth: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..depth {
        message = field(WHERE_ALL_OF, &message);
    }
    field(3, &message)
}

/// The number of `and` in `ItemWhere`.
const WHERE_ALL_OF: u32 = 2001;

/// A field that is a message.
fn field(number: u32, message: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(message.len() + 10);
    varint(&mut written, number << 3 | 2);
    varint(&mut written, u32::try_from(message.len()).unwrap());
    written.extend(message);
    written
}

fn varint(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn list(wrong: &'static str, message: &[u8], status: u8) -> Case {
    called(wrong, LIST, &framed(message), status)
}

fn called(wrong: &'static str, method: &'static str, body: &[u8], status: u8) -> Case {
    Case { wrong, method, metadata: Vec::new(), body: body.to_vec(), status }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}
