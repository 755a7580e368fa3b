//! A schema of many tables that refer to each other: what the server holds of it while nobody calls their services, and
//! while it loads the schema again.

use crate::{
    bulk::{peak_memory, resident_memory},
    support::{
        database::Database,
        grpc::ID_1,
        grpc_web,
        http::{Connection, send},
        server::Server,
        tools::grpcurl,
        until,
    },
};
use std::fmt::Write as _;

const TABLES: usize = 2000;

/// What the process has without a schema.
const BESIDES: usize = 24 << 20;

/// What it may have of each table.
const OF_EACH: usize = 40_000;

#[test]
fn tables_take_memory_for_their_catalog_alone() {
    let mut schema = String::from("CREATE SCHEMA api;");
    for at in 0..TABLES {
        let parent = if at == 0 { String::new() } else { format!(" REFERENCES api.t{}", at - 1) };
        write!(
            schema,
            "CREATE TABLE api.t{at} (id int PRIMARY KEY, title text, author varchar, price numeric, added_at timestamptz,
                in_print bool, sold bigint, rating float8, isbn uuid, parent_id int{parent});"
        )
        .unwrap();
    }
    schema.push_str(
        "GRANT USAGE ON SCHEMA api TO anonymous; GRANT SELECT ON ALL TABLES IN SCHEMA api TO anonymous;",
    );
    let database = Database::fresh(&schema);
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
    ]);
    server.says("Schema cache loaded 2000 relations", 1);
    let status =
        |method: &str| grpc_web::call(&mut Connection::open(server.address()), method, &ID_1).unwrap().status;
    // Not found: the table is empty.
    assert_eq!(status("api.v1.T7sService/GetT7"), 5);
    let most = BESIDES + TABLES * OF_EACH;
    let held = resident_memory(server.id());
    assert!(held < most, "{held} bytes of {TABLES} tables, at most {most}");
    server.signal("USR1");
    server.says("Schema cache loaded 2000 relations", 2);
    assert_eq!(status("api.v1.T8sService/GetT8"), 5);
    let (peak, most) = (peak_memory(server.id()), BESIDES + TABLES * OF_EACH * 13 / 10);
    eprintln!("{held} bytes of {TABLES} tables, {peak} at the most");
    assert!(peak < most, "{peak} bytes during a reload, at most {most}");
    // What was served before is dropped, and what it took given back.
    until("memory is given back", || (resident_memory(server.id()) < held + held / 5).then_some(()));
    // Of so many, the one that has changed is read.
    database.execute("ALTER TABLE api.t9 ADD COLUMN note text; NOTIFY pgrst, 'reload schema api.t9'");
    server.says("Schema cache loaded 2000 relations", 3);
    let log = server.log();
    let last = log.lines().rfind(|line| line.contains("Schema cache loaded")).unwrap();
    // Other tests can have transactions that are older than the tables.
    eprintln!("{last}");
    let found = send(server.address(), "GET", "/t9?select=note", &[], None);
    assert_eq!((found.status, found.text().as_str()), (200, "[]"));
    until("memory is given back again", || (resident_memory(server.id()) < held + held / 5).then_some(()));
    // Reflection knows all of them.
    let described =
        grpcurl(&["-max-msg-sz", "100000000", server.address(), "describe", "api.v1.T1999sService"]).unwrap();
    assert!(described.contains("rpc ListT1999s"), "{described}");
}
