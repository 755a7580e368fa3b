//! Going down in good order: nobody's request fails while processes are replaced, balancers have time to notice, and a
//! service manager knows.

use super::{SCHEMA, answers, health::is_serving, pgduet, serve};
use crate::support::{
    address::free,
    database::Database,
    http::{Connection, send},
    server::Server,
    until,
};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    env, fs,
    io::{self, Read},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    over: AtomicBool,
    answered: AtomicU64,
}

/// A client over HTTP/1.1 that keeps its connection until it is told to leave it.
fn keeps(address: &str, seen: &Seen) {
    let mut connection = Connection::open(address);
    while !seen.over.load(Ordering::Relaxed) {
        let answer = connection.send("GET", "/items?select=id", &[], None).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"[{"id":1}]"#));
        seen.answered.fetch_add(1, Ordering::Relaxed);
        if answer.header("connection").as_deref() == Some("close") {
            connection = Connection::open(address);
        }
    }
}

/// One that connects anew for each request.
fn comes_and_goes(address: &str, seen: &Seen) {
    while !seen.over.load(Ordering::Relaxed) {
        assert_eq!(send(address, "GET", "/items?select=id", &[("Connection", "close")], None).status, 200);
        seen.answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Rest,
    Grpc,
}

async fn connected(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), stream).await.unwrap();
    // It says by its end that the server goes away.
    tokio::spawn(connection);
    sender
}

