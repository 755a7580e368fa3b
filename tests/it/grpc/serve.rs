//! What surrounds calls: deadlines, cancellation, errors and their details, compression, limits.

use super::{said, served, served_with};
use crate::support::{database::Database, grpc::Options, tools::curl};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tonic::{Code, codec::CompressionEncoding};
use tonic_types::StatusExt;

/// Waits until so many queries sleep.
async fn sleeping(database: &Database, wanted: i64) {
    const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event = 'PgSleep'";
    let client = database.client().await;
    let asked = async {
        while client.query_one(SLEEPING, &[]).await.unwrap().get::<_, i64>(0) != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("queries begin and end in time");
}

#[test]
fn a_deadline_ends_the_call_and_its_query() {
    let served = served();
    let options = Options { timeout: Some(Duration::from_millis(300)), ..Options::default() };
    let started = Instant::now();
    let answer = served.client.call_with("FunctionsService/Wait", json!({"seconds": 60}), &options);
    assert_eq!(said(answer).0, Code::DeadlineExceeded);
    assert!(started.elapsed() < Duration::from_secs(20));
    served.client.wait(sleeping(&served.database, 0));
    let enough = Options { timeout: Some(Duration::from_secs(60)), ..Options::default() };
    assert_eq!(
        served.client.call_with("FunctionsService/Wait", json!({"seconds": 0}), &enough).unwrap(),
        json!({})
    );
}

#[test]
fn a_client_that_goes_away_takes_its_query_with_it() {
    let served = served();
    let running = sleeping(&served.database, 1);
    served.client.abandoned("FunctionsService/Wait", json!({"seconds": 600}), running);
    served.client.wait(sleeping(&served.database, 0));
}

#[test]
fn errors_have_the_codes_and_details_of_the_table() {
    let served = served();
    let fail = |state: &str| served.call("FunctionsService/Fail", json!({"state": state}));
    for (state, code) in [
        ("23505", Code::AlreadyExists),
        ("23503", Code::FailedPrecondition),
        ("23502", Code::InvalidArgument),
        ("23514", Code::InvalidArgument),
        ("22012", Code::InvalidArgument),
        ("40001", Code::Aborted),
        ("40P01", Code::Aborted),
        ("55P03", Code::Aborted),
        ("42501", Code::Unauthenticated),
        ("28000", Code::PermissionDenied),
        ("0L000", Code::PermissionDenied),
        ("42P01", Code::Unimplemented),
        ("42883", Code::Unimplemented),
        ("25006", Code::FailedPrecondition),
        ("53100", Code::ResourceExhausted),
        ("54000", Code::ResourceExhausted),
        ("P0001", Code::FailedPrecondition),
        ("PT404", Code::NotFound),
        ("PT409", Code::AlreadyExists),
        ("XX000", Code::Internal),
        ("ZZ123", Code::Internal),
    ] {
        let status = fail(state).unwrap_err();
        assert_eq!(status.code(), code, "{state}: {status}");
        let details = status.get_error_details();
        let info = details.error_info().unwrap_or_else(|| panic!("{state} has no ErrorInfo"));
        assert_eq!(info.domain, "postgresql");
        assert_eq!(info.metadata.get("sqlstate").map(String::as_str), Some(state));
        let is_internal = code == Code::Internal;
        assert_eq!(status.message().contains("raised as"), !is_internal, "{state}: {}", status.message());
        assert_eq!(info.metadata.contains_key("hint"), !is_internal);
        assert_eq!(details.retry_info().is_some(), code == Code::Aborted, "{state}");
    }
    let create = |student: Value| served.call("StudentsService/CreateStudent", json!({"student": student}));
    let twice = create(json!({"id": 1, "name": "x"})).unwrap_err().get_error_details();
    let metadata = twice.error_info().map(|info| info.metadata.clone()).unwrap();
    assert_eq!((metadata["constraint"].as_str(), metadata["table"].as_str()), ("students_pkey", "students"));
    let nameless = create(json!({"id": 9})).unwrap_err().get_error_details();
    assert_eq!(
        nameless.bad_request().map(|bad| bad.field_violations[0].field.clone()),
        Some("name".to_owned())
    );
    let orphan = json!({"enrollment": {"student_id": 77, "course_id": 1}});
    let status = served.call("EnrollmentsService/CreateEnrollment", orphan).unwrap_err();
    let details = status.get_error_details();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(details.precondition_failure().map(|failure| failure.violations.len()), Some(1));
}

#[test]
fn messages_are_compressed_both_ways() {
    let served = served();
    for compression in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let options = Options { compression: Some(compression), ..Options::default() };
        let answer = served.client.call_with(
            "StudentsService/GetStudent",
            json!({"id": 1, "readMask": "name"}),
            &options,
        );
        assert_eq!(answer.unwrap(), json!({"student": {"name": "Ada"}}));
        let streamed =
            served.client.all_with("FunctionsService/Numbers", json!({"upto": 500}), &options).unwrap();
        assert_eq!((streamed.len(), &streamed[499]["number"]), (500, &json!(500)));
    }
}

