//! Traces, as the receiver of the OpenTelemetry Collector and PostgreSQL's log have them, and what becomes of requests whose
//! collector misbehaves.

use super::{SCHEMA, outage::Own, pgduet, serve};
use crate::support::{
    address,
    collector::{Collector, Span},
    database::Database,
    grpc, grpc_web,
    http::{Connection, send},
    server::Server,
    until,
};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The id of the client's span.
const CLIENT: &str = "00f067aa0ba902b7";

/// A trace of its own.
fn id() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("4bf92f35{:08x}{number:016x}", std::process::id())
}

fn parent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{CLIENT}-{flags}")
}

/// A server of this database that sends its traces to an address.
fn traced(database: &Database, protocol: &str, address: &str, more: &[(&str, &str)]) -> Server {
    let variables = [("PGDUET_OTEL_ENDPOINT", address), ("PGDUET_OTEL_PROTOCOL", protocol)];
    serve(database, &[&variables, more].concat())
}

/// GET within a trace.
fn get(server: &Server, target: &str, trace: &str, flags: &str) -> u16 {
    let parent = parent(trace, flags);
    send(server.address(), "GET", target, &[("traceparent", &parent), ("tracestate", "a=1")], None).status
}

fn names(spans: &[Span]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {:?}", names(spans)))
}

/// The first span is that of the request, a child of the client's; all others are below it and within its time.
fn is_tree(spans: &[Span]) {
    let root = &spans[0];
    assert_eq!((root.kind, root.parent.as_str(), root.state.as_str()), (2, CLIENT, "a=1"), "{root:?}");
    for span in &spans[1..] {
        assert_eq!((&span.parent, &span.state), (&root.id, &root.state), "{span:?}");
        assert!(root.times.0 <= span.times.0 && span.times.0 <= span.times.1, "{span:?} in {root:?}");
        assert!(span.times.1 <= root.times.1, "{span:?} in {root:?}");
        assert_eq!(span.kind, if span.name == "database" { 3 } else { 1 }, "{span:?}");
    }
    let ids: HashSet<_> = spans.iter().map(|span| &span.id).collect();
    assert_eq!(ids.len(), spans.len(), "{spans:?}");
}

