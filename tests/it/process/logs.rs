//! Logs: nobody waits for whoever reads them, what repeats is told once a second, and each form of them tells what it
//! should.

use super::{SCHEMA, answers, pgduet, serve};
use crate::support::{
    address::free,
    database::Database,
    http::{Connection, send},
    server::Server,
    until,
};
use serde_json::Value;
use std::{
    process::Stdio,
    time::{Duration, Instant},
};

#[test]
fn logs_that_nobody_reads_hold_nothing_up() {
    let database = Database::fresh(SCHEMA);
    let (main, admin) = (free(), free());
    let mut child = pgduet()
        .env("PGRST_SERVER_PORT", main.port().to_string())
        .env("PGRST_ADMIN_SERVER_PORT", admin.port().to_string())
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .env("PGRST_LOG_LEVEL", "info")
        .env("PGRST_LOG_QUERY", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (main, admin) = (main.to_string(), admin.to_string());
    let get = |path: &str| send(&admin, "GET", path, &[], None);
    until("it is ready", || {
        let ready =
            std::net::TcpStream::connect(&admin).is_ok() && std::net::TcpStream::connect(&main).is_ok();
        (ready && get("/ready").status == 200).then_some(())
    });
    let agent = "x".repeat(60_000);
    let mut connection = Connection::open(&main);
    // More than the buffer of the process and both pipes take.
    for _ in 0..100 {
        let headers = [("User-Agent", agent.as_str())];
        assert_eq!(connection.send("GET", "/items?select=id", &headers, None).unwrap().status, 200);
    }
    assert_eq!(get("/ready").status, 200);
    let dropped = get("/metrics").text();
    let dropped = dropped.lines().find_map(|line| line.strip_prefix("pgduet_log_lines_dropped_total "));
    assert!(dropped.unwrap().parse::<f64>().unwrap() > 0.0, "{dropped:?}");
    let began = Instant::now();
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let code = until("it ends", || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_last_word_that_nobody_reads_does_not_keep_the_process() {
    let (reader, writer) = std::io::pipe().unwrap();
    // A pipe that is full.
    let mut full = writer.try_clone().unwrap();
    std::thread::spawn(move || std::io::Write::write_all(&mut full, &[b'x'; 1 << 20]));
    let mut child = pgduet().env("PGRST_SERVER_PORT", "abc").stderr(writer).spawn().unwrap();
    let code = until("it ends", || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(1));
    drop(reader);
}

#[test]
fn what_fails_again_and_again_is_told_once_a_second_with_its_number() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let began = Instant::now();
    for _ in 0..300 {
        assert_eq!(send(server.address(), "POST", "/rpc/fail", &[], Some("{}")).status, 500);
    }
    let seconds = began.elapsed().as_secs() + 2;
    server.says("more of this in the last second)", 1);
    let told = server.log().matches("broken inside").count();
    assert!(u64::try_from(told).unwrap() <= 1 + seconds, "{told} lines in {seconds} s");
    let log = until("all are counted", || {
        let log = server.log();
        let again =
            log.lines().filter_map(|line| line.split_once(" (")?.1.split(' ').next()?.parse::<u64>().ok());
        let again: u64 = log.lines().filter(|line| line.contains("broken inside")).count() as u64
            - again.clone().count() as u64
            + again.sum::<u64>();
        (again == 300).then_some(log)
    });
    assert!(log.contains("XX000"), "{log}");
}

/// The lines of the access log, as soon as there are so many.
pub(super) fn lines(server: &Server, count: usize) -> Vec<Value> {
    let log = until("the lines are written", || {
        Some(server.access_log()).filter(|log| log.lines().count() >= count)
    });
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn json_tells_ids_stages_rows_and_bytes_and_no_values_unless_asked() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let database = Database::fresh(SCHEMA);
    for (log_query, path) in [("false", "/items"), ("true", "/items?name=eq.one")] {
        let server = serve(
            &database,
            &[("PGRST_LOG_LEVEL", "info"), ("PGDUET_LOG_FORMAT", "json"), ("PGRST_LOG_QUERY", log_query)],
        );
        let headers = [("X-Request-Id", "r-1"), ("Traceparent", TRACE)];
        let answer = send(server.address(), "GET", "/items?name=eq.one", &headers, None);
        assert_eq!(answer.status, 200);
        assert_eq!(send(server.address(), "GET", "/nope", &[], None).status, 404);
        let told = lines(&server, 2);
        let first = &told[0];
        for (name, value) in [
            ("request_id", Value::from("r-1")),
            ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736".into()),
            ("method", "GET".into()),
            ("path", path.into()),
            ("status", 200.into()),
            ("role", "anonymous".into()),
            ("rows", 1.into()),
            ("bytes", answer.body.len().into()),
            ("address", "127.0.0.1".into()),
        ] {
            assert_eq!(first[name], value, "{name} of {first}");
        }
        assert!(first["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{first}");
        for stage in ["total", "jwt", "parse", "plan", "transaction", "wait", "database", "response"] {
            assert!(first["durations"][stage].is_f64(), "{stage} of {first}");
        }
        let query = first["query"].as_str();
        assert_eq!(query.is_some_and(|sql| sql.contains("\"items\"")), log_query == "true", "{first}");
        assert_eq!((&told[1]["status"], &told[1]["rows"]), (&404.into(), &Value::Null));
        assert_eq!(told[1]["request_id"].as_str().unwrap().len(), 16);
        // Diagnostics have the same form.
        for line in server.log().lines().filter(|line| !line.contains("listening on")) {
            let told: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(told["message"].is_string() && told["level"].is_string(), "{line}");
        }
    }
}

#[test]
fn json_tells_the_status_of_a_grpc_call() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_LOG_LEVEL", "info"), ("PGDUET_LOG_FORMAT", "json")]);
    let list = ["-d", "{}", server.address(), "api.v1.ItemsService/ListItems"];
    crate::support::tools::grpcurl(&list).unwrap();
    let told = until("the call is told", || {
        lines(&server, 1).into_iter().find(|line| line["path"] == "/api.v1.ItemsService/ListItems")
    });
    assert_eq!(
        (&told["grpc_status"], &told["status"], &told["rows"]),
        (&"OK".into(), &200.into(), &1.into()),
        "{told}"
    );
    assert!(told["durations"]["database"].is_f64(), "{told}");
}

#[test]
fn log_query_shows_the_sql_of_the_requests_that_are_shown() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_LOG_LEVEL", "error"), ("PGRST_LOG_QUERY", "true")]);
    assert!(answers(&server));
    assert_eq!(send(server.address(), "POST", "/rpc/fail", &[], Some("{}")).status, 500);
    server.says("\"api\".\"fail\"", 1);
    assert!(!server.log().contains("\"api\".\"items\""), "{}", server.log());
}

#[test]
fn at_the_level_crit_nothing_is_said() {
    let database = Database::fresh(SCHEMA);
    let place = free();
    let child = pgduet()
        .env("PGRST_SERVER_PORT", place.port().to_string())
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .env("PGRST_LOG_LEVEL", "crit")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let address = place.to_string();
    until("it answers", || std::net::TcpStream::connect(&address).is_ok().then_some(()));
    assert_eq!(send(&address, "POST", "/rpc/fail", &[], Some("{}")).status, 500);
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}
