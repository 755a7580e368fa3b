//! REST below a path, where clients of a platform expect it.

use super::{SCHEMA, serve};
use crate::support::{
    database::Database,
    http::send,
    token::token,
    tools::{grpcurl, stdout, tool},
};
use serde_json::{Value, json};
use std::process::Command;

const SECRET: &str = "a secret of at least thirty-two bytes";

#[test]
fn supabase_s_client_needs_no_gateway() {
    // Where clients of Supabase look if nobody says otherwise.
    let database = Database::fresh(
        "CREATE TABLE items (id int PRIMARY KEY, name text);
         INSERT INTO items VALUES (1, 'one');
         GRANT SELECT, INSERT ON items TO anonymous;
         CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql AS 'SELECT a + b'",
    );
    let server = serve(
        &database,
        &[
            ("PGDUET_SERVER_BASE_PATH", "/rest/v1"),
            ("PGRST_DB_SCHEMAS", "public"),
            ("PGRST_JWT_SECRET", SECRET),
        ],
    );
    let key = token(SECRET, r#"{"role":"anonymous"}"#);
    let printed = stdout(
        Command::new("node")
            .arg("tests/clients/supabase.js")
            .args([server.url(), key])
            .env("NODE_PATH", tool("node_modules")),
    );
    let seen: Value = serde_json::from_str(&printed).unwrap();
    let expected = json!({
        "made": [{"id": 2, "name": "two"}],
        "read": [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}],
        "one": {"name": "two"},
        "count": 2,
        "called": 3,
        "missing": "PGRST205",
        "errors": [null, null, null, null, null],
    });
    assert_eq!(seen, expected);
}

#[test]
fn rest_is_below_the_base_path_alone_and_its_addresses_say_so() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGDUET_SERVER_BASE_PATH", "/rest/v1")]);
    let get = |target: &str| send(server.address(), "GET", target, &[], None);
    assert_eq!(get("/rest/v1/items?select=id").text(), r#"[{"id":1}]"#);
    let elsewhere = get("/items");
    assert_eq!((elsewhere.status, elsewhere.code().as_deref()), (404, Some("PGRST125")));
    let document: Value = serde_json::from_slice(&get("/rest/v1/").body).unwrap();
    assert_eq!(document["servers"][0]["url"], "/rest/v1");
    assert_eq!(get("/rest/v1/docs/").status, 200);
    assert_eq!(get("/rest/v1/openapi.json").status, 200);
    let wanted = [("Prefer", "return=headers-only"), ("Content-Type", "application/json")];
    let made = send(server.address(), "POST", "/rest/v1/items", &wanted, Some(r#"{"id":7}"#));
    assert_eq!((made.status, made.header("location").as_deref()), (201, Some("/rest/v1/items?id=eq.7")));
    // gRPC is where it always is.
    assert!(grpcurl(&["-d", "{}", server.address(), "api.v1.ItemsService/ListItems"]).is_ok());
}
