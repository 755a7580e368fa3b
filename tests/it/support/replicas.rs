//! A primary and replicas of its own, made with `pg_basebackup`, for tests that kill, pause and promote servers.

use super::database::program;
use pgduet::embedded::{Binaries, Cluster, Durability, Location};
use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A server that can be stopped and started again.
pub(crate) struct Node {
    location: PathBuf,
    cluster: Option<Cluster>,
}

impl Node {
    /// A primary that is called `a` and has run `sql`.
    pub(crate) fn primary(sql: &str) -> Self {
        let mut node = Self { location: new_location(), cluster: None };
        node.start();
        node.configure("cluster_name = 'a'\n");
        node.stop();
        node.start();
        node.execute(sql);
        node
    }

    /// A replica of this server under a name, which follows whichever of these servers it reaches, too.
    pub(crate) fn replica(&self, name: &str, others: &[&Node]) -> Self {
        let node = Self { location: new_location(), cluster: None };
        fs::create_dir(&node.location).unwrap();
        let data = node.location.join("data");
        let copied = Command::new(program("pg_basebackup"))
            .args(["-U", "postgres", "-R", "-c", "fast", "--no-sync", "-h"])
            .arg(self.directory())
            .arg("-D")
            .arg(&data)
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        // The socket stands in the data directory.
        let _ = fs::remove_file(data.join(".s.PGSQL.5432.lock"));
        let hosts: Vec<_> =
            std::iter::once(&self).chain(others).map(|node| node.directory().display().to_string()).collect();
        let mut node = node;
        node.configure(&format!(
            "cluster_name = '{name}'\nwal_retrieve_retry_interval = '100ms'\n\
             primary_conninfo = 'user=postgres host={} port=5432 application_name={name}'\n",
            hosts.join(",")
        ));
        let reference = format!("--reference={}", self.data().display());
        let owned = Command::new("chown").args(["-R", &reference]).arg(&data).status().unwrap();
        assert!(owned.success());
        node.start();
        node
    }

    fn data(&self) -> PathBuf {
        self.location.join("data")
    }

    /// Where its socket is.
    pub(crate) fn directory(&self) -> PathBuf {
        self.data()
    }

    /// A URI of its database, or of the one of these servers that takes writes.
    pub(crate) fn uri(role: &str, nodes: &[&Node], attributes: &str) -> String {
        let hosts: Vec<_> =
            nodes.iter().map(|node| node.directory().display().to_string().replace('/', "%2F")).collect();
        format!("postgresql://{role}@/postgres?host={}{attributes}", hosts.join(","))
    }

    /// What the end of its configuration says from the next start on.
    fn configure(&mut self, lines: &str) {
        let file = OpenOptions::new().append(true).open(self.data().join("postgresql.auto.conf"));
        file.unwrap().write_all(lines.as_bytes()).unwrap();
    }

    /// Starts it.
    pub(crate) fn start(&mut self) {
        let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
        let binaries = Binaries::find(explicit.as_deref()).unwrap();
        let location = Location::Kept(self.location.clone());
        self.cluster = Some(Cluster::open(&binaries, location, Durability::Throwaway).unwrap());
    }

    /// Stops it as it should be stopped.
    pub(crate) fn stop(&mut self) {
        self.cluster.take().unwrap().stop().unwrap();
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn crash(&mut self) {
        let cluster = self.cluster.take().unwrap();
        let id = cluster.server_id().to_string();
        assert!(Command::new("kill").args(["-QUIT", &id]).status().unwrap().success());
        drop(cluster);
    }

    /// Runs SQL in it as superuser, and gives what psql prints.
    pub(crate) fn execute(&self, sql: &str) -> String {
        let output = Command::new(program("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"])
            .arg(self.directory())
            .args(["-c", sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.cluster = None;
        let _ = fs::remove_dir_all(&self.location);
    }
}

/// Not below target: where the suite runs as root, the server's user may not be able to enter it.
fn new_location() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let location: &Path = &env::temp_dir();
    location.join(format!("pgduet-node-{}-{number}", std::process::id()))
}
