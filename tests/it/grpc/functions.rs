//! Functions: arguments that are given, NULL or left out, and results that are NULL.

use super::{FIXTURE, said, served_with};
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
    // An argument keeps its name.
    let named = json!({"null_mask": "x", "Other Name": "y", "nullMask2": "nullMask"});
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
