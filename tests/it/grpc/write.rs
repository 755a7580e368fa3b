//! Single writes: masks, defaults, upserts, and what is only tried.

use super::{FIXTURE, said, served, served_with};
use crate::support::{
    database::Database,
    tools::{grpcurl, stdout, tool},
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

    // The same in a batch, of rows with a key that the database gives.
    let batch = json!({"requests": [
        {"patient": {"id": 1, "note": "z"}, "allowMissing": true},
        {"patient": {"id": 80, "first": "Alan", "last": "Turing"}, "allowMissing": true},
    ], "readMask": "id,fullName,note"});
    let answer = served.call("PatientsService/BatchUpdatePatients", batch);
    assert_eq!(
        answer.unwrap()["patients"],
        json!([
            {"id": 1, "full_name": "Ada Lovelace", "note": "z"},
            {"id": 80, "full_name": "Alan Turing"}
        ])
    );
}

#[test]
fn exported_fields_say_who_writes_them() {
    let database = Database::fresh(&format!("{FIXTURE};{COMPUTED}"));
    let directory = std::env::temp_dir().join(format!("pgduet-behavior-{}", database.name()));
    stdout(
        Command::new(crate::support::server::binary())
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

#[test]
fn reflection_says_who_writes_fields() {
    let served = served_with(&format!("{FIXTURE};{COMPUTED}"), &[]);
    let described = |message: &str| grpcurl(&[served.server.address(), "describe", message]).unwrap();
    let patient = described("api.v1.Patient");
    let behaviors = |field: &str| {
        let (_, rest) = patient.split_once(&format!(" {field} = ")).unwrap();
        let (options, _) = rest.split_once(';').unwrap();
        let found = options.split("(.google.api.field_behavior) = ").skip(1);
        found.map(|option| option.split([',', ']', '\n']).next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(behaviors("id"), ["OUTPUT_ONLY", "IDENTIFIER", "IMMUTABLE"]);
    assert_eq!(behaviors("first"), ["REQUIRED"]);
    assert_eq!(behaviors("full_name"), ["OUTPUT_ONLY"]);
    assert_eq!(behaviors("note"), [""; 0]);
    assert!(described("api.v1.GetPatientRequest").contains("field_behavior) = REQUIRED"));
}

const HOMES: &str = "
    CREATE TYPE api.place AS (lat float8, lon float8);
    CREATE TYPE api.address AS (street text, zip text, at api.place, names text[]);
    CREATE TABLE api.patients (id int PRIMARY KEY, name text, home api.address, work api.address);
    INSERT INTO api.patients VALUES
        (1, 'Ada', ROW('High St', 'N1', ROW(1, 2)::api.place, '{a,b}'), NULL), (2, 'Grace', NULL, NULL);
    GRANT SELECT, INSERT, UPDATE ON api.patients TO anonymous;";

#[test]
fn masks_name_parts_of_composites() {
    let served = served_with(&format!("{FIXTURE};{HOMES}"), &[]);
    let call = |method: &str, request: Value| {
        served.call(&format!("PatientsService/{method}"), request).map(|answer| answer["patient"].clone())
    };
    let get = |mask: &str| call("GetPatient", json!({"id": 1, "readMask": mask}));
    assert_eq!(get("home.zip").unwrap(), json!({"home": {"zip": "N1"}}));
    assert_eq!(
        get("id,home.at.lon,home.names,work.zip").unwrap(),
        json!({"id": 1, "home": {"at": {"lon": 2.0}, "names": ["a", "b"]}})
    );
    let whole =
        json!({"street": "High St", "zip": "N1", "at": {"lat": 1.0, "lon": 2.0}, "names": ["a", "b"]});
    assert_eq!(get("home.zip,home").unwrap(), json!({ "home": whole }), "the whole has its parts");
    for wrong in ["home.colour", "name.first", "home.names.first", "home.zip.first"] {
        assert_eq!(said(get(wrong)).0, Code::InvalidArgument, "{wrong}");
    }
    let list = json!({"readMask": "home.street", "orderBy": "id"});
    let list = served.call("PatientsService/ListPatients", list).unwrap();
    assert_eq!(list, json!({"patients": [{"home": {"street": "High St"}}, {}]}));

    let update = |id: i32, home: Value, mask: &str| {
        let patient = json!({"id": id, "home": home, "name": "ignored"});
        call("UpdatePatient", json!({"patient": patient, "updateMask": mask, "readMask": "home"}))
            .map(|row| row["home"].clone())
    };
    let mut changed = whole.clone();
    changed["zip"] = json!("S1");
    assert_eq!(update(1, json!({"zip": "S1", "street": "not named"}), "home.zip").unwrap(), changed);
    changed["at"] = json!({"lat": 7.0, "lon": 2.0});
    assert_eq!(update(1, json!({"at": {"lat": 7}}), "home.at.lat").unwrap(), changed);
    changed["at"] = json!({"lon": 9.0});
    assert_eq!(
        update(1, json!({"at": {"lon": 9}}), "home.at").unwrap(),
        changed,
        "a part that is named whole is replaced"
    );
    changed.as_object_mut().unwrap().retain(|name, _| name == "zip" || name == "at");
    assert_eq!(
        update(1, json!({}), "home.street,home.names").unwrap()["street"],
        json!(null),
        "what is named and not set is NULL"
    );
    assert_eq!(
        update(2, json!({"zip": "X"}), "home.zip").unwrap(),
        json!({"zip": "X"}),
        "of what is NULL, too"
    );
    assert_eq!(served.sql("SELECT name FROM api.patients WHERE id = 1"), "Ada");
    assert_eq!(
        update(1, json!({"zip": "only"}), "home").unwrap(),
        json!({"zip": "only"}),
        "the whole is replaced"
    );

    let created = json!({"patient": {"id": 3, "home": {"zip": "Z", "street": "not named"}}, "insertMask": "id,home.zip"});
    assert_eq!(call("CreatePatient", created).unwrap(), json!({"id": 3, "home": {"zip": "Z"}}));
    let patch =
        json!({"patient": {"work": {"street": "Low St"}}, "updateMask": "work.street", "allowAll": true});
    assert_eq!(served.call("PatientsService/PatchPatients", patch).unwrap(), json!({"affectedRows": 3}));
    let requests = |mask: &str| {
        json!([
            {"patient": {"id": 1, "work": {"zip": "W1"}}, "updateMask": "work.zip"},
            {"patient": {"id": 2, "work": {"zip": "W2"}}, "updateMask": mask},
        ])
    };
    let batch = |mask: &str| {
        let request = json!({"requests": requests(mask), "readMask": "work"});
        served.call("PatientsService/BatchUpdatePatients", request).map(|answer| answer["patients"].clone())
    };
    let both =
        json!([{"work": {"street": "Low St", "zip": "W1"}}, {"work": {"street": "Low St", "zip": "W2"}}]);
    assert_eq!(batch("work.zip").unwrap(), both);
    assert_eq!(said(batch("work")).0, Code::InvalidArgument);
}
