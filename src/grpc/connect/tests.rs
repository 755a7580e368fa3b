//! Connect's forms in and out, without a server.

use super::*;
use http::request::Parts;
use serde_json::json;

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn code(refusal: Refusal) -> u16 {
    let response = match refusal {
        Refusal::Failed(status) => Form::Get.refuse(&status),
        Refusal::NotTaken(why) => why.into_response(&head("POST", "/a.B/C", &[])),
    };
    response.status().as_u16()
}

#[test]
fn there_is_one_version_of_connect() {
    for (version, status) in [("1", None), ("2", Some(400)), ("", Some(400))] {
        let head = head("POST", "/a.B/C", &[("connect-protocol-version", version)]);
        assert_eq!(Form::Unary(Codec::Json).check(&head).err().map(code), status, "{version}");
    }
    assert!(Form::Stream(Codec::Json).check(&head("POST", "/a.B/C", &[])).is_ok());
}

#[test]
fn a_get_has_its_message_in_the_query_plain_or_as_base64_with_or_without_padding() {
    let message = |query: &str| Query::of(query).and_then(|query| query.message(100)).map_err(code);
    assert_eq!(message("connect=v1&encoding=json&message=%7B%7D"), Ok(Bytes::from("{}")));
    assert_eq!(message("encoding=json&base64=1&message=e30"), Ok(Bytes::from("{}")));
    assert_eq!(message("encoding=proto&base64=1&message=-_8%3D"), Ok(Bytes::from_static(&[0xfb, 0xff])));
    for (wrong, status) in [
        ("message=%7B%7D", 400),
        ("encoding=json", 400),
        ("encoding=xml&message=", 415),
        ("encoding=json&base64=1&message=***", 400),
        ("connect=v2&encoding=json&message=%7B%7D", 400),
        ("encoding=json&message=e30&base64=1&compression=br", 501),
        ("encoding=json&message=e30&base64=1&compression=gzip", 400),
    ] {
        assert_eq!(message(wrong), Err(status), "{wrong}");
    }
}

#[test]
fn a_calls_metadata_has_the_names_of_grpc() {
    let head = head(
        "POST",
        "/a.B/C",
        &[
            ("content-type", "application/proto"),
            ("content-encoding", "gzip"),
            ("accept-encoding", "zstd"),
            ("connect-timeout-ms", "1500"),
            ("authorization", "Bearer x"),
            // Of another protocol.
            ("grpc-timeout", "1n"),
            ("grpc-encoding", "br"),
        ],
    );
    let found = request::metadata(&head, Form::Unary(Codec::Proto), Codec::Proto).unwrap();
    let text = |name: &str| found.get(name).and_then(|value| value.to_str().ok());
    assert_eq!((text("grpc-encoding"), text("grpc-accept-encoding")), (Some("gzip"), Some("zstd")));
    assert_eq!((text("grpc-timeout"), text("authorization")), (Some("1500m"), Some("Bearer x")));
    assert_eq!((text("content-encoding"), text("content-type")), (None, Some("application/grpc")));
    let found = request::metadata(&head, Form::Unary(Codec::Json), Codec::Json).unwrap();
    let text = |name: &str| found.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(
        (text("grpc-encoding"), text("grpc-accept-encoding")),
        (None, None),
        "JSON is expanded before"
    );
}

#[test]
fn a_timeout_is_up_to_ten_digits() {
    let timeout = |text: &str| {
        let head = head("POST", "/a.B/C", &[("connect-timeout-ms", text)]);
        let found = request::metadata(&head, Form::Unary(Codec::Json), Codec::Json).map_err(code)?;
        Ok(found.get("grpc-timeout").and_then(|value| value.to_str().ok()).map(str::to_owned))
    };
    assert_eq!(timeout("9999999999"), Ok(Some("9999999S".to_owned())));
    assert_eq!(timeout("0"), Ok(Some("0m".to_owned())));
    for wrong in ["", "-1", "1.5", "99999999999"] {
        assert_eq!(timeout(wrong), Err(400), "{wrong}");
    }
}

#[test]
fn an_error_has_its_details_by_type() {
    let details = tonic_types::ErrorDetails::with_error_info(
        "UNIQUE",
        "postgresql",
        [("table".to_owned(), "books".to_owned())],
    );
    use tonic_types::StatusExt as _;
    let status = Status::with_error_details(tonic::Code::AlreadyExists, "twice", details);
    let error = error::error(&status);
    assert_eq!((&error["code"], &error["message"]), (&json!("already_exists"), &json!("twice")));
    assert_eq!(error["details"][0]["type"], "google.rpc.ErrorInfo");
    assert!(!error["details"][0]["value"].as_str().unwrap().ends_with('='));
    assert_eq!(code(status.into()), 409);
}

/// The frames of a body.
async fn frames(body: Body) -> Vec<(u8, Bytes)> {
    let mut rest = body.collect().await.unwrap().to_bytes();
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[1..PREFIX].try_into().unwrap()) as usize;
        let frame = rest.split_to(PREFIX + length);
        frames.push((frame[0], frame.slice(PREFIX..)));
    }
    frames
}

#[tokio::test]
async fn a_stream_ends_with_a_frame_that_says_how() {
    let answer = |status: Status| {
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        let body = http_body_util::Full::new(framed(0, b"row")).map_err(|never| match never {});
        let body = body.with_trailers(async { Some(Ok::<_, Status>(trailers)) });
        stream::response(Response::new(Body::new(body)), Codec::Proto, Schema::Proto, None)
    };
    let done = frames(answer(Status::ok("")).into_body()).await;
    assert_eq!(done, [(0, Bytes::from("row")), (2, Bytes::from("{}"))]);
    let failed = frames(answer(Status::not_found("gone")).into_body()).await;
    assert_eq!(failed[1], (2, Bytes::from(r#"{"error":{"code":"not_found","message":"gone"}}"#)));
}

#[test]
fn frames_that_are_cut_off_or_flagged_are_refused() {
    for body in [&[0, 0, 0, 0, 5, 1][..], &[0, 0], &[1, 0, 0, 0, 0]] {
        assert_eq!(
            code(stream::request(&Bytes::copy_from_slice(body), &Schema::Proto, None, 100).unwrap_err()),
            400
        );
    }
}
