//! A database that goes away and comes back, on a PostgreSQL server of this test alone.

use super::{SCHEMA, answers, ended, health::is_serving, pgduet};
use crate::support::{address, http::send, server::Server, tools::grpcurl, until};
use pgduet::embedded::{Binaries, Cluster, Durability, Location};
use std::{
    env, fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};
use tokio_postgres::config::Host;

const ROLES: &str = "
    CREATE ROLE anonymous NOLOGIN;
    CREATE ROLE authenticated NOLOGIN;
    CREATE ROLE authenticator LOGIN NOINHERIT PASSWORD 'right';
    GRANT anonymous, authenticated TO authenticator;
";

/// A PostgreSQL server of its own, with roles and schema.
pub(super) struct Own {
    binaries: Binaries,
    location: PathBuf,
    cluster: Option<Cluster>,
}

impl Own {
    pub(super) async fn start(name: &str) -> Self {
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

    pub(super) fn uri(&self, role: &str) -> String {
        self.cluster.as_ref().unwrap().uri(role, "postgres")
    }

    /// What PostgreSQL has written to its log.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.location.join("server.log")).unwrap()
    }

    /// Runs SQL as superuser.
    pub(super) async fn superuser(&self, sql: &str) {
        let (client, connection) =
            tokio_postgres::connect(&self.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
    }

    /// Lets in whom these lines of `pg_hba.conf` let in.
    pub(super) async fn rules(&self, lines: &str) {
        fs::write(self.cluster.as_ref().unwrap().data_dir().join("pg_hba.conf"), lines).unwrap();
        self.superuser("SELECT pg_reload_conf()").await;
        // The server takes its new rules in its own time; it tells of them at once.
        let probe = self.uri("authenticator");
        until("the rules are in force", || {
            let lets_in = lines.contains("all all trust");
            let asked =
                Command::new(self.binaries.program("psql")).arg("-wc").arg("").arg(&probe).output().unwrap();
            (asked.status.success() == lets_in).then_some(())
        });
    }

    /// A standby that is a copy of a server of its own, which has ended.
    pub(super) async fn standby(name: &str) -> Self {
        Self::start(&format!("{name}-primary")).await.copy_as_standby(name)
    }

    /// Stops, and starts a copy that begins to recover and gets nothing more: it can be read and neither written to nor
    /// listened at.
    fn copy_as_standby(&mut self, name: &str) -> Self {
        self.stop();
        let location = Self::location(name);
        let copied = Command::new("cp").arg("-a").args([&self.location, &location]).status().unwrap();
        assert!(copied.success());
        fs::write(location.join("data/standby.signal"), "").unwrap();
        Self::resumed(location)
    }

    /// Starts a standby that follows this server, made as operators make one.
    fn backup_as_standby(&self, name: &str) -> Self {
        let location = Self::location(name);
        fs::create_dir_all(&location).unwrap();
        let data = location.join("data");
        let primary = self.cluster.as_ref().unwrap().data_dir();
        let made = Command::new(self.binaries.program("pg_basebackup"))
            .args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--wal-method=stream", "-D"])
            .arg(&data)
            .args(["-d", &self.uri("postgres")])
            .status()
            .unwrap();
        assert!(made.success());
        // The socket of the primary stands among its data.
        let _none = fs::remove_file(data.join(".s.PGSQL.5432.lock"));
        let reference = format!("--reference={}", primary.display());
        let owned = Command::new("chown").args(["-R", &reference]).arg(&data).status().unwrap();
        assert!(owned.success());
        Self::resumed(location)
    }

    /// Where a server of this name has its files; nothing is there.
    fn location(name: &str) -> PathBuf {
        let location = env::temp_dir().join(format!("pgduet-{name}-{}", std::process::id()));
        let _left = fs::remove_dir_all(&location);
        location
    }

    fn resumed(location: PathBuf) -> Self {
        let binaries =
            Binaries::find(env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from).as_deref()).unwrap();
        let mut own = Self { binaries, location, cluster: None };
        own.resume();
        own
    }

    pub(super) fn stop(&mut self) {
        self.cluster.take().unwrap().stop().unwrap();
    }

