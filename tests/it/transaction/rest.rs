//! Over REST: a POST of a JSON list to the root.

use super::{CLAIMS, MEDIA_TYPE, SCHEMA, create, post, raw, rows, serve, text};
use crate::support::{database::Database, http::send, tools::curl, until};
use serde_json::{Value, json};

#[test]
fn operations_take_effect_together_and_later_ones_have_what_earlier_ones_gave() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let list = json!([
        create("/authors?select=id,name", json!({ "name": "Ada" })),
        { "method": "POST", "path": "/books", "headers": { "Prefer": "return=representation" },
          "body": [{ "title": "One" }, { "title": "Two" }],
          "references": { "author_id": { "from": 0, "field": "id" } } },
        { "method": "PATCH", "path": "/books?title=eq.Two", "body": { "pages": 7 },
          "headers": { "Prefer": "count=exact" } },
        { "method": "PUT", "path": "/books?id=eq.90", "body": { "id": 90, "title": "Three" } },
        { "method": "DELETE", "path": "/books?title=eq.One" },
        { "method": "POST", "path": "/rpc/add", "body": { "a": 1, "b": 2 } },
        { "method": "POST", "path": "/rpc/add", "body": { "b": 40 }, "references": { "a": { "from": 5 } } },
    ]);
    let answer = raw(&server, &list.to_string(), &[]);
    assert_eq!((answer.status, answer.header("content-type").as_deref()), (200, Some(MEDIA_TYPE)));
    let parts: Vec<Value> = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string()));
    let statuses: Vec<_> = parts.iter().map(|part| part["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 201, 204, 204, 204, 200, 200]);
    let author = &parts[0]["body"][0]["id"];
    assert_eq!(parts[0]["body"], json!([{ "id": author, "name": "Ada" }]));
    assert_eq!(parts[0]["headers"]["content-range"], "*/*");
    assert_eq!(parts[0]["headers"]["preference-applied"], "return=representation");
    assert_eq!([&parts[1]["body"][0]["author_id"], &parts[1]["body"][1]["author_id"]], [author, author]);
    assert_eq!(parts[2]["headers"]["content-range"], "0-0/1");
    assert_eq!((parts[2].get("body"), parts[4].get("body")), (None, None));
    assert_eq!([&parts[5]["body"], &parts[6]["body"]], [&json!(3), &json!(43)]);
    assert_eq!(rows(&database, "SELECT title, pages FROM api.books ORDER BY title"), "(Three,) (Two,7)");
    // Each operation is what it would be alone, in one transaction.
    assert_eq!(
        rows(&database, "SELECT method, path, who FROM api.heard ORDER BY number"),
        "(POST,/books,anonymous) (PATCH,/books,anonymous) (PUT,/books,anonymous) (PUT,/books,anonymous) \
         (DELETE,/books,anonymous)"
    );
    assert_eq!(text(&database, "SELECT count(DISTINCT transaction)::text FROM api.heard"), "1");
}

#[test]
fn one_that_fails_undoes_all_of_them_and_is_named() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let ada = || create("/authors", json!({ "name": "Ada" }));
    let cases = [
        (create("/authors", json!({ "name": "Ada" })), 409, "23505"),
        (create("/books", json!({ "title": "One", "pages": -1 })), 400, "23514"),
        (create("/books", json!({ "tittle": "One" })), 400, "PGRST204"),
        (create("/bookss", json!({ "title": "One" })), 404, "PGRST205"),
        (create("/books/1/2", json!({})), 404, "PGRST125"),
        (create("/rpc/substract", json!({})), 404, "PGRST202"),
        (create("/books?select=nothing", json!({ "title": "One" })), 400, "42703"),
        (
            json!({ "method": "PATCH", "path": "/authors", "body": { "name": "B" },
                 "headers": { "Prefer": "handling=strict, max-affected=0" } }),
            400,
            "PGRST124",
        ),
        (
            json!({ "method": "PATCH", "path": "/authors?id=eq.0", "body": { "name": "B" },
                 "headers": { "Accept": "application/vnd.pgrst.object+json",
                              "Prefer": "return=representation" } }),
            406,
            "PGRST116",
        ),
        (
            json!({ "method": "POST", "path": "/authors", "body": { "name": "B" },
                 "headers": { "Accept": "text/csv", "Prefer": "return=representation" } }),
            406,
            "PGRST107",
        ),
        (
            json!({ "method": "POST", "path": "/rpc/text_only", "body": {}, "headers": { "Accept": "text/plain" } }),
            406,
            "PGRST107",
        ),
        (json!({ "method": "POST", "path": "/rpc/sum", "body": { "a": 1, "b": 2 } }), 400, "PGDUET20"),
        (json!({ "method": "GET", "path": "/books" }), 400, "PGDUET20"),
        (json!({ "method": "POST", "path": "/" }), 400, "PGDUET20"),
    ];
    for (wrong, status, code) in cases {
        let (found, body) =
            post(&server, &json!([ada(), wrong, create("/authors", json!({ "name": "C" }))]), &[]);
        assert_eq!(
            (found, &body["code"], &body["operation"]),
            (status, &json!(code), &json!(1)),
            "{wrong} {body}"
        );
        assert_eq!(rows(&database, "SELECT name FROM api.authors"), "", "{wrong}");
    }
    // What is deferred to the end is nobody's alone.
    let (status, body) =
        post(&server, &json!([ada(), create("/books", json!({ "title": "One", "author_id": 9999 }))]), &[]);
    assert_eq!((status, &body["code"], body.get("operation")), (409, &json!("23503"), None), "{body}");
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "");
    // The connection is as it was.
    assert_eq!(send(server.address(), "GET", "/books", &[], None).text(), "[]");
    assert_eq!(post(&server, &json!([ada()]), &[]).0, 200);
}

