//! Single writes: masks, defaults, upserts, and what is only tried.

use super::{FIXTURE, said, served, served_with};
use crate::support::{
    database::Database,
    tools::{stdout, tool},
};
use serde_json::{Value, json};
use std::process::Command;
use tonic::Code;

#[test]
fn create_writes_what_is_set_or_what_the_mask_names() {
    let served = served();
    let create = |request: Value| {
        served.call("StudentsService/CreateStudent", request).map(|answer| answer["student"].clone())
    };
    assert_eq!(
        create(json!({"student": {"name": "Kurt"}})).unwrap(),
        json!({"id": 101, "name": "Kurt", "level": 1})
    );
    let masked = json!({"student": {"name": "Emmy", "grade": "9.90"}, "insertMask": "name,level", "readMask": "name,grade,level"});
    assert_eq!(
        create(masked).unwrap(),
        json!({"name": "Emmy"}),
        "named and not set is NULL, set and not named is left"
    );
    let tried =
        create(json!({"student": {"id": 7, "name": "Alonzo"}, "validateOnly": true, "readMask": "id"}));
    assert_eq!(tried.unwrap(), json!({"id": 7}));
    assert_eq!(served.sql("SELECT count(*) FROM api.students WHERE id = 7"), "0");
    assert_eq!(said(create(json!({}))), (Code::InvalidArgument, "student: has to be given".to_owned()));
    let wrong = json!({"student": {"name": "x"}, "insertMask": "name,colour"});
    assert_eq!(said(create(wrong)).0, Code::InvalidArgument);
}

#[test]
fn update_writes_what_is_set_or_what_the_mask_names() {
    let served = served();
    let update = |request: Value| {
        served.call("StudentsService/UpdateStudent", request).map(|answer| answer["student"].clone())
    };
    let row = json!({"id": 2, "name": "Grace", "grade": "9", "level": 2, "nickname": "Amazing", "joined": "2024-02-01T10:00:00Z"});
    assert_eq!(update(json!({"student": {"id": 2, "name": "Grace"}})).unwrap(), row, "what is absent stays");
    let cleared = json!({"student": {"id": 2, "grade": "1"}, "updateMask": "nickname,grade", "readMask": "grade,nickname"});
    assert_eq!(update(cleared).unwrap(), json!({"grade": "1"}));
    let replaced = update(json!({"student": {"id": 2, "name": "G"}, "updateMask": "*"}));
    assert_eq!(replaced.unwrap(), json!({"id": 2, "name": "G"}), "the star replaces the row");
    assert_eq!(said(update(json!({"student": {"id": 77, "name": "x"}}))).0, Code::NotFound);
    assert_eq!(said(update(json!({"student": {"id": 1}}))).0, Code::InvalidArgument, "nothing to write");
    assert_eq!(said(update(json!({"student": {"name": "x"}}))).1, "student.id: the key has to be given");
    let tried = update(json!({"student": {"id": 1, "name": "?"}, "validateOnly": true, "readMask": "name"}));
    assert_eq!(tried.unwrap(), json!({"name": "?"}));
    assert_eq!(served.sql("SELECT name FROM api.students WHERE id = 1"), "Ada");
    let upserted =
        update(json!({"student": {"id": 70, "name": "New"}, "allowMissing": true, "readMask": "id,level"}));
    assert_eq!(upserted.unwrap(), json!({"id": 70, "level": 1}));
    let again = update(
        json!({"student": {"id": 70, "name": "Newer"}, "allowMissing": true, "readMask": "name,level"}),
    );
    assert_eq!(again.unwrap(), json!({"name": "Newer", "level": 1}));
}

