//! A client that stops in each phase of its connection: the phase has a deadline, and what the client holds is given back.
//! And clients that want more than there is: connections, memory, descriptors, addresses.

use super::{SCHEMA, answers};
use crate::support::{
    database::Database,
    grpc_web,
    http::{Answer, Connection, send},
    server::Server,
    until,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    fs,
    io::{self, Read, Write},
    process::Command,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

const MORE: &str = "
    CREATE TABLE api.large AS SELECT number AS id, repeat('x', 1000) AS text FROM generate_series(1, 8000) number;
    GRANT SELECT ON api.large TO anonymous;
    CREATE FUNCTION api.wait() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_advisory_lock_shared(4711)';
    CREATE FUNCTION api.keep(jsonb) RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_advisory_lock_shared(4711)';
    CREATE FUNCTION api.slow() RETURNS int LANGUAGE sql SET statement_timeout = '100ms' AS 'SELECT 1 FROM pg_sleep(60)';
    CREATE FUNCTION api.noted(length int) RETURNS text LANGUAGE sql AS
        $$ INSERT INTO api.items (id) VALUES (1000); SELECT repeat('x', length) $$;
    CREATE FUNCTION api.forge() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN RAISE SQLSTATE 'XX000' USING MESSAGE = E'broken\n01/Jan/2026:00:00:00 +0000: all is well'; END $$;
";

/// The lock that `api.wait` waits for.
const LOCK: i64 = 4711;

fn command(database: &Database, more: &[(&str, &str)]) -> Command {
    let mut command = Command::new(crate::support::server::binary());
    configure(&mut command, database, more);
    command
}

fn configure(command: &mut Command, database: &Database, more: &[(&str, &str)]) {
    command
        .env("PGRST_SERVER_HOST", "127.0.0.1")
        .env("PGRST_SERVER_PORT", "0")
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .envs(more.iter().copied());
}

fn serve(more: &[(&str, &str)]) -> (Database, Server) {
    let database = Database::fresh(&format!("{SCHEMA}{MORE}"));
    let server = Server::run(command(&database, more));
    (database, server)
}

/// Status and code of an answer.
fn told(answer: &Answer) -> (u16, Option<String>) {
    (answer.status, answer.code())
}

/// What is asserted of an error.
fn error(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

/// The beginning of a request that goes on with a body of `length` bytes.
fn posting(target: &str, length: usize) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// An open connection on which these bytes were sent.
fn sent(server: &Server, bytes: &[u8]) -> Connection {
    let mut connection = Connection::open(server.address());
    connection.write(bytes).unwrap();
    connection
}

/// Whether the server has closed the connection, which says nothing otherwise.
fn is_closed(connection: &mut Connection) -> bool {
    matches!(connection.answer("GET"), Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset))
}

#[test]
fn a_head_has_a_deadline() {
    let (_database, server) = serve(&[("PGDUET_SERVER_HEAD_TIMEOUT", "1")]);
    for beginning in ["", "G", "GET /items HTTP/1.1\r\nHost: x\r\nX-Never: ending", "PRI * HTTP/2.0\r\n\r\nS"]
    {
        assert!(is_closed(&mut sent(&server, beginning.as_bytes())), "{beginning}");
    }
    let mut kept = Connection::open(server.address());
    assert_eq!(kept.send("GET", "/items?limit=0", &[], None).unwrap().status, 200);
    assert!(is_closed(&mut kept), "what is idle ends too");
    assert!(answers(&server));
}

#[test]
fn a_refusal_reads_a_short_body_or_says_that_the_connection_ends() {
    let (_database, server) = serve(&[("PGRST_JWT_SECRET", "reallyreallyreallyreallyverysafe")]);
    // Not closed: the body comes behind the head, and the next request behind that.
    let head = "POST /items HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\n\r\n";
    let mut kept = sent(&server, head.as_bytes());
    kept.write(b"{}").unwrap();
    assert_eq!(kept.answer("POST").unwrap().status, 401);
    assert_eq!(kept.send("GET", "/items?limit=0", &[], None).unwrap().status, 200);
    for (target, length) in [("/docs/", 2), ("/items", 100_000)] {
        let head = head.replace("/items", target).replace(": 2", &format!(": {length}"));
        let mut ending = sent(&server, head.as_bytes());
        let answer = ending.answer("POST").unwrap();
        assert_eq!(answer.header("connection").as_deref(), Some("close"), "{target}");
        assert!(is_closed(&mut ending), "{target}");
    }
}

#[test]
fn a_body_has_to_go_on_coming() {
    let (_database, server) = serve(&[("PGDUET_SERVER_READ_TIMEOUT", "1")]);
    let mut stopped = sent(&server, format!("{}{{\"id\":", posting("/items", 100)).as_bytes());
    assert_eq!(told(&stopped.answer("POST").unwrap()), error(408, "PGDUET15"));
    assert!(is_closed(&mut stopped));
    let call =
        "POST /api.v1.ItemsService/ListItems HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nContent-Type: ";
    let mut stopped =
        sent(&server, format!("{call}application/grpc-web+proto\r\n\r\n\0\0\0\0\x5f").as_bytes());
    assert_eq!(stopped.answer("POST").unwrap().header("grpc-status").as_deref(), Some("4"));
    let mut stopped = sent(&server, format!("{call}application/json\r\n\r\n{{").as_bytes());
    assert_eq!(stopped.answer("POST").unwrap().status, 504);
    // A byte now and then is no progress.
    let mut slow = sent(&server, posting("/items", 100).as_bytes());
    let began = Instant::now();
    while slow.write(b" ").is_ok() && began.elapsed() < Duration::from_secs(3) {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(told(&slow.answer("POST").unwrap()), error(408, "PGDUET15"));
    // What goes on is waited for.
    let piece = " ".repeat(16 * 1024);
    let mut long = sent(&server, posting("/items", 6 * piece.len() + 8).as_bytes());
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(300));
        long.write(piece.as_bytes()).unwrap();
    }
    long.write(b"{\"id\":7}").unwrap();
    assert_eq!(long.answer("POST").unwrap().status, 201);
    assert!(answers(&server));
}

