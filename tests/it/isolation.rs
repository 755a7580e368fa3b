//! Many mixed requests of several users at once, over REST and gRPC, some of which fail and some of which their users do not
//! wait for: each answer is what its user may see, nothing of one request is found in another, and what was not waited
//! for has happened as a whole or not at all.
//!
//! `PGDUET_ISOLATION_REQUESTS`: how many requests; 4,000 if not set.

use crate::support::{
    database::Database,
    grpc::{Client, Options},
    http::Connection,
    server::Server,
    token::token,
    until,
};
use serde_json::{Value, json};
use std::{
    env,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};
use tokio::runtime::Runtime;

const SECRET: &str = "reallyreallyreallyreallyverysafe";

/// `mine` tells what the transaction knows of who asks, and what an earlier one has left in the session; it leaves its own
/// user in the session, as code should not. `pair` writes two rows, or none.
const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.notes (id int PRIMARY KEY, owner text NOT NULL, part int NOT NULL DEFAULT 0);
    INSERT INTO api.notes SELECT -id, 'user' || id % 4 FROM generate_series(1, 80) AS id;
    ALTER TABLE api.notes ENABLE ROW LEVEL SECURITY;
    CREATE FUNCTION api.sub() RETURNS text LANGUAGE sql STABLE
        AS $$ SELECT current_setting('request.jwt.claims', true)::json ->> 'sub' $$;
    CREATE POLICY own ON api.notes USING (owner = api.sub()) WITH CHECK (owner = api.sub());
    CREATE FUNCTION api.mine() RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE told jsonb;
    BEGIN
        told := jsonb_build_object('sub', api.sub(), 'role', current_user,
                                   'left', nullif(current_setting('app.left', true), ''),
                                   'locks', (SELECT count(*) FROM pg_locks
                                             WHERE pid = pg_backend_pid() AND locktype = 'advisory'));
        PERFORM set_config('app.left', api.sub(), false), pg_advisory_lock_shared(7);
        RETURN told;
    END $$;
    CREATE FUNCTION api.pair(id int) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO api.notes VALUES (pair.id, api.sub(), 1);
        PERFORM pg_sleep(0.004);
        INSERT INTO api.notes VALUES (-1000000 - pair.id, api.sub(), 2);
    END $$;
    CREATE FUNCTION api.fails() RETURNS int LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM set_config('app.left', api.sub(), false), pg_advisory_lock_shared(7);
        RETURN 1 / 0;
    END $$;
    GRANT USAGE ON SCHEMA api TO anonymous, authenticated;
    GRANT ALL ON ALL TABLES IN SCHEMA api TO anonymous, authenticated";

/// What PostgreSQL still works on.
const RUNNING: &str = "
    SELECT count(*) FROM pg_stat_activity
    WHERE state <> 'idle' AND pid <> pg_backend_pid() AND datname = current_database()";

/// Rows of `pair` without the other one.
const HALVES: &str = "
    SELECT count(*) FROM api.notes AS one WHERE one.part > 0 AND NOT EXISTS (
        SELECT FROM api.notes AS other
        WHERE other.id = -1000000 - one.id AND other.part = 3 - one.part AND other.owner = one.owner)";

/// Users over REST, and as many over gRPC.
const USERS: usize = 4;
/// Fewer connections than users, so that each is shared.
const POOL: &str = "3";

/// One who asks.
struct User {
    name: String,
    token: String,
    /// Which requests come next: the same on every run.
    chance: u64,
}

impl User {
    fn new(number: usize, seed: u64) -> Self {
        let name = format!("user{number}");
        let claims = json!({"role": "authenticated", "sub": name}).to_string();
        Self { token: token(SECRET, &claims), name, chance: seed * 2 + 1 }
    }

    fn any(&mut self, below: u64) -> u64 {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % below
    }

    /// What `mine` has to say, whoever asked before.
    fn found(&self) -> Value {
        json!({"sub": self.name, "role": "authenticated", "left": null, "locks": 0})
    }
}

