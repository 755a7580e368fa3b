//! Metrics: what the documentation names is what is shown, Prometheus reads both forms, each figure is moved by what it
//! counts, and nothing that strangers send makes the page longer.

use super::{LOCK, SCHEMA, serve};
use crate::support::{
    address::free,
    database::Database,
    grpc,
    http::{Connection, send},
    issuer::{Issuer, Signer, publishes, set},
    server::Server,
    until,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// A server, and the address of its admin server.
fn measured(database: &Database, more: &[(&str, &str)]) -> (Server, String) {
    let admin = free();
    let port = admin.port().to_string();
    let host = [("PGRST_ADMIN_SERVER_HOST", "127.0.0.1"), ("PGRST_ADMIN_SERVER_PORT", port.as_str())];
    (serve(database, &[&host, more].concat()), admin.to_string())
}

fn page(admin: &str, accept: &str) -> String {
    send(admin, "GET", "/metrics", &[("Accept", accept)], None).text()
}

/// The samples of a page by name and labels.
fn samples(admin: &str) -> BTreeMap<String, f64> {
    let text = page(admin, "*/*");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| line.rsplit_once(' ').unwrap());
    samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

fn value(admin: &str, name: &str) -> f64 {
    samples(admin).get(name).copied().unwrap_or_default()
}

/// How many requests there were of these labels.
fn requests(admin: &str, protocol: &str, route: &str, method: &str, code: &str) -> f64 {
    let labels = format!("{{protocol=\"{protocol}\",route=\"{route}\",method=\"{method}\",code=\"{code}\"}}");
    value(admin, &format!("pgduet_request_duration_seconds_count{labels}"))
}

fn post(server: &Server, path: &str, body: &str) -> u16 {
    send(server.address(), "POST", path, &[("Content-Type", "application/json")], Some(body)).status
}

fn get(server: &Server, path: &str) -> u16 {
    send(server.address(), "GET", path, &[], None).status
}

/// What the text's `TYPE` lines say.
fn types(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    lines.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn the_documented_metrics_are_those_that_are_shown() {
    let database = Database::fresh(SCHEMA);
    let (signer, issuer) = issuer();
    let (server, admin) = measured(&database, &[("PGRST_JWT_SECRET", &issuer.url("/keys"))]);
    assert_eq!(get(&server, "/items"), 200);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let document = fs::read_to_string(path).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `p"));
    let rows = rows.filter_map(|row| row.split_once("` | ")).map(|(name, rest)| {
        let kind = rest.split_once(' ').unwrap().0;
        (format!("p{name}"), kind.to_owned())
    });
    // `replicas::routes` looks for those of servers, which are shown where there are several.
    let rows = rows.filter(|(name, _)| !name.starts_with("pgduet_target_"));
    let documented: BTreeMap<_, _> =
        rows.filter(|(_, kind)| ["counter", "gauge", "histogram"].contains(&kind.as_str())).collect();
    assert!(documented.len() > 30, "{documented:?}");
    assert_eq!(types(&page(&admin, "*/*")), documented);
    let open = types(&page(&admin, OPEN_METRICS));
    let named: BTreeMap<_, _> = open
        .into_iter()
        .map(|(name, kind)| if kind == "counter" { (name + "_total", kind) } else { (name, kind) })
        .collect();
    assert_eq!(named, documented);
    drop(signer);
}

fn issuer() -> (Signer, Issuer) {
    let signer = Signer::new("first");
    let issuer = Issuer::start(publishes(&set(&[&signer])));
    (signer, issuer)
}

