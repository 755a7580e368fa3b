//! Bad input: each kind gets the right error in its protocol, and the server answers the next request as if nothing had
//! been. The cases are data; what cannot be one request and one answer has a test of its own.

mod cases;
mod memory;
mod phases;
mod remote;
mod token;

use crate::support::{
    database::Database,
    grpc_web,
    http::{Connection, send},
    server::Server,
    tools::grpcurl,
};

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.items (id int PRIMARY KEY, name text, data jsonb, parent int REFERENCES api.items);
    INSERT INTO api.items VALUES (1, 'one', '{}', NULL), (2, 'two', '{\"a\": 1}', 1);
    CREATE FUNCTION api.echo(value text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT value';
    CREATE FUNCTION api.raw(jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS 'SELECT $1';
    GRANT USAGE ON SCHEMA api TO anonymous, authenticated;
    GRANT SELECT, INSERT, UPDATE, DELETE ON api.items TO anonymous, authenticated;
";

/// Of the tokens that are right in everything but one.
const SECRET: &str = "reallyreallyreallyreallyverysafe";

/// A server with narrow limits, so that what is too large is small.
fn serve(database: &Database) -> Server {
    Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_JWT_SECRET", SECRET),
        ("PGRST_JWT_AUD", "us"),
        ("PGRST_DB_TX_END", "rollback"),
        ("PGDUET_SERVER_MAX_BODY_BYTES", "100000"),
        ("PGDUET_SERVER_MAX_HEADER_BYTES", "70000"),
        ("PGDUET_GRPC_MAX_RECEIVE_BYTES", "150000"),
    ])
}