/// Requests of one user over REST.
fn rest(server: &Server, mut user: User, requests: usize, next: &AtomicU32) {
    let bearer = format!("Bearer {}", user.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let mut connection = Connection::open(server.address());
    for _ in 0..requests {
        let mut ask = |method, target: &str, body: Option<&str>| {
            connection.send(method, target, &headers, body.map(str::as_bytes)).unwrap()
        };
        match user.any(8) {
            0 | 1 => {
                let answer = ask("GET", "/notes?id=gt.-81&id=lt.0&select=owner", None);
                let rows: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
                assert_eq!(rows, vec![json!({"owner": user.name}); 20]);
            }
            2 | 3 => {
                let answer = ask("POST", "/rpc/mine", Some("{}"));
                assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), user.found());
            }
            4 => {
                let id = next.fetch_add(1, Ordering::Relaxed);
                let body = json!({"id": id, "owner": user.name}).to_string();
                assert_eq!(ask("POST", "/notes", Some(&body)).status, 201);
                let answer = ask("DELETE", &format!("/notes?id=eq.{id}&select=owner"), None);
                assert_eq!(answer.status, 204);
            }
            5 => {
                let id = next.fetch_add(1, Ordering::Relaxed);
                let another = json!({"id": id, "owner": "nobody"}).to_string();
                assert_eq!(ask("POST", "/notes", Some(&another)).code().as_deref(), Some("42501"));
            }
            6 => assert_eq!(ask("POST", "/rpc/fails", Some("{}")).code().as_deref(), Some("22012")),
            _ => {
                // Nobody waits for the answer.
                let id = next.fetch_add(1, Ordering::Relaxed);
                let body = json!({"id": id}).to_string();
                let request = format!(
                    "POST /rpc/pair HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                connection.write(request.as_bytes()).unwrap();
                // At any moment of the unit.
                thread::sleep(Duration::from_micros(user.any(8000)));
                connection = Connection::open(server.address());
            }
        }
    }
}

/// Requests of one user over gRPC, with deadlines that some of them miss.
fn grpc(client: &Client, mut user: User, requests: usize, next: &AtomicU32) {
    let options = Options { token: Some(user.token.clone()), ..Options::default() };
    for _ in 0..requests {
        match user.any(4) {
            0 => {
                let request = json!({"filter": "id=gt.-81&id=lt.0", "pageSize": 50});
                let answer = client.call_with("NotesService/ListNotes", request, &options).unwrap();
                let owners: Vec<_> =
                    answer["notes"].as_array().unwrap().iter().map(|note| &note["owner"]).collect();
                assert_eq!(owners, vec![&json!(user.name); 20]);
            }
            1 => {
                let answer = client.call_with("FunctionsService/Mine", json!({}), &options).unwrap();
                let told: Value = serde_json::from_str(answer["value"].as_str().unwrap()).unwrap();
                assert_eq!(told, user.found());
            }
            2 => {
                let failed = client.call_with("FunctionsService/Fails", json!({}), &options).unwrap_err();
                assert_eq!(failed.code(), tonic::Code::InvalidArgument, "{failed:?}");
            }
            _ => {
                let id = next.fetch_add(1, Ordering::Relaxed);
                let timeout = Some(Duration::from_micros(500 + user.any(12_000)));
                let options = Options { timeout, ..options.clone() };
                if let Err(status) = client.call_with("FunctionsService/Pair", json!({"id": id}), &options) {
                    assert_eq!(status.code(), tonic::Code::DeadlineExceeded, "{status:?}");
                }
            }
        }
    }
}

#[test]
fn each_answer_is_its_own_user_s_however_requests_mix_fail_and_are_given_up() {
    let requests: usize =
        env::var("PGDUET_ISOLATION_REQUESTS").map_or(4000, |number| number.parse().unwrap());
    let database = Database::fresh(SCHEMA);
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_POOL", POOL),
        ("PGRST_JWT_SECRET", SECRET),
    ]);
    let (each, next) = (requests / (2 * USERS), AtomicU32::new(1));
    let clients: Vec<_> = (0..USERS).map(|_| Client::new(&server, &database, "api", &[])).collect();
    thread::scope(|scope| {
        for (number, client) in clients.iter().enumerate() {
            let (server, next, seed) = (&server, &next, number as u64);
            scope.spawn(move || rest(server, User::new(number, seed), each, next));
            scope.spawn(move || grpc(client, User::new(number, seed + 100), each, next));
        }
    });
    // What was given up is undone when PostgreSQL runs nothing for the server any more.
    let runtime = Runtime::new().unwrap();
    let client = runtime.block_on(database.client());
    until("all units have ended", || {
        let running: i64 = runtime.block_on(client.query_one(RUNNING, &[])).unwrap().get(0);
        (running == 0).then_some(())
    });
    let halves: i64 = runtime.block_on(client.query_one(HALVES, &[])).unwrap().get(0);
    assert_eq!(halves, 0);
}