#[test]
fn delete_takes_the_whole_key() {
    let served = served();
    let delete = |request: Value| served.call("EnrollmentsService/DeleteEnrollment", request);
    assert_eq!(said(delete(json!({"course_id": 1}))).1, "student_id: the key has to be given");
    assert_eq!(said(delete(json!({"course_id": 9, "student_id": 9}))).0, Code::NotFound);
    assert_eq!(delete(json!({"course_id": 9, "student_id": 9, "allowMissing": true})).unwrap(), json!({}));
    assert_eq!(delete(json!({"course_id": 1, "student_id": 1, "validateOnly": true})).unwrap(), json!({}));
    assert_eq!(served.sql("SELECT count(*) FROM api.enrollments"), "4");
    assert_eq!(delete(json!({"course_id": 1, "student_id": 1})).unwrap(), json!({}));
    assert_eq!(served.sql("SELECT count(*) FROM api.enrollments"), "3");
    let get = served.call("EnrollmentsService/GetEnrollment", json!({"course_id": 1, "student_id": 3}));
    assert_eq!(get.unwrap(), json!({"enrollment": {"course_id": 1, "student_id": 3, "mark": "C"}}));
}

#[test]
fn what_the_schema_that_is_known_no_longer_fits_is_not_written() {
    let served = served();
    let create =
        |id: i32| served.call("NotesService/CreateNote", json!({"note": {"body": "x", "stars": id}}));
    assert_eq!(create(1).unwrap(), json!({"note": {"body": "x", "stars": 1}}));
    let before = served.sql("SELECT count(*) FROM api.notes");
    // Nobody tells the server.
    served.database.execute("ALTER TABLE api.notes ALTER stars TYPE bigint");
    let (code, message) = said(create(2));
    assert_eq!(code, Code::Unimplemented, "{message}");
    assert!(message.starts_with("The type of this message has changed with column \"stars\""), "{message}");
    assert_eq!(served.sql("SELECT count(*) FROM api.notes"), before);
    // By now the services are those of the schema as it is.
    assert!(create(3).is_ok(), "the connection is as it was");
}

/// Whoever may only write asks for nothing back.
#[test]
fn an_empty_read_mask_returns_nothing_and_needs_no_right_to_read() {
    let drop = "CREATE TABLE api.letters (id int PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, body text, seen int DEFAULT 0);
        INSERT INTO api.letters (body) VALUES ('one'), ('two');
        GRANT INSERT, DELETE, UPDATE (body, id) ON api.letters TO anonymous";
    let served = served_with(&format!("{FIXTURE};{drop}"), &[]);
    let call = |method: &str, request: Value| served.call(&format!("LettersService/{method}"), request);
    let letter = json!({"body": "hello"});
    assert_eq!(said(call("CreateLetter", json!({"letter": letter}))).0, Code::Unauthenticated);
    assert_eq!(
        said(call("CreateLetter", json!({"letter": letter, "readMask": "id"}))).0,
        Code::Unauthenticated
    );
    assert_eq!(call("CreateLetter", json!({"letter": letter, "readMask": ""})).unwrap(), json!({}));
    let batch =
        json!({"requests": [{"letter": letter}, {"letter": {"body": "more", "seen": 1}}], "readMask": ""});
    assert_eq!(call("BatchCreateLetters", batch).unwrap(), json!({}));
    assert_eq!(served.sql("SELECT count(*) FROM api.letters"), "5");
    let tried = json!({"letter": letter, "readMask": "", "validateOnly": true});
    assert_eq!(call("CreateLetter", tried).unwrap(), json!({}));
    // Without conditions on what cannot be read, changes of all rows need no such right either.
    let all = json!({"letter": {"body": "same"}, "allowAll": true});
    assert_eq!(call("PatchLetters", all).unwrap(), json!({"affectedRows": 5}));
    assert_eq!(
        call("PurgeLetters", json!({"allowAll": true, "readMask": ""})).unwrap(),
        json!({"affectedRows": 5})
    );

    // The right to read one column is enough for what returns that.
    served.database.execute("GRANT SELECT (id) ON api.letters TO anonymous");
    assert_eq!(
        call("CreateLetter", json!({"letter": {"id": 9, "body": "x"}, "readMask": "id"})).unwrap(),
        json!({"letter": {"id": 9}})
    );
    let update = |id: i32| call("UpdateLetter", json!({"letter": {"id": id, "body": "y"}, "readMask": ""}));
    assert_eq!(update(9).unwrap(), json!({}));
    assert_eq!(said(update(10)).0, Code::NotFound);
    let requests = |id: i32| json!({"requests": [{"letter": {"id": id, "body": "z"}}], "readMask": ""});
    assert_eq!(call("BatchUpdateLetters", requests(9)).unwrap(), json!({}));
    assert_eq!(said(call("BatchUpdateLetters", requests(10))).0, Code::NotFound);
    assert_eq!(served.sql("SELECT body FROM api.letters"), "z");
}

