//! Reloads: what changes in the database or in the configuration appears everywhere, and no request fails meanwhile.

mod stale;

use crate::support::{
    PATIENCE,
    database::Database,
    grpc::ID_1,
    grpc_web,
    http::{Connection, send},
    server::Server,
    tools::grpcurl,
    until,
};
use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.items (id int PRIMARY KEY, name text, extra_0 int);
    INSERT INTO api.items VALUES (1, 'one');
    CREATE TABLE api.parts (id int PRIMARY KEY, item int REFERENCES api.items);
    INSERT INTO api.parts VALUES (1, 1);
    CREATE FUNCTION api.every() RETURNS SETOF api.items STABLE LANGUAGE plpgsql
        AS 'BEGIN RETURN QUERY SELECT * FROM api.items; END';
    CREATE FUNCTION api.add(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT a + b';
    CREATE FUNCTION api.wait() RETURNS SETOF api.items STABLE LANGUAGE sql
        AS 'SELECT items.* FROM pg_advisory_lock_shared(1), api.items';
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT ALL ON api.items, api.parts TO anonymous;
    ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT SELECT ON TABLES TO anonymous;
";

/// A table for each change of the schema while requests run.
const TABLES: [&str; 10] =
    ["apples", "birches", "cedars", "daisies", "elms", "ferns", "grapes", "hazels", "irises", "junipers"];

/// Nobody is notified.
const NO_CHANNEL: (&str, &str) = ("PGRST_DB_CHANNEL_ENABLED", "false");

fn serve(database: &Database, more: &[(&str, &str)]) -> Server {
    let uri = database.uri("authenticator");
    let mut environment = vec![
        ("PGRST_DB_URI", uri.as_str()),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_TX_END", "rollback"),
    ];
    environment.extend(more);
    let server = Server::start(&environment);
    if !more.contains(&NO_CHANNEL) {
        server.says("Listening for notifications", 1);
    }
    server
}

/// Says what is wrong with the answer.
type Try = fn(&mut Connection) -> Result<(), String>;

/// What clients do all the time.
const REQUESTS: &[(&str, Try)] = &[
    ("a row", |client| {
        rest(client, "GET", "/items?select=id,name&id=eq.1", None, 200, Some(r#"[{"id":1,"name":"one"}]"#))
    }),
    ("whole rows", |client| rest(client, "GET", "/items", None, 200, None)),
    ("an insert", |client| rest(client, "POST", "/items", Some(r#"{"id":2,"name":"two"}"#), 201, None)),
    ("an insert that comes back", |client| {
        rest(client, "POST", "/items?select=*", Some(r#"{"id":2}"#), 201, None)
    }),
    ("rows within rows", |client| rest(client, "GET", "/parts?select=*,items(*)", None, 200, None)),
    ("rows of a function", |client| rest(client, "GET", "/rpc/every", None, 200, None)),
    ("an update", |client| rest(client, "PATCH", "/items?id=eq.1", Some(r#"{"name":"uno"}"#), 200, None)),
    ("a call", |client| rest(client, "GET", "/rpc/add?a=1&b=2", None, 200, Some("3"))),
    ("a refusal", |client| rest(client, "GET", "/nowhere", None, 404, None)),
    ("the document", |client| rest(client, "GET", "/", None, 200, None)),
    ("a row by gRPC", |client| remote(client, "api.v1.ItemsService/GetItem", &ID_1)),
    ("rows by gRPC", |client| remote(client, "api.v1.ItemsService/ListItems", &[])),
    ("a stream by gRPC", |client| remote(client, "api.v1.ItemsService/StreamItems", &[])),
];

fn rest(
    client: &mut Connection,
    method: &str,
    target: &str,
    body: Option<&str>,
    status: u16,
    text: Option<&str>,
) -> Result<(), String> {
    let whole = [("Prefer", "return=representation")];
    let answer =
        client.send(method, target, &whole, body.map(str::as_bytes)).map_err(|error| error.to_string())?;
    match answer.status == status && text.is_none_or(|text| answer.text() == text) {
        true => Ok(()),
        false => Err(format!("{} {}", answer.status, answer.text())),
    }
}

fn remote(client: &mut Connection, method: &str, message: &[u8]) -> Result<(), String> {
    let reply = grpc_web::call(client, method, message).map_err(|error| error.to_string())?;
    match (reply.status, reply.messages.len()) {
        (0, 1) => Ok(()),
        _ => Err(format!("{reply:?}")),
    }
}

#[test]
fn the_schema_changes_under_load_and_no_request_fails() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let over = AtomicBool::new(false);
    let done = AtomicUsize::new(0);
    let mut failures = thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|client| {
                let (over, done, server) = (&over, &done, &server);
                scope.spawn(move || {
                    let mut connection = Connection::open(server.address());
                    let mut failures = Vec::new();
                    for (what, request) in REQUESTS.iter().cycle().skip(client) {
                        if over.load(Ordering::Relaxed) {
                            return failures;
                        }
                        if let Err(failure) = request(&mut connection) {
                            failures.push(format!("{what}: {failure}"));
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    failures
                })
            })
            .collect();
        let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 1..=TABLES.len() {
                change(&database, &server, round);
                // Requests of every kind have run since.
                let target = done.load(Ordering::Relaxed) + 6 * REQUESTS.len();
                until("requests go on", || (done.load(Ordering::Relaxed) >= target).then_some(()));
            }
        }));
        over.store(true, Ordering::Relaxed);
        let failures: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        changed.unwrap();
        failures
    });
    let (requests, failed) = (done.into_inner(), failures.len());
    failures.sort();
    failures.dedup();
    assert!(failures.is_empty(), "{failed} of {requests} requests failed:\n{}", failures.join("\n"));
    assert_eq!(server.log().matches("panic").count(), 0, "{}", server.log());
}

/// Changes the schema, has it read again, and waits until everything shows it.
fn change(database: &Database, server: &Server, round: usize) {
    let last = round - 1;
    let (gone, new) = (TABLES[(last + TABLES.len() - 1) % TABLES.len()], TABLES[last]);
    database.execute(&format!(
        "ALTER TABLE api.items ADD COLUMN extra_{round} int, DROP COLUMN extra_{last};
         DROP TABLE IF EXISTS api.{gone};
         CREATE TABLE api.{new} (id int PRIMARY KEY);
         CREATE FUNCTION api.made_{round}() RETURNS int LANGUAGE sql AS 'SELECT {round}';"
    ));
    match round % 2 {
        0 => database.execute("NOTIFY pgrst, 'reload schema'"),
        _ => server.signal("USR1"),
    }
    let address = server.address();
    let get = |target: &str| send(address, "GET", target, &[], None);
    until("the new table is served", || (get(&format!("/{new}")).status == 200).then_some(()));
    assert_eq!(get(&format!("/{gone}")).status, 404);
    assert_eq!(get(&format!("/rpc/made_{round}")).text(), round.to_string());
    let document = get("/").text();
    assert!(
        document.contains(&format!("\"/{new}\"")) && !document.contains(&format!("\"/{gone}\"")),
        "{document}"
    );
    let service = |table: &str| format!("api.v1.{}{}Service", table[..1].to_uppercase(), &table[1..]);
    let services = grpcurl(&[address, "list"]).unwrap();
    let is_listed = |table| services.lines().any(|line| line == service(table));
    assert!(is_listed(new) && !is_listed(gone), "{services}");
    let health = |table| {
        grpcurl(&[
            "-d",
            &format!("{{\"service\":\"{}\"}}", service(table)),
            address,
            "grpc.health.v1.Health/Check",
        ])
    };
    assert!(health(new).unwrap().contains("\"SERVING\""), "{new}");
    assert!(health(gone).unwrap_err().contains("NotFound"), "{gone}");
}

#[test]
fn a_page_token_is_good_across_reloads() {
    let database = Database::fresh(&format!("{SCHEMA} INSERT INTO api.items VALUES (2, 'two')"));
    let server = serve(&database, &[]);
    let list = |message: &str| -> serde_json::Value {
        let printed = grpcurl(&["-d", message, server.address(), "api.v1.ItemsService/ListItems"]).unwrap();
        serde_json::from_str(&printed).unwrap()
    };
    let first = list(r#"{"page_size":1}"#);
    assert_eq!(first["items"][0]["name"], "one");
    server.signal("USR1");
    server.says("Schema cache loaded", 2);
    database.execute("CREATE VIEW api.late AS SELECT 1 AS id; NOTIFY pgrst");
    until("the view is served", || {
        (send(server.address(), "GET", "/late", &[], None).status == 200).then_some(())
    });
    let second = list(&format!(r#"{{"page_size":1,"page_token":{}}}"#, first["nextPageToken"]));
    assert_eq!(second["items"][0]["name"], "two");
}

#[tokio::test]
async fn a_call_under_way_ends_on_the_catalog_that_it_began_on() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let holder = database.client().await;
    holder.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    let address = server.address().to_owned();
    let call = thread::spawn(move || send(&address, "GET", "/rpc/wait?select=id,name", &[], None));
    let running = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while holder.query_one(running, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    holder.batch_execute("DROP FUNCTION api.wait(); CREATE VIEW api.late AS SELECT 1 AS id").await.unwrap();
    server.signal("USR1");
    until("the view is served", || {
        (send(server.address(), "GET", "/late", &[], None).status == 200).then_some(())
    });
    assert_eq!(send(server.address(), "GET", "/rpc/wait", &[], None).status, 404);
    holder.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    let answer = call.join().unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"[{"id":1,"name":"one"}]"#));
}

#[test]
fn the_configuration_is_read_again_from_file_and_database() {
    let database = Database::fresh(&format!("{SCHEMA} INSERT INTO api.items VALUES (2), (3)"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.conf", database.name()));
    let write = |rows: &str| {
        let uri = database.uri("Reloader");
        let lines =
            format!("db-uri = \"{uri}\"\ndb-schemas = \"api\"\ndb-anon-role = \"anonymous\"\n{rows}\n");
        fs::write(&file, lines).unwrap();
    };
    // Settings belong to the role, and the role to the server: this one is no other test's. Its name is to be quoted.
    database.execute(
        "DO $$ BEGIN IF to_regrole('\"Reloader\"') IS NULL THEN
            CREATE ROLE \"Reloader\" LOGIN NOINHERIT; GRANT anonymous TO \"Reloader\"; END IF; END $$",
    );
    let setting = |change: &str| {
        database.execute(&format!("ALTER ROLE \"Reloader\" IN DATABASE {} {change}", database.name()));
    };
    write("db-max-rows = 2");
    let mut command = Command::new(crate::support::server::binary());
    command.env_clear().env("PGRST_SERVER_HOST", "127.0.0.1").env("PGRST_SERVER_PORT", "0").arg(&file);
    let server = Server::run(command);
    server.says("Listening for notifications", 1);
    let rows = || {
        let answer = send(server.address(), "GET", "/items?select=id", &[], None).text();
        serde_json::from_str::<Vec<serde_json::Value>>(&answer).unwrap().len()
    };
    let until_rows = |count| until("the new limit holds", || (rows() == count).then_some(()));
    assert_eq!(rows(), 2);

    write("db-max-rows = 1");
    server.signal("USR2");
    until_rows(1);

    setting("SET pgrst.db_max_rows = '3'");
    database.execute("NOTIFY pgrst, 'reload config'");
    until_rows(3);

    setting("SET pgrst.openapi_version = '2.0'");
    database.execute("NOTIFY pgrst, 'reload config'");
    until("the root is Swagger", || {
        let document = send(server.address(), "GET", "/", &[], None).text();
        document.starts_with(r#"{"swagger":"2.0""#).then_some(())
    });

    // The database's word still counts more.
    write("db-max-rows = many");
    server.signal("USR2");
    server.says("The configuration stays as it was", 1);
    assert_eq!(rows(), 3);

    // Keys that cannot be read are not taken for a secret, with which everybody could sign.
    write(r#"jwt-secret = "-----BEGIN PUBLIC KEY----- MCowBQYDK2VwAyEANURoJTlSNWDcMGWi2XTW""#);
    server.signal("USR2");
    server.says("The configuration stays as it was: jwt-secret is in PEM", 1);
    write("");
    setting(
        "SET pgrst.jwt_secret = '{\"keys\":[{\"kty\":\"RSA\",\"kid\":7,\"n\":\"AQAB\",\"e\":\"AQAB\"}]}'",
    );
    database.execute("NOTIFY pgrst, 'reload config'");
    server.says("The configuration stays as it was: jwt-secret cannot be used: keys[0]", 1);
    setting("RESET pgrst.jwt_secret");
    assert_eq!(rows(), 3);

    write("db-max-rows = 2\ndb-channel = \"elsewhere\"");
    setting("RESET pgrst.db_max_rows");
    database.execute("NOTIFY pgrst, 'reload config'");
    until_rows(2);
    server.says("Listening for notifications", 2);
    write("db-channel = \"elsewhere\"");
    database.execute("NOTIFY elsewhere, 'reload config'");
    until_rows(3);
    database.execute("NOTIFY elsewhere");
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn a_listener_whose_connection_is_ended_comes_back_and_reloads() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let client = database.client().await;
    // The change is not announced.
    client.batch_execute("CREATE VIEW api.late AS SELECT 1 AS id").await.unwrap();
    let ended = client
        .query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query ILIKE 'listen%'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(ended.len(), 1);
    let began = Instant::now();
    until("the view is served", || {
        (send(server.address(), "GET", "/late", &[], None).status == 200).then_some(())
    });
    assert!(began.elapsed() < PATIENCE);
    client.batch_execute("CREATE VIEW api.later AS SELECT 1 AS id").await.unwrap();
    client.batch_execute("NOTIFY pgrst").await.unwrap();
    until("what is notified now is heard", || {
        (send(server.address(), "GET", "/later", &[], None).status == 200).then_some(())
    });
}

/// Also at the first load, which reads what the database says.
#[test]
fn whether_statements_are_prepared_follows_the_configuration_in_the_database() {
    let database = Database::fresh(&format!(
        "{SCHEMA} CREATE VIEW api.prepared AS SELECT count(*) FROM pg_prepared_statements"
    ));
    let set = |action: &str| {
        let role = format!("ALTER ROLE authenticator IN DATABASE {}", database.name());
        database.execute(&format!("{role} {action}"));
    };
    set("SET pgrst.db_prepared_statements = 'false'");
    let server = serve(&database, &[]);
    let are_prepared = || {
        let counted = || send(server.address(), "GET", "/prepared", &[], None).text();
        // What is seen once is not prepared yet.
        [counted(), counted(), counted()].last().is_some_and(|count| count != r#"[{"count":0}]"#)
    };
    assert!(!are_prepared());
    for (action, prepared) in
        [("RESET pgrst.db_prepared_statements", true), ("SET pgrst.db_prepared_statements = 'false'", false)]
    {
        set(action);
        database.execute("NOTIFY pgrst, 'reload config'");
        until(action, || (are_prepared() == prepared).then_some(()));
    }
}

/// So that requests on a busy machine do not wait for it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_load_has_a_thread_of_its_own_that_others_go_before() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let loads = server.log().matches("Schema cache loaded").count();
    let mut holder = database.client().await;
    holder.batch_execute("CREATE VIEW api.late AS SELECT 1 AS id").await.unwrap();
    let held = holder.transaction().await.unwrap();
    held.batch_execute("LOCK pg_catalog.pg_foreign_table").await.unwrap();
    server.signal("USR1");
    // Those of requests have that of the process.
    let usual = thread_priority(server.id(), "tokio-rt-worker").unwrap();
    let lower = (usual + 5).min(19);
    until("a load is under way", || thread_priority(server.id(), "load").filter(|nice| *nice == lower));
    let answer = send(server.address(), "GET", "/items?select=id", &[], None);
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"[{"id":1}]"#));
    held.commit().await.unwrap();
    server.says("Schema cache loaded", loads + 1);
    until("the view is served", || {
        (send(server.address(), "GET", "/late", &[], None).status == 200).then_some(())
    });
    until("the thread has ended", || thread_priority(server.id(), "load").is_none().then_some(()));
}

/// How nice a thread of this name is, if the process has one.
#[cfg(target_os = "linux")]
fn thread_priority(process: u32, name: &str) -> Option<i64> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok()).find_map(|stat| {
        let (before, after) = stat.rsplit_once(") ")?;
        // The third field is the first of these, and the nineteenth says it.
        let nice = after.split(' ').nth(16)?.parse().ok()?;
        before.ends_with(&format!("({name}")).then_some(nice)
    })
}

#[test]
fn a_reload_reads_no_more_than_what_has_changed() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[]);
    let served = |name: &str| {
        let found =
            || (send(server.address(), "GET", &format!("/{name}"), &[], None).status == 200).then_some(());
        until(name, found);
    };
    // With a name, as an event trigger has it.
    database.execute("CREATE VIEW api.early AS SELECT 1 AS id; NOTIFY pgrst, 'reload schema api.early'");
    served("early");
    assert!(server.log().contains(" read"), "{}", server.log());
    // Whoever signals wants everything.
    let parts = server.log().matches("been read").count();
    database.execute("CREATE VIEW api.late AS SELECT 1 AS id");
    server.signal("USR1");
    served("late");
    assert_eq!(server.log().matches("been read").count(), parts, "{}", server.log());
}
