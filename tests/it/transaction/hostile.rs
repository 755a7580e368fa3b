//! Lists that no client means well.

use super::{SCHEMA, create, post, raw, rows, serve, text};
use crate::support::{database::Database, http::send, server::Server};
use serde_json::{Value, json};

/// The list is refused with this code, and nothing is carried out.
fn refused(server: &Server, list: &Value, status: u16, code: &str) -> Value {
    let (found, body) = post(server, list, &[]);
    assert_eq!((found, body["code"].as_str()), (status, Some(code)), "{list} {body}");
    body
}

#[test]
fn lists_that_are_none_are_refused() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let cut = r#"[{"method": "POST", "path": "/authors", "body": {"name": "Ada"}}, {"#;
    for body in ["", "{}", "[", cut, "null", "17", "[1,]", "[] []"] {
        let answer = raw(&server, body, &[]);
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("PGDUET20")), "{body}");
    }
    for list in [
        json!([]),
        json!([1]),
        json!([{}]),
        json!([{ "method": "POST" }]),
        json!([{ "method": "POST", "path": 7 }]),
        json!([{ "method": "POST", "path": "" }]),
        json!([{ "method": "POST", "path": "authors" }]),
        json!([{ "method": "POST", "path": "http://example.com/authors" }]),
        json!([{ "method": "post", "path": "/authors" }]),
        json!([{ "method": "OPTIONS", "path": "/authors" }]),
        json!([{ "method": "POST", "path": "/authors", "bodies": {} }]),
        json!([{ "method": "POST", "path": "/authors", "headers": { "Authorization": "Bearer x" } }]),
        json!([{ "method": "POST", "path": "/authors", "headers": { "Content-Profile": "pg_catalog" } }]),
        json!([{ "method": "POST", "path": "/authors", "headers": { "Prefer": "a\nb" } }]),
        json!([{ "method": "POST", "path": "/?a=1" }]),
        json!([{ "method": "POST", "path": "/authors", "headers": { "Content-Type": "text/csv" } }]),
        json!([{ "method": "POST", "path": "/", "headers": { "Content-Type": super::MEDIA_TYPE },
                 "body": [{ "method": "POST", "path": "/authors", "body": {} }] }]),
    ] {
        refused(&server, &list, 400, "PGDUET20");
    }
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "");
}

#[test]
fn there_are_so_many_operations_and_no_more() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let list = |count: usize| -> Value {
        (0..count).map(|at| create("/authors?select=id", json!({ "name": at.to_string() }))).collect()
    };
    for count in [1001, 10_000] {
        let body = refused(&server, &list(count), 400, "PGDUET09");
        assert_eq!(body["details"], "A transaction can have at most 1000 operations.");
    }
    let (status, body) = post(&server, &list(1000), &[]);
    assert_eq!((status, body.as_array().map(Vec::len)), (200, Some(1000)));
    assert_eq!(text(&database, "SELECT count(*)::text FROM api.authors"), "1000");
}

