//! Clients that write and read what they wrote, over both protocols, while one replica is killed and another one paused,
//! and while the primary dies and a replica is promoted: no read fails, and none is stale.

use super::{FIXTURE, Served};
use crate::support::{
    http::{Answer, Connection},
    replicas::Node,
    until,
};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Pairs of a write and a read, in all.
const PAIRS: u64 = 10_000;
/// Clients at once.
const CLIENTS: u64 = 4;

/// What has been counted so far.
#[derive(Default)]
struct Counts {
    pairs: AtomicU64,
    reads: AtomicU64,
    is_over: AtomicBool,
}

/// A protocol.
#[derive(Clone, Copy, Debug)]
enum Protocol {
    Rest,
    Connect,
}

impl Protocol {
    fn write(self, connection: &mut Connection, id: u64, value: u64) -> Answer {
        match self {
            Self::Rest => {
                let body = json!({ "value": value }).to_string();
                send(connection, "PATCH", &format!("/counters?id=eq.{id}"), &[], Some(&body))
            }
            Self::Connect => {
                let body = json!({"counter": {"id": id, "value": value.to_string()}}).to_string();
                send(connection, "POST", "/api.v1.CountersService/UpdateCounter", &[], Some(&body))
            }
        }
    }

    fn position(self, answer: &Answer) -> Option<String> {
        answer.header(match self {
            Self::Rest => "x-pgduet-lsn",
            Self::Connect => "trailer-x-pgduet-lsn",
        })
    }

    fn read(self, connection: &mut Connection, id: u64, position: &str) -> Answer {
        let headers = [("x-pgduet-lsn", position)];
        match self {
            Self::Rest => {
                send(connection, "GET", &format!("/counters?id=eq.{id}&select=value"), &headers, None)
            }
            Self::Connect => {
                let body = json!({ "id": id }).to_string();
                send(connection, "POST", "/api.v1.CountersService/GetCounter", &headers, Some(&body))
            }
        }
    }

    fn value(self, answer: &Answer) -> Option<u64> {
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        match self {
            Self::Rest => body[0]["value"].as_u64(),
            Self::Connect => body["counter"]["value"].as_str().or(body["value"].as_str())?.parse().ok(),
        }
    }
}

fn send(
    connection: &mut Connection,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", "application/json"));
    connection.send(method, target, &headers, body.map(str::as_bytes)).unwrap()
}

/// Writes and reads until it is over.
fn alternate(address: &str, id: u64, counts: &Counts) {
    let mut connection = Connection::open(address);
    for value in 1.. {
        if counts.is_over.load(Relaxed) {
            return;
        }
        let (writing, reading) = match value % 4 {
            0 => (Protocol::Rest, Protocol::Rest),
            1 => (Protocol::Rest, Protocol::Connect),
            2 => (Protocol::Connect, Protocol::Rest),
            _ => (Protocol::Connect, Protocol::Connect),
        };
        // While no server takes writes they may fail; the same write again is the same value.
        let position = until("a write succeeds", || {
            let answer = writing.write(&mut connection, id, value);
            match answer.status {
                200..300 => Some(writing.position(&answer).unwrap_or_else(|| panic!("{answer:?}"))),
                _ => None,
            }
        });
        let answer = reading.read(&mut connection, id, &position);
        assert_eq!(answer.status, 200, "{reading:?} after {position}: {}", answer.text());
        assert_eq!(
            reading.value(&answer),
            Some(value),
            "{reading:?} is stale after {position}: {}",
            answer.text()
        );
        counts.pairs.fetch_add(1, Relaxed);
    }
}

/// Reads what need not be fresh until it is over.
fn read_on(address: &str, counts: &Counts) {
    let mut connection = Connection::open(address);
    while !counts.is_over.load(Relaxed) {
        let answer = send(&mut connection, "GET", "/counters?order=id&limit=3", &[], None);
        assert_eq!(answer.status, 200, "{}", answer.text());
        counts.reads.fetch_add(1, Relaxed);
    }
}

impl Counts {
    /// Waits until so many more pairs have been counted, so that clients have met what is there now.
    fn go_on(&self, pairs: u64) {
        let wanted = self.pairs.load(Relaxed) + pairs;
        until("the clients go on", || (self.pairs.load(Relaxed) >= wanted).then_some(()));
    }
}

/// It is over when this is dropped, also where a test fails: the clients end then.
struct Over<'c>(&'c Counts);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Relaxed);
    }
}

#[test]
fn no_read_fails_and_none_is_stale_while_servers_die_lag_and_are_promoted() {
    let mut a = Node::primary(FIXTURE);
    // What is acknowledged outlives the primary, which a promotion takes for granted, and pgduet does not.
    a.execute("GRANT pg_read_all_stats TO authenticator");
    a.execute("ALTER ROLE authenticator SET synchronous_commit = on");
    let b = a.replica("b", &[]);
    a.execute("ALTER SYSTEM SET synchronous_standby_names = 'b'");
    a.execute("SELECT pg_reload_conf()");
    let mut c = a.replica("c", &[&b]);
    let primary = Node::uri("authenticator", &[&a, &b], "&target_session_attrs=read-write");
    let replicas = [&b, &c].map(|node| Node::uri("authenticator", &[node], ""));
    let options = [("PGDUET_DB_REPLICA_MAX_LAG", "1s"), ("PGDUET_DB_REPLICA_WAIT", "1000")];
    let served = Served::new(&primary, &replicas, &options);
    served.works(&b, "works");
    served.works(&c, "works");
    let (address, counts) = (served.server.address(), &Counts::default());
    thread::scope(|scope| {
        let _over = Over(counts);
        for id in 1..=CLIENTS {
            scope.spawn(move || alternate(address, id, counts));
        }
        scope.spawn(|| read_on(address, counts));
        counts.go_on(200);

        // One is killed, and is left out within a second.
        c.crash();
        let began = Instant::now();
        served.works(&c, "away");
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        counts.go_on(200);
        c.start();
        served.works(&c, "works");
        counts.go_on(200);

        // One is paused: it is behind when it lags by more than it may.
        c.execute("SELECT pg_wal_replay_pause()");
        counts.go_on(200);
        served.works(&c, "behind");
        counts.go_on(200);
        c.execute("SELECT pg_wal_replay_resume()");
        served.works(&c, "works");
        counts.go_on(200);

        // The primary dies, and one is promoted. The other one follows it.
        a.crash();
        until("reads go on without a primary", {
            let wanted = counts.reads.load(Relaxed) + 100;
            move || (counts.reads.load(Relaxed) >= wanted).then_some(())
        });
        assert_eq!(served.ready().0, 200, "replicas serve reads: {}", served.ready().1);
        b.execute("SELECT pg_promote()");
        served.works(&b, "is no replica");
        counts.go_on(200);
        served.works(&c, "works");
        while counts.pairs.load(Relaxed) < PAIRS {
            counts.go_on(100);
        }
    });
    let servers: Vec<_> = (0..4).map(|_| served.get("/servers", &[])).collect();
    assert!(servers.iter().all(|server| server == r#"[{"name":"c"}]"#), "{servers:?}");
    assert!(served.write(1, 1).starts_with("2-"), "the timeline of the promotion");
}