/// Traffic on both protocols, good and bad.
fn traffic(server: &Server, database: &Database) {
    for path in ["/items", "/items?id=eq.1", "/nope", "/items?id=eq.x", "/rpc/nope", "/", "/a/b/c", "/docs/"]
    {
        get(server, path);
    }
    for (path, body) in [("/items", r#"{"id":7}"#), ("/items", "{"), ("/rpc/fail", "{}")] {
        post(server, path, body);
    }
    send(server.address(), "OPTIONS", "/items", &[], None);
    let client = grpc::Client::new(server, database, "api", &[]);
    assert!(client.call("ItemsService/ListItems", json!({})).is_ok());
    assert!(client.call("ItemsService/GetItem", json!({"id": 99})).is_err());
    assert!(client.call("FunctionsService/Fail", json!({})).is_err());
}

/// Prometheus, which scrapes a target.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    fn scraping(target: &str) -> Self {
        let address = free().to_string();
        let directory = std::env::temp_dir().join(format!("pgduet-prometheus-{}", address.replace(':', "-")));
        fs::create_dir_all(&directory).unwrap();
        let config = format!(
            "scrape_configs:\n- job_name: pgduet\n  scrape_interval: 1s\n  static_configs: [{{targets: ['{target}']}}]\n"
        );
        fs::write(directory.join("prometheus.yml"), config).unwrap();
        let child = Command::new("prometheus")
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .current_dir(&directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("Prometheus listens", || std::net::TcpStream::connect(&address).ok());
        Self { child, address }
    }

    fn ask(&self, path: &str) -> Value {
        let answer = send(&self.address, "GET", path, &[], None);
        serde_json::from_str(&answer.text()).unwrap_or(Value::Null)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn prometheus_reads_both_forms_after_traffic_on_both_protocols() {
    let database = Database::fresh(SCHEMA);
    let (server, admin) = measured(&database, &[]);
    traffic(&server, &database);
    let mut promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn().unwrap();
    promtool.stdin.take().unwrap().write_all(page(&admin, "*/*").as_bytes()).unwrap();
    assert!(promtool.wait().unwrap().success());

    // It asks for OpenMetrics, which its own parser of that reads, and refuses for good where a line is wrong.
    let prometheus = Prometheus::scraping(&admin);
    let target = until("it has scraped", || {
        let targets = prometheus.ask("/api/v1/targets");
        let target = targets["data"]["activeTargets"][0].clone();
        (target["health"] != "unknown" && target["health"] != Value::Null).then_some(target)
    });
    assert_eq!((&target["health"], &target["lastError"]), (&json!("up"), &json!("")), "{target}");
    let metadata = until("it knows the types", || {
        let metadata = prometheus.ask("/api/v1/metadata");
        metadata["data"].as_object().filter(|known| !known.is_empty()).cloned()
    });
    // Only OpenMetrics has units, and counters without `_total`.
    let known = &metadata["pgduet_response_body_bytes"][0];
    assert_eq!((&known["type"], &known["unit"]), (&json!("counter"), &json!("bytes")), "{metadata:?}");
    let count =
        "/api/v1/query?query=pgduet_request_duration_seconds_count{route=%22api.items%22,method=%22List%22}";
    let result = until("it answers", || {
        let answer = prometheus.ask(count);
        answer["data"]["result"].as_array().filter(|result| !result.is_empty()).cloned()
    });
    assert_eq!(result[0]["value"][1], "1", "{result:?}");
}

#[test]
fn each_figure_is_moved_by_what_it_counts() {
    let database = Database::fresh(SCHEMA);
    let (server, admin) = measured(&database, &[("PGRST_DB_POOL", "2")]);
    let client = grpc::Client::new(&server, &database, "api", &[]);
    let before = samples(&admin);
    for _ in 0..3 {
        assert_eq!(get(&server, "/items?id=eq.1"), 200);
    }
    assert_eq!(post(&server, "/items", r#"{"id":1}"#), 409);
    assert_eq!(get(&server, "/rpc/items"), 404);
    assert_eq!(post(&server, "/rpc/fail", "{}"), 500);
    assert!(client.call("ItemsService/ListItems", json!({})).is_ok());
    assert!(client.call("ItemsService/GetItem", json!({"id": 99})).is_err());
    assert!(client.call("FunctionsService/Fail", json!({})).is_err());
    for (protocol, route, method, code, count) in [
        ("rest", "api.items", "GET", "2xx", 3.0),
        ("rest", "api.items", "POST", "4xx", 1.0),
        ("rest", "unknown", "GET", "4xx", 1.0),
        ("rest", "api.fail()", "POST", "5xx", 1.0),
        ("grpc", "api.items", "List", "OK", 1.0),
        ("grpc", "api.items", "Get", "NOT_FOUND", 1.0),
        ("grpc", "api.fail()", "Call", "INTERNAL", 1.0),
    ] {
        let found = || requests(&admin, protocol, route, method, code);
        // A call is counted when its last message has been sent, which the client has seen before.
        until(route, || (found() == count).then_some(()));
    }
    let after = samples(&admin);
    let grown = |name: &str| after[name] - before[name];
    // Three reads, the conflict, and the calls, of which the one of the other role ends in the database.
    assert_eq!(grown("pgduet_db_pool_wait_seconds_count"), 8.0);
    assert_eq!(grown("pgduet_db_transaction_seconds_count"), 8.0);
    assert_eq!(grown("pgduet_encode_seconds_count"), 5.0);
    assert_eq!(grown("pgduet_rows_total"), 4.0);
    // It is kept from the second time on.
    assert_eq!(grown("pgduet_template_cache_lookups_total{result=\"hit\"}"), 1.0);
    assert_eq!(grown("pgduet_template_cache_lookups_total{result=\"miss\"}"), 8.0);
    assert!(grown("pgduet_statement_cache_lookups_total{result=\"hit\"}") >= 1.0);
    assert!(grown("pgduet_statement_cache_lookups_total{result=\"miss\"}") >= 7.0);
    for protocol in ["rest", "grpc"] {
        let bytes = format!("pgduet_response_body_bytes_total{{protocol=\"{protocol}\"}}");
        assert!(grown(&bytes) >= 10.0, "{bytes}");
    }
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
        assert!(after[name] > 0.0, "{name}");
    }
    let build = after.keys().find(|name| name.starts_with("pgduet_build_info{")).unwrap();
    assert!(build.contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))), "{build}");
    assert!(after["pgduet_schema_cache_load_seconds"] >= after["pgrst_schema_cache_query_time_seconds"]);
}

