//! What the limits of embeds allow is planned soon, and what applications ask for is allowed. The figures behind the limits
//! are in LIMITS.md.

use crate::support::{database::Database, http::send, server::Server};
use std::time::{Duration, Instant};

const SCHEMA: &str = "
    CREATE SCHEMA api;
    CREATE TABLE api.node (id int PRIMARY KEY, parent int REFERENCES api.node, name text);
    CREATE TABLE api.tag (id int PRIMARY KEY);
    CREATE TABLE api.node_tag (node int REFERENCES api.node, tag int REFERENCES api.tag, PRIMARY KEY (node, tag));
    CREATE TABLE api.leaf (id int PRIMARY KEY, node int REFERENCES api.node);
    GRANT USAGE ON SCHEMA api TO anonymous;
    GRANT SELECT ON ALL TABLES IN SCHEMA api TO anonymous;
";

/// Ten times what LIMITS.md promises: the machine may be busy.
const SOON: Duration = Duration::from_secs(5);

fn serve(database: &Database) -> Server {
    Server::start(&[
        ("PGRST_DB_URI", &database.uri("authenticator")),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
    ])
}

/// As many of `part` as are asked for, their numbers in place of `#`.
fn repeated(count: usize, part: &str) -> String {
    let parts: Vec<_> = (0..count).map(|number| part.replace('#', &number.to_string())).collect();
    parts.join(",")
}

fn nested(names: &[&str], depth: usize) -> String {
    let heads: String = names.iter().cycle().take(depth).map(|name| format!("{name}(")).collect();
    format!("{heads}id{}", ")".repeat(depth))
}

#[test]
fn what_the_limits_allow_is_planned_soon() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let nulls = |count| (0..count).map(|number| format!("&k{number}=not.is.null")).collect::<String>();
    let group = |number| format!("k{number}:leaf!inner(id,{})", repeated(4, "a#:node!inner(id)"));
    let queries = [
        repeated(100, "k#:parent(id)"),
        repeated(100, "k#:leaf(id)"),
        repeated(100, "k#:tag(id)"),
        repeated(10, "k#:parent!inner(id)") + "," + &repeated(90, "l#:parent(id)"),
        repeated(10, "k#:parent(id)") + &nulls(10),
        nested(&["tag!inner", "node!inner"], 10) + "," + &repeated(90, "l#:parent(id)"),
        nested(&["node!inner"], 10),
        nested(&["tag", "node"], 20),
        group(0) + "," + &group(1),
    ];
    for query in queries {
        // The tables are empty: it is planning that takes the time.
        let begun = Instant::now();
        let answer = send(server.address(), "GET", &format!("/node?select=id,{query}"), &[], None);
        assert_eq!((answer.status, answer.text().as_str()), (200, "[]"), "{query}");
        assert!(begun.elapsed() < SOON, "{query}: {:?}", begun.elapsed());
    }
}

#[test]
fn what_costs_more_is_refused() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    for (query, what) in [
        (repeated(101, "k#:leaf(id)"), "100 embedded resources"),
        (
            format!("{}{}", repeated(100, "k#:leaf(id)"), "&id=eq.1".repeat(101)),
            "10000 filters times embedded resources",
        ),
        (repeated(11, "k#:parent!inner(id)"), "10 inner embeds and filters on embeds"),
        (nested(&["node!inner"], 11), "10 inner embeds and filters on embeds"),
        (nested(&["node"], 21), "20 levels of embedding"),
        (format!("node(id){}", "&node=not.is.null".repeat(11)), "10 inner embeds and filters on embeds"),
        (format!("node(id)&or=({})", repeated(11, "node.is.null")), "10 inner embeds and filters on embeds"),
    ] {
        let answer = send(server.address(), "GET", &format!("/node?select=id,{query}"), &[], None);
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("PGDUET09")), "{query}");
        assert!(answer.text().contains(&format!("at most {what}.")), "{}", answer.text());
    }
}

#[test]
fn what_applications_ask_for_is_not_refused() {
    let database = Database::fresh(SCHEMA);
    let server = serve(&database);
    let page = format!(
        "*,{},{},owner:parent!inner(*,{}),{}&owner.name=eq.x&k1=not.is.null&order=owner(name)",
        repeated(8, "k#:leaf(*,node(id,tag(*)))"),
        repeated(3, "t#:tag!inner(*)"),
        repeated(4, "o#:leaf(*)"),
        nested(&["node", "tag"], 8),
    );
    let answer = send(server.address(), "GET", &format!("/node?select={page}"), &[], None);
    assert_eq!((answer.status, answer.text().as_str()), (200, "[]"));
}
