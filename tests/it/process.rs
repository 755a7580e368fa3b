//! The process as operators know it: how it starts and ends, what it prints, and how it lives through what happens to its
//! database. Times are not asserted here.

mod admission;
mod base;
mod carriers;
mod commands;
mod frame;
mod health;
mod keys;
mod logs;
mod metrics;
mod outage;
mod refused;
mod rolling;
mod side;
mod signals;
mod silence;
mod soak;
mod start;
mod tls;

use crate::support::{PATIENCE, database::Database, http::send, server::Server, until};
use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio_postgres::Client;

/// The lock that `api.wait` waits for.
const LOCK: i64 = 1;

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.items (id int PRIMARY KEY, name text);
    INSERT INTO api.items VALUES (1, 'one');
    CREATE FUNCTION api.wait() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_advisory_lock_shared(1)';
    CREATE FUNCTION api.fail() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN RAISE SQLSTATE 'XX000' USING MESSAGE = 'broken inside'; END $$;
    GRANT USAGE ON SCHEMA api TO anonymous, authenticated;
    GRANT SELECT, INSERT ON api.items TO anonymous;
";

/// The built binary with nothing of this process's environment.
fn pgduet() -> Command {
    let mut command = Command::new(crate::support::server::binary());
    command.env_clear().env("PGRST_SERVER_HOST", "127.0.0.1").env("PGRST_SERVER_PORT", "0");
    command
}

/// A server of the schema above, with these variables too.
fn serve(database: &Database, more: &[(&str, &str)]) -> Server {
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", database.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .envs(more.iter().copied());
    Server::run(command)
}

/// Whether a row can be read.
fn answers(server: &Server) -> bool {
    let answer = send(server.address(), "GET", "/items?select=id", &[], None);
    (answer.status, answer.text().as_str()) == (200, r#"[{"id":1}]"#)
}

/// Holds what `api.wait` waits for, on a connection that must stay.
async fn hold(database: &Database) -> Client {
    let client = database.client().await;
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.unwrap();
    client
}

async fn release(holder: Client) {
    holder.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.unwrap();
}

/// How many calls of `api.wait` PostgreSQL works on.
async fn waiting(client: &Client, database: &Database) -> i64 {
    const COUNT: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = $1 AND query LIKE '%wait%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()";
    client.query_one(COUNT, &[&database.name()]).await.unwrap().get(0)
}

/// Waits until PostgreSQL works on so many calls of `api.wait`.
async fn until_waiting(client: &Client, database: &Database, calls: i64) {
    while waiting(client, database).await != calls {
        tokio::task::yield_now().await;
    }
}

/// Calls `api.wait` from a thread of its own: the status of the answer.
fn call_wait(server: &Server) -> thread::JoinHandle<u16> {
    let address = server.address().to_owned();
    thread::spawn(move || send(&address, "POST", "/rpc/wait", &[], Some("{}")).status)
}

/// Waits until a command has ended: its exit code, none where it had to be killed, and what it wrote.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// Waits until a row can be read.
fn until_answering(server: &Server) {
    until("the server answers", || answers(server).then_some(()));
}
