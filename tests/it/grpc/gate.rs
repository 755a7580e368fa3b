//! What a request has to be before a method is called, and how each protocol says what it is not. The official clients
//! over the same failures are in `clients.rs`.

use super::{FIXTURE, served, served_with};
use crate::support::{
    grpc::{ID_1, tag},
    grpc_web,
    http::{Answer, Connection, send},
    tools::{curl, grpcurl},
};
use serde_json::{Value, json};
use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

const GET: &str = "/api.v1.StudentsService/GetStudent";
const DELETE: &str = "/api.v1.BadgesService/DeleteBadge";
const STREAM: &str = "/api.v1.StudentsService/StreamStudents";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// The row 1 is wanted, as a frame.
const FRAMED: &[u8] = &[0, 0, 0, 0, 4, ID_1[0], ID_1[1], ID_1[2], ID_1[3]];

/// Asks by HTTP/2, with a body that is no text.
fn by_http2(method: &str, url: &str, kind: &str, body: &[u8]) -> crate::support::tools::Answer {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("pgduet-gate-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let file = std::env::temp_dir().join(name);
    fs::write(&file, body).unwrap();
    let (header, data) = (format!("content-type: {kind}"), format!("@{}", file.display()));
    let answer = curl(&["--http2-prior-knowledge", "-X", method, "-H", &header, "--data-binary", &data, url]);
    fs::remove_file(file).unwrap();
    answer
}

/// The frames of a body.
fn frames(mut body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = body {
        let (message, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        frames.push((*flag, message.to_vec()));
        body = rest;
    }
    frames
}

/// The error that ends a stream of Connect's.
fn ended(answer: &Answer) -> Value {
    let (flag, end) = frames(&answer.body).pop().unwrap();
    assert_eq!((answer.status, flag), (200, 2), "{}", answer.text());
    serde_json::from_slice::<Value>(&end).unwrap()["error"].clone()
}

#[test]
fn a_call_is_a_post_and_reads_by_connect_may_be_gets() {
    let served = served();
    let key = [&tag("id", 2)[..], b"$a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"].concat();
    let message = &[&[0, 0, 0, 0, 40], &key[..]].concat()[..];
    let url = format!("{}{DELETE}", served.server.url());
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        for kind in ["application/grpc", "application/grpc-web", "application/grpc-web+proto"] {
            let answer = by_http2(method, &url, kind, message);
            assert_eq!(answer.status, 405, "{method} {kind}");
            assert!(answer.headers.contains("allow: post"), "{}", answer.headers);
            assert!(answer.headers.contains("grpc-status: 12"), "{}", answer.headers);
        }
    }
    let other = |method: &str, target: &str, kind: &str| {
        send(served.server.address(), method, target, &[("Content-Type", kind)], Some("{}"))
    };
    let put = other("PUT", DELETE, "application/json");
    assert_eq!((put.status, put.header("allow").as_deref()), (405, Some("GET, POST")));
    // By GET neither what changes something nor what answers by a stream.
    for target in [DELETE, STREAM, HEALTH, "/grpc.health.v1.Health/Watch"] {
        let got = other("GET", &format!("{target}?encoding=json&message=%7B%7D"), "application/json");
        assert_eq!((got.status, got.header("allow").as_deref()), (405, Some("POST")), "{target}");
    }
    assert_eq!(
        other("GET", &format!("{GET}?encoding=json&message=%7B%22id%22%3A1%7D"), "text/plain").status,
        200
    );
    let missing = other("GET", "/api.v1.StudentsService/Burn?encoding=json&message=", "text/plain");
    assert_eq!((missing.status, missing.code().as_deref()), (501, Some("unimplemented")));
    assert_eq!(served.sql("SELECT count(*) FROM api.badges"), "1", "nothing is deleted");
}

#[test]
fn only_content_types_that_exist_are_read() {
    let served = served();
    let url = format!("{}{GET}", served.server.url());
    for kind in [
        "application/grpc+json",
        "application/grpc+thrift",
        "application/grpc-web+json",
        "application/grpc-web-text+x",
    ] {
        let answer = by_http2("POST", &url, kind, FRAMED);
        assert_eq!(answer.status, 415, "{kind}");
        assert!(answer.headers.contains("grpc-status: 12"), "{kind}: {}", answer.headers);
    }
    for kind in [
        "application/connect+xml",
        "application/protobuf",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
    ] {
        let answer = send(served.server.address(), "POST", GET, &[("Content-Type", kind)], Some("{}"));
        assert_eq!((answer.status, answer.code().as_deref()), (415, Some("unimplemented")), "{kind}");
        assert!(answer.header("accept-post").unwrap().contains("application/connect+json"));
    }
    let native =
        send(served.server.address(), "POST", GET, &[("Content-Type", "application/grpc")], Some(""));
    assert_eq!((native.status, native.header("grpc-status").as_deref()), (505, Some("12")));
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        let answer =
            send(served.server.address(), "POST", GET, &[("Content-Type", kind)], Some("{\"id\": 1}"));
        assert_eq!(answer.status, 200, "{kind}");
    }
    let mut connection = Connection::open(served.server.address());
    let kind = [("Content-Type", "application/grpc-web+proto; charset=utf-8")];
    let answer = connection.send("POST", GET, &kind, Some(FRAMED)).unwrap();
    assert_eq!((answer.status, frames(&answer.body).len()), (200, 2));
}

