//! Functions: arguments that are given, NULL or left out, and results that are NULL.

use super::{FIXTURE, said, served_with};
use crate::support::tools::{curl, grpcurl};
use serde_json::{Value, json};
use tonic::Code;

const FUNCTIONS: &str = "
    CREATE FUNCTION api.told(a int, b text DEFAULT 'otherwise', c int[] DEFAULT '{1}') RETURNS text STABLE LANGUAGE sql
        AS $$SELECT format('%L %L %L', a, b, c)$$;
    CREATE FUNCTION api.all_of(list int[]) RETURNS int STABLE LANGUAGE sql AS 'SELECT cardinality(list)';
    CREATE FUNCTION api.null_mask(null_mask text, \"Other Name\" text) RETURNS text STABLE LANGUAGE sql
        AS $$SELECT format('%L %L', null_mask, \"Other Name\")$$;
    CREATE TYPE api.address AS (street text, zip text);
    CREATE FUNCTION api.student_of(name text) RETURNS api.students STABLE LANGUAGE sql
        AS 'SELECT * FROM api.students s WHERE s.name = student_of.name';
    CREATE FUNCTION api.students_or_not() RETURNS SETOF api.students STABLE LANGUAGE sql
        AS 'SELECT s FROM api.students s WHERE id = 3 UNION ALL SELECT NULL::api.students';
    CREATE FUNCTION api.address_of(id int) RETURNS api.address STABLE LANGUAGE sql AS 'SELECT NULL::api.address';";

#[test]
fn an_argument_is_given_or_null_or_takes_its_default() {
    let served = served_with(&format!("{FIXTURE};{FUNCTIONS}"), &[]);
    let told = |request: Value| {
        served
            .call("FunctionsService/Told", request)
            .map(|answer| answer["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(told(json!({"a": 1})).unwrap(), "'1' 'otherwise' '{1}'");
    assert_eq!(told(json!({"a": 1, "b": "x", "c": [2, 3]})).unwrap(), "'1' 'x' '{2,3}'");
    assert_eq!(told(json!({"a": 1, "nullMask": "b,c"})).unwrap(), "'1' NULL NULL");
    assert_eq!(told(json!({"nullMask": "a"})).unwrap(), "NULL 'otherwise' '{1}'");
    assert_eq!(
        told(json!({"a": 1, "b": "x", "nullMask": "b"})).unwrap(),
        "'1' NULL '{1}'",
        "the mask counts"
    );
    let missing = said(told(json!({"b": "x"})));
    assert_eq!(
        missing,
        (Code::InvalidArgument, "a: has to be given, if only as NULL in null_mask".to_owned())
    );
    assert_eq!(said(told(json!({"a": 1, "nullMask": "d"}))).1, "null_mask: \"d\" is no argument");
    let all = |request: Value| served.call("FunctionsService/AllOf", request).unwrap();
    assert_eq!(all(json!({"list": [5, 6]})), json!({"value": 2}));
    assert_eq!(all(json!({})), json!({"value": 0}), "no element is an empty list");
    assert_eq!(all(json!({"nullMask": "list"})), json!({}));
    // An argument of the mask's name makes way, and can be named by both of its names.
    let named = json!({"nullMaskArgument": "x", "Other Name": "y", "nullMask": "nullMaskArgument"});
    assert_eq!(served.call("FunctionsService/NullMask", named).unwrap(), json!({"value": "NULL 'y'"}));
}

#[test]
fn a_composite_that_is_null_is_not_set() {
    let served = served_with(&format!("{FIXTURE};{FUNCTIONS}"), &[]);
    let student = |name: &str| served.call("FunctionsService/StudentOf", json!({ "name": name })).unwrap();
    assert_eq!(student("Alan")["student"]["id"], 3);
    assert_eq!(student("Nobody"), json!({}));
    let all = served.client.all("FunctionsService/StudentsOrNot", json!({})).unwrap();
    assert_eq!((&all[0]["student"]["id"], &all[1]), (&json!(3), &json!({})));
    assert_eq!(served.call("FunctionsService/AddressOf", json!({"id": 1})).unwrap(), json!({}));
    // A row of which nothing but NULLs are wanted is there.
    let get = served.call("StudentsService/GetStudent", json!({"id": 3, "readMask": "nickname"})).unwrap();
    assert_eq!(get, json!({"student": {}}));
}

/// What a function tells of its answer, and which time zone it runs in.
const TOLD: &str = r#"
    CREATE FUNCTION api.told() RETURNS int LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('response.headers',
            '[{"X-Shelf": "b3"}, {"x-shelf": "b4"}, {"Content-Type": "text/csv"}, {"grpc-status": "5"}, {"x-key-bin": "a"}]',
            true);
        RETURN 1;
    END $$;
    CREATE FUNCTION api.zone() RETURNS text STABLE LANGUAGE sql AS $$SELECT current_setting('timezone')$$;
    CREATE VIEW api.clock AS SELECT 1 AS id, '2024-01-01 12:00+00'::timestamptz::text AS noon;
    GRANT SELECT ON api.clock TO anonymous;"#;

#[test]
fn response_headers_are_initial_metadata_but_for_those_of_the_protocols() {
    let served = served_with(&format!("{FIXTURE}{TOLD}"), &[]);
    let called =
        grpcurl(&["-v", "-d", "{}", served.server.address(), "api.v1.FunctionsService/Told"]).unwrap();
    let (_, rest) = called.split_once("Response headers received:\n").unwrap();
    let headers: Vec<&str> = rest.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(headers.iter().filter(|line| line.starts_with("x-shelf: b")).count(), 2, "{called}");
    assert!(headers.contains(&"content-type: application/grpc"), "{called}");
    assert!(!called.contains("x-key-bin"), "{called}");
    let url = format!("{}/api.v1.FunctionsService/Told", served.server.url());
    let answer = curl(&["-d", "{}", "-H", "content-type: application/json", &url]);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"value":1}"#));
    assert!(answer.headers.contains("x-shelf: b3\r\nx-shelf: b4"), "{}", answer.headers);
    assert!(answer.headers.contains("content-type: application/json"), "{}", answer.headers);
}

#[test]
fn the_time_zone_of_the_metadata_is_that_of_the_transaction() {
    let served = served_with(&format!("{FIXTURE}{TOLD}"), &[]);
    let call = |zone: &str, method: &str| {
        let zone = format!("timezone: {zone}");
        grpcurl(&["-H", &zone, "-d", "{}", served.server.address(), &format!("api.v1.{method}")])
    };
    assert!(call("Asia/Tokyo", "FunctionsService/Zone").unwrap().contains("\"value\": \"Asia/Tokyo\""));
    assert!(call("Asia/Tokyo", "ClocksService/ListClocks").unwrap().contains("2024-01-01 21:00:00+09"));
    assert!(call("Asia/Tokyo", "ClocksService/StreamClocks").unwrap().contains("2024-01-01 21:00:00+09"));
    let refused = call("Asia/Nowhere", "FunctionsService/Zone").unwrap_err();
    assert!(refused.contains("Code: InvalidArgument"), "{refused}");
}

/// Functions that give rows of a relation, one of which has arguments that are called as what is said of its rows.
const ROWS: &str = r#"
    CREATE FUNCTION api.levelled(lowest int) RETURNS SETOF api.students STABLE LANGUAGE sql
        AS 'SELECT * FROM api.students WHERE level >= lowest';
    CREATE FUNCTION api.named("where" text, "limit" int) RETURNS SETOF api.students STABLE LANGUAGE sql
        AS 'SELECT * FROM api.students s WHERE s.name = "where"';
    CREATE FUNCTION api.student_called(name text) RETURNS api.students STABLE LANGUAGE sql
        AS 'SELECT * FROM api.students s WHERE s.name = student_called.name';
    CREATE FUNCTION api.enrolled(name text) RETURNS SETOF api.students LANGUAGE sql
        AS 'INSERT INTO api.students (name) VALUES (name) RETURNING *';"#;

#[test]
fn rows_of_a_function_are_chosen_ordered_and_masked_like_those_of_their_relation() {
    let served = served_with(&format!("{FIXTURE}{ROWS}"), &[]);
    let all = |method: &str, request: Value| {
        served
            .client
            .all(&format!("FunctionsService/{method}"), request.clone())
            .map(|rows| rows.iter().map(|row| row["student"].clone()).collect::<Vec<Value>>())
    };
    let rows = |request: Value| json!(all("Levelled", request).unwrap());
    for (said, found) in [
        (json!({"orderBy": "name desc"}), json!([{"id": 2}, {"id": 3}, {"id": 1}])),
        (json!({"orderBy": "id", "limit": 2}), json!([{"id": 1}, {"id": 2}])),
        (json!({"orderBy": "id", "limit": 1, "skip": 1}), json!([{"id": 2}])),
        (json!({"limit": 0}), json!([])),
        (json!({"where": {"name": {"eq": "Ada"}}}), json!([{"id": 1}])),
        (
            json!({"where": {"coursesViaEnrollments": {"none": {"title": {"eq": "Algebra"}}}}}),
            json!([{"id": 2}]),
        ),
        (json!({"filter": "name=like.A*", "orderBy": "id"}), json!([{"id": 1}, {"id": 3}])),
    ] {
        let mut request = said.clone();
        request["lowest"] = 1.into();
        request["readMask"] = "id".into();
        assert_eq!(rows(request), found, "{said}");
    }
    assert_eq!(
        rows(json!({
            "lowest": 2, "readMask": "name,coursesViaEnrollments.title", "orderBy": "id",
            "embeds": {"coursesViaEnrollments": {"limit": 1, "orderBy": "title desc"}}
        })),
        json!([
            {"name": "Ada", "coursesViaEnrollments": [{"title": "Compilers"}]},
            {"name": "Grace", "coursesViaEnrollments": [{"title": "Compilers"}]}
        ])
    );
    // One row, and one that is written.
    let one = served.call(
        "FunctionsService/StudentCalled",
        json!({"name": "Ada", "readMask": "id,enrollments.mark", "embeds": {"enrollments": {"where": {"mark": {"eq": "A"}}}}}),
    );
    assert_eq!(one.unwrap(), json!({"student": {"id": 1, "enrollments": [{"mark": "A"}]}}));
    assert_eq!(
        json!(all("Enrolled", json!({"name": "Kurt", "readMask": "name"})).unwrap()),
        json!([{"name": "Kurt"}])
    );
    // Arguments make way.
    let named = json!({"whereArgument": "Grace", "limitArgument": 5, "readMask": "id", "where": {"id": {"gt": 1}}, "limit": 1});
    assert_eq!(json!(all("Named", named).unwrap()), json!([{"id": 2}]));
    let (code, message) = said(all("Levelled", json!({"lowest": 1, "readMask": "colour"})));
    assert_eq!(
        (code, message.as_str()),
        (Code::InvalidArgument, "read_mask: \"colour\" is no path of \"Student\"")
    );
}
