//! Ending, and what happens to requests that are under way.

use super::{
    SCHEMA, answers, call_wait,
    health::{hold_catalog, until_load_waits},
    hold, pgduet, release, serve, until_waiting, waiting,
};
use crate::support::{
    PATIENCE,
    database::Database,
    http::{Connection, send},
    server::Server,
    until,
};
use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use tokio_postgres::Client;

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_process_ends() {
    for signal in ["TERM", "INT"] {
        let database = Database::fresh(SCHEMA);
        let server = serve(&database, &[]);
        let idle = Connection::open(server.address());
        let holder = hold(&database).await;
        let call = call_wait(&server);
        until_waiting(&holder, &database, 1).await;
        server.signal(signal);
        until("new connections are refused", || TcpStream::connect(server.address()).is_err().then_some(()));
        release(holder).await;
        assert_eq!(call.join().unwrap(), 200, "{signal}");
        assert_eq!(server.wait().code(), Some(0), "{signal}");
        drop(idle);
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    for (first, second) in [("INT", "INT"), ("TERM", "TERM"), ("TERM", "INT")] {
        let database = Database::fresh(SCHEMA);
        let server = serve(&database, &[("PGDUET_SERVER_DRAIN_TIMEOUT", "600")]);
        let holder = hold(&database).await;
        let call = call_wait_to_any_end(&server);
        until_waiting(&holder, &database, 1).await;
        server.signal(first);
        until("new connections are refused", || TcpStream::connect(server.address()).is_err().then_some(()));
        assert!(!call.is_finished(), "it is waited for");
        server.signal(second);
        assert_eq!(server.wait().code(), Some(1), "{first}, {second}");
        assert!(call.join().unwrap().is_err());
        release(holder).await;
    }
}

#[tokio::test]
async fn what_is_not_finished_in_time_is_cut_off() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGDUET_SERVER_DRAIN_TIMEOUT", "1")]);
    let holder = hold(&database).await;
    let call = call_wait_to_any_end(&server);
    until_waiting(&holder, &database, 1).await;
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    none_is_left(&holder, &database).await;
    assert!(call.join().unwrap().is_err());
    release(holder).await;
}

