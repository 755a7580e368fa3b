//! Inputs of gRPC, whose messages are written by hand, and tokens, which both sides take.

use super::{Input, Request, filled};
use crate::support::grpc::number;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

/// What the server verifies tokens by.
pub(super) const SECRET: &str = "reallyreallyreallyreallyverysafe";

/// Of messages.
const MESSAGE: usize = 10_000;
/// Of texts that are parsed.
const TEXT: usize = 7_900;
/// Of masks.
const MASK: usize = 1_000;
/// Of tokens, which are headers.
const TOKEN: usize = 10_000;

const INVALID_ARGUMENT: u16 = 3;

const fn row(name: &'static str, size: usize, status: u16, request: fn(usize) -> Request) -> Input {
    Input { name, size, request, status }
}

/// All of them. Each message is wrong at its end, so that PostgreSQL is not asked.
pub(super) const ALL: &[Input] = &[
    row("references of an operation", MESSAGE, INVALID_ARGUMENT, |n| {
        let reference = bytes(1, &[bytes(1, b"item.id"), bytes(3, b"id")].concat());
        execute(&[reference.repeat(n / 15), bytes(3000, b"")].concat())
    }),
    row("pieces of one request of an operation", MESSAGE, INVALID_ARGUMENT, |n| {
        execute(&bytes(3000, b"abcdefgh").repeat(n / 11))
    }),
    row("operations in JSON", MESSAGE / 8, 400, |n| {
        let operations = filled(n, ",", |_| r#"{"deleteItem":{"id":1}}"#.into());
        Request::Rest {
            method: "POST",
            target: "/api.v1.TransactionService/Execute".to_owned(),
            headers: vec![("Content-Type", "application/json".to_owned())],
            body: format!(r#"{{"operations":[{operations},{{"nope":{{}}}}]}}"#).into(),
        }
    }),
    row("unknown fields of one number", MESSAGE, INVALID_ARGUMENT, |n| list(varint(3000, 1).repeat(n / 3))),
    row("unknown fields of many numbers", MESSAGE, INVALID_ARGUMENT, |n| {
        list((0..n as u32 / 4).flat_map(|number| varint(3000 + number, 1)).collect())
    }),
    row("an unknown group", MESSAGE, INVALID_ARGUMENT, |n| {
        list([&tag(3000, 3)[..], &varint(1, 1).repeat(n / 2), &tag(3000, 4)].concat())
    }),
    row("one text again and again", MESSAGE, INVALID_ARGUMENT, |n| {
        list(bytes(PAGE_TOKEN, b"abcdefgh").repeat(n / 10))
    }),
    row("a page token", MESSAGE, INVALID_ARGUMENT, |n| {
        list(bytes(PAGE_TOKEN, "QUJD".repeat(n / 4).as_bytes()))
    }),
    row("a filter of many conditions", TEXT, INVALID_ARGUMENT, |n| {
        list(bytes(FILTER, filled(n, "&", |k| format!("c{}=eq.1", k % 40)).as_bytes()))
    }),
    row("a filter of one list", TEXT, INVALID_ARGUMENT, |n| {
        list(bytes(FILTER, format!("id=in.({})", filled(n, ",", |k| k.to_string())).as_bytes()))
    }),
    row("an order", TEXT, INVALID_ARGUMENT, |n| {
        list(bytes(ORDER_BY, filled(n, ",", |k| format!("c{} desc nulls last", k % 40)).as_bytes()))
    }),
    row("a mask of one path", MASK, INVALID_ARGUMENT, |n| list(mask(READ_MASK, n, |_| "c1".into()))),
    row("a mask of many paths", MASK, INVALID_ARGUMENT, |n| {
        list(mask(READ_MASK, n, |k| format!("parent.c{}", k % 40)))
    }),
    row("a mask of stars", MASK, INVALID_ARGUMENT, |n| list(mask(READ_MASK, n, |_| "*".into()))),
    row("masks merged", 2 * MASK, INVALID_ARGUMENT, |n| {
        list(mask(READ_MASK, 6, |_| "c1".into()).repeat(n / 6))
    }),
    row("a mask of a deep path", MESSAGE, INVALID_ARGUMENT, |n| {
        list(mask(READ_MASK, n, |_| "parent.".repeat((n - 10) / 7)))
    }),
    row("conditions on one column", MESSAGE, INVALID_ARGUMENT, |n| {
        list(bytes(WHERE, &bytes(1, &varint(1, 1).repeat(n / 2))))
    }),
    row("conditions merged", MESSAGE, INVALID_ARGUMENT, |n| {
        list(bytes(WHERE, &bytes(1, &varint(1, 1))).repeat(n / 6))
    }),
    row("conditions of which any has to hold", MESSAGE, INVALID_ARGUMENT, |n| {
        list(bytes(WHERE, &bytes(OR, &bytes(1, &varint(1, 1))).repeat(n / 7)))
    }),
    row("conditions on related rows", MESSAGE, INVALID_ARGUMENT, |n| {
        let exists = bytes(OR, &bytes(number("!parent"), &bytes(1, b"")));
        list(bytes(WHERE, &exists.repeat(n / exists.len())))
    }),
    row("embeds merged", MESSAGE, INVALID_ARGUMENT, |n| {
        let required = bytes(EMBEDS, &bytes(number("!parent"), &varint(2, 1)));
        list(required.repeat(n / required.len()))
    }),
    row("masks of embeds", MASK, INVALID_ARGUMENT, |n| {
        list(bytes(EMBEDS, &bytes(number("!parent"), &mask(READ_MASK, n, |k| format!("c{}", k % 40)))))
    }),
    row("columns to group by", MASK, INVALID_ARGUMENT, |n| groups(mask(1, n, |k| format!("c{}", k % 40)))),
    row("columns to count", MASK, INVALID_ARGUMENT, |n| {
        groups(bytes(2, &mask(5, n, |k| format!("c{}", k % 40))))
    }),
    row("an order of groups", TEXT, INVALID_ARGUMENT, |n| {
        groups(bytes(ORDER_BY, filled(n, ",", |k| format!("count.c{} desc", k % 40)).as_bytes()))
    }),
    row("a batch of keys", MESSAGE, INVALID_ARGUMENT, |n| {
        call(
            "api.v1.PairsService/BatchGetPairs",
            [bytes(1, &[varint(1, 1), varint(2, 1)].concat()).repeat(n / 6), bytes(1, b"")].concat(),
        )
    }),
    row("a batch of rows to create", MESSAGE, INVALID_ARGUMENT, |n| {
        let one = bytes(1, &bytes(1, &[varint(1, 1), varint(2, 1)].concat()));
        call("api.v1.PairsService/BatchCreatePairs", [one.repeat(n / 8), bytes(1, b"")].concat())
    }),
    row("a batch of rows with other fields each", MESSAGE, INVALID_ARGUMENT, |n| {
        let rows: Vec<u8> = (0..n / 9)
            .flat_map(|k| bytes(1, &bytes(1, &[varint(1, 1), bytes(4 + k as u32 % 9, b"")].concat())))
            .collect();
        call("api.v1.ItemsService/BatchCreateItems", [rows, bytes(1, b"")].concat())
    }),
    row("a row with a mask of stars", MASK, INVALID_ARGUMENT, |n| {
        call("api.v1.ItemsService/UpdateItem", [bytes(1, b""), mask(2, n, |_| "*".into())].concat())
    }),
    row("elements of an array", MESSAGE, INVALID_ARGUMENT, |n| {
        call("api.v1.ItemsService/UpdateItem", bytes(1, &bytes(2, b"a").repeat(n / 3)))
    }),
    row("a question to reflection", MESSAGE, 0, |n| {
        call(
            "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            bytes(4, "a.".repeat(n / 2).as_bytes()),
        )
    }),
    row("the name of a service", MESSAGE, 5, |n| {
        call("grpc.health.v1.Health/Check", bytes(1, "a.".repeat(n / 2).as_bytes()))
    }),
    row("JSON of unknown fields", MESSAGE, 400, |n| {
        connect(format!("{{{}}}", filled(n, ",", |k| format!("\"k{k}\":1"))))
    }),
    row("JSON of one field", TEXT, 400, |n| {
        connect(format!("{{\"skip\":-1,\"filter\":\"{}\"}}", "\\n".repeat(n / 2)))
    }),
    row("JSON of a mask", MASK, 400, |n| {
        connect(format!("{{\"skip\":-1,\"readMask\":\"{}\"}}", filled(n, ",", |k| format!("c{}", k % 40))))
    }),
    row("JSON that is deep", MESSAGE, 400, |n| connect("{\"where\":".repeat(n / 9))),
    // Tokens
    row("a token of many claims", TOKEN, 404, |n| {
        bearer(&signed(&format!("{{{}}}", filled(n, ",", |k| format!("\"k{k}\":1")))))
    }),
    row("a token for many", TOKEN, 404, |n| {
        bearer(&signed(&format!("{{\"aud\":[{}]}}", filled(n, ",", |k| format!("\"{k}\"")))))
    }),
    row("a token that another signed", TOKEN, 401, |n| bearer(&(signed(&"x".repeat(n)) + "A"))),
    row("a token of dots", TOKEN, 401, |n| bearer(&".".repeat(n))),
    row("a token of long numbers", TOKEN, 404, |n| {
        bearer(&signed(&format!("{{\"a\":0.{}}}", "9".repeat(n))))
    }),
    row("a token's long head", TOKEN, 401, |n| {
        bearer(&format!(
            "{}.e30.AAAA",
            BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{}\"}}", "x".repeat(n)))
        ))
    }),
];

