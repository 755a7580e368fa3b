//! Through PgBouncer: what shares server connections between transactions is recognised, what does not is not.

use super::{CAREFUL, assert_found, check};
use crate::support::{address, database::Database, until};
use pgduet::embedded::ServerUser;
use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tokio_postgres::{Config, config::Host};

/// A PgBouncer before the database of a test. It ends when this is dropped.
struct PgBouncer {
    child: Child,
    directory: PathBuf,
    port: u16,
}

impl PgBouncer {
    fn start(database: &Database, mode: &str, connections: u32) -> Self {
        let server: Config = database.uri("check_careful").parse().unwrap();
        let host = match &server.get_hosts()[0] {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let directory = std::env::temp_dir().join(format!("pgduet-bouncer-{}-{mode}", database.name()));
        fs::create_dir_all(&directory).unwrap();
        // Told to listen on a TCP port that was free a moment ago.
        let port = address::free().port();
        let users = directory.join("users.txt");
        fs::write(&users, "\"check_careful\" \"\"\n").unwrap();
        let settings = format!(
            "[databases]\n* = host={host} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = {connections}\n",
            server.get_ports().first().unwrap_or(&5432),
            users.display(),
        );
        let file = directory.join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command.arg("-q").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It refuses to run as root, as PostgreSQL does, whose socket only its own user may reach.
        if let ServerUser::Other { uid, gid, .. } = ServerUser::find().unwrap() {
            for path in [&directory, &users, &file] {
                chown(path, Some(uid.as_raw()), Some(gid.as_raw())).unwrap();
            }
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let child = command.spawn().unwrap();
        until("PgBouncer listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { child, directory, port }
    }

    fn uri(&self, database: &Database) -> String {
        format!("postgresql://check_careful@127.0.0.1:{}/{}", self.port, database.name())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn a_transaction_pooler_is_recognised_and_a_session_pooler_is_none() {
    let database = Database::fresh(CAREFUL);
    let prepared = ["pooler-prepared-statements", "warning", "option db-prepared-statements"];
    let channel = ["pooler-channel", "note", "option db-channel-enabled"];
    for connections in [1, 10] {
        let pooler = PgBouncer::start(&database, "transaction", connections);
        let uri = pooler.uri(&database);
        assert_found(&check(&uri, &["--json"]), &[prepared, channel]);
        let off = ["--json", "--db-prepared-statements=false", "--db-channel-enabled=false"];
        let said = check(&uri, &off);
        assert_found(&said, &[]);
        assert_eq!(said.status, Some(0));
    }
    let pooler = PgBouncer::start(&database, "session", 10);
    assert_found(&check(&pooler.uri(&database), &["--json"]), &[]);
}
