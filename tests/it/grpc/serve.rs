//! What surrounds calls: deadlines, cancellation, errors and their details, compression, limits.

use super::{FIXTURE, said, served, served_with};
use crate::support::{
    database::Database,
    grpc::{Options, id},
    grpc_web,
    http::{Connection, send},
    tools::curl,
    until,
};
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
        ("ZZ123", Code::FailedPrecondition),
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
        let file = std::env::temp_dir().join(format!("pgduet-key-{}", served.database.name()));
        let request = format!("@{}", file.display());
        let get = |key: u8| {
            std::fs::write(&file, id(key)).unwrap();
            let kind = "content-type: application/proto";
            curl(&[
                "-o",
                "/dev/null",
                "-D",
                "-",
                "-H",
                kind,
                "-H",
                &accepted,
                "--data-binary",
                &request,
                &url,
            ])
            .headers
        };
        let compressed = format!("content-encoding: {encoding}");
        assert!(!get(1).contains(&compressed));
        assert!(get(100).contains(&compressed), "{encoding}");
        std::fs::remove_file(&file).unwrap();
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

#[test]
fn a_time_out_of_the_databases_own_is_a_deadline_and_being_stopped_there_is_none() {
    let slow = "CREATE FUNCTION api.slow() RETURNS void LANGUAGE sql SET statement_timeout = '100ms' AS 'SELECT pg_sleep(60)'";
    let served = served_with(&format!("{FIXTURE};{slow}"), &[]);
    let status = served.call("FunctionsService/Slow", json!({})).unwrap_err();
    let info = status.get_error_details().error_info().unwrap().clone();
    assert_eq!((status.code(), info.reason.as_str()), (Code::DeadlineExceeded, "QUERY_CANCELED"), "{status}");
    let connect = send(
        served.server.address(),
        "POST",
        "/api.v1.FunctionsService/Slow",
        &[("Content-Type", "application/json")],
        Some("{}"),
    );
    assert_eq!((connect.status, connect.code().as_deref()), (504, Some("deadline_exceeded")));

    let stopped = std::thread::scope(|scope| {
        scope.spawn(|| {
            let stop = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event = 'PgSleep'";
            until("the query is stopped", || (served.sql(stop) == "1").then_some(()));
        });
        served.call("FunctionsService/Wait", json!({"seconds": 60}))
    });
    assert_eq!(said(stopped).0, Code::Cancelled);

    let role = "DO $$ BEGIN IF to_regrole('hasty') IS NULL THEN
            CREATE ROLE hasty NOLOGIN; GRANT hasty TO authenticator; GRANT anonymous TO hasty;
            ALTER ROLE hasty SET statement_timeout = '100ms';
        END IF; END $$";
    let hasty = served_with(&format!("{FIXTURE};{role}"), &[("PGRST_DB_ANON_ROLE", "hasty")]);
    let waited = hasty.call("FunctionsService/Wait", json!({"seconds": 60}));
    assert_eq!(said(waited).0, Code::DeadlineExceeded);
}

#[test]
fn cookies_reach_the_database_in_each_protocol() {
    let cookies = "CREATE FUNCTION api.told() RETURNS text LANGUAGE sql STABLE
        AS $$SELECT current_setting('request.cookies') || (current_setting('request.headers')::json ->> 'cookie' IS NULL)$$";
    let served = served_with(&format!("{FIXTURE};{cookies}"), &[]);
    let method = "api.v1.FunctionsService/Told";
    let expected = r#"{"a":"1","b":"2=3"}true"#;
    let headers = [("Cookie", "a=1; b=2=3"), ("Content-Type", "application/json"), ("X-Some-Bin", "AAAA")];
    let connect = send(served.server.address(), "POST", &format!("/{method}"), &headers, Some("{}"));
    assert_eq!(serde_json::from_str::<Value>(&connect.text()).unwrap()["value"], expected);
    let mut connection = Connection::open(served.server.address());
    let web = grpc_web::send(&mut connection, method, &headers[..1], &[0; 5]).unwrap();
    assert!(String::from_utf8_lossy(&web.messages[0]).ends_with(expected), "{web:?}");
}

#[test]
fn the_access_log_tells_role_and_status_of_calls_when_they_have_ended() {
    let secret = "reallyreallyreallyreallyverysafe";
    let served =
        |level: &str| served_with(FIXTURE, &[("PGRST_LOG_LEVEL", level), ("PGRST_JWT_SECRET", secret)]);
    let logged = served("info");
    let line = |end: &str| {
        until(end, || {
            let log = logged.server.access_log();
            log.lines().find(|line| line.contains(end)).map(str::to_owned)
        })
    };
    logged.call("StudentsService/GetStudent", json!({"id": 1})).unwrap();
    let found = line("GetStudent HTTP/2.0\" 200 ");
    assert!(found.starts_with("127.0.0.1 - anonymous [") && found.ends_with(" grpc-status=OK"), "{found}");
    logged.call("StudentsService/GetStudent", json!({"id": 77})).unwrap_err();
    assert!(line("grpc-status=NOT_FOUND").contains(" - anonymous ["));
    let forged = Options { token: Some("x".to_owned()), ..Options::default() };
    logged.client.call_with("StudentsService/GetStudent", json!({"id": 1}), &forged).unwrap_err();
    assert!(line("grpc-status=UNAUTHENTICATED").starts_with("127.0.0.1 - - ["));
    // A stream says how it ended in its trailers, and Connect in the last frame.
    let fails = json!({"filter": "no_such_column=eq.1"});
    logged.client.all("StudentsService/StreamStudents", fails).unwrap_err();
    assert!(line("StreamStudents HTTP/2.0\" 200 ").ends_with(" grpc-status=INVALID_ARGUMENT"));
    let kind = [("Content-Type", "application/json")];
    let missing = "/api.v1.StudentsService/Burn";
    send(logged.server.address(), "POST", missing, &kind, Some("{}"));
    assert!(line("Burn HTTP/1.1\" 501 ").ends_with(" grpc-status=UNIMPLEMENTED"));
    let frames = [("Content-Type", "application/connect+json")];
    send(logged.server.address(), "POST", &missing.replace("Burn", "Sink"), &frames, Some("\0\0\0\0\0"));
    assert!(line("Sink HTTP/1.1\" 200 ").ends_with(" grpc-status=UNIMPLEMENTED"));
    // Whoever went away was not told how it ended.
    let begun = sleeping(&logged.database, 1);
    logged.client.abandoned("FunctionsService/Wait", json!({"seconds": 600}), begun);
    logged.client.wait(sleeping(&logged.database, 0));

    // What is not found is a 404 to it, what is broken a 500.
    for (level, shown) in
        [("error", vec!["INTERNAL"]), ("warn", vec!["NOT_FOUND", "UNAUTHENTICATED", "INTERNAL"])]
    {
        let some = served(level);
        some.call("StudentsService/GetStudent", json!({"id": 1})).unwrap();
        some.call("StudentsService/GetStudent", json!({"id": 77})).unwrap_err();
        some.call("SecretsService/ListSecrets", json!({})).unwrap_err();
        some.call("FunctionsService/Fail", json!({"state": "XX000"})).unwrap_err();
        until("the last line", || some.server.access_log().contains("INTERNAL").then_some(()));
        let log = some.server.access_log();
        let found: Vec<&str> = log
            .lines()
            .filter_map(|line| line.rsplit_once("grpc-status="))
            .map(|(_, status)| status)
            .collect();
        assert_eq!(found, shown, "{level}");
    }
}
