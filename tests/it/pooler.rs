//! Several processes behind one transaction pooler, which gives each transaction whatever session of PostgreSQL is free:
//! every request reads and writes what it asked for, as whom it asked, and finds nothing of another's.
//!
//! The pooler is the PgBouncer that `PATH` finds first.

use crate::support::{address, database::Database, http::Connection, server::Server, until};
use std::{
    env, fs,
    net::TcpStream,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

/// A table for each process; a row tells who wrote it, and for whom.
const SCHEMA: &str = "
    DO $$ BEGIN
        IF to_regrole('third') IS NULL THEN CREATE ROLE third; GRANT third TO authenticator; END IF;
    END $$;
    CREATE SCHEMA api;
    CREATE TABLE api.first (number int PRIMARY KEY, source text, who text DEFAULT current_user);
    CREATE TABLE api.second (number int PRIMARY KEY, source text, who text DEFAULT current_user);
    CREATE TABLE api.third (number int PRIMARY KEY, source text, who text DEFAULT current_user);
    CREATE FUNCTION api.leave(source text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
        PERFORM set_config('app.left', source, false), pg_advisory_lock(17);
        CREATE TEMP TABLE IF NOT EXISTS mine AS SELECT source;
        RETURN source;
    END $$;
    CREATE FUNCTION api.look() RETURNS text LANGUAGE sql AS $$
        SELECT concat(current_setting('app.left', true), to_regclass('pg_temp.mine'), current_user)
    $$;
    CREATE FUNCTION api.own() RETURNS text LANGUAGE sql AS $$ SELECT 'mine'::text $$;
    REVOKE EXECUTE ON FUNCTION api.own() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION api.own() TO third;
    GRANT USAGE ON SCHEMA api TO anonymous, authenticated, third;
    GRANT SELECT ON ALL TABLES IN SCHEMA api TO anonymous, authenticated, third;
    GRANT INSERT ON api.first TO anonymous;
    GRANT INSERT ON api.second TO authenticated;
    GRANT INSERT ON api.third TO third;
    DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC', current_database()); END $$";

/// A table, and the role whose requests write to it.
const PROCESSES: [(&str, &str); 3] =
    [("first", "anonymous"), ("second", "authenticated"), ("third", "third")];

const REFUSED: &str =
    r#"{"code":"42501","details":null,"hint":null,"message":"permission denied for function own"}"#;

/// Requests at a time, of each process.
const CLIENTS: u32 = 4;
/// Rounds of each client: a write, two reads and three calls.
const ROUNDS: u32 = 50;

/// PgBouncer before the server of a database.
struct Pooler {
    process: Child,
    directory: PathBuf,
    port: u16,
}

impl Pooler {
    fn before(database: &Database, settings: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("pgduet-pooler-{}-{number}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let uri = database.uri("authenticator");
        let (_, sockets) = uri.split_once("host=").expect("the test server has a unix socket");
        let sockets = percent_encoding::percent_decode_str(sockets).decode_utf8().unwrap().into_owned();
        let port = address::free().port();
        let users = directory.join("users");
        fs::write(&users, "\"authenticator\" \"\"\n").unwrap();
        let file = directory.join("pgbouncer.ini");
        let name = database.name();
        let text = format!(
            "[databases]\n{name} = host={sockets} dbname={name}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = 4\nmax_client_conn = 500\n{settings}\n",
            users.display()
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new("pgbouncer");
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(directory.join("log")).unwrap());
        // It refuses to run as root; whoever PostgreSQL runs as will do.
        let owner = fs::metadata(&sockets).unwrap();
        if fs::metadata(&directory).unwrap().uid() != owner.uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let pooler = Self { process: command.spawn().expect("there is pgbouncer"), directory, port };
        until("the pooler listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        pooler
    }

    fn uri(&self, database: &Database) -> String {
        format!("postgresql://authenticator@127.0.0.1:{}/{}?sslmode=disable", self.port, database.name())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.directory.join("log")).unwrap_or_default());
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The minor version of PgBouncer 1.
fn version() -> u32 {
    let said = Command::new("pgbouncer").arg("--version").output().expect("there is pgbouncer").stdout;
    let said = String::from_utf8(said).unwrap();
    let version = said.lines().next().unwrap().trim_start_matches("PgBouncer 1.");
    version.split('.').next().unwrap().parse().expect("PgBouncer says its version")
}

fn serve(uri: &str, role: &str, prepared: &str) -> Server {
    Server::start(&[
        ("PGRST_DB_URI", uri),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", role),
        ("PGRST_DB_POOL", "6"),
        ("PGRST_DB_PREPARED_STATEMENTS", prepared),
        // LISTEN needs a session of its own.
        ("PGRST_DB_CHANNEL_ENABLED", "false"),
    ])
}

/// Writes to its table and reads from it, and says what went wrong.
fn talk(address: &str, (table, role): (&str, &str), client: u32) -> Vec<String> {
    let mut connection = Connection::open(address);
    let mut wrong = Vec::new();
    for round in 0..ROUNDS {
        let number = client * ROUNDS + round;
        let mut check = |method, target: &str, body: Option<String>, status, expected: String| {
            let headers = [("Prefer", "return=representation"), ("Content-Type", "application/json")];
            let body = body.as_ref().map(String::as_bytes);
            let answer = connection.send(method, target, &headers, body).unwrap();
            if (answer.status, answer.text()) != (status, expected.clone()) {
                wrong.push(format!("{method} {target}: {} {}, not {expected}", answer.status, answer.text()));
            }
        };
        let row = format!(r#"[{{"number":{number},"source":"{table}","who":"{role}"}}]"#);
        let body = format!(r#"{{"number":{number},"source":"{table}"}}"#);
        check("POST", &format!("/{table}"), Some(body), 201, row.clone());
        check("GET", &format!("/{table}?number=eq.{number}"), None, 200, row);
        check("GET", &format!("/{table}?source=neq.{table}"), None, 200, "[]".to_owned());
        let call = format!(r#"{{"source":"{table}"}}"#);
        check("POST", "/rpc/leave", Some(call), 200, format!("\"{table}\""));
        check("GET", "/rpc/look", None, 200, format!("\"{role}\""));
        // PostgreSQL inlines it, and plans it for whoever has the right to.
        let (status, own) = if role == "third" { (200, "\"mine\"") } else { (401, REFUSED) };
        check("GET", "/rpc/own", None, status, own.to_owned());
    }
    wrong
}

/// Each process has its own, whatever the pooler does; gives the processes' logs.
fn each_has_its_own(settings: &str, prepared: &str) -> Vec<String> {
    let database = Database::fresh(SCHEMA);
    let pooler = Pooler::before(&database, settings);
    let uri = pooler.uri(&database);
    let servers = PROCESSES.map(|(_, role)| serve(&uri, role, prepared));
    let wrong: Vec<_> = thread::scope(|scope| {
        let clients = servers.iter().zip(PROCESSES).flat_map(|(server, process)| {
            (0..CLIENTS).map(move |client| scope.spawn(move || talk(server.address(), process, client)))
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(
        wrong.is_empty(),
        "{} answers are wrong, such as {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(10)]
    );
    let rows = i64::from(CLIENTS * ROUNDS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = database.client().await;
        for (table, role) in PROCESSES {
            let counted = format!(
                "SELECT count(*), count(*) FILTER (WHERE source = '{table}' AND who = '{role}') FROM api.{table}"
            );
            let row = client.query_one(&counted, &[]).await.unwrap();
            assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (rows, rows), "{table}");
        }
    });
    servers.iter().map(Server::log).collect()
}

#[test]
fn processes_that_share_sessions_have_nothing_else_in_common() {
    let ignorant = if version() < 21 { "" } else { "max_prepared_statements = 0" };
    for prepared in ["true", "false"] {
        let logs = each_has_its_own(ignorant, prepared);
        for log in logs {
            // It says once why it does not prepare, where it was to.
            let expected = usize::from(prepared == "true");
            assert_eq!(log.matches("db-prepared-statements").count(), expected, "{log}");
        }
    }
}

#[test]
fn a_pooler_that_knows_prepared_statements_is_trusted_with_them() {
    if version() < 21 {
        eprintln!("PgBouncer 1.{} does not know prepared statements: nothing to test", version());
        return;
    }
    for log in each_has_its_own("max_prepared_statements = 100", "true") {
        assert!(!log.contains("db-prepared-statements"), "{log}");
    }
}

/// Code can replace what stands under the names that the pooler gives, for all of its clients. So nothing is prepared where
/// there is such code.
#[test]
fn code_finds_nothing_to_replace_behind_a_pooler_that_knows_prepared_statements() {
    if version() < 21 {
        eprintln!("PgBouncer 1.{} does not know prepared statements: nothing to test", version());
        return;
    }
    let code = "
        CREATE SCHEMA api;
        CREATE VIEW api.who AS SELECT current_user::text AS who;
        CREATE FUNCTION api.replace() RETURNS int LANGUAGE plpgsql AS $$
        DECLARE found record; replaced int := 0;
        BEGIN
            FOR found IN SELECT name, array_to_string(parameter_types, ', ') AS types FROM pg_prepared_statements
                WHERE statement LIKE '%\"who\"%' AND NOT from_sql
            LOOP
                EXECUTE format('DEALLOCATE %I', found.name);
                EXECUTE format('PREPARE %I %s AS SELECT ''stolen''::text', found.name,
                    '(' || nullif(found.types, '') || ')');
                replaced := replaced + 1;
            END LOOP;
            RETURN replaced;
        END $$;
        GRANT USAGE ON SCHEMA api TO anonymous, authenticated;
        GRANT SELECT ON api.who TO anonymous, authenticated";
    let database = Database::fresh(code);
    let pooler = Pooler::before(&database, "max_prepared_statements = 100\ndefault_pool_size = 1");
    let uri = pooler.uri(&database);
    let servers = ["anonymous", "authenticated"].map(|role| (serve(&uri, role, "true"), role));
    for _ in 0..3 {
        for (server, role) in &servers {
            let mut connection = Connection::open(server.address());
            for _ in 0..3 {
                let answer = connection.send("GET", "/who", &[], None).unwrap();
                assert_eq!(answer.text(), format!(r#"[{{"who":"{role}"}}]"#));
            }
        }
        let mut connection = Connection::open(servers[0].0.address());
        assert_eq!(connection.send("POST", "/rpc/replace", &[], Some(b"")).unwrap().text(), "0");
    }
    for (server, _) in servers {
        assert_eq!(server.log().matches("db-prepared-statements").count(), 1, "{}", server.log());
    }
}

/// A transaction of several operations keeps its session from the first to the last, and leaves nothing in it.
#[test]
fn several_writes_are_one_transaction_behind_a_pooler_too() {
    let database = Database::fresh(SCHEMA);
    let pooler = Pooler::before(&database, "default_pool_size = 2");
    let server = serve(&pooler.uri(&database), "anonymous", "true");
    let media = [("Content-Type", "application/vnd.pgduet.transaction+json")];
    let insert = |number: u32| {
        format!(r#"{{"method":"POST","path":"/first","body":{{"number":{number},"source":"tx"}}}}"#)
    };
    let leave = r#"{"method":"POST","path":"/rpc/leave","body":{"source":"tx"}}"#;
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, insert) = (&server, &insert);
            scope.spawn(move || {
                let mut connection = Connection::open(server.address());
                for round in 0..20 {
                    let number = 2 * (client * 20 + round);
                    let good = format!("[{},{leave},{}]", insert(number), insert(number + 1));
                    let answer = connection.send("POST", "/", &media, Some(good.as_bytes())).unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let bad = format!("[{},{leave},{}]", insert(number + 100_000), insert(number));
                    let answer = connection.send("POST", "/", &media, Some(bad.as_bytes())).unwrap();
                    assert_eq!(answer.code().as_deref(), Some("23505"), "{}", answer.text());
                    let answer = connection.send("GET", "/rpc/look", &[], None).unwrap();
                    assert_eq!(answer.text(), "\"anonymous\"");
                }
            });
        }
    });
    let rows = Connection::open(server.address()).send("GET", "/first?select=number", &[], None).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&rows.body).unwrap();
    assert_eq!(rows.len(), usize::try_from(2 * CLIENTS * 20).unwrap());
}

/// `application_name` is one of the settings that PgBouncer keeps for its clients: what a transaction sets reaches nobody
/// else, nor what comes after it, also where the transaction has several parts.
#[test]
fn the_trace_that_a_transaction_tells_is_seen_by_no_other_behind_a_pooler() {
    let code = "
        CREATE SCHEMA api;
        CREATE TABLE api.told (name text DEFAULT current_setting('application_name'), number int);
        CREATE FUNCTION api.trace() RETURNS text LANGUAGE sql AS $$ SELECT current_setting('application_name') $$;
        GRANT USAGE ON SCHEMA api TO anonymous;
        GRANT SELECT, INSERT ON api.told TO anonymous";
    let database = Database::fresh(code);
    let pooler = Pooler::before(&database, "default_pool_size = 2");
    let uri = pooler.uri(&database);
    let start = |context: &str| {
        Server::start(&[
            ("PGRST_DB_URI", &uri),
            ("PGRST_DB_SCHEMAS", "api"),
            ("PGRST_DB_ANON_ROLE", "anonymous"),
            ("PGRST_DB_CHANNEL_ENABLED", "false"),
            ("PGDUET_DB_TRACE_CONTEXT", context),
        ])
    };
    let (telling, silent) = (start("application-name"), start("none"));
    thread::scope(|scope| {
        for client in 1..=CLIENTS {
            let (telling, silent) = (&telling, &silent);
            scope.spawn(move || {
                let (mut one, mut other) =
                    (Connection::open(telling.address()), Connection::open(silent.address()));
                for round in 1..=ROUNDS {
                    let parent = format!("00-{client:016x}{round:016x}-00f067aa0ba902b7-01");
                    let headers = [
                        ("traceparent", parent.as_str()),
                        ("Content-Type", "application/vnd.pgduet.transaction+json"),
                    ];
                    let told = one.send("GET", "/rpc/trace", &headers[..1], None).unwrap().text();
                    assert_eq!(told, format!("\"{parent}\""));
                    let insert = format!(r#"{{"method":"POST","path":"/told","body":{{"number":{round}}}}}"#);
                    let both = format!("[{insert},{insert}]");
                    let answer = one.send("POST", "/", &headers, Some(both.as_bytes())).unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let count = format!("/told?select=number&name=eq.{parent}");
                    assert_eq!(
                        one.send("GET", &count, &[], None).unwrap().text().matches("number").count(),
                        2
                    );
                    for connection in [&mut one, &mut other] {
                        let told = connection.send("GET", "/rpc/trace", &[], None).unwrap().text();
                        assert!(!told.contains("00-"), "{told}");
                    }
                }
            });
        }
    });
}