#[test]
fn what_holds_for_all_of_them_is_said_once() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_DB_TX_END", "commit-allow-override")]);
    let list = json!([create("/authors", json!({ "name": "Ada" }))]);
    let answer = raw(&server, &list.to_string(), &[("Prefer", "tx=rollback, timezone=Asia/Tokyo")]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("preference-applied").as_deref(), Some("tx=rollback, timezone=Asia/Tokyo"));
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "");
    // Deferred constraints are checked all the same.
    let broken = json!([create("/books", json!({ "title": "One", "author_id": 9999 }))]);
    assert_eq!(post(&server, &broken, &[("Prefer", "tx=rollback")]).0, 409);
    // The strictest isolation that one of them asks for is that of all.
    let level = json!({ "method": "POST", "path": "/rpc/level", "body": {} });
    let (_, body) = post(&server, &json!([create("/authors", json!({ "name": "B" })), level]), &[]);
    assert_eq!(body[1]["body"], "serializable", "{body}");
    // A time zone that is none is that of the request, and no operation's.
    let (status, body) = post(&server, &list, &[("Prefer", "timezone=Nowhere/None")]);
    assert_eq!((status, &body["code"], body.get("operation")), (400, &json!("22023"), None), "{body}");
    assert_eq!(body["hint"], "This timezone is that of the whole transaction");
    for preference in ["tx=rollback", "timezone=UTC"] {
        let own = json!({ "method": "POST", "path": "/authors", "headers": { "Prefer": preference } });
        assert_eq!(post(&server, &json!([own]), &[]).1["code"], "PGDUET20");
    }
}