const PAGE_TOKEN: u32 = 2;
const WHERE: u32 = 3;
const FILTER: u32 = 4;
const ORDER_BY: u32 = 5;
const READ_MASK: u32 = 6;
const SKIP: u32 = 7;
const EMBEDS: u32 = 9;
/// Of conditions.
const OR: u32 = 2002;

/// A list whose `skip` is negative, which is found last.
fn list(message: Vec<u8>) -> Request {
    let minus_one = [&tag(SKIP, 0)[..], &[0xff; 9], &[1]].concat();
    call("api.v1.ItemsService/ListItems", [message, minus_one].concat())
}

/// A transaction of one operation.
fn execute(operation: &[u8]) -> Request {
    call("api.v1.TransactionService/Execute", bytes(1, operation))
}

/// Groups of which a negative number is to be passed over.
fn groups(message: Vec<u8>) -> Request {
    let minus_one = [&tag(SKIP, 0)[..], &[0xff; 9], &[1]].concat();
    call("api.v1.ItemsService/AggregateItems", [message, minus_one].concat())
}

fn call(method: &'static str, message: Vec<u8>) -> Request {
    Request::Grpc { method, message }
}

fn connect(json: String) -> Request {
    Request::Rest {
        method: "POST",
        target: "/api.v1.ItemsService/ListItems".to_owned(),
        headers: vec![
            ("Content-Type", "application/json".to_owned()),
            ("Connect-Protocol-Version", "1".to_owned()),
        ],
        body: json.into(),
    }
}