#[test]
fn a_request_over_rest_is_a_span_with_one_for_each_stage() {
    let database = Database::fresh(SCHEMA);
    let collector = Collector::start();
    for (protocol, address) in [("grpc", collector.grpc()), ("http/protobuf", collector.http())] {
        let server = traced(&database, protocol, &address, &[]);
        let (read, failed, refused, unknown) = (id(), id(), id(), id());
        assert_eq!(get(&server, "/items?id=eq.1&name=eq.one", &read, "01"), 200);
        let spans = collector.trace(&read);
        assert_eq!(names(&spans), ["GET /items", "auth", "parse", "plan", "wait", "database", "encode"]);
        is_tree(&spans);
        assert_eq!(
            spans[0].attributes,
            json!({
                "http.request.method": "GET", "http.route": "/items", "url.path": "/items", "url.scheme": "http",
                "http.response.status_code": 200, "network.protocol.version": "1.1",
            })
        );
        assert_eq!(spans[0].status, 0);
        let database_span = named(&spans, "database");
        let attributes = &database_span.attributes;
        assert_eq!(attributes["db.system.name"], "postgresql");
        assert_eq!(attributes["db.namespace"], database.name());
        assert_eq!(attributes["db.response.returned_rows"], 1);
        assert!(
            attributes["server.address"].is_string() && attributes["server.port"].is_i64(),
            "{attributes}"
        );
        assert_eq!(attributes["db.query.text"], Value::Null);
        assert_eq!(spans[0].resource["service.name"], "pgduet");
        assert_eq!(spans[0].resource["telemetry.sdk.language"], "rust");

        // The database's error is the server's too; a client's error is not.
        assert_eq!(get(&server, "/rpc/fail", &failed, "01"), 500);
        let spans = collector.trace(&failed);
        is_tree(&spans);
        assert_eq!((spans[0].name.as_str(), spans[0].status), ("GET /rpc/fail", 2));
        assert_eq!(spans[0].attributes["error.type"], "500");
        let failing = named(&spans, "database");
        assert_eq!((failing.status, &failing.attributes["db.response.status_code"]), (2, &json!("XX000")));
        let body = Some(r#"{"id":1}"#);
        let parented = parent(&refused, "01");
        let headers = [("traceparent", parented.as_str()), ("tracestate", "a=1")];
        assert_eq!(send(server.address(), "POST", "/items", &headers, body).status, 409);
        let spans = collector.trace(&refused);
        assert_eq!((spans[0].name.as_str(), spans[0].status), ("POST /items", 0));
        assert_eq!(named(&spans, "database").attributes["error.type"], "23505");

        // What is not in the catalog is no route.
        assert_eq!(get(&server, "/secrets_of_mine", &unknown, "01"), 404);
        let spans = collector.trace(&unknown);
        assert_eq!((spans[0].name.as_str(), &spans[0].attributes["http.route"]), ("GET", &Value::Null));
    }
}

#[test]
fn a_call_of_a_grpc_service_is_a_span_whatever_its_protocol() {
    let database = Database::fresh(SCHEMA);
    let collector = Collector::start();
    let server = traced(&database, "grpc", &collector.grpc(), &[]);
    let client = grpc::Client::new(&server, &database, "api", &[]);
    let within = |trace: &str| grpc::Options {
        metadata: vec![("traceparent", parent(trace, "01")), ("tracestate", "a=1".to_owned())],
        ..Default::default()
    };
    let (read, missing, browser, curl, failed, streamed) = (id(), id(), id(), id(), id(), id());
    client.call_with("ItemsService/ListItems", json!({ "filter": "id=eq.1" }), &within(&read)).unwrap();
    let spans = collector.trace(&read);
    assert_eq!(
        names(&spans),
        ["api.v1.ItemsService/ListItems", "auth", "parse", "plan", "wait", "database", "encode"]
    );
    is_tree(&spans);
    assert_eq!(
        spans[0].attributes,
        json!({
            "rpc.system": "grpc", "rpc.service": "api.v1.ItemsService", "rpc.method": "ListItems",
            "rpc.grpc.status_code": 0, "network.protocol.version": "2",
        })
    );
    client.call_with("ItemsService/GetItem", json!({ "id": 7 }), &within(&missing)).unwrap_err();
    let spans = collector.trace(&missing);
    is_tree(&spans);
    assert_eq!((spans[0].status, &spans[0].attributes["rpc.grpc.status_code"]), (0, &json!(5)));
    client.all_with("ItemsService/StreamItems", json!({}), &within(&streamed)).unwrap();
    let spans = collector.trace(&streamed);
    is_tree(&spans);
    assert!(names(&spans).contains(&"database"), "{:?}", names(&spans));
    client.refused_with("/api.v1.Secrets/Mine", Vec::new(), &within(&failed));
    let spans = collector.trace(&failed);
    assert_eq!((names(&spans), spans[0].status), (vec!["rpc"], 2));
    assert_eq!(spans[0].attributes["rpc.method"], Value::Null);

    let parented = parent(&browser, "01");
    let headers = [("traceparent", parented.as_str()), ("tracestate", "a=1")];
    let mut connection = Connection::open(server.address());
    let reply =
        grpc_web::send(&mut connection, "api.v1.ItemsService/ListItems", &headers, &[0, 0, 0, 0, 0]).unwrap();
    assert_eq!((reply.status, reply.messages.len()), (0, 1), "{}", reply.text);
    let spans = collector.trace(&browser);
    is_tree(&spans);
    assert_eq!(spans[0].attributes["rpc.system"], "grpc");
    assert_eq!(spans[0].attributes["network.protocol.version"], "1.1");

    let parented = parent(&curl, "01");
    let headers =
        [("traceparent", parented.as_str()), ("tracestate", "a=1"), ("Content-Type", "application/json")];
    let get =
        |body| send(server.address(), "POST", "/api.v1.ItemsService/GetItem", &headers, Some(body)).status;
    assert_eq!(get(r#"{"id":7}"#), 404);
    let spans = collector.trace(&curl);
    is_tree(&spans);
    assert_eq!(spans[0].name, "api.v1.ItemsService/GetItem");
    assert_eq!(spans[0].attributes["rpc.system"], "connect_rpc");
    assert_eq!(spans[0].attributes["rpc.connect_rpc.error_code"], "not_found");
}

#[test]
fn the_client_decides_what_is_recorded_and_the_sampler_where_it_does_not() {
    let database = Database::fresh(SCHEMA);
    let collector = Collector::start();
    let (no, yes) = (id(), id());
    let plain = |server: &Server| assert_eq!(send(server.address(), "GET", "/items", &[], None).status, 200);
    let json = [("PGDUET_LOG_FORMAT", "json"), ("PGDUET_LOG_LEVEL", "info")];
    let traces_of = |server: &Server| {
        let ids = until("three lines of the log", || {
            let lines = server.access_log();
            let ids: Vec<_> = lines
                .lines()
                .map(|line| {
                    serde_json::from_str::<Value>(line).unwrap()["trace_id"].as_str().unwrap().to_owned()
                })
                .collect();
            (ids.len() == 3).then_some(ids)
        });
        assert!(ids[2].len() == 32 && ids[2] != no && ids[2] != yes, "{ids:?}");
        ids
    };
    let ask = |sampler: &str, ratio: &str| {
        let address = collector.http();
        let more = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", ratio),
            ("OTEL_SERVICE_NAME", "library"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test%2Cone,service.name=other"),
        ];
        let server = serve(&database, &[&more[..], &json].concat());
        get(&server, "/items", &no, "00");
        get(&server, "/items", &yes, "01");
        plain(&server);
        let ids = traces_of(&server);
        // The end waits for what is to be exported.
        server.signal("TERM");
        assert!(server.wait().success());
        let spans = collector.spans();
        ids.map_recorded(&spans)
    };
    assert_eq!(ask("parentbased_traceidratio", "0"), [false, true, false]);
    assert_eq!(ask("always_off", ""), [false, true, false], "those of before");
    assert_eq!(ask("parentbased_traceidratio", "1"), [false, true, true]);
    assert_eq!(ask("parentbased_always_off", ""), [false, true, false]);
    assert_eq!(ask("always_on", ""), [true, true, true]);
    let spans = collector.spans();
    let resource = &spans[0].resource;
    assert_eq!(
        (&resource["service.name"], &resource["deployment.environment.name"]),
        (&json!("library"), &json!("test,one"))
    );
}

/// Which traces a collector has.
trait Recorded {
    fn map_recorded(&self, spans: &[Span]) -> [bool; 3];
}

impl Recorded for Vec<String> {
    fn map_recorded(&self, spans: &[Span]) -> [bool; 3] {
        [0, 1, 2].map(|at| spans.iter().any(|span| span.trace == self[at]))
    }
}

#[tokio::test]
async fn the_log_of_postgresql_tells_the_trace() {
    let own = Own::start("traces").await;
    own.superuser("ALTER SYSTEM SET log_line_prefix = '%m [%p] %a '; ").await;
    own.superuser("ALTER SYSTEM SET log_statement = 'all'").await;
    own.superuser("SELECT pg_reload_conf()").await;
    let collector = Collector::start();
    let endpoint = collector.http();
    let start = |more: &[(&str, &str)]| {
        let mut command = pgduet();
        command.env("PGRST_DB_URI", own.uri("authenticator")).env("PGRST_DB_SCHEMAS", "api");
        command.env("PGRST_DB_ANON_ROLE", "anonymous").env("PGDUET_DB_TRACE_CONTEXT", "application-name");
        Server::run({
            command.envs(more.iter().copied());
            command
        })
    };
    let server = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let (read, failed) = (id(), id());
    assert_eq!(get(&server, "/items?id=eq.1", &read, "01"), 200);
    assert_eq!(get(&server, "/rpc/fail", &failed, "00"), 500);
    let spans = collector.trace(&read);
    let name = format!("00-{read}-{}-01", named(&spans, "database").id);
    let line = until("the statement in PostgreSQL's log", || {
        let log = own.log();
        let line = log.lines().find(|line| line.contains(&name) && line.contains("\"api\".\"items\""));
        line.map(str::to_owned)
    });
    assert!(line.contains("execute"), "{line}");
    // What was not recorded is told all the same.
    until("the error in PostgreSQL's log", || {
        let log = own.log();
        log.lines()
            .any(|line| line.contains(&format!("00-{failed}-")) && line.contains("broken inside"))
            .then_some(())
    });
    // It goes with the transaction.
    let (client, connection) =
        tokio_postgres::connect(&own.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '00-%'";
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
    drop(server);

    // Without traces of its own, the client's is passed on, if there is one.
    let server = start(&[]);
    let passed = id();
    assert_eq!(get(&server, "/items?id=eq.1", &passed, "01"), 200);
    assert_eq!(get(&server, "/items?id=eq.1", "no id at all", "01"), 200);
    until("the client's trace in PostgreSQL's log", || {
        own.log().contains(&parent(&passed, "01")).then_some(())
    });
    assert!(!own.log().lines().any(|line| line.contains("] 00-no id at all")));
}

/// What a collector does with whoever connects.
type Behaviour = fn(TcpStream);

/// A collector that misbehaves.
fn misbehaving(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || behaviour(stream));
        }
    });
    format!("http://{address}")
}