    pub(super) fn resume(&mut self) {
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
async fn health_follows_the_database_whether_or_not_somebody_listens() {
    for channel in ["true", "false"] {
        let mut own = Own::start(&format!("health-{channel}")).await;
        let admin = address::free();
        let mut command = pgduet();
        command
            .env("PGRST_DB_URI", own.uri("authenticator"))
            .env("PGRST_DB_SCHEMAS", "api")
            .env("PGRST_DB_ANON_ROLE", "anonymous")
            .env("PGRST_DB_CHANNEL_ENABLED", channel)
            .env("PGRST_ADMIN_SERVER_PORT", admin.port().to_string());
        let server = Server::run(command);
        let ready = || send(&admin.to_string(), "GET", "/ready", &[], None).status;
        until("the database is seen", || is_serving(&server).then_some(()));
        assert_eq!(ready(), 200);
        own.stop();
        until("the database is missed", || (!is_serving(&server)).then_some(()));
        assert_eq!(ready(), 503);
        if channel == "true" {
            // From now on the listener takes longer than health may.
            server.says("next attempt in 4 s", 1);
        }
        own.resume();
        let back = Instant::now();
        assert!(answers(&server));
        until("the database is seen again", || is_serving(&server).then_some(()));
        assert_eq!(ready(), 200);
        assert!(back.elapsed() < Duration::from_secs(3), "channel {channel}: {:?}", back.elapsed());
    }
}

/// A connection string of two servers.
fn place_of(servers: [&Own; 2]) -> String {
    let uris = servers.map(|server| server.uri("authenticator"));
    let configs = uris.map(|uri| uri.parse::<tokio_postgres::Config>().unwrap());
    let hosts = configs.each_ref().map(|config| match &config.get_hosts()[0] {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let ports = configs.each_ref().map(|config| config.get_ports().first().unwrap_or(&5432).to_string());
    format!("host={} port={} user=authenticator dbname=postgres", hosts.join(","), ports.join(","))
}

#[tokio::test]
async fn the_standby_is_preferred_where_that_is_asked_for_and_the_primary_will_do() {
    let primary = Own::start("preferred-primary").await;
    primary
        .superuser(
            "CREATE VIEW api.place AS SELECT pg_is_in_recovery() AS recovers; GRANT SELECT ON api.place TO anonymous",
        )
        .await;
    let mut standby = primary.backup_as_standby("preferred-standby");
    let place = format!("{} target_session_attrs=prefer-standby", place_of([&primary, &standby]));
    let mut command = pgduet();
    command.env("PGRST_DB_URI", place).env("PGRST_DB_SCHEMAS", "api").env("PGRST_DB_ANON_ROLE", "anonymous");
    let server = Server::run(command);
    let recovers = || send(server.address(), "GET", "/place", &[], None).text();
    assert_eq!(recovers(), r#"[{"recovers":true}]"#);
    // It follows the primary, and takes no writes itself.
    primary.superuser("INSERT INTO api.items VALUES (2, 'two')").await;
    until("the standby has the row", || {
        let read = send(server.address(), "GET", "/items?id=eq.2&select=name", &[], None);
        (read.text() == r#"[{"name":"two"}]"#).then_some(())
    });
    let write = || send(server.address(), "POST", "/items", &[], Some(r#"{"id":3}"#));
    let create =
        || grpcurl(&["-d", r#"{"item":{"id":4}}"#, server.address(), "api.v1.ItemsService/CreateItem"]);
    let written = write();
    assert_eq!((written.status, written.code().as_deref()), (405, Some("25006")), "{}", written.text());
    let created = create().unwrap_err();
    assert!(created.contains("FailedPrecondition") && created.contains("25006"), "{created}");
    // A change that the primary announces is heard, whichever of them answers requests.
    server.says("Listening for notifications", 1);
    let loads = server.log().matches("Schema cache loaded").count();
    primary.superuser("NOTIFY pgrst, 'reload schema'").await;
    server.says("Schema cache loaded", loads + 1);

    standby.stop();
    until("the primary answers", || (recovers() == r#"[{"recovers":false}]"#).then_some(()));
    assert_eq!(write().status, 201);
    assert!(create().is_ok());
}

#[tokio::test]
async fn the_listener_finds_the_primary_among_several_hosts() {
    let mut primary = Own::start("primary").await;
    let standby = primary.copy_as_standby("standby");
    primary.resume();
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", place_of([&standby, &primary]))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous");
    let server = Server::run(command);
    server.says("Listening for notifications", 1);
    let written = send(server.address(), "POST", "/items", &[], Some(r#"{"id":2}"#));
    assert_eq!(written.code().as_deref(), Some("25006"), "requests are at the standby");
    let (client, connection) =
        tokio_postgres::connect(&primary.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let loads = server.log().matches("Schema cache loaded").count();
    client.batch_execute("NOTIFY pgrst, 'reload schema'").await.unwrap();
    server.says("Schema cache loaded", loads + 1);
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
        (ended(with("wrong").arg("--dump-schema")).0 != Some(0)).then_some(())
    });
    let (code, text) = ended(&mut with("wrong"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("password authentication failed"), "{text}");
    drop(Server::run(with("right")));
}