/// What is loaded when the signal comes may be older than what it announces.
#[tokio::test]
async fn a_reload_that_is_asked_for_during_the_first_load_follows_it() {
    let database = Database::fresh(SCHEMA);
    let holder = hold_catalog(&database).await;
    let mut child = pgduet()
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_CHANNEL_ENABLED", "false")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (say, heard) = mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
    until_load_waits(&holder).await;
    let signal = |name: &str| Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(signal("-USR1").success());
    holder.batch_execute("COMMIT").await.unwrap();
    let mut loads = 0;
    while loads < 2 {
        let line = heard.recv_timeout(PATIENCE).expect("it is loaded twice");
        loads += usize::from(line.contains("Schema cache loaded"));
    }
    assert!(signal("-TERM").success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// However the process ends, it takes along what it has asked for.
#[tokio::test]
async fn a_query_that_is_cut_off_does_not_outlive_the_process() {
    let database = Database::fresh(&format!(
        "{SCHEMA} CREATE FUNCTION api.wait_long() RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(60)::text'"
    ));
    let observer = database.client().await;
    // By the time-out, and by a second signal.
    let ends = [("1", &["TERM"][..]), ("600", &["TERM", "TERM"])];
    let ends =
        ends.into_iter().flat_map(|end| ["--http1.1", "--http2-prior-knowledge"].map(|http| (http, end)));
    for (http, (drain, signals)) in ends {
        let server = serve(&database, &[("PGDUET_SERVER_DRAIN_TIMEOUT", drain)]);
        let mut curl = Command::new("curl")
            .args(["-s", "--json", "{}", http, &format!("{}/rpc/wait_long", server.url())])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while running(&observer, &database).await == 0 {
            tokio::task::yield_now().await;
        }
        for signal in signals {
            server.signal(signal);
            until("new connections are refused", || {
                TcpStream::connect(server.address()).is_err().then_some(())
            });
        }
        server.wait();
        none_is_left(&observer, &database).await;
        curl.wait().unwrap();
    }
}

/// Nothing that was asked for runs in PostgreSQL two seconds after the end.
async fn none_is_left(client: &Client, database: &Database) {
    let ended = Instant::now();
    while running(client, database).await > 0 {
        assert!(ended.elapsed() < Duration::from_secs(2), "PostgreSQL goes on");
        tokio::task::yield_now().await;
    }
}

/// How many queries of the server PostgreSQL works on.
async fn running(client: &Client, database: &Database) -> i64 {
    const COUNT: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = $1 AND usename = 'authenticator' AND state = 'active'";
    client.query_one(COUNT, &[&database.name()]).await.unwrap().get(0)
}

/// Calls `api.wait` from a thread of its own: the status of the answer, if there is one.
fn call_wait_to_any_end(server: &Server) -> std::thread::JoinHandle<std::io::Result<u16>> {
    let address = server.address().to_owned();
    std::thread::spawn(move || {
        let answer = Connection::open(&address).send("POST", "/rpc/wait", &[], Some(b"{}"))?;
        Ok(answer.status)
    })
}

#[test]
fn a_process_whose_database_says_nothing_can_be_ended() {
    // It lets connect, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = pgduet();
    command.env("PGRST_DB_URI", format!("postgresql://x@{}/x", silent.local_addr().unwrap()));
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let _connected = silent.accept().unwrap();
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_query_with_it() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_DB_POOL", "1")]);
    let holder = hold(&database).await;
    let mut connection = Connection::open(server.address());
    connection.write(b"POST /rpc/wait HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    until_waiting(&holder, &database, 1).await;
    drop(connection);
    until_waiting(&holder, &database, 0).await;
    assert!(answers(&server), "the only connection of the pool is free again");
}

#[tokio::test]
async fn a_pool_that_is_used_up_is_told_and_recovers() {
    let database = Database::fresh(SCHEMA);
    let server = serve(
        &database,
        &[
            ("PGRST_DB_POOL", "1"),
            ("PGRST_DB_POOL_ACQUISITION_TIMEOUT", "1"),
            ("PGRST_JWT_SECRET", &"x".repeat(32)),
        ],
    );
    let holder = hold(&database).await;
    let call = call_wait(&server);
    until_waiting(&holder, &database, 1).await;
    for _ in 0..2 {
        let answer = send(server.address(), "GET", "/items", &[], None);
        assert_eq!((answer.status, answer.code().as_deref()), (504, Some("PGRST003")));
    }
    server.says("PGRST003", 1);
    // What needs no connection is answered as ever.
    for (method, target, headers, status) in [
        ("OPTIONS", "/items", &[][..], 200),
        ("GET", "/nope", &[], 404),
        ("GET", "/items/1", &[], 404),
        ("PATCH", "/rpc/wait", &[], 405),
        ("GET", "/items?select=id,nope(*)", &[], 400),
        ("GET", "/items", &[("Authorization", "Bearer a.b.c")], 401),
    ] {
        assert_eq!(send(server.address(), method, target, headers, None).status, status, "{method} {target}");
    }
    assert_eq!(waiting(&holder, &database).await, 1);
    release(holder).await;
    assert_eq!(call.join().unwrap(), 200);
    assert!(answers(&server));
}

#[test]
fn a_new_process_takes_over_the_port_without_a_failed_request() {
    let database = Database::fresh(SCHEMA);
    let sharing = ("PGRST_SERVER_REUSEPORT", "true");
    let old = serve(&database, &[sharing]);
    let port = old.address().rsplit(':').next().unwrap().to_owned();
    let again = [sharing, ("PGRST_SERVER_PORT", port.as_str())];
    let handed_over = |old: Server| {
        let new = serve(&database, &again);
        assert_eq!(new.address(), old.address());
        old.signal("TERM");
        let ended = std::thread::spawn(move || old.wait());
        while !ended.is_finished() {
            assert!(answers(&new));
        }
        assert_eq!(ended.join().unwrap().code(), Some(0));
        new
    };
    let last = handed_over(handed_over(old));
    assert!(answers(&last));
}
