//! What those are told who ask how the server is: while loads fail, and before it ends; and that a load does not keep it
//! from ending.

use super::{SCHEMA, answers, pgduet, serve};
use crate::support::{
    PATIENCE, address,
    database::Database,
    http::send,
    server::Server,
    tools::{grpcurl, stdout},
    until,
};
use std::{
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
    thread,
};
use tokio_postgres::Client;

/// Whether the whole server is said to serve.
pub(super) fn is_serving(server: &Server) -> bool {
    let told = grpcurl(&["-d", "{}", server.address(), "grpc.health.v1.Health/Check"]).unwrap();
    match told.contains("\"SERVING\"") {
        true => true,
        false => {
            assert!(told.contains("\"NOT_SERVING\""), "{told}");
            false
        }
    }
}

/// A lock file of the schema, in a directory of its own.
fn locked(database: &Database) -> PathBuf {
    let out = env::temp_dir().join(format!("pgduet-health-{}", database.name()));
    let mut command = pgduet();
    command.env("PGRST_DB_URI", database.uri("authenticator")).env("PGRST_DB_SCHEMAS", "api");
    stdout(command.args(["proto", "--out"]).arg(&out));
    out.join("pgduet.lock.json")
}

/// A server with a lock file, and the address of its admin server.
fn serve_locked(database: &Database, lock: &Path) -> (Server, String) {
    let admin = address::free();
    let port = admin.port().to_string();
    let server = serve(
        database,
        &[
            ("PGRST_ADMIN_SERVER_PORT", &port),
            ("PGDUET_GRPC_LOCK", lock.to_str().unwrap()),
            ("PGRST_DB_SCHEMAS", "api,more"),
        ],
    );
    (server, admin.to_string())
}

/// The value of a number on the admin server's page.
fn metric(admin: &str, name: &str) -> f64 {
    let page = send(admin, "GET", "/metrics", &[], None).text();
    page.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
}

/// What makes loads fail, or lets them succeed again.
type Change<'c> = &'c dyn Fn();

#[test]
fn a_reload_that_fails_leaves_what_is_there_in_service() {
    let database = Database::fresh(&format!("{SCHEMA} CREATE SCHEMA more"));
    let lock = locked(&database);
    let (server, admin) = serve_locked(&database, &lock);
    let text = fs::read_to_string(&lock).unwrap();
    let failed = "pgrst_schema_cache_loads_total{status=\"FAIL\"}";
    let ready = || send(&admin, "GET", "/ready", &[], None).status;
    until("the database is seen", || is_serving(&server).then_some(()));
    assert_eq!((ready(), metric(&admin, "pgduet_schema_cache_stale")), (200, 0.0));
    let broken: [(Change<'_>, Change<'_>); 2] = [
        (&|| fs::write(&lock, "{").unwrap(), &|| fs::write(&lock, &text).unwrap()),
        (&|| database.execute("DROP SCHEMA more"), &|| database.execute("CREATE SCHEMA more")),
    ];
    for (round, (spoil, mend)) in (1..).zip(broken) {
        spoil();
        let failures = metric(&admin, failed);
        server.signal("USR1");
        until("the load fails", || (metric(&admin, failed) > failures).then_some(()));
        assert_eq!((ready(), metric(&admin, "pgduet_schema_cache_stale")), (200, 1.0));
        assert!(answers(&server) && is_serving(&server));
        server.says("; the one there is stays in service: ", round);
        mend();
        until("the next attempt succeeds", || {
            (metric(&admin, "pgduet_schema_cache_stale") == 0.0).then_some(())
        });
        assert!(ready() == 200 && answers(&server) && is_serving(&server));
    }
    fs::remove_dir_all(lock.parent().unwrap()).unwrap();
}

#[test]
fn those_who_watch_health_are_told_of_the_end_before_it_comes() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    until("the database is seen", || is_serving(&server).then_some(()));
    let mut watching = TcpStream::connect(server.address()).unwrap();
    watching.set_read_timeout(Some(PATIENCE)).unwrap();
    watching
        .write_all(
            b"POST /grpc.health.v1.Health/Watch HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\
              Content-Type: application/grpc-web+proto\r\n\r\n\0\0\0\0\0",
        )
        .unwrap();
    // A frame of a message with its one field.
    let is_told = |heard: &[u8], status| heard.windows(7).any(|frame| frame == [0, 0, 0, 0, 2, 8, status]);
    let mut heard = Vec::new();
    while !is_told(&heard, 1) {
        let mut some = [0; 1024];
        let length = watching.read(&mut some).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&some[..length]);
    }
    assert!(!is_told(&heard, 2));
    server.signal("TERM");
    watching.read_to_end(&mut heard).unwrap();
    assert!(is_told(&heard, 2), "{}", String::from_utf8_lossy(&heard));
    assert_eq!(server.wait().code(), Some(0));
}

/// Holds what a load waits for, until the transaction on this connection ends.
pub(super) async fn hold_catalog(database: &Database) -> Client {
    let holder = database.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE pg_description IN ACCESS EXCLUSIVE MODE").await.unwrap();
    holder
}

/// How many loads wait for it.
async fn waiting_loads(holder: &Client) -> i64 {
    const COUNT: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 2609
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    holder.query_one(COUNT, &[]).await.unwrap().get(0)
}

/// Waits until one does.
pub(super) async fn until_load_waits(holder: &Client) {
    while waiting_loads(holder).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// Waits for the end of a server that may never end.
fn ends(server: Server) -> Option<i32> {
    let (say, heard) = mpsc::channel();
    thread::spawn(move || say.send(server.wait().code()));
    heard.recv_timeout(PATIENCE).expect("the process ends")
}

#[test]
fn a_load_that_never_ends_on_this_side_does_not_keep_the_process() {
    let database = Database::fresh(&format!("{SCHEMA} CREATE SCHEMA more"));
    let lock = locked(&database);
    let (server, _) = serve_locked(&database, &lock);
    // Whoever reads it waits for somebody to write.
    fs::remove_file(&lock).unwrap();
    assert!(Command::new("mkfifo").arg(&lock).status().unwrap().success());
    server.signal("USR1");
    server.says("Schema cache loaded", 2);
    assert!(answers(&server) && is_serving(&server));
    server.signal("TERM");
    assert_eq!(ends(server), Some(0));
    fs::remove_dir_all(lock.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn a_load_that_waits_for_the_database_does_not_keep_the_process() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let holder = hold_catalog(&database).await;
    server.signal("USR1");
    until_load_waits(&holder).await;
    assert!(answers(&server));
    server.signal("TERM");
    assert_eq!(ends(server), Some(0));
    assert_eq!(waiting_loads(&holder).await, 0, "it goes with the process");
}
