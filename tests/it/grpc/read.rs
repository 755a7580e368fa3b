//! What is read: conditions, masks and order, each as it is said and what comes back.

use super::{FIXTURE, said, served, served_with};
use serde_json::{Value, json};
use tonic::Code;

#[test]
fn conditions_are_typed_or_of_the_rest_grammar_and_both_hold() {
    let served = served();
    for (request, ids) in [
        (json!({}), vec![1, 2, 3, 4]),
        (json!({"where": {"grade": {"gt": "8.5"}}}), vec![1, 2]),
        (json!({"where": {"level": {"in": [1]}}}), vec![3]),
        (json!({"where": {"name": {"like": "A%"}, "level": {"eq": 1}}}), vec![3]),
        (json!({"where": {"or": [{"id": {"eq": 4}}, {"name": {"ilike": "gr%"}}]}}), vec![2, 4]),
        (json!({"where": {"not": {"nickname": {"isNull": true}}}}), vec![2, 4]),
        (json!({"where": {"and": [{"id": {"gt": 1}}, {"id": {"lt": 4}}]}}), vec![2, 3]),
        (json!({"where": {"level": {"isDistinct": 2}}}), vec![3, 4]),
        (json!({"where": {"joined": {"gte": "2024-02-01T00:00:00Z"}}}), vec![2]),
        (json!({"filter": "name=like.A*"}), vec![1, 3]),
        (json!({"filter": "or=(id.gt.3,nickname.not.is.null)&level=eq.2"}), vec![2]),
        (json!({"filter": "name=in.(Ada,\"Grace\")", "where": {"id": {"gt": 1}}}), vec![2]),
        (
            json!({"filter": "courses_via_enrollments.title=eq.Algebra&courses_via_enrollments=not.is.null", "readMask": "id,coursesViaEnrollments"}),
            vec![1, 3],
        ),
        (json!({"filter": "name=eq.%26"}), vec![]),
    ] {
        let mut request = request;
        request["orderBy"] = "id".into();
        let answer = served.call("StudentsService/ListStudents", request.clone()).unwrap();
        let rows = answer["students"].as_array().cloned().unwrap_or_default();
        let found: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(found, ids, "{request}");
    }
}

#[test]
fn wrong_requests_name_the_field_that_is_wrong() {
    let served = served();
    for (request, field) in [
        (json!({"where": {"or": [{}]}}), "where.or"),
        (json!({"filter": "name"}), "filter"),
        (json!({"filter": "name=approximately.5"}), "filter"),
        (json!({"orderBy": "name sideways"}), "order_by"),
        (json!({"readMask": "id,colour"}), "read_mask"),
        (json!({"readMask": "courses.colour"}), "read_mask"),
        (json!({"pageSize": -1}), "page_size"),
        (json!({"skip": -1}), "skip"),
        (json!({"pageToken": "AAAA"}), "page_token"),
    ] {
        let status = served.call("StudentsService/ListStudents", request.clone()).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{request}: {status}");
        let details = tonic_types::StatusExt::get_error_details(&status);
        let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        assert_eq!(violations.first().map(|violation| violation.field.as_str()), Some(field), "{request}");
    }
}

#[test]
fn masks_choose_columns_and_embeds_at_any_depth() {
    let served = served();
    let get = |mask: &str| {
        let answer = served.call("StudentsService/GetStudent", json!({"id": 1, "readMask": mask}));
        answer.unwrap()["student"].clone()
    };
    let all =
        json!({"id": 1, "name": "Ada", "grade": "9.5", "level": 2, "joined": "2024-01-01T10:00:00.123456Z"});
    assert_eq!(get(""), all);
    assert_eq!(get("*"), all);
    assert_eq!(get("name"), json!({"name": "Ada"}));
    let many_to_many =
        json!({"name": "Ada", "coursesViaEnrollments": [{"title": "Algebra"}, {"title": "Compilers"}]});
    assert_eq!(get("name,coursesViaEnrollments.title"), many_to_many);
    assert_eq!(
        get("enrollments.mark,enrollments.course.title,enrollments.course.teacher.name"),
        json!({"enrollments": [
            {"mark": "A", "course": {"title": "Algebra", "teacher": {"name": "Noether"}}},
            {"course": {"title": "Compilers", "teacher": {"name": "Hopper"}}},
        ]})
    );
    let teacher = |id: i32, mask: &str| {
        let answer = served.call("TeachersService/GetTeacher", json!({"id": id, "readMask": mask}));
        answer.unwrap()["teacher"].clone()
    };
    assert_eq!(
        teacher(2, "name,mentor.courses.studentsViaEnrollments.name"),
        json!({"name": "Hopper", "mentor": {"courses": [{"studentsViaEnrollments": [{"name": "Ada"}, {"name": "Alan"}]}]}})
    );
    // To-one without a row and to-many without rows: absent.
    assert_eq!(teacher(1, "name,mentor"), json!({"name": "Noether"}));
    let idle = served.call(
        "CoursesService/GetCourse",
        json!({"id": 3, "readMask": "title,teacher,studentsViaEnrollments"}),
    );
    assert_eq!(idle.unwrap(), json!({"course": {"title": "Idle"}}));
}