#[test]
fn what_code_of_the_database_says_of_one_answer_is_of_no_other() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let tell = |status: &str| json!({ "method": "POST", "path": "/rpc/tell", "body": { "status": status } });
    let add = json!({ "method": "POST", "path": "/rpc/add", "body": { "a": 1, "b": 2 } });
    let (status, body) = post(&server, &json!([tell("202"), add, tell("418")]), &[]);
    assert_eq!(status, 200);
    let statuses: Vec<_> = (0..3).map(|at| body[at]["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 200, 418]);
    assert_eq!(body[0]["headers"]["set-cookie"], json!(["a=1", "b=2"]));
    assert_eq!([&body[1]["headers"]["x-told"], &body[2]["headers"]["x-told"]], [&json!(null), &json!("yes")]);
    let (status, body) =
        post(&server, &json!([create("/authors", json!({ "name": "Ada" })), tell("never")]), &[]);
    assert_eq!((status, &body["code"], &body["operation"]), (500, &json!("PGRST112"), &json!(1)));
    assert_eq!(
        rows(&database, "SELECT name FROM api.authors"),
        "",
        "what cannot be answered is not carried out"
    );
}

#[test]
fn the_function_before_each_request_comes_before_each_operation() {
    let guard = "
        CREATE FUNCTION api.guard() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            IF current_setting('request.method') = 'DELETE' THEN RAISE SQLSTATE 'PT403' USING MESSAGE = 'no'; END IF;
            IF current_setting('request.path') = '/books' THEN PERFORM set_config('role', 'authenticated', true); END IF;
        END $$;";
    let database = Database::fresh(&format!("{SCHEMA}{guard}"));
    let server = serve(&database, &[("PGRST_DB_PRE_REQUEST", "api.guard")]);
    let book = || create("/books", json!({ "title": "One" }));
    let author = || create("/authors", json!({ "name": "Ada" }));
    let delete = json!({ "method": "DELETE", "path": "/books" });
    let (status, body) = post(&server, &json!([book(), delete]), &[]);
    assert_eq!((status, &body["operation"]), (403, &json!(1)), "{body}");
    assert_eq!(rows(&database, "SELECT title FROM api.books"), "");
    // A role that it chooses is of the operation alone.
    database.execute("REVOKE ALL ON api.authors FROM authenticated");
    let (status, body) = post(&server, &json!([book(), author(), book()]), &[]);
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        rows(&database, "SELECT who FROM api.heard ORDER BY number"),
        "(authenticated) (authenticated)"
    );
}

#[test]
fn a_catalog_that_is_behind_the_database_costs_no_transaction() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_DB_CHANNEL_ENABLED", "false")]);
    let list = json!([
        create("/authors", json!({ "name": "Ada" })),
        { "method": "POST", "path": "/books?select=title,author_id,isbn",
          "headers": { "Prefer": "return=representation" }, "body": { "title": "One", "isbn": "x" },
          "references": { "author_id": { "from": 0, "field": "id" } } },
    ]);
    let (status, body) = post(&server, &list, &[]);
    assert_eq!((status, &body["operation"]), (400, &json!(1)), "{body}");
    database.execute("ALTER TABLE api.books ADD isbn text");
    let (status, body) = post(&server, &list, &[]);
    assert_eq!((status, &body[1]["body"][0]["isbn"]), (200, &json!("x")), "{body}");
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "(Ada)");
    database.execute("ALTER TABLE api.books DROP isbn");
    let stars =
        json!([create("/authors", json!({ "name": "B" })), create("/books", json!({ "title": "Two" })),]);
    let (status, body) = post(&server, &stars, &[]);
    assert_eq!((status, body[1]["body"][0].get("isbn")), (200, None), "{body}");
    assert_eq!(rows(&database, "SELECT name FROM api.authors ORDER BY name"), "(Ada) (B)");
}

