//! The local PostgreSQL: that it starts, keeps its data, says who holds it, and always ends.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use pgduet::embedded::{Binaries, Cluster, Durability, Error, Location, ServerUser};
use tokio_postgres::NoTls;

use crate::support::database::Database;

fn binaries() -> Binaries {
    let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
    Binaries::find(explicit.as_deref()).unwrap()
}

/// A directory that the server's user can enter, also where the suite runs as root; deleted at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("pgduet-scratch-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn open(&self, location: fn(PathBuf) -> Location) -> Result<Cluster, Error> {
        Cluster::open(&binaries(), location(self.0.clone()), Durability::Throwaway)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn query(cluster: &Cluster, sql: &str) -> Result<String, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(&cluster.uri("postgres", "postgres"), NoTls).await?;
    tokio::spawn(connection);
    Ok(client.query_one(sql, &[]).await?.get(0))
}

fn answers(socket_dir: &Path) -> bool {
    UnixStream::connect(socket_dir.join(".s.PGSQL.5432")).is_ok()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(120), "still waiting until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_cluster_sorts_and_folds_alike_on_every_system_and_listens_on_no_port() {
    let cluster = Cluster::open(&binaries(), Location::Temporary, Durability::Durable).unwrap();
    let setting = |name| query(&cluster, &format!("SELECT current_setting('{name}')")).unwrap();
    assert_eq!(setting("listen_addresses"), "");
    assert_eq!(setting("server_encoding"), "UTF8");
    assert_eq!(setting("TimeZone"), "UTC");
    assert_eq!(setting("fsync"), "on");
    assert_eq!(query(&cluster, "SELECT upper('ä') || ('a' < 'B')").unwrap(), "Äfalse");
}

#[test]
fn a_stopped_temporary_cluster_leaves_no_file_behind() {
    let cluster = Cluster::open(&binaries(), Location::Temporary, Durability::Throwaway).unwrap();
    let location = cluster.data_dir().parent().unwrap().to_owned();
    assert!(location.is_dir());
    cluster.stop().unwrap();
    assert!(!location.exists());
}

