//! Related rows: which of them are embedded, and rows that are chosen by them.

use super::{Served, said, served, served_with};
use crate::support::tools::grpcurl;
use serde_json::{Value, json};
use tonic::Code;

/// The keys of the rows that a condition leaves.
fn ids(served: &Served, relation: &str, condition: Value) -> Vec<i64> {
    let request = json!({"where": condition, "orderBy": "id", "readMask": "id"});
    let answer = served.call(&format!("{relation}Service/List{relation}"), request.clone()).unwrap();
    let rows = answer[relation.to_lowercase()].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn embedded_rows_have_conditions_an_order_a_limit_and_an_offset() {
    let served = served();
    let courses = |embeds: Value| {
        let request = json!({"id": 1, "readMask": "name,coursesViaEnrollments.title", "embeds": embeds});
        let student = served.call("StudentsService/GetStudent", request).unwrap()["student"].clone();
        student["coursesViaEnrollments"].clone()
    };
    let titles =
        |titles: &[&str]| json!(titles.iter().map(|title| json!({"title": title})).collect::<Vec<_>>());
    for (said, found) in [
        (json!({}), &["Algebra", "Compilers"][..]),
        (json!({"coursesViaEnrollments": {"orderBy": "title desc"}}), &["Compilers", "Algebra"]),
        (json!({"coursesViaEnrollments": {"orderBy": "title desc", "limit": 1}}), &["Compilers"]),
        (json!({"coursesViaEnrollments": {"orderBy": "title", "skip": 1}}), &["Compilers"]),
        (json!({"coursesViaEnrollments": {"where": {"credits": {"gt": 5}}}}), &["Compilers"]),
        (json!({"coursesViaEnrollments": {"filter": "title=like.A*"}}), &["Algebra"]),
    ] {
        assert_eq!(courses(said.clone()), titles(found), "{said}");
    }
    // No rows are an absent field.
    assert_eq!(courses(json!({"coursesViaEnrollments": {"limit": 0}})), Value::Null);
}

#[test]
fn an_embed_has_a_mask_of_its_own_which_names_it() {
    let served = served();
    let get = |mask: Value, embeds: Value| {
        let request = json!({"id": 2, "readMask": mask, "embeds": embeds});
        served.call("TeachersService/GetTeacher", request).map(|answer| answer["teacher"].clone())
    };
    let titles = json!({"courses": {"readMask": "title"}});
    let compilers = json!([{"title": "Compilers"}]);
    // Every column, and the embed.
    assert_eq!(
        get(json!(null), titles.clone()).unwrap(),
        json!({"id": 2, "name": "Hopper", "mentor_id": 1, "courses": compilers})
    );
    // In place of what the other mask says.
    assert_eq!(
        get(json!("name,courses"), titles.clone()).unwrap(),
        json!({"name": "Hopper", "courses": compilers})
    );
    assert_eq!(
        get(json!("name,courses.id"), titles).unwrap(),
        json!({"name": "Hopper", "courses": compilers})
    );
    let all = json!({"courses": {"readMask": "", "where": {"id": {"eq": 2}}}});
    assert_eq!(
        get(json!("id"), all).unwrap(),
        json!({"id": 2, "courses": [{"id": 2, "title": "Compilers", "teacher_id": 2, "credits": 6}]})
    );
    // A level below, through one that nothing else is taken of.
    let marks = json!({"courses": {"embeds": {"enrollments": {"readMask": "mark", "orderBy": "student_id desc", "limit": 1}}}});
    assert_eq!(
        get(json!("id"), marks).unwrap(),
        json!({"id": 2, "courses": [{"enrollments": [{"mark": "B"}]}]})
    );
    let wrong = json!({"courses": {"readMask": "colour"}});
    assert_eq!(
        said(get(json!("id"), wrong)),
        (Code::InvalidArgument, "embeds.courses.read_mask: \"colour\" is no path of \"Course\"".to_owned())
    );
}

#[test]
fn a_required_embed_leaves_out_rows_whether_or_not_the_mask_names_it() {
    let served = served();
    let list = |mask: &str, embeds: Value| {
        let request = json!({"readMask": mask, "embeds": embeds, "orderBy": "id"});
        served.call("CoursesService/ListCourses", request).map(|answer| answer["courses"].clone())
    };
    let hopper = json!({"teacher": {"required": true, "where": {"name": {"eq": "Hopper"}}}});
    assert_eq!(list("id", hopper.clone()).unwrap(), json!([{"id": 2}]));
    assert_eq!(list("id,teacher.name", hopper).unwrap(), json!([{"id": 2, "teacher": {"name": "Hopper"}}]));
    // To-many, and a level below.
    let graced = json!({"studentsViaEnrollments": {"required": true, "where": {"name": {"eq": "Grace"}}}});
    assert_eq!(
        list("id,studentsViaEnrollments.id", graced).unwrap(),
        json!([{"id": 2, "studentsViaEnrollments": [{"id": 2}]}])
    );
    let mentored = json!({"teacher": {"required": true, "embeds": {"mentor": {"required": true}}}});
    assert_eq!(list("id", mentored).unwrap(), json!([{"id": 2}]));
    // Streams and batches take them as well; the key of a row that is left out is not found.
    let streamed = served.client.all(
        "CoursesService/StreamCourses",
        json!({"readMask": "id", "embeds": {"teacher": {"required": true}}, "orderBy": "id desc"}),
    );
    assert_eq!(streamed.unwrap(), [json!({"course": {"id": 2}}), json!({"course": {"id": 1}})]);
    let batch = |embeds: Value| {
        let request = json!({"requests": [{"id": 3}, {"id": 1}], "readMask": "id,studentsViaEnrollments.name", "embeds": embeds});
        served.call("CoursesService/BatchGetCourses", request)
    };
    let one = json!({"studentsViaEnrollments": {"orderBy": "name desc", "limit": 1}});
    assert_eq!(
        batch(one).unwrap(),
        json!({"courses": [{"id": 3}, {"id": 1, "studentsViaEnrollments": [{"name": "Alan"}]}]})
    );
    let (code, message) = said(batch(json!({"studentsViaEnrollments": {"required": true}})));
    assert_eq!((code, message.as_str()), (Code::NotFound, "requests[0]: no row has the key id=3"));
}

#[test]
fn what_cannot_be_said_of_an_embed_names_its_place() {
    let served = served();
    for (embeds, message) in [
        (
            json!({"coursesViaEnrollments": {"limit": 1}}),
            "embeds.courses_via_enrollments.required: is not set, and no read_mask names the embed: it would change nothing",
        ),
        (
            json!({"coursesViaEnrollments": {"required": true, "limit": -1}}),
            "embeds.courses_via_enrollments.limit: cannot be negative",
        ),
        (
            json!({"coursesViaEnrollments": {"required": true, "embeds": {"teacher": {"required": true, "orderBy": "a b"}}}}),
            "embeds.courses_via_enrollments.embeds.teacher.order_by: \"a b\" is neither a column nor a column and a direction",
        ),
        (
            json!({"coursesViaEnrollments": {"required": true, "where": {"or": [{}]}}}),
            "embeds.courses_via_enrollments.where.or: no condition is set",
        ),
    ] {
        let answer = served.call("StudentsService/ListStudents", json!({"readMask": "id", "embeds": embeds}));
        assert_eq!(said(answer), (Code::InvalidArgument, message.to_owned()));
    }
}

#[test]
fn rows_are_found_by_related_rows_in_trees_of_any_form() {
    let served = served();
    for (condition, found) in [
        (json!({"coursesViaEnrollments": {"exists": {"title": {"eq": "Algebra"}}}}), vec![1, 3]),
        (json!({"coursesViaEnrollments": {"none": {"title": {"eq": "Algebra"}}}}), vec![2, 4]),
        (json!({"coursesViaEnrollments": {"exists": {}}}), vec![1, 2, 3]),
        (json!({"coursesViaEnrollments": {"none": {}}}), vec![4]),
        (
            json!({"coursesViaEnrollments": {"exists": {"title": {"eq": "Algebra"}}, "none": {"title": {"eq": "Compilers"}}}}),
            vec![3],
        ),
        (json!({"not": {"coursesViaEnrollments": {"exists": {"title": {"eq": "Algebra"}}}}}), vec![2, 4]),
        (
            json!({"or": [{"name": {"eq": "Edsger"}}, {"coursesViaEnrollments": {"exists": {"credits": {"gt": 5}}}}]}),
            vec![1, 2, 4],
        ),
        (
            json!({"coursesViaEnrollments": {"exists": {"teacher": {"exists": {"mentor": {"exists": {"name": {"eq": "Noether"}}}}}}}}),
            vec![1, 2],
        ),
        (
            json!({"enrollments": {"exists": {"mark": {"eq": "A"}, "course": {"exists": {"title": {"like": "A%"}}}}}}),
            vec![1],
        ),
        (
            json!({"enrollments": {"exists": {"or": [{"mark": {"eq": "B"}}, {"course": {"none": {"credits": {"lt": 6}}}}]}}}),
            vec![1, 2],
        ),
    ] {
        assert_eq!(ids(&served, "Students", condition.clone()), found, "{condition}");
    }
    // To itself in both directions, and to one.
    assert_eq!(ids(&served, "Teachers", json!({"mentor": {"exists": {"name": {"eq": "Noether"}}}})), [2]);
    assert_eq!(ids(&served, "Teachers", json!({"teachersByMentorId": {"exists": {}}})), [1]);
    assert_eq!(ids(&served, "Courses", json!({"teacher": {"none": {}}})), [3]);
}

#[test]
fn changes_by_conditions_take_conditions_on_related_rows() {
    let served = served();
    let patch = json!({
        "student": {"nickname": "algebraist"},
        "where": {"coursesViaEnrollments": {"exists": {"title": {"eq": "Algebra"}}}},
        "readMask": "id"
    });
    let answer = served.call("StudentsService/PatchStudents", patch).unwrap();
    assert_eq!(answer["affectedRows"], json!(2));
    assert_eq!(ids(&served, "Students", json!({"nickname": {"eq": "algebraist"}})), [1, 3]);
    let purge = json!({"where": {"coursesViaEnrollments": {"none": {}}}});
    assert_eq!(served.call("StudentsService/PurgeStudents", purge).unwrap(), json!({"affectedRows": 1}));
    assert_eq!(ids(&served, "Students", json!({})), [1, 2, 3]);
}

#[test]
fn pages_keep_to_conditions_on_related_rows() {
    let served = served();
    let page = |token: &str, embeds: Value| {
        served.call(
            "StudentsService/ListStudents",
            json!({
                "pageSize": 1, "pageToken": token, "readMask": "id", "count": "COUNT_MODE_EXACT", "embeds": embeds,
                "where": {"coursesViaEnrollments": {"exists": {}}}
            }),
        )
    };
    let embeds = || json!({"enrollments": {"required": true, "where": {"mark": {"isNull": false}}}});
    let first = page("", embeds()).unwrap();
    assert_eq!((&first["students"], &first["totalSize"]), (&json!([{"id": 1}]), &json!(3)));
    let token = first["nextPageToken"].as_str().unwrap();
    let second = page(token, embeds()).unwrap();
    assert_eq!((&second["students"], &second["totalSize"]), (&json!([{"id": 2}]), &json!(3)));
    let (code, message) = said(page(token, json!({"enrollments": {"required": true}})));
    assert_eq!((code, message.as_str()), (Code::InvalidArgument, "page_token: is no token of this query"));
}

#[test]
fn a_condition_that_the_schema_does_not_know_is_refused_not_left_out() {
    let served = served();
    // The field 3000 of a client that was generated before the column was dropped: `where {3000: {}}`.
    let stale = [&[0x1a, 4][..], &[0xc2, 0xbb, 0x01, 0]].concat();
    let status = served.client.refused("/api.v1.StudentsService/ListStudents", stale);
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "where: has a field 3000, which the schema does not have (any more)");
}

