//! What an error of the database is over gRPC: what its author said, and which column it is about.

use super::{FIXTURE, Served, said, served_with};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt;

const CLINIC: &str = "
    CREATE TYPE api.mood AS ENUM ('calm', 'cross');
    CREATE DOMAIN api.weight AS numeric CHECK (VALUE > 0);
    CREATE TABLE api.patients (
        id uuid PRIMARY KEY,
        name varchar(8) NOT NULL,
        note text,
        born date,
        seen timestamp,
        height numeric(5, 2) CONSTRAINT is_high CHECK (height > 0),
        weight api.weight,
        visits uuid[],
        home inet,
        out_of date,
        CONSTRAINT is_in_order CHECK (born < out_of)
    );
    CREATE VIEW api.people AS SELECT id AS number, name AS called, height AS tall FROM api.patients;
    CREATE FUNCTION api.age(born date, name text DEFAULT NULL) RETURNS int STABLE LANGUAGE sql
        AS 'SELECT 1';
    CREATE FUNCTION api.answer(status int) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        RAISE sqlstate 'PGRST' USING
            message = json_build_object('code', 'NO_BEDS', 'message', 'full', 'details', 'ward 3', 'hint', 'wait')::text,
            detail = json_build_object('status', status, 'headers', '{}'::json)::text;
    END $$;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA api TO anonymous;";

const ID: &str = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";

fn clinic() -> Served {
    served_with(&format!("{FIXTURE};{CLINIC}"), &[])
}

fn failed(answer: Result<Value, Status>) -> Status {
    answer.expect_err("this fails")
}

/// The columns that the error is about.
fn columns(answer: Result<Value, Status>) -> Vec<String> {
    let status = failed(answer);
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

#[test]
fn what_authors_raise_arrives_as_they_said_it() {
    let served = clinic();
    let cases = [
        ("U0001", Code::FailedPrecondition),
        ("P0001", Code::FailedPrecondition),
        ("P0002", Code::NotFound),
        ("P0003", Code::FailedPrecondition),
        ("P0004", Code::FailedPrecondition),
        ("44000", Code::FailedPrecondition),
        ("0A000", Code::Unimplemented),
        ("2F003", Code::FailedPrecondition),
        ("38000", Code::FailedPrecondition),
        ("39000", Code::FailedPrecondition),
        ("57000", Code::FailedPrecondition),
        ("HV000", Code::Internal),
        ("58030", Code::Internal),
        ("PT404", Code::NotFound),
        ("PT409", Code::AlreadyExists),
        ("PT503", Code::Unavailable),
    ];
    for (state, code) in cases {
        let status = failed(served.call("FunctionsService/Fail", json!({"state": state})));
        assert_eq!(
            (status.code(), status.message()),
            (code, format!("raised as {state}").as_str()),
            "{state}"
        );
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.metadata["sqlstate"], state);
        assert_eq!(info.metadata["hint"], "try another", "{state}");
    }
    let status = failed(served.call("FunctionsService/Fail", json!({"state": "XX000"})));
    assert_eq!((status.code(), status.message()), (Code::Internal, "Internal error"));
    assert!(!status.get_error_details().error_info().unwrap().metadata.contains_key("hint"));

    for (number, code) in
        [(409, Code::AlreadyExists), (503, Code::Unavailable), (402, Code::FailedPrecondition)]
    {
        let status = failed(served.call("FunctionsService/Answer", json!({"status": number})));
        assert_eq!((status.code(), status.message()), (code, "full"), "{number}");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "NO_BEDS");
        let told = ["code", "details", "hint", "status"].map(|name| info.metadata[name].clone());
        assert_eq!(told, ["NO_BEDS".to_owned(), "ward 3".to_owned(), "wait".to_owned(), number.to_string()]);
    }
}

#[test]
fn an_error_about_a_value_names_its_column() {
    let served = clinic();
    let create = |patient: Value| served.call("PatientsService/CreatePatient", json!({ "patient": patient }));
    let wrong = |column: &str, value: Value| {
        // A text with the same value is not what is wrong.
        let note = if value.is_string() { value.clone() } else { json!("") };
        let mut patient = json!({"id": ID, "name": "Ada", "note": note});
        patient[column] = value;
        columns(create(patient))
    };
    assert_eq!(wrong("id", json!("nope")), ["id"], "22P02");
    assert_eq!(wrong("born", json!("nope")), ["born"], "22007");
    assert_eq!(wrong("born", json!("2024-13-41")), ["born"], "22008");
    assert_eq!(wrong("seen", json!("2024-13-41")), ["seen"]);
    assert_eq!(wrong("height", json!("high")), ["height"]);
    assert_eq!(wrong("visits", json!([ID, "nope"])), ["visits"]);
    assert_eq!(wrong("home", json!("here")), ["home"]);
    assert_eq!(wrong("name", json!("Ada Lovelace")), ["name"], "22001");
    assert_eq!(wrong("height", json!("-1")), ["height"], "CHECK");
    assert_eq!(wrong("weight", json!("-1")), ["weight"], "CHECK of a domain");
    let both = json!({"id": ID, "name": "Ada", "born": "2024-01-02", "out_of": "2024-01-01"});
    assert_eq!(columns(create(both)), ["born", "out_of"], "CHECK of two columns");
    let batch = json!({"requests": [
        {"patient": {"id": ID, "name": "Ada"}}, {"patient": {"id": ID, "name": "Ada", "born": "soon"}}]});
    assert_eq!(columns(served.call("PatientsService/BatchCreatePatients", batch)), ["born"]);

    // Also where the value is a condition, or a view passes the column on.
    let list = |request: Value| columns(served.call("PatientsService/ListPatients", request));
    assert_eq!(list(json!({"where": {"born": {"gt": "soon"}}})), ["born"]);
    assert_eq!(list(json!({"filter": "or=(home.eq.here,name.eq.here)"})), ["home"]);
    assert_eq!(columns(served.call("PatientsService/GetPatient", json!({"id": "1"}))), ["id"]);
    let streamed =
        served.client.all("PatientsService/StreamPatients", json!({"where": {"born": {"eq": "x"}}}));
    assert_eq!(columns(streamed.map(Value::Array)), ["born"]);
    let person = json!({"person": {"number": ID, "called": "Ada", "tall": "-1"}});
    assert_eq!(columns(served.call("PeopleService/CreatePerson", person)), ["tall"]);
    let age = |request: Value| columns(served.call("FunctionsService/Age", request));
    assert_eq!(age(json!({"born": "soon", "name": "soon"})), ["born"]);
}

#[test]
fn a_row_that_is_not_there_is_named_by_its_key() {
    let served = clinic();
    let get = |request: Value| served.call("PatientsService/GetPatient", request);
    let status = failed(get(json!({ "id": ID })));
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, format!("No row has the key id={ID}").as_str())
    );
    let resource = status.get_error_details().resource_info().cloned().unwrap();
    assert_eq!((resource.resource_type.as_str(), resource.resource_name), ("patients", format!("id={ID}")));
    let (code, message) =
        said(served.call("EnrollmentsService/DeleteEnrollment", json!({"course_id": 9, "student_id": 8})));
    assert_eq!((code, message.as_str()), (Code::NotFound, "No row has the key course_id=9, student_id=8"));
}
