//! Over gRPC: `TransactionService.Execute`, and the same over Connect.

use super::{CLAIMS, SCHEMA, rows, serve, text};
use crate::support::{
    database::Database,
    grpc::Client,
    http::send,
    server::Server,
    tools::{curl, grpcurl},
};
use serde_json::{Value, json};

const EXECUTE: &str = "TransactionService/Execute";

fn create_author(name: &str) -> Value {
    json!({ "createAuthor": { "author": { "name": name } } })
}

/// A book of the author that an operation before gave.
fn create_book(title: &str, from: i64, from_field: &str) -> Value {
    json!({
        "createBook": { "book": { "title": title } },
        "references": [{ "field": "book.author_id", "from": from, "fromField": from_field }],
    })
}

#[test]
fn operations_take_effect_together_and_are_answered_in_their_order() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let client = Client::new(&server, &database, "api", &[]);
    let operations = json!([
        create_author("Ada"),
        create_book("One", 0, "id"),
        create_book("Two", 0, "id"),
        { "batchCreateAuthors": { "requests": [{ "author": { "name": "B" } }, { "author": { "name": "C" } }] } },
        { "updateBook": { "book": { "pages": 7 } },
          "references": [{ "field": "book.id", "from": 1, "fromField": "id" }] },
        { "updateBook": { "book": { "id": 90, "title": "Three" }, "allowMissing": true } },
        { "patchBooks": { "book": { "pages": 8 }, "where": { "title": { "eq": "Two" } }, "updateMask": "pages" } },
        { "deleteBook": {}, "references": [{ "field": "id", "from": 2, "fromField": "id" }] },
        { "add": { "a": 1, "b": 2 } },
        { "add": { "b": 40 }, "references": [{ "field": "a", "from": 8, "fromField": "value" }] },
        { "purgeAuthors": { "where": { "name": { "eq": "C" } } } },
    ]);
    let answer = client.call(EXECUTE, json!({ "operations": operations })).unwrap();
    let results = answer["results"].as_array().unwrap();
    let kinds: Vec<_> =
        results.iter().map(|result| result.as_object().unwrap().keys().next().unwrap()).collect();
    let expected = [
        "createAuthor",
        "createBook",
        "createBook",
        "batchCreateAuthors",
        "updateBook",
        "updateBook",
        "patchBooks",
        "deleteBook",
        "add",
        "add",
        "purgeAuthors",
    ];
    assert_eq!(kinds, expected);
    let author = &results[0]["createAuthor"]["author"]["id"];
    assert_eq!(results[1]["createBook"]["book"]["author_id"], *author);
    assert_eq!(results[4]["updateBook"]["book"]["pages"], 7);
    assert_eq!(results[6]["patchBooks"]["affectedRows"], 1);
    assert_eq!(results[9]["add"]["value"], 43);
    assert_eq!(rows(&database, "SELECT title, pages FROM api.books ORDER BY title"), "(One,7) (Three,)");
    assert_eq!(rows(&database, "SELECT name FROM api.authors ORDER BY name"), "(Ada) (B)");
    assert_eq!(
        rows(&database, "SELECT DISTINCT method, path FROM api.heard ORDER BY path"),
        "(POST,/api.v1.BooksService/CreateBook) (POST,/api.v1.BooksService/DeleteBook) \
         (POST,/api.v1.BooksService/PatchBooks) (POST,/api.v1.BooksService/UpdateBook)"
    );
    assert_eq!(text(&database, "SELECT count(DISTINCT transaction)::text FROM api.heard"), "1");
}