const COMPUTED: &str = "
    CREATE TABLE api.patients (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        first text NOT NULL,
        last text NOT NULL,
        full_name text GENERATED ALWAYS AS (first || ' ' || last) STORED,
        number int GENERATED ALWAYS AS IDENTITY,
        ward text NOT NULL DEFAULT 'A',
        note text
    );
    INSERT INTO api.patients (first, last) VALUES ('Ada', 'Lovelace');
    GRANT SELECT, INSERT, UPDATE, DELETE ON api.patients TO anonymous;";

/// Clients send back what they have read.
#[test]
fn what_the_database_computes_is_passed_over_in_what_clients_send() {
    let served = served_with(&format!("{FIXTURE};{COMPUTED}"), &[]);
    let call = |method: &str, request: Value| {
        served.call(&format!("PatientsService/{method}"), request).map(|answer| answer["patient"].clone())
    };
    let mut patient = call("GetPatient", json!({"id": 1})).unwrap();
    assert_eq!((&patient["full_name"], &patient["number"]), (&json!("Ada Lovelace"), &json!(1)));
    patient["last"] = json!("King");
    let updated = call("UpdatePatient", json!({ "patient": patient })).unwrap();
    assert_eq!((&updated["full_name"], &updated["number"]), (&json!("Ada King"), &json!(1)));
    let masked =
        json!({"patient": patient, "updateMask": "note,fullName,number", "readMask": "id,note,number"});
    assert_eq!(call("UpdatePatient", masked).unwrap(), json!({"id": 1, "number": 1}));
    // Created, it is another row.
    let created = call("CreatePatient", json!({ "patient": patient })).unwrap();
    assert_eq!((&created["id"], &created["full_name"]), (&json!(2), &json!("Ada King")));
    let batch = json!({"requests": [{ "patient": patient }, { "patient": updated }], "readMask": "id"});
    let batch = served.call("PatientsService/BatchCreatePatients", batch).unwrap();
    assert_eq!(batch, json!({"patients": [{"id": 3}, {"id": 4}]}));
    let batch = json!({"requests": [{ "patient": patient }, { "patient": created }], "readMask": "fullName"});
    let batch = served.call("PatientsService/BatchUpdatePatients", batch).unwrap();
    assert_eq!(batch, json!({"patients": [{"full_name": "Ada King"}, {"full_name": "Ada King"}]}));
    let patch = json!({"patient": {"number": 7, "note": "x"}, "where": {"id": {"eq": 1}}});
    assert_eq!(served.call("PatientsService/PatchPatients", patch).unwrap(), json!({"affectedRows": 1}));
    assert_eq!(served.sql("SELECT number FROM api.patients WHERE id = 1"), "1");
    let (code, message) = said(call("UpdatePatient", json!({"patient": {"id": 1, "number": 7}})));
    assert_eq!((code, message.as_str()), (Code::InvalidArgument, "patient: no field to be updated is set"));
}