#[tokio::test]
async fn requests_and_connections_are_counted_while_they_are_there() {
    let database = Database::fresh(SCHEMA);
    let (server, admin) = measured(&database, &[]);
    let holder = database.client().await;
    holder.execute(&format!("SELECT pg_advisory_lock({LOCK})"), &[]).await.unwrap();
    let idle = Connection::open(server.address());
    let address = server.address().to_owned();
    let waiting = thread::spawn(move || send(&address, "POST", "/rpc/wait", &[], Some("{}")).status);
    let shows = |expected: &[(&str, f64)]| {
        until("it is shown", || {
            let found = samples(&admin);
            expected.iter().all(|(name, value)| found[*name] == *value).then_some(())
        });
    };
    shows(&[
        ("pgduet_requests_in_flight{protocol=\"rest\"}", 1.0),
        ("pgduet_requests_in_flight{protocol=\"grpc\"}", 0.0),
        ("pgduet_connections{state=\"active\"}", 1.0),
        ("pgduet_connections{state=\"idle\"}", 1.0),
        ("pgduet_db_connections{state=\"active\"}", 1.0),
    ]);
    holder.execute(&format!("SELECT pg_advisory_unlock({LOCK})"), &[]).await.unwrap();
    assert_eq!(waiting.join().unwrap(), 200);
    shows(&[
        ("pgduet_requests_in_flight{protocol=\"rest\"}", 0.0),
        ("pgduet_connections{state=\"active\"}", 0.0),
        ("pgduet_db_connections{state=\"active\"}", 0.0),
        ("pgduet_db_connections{state=\"idle\"}", 1.0),
    ]);
    drop(idle);
    shows(&[("pgduet_connections{state=\"idle\"}", 0.0)]);
    // Who goes away is counted as what was asked for.
    holder.execute(&format!("SELECT pg_advisory_lock({LOCK})"), &[]).await.unwrap();
    let mut leaver = std::net::TcpStream::connect(server.address()).unwrap();
    leaver.write_all(b"POST /rpc/wait HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    shows(&[("pgduet_requests_in_flight{protocol=\"rest\"}", 1.0)]);
    drop(leaver);
    until("it is counted", || (requests(&admin, "rest", "api.wait()", "POST", "gone") == 1.0).then_some(()));
    shows(&[("pgduet_requests_in_flight{protocol=\"rest\"}", 0.0)]);
}

