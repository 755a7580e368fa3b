//! What goes to which server, and how the position behind a write is told and taken.

use super::{FIXTURE, SECRET, Served};
use crate::support::{replicas::Node, token, tools::grpcurl, until};
use serde_json::{Value, json};

/// A primary, two replicas, and pgduet before them.
fn served(options: &[(&str, &str)]) -> (Served, Node, Node, Node) {
    let a = Node::primary(FIXTURE);
    let (b, c) = (a.replica("b", &[]), a.replica("c", &[]));
    let uri = |node: &Node| Node::uri("authenticator", &[node], "");
    let served = Served::new(&uri(&a), &[uri(&b), uri(&c)], options);
    served.works(&b, "works");
    served.works(&c, "works");
    (served, a, b, c)
}

#[test]
fn reads_go_to_replicas_and_what_writes_or_says_so_goes_to_the_primary() {
    let (served, a, b, _c) = served(&[("PGDUET_DB_PRIMARY_ROLES", "careful")]);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        seen.insert(served.get("/servers", &[]));
    }
    let expected = ["b", "c"].map(|name| json!([{ "name": name }]).to_string());
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected, "each has its turn");
    let on_primary = json!([{"name": "a"}]).to_string();
    assert_eq!(served.get("/primaries", &[]), on_primary, "by its tag");
    assert_eq!(served.get("/servers", &[("Prefer", "tx=commit")]), on_primary);
    let bearer = format!("Bearer {}", token::token(SECRET, r#"{"role": "careful"}"#));
    assert_eq!(served.get("/servers", &[("Authorization", &bearer)]), on_primary, "by its role");

    for method in ["GET", "POST"] {
        let call = |name: &str| {
            let body = (method == "POST").then_some("{}");
            served.send(method, &format!("/rpc/{name}"), &[], body).text()
        };
        assert!(["\"b\"", "\"c\""].contains(&call("stable").as_str()), "{method}");
        assert_eq!(call("changing"), "\"a\"", "{method}");
        assert_eq!(call("tagged"), "\"a\"", "{method}");
        assert_eq!(call("refused"), "\"a\"", "{method}: a standby has no NOTIFY");
    }
    // What code raises says nothing of the server, and what it tells is no position.
    for code in ["57P01", "57P03"] {
        assert!(served.send("GET", &format!("/rpc/raise?code={code}"), &[], None).status >= 500);
    }
    assert!(!served.server.log().contains("is left out"), "{}", served.server.log());
    let told = served.send("POST", "/rpc/position", &[], Some("{}"));
    let position = told.header("x-pgduet-lsn").unwrap();
    assert!(position != "1-0/1" && !position.contains(','), "{position}");
    // What a replica has refused, it is not asked again.
    let refusals = || -> f64 {
        let metrics = served.metrics();
        let lines = metrics.lines().filter(|line| line.starts_with("pgduet_target_failed_reads_total{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let answer = || served.send("GET", "/sessions", &[], None);
    for _ in 0..3 {
        assert_eq!((answer().status, answer().text().as_str()), (200, "[]"), "an unlogged table");
    }
    let before = refusals();
    assert!(before >= 1.0, "{}", served.metrics());
    assert_eq!(answer().status, 200);
    assert_eq!(refusals(), before);

    // The schema of the replicas may be older than the catalog.
    b.execute("SELECT pg_wal_replay_pause()");
    _c.execute("SELECT pg_wal_replay_pause()");
    a.execute("ALTER TABLE api.counters ADD COLUMN note text DEFAULT 'new'; NOTIFY pgrst, 'reload schema'");
    served.server.says("Schema cache loaded", 2);
    until("the new column is served", || {
        let answer = served.send("GET", "/counters?id=eq.1", &[], None);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().contains("new").then_some(())
    });
    let loads = served.server.log().matches("Schema cache loaded").count();
    for _ in 0..10 {
        assert!(served.get("/counters?id=eq.1&select=note", &[]).contains("new"));
    }
    assert_eq!(served.server.log().matches("Schema cache loaded").count(), loads, "nothing is loaded for it");

    let (status, text) = served.ready();
    assert_eq!(status, 200);
    assert!(text.starts_with("loaded\nprimary: works\n"), "{text}");
    let metrics = served.metrics();
    assert!(metrics.contains("pgduet_target_up{target=\"primary\"} 1.0\n"), "{metrics}");
    assert!(!metrics.contains("authenticator") && !text.contains("authenticator"));
}

#[test]
fn a_client_reads_what_it_has_written() {
    let (served, _a, b, c) =
        served(&[("PGDUET_DB_REPLICA_COOKIE", "seen"), ("PGDUET_DB_REPLICA_WAIT", "100")]);
    for replica in [&b, &c] {
        replica.execute("SELECT pg_wal_replay_pause()");
    }
    let position = served.write(1, 7);
    let read = |headers: &[(&str, &str)]| served.get("/counters?id=eq.1&select=value", headers);
    assert_eq!(read(&[]), r#"[{"value":0}]"#, "without its position a client reads what replicas have");
    assert_eq!(read(&[("x-pgduet-lsn", &position)]), r#"[{"value":7}]"#, "of the primary, after a while");
    assert_eq!(read(&[("Cookie", &format!("seen={position}"))]), r#"[{"value":7}]"#);
    b.execute("SELECT pg_wal_replay_resume()");
    served.works(&b, "works");
    until("a replica has replayed it", || {
        let server = served.get("/servers", &[("x-pgduet-lsn", &position)]);
        assert_ne!(server, r#"[{"name":"c"}]"#, "it has not replayed that far");
        (server == r#"[{"name":"b"}]"#).then_some(())
    });
    c.execute("SELECT pg_wal_replay_resume()");

    // A position that nobody has written is not waited for.
    let began = std::time::Instant::now();
    for far in ["1-FFFFFFFF/FFFFFFFF", "4294967295-0/0"] {
        for _ in 0..20 {
            assert_eq!(served.get("/servers", &[("x-pgduet-lsn", far)]), r#"[{"name":"a"}]"#);
        }
    }
    assert!(began.elapsed() < std::time::Duration::from_millis(40 * 100), "{:?}", began.elapsed());
    let refused = served.send("GET", "/servers", &[("x-pgduet-lsn", "now")], None);
    assert_eq!((refused.status, refused.code().as_deref()), (400, Some("PGDUET14")));
    assert_eq!(served.send("GET", "/servers", &[("Cookie", "seen=now")], None).status, 200);

    // Whatever writes tells its position, and what writes nothing tells none.
    let body = Some(r#"{"id": 100, "value": 1}"#);
    let written = served.send("POST", "/counters", &[("Origin", "http://other.example")], body);
    assert!(written.header("set-cookie").is_some_and(|cookie| cookie.starts_with("seen=1-")), "{written:?}");
    assert!(written.header("access-control-expose-headers").unwrap().contains("x-pgduet-lsn"));
    let list = r#"[{"method": "PATCH", "path": "/counters?id=eq.1", "body": {"value": 8}}]"#;
    let transaction = [("Content-Type", "application/vnd.pgduet.transaction+json")];
    let all = crate::support::http::send(served.server.address(), "POST", "/", &transaction, Some(list));
    assert!(all.header("x-pgduet-lsn").is_some(), "{all:?}");
    assert!(served.send("POST", "/rpc/changing", &[], Some("{}")).header("x-pgduet-lsn").is_some());
    assert!(served.send("DELETE", "/counters?id=eq.100", &[], None).header("x-pgduet-lsn").is_some());
    for (method, target, headers) in [
        ("GET", "/counters", &[][..]),
        ("GET", "/rpc/changing", &[]),
        ("DELETE", "/counters?id=eq.100", &[("Prefer", "tx=rollback")]),
    ] {
        assert_eq!(
            served.send(method, target, headers, None).header("x-pgduet-lsn"),
            None,
            "{method} {target}"
        );
    }
}

#[test]
fn a_call_that_writes_tells_its_position_in_trailing_metadata() {
    let (served, _a, b, c) = served(&[("PGDUET_DB_REPLICA_WAIT", "100")]);
    for replica in [&b, &c] {
        replica.execute("SELECT pg_wal_replay_pause()");
    }
    let call = |method: &str, headers: &[&str], message: Value| {
        let message = message.to_string();
        let mut arguments = vec!["-v"];
        headers.iter().for_each(|header| arguments.extend(["-H", header]));
        arguments.extend(["-d", &message, served.server.address(), method]);
        grpcurl(&arguments)
    };
    let trailer = |printed: &str| {
        let (_, trailers) = printed.split_once("Response trailers received:")?;
        let line = trailers.lines().find_map(|line| line.trim().strip_prefix("x-pgduet-lsn: "))?;
        Some(line.to_owned())
    };
    let update = json!({"counter": {"id": 2, "value": 9}});
    let written = call("api.v1.CountersService/UpdateCounter", &[], update).unwrap();
    let position = trailer(&written).unwrap_or_else(|| panic!("{written}"));
    let read =
        |headers: &[&str]| call("api.v1.CountersService/GetCounter", headers, json!({"id": 2})).unwrap();
    assert!(!read(&[]).contains("\"9\""), "a replica has not replayed it");
    let mine = format!("x-pgduet-lsn: {position}");
    assert!(read(&[&mine]).contains("\"9\""));
    assert_eq!(trailer(&read(&[&mine])), None);
    let refused = call("api.v1.CountersService/GetCounter", &["x-pgduet-lsn: now"], json!({"id": 2}));
    assert!(refused.unwrap_err().contains("InvalidArgument"));

    // A function that writes and whose rows are a stream; a batch; a transaction.
    let services = grpcurl(&[served.server.address(), "list", "api.v1.CountersService"]).unwrap();
    let batch =
        json!({"requests": [{"counter": {"id": 200, "value": 1}}, {"counter": {"id": 201, "value": 1}}]});
    let written = call("api.v1.CountersService/BatchCreateCounters", &[], batch);
    assert!(trailer(written.as_ref().unwrap_or_else(|error| panic!("{error}\n{services}"))).is_some());
    let streamed = call("api.v1.FunctionsService/Mine", &[], json!({}));
    let described = || grpcurl(&[served.server.address(), "list"]).unwrap();
    assert!(trailer(streamed.as_ref().unwrap_or_else(|error| panic!("{error}\n{}", described()))).is_some());

    // Connect has no trailers in an answer of one message.
    let answer = served.send(
        "POST",
        "/api.v1.CountersService/UpdateCounter",
        &[],
        Some(r#"{"counter": {"id": 2, "value": "10"}}"#),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("trailer-x-pgduet-lsn").is_some(), "{answer:?}");
}