#[test]
fn a_client_that_goes_away_leaves_nothing_behind() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_DB_POOL", "2")]);
    let nap = json!({ "method": "POST", "path": "/rpc/nap", "body": { "seconds": 60 } });
    let list = json!([create("/authors", json!({ "name": "Ada" })), nap]).to_string();
    for _ in 0..3 {
        let mut connection = crate::support::http::Connection::open(server.address());
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {}\r\n\r\n{list}",
            list.len()
        );
        connection.write(head.as_bytes()).unwrap();
        let naps = "SELECT count(*)::text FROM pg_stat_activity \
                    WHERE datname = current_database() AND query LIKE '%\"nap\"%' AND state = 'active' AND pid <> pg_backend_pid()";
        until("the operation runs", || (text(&database, naps) != "0").then_some(()));
        drop(connection);
        until("it is cancelled", || (text(&database, naps) == "0").then_some(()));
    }
    let open = "SELECT count(*)::text FROM pg_stat_activity \
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    until("no transaction is open", || (text(&database, open) == "0").then_some(()));
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "");
    assert_eq!(post(&server, &json!([create("/authors", json!({ "name": "Ada" }))]), &[]).0, 200);
}

#[test]
fn curl_posts_a_list_and_nothing_else_is_taken_for_one() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_OPENAPI_MODE", "disabled")]);
    let list = json!([create("/authors", json!({ "name": "Ada" }))]).to_string();
    let content_type = format!("Content-Type: {MEDIA_TYPE}; charset=utf-8");
    let answer = curl(&["-H", &content_type, "-d", &list, &server.url()]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let other = curl(&["-H", "Content-Type: application/json", "-d", &list, &server.url()]);
    assert_eq!(other.status, 404, "the root is switched off");
    let elsewhere = curl(&["-H", &content_type, "-d", &list, &format!("{}/authors", server.url())]);
    assert_eq!(elsewhere.status, 400);
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "(Ada)");
}

#[test]
fn what_code_sets_for_one_operation_holds_for_no_other() {
    let database = Database::fresh(&format!("{SCHEMA}{CLAIMS}"));
    let server = serve(&database, &[("PGDUET_SERVER_BASE_PATH", "/rest")]);
    let operation = |name: &str| json!({ "method": "POST", "path": format!("/rpc/{name}"), "body": {} });
    let alone = send(server.address(), "POST", "/rest/rpc/told", &[("X-Own", "yes")], Some("{}")).text();
    let list = json!([operation("told"), operation("claim"), operation("told"),
        { "method": "POST", "path": "/authors", "headers": { "Prefer": "return=headers-only" }, "body": { "name": "Ada" } }]);
    let headers = [("Content-Type", MEDIA_TYPE), ("X-Own", "yes")];
    let answer = send(server.address(), "POST", "/rest/", &headers, Some(&list.to_string()));
    let parts: Vec<Value> = serde_json::from_str(&answer.text()).unwrap();
    let claims = |text: &Value| text["claims"].clone();
    let alone: Value = serde_json::from_str(&alone).unwrap();
    assert_eq!(claims(&parts[2]["body"]), claims(&alone));
    assert_eq!(parts[2]["body"], parts[0]["body"]);
    assert_eq!(parts[2]["body"]["path"], r#""api", "public""#);
    // Where clients find it.
    let location = parts[3]["headers"]["location"].as_str().unwrap();
    assert!(location.starts_with("/rest/authors?id=eq."), "{location}");
}

#[test]
fn under_strict_handling_preferences_that_are_not_for_all_operations_are_refused() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let list = json!([create("/authors", json!({ "name": "Ada" }))]);
    for (prefer, status) in [
        ("handling=strict", 200),
        ("handling=strict, timezone=UTC", 200),
        ("return=minimal, x=1", 200),
        ("handling=strict, max-affected=0", 400),
        ("handling=strict, x=1", 400),
    ] {
        let (found, body) = post(&server, &list, &[("Prefer", prefer)]);
        assert_eq!(found, status, "{prefer} {body}");
        if status == 400 {
            assert_eq!(body["code"], "PGRST122", "{prefer} {body}");
        }
        database.execute("TRUNCATE api.authors CASCADE");
    }
}
