//! A database that goes away and comes back, on a PostgreSQL server of this test alone.

use super::{SCHEMA, ended, pgduet};
use crate::support::{http::send, server::Server, until};
use pgduet::embedded::{Binaries, Cluster, Durability, Location};
use std::{env, fs, path::PathBuf};

const ROLES: &str = "
    CREATE ROLE anonymous NOLOGIN;
    CREATE ROLE authenticated NOLOGIN;
    CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD 'right';
    GRANT anonymous, authenticated TO authenticator;
";

/// A PostgreSQL server of its own, with roles and schema.
struct Own {
    binaries: Binaries,
    location: PathBuf,
    cluster: Option<Cluster>,
}

impl Own {
    async fn start(name: &str) -> Self {
        let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
        let binaries = Binaries::find(explicit.as_deref()).unwrap();
        let location = env::temp_dir().join(format!("pgduet-{name}-{}", std::process::id()));
        let mut own = Self { binaries, location, cluster: None };
        own.resume();
        let (client, connection) =
            tokio_postgres::connect(&own.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(ROLES).await.unwrap();
        client.batch_execute(SCHEMA).await.unwrap();
        own
    }

    fn uri(&self, role: &str) -> String {
        self.cluster.as_ref().unwrap().uri(role, "postgres")
    }

    fn stop(&mut self) {
        self.cluster.take().unwrap().stop().unwrap();
    }

    fn resume(&mut self) {
        let location = Location::Kept(self.location.clone());
        self.cluster = Some(Cluster::open(&self.binaries, location, Durability::Throwaway).unwrap());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.cluster.take());
        let _left = fs::remove_dir_all(&self.location);
    }
}

#[tokio::test]
async fn a_database_that_restarts_is_found_again() {
    let mut own = Own::start("restart").await;
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", own.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous");
    let server = Server::run(command);
    let read = || send(server.address(), "GET", "/items?select=id", &[], None);
    assert_eq!(read().status, 200);
    own.stop();
    let answer = read();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(matches!(answer.code().as_deref(), Some("PGRST000" | "PGRST001")), "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    own.resume();
    // The first request already finds it: nobody waits for a timer.
    assert_eq!(read().text(), r#"[{"id":1}]"#);
    // The listener takes its time and then hears again.
    server.says("Listening for notifications", 2);
    let (client, connection) =
        tokio_postgres::connect(&own.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
        .batch_execute("CREATE VIEW api.late AS SELECT 1 AS id; GRANT SELECT ON api.late TO anonymous")
        .await
        .unwrap();
    client.batch_execute("NOTIFY pgrst, 'reload schema'").await.unwrap();
    until("the new view is served", || {
        (send(server.address(), "GET", "/late", &[], None).status == 200).then_some(())
    });
}

#[tokio::test]
async fn without_recovery_the_process_ends_with_its_connection() {
    let mut own = Own::start("no-recovery").await;
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", own.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_POOL_AUTOMATIC_RECOVERY", "false");
    let server = Server::run(command);
    server.says("Listening for notifications", 1);
    own.stop();
    assert_eq!(server.wait().code(), Some(1));
}

#[tokio::test]
async fn a_wrong_password_ends_the_start() {
    let own = Own::start("password").await;
    let data = own.cluster.as_ref().unwrap().data_dir();
    fs::write(data.join("pg_hba.conf"), "local all postgres trust\nlocal all all scram-sha-256\n").unwrap();
    let (client, connection) =
        tokio_postgres::connect(&own.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let uri = own.uri("authenticator");
    let with = |password: &str| {
        let mut command = pgduet();
        command.env("PGRST_DB_URI", &uri).env("PGPASSWORD", password).env("PGRST_DB_SCHEMAS", "api");
        command
    };
    // The server takes its new rules in its own time.
    until("passwords are asked for", || {
        (ended(with("wrong").arg("--dump-config")).0 != Some(0)).then_some(())
    });
    let (code, text) = ended(&mut with("wrong"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("password authentication failed"), "{text}");
    drop(Server::run(with("right")));
}
