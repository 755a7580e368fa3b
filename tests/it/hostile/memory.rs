//! Answers that are larger than the memory there is, in the one piece that PostgreSQL sends: they are refused before they
//! are held, and what is left of them is thrown away as it comes.

use super::{SCHEMA, answers, phases};
use crate::{
    bulk::peak_memory,
    support::{
        database::Database,
        grpc_web,
        http::{Connection, send},
        server::Server,
        until,
    },
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{io::Write, net::TcpStream};

const BUDGET: usize = 20_000_000;

/// What a server may need beyond the budget.
const BESIDES: usize = 96 << 20;

const MORE: &str = "
    CREATE VIEW api.large AS SELECT 1 AS id, repeat('x', 9000000) AS text;
    CREATE VIEW api.huges AS SELECT 1 AS id, repeat('x', 60000000) AS text;
    GRANT SELECT ON api.large, api.huges TO anonymous;
    CREATE FUNCTION api.noted() RETURNS text LANGUAGE sql AS
        $$ INSERT INTO api.items (id) VALUES (1000); SELECT repeat('x', 60000000) $$;
    CREATE FUNCTION api.wait() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_advisory_lock_shared(4712)';
    CREATE FUNCTION api.cry() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN RAISE '%', repeat('x', 60000000); END $$;
    CREATE FUNCTION api.murmur() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN RAISE NOTICE '%', repeat('x', 60000000); RETURN 1; END $$;
";

#[test]
fn a_row_larger_than_the_budget_is_refused_before_it_is_held() {
    let database = Database::fresh(&format!("{SCHEMA}{MORE}"));
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGDUET_SERVER_MAX_MEMORY", &BUDGET.to_string()),
    ]);
    let ask = |method: &str, target: &str| {
        let body = (method == "POST").then_some("{}");
        let answer = send(server.address(), method, target, &[], body);
        (answer.status, answer.code(), answer.body.len())
    };
    assert_eq!(ask("GET", "/large").0, 200, "what fits twice is answered");
    for (method, target) in [
        ("GET", "/huges"),
        ("GET", "/huges?select=text"),
        ("POST", "/rpc/noted"),
        ("POST", "/rpc/cry"),
        ("POST", "/rpc/murmur"),
    ] {
        let (status, code, _) = ask(method, target);
        assert_eq!((status, code.as_deref()), (500, Some("PGDUET10")), "{method} {target}");
    }
    assert_eq!(ask("HEAD", "/huges").0, 200, "its answer has no body");
    assert_eq!(ask("GET", "/items?id=eq.1000").2, 2, "what is refused is undone");
    let reply = |method| grpc_web::call(&mut Connection::open(server.address()), method, b"").unwrap();
    for method in ["api.v1.HugesService/ListHuges", "api.v1.HugesService/StreamHuges"] {
        let reply = reply(method);
        assert_eq!(reply.status, 8, "{method}: {}", reply.text);
    }
    // A crowd holds no more than one.
    std::thread::scope(|crowd| {
        for _ in 0..4 {
            crowd.spawn(|| assert_eq!(ask("GET", "/huges").0, 500));
            crowd.spawn(|| assert!(matches!(ask("GET", "/large").0, 200 | 503)));
        }
    });
    until("the memory is given back", || (ask("GET", "/large").0 == 200).then_some(()));
    assert!(answers(&server));
    let peak = peak_memory(server.id());
    assert!(peak < BUDGET + BESIDES, "{peak} bytes with a budget of {BUDGET}");
}

/// As large as a head may be, almost.
const HEAD: usize = 120_000;

fn serve_with_little_memory() -> (Database, Server) {
    let database = Database::fresh(&format!("{SCHEMA}{MORE}"));
    let server = Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_DB_POOL", "2"),
        ("PGRST_DB_POOL_ACQUISITION_TIMEOUT", "3600"),
        ("PGDUET_SERVER_MAX_MEMORY", &BUDGET.to_string()),
    ]);
    (database, server)
}

/// Its peak, before and after many have sent large heads.
fn within_the_budget(server: &Server, before: usize) {
    let peak = peak_memory(server.id());
    // Each connection has buffers of its own, which are no part of the budget.
    assert!(peak - before < 2 * BUDGET, "{before} bytes at first and {peak} with a budget of {BUDGET}");
    until("there is memory for others", || answers(server).then_some(()));
}

#[tokio::test]
async fn heads_hold_no_more_memory_than_there_is() {
    let (database, server) = serve_with_little_memory();
    assert!(answers(&server));
    let before = peak_memory(server.id());
    let head = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-Pad: {}", "x".repeat(HEAD));
    let send = |text: &str| {
        let mut connection = TcpStream::connect(server.address()).unwrap();
        // Who is refused does not hear the rest.
        let _ = connection.write_all(text.as_bytes());
        connection
    };
    // Heads that never come to an end.
    let incomplete = head("/items");
    let connections: Vec<_> = (0..600).map(|_| send(&incomplete)).collect();
    within_the_budget(&server, before);
    drop(connections);
    let large = || crate::support::http::send(server.address(), "GET", "/large", &[], None).status;
    until("all of the memory is given back", || (large() == 200).then_some(()));
    // Heads of requests that wait for the database: those for which there is no memory are refused by an answer where a
    // connection has many.
    let holder = database.client().await;
    let lock = async |function| {
        holder.execute(&format!("SELECT {function}(4712)"), &[]).await.unwrap();
    };
    lock("pg_advisory_lock").await;
    let (mut sender, _ended) = phases::client(&server, 65_535).await;
    let mut many: FuturesUnordered<_> = (0..70)
        .map(|_| {
            let request = http::Request::get(format!("{}/rpc/wait", server.url()));
            let request = request.header("x-pad", "x".repeat(HEAD)).body(http_body_util::Empty::new());
            sender.send_request(request.unwrap())
        })
        .collect();
    assert_eq!(many.next().await.unwrap().unwrap().status(), 503);
    lock("pg_advisory_unlock").await;
    let rest: Vec<_> = many.map(|answer| answer.unwrap().status().as_u16()).collect().await;
    assert!(rest.contains(&200) && rest.iter().all(|status| [200, 503].contains(status)), "{rest:?}");
    within_the_budget(&server, before);
    lock("pg_advisory_lock").await;
    let complete = format!("{}\r\n\r\n", head("/rpc/wait"));
    let connections: Vec<_> = (0..600).map(|_| send(&complete)).collect();
    lock("pg_advisory_unlock").await;
    drop(connections);
    within_the_budget(&server, before);
}