fn says_nothing(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

fn refuses(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1 << 16]);
    let _ = stream
        .write_all(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n");
    says_nothing(stream);
}

/// What it has not read is reset by the kernel.
fn hangs_up(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1]);
}

fn never_ends(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 1 << 16]);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    while stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
}

fn talks_nonsense(mut stream: TcpStream) {
    while stream.write_all(b"\0\xffnonsense").is_ok() {}
}

#[test]
fn a_collector_that_misbehaves_costs_spans_and_nothing_else() {
    let database = Database::fresh(SCHEMA);
    let behaviours: [(&str, Behaviour); 4] = [
        ("refuses", refuses),
        ("hangs up", hangs_up),
        ("never ends", never_ends),
        ("talks nonsense", talks_nonsense),
    ];
    let mut collectors: Vec<_> =
        behaviours.map(|(name, behaviour)| (name, misbehaving(behaviour), 400)).into_iter().collect();
    collectors.push(("is not there", format!("http://{}", address::free()), 400));
    // More than wait for a collector.
    collectors.push(("says nothing", misbehaving(says_nothing), 3000));
    thread::scope(|scope| {
        for protocol in ["grpc", "http/protobuf"] {
            let (database, collectors) = (&database, &collectors);
            scope.spawn(move || {
                for (name, address, requests) in collectors {
                    costs_spans_only(database, protocol, address, *requests, &format!("{protocol}, {name}"));
                }
            });
        }
    });
}

fn costs_spans_only(database: &Database, protocol: &str, address: &str, requests: usize, case: &str) {
    let server = traced(database, protocol, address, &[("OTEL_TRACES_SAMPLER", "always_on")]);
    let slowest = Mutex::new(Duration::ZERO);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Connection::open(server.address());
                for _ in 0..requests / 4 {
                    let began = Instant::now();
                    let answer = connection.send("GET", "/items?id=eq.1", &[], None).unwrap();
                    assert_eq!(answer.status, 200, "{case}");
                    let mut slowest = slowest.lock().unwrap();
                    *slowest = began.elapsed().max(*slowest);
                }
            });
        }
    });
    // Far below the time that a collector has for a batch.
    assert!(*slowest.lock().unwrap() < Duration::from_secs(5), "{case}: {slowest:?}");
    server.says(&format!("spans were not exported to {address}/: "), 1);
    let lines = server.log().matches("spans were not exported").count();
    assert!(lines < 60, "{case}: {lines} lines");
    let began = Instant::now();
    server.signal("TERM");
    assert!(server.wait().success(), "{case}");
    assert!(began.elapsed() < Duration::from_secs(8), "{case}: {:?}", began.elapsed());
}