/// Relations, columns and embeds whose names are those of what is said of embeds.
const NASTY: &str = r#"
    CREATE SCHEMA api;
    CREATE TABLE api.patients (
        id int PRIMARY KEY, embeds text, "required" bool, "exists" int, "none" text, "appointments" text
    );
    CREATE TABLE api.patient_embeds (id int PRIMARY KEY, patient_id int REFERENCES api.patients);
    CREATE TABLE api.patient_predicates (id int PRIMARY KEY, "not" int REFERENCES api.patients);
    CREATE TABLE api.appointments (id int PRIMARY KEY, patient_id int REFERENCES api.patients, reason text);
    CREATE TABLE api.embeds (embeds int PRIMARY KEY, patient_id int REFERENCES api.patients);
    CREATE TYPE api.appointment_embed AS ENUM ('a');
    ALTER TABLE api.appointments ADD kind api.appointment_embed;
    INSERT INTO api.patients VALUES (1, 'e', true, 1, 'n', 'a'), (2, 'e', true, 1, 'n', 'a');
    INSERT INTO api.patient_embeds VALUES (1, 1);
    INSERT INTO api.patient_predicates VALUES (1, 2);
    INSERT INTO api.appointments VALUES (1, 1, 'cough'), (2, 1, 'fever');
    INSERT INTO api.embeds VALUES (1, 2);
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous;"#;

