//! Answers that are larger than the memory there is, in the one piece that PostgreSQL sends: they are refused before they
//! are held, and what is left of them is thrown away as it comes.

use super::{SCHEMA, answers};
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

const BUDGET: usize = 20_000_000;

/// What a server may need beyond the budget.
const BESIDES: usize = 96 << 20;

const MORE: &str = "
    CREATE VIEW api.large AS SELECT 1 AS id, repeat('x', 9000000) AS text;
    CREATE VIEW api.huges AS SELECT 1 AS id, repeat('x', 60000000) AS text;
    GRANT SELECT ON api.large, api.huges TO anonymous;
    CREATE FUNCTION api.noted() RETURNS text LANGUAGE sql AS
        $$ INSERT INTO api.items (id) VALUES (1000); SELECT repeat('x', 60000000) $$;
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