#[test]
fn an_answer_is_compressed_where_it_is_worth_it() {
    let served = served();
    served.database.execute("INSERT INTO api.students (id, name) VALUES (100, repeat('Ada ', 2000))");
    let url = format!("http://{}/api.v1.StudentsService/GetStudent", served.server.address());
    for encoding in ["gzip", "zstd"] {
        let accepted = format!("accept-encoding: {encoding}");
        // A message that has the id alone.
        let get = |request: &str| {
            let kind = "content-type: application/proto";
            curl(&["-o", "/dev/null", "-D", "-", "-H", kind, "-H", &accepted, "-d", request, &url]).headers
        };
        let compressed = format!("content-encoding: {encoding}");
        assert!(!get("\x08\x01").contains(&compressed));
        assert!(get("\x08\x64").contains(&compressed), "{encoding}");
    }
}

#[test]
fn what_is_no_call_is_refused_for_what_it_is() {
    let served = served();
    let refused = |path: &str, message: Vec<u8>| served.client.refused(path, message).code();
    assert_eq!(refused("/api.v1.StudentsService/Expel", vec![]), Code::Unimplemented);
    assert_eq!(refused("/api.v1.StudentsService/GetStudent", vec![0xff, 0xff]), Code::InvalidArgument);
    for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let options = Options { compression, ..Options::default() };
        for path in ["/api.v1.StudentsService/GetStudent", "/api.v1.FunctionsService/Numbers"] {
            let status = served.client.refused_with(path, vec![0; 5 << 20], &options);
            let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
            assert_eq!((status.code(), reason), (Code::ResourceExhausted, Some("BODY_TOO_LARGE".to_owned())));
        }
    }
    let status = served.client.refused("/api.v1.StudentsService/Expel", vec![]);
    let reason = status.get_error_details().error_info().map(|info| info.reason.clone());
    assert_eq!(reason, Some("METHOD_MISSING".to_owned()));
    let still = served.call("StudentsService/GetStudent", json!({"id": 1, "readMask": "id"}));
    assert_eq!(still.unwrap(), json!({"student": {"id": 1}}));
}

#[test]
fn a_token_decides_the_role_and_a_wrong_one_is_refused() {
    let secret = "reallyreallyreallyreallyverysafe";
    let fixture = format!(
        "{}; GRANT SELECT ON api.secrets TO authenticated; INSERT INTO api.secrets VALUES (7)",
        super::FIXTURE
    );
    let served = served_with(&fixture, &[("PGRST_JWT_SECRET", secret)]);
    let claims = json!({"role": "authenticated"});
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let list = |token: Option<String>| {
        let options = Options { token, ..Options::default() };
        served.client.call_with("SecretsService/ListSecrets", json!({}), &options)
    };
    assert_eq!(list(Some(token.clone())).unwrap(), json!({"secrets": [{"id": 7}]}));
    assert_eq!(said(list(Some(token + "x"))).0, Code::Unauthenticated);
    assert_eq!(said(list(None)).0, Code::Unauthenticated);
}
