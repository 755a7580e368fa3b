//! A catalog that is behind the database, with nobody to notify: answers are of the database as it is.

use super::{NO_CHANNEL, SCHEMA, serve};
use crate::support::{
    address,
    database::Database,
    grpc::ID_1,
    grpc_web::{self, Reply},
    http::{Answer, Connection, send},
    server::Server,
    until,
};
use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// A server that no notification reaches, with its numbers.
struct Deaf {
    server: Server,
    admin: String,
}

impl Deaf {
    fn serve(database: &Database, more: &[(&str, &str)]) -> Self {
        let admin = address::free();
        let port = admin.port().to_string();
        let mut settings = vec![
            NO_CHANNEL,
            ("PGRST_ADMIN_SERVER_PORT", port.as_str()),
            ("PGRST_DB_AGGREGATES_ENABLED", "true"),
        ];
        settings.extend(more);
        Self { server: serve(database, &settings), admin: admin.to_string() }
    }

    fn get(&self, target: &str) -> Answer {
        send(self.server.address(), "GET", target, &[], None)
    }

    /// Has the catalog loaded, and waits until it is.
    fn reload(&self) {
        let before = self.loads();
        self.server.signal("USR1");
        until("the catalog is loaded", || (self.loads() > before).then_some(()));
    }

    /// How often the catalog was loaded.
    fn loads(&self) -> f64 {
        let page = send(&self.admin, "GET", "/metrics", &[], None).text();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("pgrst_schema_cache_loads_total{status=\"SUCCESS\"} "));
        line.unwrap().parse().unwrap()
    }
}

/// What a request asks, and what it is answered.
struct Case {
    change: &'static str,
    method: &'static str,
    target: &'static str,
    accept: &'static str,
    body: Option<&'static str>,
    status: u16,
    /// The whole answer, or its code where it is an error.
    answer: &'static str,
}

const JSON: &str = "application/json";

const fn get(change: &'static str, target: &'static str, status: u16, answer: &'static str) -> Case {
    Case { change, method: "GET", target, accept: JSON, body: None, status, answer }
}

const fn write(
    change: &'static str,
    method: &'static str,
    target: &'static str,
    body: Option<&'static str>,
    status: u16,
    answer: &'static str,
) -> Case {
    Case { change, method, target, accept: JSON, body, status, answer }
}

/// Each on a table of its own, `t`, of one row, and one that refers to it, `p`.
const TABLE: &str = "
    CREATE TABLE api.t (id int PRIMARY KEY, old text, n int, d date);
    INSERT INTO api.t VALUES (1, 'one', 5, '2020-01-02');
    CREATE TABLE api.p (id int PRIMARY KEY, t int REFERENCES api.t);
    INSERT INTO api.p VALUES (1, 1);
    CREATE VIEW api.v AS SELECT id FROM api.t;
    CREATE FUNCTION api.all_t() RETURNS SETOF api.t STABLE LANGUAGE plpgsql
        AS 'BEGIN RETURN QUERY SELECT * FROM api.t; END';
    CREATE FUNCTION api.answer() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 42';
    CREATE FUNCTION api.pair() RETURNS TABLE (a int, b int) IMMUTABLE LANGUAGE sql AS 'SELECT 1, 2';
    CREATE TYPE api.mood AS ENUM ('sad');
    CREATE TABLE api.m (mood api.mood);
    GRANT ALL ON api.t, api.p, api.v, api.m TO anonymous;
";
const NO_TABLE: &str = "
    DROP TABLE api.t, api.p, api.m CASCADE;
    DROP FUNCTION IF EXISTS api.all_t, api.answer, api.pair;
    DROP TYPE IF EXISTS api.mood, api.humour;
";

const RENAME: &str = "ALTER TABLE api.t RENAME old TO new";
const DROP: &str = "ALTER TABLE api.t DROP old";
const ADD: &str = "ALTER TABLE api.t ADD z int DEFAULT 7";

