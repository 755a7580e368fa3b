//! What is not a request waits for none: loads and checks of health while requests hold all connections of the pool.

use super::{SCHEMA, answers, call_wait, health::is_serving, hold, release, serve, until_waiting};
use crate::support::{address, database::Database, http::send, until};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How many sessions the server has in PostgreSQL.
async fn sessions(client: &Client, database: &Database) -> i64 {
    const COUNT: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename = 'authenticator'";
    client.query_one(COUNT, &[&database.name()]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_pool_that_is_used_up_delays_neither_a_load_nor_a_check_of_health() {
    let database = Database::fresh(SCHEMA);
    let admin = address::free();
    let server = serve(
        &database,
        &[
            ("PGRST_DB_POOL", "2"),
            // Nobody listens, so that the database is asked each second.
            ("PGRST_DB_CHANNEL_ENABLED", "false"),
            ("PGRST_ADMIN_SERVER_PORT", &admin.port().to_string()),
        ],
    );
    let admin = admin.to_string();
    let page = || send(&admin, "GET", "/metrics", &[], None).text();
    let loads = || {
        let told = page();
        let line = told
            .lines()
            .find_map(|line| line.strip_prefix("pgrst_schema_cache_loads_total{status=\"SUCCESS\"}"));
        line.unwrap().trim().parse::<f64>().unwrap()
    };
    until("the database is seen", || is_serving(&server).then_some(()));
    let holder = hold(&database).await;
    let calls = [call_wait(&server), call_wait(&server)];
    until_waiting(&holder, &database, 2).await;
    // The database is asked more than once meanwhile.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        let loaded = loads();
        assert_eq!(send(&admin, "GET", "/ready", &[], None).status, 200);
        assert!(is_serving(&server));
        server.signal("USR1");
        until("it is loaded", || (loads() > loaded).then_some(()));
        // Whoever asks for the database's health stands in no queue of requests.
        assert!(page().contains("pgrst_db_pool_waiting 0"), "{}", page());
        // Two requests, and two connections for everything else.
        assert!(sessions(&holder, &database).await <= 4);
    }
    until_waiting(&holder, &database, 2).await;
    release(holder).await;
    assert_eq!(calls.map(|call| call.join().unwrap()), [200, 200]);
    assert!(answers(&server));
}

#[tokio::test]
async fn connections_that_nobody_needs_are_closed() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGRST_DB_POOL_MAX_IDLETIME", "1")]);
    server.says("Listening for notifications", 1);
    assert!(answers(&server));
    let client = database.client().await;
    // The one that listens, and the one that asks whether PostgreSQL answers.
    while sessions(&client, &database).await != 2 {
        tokio::task::yield_now().await;
    }
    assert!(answers(&server) && is_serving(&server));
}
