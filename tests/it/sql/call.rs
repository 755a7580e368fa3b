//! Calls.

use super::{Bench, read};
use pgduet::{
    error::Result,
    media::{MediaType, Nulls},
    request::{
        Accept, Action, CallAccess, Request,
        payload::{Arguments, BodyKind, Payload, Rows},
        prefer::{Count, Handling},
    },
    sql::Fact,
};

pub(super) fn call(function: &str, arguments: Arguments, access: CallAccess, query: &str) -> Request {
    let mut request = read("", query);
    request.action = Action::Call { function: function.to_owned(), arguments, access };
    request
}

fn named(arguments: &[(&str, &str)]) -> Arguments {
    Arguments::Named(
        arguments.iter().map(|&(name, value)| (name.to_owned(), value.to_owned().into())).collect(),
    )
}

pub(super) fn get(function: &str, arguments: &[(&str, &str)], query: &str) -> Request {
    call(function, named(arguments), CallAccess::ReadOnly, query)
}

pub(super) fn post(function: &str, json: &'static str, keys: &[&str], query: &str) -> Request {
    let rows = if json.starts_with('{') { Rows::One } else { Rows::Many };
    let keys = keys.iter().map(|&key| key.to_owned()).collect();
    let object = Some(Payload { json: json.into(), keys, rows });
    let body = Arguments::Body { kind: BodyKind::Json, raw: json.into(), object };
    call(function, body, CallAccess::ByVolatility, query)
}

