//! Patch and Purge: whatever meets the conditions, and never everything by mistake.

use super::{said, served};
use serde_json::json;
use tonic::Code;

#[test]
fn rows_that_meet_conditions_are_updated() {
    let served = served();
    let patch = |request| served.call("StudentsService/PatchStudents", request);
    let counted = patch(json!({"student": {"level": 4}, "where": {"grade": {"gte": "9"}}}));
    assert_eq!(counted.unwrap(), json!({"affectedRows": 2}));
    let returned = patch(json!({
        "student": {"level": 6}, "updateMask": "level,nickname", "filter": "id=in.(2,4)", "readMask": "id,level,nickname"
    }));
    assert_eq!(
        returned.unwrap(),
        json!({"students": [{"id": 2, "level": 6}, {"id": 4, "level": 6}], "affectedRows": 2})
    );
    assert_eq!(patch(json!({"student": {"level": 4}, "filter": "id=eq.77"})).unwrap(), json!({}));
    let everything = json!({"student": {"level": 0}});
    for request in [everything.clone(), json!({"student": {"level": 0}, "where": {}, "filter": " & "})] {
        let (code, message) = said(patch(request));
        assert_eq!((code, message.contains("allow_all")), (Code::InvalidArgument, true));
    }
    let mut validated = everything;
    validated["allowAll"] = true.into();
    validated["validateOnly"] = true.into();
    assert_eq!(patch(validated).unwrap(), json!({"affectedRows": 4}));
    assert_eq!(served.sql("SELECT count(*) FROM api.students WHERE level = 0"), "0");
}

#[test]
fn more_rows_than_allowed_are_left_as_they_are() {
    let served = served();
    for mask in [json!(null), json!("id")] {
        let request = json!({"student": {"level": 0}, "allowAll": true, "maxAffected": 3, "readMask": mask});
        assert_eq!(said(served.call("StudentsService/PatchStudents", request)).0, Code::FailedPrecondition);
    }
    assert_eq!(served.sql("SELECT count(*) FROM api.students WHERE level = 0"), "0");
    let request = json!({"student": {"level": 0}, "allowAll": true, "maxAffected": -1});
    assert_eq!(said(served.call("StudentsService/PatchStudents", request)).0, Code::InvalidArgument);
}

#[test]
fn rows_that_meet_conditions_are_deleted_with_or_without_a_key() {
    let served = served();
    let purge = |request| served.call("NotesService/PurgeNotes", request);
    assert_eq!(said(purge(json!({}))).0, Code::InvalidArgument);
    let returned = purge(json!({"where": {"stars": {"isNull": true}}, "readMask": "*"}));
    assert_eq!(returned.unwrap(), json!({"notes": [{"body": "three"}], "affectedRows": 1}));
    assert_eq!(purge(json!({"allowAll": true})).unwrap(), json!({"affectedRows": 2}));
    assert_eq!(served.sql("SELECT count(*) FROM api.notes"), "0");
}

#[test]
fn rows_that_one_message_cannot_hold_undo_the_change() {
    let served = served();
    served
        .database
        .execute("INSERT INTO api.documents SELECT n, repeat('x', 1000000) FROM generate_series(1, 5) n");
    let purge =
        |mask| served.call("DocumentsService/PurgeDocuments", json!({"allowAll": true, "readMask": mask}));
    assert_eq!(said(purge("*")).0, Code::ResourceExhausted);
    assert_eq!(served.sql("SELECT count(*) FROM api.documents"), "5");
    assert_eq!(purge("id").unwrap()["affectedRows"], 5);
}