const CASES: &[Case] = &[
    get(RENAME, "/t", 200, r#"[{"id":1,"new":"one","n":5,"d":"2020-01-02"}]"#),
    get(RENAME, "/t?select=*", 200, r#"[{"id":1,"new":"one","n":5,"d":"2020-01-02"}]"#),
    get(RENAME, "/t?select=id,old", 400, "42703"),
    get(RENAME, "/t?select=old.max()", 400, "42703"),
    get(RENAME, "/t?select=id&old=eq.one", 400, "42703"),
    get(RENAME, "/t?select=id&order=old", 400, "42703"),
    get(RENAME, "/p?select=id,t(*)", 200, r#"[{"id":1,"t":{"id":1,"new":"one","n":5,"d":"2020-01-02"}}]"#),
    get(RENAME, "/p?select=...t(*)", 200, r#"[{"id":1,"new":"one","n":5,"d":"2020-01-02"}]"#),
    get(DROP, "/t", 200, r#"[{"id":1,"n":5,"d":"2020-01-02"}]"#),
    get(DROP, "/t?select=old", 400, "42703"),
    get(ADD, "/t", 200, r#"[{"id":1,"old":"one","n":5,"d":"2020-01-02","z":7}]"#),
    get(ADD, "/t?z=eq.7&select=*", 200, r#"[{"id":1,"old":"one","n":5,"d":"2020-01-02","z":7}]"#),
    get(ADD, "/t?select=z", 200, r#"[{"z":7}]"#),
    get(ADD, "/t?select=z.sum()", 200, r#"[{"sum":7}]"#),
    get(ADD, "/p?select=t(*)", 200, r#"[{"t":{"id":1,"old":"one","n":5,"d":"2020-01-02","z":7}}]"#),
    get(
        ADD,
        "/t?select=*,p(id)",
        200,
        r#"[{"id":1,"old":"one","n":5,"d":"2020-01-02","z":7,"p":[{"id":1}]}]"#,
    ),
    get(ADD, "/rpc/all_t", 200, r#"[{"id":1,"old":"one","n":5,"d":"2020-01-02","z":7}]"#),
    Case { accept: "text/csv", ..get(ADD, "/t", 200, "id,old,n,d,z\n1,one,5,2020-01-02,7") },
    Case {
        accept: "application/vnd.pgrst.object+json",
        ..get(ADD, "/t", 200, r#"{"id":1,"old":"one","n":5,"d":"2020-01-02","z":7}"#)
    },
    write(ADD, "POST", "/t", Some(r#"{"id":2}"#), 201, r#"[{"id":2,"old":null,"n":null,"d":null,"z":7}]"#),
    write(
        ADD,
        "POST",
        "/t?select=*,p(id)",
        Some(r#"{"id":2}"#),
        201,
        r#"[{"id":2,"old":null,"n":null,"d":null,"z":7,"p":[]}]"#,
    ),
    write(ADD, "POST", "/t?select=id,z", Some(r#"{"id":2,"z":8}"#), 201, r#"[{"id":2,"z":8}]"#),
    write(
        ADD,
        "PATCH",
        "/t?id=eq.1",
        Some(r#"{"n":6}"#),
        200,
        r#"[{"id":1,"old":"one","n":6,"d":"2020-01-02","z":7}]"#,
    ),
    write(
        ADD,
        "PUT",
        "/t?id=eq.2",
        Some(r#"{"id":2,"n":6}"#),
        201,
        r#"[{"id":2,"old":null,"n":6,"d":null,"z":7}]"#,
    ),
    Case {
        accept: "text/csv",
        ..write(ADD, "PATCH", "/t?id=eq.1", Some(r#"{"n":6}"#), 200, "id,old,n,d,z\n1,one,6,2020-01-02,7")
    },
    write(
        "ALTER TABLE api.p ADD z int DEFAULT 7",
        "DELETE",
        "/p?id=eq.1",
        None,
        200,
        r#"[{"id":1,"t":1,"z":7}]"#,
    ),
    write(
        RENAME,
        "PATCH",
        "/t?id=eq.1",
        Some(r#"{"n":6}"#),
        200,
        r#"[{"id":1,"new":"one","n":6,"d":"2020-01-02"}]"#,
    ),
    write(RENAME, "PATCH", "/t?id=eq.1", Some(r#"{"old":"two"}"#), 400, "PGRST204"),
    get("ALTER TABLE api.t ALTER n TYPE text", "/t?select=n", 200, r#"[{"n":"5"}]"#),
    get("ALTER TABLE api.t ALTER n TYPE text", "/t?select=n&n=eq.5", 200, r#"[{"n":"5"}]"#),
    get("ALTER TABLE api.t ALTER n TYPE bigint", "/t?select=n", 200, r#"[{"n":5}]"#),
    get("ALTER TABLE api.t ALTER n TYPE float8 USING 'NaN'", "/t?select=n", 200, r#"[{"n":"NaN"}]"#),
    get("ALTER TABLE api.t ALTER n TYPE oid", "/t?select=n", 200, r#"[{"n":"5"}]"#),
    get(
        "ALTER TABLE api.t ALTER d TYPE timestamptz",
        "/t?select=d",
        200,
        r#"[{"d":"2020-01-02T00:00:00+00:00"}]"#,
    ),
    get(
        "ALTER TABLE api.t ALTER old TYPE json USING to_json(old)",
        "/t?select=old->>0,old",
        200,
        r#"[{"old":null,"old":"one"}]"#,
    ),
    get(
        "ALTER TABLE api.t ALTER old TYPE text[] USING ARRAY[old]",
        "/t?select=old",
        200,
        r#"[{"old":["one"]}]"#,
    ),
    get("CREATE OR REPLACE VIEW api.v AS SELECT id, n FROM api.t", "/v", 200, r#"[{"id":1,"n":5}]"#),
    get(
        "DROP FUNCTION api.answer(); CREATE FUNCTION api.answer() RETURNS text LANGUAGE sql AS 'SELECT ''4 2'''",
        "/rpc/answer",
        200,
        r#""4 2""#,
    ),
    get(
        "DROP FUNCTION api.pair(); CREATE FUNCTION api.pair() RETURNS TABLE (a int, b int, c int) LANGUAGE sql AS 'SELECT 1, 2, 3'",
        "/rpc/pair",
        200,
        r#"[{"a":1,"b":2,"c":3}]"#,
    ),
    get("ALTER FUNCTION api.answer() RENAME TO reply", "/rpc/answer", 404, "PGRST202"),
    get("ALTER TABLE api.p RENAME TO q", "/p", 404, "PGRST205"),
    write(
        "ALTER TYPE api.mood RENAME TO humour",
        "POST",
        "/m",
        Some(r#"{"mood":"sad"}"#),
        201,
        r#"[{"mood":"sad"}]"#,
    ),
    get(
        "ALTER TABLE api.t ADD z int DEFAULT 7; ALTER TABLE api.t DROP old; ALTER TABLE api.t RENAME n TO old",
        "/t",
        200,
        r#"[{"id":1,"old":5,"d":"2020-01-02","z":7}]"#,
    ),
];

#[test]
fn answers_are_of_the_database_as_it_is() {
    // Loads that requests cause have a second between them: the cases run side by side.
    let threads: Vec<_> = CASES
        .chunks(CASES.len().div_ceil(6))
        .map(|cases| {
            thread::spawn(move || {
                let database = Database::fresh(&format!("{SCHEMA} {TABLE}"));
                let deaf = Deaf::serve(&database, &[]);
                let mut wrong = Vec::new();
                for case in cases {
                    wrong.extend(wrongly_answered(&database, &deaf, case));
                    database.execute(
                        "ALTER TABLE IF EXISTS api.q RENAME TO p; DROP FUNCTION IF EXISTS api.reply()",
                    );
                    database.execute(&format!("{NO_TABLE} {TABLE}"));
                    deaf.reload();
                }
                wrong
            })
        })
        .collect();
    let wrong: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// What is wrong with the answer, which a statement that is prepared gives as well as one that is not.
fn wrongly_answered(database: &Database, deaf: &Deaf, case: &Case) -> Vec<String> {
    let mut connection = Connection::open(deaf.server.address());
    let headers = [("Prefer", "return=representation"), ("Accept", case.accept)];
    let mut ask = || {
        let body = case.body.map(str::as_bytes);
        connection.send(case.method, case.target, &headers, body).unwrap()
    };
    for _ in 0..3 {
        ask();
    }
    database.execute(case.change);
    let answer = ask();
    let found = if answer.status < 300 { answer.text() } else { answer.code().unwrap_or_default() };
    let is_right = answer.status == case.status && found == case.answer;
    let told = || {
        format!(
            "{} {} {} after {}: {} {found}",
            case.method, case.target, case.accept, case.change, answer.status
        )
    };
    (!is_right).then(told).into_iter().collect()
}

#[test]
fn a_crowd_that_finds_the_catalog_behind_the_database_has_it_loaded_once() {
    let database = Database::fresh(&format!("{SCHEMA} {TABLE}"));
    let deaf = Deaf::serve(&database, &[]);
    database.execute(RENAME);
    let (crowd, start) = (40, Barrier::new(40));
    thread::scope(|scope| {
        for at in 0..crowd {
            let (deaf, start) = (&deaf, &start);
            scope.spawn(move || {
                start.wait();
                let (target, expected) = match at % 3 {
                    0 => ("/t?select=new", r#"[{"new":"one"}]"#),
                    1 => ("/t", r#"[{"id":1,"new":"one","n":5,"d":"2020-01-02"}]"#),
                    _ => ("/t?select=*&id=eq.1", r#"[{"id":1,"new":"one","n":5,"d":"2020-01-02"}]"#),
                };
                assert_eq!(deaf.get(target).text(), expected, "{target}");
            });
        }
    });
    assert_eq!(deaf.loads(), 2.0, "{}", deaf.server.log());
}

#[test]
fn a_client_that_asks_for_what_does_not_exist_causes_no_load_and_need_not_wait() {
    let database = Database::fresh(&format!("{SCHEMA} {TABLE}"));
    let deaf = Deaf::serve(&database, &[]);
    let began = Instant::now();
    for _ in 0..50 {
        for (target, status) in [
            ("/t?select=nope", 400),
            ("/t?nope=eq.1", 400),
            ("/t?order=nope", 400),
            ("/t?select=nope.sum()", 400),
            ("/t?n=like.*1", 404),
            ("/t?select=n::nope", 400),
            ("/rpc/all_t?select=nope", 400),
            ("/p?select=t(nope)", 400),
            ("/nope", 404),
            ("/rpc/nope", 404),
        ] {
            assert_eq!(deaf.get(target).status, status, "{target}");
        }
    }
    let post = send(deaf.server.address(), "POST", "/t", &[], Some(r#"{"nope":1}"#));
    assert_eq!(post.code().as_deref(), Some("PGRST204"));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(deaf.loads(), 1.0, "{}", deaf.server.log());
}

/// Calls a method about `items`, as a client does that was made before the change.
fn call(deaf: &Deaf, method: &str, message: &[u8]) -> Reply {
    let mut connection = Connection::open(deaf.server.address());
    grpc_web::call(&mut connection, &format!("api.v1.ItemsService/{method}"), message).unwrap()
}

#[test]
fn a_message_does_not_change_its_type_under_a_client() {
    let database = Database::fresh(&format!(
        "{SCHEMA} ALTER TABLE api.items ADD several int[] DEFAULT '{{1,2}}';
         UPDATE api.items SET extra_0 = 3"
    ));
    let deaf = Deaf::serve(&database, &[]);
    for (change, column) in [
        ("ALTER COLUMN extra_0 TYPE bigint", Some("extra_0")),
        ("ALTER COLUMN extra_0 TYPE text", Some("extra_0")),
        ("ALTER COLUMN several TYPE float4[]", Some("several")),
        ("RENAME name TO title", Some("name")),
        ("ADD more int DEFAULT 1", None),
        ("DROP title", None),
        ("DROP several", None),
    ] {
        for (method, message) in [("GetItem", &ID_1[..]), ("ListItems", &[]), ("StreamItems", &[])] {
            assert_eq!(call(&deaf, method, message).status, 0, "{method} before {change}");
        }
        database.execute(&format!("ALTER TABLE api.items {change}"));
        let loads = deaf.loads();
        let reply = call(&deaf, "ListItems", &[]);
        match column {
            Some(column) => {
                assert_eq!(reply.status, 12, "{change}: {reply:?}");
                let reason = format!(
                    "The%20type%20of%20this%20message%20has%20changed%20with%20column%20%22{column}%22"
                );
                assert!(reply.text.starts_with(&reason), "{change}: {reply:?}");
                assert_eq!(deaf.loads(), loads + 1.0, "{change}");
            }
            None => assert_eq!((reply.status, reply.messages.len()), (0, 1), "{change}: {reply:?}"),
        }
        // The services are those of the table as it is.
        for (method, message) in [("GetItem", &ID_1[..]), ("ListItems", &[]), ("StreamItems", &[])] {
            assert_eq!(call(&deaf, method, message).status, 0, "{method} after {change}");
        }
    }
}

#[test]
fn a_catalog_that_cannot_be_loaded_leaves_the_error_as_it_was() {
    let database = Database::fresh(&format!("{SCHEMA} CREATE SCHEMA other; {TABLE}"));
    let deaf = Deaf::serve(&database, &[("PGRST_DB_SCHEMAS", "api,other")]);
    database.execute(&format!("DROP SCHEMA other; {RENAME}"));
    for _ in 0..2 {
        assert_eq!(deaf.get("/t").code().as_deref(), Some("42703"));
        assert_eq!(deaf.get("/t?select=id").text(), r#"[{"id":1}]"#);
    }
    database.execute("CREATE SCHEMA other");
    until("the next attempt succeeds", || (deaf.get("/t").status == 200).then_some(()));
}
