//! A database per test, on a PostgreSQL server per test process.
//!
//! `initdb` runs once per major version; its result is kept in `target/tmp` and copied for each process. The server and
//! its copy are gone when the process is, whether it returned, panicked or was killed.
//!
//! * `PGDUET_TEST_PG_BIN`: a directory with other binaries, to run the suite on another major version.
//! * `TEST_DATABASE_URL`: a superuser's URI of a running server that takes its roles without a password; nothing is
//!   started then, and each test's database is dropped at its end.

use std::{
    env,
    fs::{self, File},
    future::Future,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use pgduet::embedded::{Binaries, Cluster, Durability, Location, initialise};
use tokio_postgres::{Client, Config, NoTls, config::Host};

/// The roles of the fixtures, on every server: roles belong to the server and not to a database. `authenticator` logs in
/// and may become the other two.
const ROLES: &str = r"
    DO $$ BEGIN
        IF to_regrole('authenticator') IS NULL THEN
            CREATE ROLE anonymous NOLOGIN;
            CREATE ROLE authenticated NOLOGIN;
            CREATE ROLE authenticator LOGIN NOINHERIT;
            GRANT anonymous, authenticated TO authenticator;
        END IF;
    END $$";

/// Held while fixtures run, in the database `postgres`: `CREATE ROLE` of two tests must not cross.
const FIXTURE_LOCK: i64 = 7_267_361;

/// An empty database of one test, filled with its SQL.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// Creates a database and runs `sql` in it as superuser. Roles that `sql` creates are seen by all tests: create them
    /// only if they do not exist yet (see `ROLES` for those that always do). Works with and without a tokio runtime.
    pub(crate) fn fresh(sql: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        wait_for(async {
            let admin = connect(&superuser("postgres")).await;
            run(&admin, &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
            run(&admin, &format!("SELECT pg_advisory_lock({FIXTURE_LOCK})")).await;
            run(&connect(&superuser(&name)).await, sql).await;
        });
        Self { name }
    }

    /// The URI of this database for `role`.
    pub(crate) fn uri(&self, role: &str) -> String {
        server().uri(role, &self.name)
    }

    /// The URI of this database for its superuser.
    pub(crate) fn superuser_uri(&self) -> String {
        superuser(&self.name)
    }

    /// The database's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL in it as superuser.
    pub(crate) fn execute(&self, sql: &str) {
        wait_for(async { run(&self.client().await, sql).await });
    }

    /// A superuser's connection to it, for a test that has a runtime of its own.
    pub(crate) async fn client(&self) -> Client {
        connect(&superuser(&self.name)).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // On a server of our own it goes with the server.
        if let Server::Theirs(_) = server() {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            wait_for(async { run(&connect(&superuser("postgres")).await, &drop).await });
        }
    }
}

/// The server of this test process.
enum Server {
    Ours { cluster: Cluster, _cleaner: Child },
    Theirs(Config),
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = match env::var("TEST_DATABASE_URL") {
            Ok(uri) => Server::Theirs(uri.parse().expect("TEST_DATABASE_URL is a libpq URI")),
            Err(_) => Server::start(),
        };
        let uri = server.uri(server.superuser(), "postgres");
        wait_for(async { run(&connect(&uri).await, ROLES).await });
        server
    })
}

impl Server {
    fn start() -> Self {
        let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
        let binaries = Binaries::find(explicit.as_deref()).expect("there is a PostgreSQL to test with");
        let template = template(&binaries);
        // Not below target: where the suite runs as root, the server's user may not be able to enter it.
        let location = env::temp_dir().join(format!("pgduet-test-{}", std::process::id()));
        let _leftover_of_a_reused_process_id = fs::remove_dir_all(&location);
        fs::create_dir(&location).expect("the temporary directory is writable");
        copy(&template, &location.join("data"));
        let cluster = Cluster::open(&binaries, Location::Kept(location.clone()), Durability::Throwaway)
            .expect("PostgreSQL starts");
        let _cleaner = clean_up_after(&location, cluster.server_id());
        Self::Ours { cluster, _cleaner }
    }

    fn superuser(&self) -> &str {
        match self {
            Self::Ours { .. } => "postgres",
            Self::Theirs(config) => config.get_user().unwrap_or("postgres"),
        }
    }

    fn uri(&self, role: &str, database: &str) -> String {
        match self {
            Self::Ours { cluster, .. } => cluster.uri(role, database),
            Self::Theirs(config) => {
                let host = match config.get_hosts().first() {
                    Some(Host::Tcp(name)) => name.clone(),
                    Some(Host::Unix(path)) => path.display().to_string().replace('/', "%2F"),
                    None => "localhost".into(),
                };
                let port = config.get_ports().first().unwrap_or(&5432);
                format!("postgresql://{role}@/{database}?host={host}&port={port}")
            }
        }
    }
}

/// A program of the PostgreSQL that is tested with, such as `pg_dump`.
pub(crate) fn program(name: &str) -> PathBuf {
    let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
    Binaries::find(explicit.as_deref()).expect("there is a PostgreSQL to test with").program(name)
}

fn superuser(database: &str) -> String {
    server().uri(server().superuser(), database)
}

/// A data directory to copy, made once per major version.
fn template(binaries: &Binaries) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(target).expect("target is writable");
    let lock = File::create(target.join("postgresql.lock")).expect("target is writable");
    lock.lock().expect("the lock of the template can be taken");
    let template = target.join(format!("postgresql-{}", binaries.major()));
    if !template.exists() {
        let scratch = env::temp_dir().join(format!("pgduet-template-{}", std::process::id()));
        initialise(binaries, &scratch, Durability::Throwaway).expect("initdb works");
        let partial = template.with_extension("new");
        let _leftover = fs::remove_dir_all(&partial);
        copy(&scratch, &partial);
        fs::rename(&partial, &template).expect("the template can be renamed");
        fs::remove_dir_all(&scratch).expect("the scratch directory can be removed");
    }
    template
}

/// Copies with owners and modes, which PostgreSQL insists on.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("there is cp");
    assert!(copied.success(), "{} is not copied to {}", from.display(), to.display());
}

/// A shell that waits for the end of this process, which closes its standard input, stops the server where the kernel
/// does not, and deletes its directory. Statics are never dropped, and a killed process drops nothing.
fn clean_up_after(location: &Path, server: u32) -> Child {
    const SCRIPT: &str = r#"
        cat
        kill -INT "$2"
        for _ in $(seq 200); do [ -e "$1/data/postmaster.pid" ] || break; sleep 0.05; done
        rm -rf -- "$1""#;
    Command::new("sh")
        .args(["-c", SCRIPT, "sh"])
        .arg(location)
        .arg(server.to_string())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is sh")
}

/// Runs a future to its end from code that may or may not be inside a runtime.
fn wait_for<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let block = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("tokio has a runtime").block_on(future)
    };
    thread::scope(|scope| scope.spawn(block).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

async fn connect(uri: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(uri, NoTls).await.expect("the test server answers");
    tokio::spawn(connection);
    client
}

async fn run(client: &Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql).await {
        let reason = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
        panic!("the fixture fails: {reason}\n{sql}");
    }
}