#[tokio::test]
async fn a_connection_to_the_database_is_waited_for_so_long() {
    let (database, server) = serve(&[("PGRST_DB_POOL", "1"), ("PGRST_DB_POOL_ACQUISITION_TIMEOUT", "1")]);
    let holder = database.client().await;
    holder.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.unwrap();
    let mut running = sent(&server, format!("{}{{}}", posting("/rpc/wait", 2)).as_bytes());
    until("the only connection is in use", || {
        (send(server.address(), "GET", "/items", &[], None).status == 504).then_some(())
    });
    let mut connection = Connection::open(server.address());
    assert_eq!(told(&connection.send("GET", "/items", &[], None).unwrap()), error(504, "PGRST003"));
    let reply = grpc_web::call(&mut connection, "api.v1.ItemsService/ListItems", b"").unwrap();
    assert_eq!(reply.status, 14);
    holder.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.unwrap();
    assert_eq!(running.answer("POST").unwrap().status, 200);
}

#[test]
fn running_has_the_deadline_that_the_database_says() {
    let (_database, server) = serve(&[]);
    let answer = send(server.address(), "POST", "/rpc/slow", &[], Some("{}"));
    assert_eq!(answer.code().as_deref(), Some("57014"));
    assert!(answers(&server));
}

/// How many sockets the server has open.
fn sockets(server: &Server) -> usize {
    let links = fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
    let targets = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn an_answer_has_to_be_read() {
    let (_database, server) = serve(&[("PGDUET_SERVER_WRITE_TIMEOUT", "1"), ("PGRST_DB_POOL", "1")]);
    assert!(answers(&server));
    let before = sockets(&server);
    let unread: Vec<_> = (0..3)
        .map(|_| {
            let mut client = std::net::TcpStream::connect(server.address()).unwrap();
            client.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            // It is being answered, and that is all that is read.
            client.read_exact(&mut [0; 12]).unwrap();
            client
        })
        .collect();
    until("the connections are closed", || (sockets(&server) <= before).then_some(()));
    drop(unread);
    assert!(answers(&server));
}

/// A client of HTTP/2 that takes as many bytes of each answer as it says, and no more.
pub(super) async fn client(
    server: &Server,
    window: u32,
) -> (hyper::client::conn::http2::SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<()>) {
    let stream = TokioIo::new(TcpStream::connect(server.address()).await.unwrap());
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .initial_connection_window_size(1 << 24)
        .handshake(stream)
        .await
        .unwrap();
    let ended = tokio::spawn(async move {
        let _closed = connection.await;
    });
    (sender, ended)
}

fn get(server: &Server, target: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(format!("{}{target}", server.url())).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn an_answer_has_to_be_read_over_http_2_too_where_the_socket_says_nothing() {
    let (_database, server) = serve(&[("PGDUET_SERVER_WRITE_TIMEOUT", "2")]);
    // Of this one nothing is read, though the client answers every ping and reads other answers.
    let (mut sender, ended) = client(&server, 0).await;
    let unread = sender.send_request(get(&server, "/large")).await.unwrap();
    assert_eq!(unread.status(), 200);
    while !ended.is_finished() {
        let Ok(head) = sender.send_request(get(&server, "/items?id=eq.0")).await else { break };
        drop(head);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ended.await.unwrap();
    // Who reads gets everything, however small the steps.
    let (mut sender, ended) = client(&server, 1 << 16).await;
    let read = sender.send_request(get(&server, "/large?order=id")).await.unwrap();
    let body = read.into_body().collect().await.unwrap().to_bytes();
    assert!(body.len() > 8_000_000 && body.ends_with(b"}]"), "{}", body.len());
    drop(sender);
    ended.await.unwrap();
}

#[tokio::test]
async fn bodies_and_answers_hold_no_more_memory_than_there_is() {
    let limit = [
        ("PGDUET_SERVER_MAX_MEMORY", "1000000"),
        ("PGRST_DB_TX_END", "rollback"),
        ("PGDUET_SERVER_WRITE_TIMEOUT", "3600"),
    ];
    let (database, server) = serve(&limit);
    let read = |rows: usize| send(server.address(), "GET", &format!("/large?limit={rows}"), &[], None);
    assert_eq!(read(800).status, 200);
    assert_eq!(told(&read(2000)), error(500, "PGDUET10"), "more than there ever is");
    let too_large = send(server.address(), "POST", "/items", &[], Some(&"x".repeat(1_000_001)));
    assert_eq!(told(&too_large), error(413, "PGDUET01"));

    // The bodies of requests that run hold it.
    let holder = database.client().await;
    holder.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.unwrap();
    let half = format!("{}\"{}\"", posting("/rpc/keep", 450_000), "x".repeat(449_998));
    let holding = [sent(&server, half.as_bytes()), sent(&server, half.as_bytes())];
    let refused = until("the memory is used up", || {
        let answer = read(400);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(told(&refused), error(503, "PGDUET16"));
    assert_eq!(refused.header("retry-after").as_deref(), Some("1"));
    let body = format!("[{{\"id\":7,\"name\":\"{}\"}}]", "x".repeat(200_000));
    assert_eq!(told(&send(server.address(), "POST", "/items", &[], Some(&body))), error(503, "PGDUET16"));
    let reply = |message: &[u8]| {
        grpc_web::call(&mut Connection::open(server.address()), "api.v1.ItemsService/ListItems", message)
            .unwrap()
    };
    assert_eq!(reply(&[b"\x22\xc0\x9a\x0c", &[b' '; 200_000][..]].concat()).status, 8);
    // What has been carried out is answered all the same.
    let noted = send(server.address(), "POST", "/rpc/noted", &[], Some("{\"length\":300000}"));
    assert_eq!((noted.status, noted.body.len()), (200, 300_002));
    drop(holding);
    until("it is given back", || (read(800).status == 200).then_some(()));
    assert_eq!(reply(b"").status, 0);

    // An answer that nobody reads holds it, too. It is in the way of others, and goes, though there is time to read it.
    let (mut sender, ended) = client(&server, 0).await;
    let unread = sender.send_request(get(&server, "/large?limit=900")).await.unwrap();
    assert_eq!(unread.status(), 200);
    assert_eq!(told(&read(900)), error(503, "PGDUET16"));
    until("it has made room", || (read(900).status == 200).then_some(()));
    ended.await.unwrap();
}

#[test]
fn nothing_is_reserved_for_what_is_only_announced() {
    let database = Database::fresh(SCHEMA);
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"ulimit -v 3000000 && exec "$0""#]).arg(crate::support::server::binary());
    configure(&mut limited, &database, &[]);
    let server = Server::run(limited);
    let announcing: Vec<_> = (0..60)
        .map(|_| sent(&server, format!("{}[", posting("/items", 134_217_728)).as_bytes()))
        .chain((0..2000).map(|_| {
            // A frame of gRPC announces as much as is taken.
            let head =
                "POST /api.v1.ItemsService/ListItems HTTP/1.1\r\nHost: x\r\nContent-Length: 4000005\r\n";
            sent(&server, format!("{head}Content-Type: application/grpc\r\n\r\n\0\0\x3d\x09\0").as_bytes())
        }))
        .collect();
    assert!(answers(&server));
    drop(announcing);
    assert!(answers(&server));
}

#[test]
fn where_there_is_no_room_for_a_connection_the_longest_idle_one_goes() {
    let (_database, server) = serve(&[("PGDUET_SERVER_MAX_CONNECTIONS", "3")]);
    let mut busy = sent(&server, posting("/items", 9).as_bytes());
    let mut idle = [Connection::open(server.address()), Connection::open(server.address())];
    for connection in &mut idle {
        assert_eq!(connection.send("GET", "/items?limit=0", &[], None).unwrap().status, 200);
    }
    assert!(answers(&server), "a fourth is served");
    let [mut longest, mut other] = idle;
    assert!(is_closed(&mut longest));
    assert_eq!(other.send("GET", "/items?limit=0", &[], None).unwrap().status, 200);
    busy.write(b"{\"id\":10}").unwrap();
    assert_eq!(busy.answer("POST").unwrap().status, 201, "who is at work stays");
    // However many come and say nothing, whoever asks is answered.
    let _silent: Vec<_> = (0..50).map(|_| Connection::open(server.address())).collect();
    assert!(answers(&server));
}

#[test]
fn clients_that_dribble_do_not_keep_others_out() {
    let (_database, server) = serve(&[("PGDUET_SERVER_MAX_CONNECTIONS", "6")]);
    // Half of them write slowly, and half of them read slowly: each would go on for very long.
    let dribbling: Vec<_> = (0..6)
        .map(|number| {
            let mut client = std::net::TcpStream::connect(server.address()).unwrap();

            std::thread::spawn(move || {
                let end = Instant::now() + Duration::from_secs(20);
                let request = match number % 2 {
                    0 => posting("/items", 100_000),
                    _ => "GET /large HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
                };
                client.write_all(request.as_bytes()).unwrap();
                let mut went_on = || match number % 2 {
                    0 => client.write_all(b" ").is_ok(),
                    _ => client.read(&mut [0; 12]).is_ok_and(|read| read > 0),
                };
                while Instant::now() < end && went_on() {
                    std::thread::sleep(Duration::from_millis(100));
                }

                Instant::now() < end
            })
        })
        .collect();
    until("all connections are taken", || (sockets(&server) >= 7).then_some(()));
    for _ in 0..6 {
        let began = Instant::now();
        assert!(answers(&server));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    assert!(dribbling.into_iter().any(|client| client.join().unwrap()), "none had to go");
}

#[test]
fn the_process_takes_all_descriptors_that_it_may_have() {
    let database = Database::fresh(SCHEMA);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", r#"ulimit -Sn 100 && ulimit -Hn 300 && exec "$0""#])
        .arg(crate::support::server::binary());
    configure(&mut limited, &database, &[]);
    let server = Server::run(limited);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["300", "300"]);
    server.says("server-max-connections is 226 and not 10000", 1);
    // More clients than descriptors, and still whoever asks is answered.
    let _silent: Vec<_> = (0..400).map(|_| Connection::open(server.address())).collect();
    assert!(answers(&server));
}

#[test]
fn a_database_cannot_write_a_line_into_the_log() {
    let (_database, server) = serve(&[]);
    assert_eq!(send(server.address(), "POST", "/rpc/forge", &[], Some("{}")).status, 500);
    server.says("broken\\n01/Jan/2026", 1);
    assert!(!server.log().lines().any(|line| line.ends_with(": all is well") && !line.contains("broken")));
}
