//! Many rows in one request: PostgreSQL gets all of them, and the server's memory grows with the body and not with the
//! number of rows. What is measured is the whole life of a server of its own, its start included.

use crate::support::{
    database::Database,
    http::{Answer, Connection},
    server::Server,
};
use std::{fmt::Write as _, fs};

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.readings (id int PRIMARY KEY, sensor text NOT NULL, value numeric, note text);
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT SELECT, INSERT ON api.readings TO anonymous;
";

const ROWS: usize = 100_000;

/// What a server may need beyond the body it was sent.
const BESIDES_THE_BODY: usize = 64 << 20;

/// Sends a body of all the rows to a server of its own, which has to stay below the bound, and gives what PostgreSQL
/// then has.
fn insert(content_type: &str, body: &str) -> Answer {
    let database = Database::fresh(SCHEMA);
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_AGGREGATES_ENABLED", "true"),
    ]);
    let mut connection = Connection::open(server.address());
    let inserted = connection
        .send("POST", "/readings", &[("Content-Type", content_type)], Some(body.as_bytes()))
        .unwrap();
    assert_eq!(inserted.status, 201, "{}", inserted.text());
    let (peak, bound) = (peak_memory(server.id()), body.len() + BESIDES_THE_BODY);
    eprintln!("{content_type}: a body of {} bytes, a peak of {peak}, a bound of {bound}", body.len());
    assert!(peak < bound, "{content_type}: {peak} bytes for a body of {}", body.len());
    connection.send("GET", "/readings?select=count(),id.min(),id.max(),value.sum()", &[], None).unwrap()
}

/// The most memory that a process has had so far, in bytes.
pub(crate) fn peak_memory(process: u32) -> usize {
    memory(process, "VmHWM:")
}

/// The memory that a process has now, in bytes.
pub(crate) fn resident_memory(process: u32) -> usize {
    memory(process, "VmRSS:")
}

/// What `/proc` says of a process's memory under this name, in bytes.
fn memory(process: u32, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

const ALL: &str = r#"[{"count":100000,"min":1,"max":100000,"sum":2500025000.0}]"#;

#[test]
fn a_hundred_thousand_json_rows_are_one_request_in_bounded_memory() {
    let mut body = String::from("[");
    for id in 1..=ROWS {
        let comma = if id == 1 { "" } else { "," };
        let value = id as f64 / 2.0;
        write!(
            body,
            r#"{comma}{{"id":{id},"sensor":"north {id}","value":{value:.1},"note":"nothing to say"}}"#
        )
        .unwrap();
    }
    body.push(']');
    assert_eq!(insert("application/json", &body).text(), ALL);
}

#[test]
fn a_hundred_thousand_csv_rows_are_one_request_in_bounded_memory() {
    let mut body = String::from("id,sensor,value,note\n");
    for id in 1..=ROWS {
        let value = id as f64 / 2.0;
        writeln!(body, "{id},north {id},{value:.1},nothing to say").unwrap();
    }
    assert_eq!(insert("text/csv", &body).text(), ALL);
}

#[test]
fn the_memory_of_a_large_body_is_given_back() {
    const BODY: usize = 48 << 20;
    let database = Database::fresh(SCHEMA);
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_TX_END", "rollback"),
    ]);
    let mut connection = Connection::open(server.address());
    let mut insert = |note: &str| {
        let body = format!(r#"{{"id":1,"sensor":"s","note":"{note}"}}"#);
        assert_eq!(connection.send("POST", "/readings", &[], Some(body.as_bytes())).unwrap().status, 201);
        resident_memory(server.id())
    };
    let before = insert("small");
    let large = "x".repeat(BODY);
    let after = (0..3).map(|_| insert(&large)).last().unwrap();
    eprintln!("{before} bytes before and {after} after three bodies of {BODY}");
    assert!(after < before + BODY / 2, "{after} bytes are left of {before} and three bodies of {BODY}");
}