/// Whether the server still does its work.
fn answers(server: &Server) -> bool {
    let answer = send(server.address(), "GET", "/items?select=id&id=eq.1", &[], None);
    (answer.status, answer.text().as_str()) == (200, r#"[{"id":1}]"#)
}

#[test]
fn every_bad_request_gets_the_right_error_and_the_next_one_its_answer() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let mut wrong = Vec::new();
    for case in cases::all() {
        let mut connection = Connection::open(server.address());
        // A server that refuses early may close before everything is sent.
        let sent = connection.write(&case.request);
        let method =
            String::from_utf8_lossy(case.request.split(|byte| *byte == b' ').next().unwrap()).into_owned();
        match connection.answer(&method) {
            Ok(answer) => {
                let code = answer.code();
                if (answer.status, code.as_deref()) != (case.status, case.code) {
                    let text = answer.text();
                    let start: String = text.chars().take(300).collect();
                    wrong.push(format!("{}: {} {start}", case.wrong, answer.status));
                }
            }
            Err(error) => wrong.push(format!("{}: no answer: {error} ({sent:?})", case.wrong)),
        }
        if !answers(&server) {
            wrong.push(format!("{}: the next request is not answered", case.wrong));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_bad_call_gets_the_right_status_and_the_next_one_its_answer() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let mut wrong = Vec::new();
    for case in remote::all() {
        let metadata: Vec<_> = case.metadata.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut connection = Connection::open(server.address());
        match grpc_web::send(&mut connection, case.method, &metadata, &case.body) {
            Ok(reply) if reply.status == case.status => {}
            Ok(reply) => wrong.push(format!("{}: {} {}", case.wrong, reply.status, reply.text)),
            Err(error) => wrong.push(format!("{}: no answer: {error}", case.wrong)),
        }
        if !answers(&server) {
            wrong.push(format!("{}: the next request is not answered", case.wrong));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_client_that_leaves_or_lags_takes_nothing_with_it() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let half = b"POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"id\":";
    // They stay as they are until the end of the test.
    let lagging: Vec<_> =
        ["", "G", "GET /items", "PRI * HTTP/2.0\r\n\r\n", "GET /items HTTP/1.1\r\nHost: x\r\n"]
            .iter()
            .map(|beginning| beginning.as_bytes())
            .chain([&half[..]])
            .cycle()
            .take(600)
            .map(|beginning| {
                let mut connection = Connection::open(server.address());
                connection.write(beginning).unwrap();
                connection
            })
            .collect();
    for _ in 0..50 {
        Connection::open(server.address()).write(half).unwrap();
    }
    assert!(answers(&server));
    // One of them goes on at last.
    let mut late = lagging.into_iter().nth(5).unwrap();
    late.write(format!("{:<94}", "7}").as_bytes()).unwrap();
    assert_eq!(late.answer("POST").unwrap().status, 201);
}

#[test]
fn an_error_ends_neither_the_connection_nor_the_requests_behind_it() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let mut connection = Connection::open(server.address());
    for round in 0..3 {
        for (method, target, body, status) in [
            ("GET", "/items?id=eq.x", None, 400),
            ("GET", "/items?select=data->>a&id=eq.2", None, 200),
            ("POST", "/items", Some("{\"id\":"), 400),
            ("POST", "/items", Some("[]"), 201),
            ("DELETE", "/nope", Some("{}"), 404),
            ("GET", "/items", Some("{}"), 200),
        ] {
            let answer = connection.send(method, target, &[], body.map(str::as_bytes)).unwrap();
            assert_eq!(answer.status, status, "{method} {target} in round {round}: {}", answer.text());
        }
    }
}

#[test]
fn requests_behind_each_other_are_answered_in_order_and_garbage_behind_them_ends_the_connection() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let mut connection = Connection::open(server.address());
    let pipelined = "GET /items?select=id&id=eq.1 HTTP/1.1\r\nHost: x\r\n\r\n\
        POST /items HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n{{{{\
        GET /items?select=data->>a&id=eq.2 HTTP/1.1\r\nHost: x\r\n\r\n\
        \0\x01garbage\r\n\r\nGET /items HTTP/1.1\r\nHost: x\r\n\r\n";
    connection.write(pipelined.as_bytes()).unwrap();
    assert_eq!(connection.answer("GET").unwrap().text(), r#"[{"id":1}]"#);
    assert_eq!(connection.answer("POST").unwrap().code().as_deref(), Some("PGRST102"));
    assert_eq!(connection.answer("GET").unwrap().text(), r#"[{"a":"1"}]"#);
    assert_eq!(connection.answer("GET").unwrap().status, 400);
    assert!(connection.answer("GET").is_err(), "the connection is closed");
    assert!(answers(&server));
}

#[test]
fn a_schema_of_strange_names_is_served_on_both_sides() {
    let database = Database::fresh(
        "CREATE SCHEMA \"the; \"\"api\"\"\";
         SET search_path = \"the; \"\"api\"\"\";
         CREATE TABLE \"select\" (\"from\" int PRIMARY KEY, \"a b\" text, \"a_b\" text, \"A B\" text, \"1\" int, \"\"\"\" int);
         CREATE TABLE \"a table\" (id int); CREATE TABLE a_table (id int); CREATE TABLE \"A Table\" (id int);
         CREATE TABLE \"1\" (id int); CREATE TABLE \"\u{1f600}\" (\"\u{fc}n\u{ef}\" int); CREATE TABLE \"...\" (\".\" int);
         CREATE TABLE nothing (); CREATE TABLE service (message int, rpc int, repeated int);
         CREATE TYPE \"an enum\" AS ENUM ('', 'a', 'A', 'a b', '1', '\u{1f600}');
         CREATE TABLE enums (id int PRIMARY KEY, kind \"an enum\", kinds \"an enum\"[]);
         INSERT INTO enums VALUES (1, '', '{a,A,a b}');
         INSERT INTO \"select\" VALUES (1, 'x', 'y', 'z', 2, 3);
         CREATE FUNCTION \"a function\"(\"an argument\" int) RETURNS int LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION a_function(x int) RETURNS int LANGUAGE sql AS 'SELECT $1';
         GRANT USAGE ON SCHEMA \"the; \"\"api\"\"\" TO anonymous;
         GRANT SELECT ON ALL TABLES IN SCHEMA \"the; \"\"api\"\"\" TO anonymous;",
    );
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "the; \"api\""),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
    ]);
    let get = |target: &str| send(server.address(), "GET", target, &[], None);
    for (target, text) in [
        ("/select", r#"[{"from":1,"a b":"x","a_b":"y","A B":"z","1":2,"\"":3}]"#),
        ("/a%20table", "[]"),
        ("/%F0%9F%98%80?%C3%BCn%C3%AF=eq.1", "[]"),
        ("/...", "[]"),
        ("/enums", r#"[{"id":1,"kind":"","kinds":["a","A","a b"]}]"#),
        ("/rpc/a%20function?an%20argument=7", "7"),
    ] {
        assert_eq!(get(target).text(), text, "{target}");
    }
    assert_eq!((get("/nothing").status, get("/").status), (200, 200));
    let listed = grpcurl(&[server.address(), "list"]).unwrap();
    let services: Vec<_> = listed.lines().filter(|line| !line.starts_with("grpc.")).collect();
    assert!(services.len() > 8, "{listed}");
    for service in services {
        grpcurl(&[server.address(), "describe", service]).unwrap();
    }
}