#[test]
fn one_that_fails_undoes_all_and_is_named() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let client = Client::new(&server, &database, "api", &[]);
    let cases = [
        (create_author("Ada"), "AlreadyExists", "sqlstate"),
        (json!({ "createBook": { "book": { "title": "One", "pages": -1 } } }), "InvalidArgument", "sqlstate"),
        (json!({ "deleteBook": { "id": 99 } }), "NotFound", "code"),
        (json!({ "deleteBook": {} }), "InvalidArgument", "code"),
        (json!({ "purgeBooks": {} }), "InvalidArgument", "code"),
        (
            json!({ "createAuthor": { "author": { "name": "B" }, "validateOnly": true } }),
            "InvalidArgument",
            "code",
        ),
        (json!({}), "InvalidArgument", "code"),
        (create_book("One", 1, "id"), "InvalidArgument", "code"),
        (create_book("One", 7, "id"), "InvalidArgument", "code"),
        (create_book("One", -1, "id"), "InvalidArgument", "code"),
        (create_book("One", 0, "isbn"), "InvalidArgument", "code"),
        (create_book("One", 0, "name"), "InvalidArgument", "code"),
        (create_book("One", 0, ""), "InvalidArgument", "code"),
        (
            json!({ "createBook": { "book": { "title": "One" } },
                 "references": [{ "field": "book.title", "from": 0, "fromField": "name" }] }),
            "InvalidArgument",
            "code",
        ),
        (
            json!({ "createBook": { "book": {} },
                 "references": [{ "field": "book", "from": 0, "fromField": "name" }] }),
            "InvalidArgument",
            "code",
        ),
        (
            json!({ "createBook": { "book": {} },
                 "references": [{ "field": "insert_mask.paths", "from": 0, "fromField": "name" }] }),
            "InvalidArgument",
            "code",
        ),
    ];
    for (wrong, code, origin) in cases {
        let operations = json!([create_author("Ada"), wrong, create_author("C")]);
        let status = client.call(EXECUTE, json!({ "operations": operations })).unwrap_err();
        let details = tonic_types::StatusExt::get_error_details(&status);
        let info = details.error_info().unwrap();
        assert_eq!(format!("{:?}", status.code()), code, "{wrong} {status}");
        assert!(info.metadata.contains_key(origin), "{wrong} {info:?}");
        assert_eq!(info.metadata["operation"], "1", "{wrong} {info:?}");
        assert_eq!(rows(&database, "SELECT name FROM api.authors"), "", "{wrong}");
    }
    // What is deferred to the end is nobody's alone.
    let broken =
        json!([create_author("Ada"), { "createBook": { "book": { "title": "One", "author_id": 9999 } } }]);
    let status = client.call(EXECUTE, json!({ "operations": broken })).unwrap_err();
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert!(!details.error_info().unwrap().metadata.contains_key("operation"));
    for list in [json!([]), vec![create_author("x"); 1001].into()] {
        client.call(EXECUTE, json!({ "operations": list })).unwrap_err();
    }
    let kept = client.call(EXECUTE, json!({ "operations": [create_author("Ada")], "validateOnly": true }));
    assert_eq!(kept.unwrap()["results"][0]["createAuthor"]["author"]["name"], "Ada");
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "");
}

#[test]
fn what_only_reads_or_streams_is_no_operation() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let client = Client::new(&server, &database, "api", &[]);
    let operation = client.message("TransactionServiceOperation");
    let names: Vec<_> = operation.fields().map(|field| field.name().to_owned()).collect();
    for (name, is_there) in [
        ("create_book", true),
        ("batch_delete_books", true),
        ("add", true),
        ("nap", true),
        ("references", true),
        ("get_book", false),
        ("list_books", false),
        ("sum", false),
    ] {
        assert_eq!(names.contains(&name.to_owned()), is_there, "{name} {names:?}");
    }
    // Where nothing can be written there is no service.
    let database = Database::fresh(
        "CREATE SCHEMA api; CREATE VIEW api.one AS SELECT 1 AS id; GRANT USAGE ON SCHEMA api TO anonymous",
    );
    let server = serve(&database, &[]);
    assert!(!grpcurl(&[server.address(), "list"]).unwrap().contains("TransactionService"));
}