#[test]
fn references_lead_to_one_value_of_an_operation_before_or_nowhere() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let ada = || create("/authors", json!({ "name": "Ada" }));
    let silent = json!({ "method": "POST", "path": "/authors", "body": { "name": "B" } });
    let two = create("/authors", json!([{ "name": "C" }, { "name": "D" }]));
    let book = |references: Value| json!({ "method": "POST", "path": "/books", "body": { "title": "One" }, "references": references });
    let to = |from: i64, field: &str| json!({ "author_id": { "from": from, "field": field } });
    for (list, says) in [
        (json!([ada(), book(to(1, "id"))]), "not before it"),
        (json!([ada(), book(to(2, "id")), ada()]), "not before it"),
        (json!([ada(), book(to(99, "id"))]), "not before it"),
        (json!([book(to(0, "id")), ada()]), "not before it"),
        (json!([ada(), book(to(-1, "id"))]), "malformed"),
        (json!([ada(), book(to(0, "isbn"))]), "does not answer a field"),
        (json!([silent, book(to(0, "id"))]), "answers no row"),
        (json!([two, book(to(0, "id"))]), "answers 2 rows"),
        (json!([ada(), book(json!({ "title": { "from": 0, "field": "name" } }))]), "in the body"),
        (json!([ada(), book(json!({ "author_id": { "from": 0, "field": "id", "x": 1 } }))]), "malformed"),
        (json!([ada(), book(json!({ "author_id": 0 }))]), "malformed"),
        (json!([ada(), { "method": "DELETE", "path": "/books", "references": to(0, "id") }]), "no body"),
        (
            json!([ada(), { "method": "POST", "path": "/books", "body": 7, "references": to(0, "id") }]),
            "JSON object",
        ),
        (
            json!([ada(), { "method": "POST", "path": "/books?columns=title", "body": { "title": "One" },
                         "references": to(0, "id") }]),
            "does not take",
        ),
    ] {
        let body = refused(&server, &list, 400, "PGDUET20");
        let message = body["message"].as_str().unwrap();
        assert!(message.contains(says), "{message}: not {says}");
        assert_eq!(rows(&database, "SELECT name FROM api.authors"), "", "{list}");
    }
    // What looks like a reference in a body is a value.
    database.execute("CREATE TABLE api.documents (id int PRIMARY KEY, doc jsonb); GRANT ALL ON api.documents TO anonymous; NOTIFY pgrst, 'reload schema'");
    let document = || create("/documents", json!({ "id": 1, "doc": { "from": 0, "field": "id" } }));
    crate::support::until("the table is known", || {
        (post(&server, &json!([document()]), &[]).0 == 200).then_some(())
    });
    assert_eq!(text(&database, "SELECT doc->>'field' FROM api.documents"), "id");
}

#[test]
fn bodies_grow_by_what_they_refer_to_only_so_far() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGDUET_SERVER_MAX_BODY_BYTES", "65536")]);
    let ada = |name: &str| create("/authors", json!({ "name": name }));
    let many = |field: &str| {
        json!({ "method": "POST", "path": "/books", "body": vec![json!({}); 1000],
                "references": { "title": { "from": 0, "field": field } } })
    };
    assert_eq!(post(&server, &json!([ada("Ada"), many("name")]), &[]).0, 200);
    refused(&server, &json!([ada(&"x".repeat(100)), many("name")]), 413, "PGDUET01");
    let long = refused(&server, &json!([ada(&"x".repeat(5000)), many("name")]), 400, "PGDUET20");
    assert!(long["message"].as_str().unwrap().contains("longer than 4096 bytes"), "{long}");
    assert_eq!(
        send(server.address(), "GET", "/authors?select=name", &[], None).text(),
        r#"[{"name":"Ada"}]"#
    );
}

/// A short list whose references make it long is refused like one that comes as long as that.
#[test]
fn values_that_references_repeat_are_counted_as_they_are_filled_in() {
    let big =
        "CREATE FUNCTION api.big() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT repeat('x', 4000) $$;";
    let database = Database::fresh(&format!("{SCHEMA}{big}"));
    let limits = [("PGDUET_SERVER_MAX_MEMORY", "20000000"), ("PGDUET_SERVER_MAX_BODY_BYTES", "200000000")];
    let server = serve(&database, &limits);
    let before = crate::bulk::peak_memory(server.id());
    let objects = vec![json!({}); 20_000];
    let list = json!([{ "method": "POST", "path": "/rpc/big", "body": {} },
        { "method": "POST", "path": "/authors", "body": objects, "references": { "name": { "from": 0 } } }]);
    let (status, body) = post(&server, &list, &[]);
    assert_eq!((status, &body["code"], &body["operation"]), (503, &json!("PGDUET16"), &json!(1)));
    let grown = crate::bulk::peak_memory(server.id()) - before;
    assert!(grown < 80_000_000, "{grown}");
}
