//! Batches are one statement: all or nothing, in the order of the requests.

use super::{said, served};
use serde_json::{Value, json};
use tonic::Code;

#[test]
fn rows_are_got_in_the_order_of_the_requests_and_what_is_missing_is_named() {
    let served = served();
    let get = |request| served.call("StudentsService/BatchGetStudents", request);
    let answer = get(json!({"requests": [{"id": 3}, {"id": 1}, {"id": 3}], "readMask": "name"}));
    assert_eq!(answer.unwrap(), json!({"students": [{"name": "Alan"}, {"name": "Ada"}, {"name": "Alan"}]}));
    assert_eq!(
        said(get(json!({"requests": [{"id": 3}, {"id": 77}, {"id": 78}]}))),
        (Code::NotFound, "requests[1]: no row has the key id=77".to_owned())
    );
    let embedded = get(json!({"requests": [{"id": 2}], "readMask": "name,coursesViaEnrollments.title"}));
    assert_eq!(
        embedded.unwrap(),
        json!({"students": [{"name": "Grace", "coursesViaEnrollments": [{"title": "Compilers"}]}]})
    );
    assert_eq!(said(get(json!({"requests": []}))).0, Code::InvalidArgument);
    assert_eq!(
        said(get(json!({"requests": [{"id": 1}, {}]}))),
        (Code::InvalidArgument, "requests[1].id: the key has to be given".to_owned())
    );
    assert_eq!(
        said(get(json!({"requests": [{"id": 1, "readMask": "id"}], "readMask": "name"}))),
        (Code::InvalidArgument, "requests[0].read_mask: is not that of the batch".to_owned())
    );
}

#[test]
fn keys_of_several_columns_and_of_other_types_find_their_rows() {
    let served = served();
    let answer = served.call(
        "EnrollmentsService/BatchGetEnrollments",
        json!({"requests": [{"student_id": 2, "course_id": 2}, {"student_id": 1, "course_id": 1}], "readMask": "mark"}),
    );
    assert_eq!(answer.unwrap(), json!({"enrollments": [{"mark": "B"}, {"mark": "A"}]}));
    let code = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11";
    let badge = |code| served.call("BadgesService/BatchGetBadges", json!({"requests": [{"code": code}]}));
    assert_eq!(badge(code).unwrap()["badges"][0]["label"], "gold");
    assert_eq!(
        said(badge("{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}")),
        (Code::InvalidArgument, "requests[0]: the key is not written as PostgreSQL writes it".to_owned())
    );
}

#[test]
fn rows_are_created_together_each_with_the_fields_it_has_or_not_at_all() {
    let served = served();
    let create = |request| served.call("StudentsService/BatchCreateStudents", request);
    let answer = create(json!({"requests": [
        {"student": {"name": "Barbara", "level": 3}},
        {"student": {"name": "Donald"}},
        {"student": {"id": 50, "name": "Tony"}, "insertMask": "id,name,level"},
    ], "readMask": "id,name,level"}));
    assert_eq!(
        answer.unwrap(),
        json!({"students": [
            {"id": 101, "name": "Barbara", "level": 3},
            {"id": 102, "name": "Donald", "level": 1},
            {"id": 50, "name": "Tony"},
        ]})
    );
    let twice = create(
        json!({"requests": [{"student": {"id": 60, "name": "A"}}, {"student": {"id": 1, "name": "B"}}]}),
    );
    assert_eq!(said(twice).0, Code::AlreadyExists);
    let validated = create(json!({"requests": [{"student": {"id": 61, "name": "A"}}], "validateOnly": true}));
    assert_eq!(validated.unwrap()["students"][0]["id"], 61);
    assert_eq!(served.sql("SELECT count(*) FROM api.students WHERE id IN (60, 61)"), "0");
}

#[test]
fn rows_are_updated_together_each_with_the_fields_it_has_or_not_at_all() {
    let served = served();
    let update = |request| served.call("StudentsService/BatchUpdateStudents", request);
    let answer = update(json!({"requests": [
        {"student": {"id": 2, "nickname": "Hopper"}},
        {"student": {"id": 1, "level": 5}, "updateMask": "level,grade"},
    ], "readMask": "id,nickname,level,grade"}));
    assert_eq!(
        answer.unwrap(),
        json!({"students": [{"id": 2, "nickname": "Hopper", "level": 2, "grade": "9"}, {"id": 1, "level": 5}]})
    );
    let same = update(json!({"requests": [
        {"student": {"id": 3, "level": 7}}, {"student": {"id": 4, "level": 8}},
    ], "readMask": "id,level,coursesViaEnrollments.title"}));
    assert_eq!(
        same.unwrap(),
        json!({"students": [{"id": 3, "level": 7, "coursesViaEnrollments": [{"title": "Algebra"}]}, {"id": 4, "level": 8}]})
    );
    let missing = update(
        json!({"requests": [{"student": {"id": 3, "level": 9}}, {"student": {"id": 70, "level": 9}}]}),
    );
    assert_eq!(said(missing), (Code::NotFound, "requests[1]: no row has the key id=70".to_owned()));
    assert_eq!(served.sql("SELECT level FROM api.students WHERE id = 3"), "7");
    let twice =
        update(json!({"requests": [{"student": {"id": 3, "level": 9}}, {"student": {"id": 3, "level": 8}}]}));
    assert_eq!(said(twice).0, Code::InvalidArgument);
    let composite = served.call(
        "EnrollmentsService/BatchUpdateEnrollments",
        json!({"requests": [
            {"enrollment": {"student_id": 1, "course_id": 2, "mark": "D"}},
            {"enrollment": {"student_id": 1, "course_id": 1, "mark": "E"}},
        ], "readMask": "mark"}),
    );
    assert_eq!(composite.unwrap(), json!({"enrollments": [{"mark": "D"}, {"mark": "E"}]}));
}

