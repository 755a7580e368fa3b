//! The engine against an oracle: a schema and requests are generated from a seed, and each answer must equal what plain
//! SQL gives, written here from correlated subqueries and `json_build_object` without a line of the engine's.
//!
//! Requests of pieces that fit and pieces that do not are tried, too: none may become a statement that is not SQL.
//!
//! * `PGDUET_DIFFERENTIAL_CASES`: how many requests, 2,000 unless told.
//! * `PGDUET_DIFFERENTIAL_SEED`: another schema and other requests.

mod oracle;
pub(crate) mod random;
mod request;
mod schema;
mod syntax;
mod url;

use crate::support::{
    database::Database,
    http::{Answer, Connection, send},
    server::Server,
};
use random::Random;
use request::Level;
use schema::Schema;
use serde_json::Value;
use std::{env, str::FromStr};
use syntax::Sent;
use tokio_postgres::Client;

const CASES: u64 = 2_000;
const SEED: u64 = 20_260_821;

#[test]
fn answers_equal_those_of_hand_written_sql() {
    let cases = number("PGDUET_DIFFERENTIAL_CASES").unwrap_or(CASES);
    let seed = number("PGDUET_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let schema = Schema::generate(&mut Random::new(seed));
    let database = Database::fresh(&schema.definition());
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        // An alias is the only name of what has one: the target may be embedded twice.
        ("PGRST_URL_USE_LEGACY_TARGET_NAMES", "false"),
    ]);
    let mut connection = Connection::open(server.address());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let oracle = database.client().await;
        oracle.batch_execute("SET search_path = api").await.unwrap();
        for case in 0..cases {
            // A seed of its own, so that a case can be looked at alone.
            let request = Level::generate(&schema, &mut Random::new(seed ^ (case << 24)));
            let target = url::target(&schema, &request);
            let answer = connection
                .send("GET", &target, &[("Prefer", "count=exact")], None)
                .expect("there is an answer");
            let expected = Expected::of(&schema, &request, &oracle).await;
            assert!(
                expected.matches(&answer),
                "case {case} of seed {seed}\nGET {}\n{} {:?}\n{}\nexpected, of {} rows:\n{}\nby\n{}",
                percent_encoding::percent_decode_str(&target).decode_utf8_lossy(),
                answer.status,
                answer.header("content-range"),
                answer.text(),
                expected.total,
                expected.rows,
                oracle::rows(&schema, &request),
            );
        }
    });
}

#[test]
fn no_request_becomes_a_statement_that_is_not_sql() {
    let cases = number("PGDUET_DIFFERENTIAL_CASES").unwrap_or(CASES);
    let seed = number("PGDUET_DIFFERENTIAL_SEED").unwrap_or(SEED);
    let database = Database::fresh(include_str!("../fixtures/spec.sql"));
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_AGGREGATES_ENABLED", "true"),
        ("PGRST_DB_PLAN_ENABLED", "true"),
        ("PGRST_DB_TX_END", "rollback"),
    ]);
    let mut succeeded = 0_u64;
    for case in 0..cases {
        let Sent { method, target, headers, body } =
            Sent::generate(&mut Random::new(seed ^ (case << 24) ^ u64::MAX));
        let answer = send(server.address(), method, &target, &headers, body);
        let code = answer.header("proxy-status").unwrap_or_default();
        // Neither an error of syntax nor one of pgduet's own or of PostgreSQL's that nobody expects.
        let is_expected = !["42601", "PGRSTX00", "XX000"].iter().any(|unexpected| code.contains(unexpected));
        assert!(
            is_expected,
            "case {case} of seed {seed}\n{method} {target}\n{headers:?} {body:?}\n{} {}",
            answer.status,
            answer.text(),
        );
        succeeded += u64::from(answer.status < 300);
    }
    // What is refused before it becomes a statement shows nothing.
    assert!(succeeded * 12 > cases, "only {succeeded} of {cases} requests succeeded");
}

fn number<T: FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

/// What the oracle says.
struct Expected {
    /// Without blanks, keys in their order.
    rows: String,
    count: u64,
    total: u64,
    offset: u64,
}

impl Expected {
    async fn of(schema: &Schema, request: &Level, oracle: &Client) -> Self {
        let ask = async |sql: String| {
            let row = oracle.query_one(&sql, &[]).await;
            let row = row.unwrap_or_else(|error| panic!("the oracle fails: {error:?}\n{sql}"));
            row.get::<_, String>(0)
        };
        let rows = ask(oracle::array(schema, request)).await;
        let total = ask(oracle::total(schema, request)).await;
        let rows: Value = serde_json::from_str(&rows).unwrap();
        Self {
            count: rows.as_array().map_or(0, Vec::len) as u64,
            rows: rows.to_string(),
            total: total.parse().unwrap(),
            offset: request.offset.unwrap_or(0),
        }
    }

    fn matches(&self, answer: &Answer) -> bool {
        let Self { rows, count, total, offset } = self;
        if offset > total {
            return answer.status == 416;
        }
        let status = if count < total { 206 } else { 200 };
        let range = match count {
            0 => format!("*/{total}"),
            _ => format!("{offset}-{}/{total}", offset + count - 1),
        };
        let found = serde_json::from_slice::<Value>(&answer.body).map(|found| found.to_string());
        answer.status == status
            && answer.header("content-range") == Some(range)
            && found.ok().as_ref() == Some(rows)
    }
}