#[test]
fn what_strangers_send_makes_the_page_no_longer() {
    const STRANGERS: usize = 10_000;
    let database = Database::fresh(SCHEMA);
    let (server, admin) = measured(&database, &[]);
    let mut connection = Connection::open(server.address());
    let mut strange = |number: usize| {
        let (method, path) = match number % 4 {
            0 => ("GET", format!("/unknown_{number}")),
            1 => ("POST", format!("/rpc/unknown_{number}")),
            2 => ("GET", format!("/items?unknown_{number}=eq.1")),
            _ => ("GET", format!("/items_{number}/{number}")),
        };
        let agent = format!("agent-{number}");
        let headers = [("User-Agent", agent.as_str()), ("Content-Profile", "api")];
        let status = connection.send(method, &path, &headers, None).unwrap().status;
        assert!((400..500).contains(&status), "{method} {path}: {status}");
    };
    (0..8).for_each(&mut strange);
    let names = |admin: &str| samples(admin).into_keys().collect::<BTreeSet<_>>();
    let before = names(&admin);
    (8..STRANGERS).for_each(strange);
    assert_eq!(names(&admin), before);
    let made_up = send(server.address(), "BREW", "/items", &[], None).status;
    assert_eq!((made_up, requests(&admin, "rest", "api.items", "other", "4xx")), (405, 1.0));
    assert_eq!(requests(&admin, "rest", "unknown", "GET", "4xx"), 5000.0);
}

#[test]
fn a_reload_drops_the_routes_of_what_is_gone_and_keeps_the_others() {
    let database = Database::fresh(&format!(
        "{SCHEMA} CREATE TABLE api.late (id int); GRANT SELECT ON api.late TO anonymous;"
    ));
    let (server, admin) = measured(&database, &[]);
    assert_eq!((get(&server, "/items"), get(&server, "/late")), (200, 200));
    let routes = || {
        let found = samples(&admin).into_keys();
        let found =
            found.filter_map(|name| Some(name.split_once("route=\"")?.1.split_once('"')?.0.to_owned()));
        found.collect::<BTreeSet<_>>()
    };
    assert_eq!(routes(), BTreeSet::from(["api.items".to_owned(), "api.late".to_owned()]));
    database.execute(
        "DROP TABLE api.late; CREATE TABLE api.fresh (id int); GRANT SELECT ON api.fresh TO anonymous",
    );
    let loads = server.log().matches("Schema cache loaded").count();
    server.signal("USR1");
    server.says("Schema cache loaded", loads + 1);
    until("the route is gone", || (!routes().contains("api.late")).then_some(()));
    assert_eq!((get(&server, "/items"), get(&server, "/fresh"), get(&server, "/late")), (200, 200, 404));
    assert_eq!(routes(), ["api.fresh", "api.items", "unknown"].map(str::to_owned).into());
    assert_eq!(requests(&admin, "rest", "api.items", "GET", "2xx"), 2.0);
    assert!(value(&admin, "pgduet_schema_cache_age_seconds") < 60.0);
}

#[test]
fn keys_of_an_issuer_that_does_not_answer_grow_old() {
    let database = Database::fresh(SCHEMA);
    let (_signer, issuer) = issuer();
    let (server, admin) = measured(&database, &[("PGRST_JWT_SECRET", &issuer.url("/keys"))]);
    let age = || value(&admin, "pgduet_jwt_keys_age_seconds");
    until("they are a second old", || (age() >= 1.0).then_some(()));
    // They are fetched again, and are the same.
    let asked = issuer.asked().len();
    server.signal("USR2");
    until("they are young again", || (issuer.asked().len() > asked && age() < 1.0).then_some(()));
    let (_other, secret) = measured(&database, &[("PGRST_JWT_SECRET", "of 32 characters, for tests alone")]);
    assert!(!samples(&secret).contains_key("pgduet_jwt_keys_age_seconds"));
}
