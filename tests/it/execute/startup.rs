//! How a session begins on a real server: each way in which PostgreSQL asks who comes, and which of several servers is
//! taken.

use super::*;
use pgduet::embedded::{Binaries, Cluster, Durability, Location, initialise};
use std::{env, fs, path::PathBuf};
use tokio::net::TcpSocket;
use tokio_postgres::config::Host;

/// Which role logs in how.
const RULES: &str = "
    local all postgres trust
    local all by_md5 md5
    local all by_scram scram-sha-256
    local all by_either md5
    local all in_clear password";

const ROLES: &str = "
    SET password_encryption = 'md5';
    CREATE ROLE by_md5 LOGIN PASSWORD 'secret';
    SET password_encryption = 'scram-sha-256';
    CREATE ROLE by_scram LOGIN PASSWORD 'secret';
    CREATE ROLE by_either LOGIN PASSWORD 'secret';
    CREATE ROLE in_clear LOGIN PASSWORD 'secret';";

/// A server of its own.
struct Own {
    cluster: Option<Cluster>,
    location: PathBuf,
}

impl Own {
    /// Starts it; `prepare` writes into its data directory before.
    fn start(name: &str, prepare: impl FnOnce(&std::path::Path)) -> Self {
        let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
        let binaries = Binaries::find(explicit.as_deref()).unwrap();
        let location = env::temp_dir().join(format!("pgduet-{name}-{}", std::process::id()));
        fs::create_dir(&location).unwrap();
        let data = location.join("data");
        initialise(&binaries, &data, Durability::Throwaway).unwrap();
        prepare(&data);
        let cluster =
            Cluster::open(&binaries, Location::Kept(location.clone()), Durability::Throwaway).unwrap();
        Self { cluster: Some(cluster), location }
    }

    fn uri(&self, role: &str) -> String {
        self.cluster.as_ref().unwrap().uri(role, "postgres")
    }

    fn socket_dir(&self) -> String {
        self.cluster.as_ref().unwrap().socket_dir().display().to_string()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.cluster.take());
        let _left = fs::remove_dir_all(&self.location);
    }
}

/// What a session of this kind answers, or why there is none.
async fn answer(parameters: &str, sql: &'static str) -> Result<String> {
    let pool = pool_of(parameters, options());
    let unit = Unit { settings: Vec::new(), access: Access::ReadOnly, ..show(sql) };
    Ok(run(&pool, unit).await?.0)
}

#[tokio::test]
async fn a_password_is_given_as_the_server_asks_for_it() {
    let server = Own::start("passwords", |data| fs::write(data.join("pg_hba.conf"), RULES).unwrap());
    let (client, connection) =
        tokio_postgres::connect(&server.uri("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(ROLES).await.unwrap();
    for role in ["by_md5", "by_scram", "by_either", "in_clear"] {
        let with = |password: &str| format!("{}&{password}", server.uri(role));
        let who = "SELECT current_user::text";
        assert_eq!(answer(&with("password=secret"), who).await.unwrap(), format!("\"{role}\""));
        let wrong = answer(&with("password=guess"), who).await.unwrap_err();
        let (code, told) = (wrong.code().to_owned(), wrong.to_string());
        assert_eq!((code.as_str(), wrong.message.as_str()), ("PGRST000", "Database connection error."));
        assert!(told.contains("password authentication failed"), "{role}: {told}");
        let missing = answer(&server.uri(role), who).await.unwrap_err().to_string();
        assert!(missing.starts_with("PGRST000") && missing.contains("password"), "{role}: {missing}");
    }
}

/// The directory of the suite's own server.
fn primary(database: &Database) -> String {
    let config: tokio_postgres::Config = database.superuser_uri().parse().unwrap();
    match &config.get_hosts()[0] {
        Host::Unix(directory) => directory.display().to_string(),
        Host::Tcp(name) => name.clone(),
    }
}

#[tokio::test]
async fn of_several_servers_the_first_is_taken_that_lives_and_is_as_asked_for() {
    // Nothing follows its log: it can be read and not be written to.
    let standby = Own::start("alone", |data| fs::write(data.join("standby.signal"), "").unwrap());
    let database = Database::fresh("");
    // Bound and not listened at: whoever connects is refused, and nobody else gets the port.
    let taken = TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = taken.local_addr().unwrap().port();
    let hosts = format!("127.0.0.1,{},{}", standby.socket_dir(), primary(&database));
    let of = |attributes: &str| {
        format!(
            "host={hosts} port={dead},5432,5432 user=postgres dbname=postgres target_session_attrs={attributes}"
        )
    };
    let recovers = "SELECT pg_is_in_recovery()::text";
    for (attributes, expected) in
        [("any", "\"true\""), ("read-only", "\"true\""), ("read-write", "\"false\"")]
    {
        assert_eq!(answer(&of(attributes), recovers).await.unwrap(), expected, "{attributes}");
    }
    let none = format!(
        "host=127.0.0.1,{} port={dead},5432 user=postgres dbname=postgres target_session_attrs=read-write",
        standby.socket_dir()
    );
    let error = answer(&none, recovers).await.unwrap_err();
    assert!(error.to_string().contains("takes no writes"), "{error}");
    let nobody = format!("host=127.0.0.1 port={dead} user=postgres dbname=postgres");
    assert_eq!(answer(&nobody, recovers).await.unwrap_err().code(), "PGRST000");
}