#[test]
fn one_message_is_no_stream_and_a_stream_is_not_one_message() {
    let served = served();
    let post = |target: &str, kind: &str, body: &[u8]| {
        let mut connection = Connection::open(served.server.address());
        connection.send("POST", target, &[("Content-Type", kind)], Some(body)).unwrap()
    };
    for kind in ["application/json", "application/proto"] {
        for target in [STREAM, "/grpc.health.v1.Health/Watch"] {
            let answer = post(target, kind, b"");
            assert_eq!((answer.status, answer.code().as_deref()), (415, Some("unimplemented")), "{kind}");
            assert!(answer.header("accept-post").unwrap().starts_with("application/connect+json"));
        }
    }
    for kind in ["application/connect+json", "application/connect+proto"] {
        for target in [GET, HEALTH] {
            let error = ended(&post(target, kind, b"\0\0\0\0\0"));
            assert_eq!(error["code"], "unimplemented", "{kind}: {error}");
        }
    }
}

#[test]
fn a_refusal_is_in_the_form_of_its_protocol_and_comes_while_the_client_still_writes() {
    let served = served_with(FIXTURE, &[("PGDUET_GRPC_MAX_RECEIVE_BYTES", "1000")]);
    let large = vec![b' '; 3 << 20];
    let mut framed = vec![0];
    framed.extend(u32::try_from(large.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(&large);
    // One connection for all of them: a refusal leaves it as it should be.
    let mut connection = Connection::open(served.server.address());
    let mut post = |target: &str, kind: &str, headers: &[(&str, &str)], body: &[u8]| {
        let headers = [&[("Content-Type", kind)], headers].concat();
        connection.send("POST", target, &headers, Some(body)).unwrap()
    };
    for kind in ["application/json", "application/proto"] {
        let answer = post(GET, kind, &[], &large);
        assert_eq!((answer.status, answer.code().as_deref()), (429, Some("resource_exhausted")), "{kind}");
        let answer = post("/api.v1.StudentsService/Burn", kind, &[], &large);
        assert_eq!((answer.status, answer.code().as_deref()), (501, Some("unimplemented")), "{kind}");
        let answer = post(GET, kind, &[("Connect-Timeout-Ms", "soon")], &large);
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("invalid_argument")), "{kind}");
        let answer = post(GET, kind, &[("Authorization", "Bearer x")], b"");
        assert_eq!(answer.code().as_deref(), Some("internal"), "{kind}: there is no secret to check it");
    }
    for kind in ["application/connect+json", "application/connect+proto"] {
        let errors = [
            (STREAM, vec![], "resource_exhausted"),
            ("/api.v1.StudentsService/Burn", vec![], "unimplemented"),
            (STREAM, vec![("Connect-Timeout-Ms", "soon")], "invalid_argument"),
            (STREAM, vec![("Connect-Content-Encoding", "snappy")], "unimplemented"),
        ];
        for (target, headers, code) in errors {
            let answer = post(target, kind, &headers, &framed);
            assert_eq!(answer.header("content-type").as_deref(), Some(kind));
            assert_eq!(ended(&answer)["code"], code, "{kind} {target}");
        }
    }
    let web = "application/grpc-web+proto";
    for (target, headers, status) in [
        (GET, vec![], "8"),
        ("/api.v1.StudentsService/Burn", vec![], "12"),
        (STREAM, vec![("Grpc-Timeout", "soon")], "3"),
        (STREAM, vec![("Grpc-Encoding", "snappy")], "12"),
    ] {
        let answer = post(target, web, &headers, &framed);
        assert_eq!(answer.status, 200);
        let (flag, trailers) = frames(&answer.body).pop().unwrap();
        let trailers = String::from_utf8(trailers).unwrap();
        assert_eq!(flag, 0x80);
        assert!(trailers.contains(&format!("grpc-status:{status}\r\n")), "{target}: {trailers}");
        assert!(trailers.contains("grpc-status-details-bin:"), "{target}: {trailers}");
    }
    assert_eq!(post(GET, "application/json", &[], b"{\"id\": 1}").status, 200);
}