#[test]
fn no_other_user_can_reach_the_socket() {
    let cluster = Cluster::open(&binaries(), Location::Temporary, Durability::Throwaway).unwrap();
    let mode = fs::metadata(cluster.socket_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn kept_data_is_there_again_and_fresh_data_is_not() {
    let scratch = Scratch::new();
    let first = scratch.open(Location::Kept).unwrap();
    query(&first, "WITH x AS (SELECT pg_create_physical_replication_slot('kept')) SELECT x::text FROM x")
        .unwrap();
    first.stop().unwrap();

    let slots = "SELECT count(*)::text FROM pg_replication_slots";
    let again = scratch.open(Location::Kept).unwrap();
    assert_eq!(query(&again, slots).unwrap(), "1");
    again.stop().unwrap();

    let fresh = scratch.open(Location::Fresh).unwrap();
    assert_eq!(query(&fresh, slots).unwrap(), "0");
}

#[test]
fn a_location_in_use_is_refused_with_the_name_of_its_holder_and_left_alone() {
    let scratch = Scratch::new();
    let cluster = scratch.open(Location::Kept).unwrap();
    for location in [Location::Kept, Location::Fresh] {
        let refused = scratch.open(location).unwrap_err();
        let Error::Held { holder, .. } = &refused else { panic!("{refused}") };
        assert!(holder.contains(&format!("process {}", std::process::id())), "{holder}");
    }
    assert_eq!(query(&cluster, "SELECT 'alive'").unwrap(), "alive");
}

#[test]
fn a_socket_path_that_would_be_too_long_is_replaced() {
    let scratch = Scratch::new();
    let long = scratch.0.join("x".repeat(100));
    let cluster = Cluster::open(&binaries(), Location::Kept(long), Durability::Throwaway).unwrap();
    assert!(cluster.socket_dir() != cluster.data_dir());
    assert_eq!(query(&cluster, "SELECT 'reached'").unwrap(), "reached");
    let socket_dir = cluster.socket_dir().to_owned();
    drop(cluster);
    assert!(!socket_dir.exists());
}

#[test]
fn the_server_outlives_the_thread_that_started_it() {
    let start = || Cluster::open(&binaries(), Location::Temporary, Durability::Throwaway).unwrap();
    let cluster = thread::spawn(start).join().unwrap();
    assert_eq!(query(&cluster, "SELECT 'alive'").unwrap(), "alive");
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    let scratch = Scratch::new();
    let cluster = scratch.open(Location::Kept).unwrap();
    let settings = cluster.data_dir().join("postgresql.conf");
    cluster.stop().unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(settings)
        .unwrap()
        .write_all(b"\nno_such_setting = 1\n")
        .unwrap();
    let error = scratch.open(Location::Kept).unwrap_err();
    assert!(matches!(&error, Error::ServerEnded { log } if log.contains("no_such_setting")), "{error}");
}

#[test]
fn data_of_another_major_version_is_not_touched() {
    let scratch = Scratch::new();
    let cluster = scratch.open(Location::Kept).unwrap();
    let version = cluster.data_dir().join("PG_VERSION");
    cluster.stop().unwrap();
    fs::write(&version, "9\n").unwrap();
    let error = scratch.open(Location::Kept).unwrap_err();
    assert!(matches!(&error, Error::OtherMajor { data, .. } if data == "9"), "{error}");
    assert!(version.exists());
}

#[test]
fn a_directory_without_postgresql_is_refused_by_name() {
    let error = Binaries::find(Some(Path::new("/usr/share"))).unwrap_err();
    assert!(error.to_string().starts_with("/usr/share holds no usable PostgreSQL"), "{error}");
}

#[test]
fn a_server_left_behind_is_stopped_and_its_data_taken_over() {
    let scratch = Scratch::new();
    let cluster = scratch.open(Location::Kept).unwrap();
    let (data, first) = (cluster.data_dir().to_owned(), cluster.server_id());
    cluster.stop().unwrap();
    let mut orphan = by_hand(&data, "");
    wait_until("the orphan answers", || answers(&data));

    // Its parent, which is this test, has to reap it, as the system does with a real orphan.
    let reaper = thread::spawn(move || orphan.wait().unwrap());
    let cluster = scratch.open(Location::Kept).unwrap();
    assert!(reaper.join().unwrap().success());
    assert_ne!(cluster.server_id(), first);
    assert_eq!(query(&cluster, "SELECT 'taken over'").unwrap(), "taken over");
}

#[test]
fn a_server_that_someone_started_by_hand_is_left_alone() {
    let scratch = Scratch::new();
    let cluster = scratch.open(Location::Kept).unwrap();
    let data = cluster.data_dir().to_owned();
    cluster.stop().unwrap();
    // Port 5432 of an address that no other server takes.
    let mut theirs = by_hand(&data, "127.91.44.7");
    wait_until("the server answers", || answers(&data));

    let error = scratch.open(Location::Kept).unwrap_err();
    assert!(
        matches!(&error, Error::ServerEnded { log } if log.contains(&theirs.id().to_string())),
        "{error}"
    );
    assert!(answers(&data));
    let interrupted = Command::new("kill").args(["-INT", &theirs.id().to_string()]).status().unwrap();
    assert!(interrupted.success() && theirs.wait().unwrap().success());
}

/// Starts `postgres` on `data` outside of pgduet.
fn by_hand(data: &Path, address: &str) -> Child {
    let mut command = Command::new(binaries().program("postgres"));
    command.arg("-D").arg(data).arg("-k").arg(data).args(["-p", "5432", "-c"]);
    command.arg(format!("listen_addresses={address}")).current_dir(data).stderr(Stdio::null());
    if let ServerUser::Other { uid, gid, .. } = ServerUser::find().unwrap() {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    command.spawn().unwrap()
}

/// Set for the process that `killed` starts: this test binary with one test, which then waits to be killed.
const TO_BE_KILLED: &str = "PGDUET_TEST_TO_BE_KILLED";

/// Runs `test` in a process of its own until it has told a directory, kills that process, and returns the directory.
fn killed(test: &str) -> PathBuf {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TO_BE_KILLED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let directory =
        lines.map_while(Result::ok).find_map(|line| Some(line.split_once("directory=")?.1.to_owned()));
    child.kill().unwrap();
    child.wait().unwrap();
    PathBuf::from(directory.expect("the process tells its directory"))
}

fn tell_and_wait(directory: &Path) -> ! {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "directory={}", directory.display()).unwrap();
    loop {
        thread::park();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_process_takes_its_server_with_it() {
    if env::var_os(TO_BE_KILLED).is_some() {
        let cluster = Cluster::open(&binaries(), Location::Temporary, Durability::Throwaway).unwrap();
        tell_and_wait(cluster.data_dir());
    }
    let data = killed("embedded::a_killed_process_takes_its_server_with_it");
    wait_until("the server has ended", || !data.join("postmaster.pid").exists());
    assert!(!answers(&data));
    fs::remove_dir_all(data.parent().unwrap()).unwrap();
}

#[test]
fn a_killed_test_process_leaves_neither_server_nor_files() {
    if env::var_os(TO_BE_KILLED).is_some() {
        let database = Database::fresh("");
        let uri = database.uri("postgres").parse::<tokio_postgres::Config>().unwrap();
        let [tokio_postgres::config::Host::Unix(data)] = uri.get_hosts() else { panic!("{uri:?}") };
        tell_and_wait(data);
    }
    let data = killed("embedded::a_killed_test_process_leaves_neither_server_nor_files");
    wait_until("the directory is gone", || !data.parent().unwrap().exists());
    assert!(!answers(&data));
}

#[tokio::test]
async fn a_test_database_is_reached_by_its_uri_as_the_role_that_is_named() {
    let database = Database::fresh("CREATE TABLE t (n int)");
    database.execute("INSERT INTO t VALUES (7); GRANT SELECT ON t TO anonymous");
    let (client, connection) = tokio_postgres::connect(&database.uri("authenticator"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET ROLE anonymous").await.unwrap();
    let row = client.query_one("SELECT n, current_database()::text FROM t", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (7, database.name()));
}

#[test]
fn test_databases_do_not_see_each_other() {
    let first = Database::fresh("CREATE TABLE only_here ()");
    let second = Database::fresh("CREATE TABLE only_here ()");
    assert_ne!(first.name(), second.name());
}