/// One over HTTP/2, which goes elsewhere when the server says that it goes away.
#[tokio::main(flavor = "current_thread")]
async fn multiplexes(address: &str, protocol: Protocol, seen: &Seen) {
    let mut sender = connected(address).await;
    while !seen.over.load(Ordering::Relaxed) {
        if sender.ready().await.is_err() {
            sender = connected(address).await;
            continue;
        }
        let request = match protocol {
            Protocol::Rest => Request::get(format!("http://{address}/items?select=id")).body(Full::default()),
            Protocol::Grpc => Request::post(format!("http://{address}/api.v1.ItemsService/ListItems"))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(Full::from(&b"\0\0\0\0\0"[..])),
        };
        let answer = match sender.try_send_request(request.unwrap()).await {
            Ok(answer) => answer,
            // It was never sent.
            Err(error) if error.message().is_some() => continue,
            Err(error) => panic!("{:?}", error.error()),
        };
        let head = answer.headers().clone();
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.unwrap();
        if protocol == Protocol::Grpc {
            let status = |headers: &HeaderMap| headers.get("grpc-status").cloned();
            assert_eq!(body.trailers().and_then(status).or(status(&head)).unwrap(), "0");
        }
        seen.answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn reads(address: &str, seen: &Seen) {
    multiplexes(address, Protocol::Rest, seen);
}

fn calls(address: &str, seen: &Seen) {
    multiplexes(address, Protocol::Grpc, seen);
}

type Act = fn(&str, &Seen);

#[test]
fn a_rolling_restart_of_four_processes_fails_no_request() {
    let database = Database::fresh(SCHEMA);
    let port = free().port().to_string();
    let start = || {
        serve(
            &database,
            &[("PGRST_SERVER_REUSEPORT", "true"), ("PGRST_SERVER_PORT", &port), ("PGRST_DB_POOL", "2")],
        )
    };
    let mut running: Vec<_> = (0..4).map(|_| start()).collect();
    let seen = Arc::<Seen>::default();
    let address = running[0].address().to_owned();
    let client = |act: Act| {
        let (address, seen) = (address.clone(), seen.clone());
        thread::spawn(move || act(&address, &seen))
    };
    let clients: Vec<JoinHandle<()>> =
        [keeps as Act, keeps, keeps, comes_and_goes, comes_and_goes, reads, calls].map(client).into();
    for _ in 0..running.len() {
        let old = running.remove(0);
        running.push(start());
        old.signal("TERM");
        assert_eq!(old.wait().code(), Some(0));
    }
    seen.over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    assert!(seen.answered.load(Ordering::Relaxed) > 100, "{}", seen.answered.load(Ordering::Relaxed));
}

#[test]
fn before_it_goes_a_server_says_so_and_serves_on() {
    let database = Database::fresh(SCHEMA);
    let admin = free();
    let server = serve(
        &database,
        &[("PGRST_ADMIN_SERVER_PORT", &admin.port().to_string()), ("PGDUET_SERVER_SHUTDOWN_DELAY", "2")],
    );
    until("the database is seen", || is_serving(&server).then_some(()));
    let admin = admin.to_string();
    let ready = || send(&admin, "GET", "/ready", &[], None);
    assert_eq!(ready().status, 200);
    let mut kept = Connection::open(server.address());
    assert_eq!(kept.send("GET", "/items", &[], None).unwrap().header("connection"), None);
    let began = Instant::now();
    server.signal("TERM");
    until("it says so", || (ready().status == 503).then_some(()));
    assert_eq!(ready().text(), "ending\n");
    assert!(!is_serving(&server) && answers(&server));
    let last = kept.send("GET", "/items", &[], None).unwrap();
    assert_eq!((last.status, last.header("connection").as_deref()), (200, Some("close")));
    assert_eq!(server.wait().code(), Some(0));
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(5), "{took:?}");
}

/// As most servers have it.
#[test]
fn sighup_reads_the_configuration_again() {
    let database = Database::fresh(SCHEMA);
    let file = env::temp_dir().join(format!("pgduet-hup-{}.conf", database.name()));
    let server = {
        fs::write(&file, "server-timing-enabled = false\n").unwrap();
        let mut command = pgduet();
        command
            .env("PGRST_DB_URI", database.uri("authenticator"))
            .env("PGRST_DB_SCHEMAS", "api")
            .env("PGRST_DB_ANON_ROLE", "anonymous")
            .arg(&file);
        Server::run(command)
    };
    let is_timed = || send(server.address(), "GET", "/items", &[], None).header("server-timing").is_some();
    assert!(!is_timed());
    fs::write(&file, "server-timing-enabled = true\n").unwrap();
    server.signal("HUP");
    until("it is read again", || is_timed().then_some(()));
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_service_manager_is_told_of_the_beginning_and_the_end() {
    let database = Database::fresh(SCHEMA);
    let path = env::temp_dir().join(format!("pgduet-notify-{}", database.name()));
    let manager = UnixDatagram::bind(&path).unwrap();
    let heard = || {
        let mut message = [0; 256];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let server = serve(&database, &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    assert_eq!(heard().trim_end(), "READY=1");
    assert!(answers(&server));
    server.signal("TERM");
    assert_eq!(heard().trim_end(), "STOPPING=1");
    assert_eq!(server.wait().code(), Some(0));
    fs::remove_file(&path).unwrap();
}

/// A shell in the manager's place: the sockets are its file descriptors 3 and 4.
#[test]
fn sockets_that_are_handed_over_are_served() {
    const SCRIPT: &str = r#"
        import os, socket, sys
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        print(*(one.getsockname()[1] for one in sockets), flush=True)
        handed = [os.dup(one.fileno()) for one in sockets]
        for at, one in enumerate(handed): os.dup2(one, 3 + at + 40)
        for at in range(len(handed)): os.dup2(3 + at + 40, 3 + at)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2")
        os.execv(sys.argv[1], sys.argv[1:])"#;
    let database = Database::fresh(SCHEMA);
    let script = SCRIPT.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)).collect::<Vec<_>>();
    let mut child = Command::new("python3")
        .args(["-c", &script.join("\n"), env!("CARGO_BIN_EXE_pgduet")])
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    let mut out = child.stdout.take().unwrap();
    while !told.ends_with(b"\n") {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        told.extend_from_slice(&byte);
    }
    let ports: Vec<_> = std::str::from_utf8(&told).unwrap().trim().split(' ').map(str::to_owned).collect();
    let [main, admin] = [&ports[0], &ports[1]].map(|port| format!("127.0.0.1:{port}"));
    assert_eq!(send(&main, "GET", "/items?select=id", &[], None).text(), r#"[{"id":1}]"#);
    assert_eq!(send(&admin, "GET", "/ready", &[], None).text(), "loaded\n");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(
        TcpStream::connect(&main).map_err(|error| error.kind()).err(),
        Some(io::ErrorKind::ConnectionRefused)
    );
}
