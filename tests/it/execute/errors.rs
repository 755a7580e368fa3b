//! What PostgreSQL reports, as pgduet's errors.

use super::*;
use pgduet::error::{Caller, Origin, classify};

const TABLES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (
        id int CONSTRAINT child_key PRIMARY KEY,
        parent int CONSTRAINT child_parent REFERENCES parent,
        age int NOT NULL CONSTRAINT grown CHECK (age > 17)
    );
    INSERT INTO child VALUES (1, NULL, 18);
    GRANT ALL ON parent, child TO anonymous";

async fn error(pool: &Pool, unit: Unit<'_>) -> Box<Error> {
    run(pool, unit).await.map(|(body, _)| body).unwrap_err()
}

#[tokio::test]
async fn a_violation_names_constraint_table_and_column() {
    let database = Database::fresh(TABLES);
    let pool = pool(&database);
    for (sql, sqlstate, constraint, column, status) in [
        ("INSERT INTO child VALUES (1, NULL, 18)", "23505", Some("child_key"), None, 409),
        ("INSERT INTO child VALUES (2, 7, 18)", "23503", Some("child_parent"), None, 409),
        ("INSERT INTO child VALUES (2, NULL, 3)", "23514", Some("grown"), None, 400),
        ("INSERT INTO child VALUES (2, NULL, NULL)", "23502", None, Some("age"), 400),
    ] {
        let error = error(&pool, act(sql)).await;
        let Origin::PostgreSql(report) = &error.origin else { panic!("{error:?}") };
        let fields = (report.sqlstate.as_str(), report.constraint.as_deref(), report.column.as_deref());
        assert_eq!(fields, (sqlstate, constraint, column));
        assert_eq!(report.table.as_deref(), Some("child"));
        assert_eq!(classify(&error, Caller::Anonymous).http, status);
    }
}

#[tokio::test]
async fn detail_and_hint_pass_as_they_are() {
    let database = Database::fresh("");
    let raise = "DO $$ BEGIN RAISE 'What %', 'now' USING DETAIL = 'so \"it\" is', HINT = 'try'; END $$";
    let error = error(&pool(&database), act(raise)).await;
    let hint = error.hint.as_deref();
    assert_eq!((error.code(), error.message.as_str(), hint), ("P0001", "What now", Some("try")));
    assert_eq!(error.details, Some("so \"it\" is".into()));
}

#[tokio::test]
async fn an_error_of_class_pt_is_a_status() {
    let database = Database::fresh("");
    let pool = pool(&database);
    for (raise, status, text) in [
        (
            "DO $$ BEGIN RAISE SQLSTATE 'PT402' USING MESSAGE = 'Payment Required'; END $$",
            402,
            Some("Payment Required"),
        ),
        ("DO $$ BEGIN RAISE SQLSTATE 'PT299' USING MESSAGE = 'm'; END $$", 299, Some("m")),
        // No status of an answer.
        ("DO $$ BEGIN RAISE SQLSTATE 'PT099' USING MESSAGE = 'm'; END $$", 500, None),
        ("DO $$ BEGIN RAISE SQLSTATE 'PTABC' USING MESSAGE = 'm'; END $$", 500, None),
    ] {
        let error = error(&pool, act(raise)).await;
        let Origin::PostgreSql(report) = &error.origin else { panic!("{error:?}") };
        let raised = report.raised.as_ref().unwrap();
        assert_eq!((raised.status, raised.status_text.as_deref()), (status, text), "{raise}");
        assert_eq!(classify(&error, Caller::Anonymous).http, status);
        assert!(error.code().starts_with("PT"));
    }
}

#[tokio::test]
async fn an_error_of_code_pgrst_is_the_whole_answer_or_pgrst121() {
    let database = Database::fresh("");
    let pool = pool(&database);
    let whole = r#"DO $$ BEGIN RAISE SQLSTATE 'PGRST' USING
        MESSAGE = '{"code":"123","message":"Payment required","details":"Quota","hint":"Upgrade"}',
        DETAIL = '{"status":402,"headers":{"X-Powered-By":"Nerd Rage"}}'; END $$"#;
    let found = error(&pool, act(whole)).await;
    assert_eq!((found.code(), found.message.as_str()), ("123", "Payment required"));
    assert_eq!(classify(&found, Caller::Anonymous).http, 402);
    for malformed in [
        "DO $$ BEGIN RAISE SQLSTATE 'PGRST' USING MESSAGE = 'not JSON', DETAIL = '{}'; END $$",
        r#"DO $$ BEGIN RAISE SQLSTATE 'PGRST' USING MESSAGE = '{"code":"1","message":"m"}'; END $$"#,
        r#"DO $$ BEGIN RAISE SQLSTATE 'PGRST' USING MESSAGE = '{"code":"1"}', DETAIL = '{"status":1,"headers":{}}'; END $$"#,
        r#"DO $$ BEGIN RAISE SQLSTATE 'PGRST' USING MESSAGE = '{"code":"1","message":"m"}', DETAIL = '{"status":9}'; END $$"#,
    ] {
        let found = error(&pool, act(malformed)).await;
        assert_eq!(
            (found.code(), classify(&found, Caller::Anonymous).http),
            ("PGRST121", 500),
            "{malformed}"
        );
        assert!(found.hint.is_some() && found.details.is_some());
    }
}

#[tokio::test]
async fn what_a_socket_says_is_not_for_the_client() {
    let database = Database::fresh("");
    let unit = show("SELECT pg_terminate_backend(pg_backend_pid())::text");
    let error = error(&pool(&database), Unit { settings: Vec::new(), ..unit }).await;
    assert_eq!(error.message, "terminating connection due to administrator command");
    assert_eq!(classify(&error, Caller::Anonymous).http, 503);
}