fn bearer(token: &str) -> Request {
    Request::Rest {
        method: "GET",
        target: "/nope".to_owned(),
        headers: vec![("Authorization", format!("Bearer {token}"))],
        body: Vec::new(),
    }
}

fn signed(claims: &str) -> String {
    let message = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\"}"),
        BASE64_URL_SAFE_NO_PAD.encode(claims)
    );
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

/// A mask of as many paths as fill a size.
fn mask(number: u32, size: usize, path: impl Fn(usize) -> String) -> Vec<u8> {
    let mut paths = Vec::new();
    for at in 0.. {
        let next = bytes(1, path(at).as_bytes());
        if !paths.is_empty() && paths.len() + next.len() > size {
            break;
        }
        paths.extend(next);
    }
    bytes(number, &paths)
}

fn bytes(number: u32, content: &[u8]) -> Vec<u8> {
    let mut field = tag(number, 2);
    number_to(&mut field, content.len() as u32);
    field.extend(content);
    field
}

fn varint(number: u32, value: u32) -> Vec<u8> {
    let mut field = tag(number, 0);
    number_to(&mut field, value);
    field
}

fn tag(number: u32, kind: u32) -> Vec<u8> {
    let mut tag = Vec::new();
    number_to(&mut tag, number << 3 | kind);
    tag
}

fn number_to(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
