//! A database that is silent: connections are open and nothing answers. What is asked of it ends in time, everybody is told,
//! and when it speaks again, on new connections only, it is found at once.

use super::{answers, health::is_serving, outage::Own, pgduet};
use crate::support::{
    address::free,
    http::{Connection, send},
    server::Server,
    silence::Proxy,
    until,
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Within which the server works again when the database does.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// A server whose database can fall silent.
struct Silenced {
    own: Own,
    proxy: Proxy,
    server: Server,
    admin: String,
}

impl Silenced {
    async fn start(name: &str, more: &[(&str, &str)]) -> Self {
        let own = Own::start(name).await;
        let proxy = Proxy::before(&own.uri("authenticator"));
        let admin = free();
        let mut command = pgduet();
        command
            .env("PGRST_DB_URI", proxy.uri("authenticator", "postgres"))
            .env("PGRST_DB_SCHEMAS", "api")
            .env("PGRST_DB_ANON_ROLE", "anonymous")
            .env("PGRST_DB_POOL", "3")
            .env("PGRST_ADMIN_SERVER_PORT", admin.port().to_string())
            .envs(more.iter().copied());
        let server = Server::run(command);
        until("the database is seen", || is_serving(&server).then_some(()));
        server.says("Listening for notifications", 1);
        Self { own, proxy, server, admin: admin.to_string() }
    }

    fn ready(&self) -> (u16, String) {
        let answer = send(&self.admin, "GET", "/ready", &[], None);
        (answer.status, answer.text())
    }

    fn metric(&self, line: &str) -> bool {
        let page = send(&self.admin, "GET", "/metrics", &[], None).text();
        page.lines().any(|found| found == line)
    }

    /// The time from when the database speaks again until a row can be read, `/ready` and health say so.
    fn back(&self) -> Duration {
        self.proxy.speak();
        let spoken = Instant::now();
        until("a row can be read", || {
            let mut connection = Connection::open(self.server.address());
            connection.patience(Duration::from_millis(300));
            let answer = connection.send("GET", "/items?select=id", &[], None);
            answer.is_ok_and(|answer| answer.status == 200).then_some(())
        });
        until("it is ready", || (self.ready().0 == 200).then_some(()));
        until("it serves", || is_serving(&self.server).then_some(()));
        spoken.elapsed()
    }
}

#[tokio::test]
async fn a_silent_database_is_missed_and_found_again_whatever_waits_for_it() {
    let silenced = Silenced::start("silent", &[]).await;
    let server = &silenced.server;
    // All connections of the pool are open.
    let reads: Vec<_> = (0..3).map(|_| Connection::open(server.address())).collect();
    for mut connection in reads {
        assert_eq!(connection.send("GET", "/items?select=id", &[], None).unwrap().status, 200);
    }
    silenced.proxy.fall_silent();
    // These wait without an end of their own, and take all connections.
    let address = server.address().to_owned();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || send(&address, "GET", "/items?select=id", &[], None).status)
        })
        .collect();
    until("it is missed", || (silenced.ready().0 == 503).then_some(()));
    assert!(silenced.ready().1.starts_with("away: "), "{:?}", silenced.ready());
    assert!(!is_serving(server));
    assert!(silenced.metric("pgduet_state{state=\"away\"} 1.0"));
    assert!(silenced.metric("pgrst_db_pool_available 0.0"));
    let back = silenced.back();
    assert!(back < BACK_WITHIN, "{back:?}");
    // What was asked on a connection from before is lost; what waited for one is answered.
    for call in waiting {
        let status = call.join().unwrap();
        assert!(matches!(status, 200 | 503), "{status}");
    }
    assert_eq!(silenced.ready(), (200, "loaded\n".to_owned()));
    // The listener hears again.
    let (client, connection) =
        tokio_postgres::connect(&silenced.own.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    server.says("Listening for notifications", 2);
    client
        .batch_execute(
            "CREATE VIEW api.late AS SELECT 1 AS id; GRANT SELECT ON api.late TO anonymous; NOTIFY pgrst",
        )
        .await
        .unwrap();
    until("the new view is served", || {
        (send(server.address(), "GET", "/late", &[], None).status == 200).then_some(())
    });
}

#[tokio::test]
async fn a_short_silence_is_over_as_soon() {
    let silenced = Silenced::start("silent-short", &[]).await;
    assert!(answers(&silenced.server));
    silenced.proxy.fall_silent();
    let mut connection = Connection::open(silenced.server.address());
    connection.patience(Duration::from_millis(500));
    assert!(connection.send("GET", "/items?select=id", &[], None).is_err());
    drop(connection);
    let back = silenced.back();
    assert!(back < BACK_WITHIN, "{back:?}");
}

#[tokio::test]
async fn a_load_that_waits_for_a_silent_database_begins_anew() {
    let silenced = Silenced::start("silent-load", &[]).await;
    silenced.proxy.fall_silent();
    silenced.server.signal("USR1");
    until("it is missed", || (silenced.ready().0 == 503).then_some(()));
    let loads = silenced.server.log().matches("Schema cache loaded").count();
    silenced.back();
    silenced.server.says("Schema cache loaded", loads + 1);
}

#[tokio::test]
async fn db_query_timeout_ends_what_a_silent_database_does_not() {
    let silenced = Silenced::start("silent-limit", &[("PGDUET_DB_QUERY_TIMEOUT", "1")]).await;
    assert!(answers(&silenced.server));
    silenced.proxy.fall_silent();
    let began = Instant::now();
    let answer = send(silenced.server.address(), "GET", "/items?select=id", &[], None);
    assert_eq!((answer.status, answer.code().as_deref()), (504, Some("PGDUET08")), "{}", answer.text());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let back = silenced.back();
    assert!(back < BACK_WITHIN, "{back:?}");
    silenced
        .own
        .superuser("CREATE FUNCTION api.slow() RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(60)::text'")
        .await;
    silenced.server.signal("USR1");
    let slow = || send(silenced.server.address(), "POST", "/rpc/slow", &[], Some("{}"));
    let answer = until("it is known", || Some(slow()).filter(|answer| answer.status != 404));
    assert_eq!((answer.status, answer.code().as_deref()), (504, Some("PGDUET08")), "{}", answer.text());
}

/// What it waits for is not this side's to know.
#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_a_silent_database() {
    let silenced = Silenced::start("silent-end", &[("PGDUET_SERVER_DRAIN_TIMEOUT", "1")]).await;
    silenced.proxy.fall_silent();
    let mut connection = Connection::open(silenced.server.address());
    connection.write(b"GET /items HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let began = Instant::now();
    silenced.server.signal("TERM");
    assert_eq!(silenced.server.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
