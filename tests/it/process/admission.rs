//! How many requests are let in: in the whole process, of each role, and whose turn it is when the pool is used up. And what
//! is told of slow ones.

use super::{SCHEMA, hold, release, serve, waiting};
use crate::support::{
    address,
    database::Database,
    http::{Answer, send},
    server::Server,
    token::token,
    tools::{grpcurl, stdout, tool},
    until,
};
use std::{process::Command, sync::Arc, thread};

const SECRET: &str = "a secret of at least thirty-two bytes";
const CALLERS: &str = "
    CREATE VIEW api.callers AS SELECT current_user::text AS role;
    GRANT SELECT ON api.callers TO anonymous, authenticated;
";

fn bearer(role: &str) -> String {
    format!("Bearer {}", token(SECRET, &format!(r#"{{"role":"{role}"}}"#)))
}

fn as_role(server: &Server, role: &str, target: &str) -> Answer {
    send(server.address(), "GET", target, &[("Authorization", &bearer(role))], None)
}

#[tokio::test]
async fn beyond_server_max_requests_clients_are_told_to_come_back_and_probes_are_answered() {
    let database = Database::fresh(SCHEMA);
    let admin = address::free();
    let server = Arc::new(serve(
        &database,
        &[
            ("PGDUET_SERVER_MAX_REQUESTS", "2"),
            ("PGRST_ADMIN_SERVER_PORT", &admin.port().to_string()),
            ("PGRST_LOG_LEVEL", "info"),
        ],
    ));
    let looker = database.client().await;
    let holder = hold(&database).await;
    let held: Vec<_> = (0..2)
        .map(|_| {
            let server = server.clone();
            thread::spawn(move || send(server.address(), "GET", "/rpc/wait", &[], None).status)
        })
        .collect();
    while waiting(&looker, &database).await < 2 {
        tokio::task::yield_now().await;
    }
    for (method, target) in [("GET", "/items"), ("POST", "/items"), ("GET", "/docs/"), ("GET", "/")] {
        let refused = send(server.address(), method, target, &[], (method == "POST").then_some("{}"));
        let told = (refused.status, refused.code(), refused.header("retry-after"));
        assert_eq!(told, (503, Some("PGDUET23".to_owned()), Some("1".to_owned())), "{method} {target}");
    }
    let called = grpcurl(&["-d", "{}", server.address(), "api.v1.ItemsService/ListItems"]).unwrap_err();
    assert!(called.contains("Unavailable") && called.contains("RetryInfo"), "{called}");
    // Health and reflection, and the admin server, are for whoever looks after it.
    assert!(
        grpcurl(&["-d", "{}", server.address(), "grpc.health.v1.Health/Check"]).unwrap().contains("SERVING")
    );
    assert!(grpcurl(&[server.address(), "list"]).unwrap().contains("api.v1.ItemsService"));
    assert_eq!(send(&admin.to_string(), "GET", "/ready", &[], None).status, 200);
    release(holder).await;
    for request in held {
        assert_eq!(request.join().unwrap(), 200);
    }
    until("there is room again", || {
        (send(server.address(), "GET", "/items", &[], None).status == 200).then_some(())
    });
}

/// Gives a role these settings in the test's database alone is not what pgduet reads, so each test has a role of its own.
fn limited(database: &Database, role: &str, settings: &[(&str, &str)]) {
    database.execute(&format!(
        "DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         GRANT {role} TO authenticator;
         GRANT USAGE ON SCHEMA api TO {role};
         GRANT SELECT ON api.items, api.callers TO {role}"
    ));
    for (name, value) in settings {
        database.execute(&format!("ALTER ROLE {role} SET {name} = '{value}'"));
    }
}

#[tokio::test]
async fn a_role_has_the_requests_that_alter_role_gives_it() {
    let database = Database::fresh(&format!("{SCHEMA}{CALLERS}"));
    limited(&database, "limited_many", &[("pgduet.max_requests", "1")]);
    let server = Arc::new(serve(&database, &[("PGRST_JWT_SECRET", SECRET)]));
    let looker = database.client().await;
    let holder = hold(&database).await;
    let held = {
        let server = server.clone();
        thread::spawn(move || as_role(&server, "limited_many", "/rpc/wait").status)
    };
    while waiting(&looker, &database).await < 1 {
        tokio::task::yield_now().await;
    }
    let refused = as_role(&server, "limited_many", "/callers");
    let told = (refused.status, refused.code(), refused.header("retry-after"));
    assert_eq!(told, (429, Some("PGDUET24".to_owned()), Some("1".to_owned())), "{refused:?}");
    let authorization = format!("authorization: {}", bearer("limited_many"));
    let list = ["-H", &authorization, "-d", "{}", server.address(), "api.v1.CallersService/ListCallers"];
    let called = grpcurl(&list).unwrap_err();
    assert!(called.contains("ResourceExhausted") && called.contains("RetryInfo"), "{called}");
    assert_eq!(as_role(&server, "authenticated", "/callers").status, 200);
    assert_eq!(send(server.address(), "GET", "/callers", &[], None).status, 200);
    release(holder).await;
    assert_eq!(held.join().unwrap(), 200);
    until("there is room again", || {
        (as_role(&server, "limited_many", "/callers").status == 200).then_some(())
    });
    assert!(grpcurl(&list).is_ok());
}

#[test]
fn a_role_begins_as_many_requests_as_its_rate_allows_also_after_a_reload() {
    let database = Database::fresh(&format!("{SCHEMA}{CALLERS}"));
    limited(&database, "limited_rate", &[("pgduet.rate", "5/h")]);
    limited(&database, "limited_wrong", &[("pgduet.rate", "5/day"), ("pgduet.rates", "1")]);
    let server = serve(&database, &[("PGRST_JWT_SECRET", SECRET)]);
    server.says("is ignored, it cannot be read", 2);
    assert_eq!(as_role(&server, "limited_wrong", "/callers").status, 200);
    for _ in 0..5 {
        assert_eq!(as_role(&server, "limited_rate", "/callers").text(), r#"[{"role":"limited_rate"}]"#);
    }
    let refused = as_role(&server, "limited_rate", "/callers");
    let again: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(refused.status == 429 && (600..=720).contains(&again), "{refused:?}");
    let loads = server.log().matches("Schema cache loaded").count();
    server.signal("USR1");
    server.says("Schema cache loaded", loads + 1);
    assert_eq!(as_role(&server, "limited_rate", "/callers").status, 429);
    // More is more from the next reload on.
    database.execute("ALTER ROLE limited_rate SET pgduet.rate = '1000/s'");
    server.signal("USR1");
    server.says("Schema cache loaded", loads + 2);
    until("the new rate counts", || {
        (as_role(&server, "limited_rate", "/callers").status == 200).then_some(())
    });
}

#[tokio::test]
async fn a_role_with_many_requests_delays_another_by_one() {
    const MANY: i64 = 20;
    let database = Database::fresh(&format!(
        "{SCHEMA}
         CREATE TABLE api.served (number int GENERATED ALWAYS AS IDENTITY, role text);
         CREATE FUNCTION api.serve() RETURNS void LANGUAGE sql SECURITY DEFINER AS
             $$ INSERT INTO api.served (role) VALUES (current_setting('role')) $$;"
    ));
    let admin = address::free();
    let server = Arc::new(serve(
        &database,
        &[
            ("PGRST_JWT_SECRET", SECRET),
            ("PGRST_DB_POOL", "1"),
            ("PGRST_ADMIN_SERVER_PORT", &admin.port().to_string()),
        ],
    ));
    let looker = database.client().await;
    let holder = hold(&database).await;
    let call = |role: &'static str, function: &'static str| {
        let server = server.clone();
        thread::spawn(move || {
            let headers = [("Authorization", bearer(role))];
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            send(server.address(), "POST", function, &headers, Some("{}")).status
        })
    };
    let first = call("anonymous", "/rpc/wait");
    while waiting(&looker, &database).await < 1 {
        tokio::task::yield_now().await;
    }
    let in_line = |count: i64| {
        until("they wait", || {
            let metrics = send(&admin.to_string(), "GET", "/metrics", &[], None).text();
            metrics.contains(&format!("\npgrst_db_pool_waiting {count}.0\n")).then_some(())
        });
    };
    let many: Vec<_> = (0..MANY).map(|_| call("anonymous", "/rpc/serve")).collect();
    in_line(MANY);
    let one = call("authenticated", "/rpc/serve");
    in_line(MANY + 1);
    release(holder).await;
    assert_eq!(first.join().unwrap(), 200);
    assert_eq!(one.join().unwrap(), 204);
    for request in many {
        assert_eq!(request.join().unwrap(), 204);
    }
    let place = "SELECT number FROM api.served WHERE role = 'authenticated'";
    let place: i32 = looker.query_one(place, &[]).await.unwrap().get(0);
    assert!(place <= 2, "it was served as number {place}");
}

#[test]
fn a_slow_request_is_told_with_its_statement_and_its_stages_and_without_values() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database, &[("PGDUET_LOG_SLOW", "0")]);
    assert_eq!(send(server.address(), "GET", "/items?name=eq.hushhush&select=id", &[], None).status, 200);
    server.says("Slow request", 1);
    let filter = r#"{"filter":"name=eq.hushhush"}"#;
    assert!(grpcurl(&["-d", filter, server.address(), "api.v1.ItemsService/ListItems"]).is_ok());
    server.says("api.v1.ItemsService/ListItems", 1);
    let log = server.log();
    let line = |of: &str| log.lines().find(|line| line.contains("Slow") && line.contains(of)).unwrap();
    let (rest, grpc) = (
        line(" GET /items as anonymous took "),
        line(" POST /api.v1.ItemsService/ListItems as anonymous took "),
    );
    for said in ["jwt ", "parse ", "plan ", "transaction ", "wait ", "database "] {
        assert!(rest.contains(said), "{said}: {rest}");
    }
    assert!(grpc.contains("wait ") && grpc.contains("database "), "{grpc}");
    for line in [rest, grpc] {
        assert!(line.contains(r#""items""#) && line.contains("$"), "{line}");
    }
    assert!(!log.contains("hushhush"), "{log}");

    let fast = serve(&database, &[("PGDUET_LOG_SLOW", "600000")]);
    let off = serve(&database, &[]);
    for server in [fast, off] {
        assert_eq!(send(server.address(), "GET", "/items", &[], None).status, 200);
        assert!(!server.log().contains("Slow request"));
    }
}

#[test]
fn server_timing_is_trailing_metadata_over_grpc_where_it_is_on() {
    let database = Database::fresh(SCHEMA);
    let on = serve(&database, &[("PGRST_SERVER_TIMING_ENABLED", "true")]);
    let off = serve(&database, &[]);
    let seen = |server: &Server, method: &str, message: &str| {
        let printed = stdout(
            Command::new(tool("bin/grpcurl"))
                .args(["-plaintext", "-v", "-d", message, server.address()])
                .arg(format!("api.v1.ItemsService/{method}")),
        );
        let (_, trailers) = printed.split_once("Response trailers received:").unwrap();
        trailers.lines().find(|line| line.starts_with("server-timing: ")).map(str::to_owned)
    };
    for (method, message) in [("GetItem", r#"{"id":1}"#), ("ListItems", "{}"), ("StreamItems", "{}")] {
        let told = seen(&on, method, message).unwrap();
        for stage in ["wait;dur=", "database;dur=", "total;dur="] {
            assert!(told.contains(stage), "{method}: {told}");
        }
        assert_eq!(seen(&off, method, message), None, "{method}");
    }
}