#[test]
fn results_have_the_form_of_their_type() {
    let bench = Bench::new();
    let body =
        |request| bench.run(request).unwrap_or_else(|error| panic!("{error}")).body.replace(", \n ", ", ");
    for (request, wanted) in [
        (get("add", &[("a", "1")], ""), "3"),
        (get("add", &[("a", "1"), ("b", "5")], ""), "6"),
        (get("add", &[("a", "x"), ("c", "y")], ""), r#""xy""#),
        (post("add", r#"{"a":1,"b":7}"#, &["a", "b"], ""), "8"),
        (post("add", r#"[{"a":1,"b":8},{"a":5,"b":1}]"#, &["a", "b"], ""), "9"),
        (get("words", &[("words", "a"), ("words", "b,c")], ""), r#""a+b,c""#),
        (post("words", r#"{"words":["a","b"]}"#, &["words"], ""), r#""a+b""#),
        (get("numbers", &[("n", "3")], "limit=2&offset=1"), "[2, 3]"),
        (get("outs", &[("a", "4")], ""), r#"{"a":4,"b":"b"}"#),
        (get("rows_of", &[("n", "2")], ""), r#"[{"k":1,"v":"v1"}, {"k":2,"v":"v2"}]"#),
        (get("rows_of", &[("n", "3")], "select=v&k=gt.1&order=k.desc"), r#"[{"v":"v3"}, {"v":"v2"}]"#),
        (get("any_record", &[], ""), r#"{"?column?":1,"text":"a"}"#),
        (
            get("some_clients", &[], "select=id,loud,projects(id)&id=lt.3&order=id&projects.limit=1"),
            r#"[{"id":1,"loud":"ACME","projects":[{"id":1}]}, {"id":2,"loud":"BOLT","projects":[{"id":3}]}]"#,
        ),
        (
            get("some_clients", &[("lowest", "3")], "select=name,first_project(id)"),
            r#"[{"name":"Idle","first_project":null}]"#,
        ),
        (get("one_client", &[("key", "2")], "select=name"), r#"{"name":"Bolt"}"#),
        (post("take", r#"{"x":1}"#, &["x"], ""), r#"{"x":1}"#),
    ] {
        assert_eq!(body(request.clone()), wanted, "{request:?}");
    }
}

#[test]
fn one_unnamed_argument_takes_the_body() {
    let bench = Bench::new();
    let whole = |function, kind, raw: &'static [u8]| {
        let body = Arguments::Body { kind, raw: raw.into(), object: None };
        bench.run(call(function, body, CallAccess::ByVolatility, ""))
    };
    assert_eq!(whole("take_text", BodyKind::Text, b"it's").unwrap().body, "\"it's\"");
    assert_eq!(whole("take_bytes", BodyKind::OctetStream, b"\x00\xff\x10").unwrap().body, "3");
    let error = whole("take_text", BodyKind::Xml, b"<a/>").unwrap_err();
    assert_eq!(error.message, "Could not find the function api.take_text in the schema cache");
    let wanted = "Searched for the function api.take_text with a single unnamed xml parameter, but no matches \
                  were found in the schema cache.";
    assert_eq!((error.details.unwrap().as_str(), error.hint), (Some(wanted), None));
}

#[test]
fn a_call_that_is_counted_is_made_once() {
    let bench = Bench::new();
    let mut request = call(
        "counted_calls",
        named(&[]),
        CallAccess::ByVolatility,
        "select=id,loud,projects(id),first_project(id)&limit=1&order=id",
    );
    request.preferences.count = Some(Count::Exact);
    let answer = bench.run(request).unwrap();
    let wanted = r#"[{"id":1,"loud":"ACME","projects":[{"id":1}, {"id":2}],"first_project":{"id":1}}]"#;
    assert_eq!(answer.body.replace(", \n ", ", "), wanted);
    assert_eq!(answer.facts, [(Fact::Present, Some("t".to_owned())), (Fact::Total, Some("3".to_owned()))]);
    assert_eq!(bench.ask("SELECT last_value::text FROM api.calls"), "1");
}

#[test]
fn scalars_and_nothing_have_forms_too() {
    let bench = Bench::new();
    let mut csv = get("numbers", &[("n", "2")], "");
    csv.accept = Accept::Media(vec![MediaType::Csv]);
    assert_eq!(bench.run(csv).unwrap().body, "pgrst_scalar\n1\n2");
    let mut columns = get("rows_of", &[("n", "2")], "");
    columns.accept = Accept::Columns;
    assert_eq!(bench.run(columns).unwrap().rows, 2);
    assert_eq!(bench.run(get("nothing", &[], "")).unwrap().body, "");
    let mut one = get("numbers", &[("n", "1")], "");
    one.accept = Accept::Media(vec![MediaType::Object(Nulls::Kept)]);
    assert_eq!(bench.run(one).unwrap().body, r#"{"pgrst_scalar":1}"#);
}

#[test]
fn functions_are_told_apart_by_the_names_of_their_arguments() {
    let bench = Bench::new();
    let refused = |result: Result<_>| result.map(|_: super::Answer| ()).unwrap_err();
    let error = refused(bench.run(get("twin", &[("a", "1")], "")));
    assert_eq!(
        (error.code(), error.message.as_str()),
        (
            "PGRST203",
            "Could not choose the best candidate function between: api.twin(a => integer), api.twin(a => text)"
        )
    );
    for (request, message, details, hint) in [
        (
            get("ad", &[("b", "1"), ("a", "1")], ""),
            "Could not find the function api.ad(a, b) in the schema cache",
            "Searched for the function api.ad with parameters a, b, but no matches were found in the schema cache.",
            None,
        ),
        (
            post("nothin", "{}", &[], ""),
            "Could not find the function api.nothin without parameters in the schema cache",
            "Searched for the function api.nothin without parameters or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.",
            Some("Perhaps you meant to call the function api.nothing"),
        ),
        (
            get("add", &[("aa", "1"), ("b", "1")], ""),
            "Could not find the function api.add(aa, b) in the schema cache",
            "Searched for the function api.add with parameters aa, b, but no matches were found in the schema cache.",
            Some("Perhaps you meant to call the function api.add(a, b)"),
        ),
    ] {
        let error = refused(bench.run(request));
        assert_eq!((error.code(), error.message.as_str()), ("PGRST202", message));
        assert_eq!(error.details.unwrap(), details);
        assert_eq!(error.hint.as_deref(), hint);
    }
}

#[test]
fn a_limit_on_what_is_affected_needs_a_set() {
    let bench = Bench::new();
    let mut request = get("add", &[("a", "1")], "");
    request.preferences.max_affected = Some(1);
    assert!(bench.run(request.clone()).is_ok());
    request.preferences.handling = Some(Handling::Strict);
    assert_eq!(bench.run(request).unwrap_err().code(), "PGRST128");
}