/// <https://google.aip.dev/134>: an update, and an insert where there is no row.
#[test]
fn with_allow_missing_a_row_is_updated_or_else_inserted() {
    let served = served_with(&format!("{FIXTURE};{COMPUTED}"), &[]);
    let upsert = |patient: Value, more: Value| {
        let mut request = json!({"patient": patient, "allowMissing": true});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        served.call("PatientsService/UpdatePatient", request).map(|answer| answer["patient"].clone())
    };
    // Of a row that is there, what is not set need not be known, not even where it cannot be NULL.
    let row = json!({"id": 1, "first": "Ada", "last": "Lovelace", "full_name": "Ada Lovelace", "number": 1, "ward": "A", "note": "x"});
    assert_eq!(upsert(json!({"id": 1, "note": "x"}), json!({})).unwrap(), row);
    assert_eq!(upsert(json!({"id": 1}), json!({})).unwrap(), row, "with nothing to write it stays as it is");
    assert_eq!(upsert(json!({"id": 1}), json!({"readMask": ""})).unwrap(), json!(null));
    let masked = upsert(
        json!({"id": 1, "note": "y", "ward": "B"}),
        json!({"updateMask": "note", "readMask": "note,ward"}),
    );
    assert_eq!(masked.unwrap(), json!({"note": "y", "ward": "A"}));

    let new = json!({"id": 70, "first": "Grace", "last": "Hopper", "number": 9});
    let tried = upsert(new.clone(), json!({"validateOnly": true, "readMask": "id"}));
    assert_eq!(tried.unwrap(), json!({"id": 70}));
    assert_eq!(served.sql("SELECT count(*) FROM api.patients"), "1");
    // A mask is about the row that is there: of a new one all is written that is set.
    let inserted = upsert(new.clone(), json!({"updateMask": "last", "readMask": "id,fullName,ward"}));
    assert_eq!(inserted.unwrap(), json!({"id": 70, "full_name": "Grace Hopper", "ward": "A"}));
    assert_eq!(upsert(new, json!({"readMask": "id"})).unwrap(), json!({"id": 70}));
    let (code, message) = said(upsert(json!({"id": 71, "first": "x"}), json!({})));
    assert_eq!(code, Code::InvalidArgument, "{message}");
    assert_eq!(served.sql("SELECT count(*) FROM api.patients"), "2");
    assert_eq!(
        upsert(json!({"id": 72, "first": "a", "last": "b"}), json!({"readMask": ""})).unwrap(),
        json!(null)
    );
    assert_eq!(served.sql("SELECT full_name FROM api.patients WHERE id = 72"), "a b");
}

#[test]
fn exported_fields_say_who_writes_them() {
    let database = Database::fresh(&format!("{FIXTURE};{COMPUTED}"));
    let directory = std::env::temp_dir().join(format!("pgduet-behavior-{}", database.name()));
    stdout(
        Command::new(env!("CARGO_BIN_EXE_pgduet"))
            .args(["proto", "--out"])
            .arg(&directory)
            .env("PGRST_DB_URI", database.uri("authenticator"))
            .env("PGRST_DB_SCHEMAS", "api"),
    );
    stdout(Command::new(tool("node_modules/.bin/buf")).arg("lint").current_dir(&directory));
    let proto = std::fs::read_to_string(directory.join("api/v1/api.proto")).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let behaviors = |message: &str, field: &str| {
        let (_, message) = proto.split_once(&format!("\nmessage {message} {{")).unwrap();
        let line = message.lines().find(|line| line.contains(&format!(" {field} = "))).unwrap();
        let options = line.split("field_behavior) = ").skip(1);
        options.map(|rest| rest.split([',', ']']).next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(behaviors("Patient", "id"), ["OUTPUT_ONLY", "IDENTIFIER", "IMMUTABLE"]);
    assert_eq!(behaviors("Patient", "first"), ["REQUIRED"]);
    assert_eq!(behaviors("Patient", "full_name"), ["OUTPUT_ONLY"]);
    assert_eq!(behaviors("Patient", "number"), ["OUTPUT_ONLY"]);
    assert_eq!(behaviors("Patient", "ward"), [""; 0], "it has a default");
    assert_eq!(behaviors("Patient", "note"), [""; 0]);
    assert_eq!(behaviors("Teacher", "id"), ["REQUIRED", "IDENTIFIER", "IMMUTABLE"]);
    assert_eq!(behaviors("GetPatientRequest", "id"), ["REQUIRED"]);
    assert_eq!(behaviors("UpdatePatientRequest", "patient"), ["REQUIRED"]);
    assert_eq!(behaviors("NumbersRequest", "upto"), ["REQUIRED"]);
}
