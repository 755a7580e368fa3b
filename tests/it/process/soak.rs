//! A soak: clients of both protocols read, write and leave in the middle, while the schema changes, is loaded again, and the
//! database restarts. No request fails but while the database is away, and memory stays flat.
//!
//! `PGDUET_SOAK_SECONDS`: how long it goes on; 20 if not set, half an hour by `make soak`. It prints a line for each cycle.

use super::{outage::Own, pgduet};
use crate::{
    bulk::resident_memory,
    support::{
        grpc_web::{self, Reply},
        http::{Answer, Connection},
        server::Server,
        until,
    },
};
use std::{
    env,
    io::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const SCHEMA: &str = "
    CREATE TABLE api.entries (id bigserial PRIMARY KEY, word text NOT NULL);
    CREATE FUNCTION api.many() RETURNS SETOF api.items LANGUAGE sql STABLE
        AS $$ SELECT id, repeat('x', 1000) FROM generate_series(1, 20000) AS id $$;
    CREATE FUNCTION api.double(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 2 * n $$;
    GRANT SELECT, INSERT, DELETE ON api.entries TO anonymous;
    GRANT USAGE ON SEQUENCE api.entries_id_seq TO anonymous;
";

/// How long each part of a cycle is left to the clients.
const PART: Duration = Duration::from_millis(1500);

/// After the first cycles memory may grow by so much, whatever the time.
const SLACK: usize = 12 << 20;

/// The process, and what its clients have seen.
struct Soak {
    address: String,
    over: AtomicBool,
    /// Grows when the database goes away and when it is back: odd while it is away.
    outage: AtomicU64,
    answered: AtomicU64,
    excused: AtomicU64,
    failed: Mutex<Vec<String>>,
}

impl Soak {
    /// Makes requests until it is over. One that the database was there for, from the beginning to the end, must not fail.
    fn repeat(&self, mut request: impl FnMut(&mut Connection) -> Result<(), String>) {
        let mut connection = Connection::open(&self.address);
        while !self.over.load(Ordering::Relaxed) {
            let before = self.outage.load(Ordering::SeqCst);
            let outcome = request(&mut connection);
            let is_calm = before.is_multiple_of(2) && self.outage.load(Ordering::SeqCst) == before;
            match outcome {
                Ok(()) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Err(failure) if is_calm => {
                    self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
                }
                Err(_) => {
                    self.excused.fetch_add(1, Ordering::Relaxed);
                }
            }
            // As a client that tries again.
            thread::sleep(PART / 100);
            connection = Connection::open(&self.address);
        }
    }

    fn go_away(&self) {
        self.outage.fetch_add(1, Ordering::SeqCst);
    }

    /// Both protocols answer again.
    fn come_back(&self) {
        until("the database is found again", || {
            let mut connection = Connection::open(&self.address);
            (read(&mut connection).is_ok() && list(&mut connection).is_ok()).then_some(())
        });
        self.outage.fetch_add(1, Ordering::SeqCst);
    }
}

/// Lets clients end.
struct Over<'s>(&'s AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn expect(answer: std::io::Result<Answer>, status: u16) -> Result<Answer, String> {
    match answer {
        Ok(answer) if answer.status == status => Ok(answer),
        Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
        Err(error) => Err(error.to_string()),
    }
}

fn read(connection: &mut Connection) -> Result<(), String> {
    let answer = expect(connection.send("GET", "/items?select=id,name", &[], None), 200)?;
    match answer.text().as_str() {
        r#"[{"id":1,"name":"one"}]"# => Ok(()),
        other => Err(other.to_owned()),
    }
}

fn write(connection: &mut Connection) -> Result<(), String> {
    let headers = [("Content-Type", "application/json"), ("Prefer", "return=representation")];
    let inserted = connection.send("POST", "/entries?select=id", &headers, Some(br#"{"word":"new"}"#));
    let text = expect(inserted, 201)?.text();
    let id = text.trim_start_matches(r#"[{"id":"#).trim_end_matches("}]");
    expect(connection.send("DELETE", &format!("/entries?id=eq.{id}"), &[], None), 204).map(drop)
}

fn ok(reply: std::io::Result<Reply>) -> Result<(), String> {
    match reply {
        Ok(Reply { status: 0, .. }) => Ok(()),
        Ok(reply) => Err(format!("{} {}", reply.status, reply.text)),
        Err(error) => Err(error.to_string()),
    }
}

fn list(connection: &mut Connection) -> Result<(), String> {
    ok(grpc_web::call(connection, "api.v1.ItemsService/ListItems", &[]))
}

fn call(connection: &mut Connection) -> Result<(), String> {
    expect(connection.send("GET", "/rpc/double?n=4", &[], None), 200).map(drop)
}

/// Asks for megabytes and leaves in the middle of them.
fn leave(connection: &mut Connection) -> Result<(), String> {
    connection.write(b"GET /rpc/many HTTP/1.1\r\nHost: x\r\n\r\n").map_err(|error| error.to_string())?;
    Err("left".to_owned())
}

/// What happens in a cycle besides requests.
async fn cycle(soak: &Soak, own: &mut Own, number: usize) {
    let notice = ["", "; NOTIFY pgrst, 'reload schema'"][number % 2];
    own.superuser(&format!("ALTER TABLE api.items ADD COLUMN note text{notice}")).await;
    thread::sleep(PART);
    own.superuser("ALTER TABLE api.items DROP COLUMN note; NOTIFY pgrst, 'reload schema'").await;
    thread::sleep(PART);
    soak.go_away();
    own.stop();
    thread::sleep(PART / 3);
    own.resume();
    soak.come_back();
    thread::sleep(PART);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_fails_and_nothing_grows_while_the_world_around_changes() {
    let seconds = env::var("PGDUET_SOAK_SECONDS").map_or(20, |seconds| seconds.parse().unwrap());
    let mut own = Own::start("soak").await;
    own.superuser(SCHEMA).await;
    let mut command = pgduet();
    command
        .env("PGRST_DB_URI", own.uri("authenticator"))
        .env("PGRST_DB_SCHEMAS", "api")
        .env("PGRST_DB_ANON_ROLE", "anonymous")
        .env("PGRST_DB_POOL", "6");
    let server = Server::run(command);
    let soak = Soak {
        address: server.address().to_owned(),
        over: AtomicBool::new(false),
        outage: AtomicU64::new(0),
        answered: AtomicU64::new(0),
        excused: AtomicU64::new(0),
        failed: Mutex::default(),
    };
    let mut memory = Vec::new();
    thread::scope(|scope| {
        for request in [read, read, write, call, list, list] {
            let soak = &soak;
            scope.spawn(move || soak.repeat(request));
        }
        scope.spawn(|| {
            while !soak.over.load(Ordering::Relaxed) {
                let _left = leave(&mut Connection::open(&soak.address));
                thread::sleep(PART / 50);
            }
        });
        // Also where this thread panics: the others would go on for ever.
        let _over = Over(&soak.over);
        let runtime = tokio::runtime::Handle::current();
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end || memory.len() < 4 {
            tokio::task::block_in_place(|| runtime.block_on(cycle(&soak, &mut own, memory.len())));
            memory.push(resident_memory(server.id()));
            let (answered, excused) =
                (soak.answered.load(Ordering::Relaxed), soak.excused.load(Ordering::Relaxed));
            let failed = soak.failed.lock().unwrap().len();
            let resident = memory[memory.len() - 1] >> 10;
            let line = format!(
                "cycle {:>3}: {answered:>8} answered, {excused:>4} failed in outages, {failed} besides; {resident} KiB\n",
                memory.len()
            );
            // Seen while it runs.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    });
    let failed = soak.failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} of {}: {:?}",
        failed.len(),
        soak.answered.into_inner(),
        &failed[..failed.len().min(5)]
    );
    assert!(soak.excused.into_inner() > 0, "the database was never away");
    let early = memory[1..memory.len().div_ceil(4).max(2)].iter().max().unwrap();
    assert!(memory[memory.len() - 1] < early + SLACK, "{memory:?}");
}