#[test]
fn what_cannot_be_read_is_the_clients_fault_wherever_it_is_sent() {
    let served = served();
    let mut connection = Connection::open(served.server.address());
    for target in [GET, HEALTH] {
        let answer = connection
            .send("POST", target, &[("Content-Type", "application/proto")], Some(b"\xff\xff"))
            .unwrap();
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("invalid_argument")), "{target}");
    }
    // By gRPC's own rules: a frame that is cut off, with a flag that there is not, or said to be compressed, is the
    // server's, and no frame at all, or two of them, is no call of such a method.
    for (body, status) in [
        (&b"\0\0\0\0\x09\x08"[..], 13),
        (b"\x07\0\0\0\0", 13),
        (b"\x01\0\0\0\0", 13),
        (b"", 12),
        (b"\0\0\0\0\0\0\0\0\0\0", 12),
    ] {
        for target in [GET, STREAM, HEALTH, "/grpc.health.v1.Health/Watch"] {
            let reply = grpc_web::send(&mut connection, target.trim_start_matches('/'), &[], body).unwrap();
            assert_eq!(reply.status, status, "{target} {body:?}: {}", reply.text);
        }
    }
    let reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let reply = grpc_web::call(&mut connection, reflection, b"\xff\xff").unwrap();
    assert_eq!(reply.status, 3, "{}", reply.text);
    // What there is whatever the schema takes JSON, too.
    let health = |message: &str| {
        let answer = send(
            served.server.address(),
            "POST",
            HEALTH,
            &[("Content-Type", "application/json")],
            Some(message),
        );
        (answer.status, serde_json::from_str::<Value>(&answer.text()).unwrap())
    };
    assert_eq!(health("{}"), (200, json!({"status": "SERVING"})));
    assert_eq!(health("{\"service\": \"no.such.Service\"}").0, 404);
    assert_eq!(health("{\"servise\": 1}").0, 400);
}

/// What reflection answers over gRPC, by grpcurl, and over Connect; without a token and with one.
fn reflected(options: &[(&str, &str)]) -> [String; 4] {
    let secret = "reallyreallyreallyreallyverysafe";
    let served = served_with(FIXTURE, &[&[("PGRST_JWT_SECRET", secret)], options].concat());
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let claims = json!({"role": "authenticated"});
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let authorization = format!("authorization: Bearer {token}");
    let listed = |arguments: &[&str]| match grpcurl(&[arguments, &[served.server.address(), "list"]].concat())
    {
        Ok(listed) => listed.contains("api.v1.StudentsService").to_string(),
        Err(error) => ["Unauthenticated", "does not support the reflection API"]
            .into_iter()
            .find(|known| error.contains(known))
            .unwrap_or(&error)
            .to_owned(),
    };
    let connect = |token: Option<&str>| {
        let target = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let question = b"{\"listServices\":\"\"}";
        let mut body = vec![0];
        body.extend(u32::try_from(question.len()).unwrap().to_be_bytes());
        body.extend_from_slice(question);
        let token = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Content-Type", "application/connect+json")];
        headers.extend(token.as_ref().map(|token| ("Authorization", token.as_str())));
        let answer =
            Connection::open(served.server.address()).send("POST", target, &headers, Some(&body)).unwrap();
        if answer.status != 200 {
            return answer.status.to_string();
        }
        let all = frames(&answer.body);
        let first = String::from_utf8_lossy(&all[0].1).into_owned();
        match first.contains("api.v1.StudentsService") {
            true => "true".to_owned(),
            false => ended(&answer)["code"].as_str().unwrap().to_owned(),
        }
    };
    [listed(&[]), listed(&["-H", &authorization]), connect(None), connect(Some(&token))]
}

#[test]
fn reflection_is_for_whom_the_option_says() {
    let none = "does not support the reflection API";
    let no_role = ("PGRST_DB_ANON_ROLE", "");
    for (options, expected) in [
        (vec![], ["true", "true", "true", "true"]),
        (vec![no_role], ["Unauthenticated", "true", "unauthenticated", "true"]),
        (
            vec![("PGDUET_GRPC_REFLECTION", "authenticated")],
            ["Unauthenticated", "true", "unauthenticated", "true"],
        ),
        (vec![("PGDUET_GRPC_REFLECTION", "disabled")], [none, none, "404", "404"]),
    ] {
        assert_eq!(reflected(&options), expected, "{options:?}");
    }
}