#[test]
fn rows_come_in_the_order_that_is_asked_for() {
    let served = served();
    for (order, ids) in [
        ("grade", [3, 2, 1, 4]),
        ("grade desc", [4, 1, 2, 3]),
        ("grade desc nulls last", [1, 2, 3, 4]),
        ("level nulls first, name desc", [4, 3, 2, 1]),
        ("level.desc.nullslast,id.desc", [2, 1, 3, 4]),
    ] {
        let answer = served.call("StudentsService/ListStudents", json!({"orderBy": order, "readMask": "id"}));
        let wanted: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        assert_eq!(answer.unwrap()["students"], json!(wanted), "{order}");
        let streamed =
            served.client.all("StudentsService/StreamStudents", json!({"orderBy": order, "readMask": "id"}));
        let wanted: Vec<Value> = ids.iter().map(|id| json!({"student": {"id": id}})).collect();
        assert_eq!(streamed.unwrap(), wanted, "{order}");
    }
    let by_embed = json!({"orderBy": "teacher(name)", "readMask": "id,teacher.name", "filter": "teacher_id=not.is.null"});
    let answer = served.call("CoursesService/ListCourses", by_embed);
    assert_eq!(
        answer.map(|found| found["courses"][0]["id"].clone()).map_err(|status| status.to_string()),
        Ok(json!(2))
    );
}

#[test]
fn relations_without_a_key_and_views_have_the_methods_that_they_can_take() {
    let served = served();
    let methods = |service: &str| -> Vec<String> {
        let method = served.client.method(&format!("{service}/List{}", service.trim_end_matches("Service")));
        method.parent_service().methods().map(|method| method.name().to_owned()).collect()
    };
    assert_eq!(
        methods("NotesService"),
        ["ListNotes", "StreamNotes", "CreateNote", "BatchCreateNotes", "PatchNotes", "PurgeNotes"]
    );
    assert_eq!(methods("TotalsService"), ["ListTotals", "StreamTotals"]);
    assert_eq!(
        served.call("TotalsService/ListTotals", json!({})).unwrap(),
        json!({"totals": [{"students": 4}]})
    );
    let honours = served.call("HonoursService/ListHonours", json!({"readMask": "name", "orderBy": "id"}));
    assert_eq!(honours.unwrap()["honours"], json!([{"name": "Ada"}, {"name": "Grace"}]));
    // Without a key pages are counted off.
    let first = served.call("NotesService/ListNotes", json!({"pageSize": 2, "orderBy": "body"})).unwrap();
    let second = json!({"pageSize": 2, "orderBy": "body", "pageToken": first["nextPageToken"]});
    let second = served.call("NotesService/ListNotes", second).unwrap();
    assert_eq!([&first["notes"][1]["body"], &second["notes"][0]["body"]], ["three", "two"]);
    assert_eq!(second.get("nextPageToken"), None);
    let hidden = served.call("SecretsService/ListSecrets", json!({}));
    assert_eq!(said(hidden).0, Code::Unauthenticated);
}

#[test]
fn a_function_s_one_composite_is_its_result_and_functions_like_postgresql_s_own_are_left_alone() {
    let served = served_with(
        r#"CREATE SCHEMA api;
        CREATE TYPE api.address AS (street text, number int);
        CREATE TABLE api.houses (id int PRIMARY KEY, at api.address, were api.address[]);
        INSERT INTO api.houses VALUES (1, '(High Street,7)', '{"(Low Street,3)"}');
        CREATE FUNCTION api.house(OUT it api.houses) STABLE LANGUAGE sql AS 'SELECT h FROM api.houses h';
        CREATE FUNCTION api.home(OUT it api.address) STABLE LANGUAGE sql AS $$ SELECT ('Home', 1)::api.address $$;
        CREATE FUNCTION api.to_json(api.address) RETURNS json IMMUTABLE LANGUAGE sql AS $$ SELECT '"shadowed"'::json $$;
        CREATE FUNCTION api.unnest(api.address[]) RETURNS SETOF api.address IMMUTABLE LANGUAGE sql
            AS $$ SELECT ('shadowed', 0)::api.address $$;
        CREATE FUNCTION api.array_ndims(api.address[]) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2';
        GRANT USAGE ON SCHEMA api TO anonymous;
        GRANT SELECT ON api.houses TO anonymous;"#,
        &[],
    );
    let house = json!({"id": 1, "at": {"street": "High Street", "number": 7}, "were": [{"street": "Low Street", "number": 3}]});
    let call = |path: &str, request| served.call(path, request).unwrap();
    assert_eq!(call("HousesService/GetHouse", json!({"id": 1})), json!({"house": house}));
    assert_eq!(call("FunctionsService/House", json!({})), json!({"house": house}));
    assert_eq!(call("FunctionsService/Home", json!({})), json!({"street": "Home", "number": 1}));
}