/// A request of Connect in JSON.
fn connect(server: &Server, body: &Value) -> (u16, Value) {
    let headers = [("Content-Type", "application/json")];
    let answer = send(
        server.address(),
        "POST",
        "/api.v1.TransactionService/Execute",
        &headers,
        Some(&body.to_string()),
    );
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[test]
fn grpcurl_and_curl_say_it_in_json() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let request = json!({ "operations": [create_author("Ada"), create_book("One", 0, "id")] }).to_string();
    let said = grpcurl(&["-d", &request, server.address(), "api.v1.TransactionService/Execute"]).unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said["results"][1]["createBook"]["book"]["author_id"],
        said["results"][0]["createAuthor"]["author"]["id"]
    );
    let url = format!("{}/api.v1.TransactionService/Execute", server.url());
    let request = json!({ "operations": [
        { "create_author": { "author": { "name": "B" } } },
        { "createBook": { "book": { "title": "Two" } }, "createAuthor": null,
          "references": [{ "field": "book.author_id", "from": 0, "from_field": "id" }] },
    ] });
    let answer = curl(&["-H", "Content-Type: application/json", "-d", &request.to_string(), &url]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(
        answer["results"][1]["createBook"]["book"]["author_id"],
        answer["results"][0]["createAuthor"]["author"]["id"]
    );
    for wrong in [
        json!({ "operation": [] }),
        json!({ "operations": 7 }),
        json!({ "operations": [7] }),
        json!({ "operations": [] }),
        json!({ "operations": [{ "createBooks": {} }] }),
        json!({ "operations": [{ "getBook": { "id": 1 } }] }),
        json!({ "operations": [{ "createBook": {}, "deleteBook": {} }] }),
        json!({ "operations": [{ "createBook": { "book": { "isbn": "x" } } }] }),
        json!({ "operations": [{ "createBook": {}, "references": [{ "to": 0 }] }] }),
        json!({ "operations": [create_author("Ada")], "validateOnly": 7 }),
    ] {
        let (status, body) = connect(&server, &wrong);
        assert_eq!((status, body["code"].as_str()), (400, Some("invalid_argument")), "{wrong} {body}");
    }
    let (status, body) = connect(&server, &json!({ "operations": [create_author("Ada")] }));
    assert_eq!((status, body["code"].as_str()), (409, Some("already_exists")), "{body}");
}

#[test]
fn a_catalog_that_is_behind_the_database_costs_no_transaction() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_DB_CHANNEL_ENABLED", "false")]);
    let client = Client::new(&server, &database, "api", &[]);
    database.execute("ALTER TABLE api.books DROP pages, ADD isbn text");
    let operations = json!([create_author("Ada"), create_book("One", 0, "id")]);
    let answer = client.call(EXECUTE, json!({ "operations": operations })).unwrap();
    assert_eq!(answer["results"][1]["createBook"]["book"]["title"], "One", "{answer}");
    assert_eq!(rows(&database, "SELECT name FROM api.authors"), "(Ada)");
}

#[test]
fn messages_that_are_none_are_refused() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    // Lengths that lie, groups without an end, fields that there are not, and an operation within itself.
    for message in [
        &b"\x0a"[..],
        b"\x0a\x7f",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0b",
        b"\x0a\x02\x0a\x7f",
        b"\x1a\x00",
        b"\x0a\x03\x9a\x06\x00",
        b"\x0a\x04\x0a\x02\x0a\x00",
        b"\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut connection = crate::support::http::Connection::open(server.address());
        let headers = [("Content-Type", "application/proto")];
        let answer =
            connection.send("POST", "/api.v1.TransactionService/Execute", &headers, Some(message)).unwrap();
        assert_eq!(answer.status, 400, "{message:?} {}", answer.text());
    }
}

#[test]
fn what_code_sets_for_one_operation_holds_for_no_other() {
    let database = Database::fresh(&format!("{SCHEMA}{CLAIMS}"));
    let server = serve(&database, &[]);
    let client = Client::new(&server, &database, "api", &[]);
    let operations = json!([{ "told": {} }, { "claim": {} }, { "told": {} }]);
    let answer = client.call(EXECUTE, json!({ "operations": operations })).unwrap();
    assert_eq!(answer["results"][2], answer["results"][0]);
    assert!(!answer["results"][2].to_string().contains("boss"), "{answer}");
}
