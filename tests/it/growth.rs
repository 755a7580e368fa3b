//! The first invariant of ARCHITECTURE.md: what a request costs grows with its size, and no faster. Every parser and reader
//! that a client reaches before its rights are known is sent one input at two sizes, and the process' CPU time is compared:
//! what somebody else does on the machine is not in it, nor is what PostgreSQL does.

mod calls;
mod requests;

use crate::support::{database::Database, grpc_web, http::Connection, server::Server, until};
use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use std::{fmt::Write as _, fs, io, time::Duration};

/// The larger input is so many times the smaller one,
const TIMES: usize = 8;
/// and may cost so many times as much.
const MOST: u32 = 12;
/// The least of so many measurements counts: what else a process does at times is in the others.
const MEASUREMENTS: usize = 3;

/// An input that can be of any size.
struct Input {
    name: &'static str,
    /// How large the smaller one is, in bytes.
    size: usize,
    /// The request of a size.
    request: fn(usize) -> Request,
    /// The HTTP status, or that of gRPC, of both sizes.
    status: u16,
}

/// What is sent.
enum Request {
    Rest {
        method: &'static str,
        target: String,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    Grpc {
        method: &'static str,
        message: Vec<u8>,
    },
    /// A POST as it is on the wire.
    Raw(Vec<u8>),
}

/// Tables enough that looking through all of them for a name shows, one of them with many columns and an embed.
fn schema() -> String {
    let columns: String = (0..40).fold(String::new(), |mut columns, column| {
        let _ = write!(columns, ", c{column} text");
        columns
    });
    let tables: String = (0..490).fold(String::new(), |mut tables, table| {
        let _ = write!(tables, "CREATE TABLE api.a_table_with_number_{table} (id int);");
        tables
    });
    format!(
        "CREATE SCHEMA api;
         CREATE TABLE api.items (id int PRIMARY KEY, tags text[], parent int REFERENCES api.items{columns});
         CREATE TABLE api.pairs (a int, b int, PRIMARY KEY (a, b));
         CREATE FUNCTION api.f(a int, VARIADIC more text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
         {tables}
         GRANT USAGE ON SCHEMA api TO anonymous;
         GRANT SELECT ON ALL TABLES IN SCHEMA api TO anonymous;"
    )
}

#[test]
fn no_input_costs_more_than_its_size() {
    let database = Database::fresh(&schema());
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_AGGREGATES_ENABLED", "true"),
        ("PGRST_JWT_SECRET", calls::SECRET),
    ]);
    let clock = clock_getcpuclockid(Pid::from_raw(server.id().try_into().unwrap())).unwrap();
    let mut wrong = Vec::new();
    for input in requests::ALL.iter().chain(calls::ALL) {
        let both = [input.size, TIMES * input.size].map(|size| cost(&server, clock, input, size));
        let [Ok(small), Ok(large)] = both else {
            wrong.extend(both.into_iter().filter_map(Result::err));
            continue;
        };
        if large > small * MOST {
            wrong.push(format!(
                "{}: {small:?} for {} bytes, {large:?} for {TIMES} times as many",
                input.name, input.size
            ));
        }
    }
    assert!(wrong.is_empty(), "{} inputs:\n{}", wrong.len(), wrong.join("\n"));
}

/// The CPU time of the process for a request of this size.
fn cost(server: &Server, clock: ClockId, input: &Input, size: usize) -> Result<Duration, String> {
    let request = (input.request)(size);
    let mut connection = Connection::open(server.address());
    let now = || {
        rest(server.id());
        Duration::from(clock_gettime(clock).unwrap())
    };
    let mut least = Duration::MAX;
    for _ in 0..MEASUREMENTS {
        let before = now();
        match request.send(&mut connection) {
            Ok((status, _)) if status == input.status => least = least.min(now() - before),
            answer => return Err(format!("{} of {size} bytes: {answer:?}", input.name)),
        }
    }
    Ok(least)
}

/// Waits until no thread of a process runs: the system does not count the time of those that do until they pause.
fn rest(process: u32) {
    let sleeps = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S"));
    until("every thread sleeps", || {
        let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        let mut states =
            threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        states.all(sleeps).then_some(())
    });
}

impl Request {
    /// The status, and what begins the answer.
    fn send(&self, connection: &mut Connection) -> io::Result<(u16, String)> {
        let start = |text: String| text.chars().take(300).collect();
        match self {
            Request::Rest { method, target, headers, body } => {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = connection.send(method, target, &headers, Some(body))?;
                Ok((answer.status, start(answer.text())))
            }
            Request::Raw(bytes) => {
                connection.write(bytes)?;
                let answer = connection.answer("POST")?;
                Ok((answer.status, start(answer.text())))
            }
            Request::Grpc { method, message } => {
                let reply = grpc_web::call(connection, method, message)?;
                Ok((reply.status.into(), start(reply.text)))
            }
        }
    }
}

/// As many of `parts`, made of their numbers, as fill a size, between `separator`s.
fn filled(size: usize, separator: &str, part: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let next = part(number);
        if text.len() + separator.len() + next.len() > size {
            break;
        }
        if number > 0 {
            text.push_str(separator);
        }
        text.push_str(&next);
    }
    text
}