const WARD: &str = "
    CREATE TYPE api.sex AS ENUM ('not stated', 'female', 'male');
    CREATE TABLE api.patients (
        id int PRIMARY KEY, sex api.sex, born date, doc json, page xml, place point, path jsonpath, docs json[], tree jsonb
    );
    INSERT INTO api.patients VALUES
        (1, 'female', '2000-01-01', '{}', '<a/>', '(1,2)', '$.a', NULL, '{}'),
        (2, 'male', NULL, NULL, NULL, NULL, NULL, '{}', NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    GRANT SELECT, DELETE ON api.patients TO anonymous;";

#[test]
fn conditions_on_an_enum_take_its_values() {
    let served = served_with(&format!("{FIXTURE};{WARD}"), &[]);
    let ids = |conditions: Value| {
        let request = json!({"where": conditions, "readMask": "id", "orderBy": "id"});
        let rows =
            served.call("PatientsService/ListPatients", request).map(|answer| answer["patients"].clone());
        rows.map(|rows| {
            rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
        })
    };
    assert_eq!(ids(json!({"sex": {"eq": "SEX_FEMALE"}})).unwrap(), [1]);
    assert_eq!(ids(json!({"sex": {"gt": "SEX_NOT_STATED"}})).unwrap(), [1, 2]);
    assert_eq!(ids(json!({"sex": {"in": ["SEX_MALE", "SEX_NOT_STATED"]}})).unwrap(), [2]);
    assert_eq!(ids(json!({"sex": {"isDistinct": "SEX_MALE"}})).unwrap(), [1, 3]);
    assert_eq!(ids(json!({"sex": {"isNull": true}})).unwrap(), [3]);
    assert_eq!(
        said(ids(json!({"sex": {"eq": "SEX_UNSPECIFIED"}}))).1,
        "where.sex.eq: 0 is no value of its enum"
    );
}

#[test]
fn a_list_of_no_values_holds_for_no_row() {
    let served = served_with(&format!("{FIXTURE};{WARD}"), &[]);
    let count = |conditions: Value| {
        let request = json!({"where": conditions, "readMask": "id"});
        let answer = served.call("PatientsService/ListPatients", request).unwrap();
        answer["patients"].as_array().map_or(0, Vec::len)
    };
    for conditions in [
        json!({"id": {"in": []}}),
        json!({"sex": {"in": []}}),
        json!({"born": {"in": []}}),
        json!({"tree": {"in": []}}),
        json!({"id": {"eq": 1}, "sex": {"in": []}}),
        json!({"and": [{"id": {"in": []}}, {"id": {"gt": 0}}]}),
    ] {
        assert_eq!(count(conditions.clone()), 0, "{conditions}");
    }
    assert_eq!(count(json!({"or": [{"id": {"in": []}}, {"id": {"eq": 1}}]})), 1);
    assert_eq!(count(json!({"not": {"id": {"in": []}}})), 3);
    let purged = served.call("PatientsService/PurgePatients", json!({"where": {"id": {"in": []}}}));
    assert_eq!(purged.unwrap(), json!({}));
}

#[test]
fn types_that_know_no_equality_are_compared_with_null_alone() {
    let served = served_with(&format!("{FIXTURE};{WARD}"), &[]);
    let conditions = served.client.message("PatientWhere");
    let operators = |column: &str| {
        let field = conditions.get_field_by_name(column).unwrap();
        let message = field.kind().as_message().unwrap().clone();
        message.fields().map(|field| field.name().to_owned()).collect::<Vec<_>>()
    };
    for column in ["doc", "page", "place", "path", "docs"] {
        assert_eq!(operators(column), ["is_null"], "{column}");
        let request = json!({"where": {column: {"isNull": false}}, "readMask": "id"});
        let answer = served.call("PatientsService/ListPatients", request).unwrap();
        assert_eq!(answer["patients"].as_array().map(Vec::len), Some(1), "{column}");
    }
    // Whatever else is offered works.
    for column in ["tree", "born", "id", "sex"] {
        let request = json!({"where": {column: {"isNull": false}}});
        assert!(served.call("PatientsService/ListPatients", request).is_ok(), "{column}");
        assert!(operators(column).len() > 5, "{column}");
    }
}
