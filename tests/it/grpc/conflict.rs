//! Rows that are there already: by which key, what becomes of them, and what the response says of it.

use super::{FIXTURE, Served, said, served, served_with};
use crate::support::tools::grpcurl;
use serde_json::{Value, json};
use tonic::Code;

fn create(served: &Served, request: Value) -> Value {
    served.call("CoursesService/CreateCourse", request).unwrap()
}

#[test]
fn a_row_that_is_there_by_a_unique_key_stays_or_is_updated_and_the_response_tells() {
    let served = served();
    let course = |title: &str| json!({"id": 9, "title": title, "credits": 7});
    let on = |action: &str| json!({"target": "COURSE_UNIQUE_TITLE", "action": action});
    let new =
        json!({"course": course("Logic"), "onConflict": on("CONFLICT_ACTION_DO_NOTHING"), "readMask": "id"});
    assert_eq!(create(&served, new.clone()), json!({"course": {"id": 9}, "inserted": true}));
    assert_eq!(create(&served, new), json!({"inserted": false}), "it stays as it is");
    let update = json!({
        "course": {"id": 1, "title": "Algebra", "credits": 8}, "onConflict": on("CONFLICT_ACTION_UPDATE")
    });
    assert_eq!(
        create(&served, update),
        json!({"course": {"id": 1, "title": "Algebra", "teacher_id": 1, "credits": 8}, "inserted": false})
    );
    // By the primary key, whether or not it is named, and without anything that comes back.
    for on in [
        json!({"action": "CONFLICT_ACTION_UPDATE"}),
        json!({"target": "COURSE_UNIQUE_ID", "action": "CONFLICT_ACTION_UPDATE"}),
    ] {
        let request = json!({"course": {"id": 2, "title": "Parsers"}, "onConflict": on, "readMask": ""});
        assert_eq!(create(&served, request), json!({"inserted": false}));
        assert_eq!(served.sql("SELECT title FROM api.courses WHERE id = 2"), "Parsers");
    }
    let plain = create(&served, json!({"course": {"id": 10, "title": "Plain"}, "readMask": ""}));
    assert_eq!(plain, json!({}));
    let (code, _) = said(served.call("CoursesService/CreateCourse", json!({"course": course("Logic")})));
    assert_eq!(code, Code::AlreadyExists);
}

#[test]
fn a_batch_says_how_many_rows_are_new() {
    let served = served();
    let batch = |action: &str, read_mask: &str| {
        let requests: Vec<Value> = [("Algebra", 1), ("Sets", 22), ("Rings", 23)]
            .map(|(title, id)| json!({"course": {"id": id, "title": title, "credits": id}}))
            .into();
        let on = json!({"target": "COURSE_UNIQUE_TITLE", "action": action});
        let request =
            json!({"requests": requests, "onConflict": on, "readMask": read_mask, "validateOnly": true});
        served.call("CoursesService/BatchCreateCourses", request)
    };
    assert_eq!(
        batch("CONFLICT_ACTION_DO_NOTHING", "title").unwrap(),
        json!({"courses": [{"title": "Sets"}, {"title": "Rings"}], "insertedRows": 2})
    );
    assert_eq!(
        batch("CONFLICT_ACTION_UPDATE", "title,credits").unwrap(),
        json!({
            "courses": [
                {"title": "Algebra", "credits": 1}, {"title": "Sets", "credits": 22}, {"title": "Rings", "credits": 23}
            ],
            "insertedRows": 2
        })
    );
    assert_eq!(batch("CONFLICT_ACTION_UPDATE", "").unwrap(), json!({"insertedRows": 2}));
    let of_request = json!({"requests": [{
        "course": {"id": 30, "title": "x"}, "onConflict": {"action": "CONFLICT_ACTION_UPDATE"}
    }]});
    let (code, message) = said(served.call("CoursesService/BatchCreateCourses", of_request));
    assert_eq!(
        (code, message.as_str()),
        (Code::InvalidArgument, "requests[0].on_conflict: is not that of the batch")
    );
}

#[test]
fn what_decides_nothing_is_refused_by_field() {
    let served = served_with(
        &format!("{FIXTURE} CREATE TABLE api.codes (code text UNIQUE); GRANT ALL ON api.codes TO anonymous;"),
        &[],
    );
    for (method, request, message) in [
        (
            "CoursesService/CreateCourse",
            json!({"course": {"id": 9}, "onConflict": {"target": "COURSE_UNIQUE_TITLE"}}),
            "on_conflict.action: has to be set",
        ),
        (
            "CoursesService/CreateCourse",
            json!({"course": {"id": 9}, "onConflict": {"target": 77, "action": "CONFLICT_ACTION_UPDATE"}}),
            "on_conflict.target: 77 is no value of its enum",
        ),
        (
            "CodesService/CreateCode",
            json!({"code": {"code": "a"}, "onConflict": {"action": "CONFLICT_ACTION_UPDATE"}}),
            "on_conflict.target: has to be set: there is no primary key",
        ),
    ] {
        let (code, found) = said(served.call(method, request));
        assert_eq!((code, found.as_str()), (Code::InvalidArgument, message));
    }
}

/// Keys of several columns, whose names do not tell them apart, and a type that has the enum's name.
const KEYS: &str = r#"
    CREATE SCHEMA api;
    CREATE TYPE api.patient_unique AS ENUM ('mrn');
    CREATE TABLE api.patients (
        id int PRIMARY KEY, mrn text UNIQUE, "a" int, "b_c" int, "a_b" int, "c" int, "x,y" int UNIQUE,
        kind api.patient_unique, UNIQUE ("a", "b_c"), UNIQUE ("a_b", "c")
    );
    CREATE UNIQUE INDEX ON api.patients (lower(mrn));
    CREATE TABLE api.patient_uniques (id int PRIMARY KEY);
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous;"#;

#[test]
fn keys_are_called_after_their_columns_whatever_else_is_called_so() {
    let served = served_with(KEYS, &[]);
    let printed = grpcurl(&[served.server.address(), "describe", "api.v1.PatientUnique"]).unwrap();
    let mut names: Vec<&str> =
        printed.lines().filter_map(|line| line.trim().split_once(" = ")).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "PATIENT_UNIQUE_A_B_C_192580",
            "PATIENT_UNIQUE_A_B_C_85352",
            "PATIENT_UNIQUE_ID",
            "PATIENT_UNIQUE_MRN",
            "PATIENT_UNIQUE_UNSPECIFIED",
            "PATIENT_UNIQUE_X_Y"
        ]
    );
    let data = json!({
        "patient": {"id": 1, "x,y": 5}, "read_mask": {"paths": ["id"]},
        "on_conflict": {"target": "PATIENT_UNIQUE_X_Y", "action": "CONFLICT_ACTION_DO_NOTHING"}
    });
    let create = || {
        let data = data.to_string();
        let printed =
            grpcurl(&["-d", &data, served.server.address(), "api.v1.PatientsService/CreatePatient"]);
        serde_json::from_str::<Value>(&printed.unwrap()).unwrap()
    };
    assert_eq!(create(), json!({"patient": {"id": 1}, "inserted": true}));
    assert_eq!(create(), json!({"inserted": false}));
}