#[test]
fn a_batch_may_insert_what_is_missing() {
    let served = served();
    let update = |request| served.call("CoursesService/BatchUpdateCourses", request);
    // Each request writes other fields, and an update need not set what is NOT NULL.
    let answer = update(json!({"requests": [
        {"course": {"id": 9, "title": "Logic"}, "allowMissing": true},
        {"course": {"id": 1, "credits": 7}, "allowMissing": true},
        {"course": {"id": 2, "title": "Parsers", "credits": 1}, "updateMask": "title"},
        {"course": {"id": 8, "title": "Sets", "credits": 4}, "updateMask": "title", "allowMissing": true},
        {"course": {"id": 3}, "allowMissing": true},
    ], "readMask": "id,title,credits"}));
    assert_eq!(
        answer.unwrap(),
        json!({"courses": [
            {"id": 9, "title": "Logic"}, {"id": 1, "title": "Algebra", "credits": 7},
            {"id": 2, "title": "Parsers", "credits": 6}, {"id": 8, "title": "Sets", "credits": 4},
            {"id": 3, "title": "Idle"},
        ]})
    );
    let all = || served.sql("SELECT json_agg(c ORDER BY id) FROM (SELECT id, title FROM api.courses) c");
    let before = all();
    for (second, failure) in [
        (
            json!({"course": {"id": 70, "title": "x"}}),
            (Code::NotFound, "requests[1]: No row has the key id=70"),
        ),
        (
            json!({"course": {"id": 9, "title": "x"}}),
            (Code::InvalidArgument, "requests[1]: a request before it is about the same row"),
        ),
        (
            json!({"course": {"id": 71}, "allowMissing": true}),
            (
                Code::InvalidArgument,
                "null value in column \"title\" of relation \"courses\" violates not-null constraint",
            ),
        ),
        (
            json!({"course": {"title": "x"}}),
            (Code::InvalidArgument, "requests[1].id: the key has to be given"),
        ),
    ] {
        let first = json!({"course": {"id": 9, "title": "undone"}, "allowMissing": true});
        let (code, message) = said(update(json!({"requests": [first, second]})));
        assert_eq!((code, message.as_str()), failure);
    }
    let tried = json!({"requests": [{"course": {"id": 77, "title": "x"}, "allowMissing": true}], "validateOnly": true, "readMask": ""});
    assert_eq!(update(tried).unwrap(), json!({}));
    assert_eq!(all(), before);
    let many: Vec<Value> =
        (0..1001).map(|id| json!({"course": {"id": id, "title": "x"}, "allowMissing": true})).collect();
    assert_eq!(said(update(json!({ "requests": many }))).0, Code::ResourceExhausted);
    assert_eq!(all(), before);
}

#[test]
fn a_batch_that_may_insert_is_a_part_of_a_transaction_with_all_its_requests() {
    let served = served();
    let execute = |operations: Value| {
        let request = json!({ "operations": operations });
        served.call("TransactionService/Execute", request)
    };
    let batch = json!({"batchUpdateCourses": {"requests": [
        {"course": {"id": 9, "title": "Logic"}, "allowMissing": true},
        {"course": {"id": 1, "credits": 7}, "allowMissing": true},
    ], "readMask": "id"}});
    let refer =
        json!({"createEnrollment": {"enrollment": {"student_id": 4, "course_id": 9}, "readMask": "mark"}});
    let answer =
        execute(json!([batch, refer, {"updateCourse": {"course": {"id": 9}, "allowMissing": true}}]));
    assert_eq!(
        answer.unwrap(),
        json!({"results": [
            {"batchUpdateCourses": {"courses": [{"id": 9}, {"id": 1}]}},
            {"createEnrollment": {"enrollment": {}}},
            {"updateCourse": {"course": {"id": 9, "title": "Logic"}}},
        ]})
    );
    let missing = json!({"batchUpdateCourses": {"requests": [
        {"course": {"id": 1, "credits": 8}, "allowMissing": true}, {"course": {"id": 70, "title": "x"}},
    ]}});
    let create = json!({"createCourse": {"course": {"id": 20, "title": "Undone"}}});
    let (code, message) = said(execute(json!([create, missing])));
    assert_eq!((code, message.as_str()), (Code::NotFound, "requests[1]: No row has the key id=70"));
    assert_eq!(served.sql("SELECT count(*) FROM api.courses WHERE id = 20 OR credits = 8"), "0");
}

#[test]
fn rows_are_deleted_together_or_not_at_all() {
    let served = served();
    let delete = |request| served.call("EnrollmentsService/BatchDeleteEnrollments", request);
    let (first, second) =
        (json!({"student_id": 1, "course_id": 1}), json!({"student_id": 1, "course_id": 2}));
    let missing = json!({"student_id": 9, "course_id": 9});
    assert_eq!(
        said(delete(json!({"requests": [first, missing]}))),
        (Code::NotFound, "requests[1]: no row has the key course_id=9, student_id=9".to_owned())
    );
    assert_eq!(delete(json!({"requests": [first], "validateOnly": true})).unwrap(), json!({}));
    assert_eq!(served.sql("SELECT count(*) FROM api.enrollments"), "4");
    let fine = json!({"student_id": 9, "course_id": 9, "allowMissing": true});
    assert_eq!(delete(json!({"requests": [first, fine, second]})).unwrap(), json!({}));
    assert_eq!(served.sql("SELECT count(*) FROM api.enrollments"), "2");
}
