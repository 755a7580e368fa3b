//! A server that is killed in the middle of many writes. What it has confirmed is there, what it has refused is not, and
//! what it has not answered is there as a whole or not at all. PostgreSQL goes on; its own crashes are its own promise.
//!
//! `PGDUET_CRASH_ROUNDS`: how often it is killed; five times if not set.

use crate::support::{database::Database, http::Connection, server::Server, until};
use std::{
    collections::HashMap,
    env,
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};
use tokio::runtime::Runtime;

/// Rows of an `entries` request have the check on the last of them; `book` writes two tables.
const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.entries (request int, part int CHECK (part > 0), PRIMARY KEY (request, part));
    CREATE TABLE api.orders (request int PRIMARY KEY);
    CREATE TABLE api.lines (request int REFERENCES api.orders, part int, PRIMARY KEY (request, part));
    CREATE FUNCTION api.book(request int) RETURNS void LANGUAGE sql AS '
        INSERT INTO api.orders VALUES (book.request);
        INSERT INTO api.lines SELECT book.request, part FROM generate_series(1, 10) AS part';
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA api TO anonymous;
";

/// How many rows each request has written, of those that have written any.
const WRITTEN: &str = "
    SELECT request, count(*) FROM (
        SELECT request FROM api.entries UNION ALL SELECT request FROM api.orders UNION ALL SELECT request FROM api.lines
    ) AS rows GROUP BY request";

const BACKENDS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'authenticator'";

/// Writes that are under way at any time.
const WRITERS: usize = 200;

/// What a client was told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Done,
    Refused,
    Nothing,
}

/// What the request of this number asks for, and how many rows that makes.
fn request(number: u32) -> (&'static str, String, i64) {
    let rows = |last: i32| {
        let parts = (1..20).chain([last]);
        let rows: Vec<_> = parts.map(|part| format!(r#"{{"request":{number},"part":{part}}}"#)).collect();
        format!("[{}]", rows.join(","))
    };
    match number % 3 {
        0 => ("/entries", rows(20), 20),
        1 => ("/rpc/book", format!(r#"{{"request":{number}}}"#), 11),
        _ => ("/entries", rows(-1), 0),
    }
}

/// Writes until the server is gone, and says what it was told of each request.
fn write(connection: &mut Connection, numbers: &AtomicU32, answered: &AtomicU32) -> Vec<(u32, Told)> {
    let mut told = Vec::new();
    loop {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let (target, body, _) = request(number);
        match connection.send("POST", target, &[], Some(body.as_bytes())) {
            Ok(answer) => {
                answered.fetch_add(1, Ordering::Relaxed);
                told.push((number, if answer.status < 300 { Told::Done } else { Told::Refused }));
            }
            Err(_) => {
                told.push((number, Told::Nothing));
                return told;
            }
        }
    }
}

/// Kills a server once it has given so many answers.
fn round(database: &Database, numbers: &AtomicU32, answers: u32) -> Vec<(u32, Told)> {
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
    ]);
    let answered = AtomicU32::new(0);
    let together = Barrier::new(WRITERS);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::open(server.address());
                    together.wait();
                    write(&mut connection, numbers, &answered)
                })
            })
            .collect();
        until("answers", || (answered.load(Ordering::Relaxed) >= answers).then_some(()));
        server.signal("KILL");
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

#[test]
fn a_killed_server_loses_nothing_it_confirmed_and_leaves_nothing_half_done() {
    let rounds = env::var("PGDUET_CRASH_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let database = Database::fresh(SCHEMA);
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(database.client());
    let numbers = AtomicU32::new(0);
    let mut told = Vec::new();
    for number in 0..rounds {
        // Not always at the same moment.
        let killed = round(&database, &numbers, 100 + number % 7 * 37);
        let of = |what| killed.iter().filter(|(_, told)| *told == what).count();
        assert!(of(Told::Done) > 0 && of(Told::Refused) > 0, "it was killed before it did anything");
        assert_eq!(of(Told::Nothing), WRITERS, "it was killed in the middle of as many writes");
        told.extend(killed);
    }
    // What the killed servers had sent already runs to its end.
    until("the end of what was sent", || {
        let backends: i64 = runtime.block_on(client.query_one(BACKENDS, &[])).unwrap().get(0);
        (backends == 0).then_some(())
    });
    let written: HashMap<i32, i64> = runtime
        .block_on(client.query(WRITTEN, &[]))
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let (mut done, mut undone) = (0, 0);
    for (number, told) in told {
        let whole = request(number).2;
        let found = written.get(&number.cast_signed()).copied().unwrap_or(0);
        let is_right = match told {
            Told::Done => found == whole,
            Told::Refused => found == 0 && whole == 0,
            Told::Nothing => found == whole || found == 0,
        };
        assert!(is_right, "{told:?}, and {found} of {whole} rows of request {number} are there");
        match (told, found) {
            (Told::Nothing, 0) => undone += 1,
            (Told::Nothing, _) => done += 1,
            (Told::Done | Told::Refused, _) => {}
        }
    }
    eprintln!("{rounds} rounds: of the writes without an answer {done} were done and {undone} were not");
}