#[test]
fn names_that_are_taken_leave_everything_to_be_said_by_grpcurl() {
    let served = served_with(NASTY, &[]);
    let call = |method: &str, request: Value| {
        let data = request.to_string();
        let printed = grpcurl(&["-d", &data, served.server.address(), &format!("api.v1.{method}")]);
        serde_json::from_str::<Value>(&printed.unwrap()).unwrap()
    };
    let request = json!({
        "readMask": {"paths": ["id", "appointments_by_patient_id.reason"]},
        "embeds": {"appointments_by_patient_id": {"order_by": "reason desc", "limit": 1}},
        "where": {"appointments": {"eq": "a"}, "appointments_by_patient_id": {"exists": {"reason": {"eq": "cough"}}}}
    });
    assert_eq!(
        call("PatientsService/ListPatients", request),
        json!({"patients": [{"id": 1, "appointmentsByPatientId": [{"reason": "fever"}]}]})
    );
    let by = |embed: &str| {
        let request = json!({"read_mask": {"paths": ["id"]}, "where": {embed: {"exists": {}}}});
        call("PatientsService/ListPatients", request)["patients"].clone()
    };
    assert_eq!(by("patient_embeds"), json!([{"id": 1}]));
    assert_eq!(by("patient_predicates_by_not"), json!([{"id": 2}]));
}
