//! A coordinator of Citus and two workers, both protocols, and what policies see on the workers. Runs where the
//! PostgreSQL of the suite has the extension: `PGDUET_TEST_PG_BIN=/path/to/bin make test ARGS=citus`.

use crate::support::{
    http::{Answer, send},
    server::Server,
    token::token,
    until,
};
use pgduet::embedded::{Binaries, Cluster, Durability, Location, initialise};
use serde_json::{Value, json};
use std::{env, fs, io::Write, path::PathBuf, process::Command};
use tokio_postgres::NoTls;

const SECRET: &str = "a secret of thirty-two characters";
const DATABASE: &str = "postgres";

/// What each node needs. Nodes find each other by their sockets.
const NODE: &str = "
    shared_preload_libraries = 'citus'
    max_prepared_transactions = 100
    max_connections = 100
    citus.node_conninfo = 'sslmode=disable'
    citus.enable_statistics_collection = off
";

/// The binaries, where they have Citus.
fn binaries() -> Option<Binaries> {
    let explicit = env::var_os("PGDUET_TEST_PG_BIN").map(PathBuf::from);
    let binaries = Binaries::find(explicit.as_deref()).ok()?;
    let said = Command::new(binaries.program("pg_config")).arg("--sharedir").output().ok()?;
    let share = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    share.join("extension/citus.control").exists().then_some(binaries)
}

/// A directory that goes when this does.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Three nodes; the first is the coordinator. They stop before their directory goes.
struct Nodes {
    nodes: Vec<Option<Cluster>>,
    binaries: Binaries,
    directory: Directory,
}

impl Nodes {
    fn start(binaries: Binaries) -> Self {
        let directory = env::temp_dir().join(format!("pgduet-citus-{}", std::process::id()));
        let _leftover = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        let mut found = Self { nodes: Vec::new(), binaries, directory: Directory(directory) };
        for number in 0..3 {
            let location = found.location(number);
            fs::create_dir(&location).unwrap();
            initialise(&found.binaries, &location.join("data"), Durability::Throwaway).unwrap();
            let configuration = location.join("data/postgresql.conf");
            let mut file = fs::OpenOptions::new().append(true).open(configuration).unwrap();
            file.write_all(NODE.as_bytes()).unwrap();
            writeln!(file, "citus.local_hostname = '{}'", location.join("data").display()).unwrap();
            found.nodes.push(None);
            found.open(number);
            found.run(number, "CREATE EXTENSION citus");
        }
        let host = |number: usize| found.node(number).socket_dir().display().to_string();
        found.run(0, &format!("SELECT citus_set_coordinator_host('{}', 5432)", host(0)));
        for worker in [1, 2] {
            found.run(0, &format!("SELECT citus_add_node('{}', 5432)", host(worker)));
        }
        found.run(0, include_str!("../fixtures/citus.sql"));
        found
    }

    fn location(&self, number: usize) -> PathBuf {
        self.directory.0.join(format!("n{number}"))
    }

    fn open(&mut self, number: usize) {
        let location = Location::Kept(self.location(number));
        self.nodes[number] = Some(Cluster::open(&self.binaries, location, Durability::Throwaway).unwrap());
    }

    /// Kills a node with all that works for it.
    fn kill(&mut self, number: usize) {
        let node = self.nodes[number].take().unwrap();
        let id = node.server_id().to_string();
        assert!(Command::new("kill").args(["-QUIT", &id]).status().unwrap().success());
        drop(node);
    }

    fn node(&self, number: usize) -> &Cluster {
        self.nodes[number].as_ref().unwrap()
    }

    /// Runs statements, each in a transaction of its own.
    fn run(&self, number: usize, sql: &str) {
        let uri = self.node(number).uri("postgres", DATABASE);
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (client, connection) = tokio_postgres::connect(&uri, NoTls).await.unwrap();
            tokio::spawn(connection);
            for statement in statements(sql) {
                client
                    .batch_execute(&statement)
                    .await
                    .unwrap_or_else(|error| panic!("{error:?}\n{statement}"));
            }
        });
    }
}

/// Citus takes no statement about a distributed table in one message with others.
fn statements(sql: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in sql.lines() {
        let last = found.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
        let is_atomic = last.contains("BEGIN ATOMIC") && !line.contains("END;");
        if line.trim_end().ends_with(';') && !is_atomic {
            found.push(String::new());
        }
    }
    found.retain(|statement| !statement.trim().is_empty());
    found
}

/// Sends requests of a member.
struct Member<'s> {
    server: &'s Server,
    token: String,
}

impl Member<'_> {
    fn send(&self, method: &str, target: &str, prefer: &str, body: Value) -> Answer {
        let token = format!("Bearer {}", self.token);
        let headers =
            [("Authorization", token.as_str()), ("Content-Type", "application/json"), ("Prefer", prefer)];
        let body = (!body.is_null()).then(|| body.to_string());
        send(self.server.address(), method, target, &headers, body.as_deref())
    }

    fn rows(&self, method: &str, target: &str, prefer: &str, body: Value) -> Value {
        let answer = self.send(method, target, prefer, body);
        assert!(answer.status < 300, "{method} {target}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn get(&self, target: &str) -> Value {
        self.rows("GET", target, "", Value::Null)
    }

    /// A gRPC method, in Connect's form.
    fn call(&self, method: &str, message: Value) -> Value {
        serde_json::from_slice(&self.send("POST", &format!("/api.v1.{method}"), "", message).body).unwrap()
    }
}

const REPRESENTATION: &str = "return=representation";

#[test]
fn citus_runs_what_both_protocols_ask_for() {
    let Some(binaries) = binaries() else { return };
    let mut nodes = Nodes::start(binaries);
    let uri = nodes.node(0).uri("authenticator", DATABASE);
    let server = Server::start(&[
        ("PGRST_DB_URI", &uri),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_DB_ANON_ROLE", "anonymous"),
        ("PGRST_JWT_SECRET", SECRET),
        ("PGRST_DB_AGGREGATES_ENABLED", "true"),
    ]);
    let of = |claims: Value| Member { server: &server, token: token(SECRET, &claims.to_string()) };
    let ada = of(json!({"role": "authenticated", "sub": "ada", "odd": "it's \\ \\' $$ $pgduet$ \" é"}));
    let grace = of(json!({"role": "authenticated", "sub": "grace"}));
    reads(&ada);
    policies(&ada, &grace);
    writes(&ada);
    faults(&ada);
    grpc(&ada);

    nodes.kill(2);
    let answer = ada.send("GET", "/books?select=id", "", Value::Null);
    assert!(answer.status >= 400, "without a worker there are rows missing: {}", answer.text());
    nodes.open(2);
    until("the worker is back", || {
        (ada.send("GET", "/books?select=id", "", Value::Null).status == 200).then_some(())
    });
    assert_eq!(ada.get("/loans?select=id&order=id&id=lt.3"), json!([{"id": 1}, {"id": 2}]));
    assert_eq!(
        ada.rows("PATCH", "/books?author_id=eq.1&id=eq.2&select=pages", REPRESENTATION, json!({"pages": 1})),
        json!([{"pages": 1}])
    );
}

fn reads(ada: &Member<'_>) {
    for (target, expected) in [
        (
            "/books?select=id,authors!inner(name)&id=eq.1",
            json!([{"id": 1, "authors": {"name": "Jane Austen"}}]),
        ),
        ("/books?select=id,authors(name)&id=eq.1", json!([{"id": 1, "authors": {"name": "Jane Austen"}}])),
        (
            "/books?select=id,authors!inner(name,books(id))&id=eq.5",
            json!([{"id": 5, "authors": {"name": "Jules Verne", "books": [{"id": 5}]}}]),
        ),
        ("/books?select=id,...authors!inner(name)&id=eq.5", json!([{"id": 5, "name": "Jules Verne"}])),
        ("/books?select=id,genres!inner(note)&id=eq.5", json!([{"id": 5, "genres": {"note": "n"}}])),
        ("/authors?select=id,books!inner(id)&id=eq.3", json!([{"id": 3, "books": [{"id": 5}]}])),
        ("/books?select=count()", json!([{"count": 6}])),
    ] {
        assert_eq!(ada.get(target), expected, "{target}");
    }
    let token = format!("Bearer {}", ada.token);
    let stripped = [("Accept", "application/vnd.pgrst.array+json;nulls=stripped"), ("Authorization", &token)];
    for _ in 0..10 {
        let answer = send(ada.server.address(), "GET", "/books?select=id,notes&order=id", &stripped, None);
        let rows: Value = serde_json::from_slice(&answer.body).unwrap();
        let expected: Vec<_> = (1..=6).map(|id| json!({"id": id})).collect();
        assert_eq!(rows, json!(expected), "the order is about all rows");
    }
}

fn policies(ada: &Member<'_>, grace: &Member<'_>) {
    for _ in 0..5 {
        let members = "/loans?select=id,member&order=id";
        assert_eq!(ada.get(members), json!([{"id": 1, "member": "ada"}, {"id": 2, "member": "ada"}]));
        assert_eq!(grace.get(members), json!([{"id": 3, "member": "grace"}]));
    }
    let all = |member: &Member<'_>| {
        member.rows("PATCH", "/loans?id=gt.0&select=id", REPRESENTATION, json!({"due_on": "2030-01-01"}))
    };
    assert_eq!((all(ada).as_array().unwrap().len(), all(grace).as_array().unwrap().len()), (2, 1));
    let lent = grace.send("POST", "/loans", "", json!({"author_id": 1, "book_id": 1, "member": "ada"}));
    assert_eq!((lent.status, lent.code().as_deref()), (403, Some("42501")));
}

fn writes(ada: &Member<'_>) {
    let book = |id: i32, title: &str| json!({"author_id": 1, "id": id, "title": title, "genre": "novel", "published": 1900});
    let full = "return=representation,resolution=merge-duplicates";
    for (method, target, prefer, body, status, expected) in [
        (
            "POST",
            "/books?select=id,title",
            REPRESENTATION,
            book(200, "a"),
            201,
            json!([{"id": 200, "title": "a"}]),
        ),
        (
            "POST",
            "/books?select=id,tags,notes",
            REPRESENTATION,
            json!({"author_id": 1, "id": 201, "title": "é", "genre": "novel", "published": 1, "tags": ["x"], "notes": {"a": [1]}}),
            201,
            json!([{"id": 201, "tags": ["x"], "notes": {"a": [1]}}]),
        ),
        ("POST", "/books?select=title", full, book(200, "b"), 200, json!([{"title": "b"}])),
        (
            "POST",
            "/books?select=title",
            full,
            json!([book(200, "c"), book(202, "c")]),
            201,
            json!([{"title": "c"}, {"title": "c"}]),
        ),
        (
            "PUT",
            "/books?author_id=eq.1&id=eq.203&select=title",
            REPRESENTATION,
            book(203, "d"),
            201,
            json!([{"title": "d"}]),
        ),
        (
            "PUT",
            "/books?author_id=eq.1&id=eq.203&select=title",
            REPRESENTATION,
            book(203, "e"),
            200,
            json!([{"title": "e"}]),
        ),
        (
            "PATCH",
            "/books?id=eq.203&select=title,pages",
            REPRESENTATION,
            json!({"title": "f", "pages": 3}),
            200,
            json!([{"title": "f", "pages": 3}]),
        ),
        (
            "PATCH",
            "/books?id=eq.203&select=tags",
            REPRESENTATION,
            json!({"tags": ["y"]}),
            200,
            json!([{"tags": ["y"]}]),
        ),
        (
            "PATCH",
            "/genres?genre=eq.poetry",
            REPRESENTATION,
            json!({"note": "p"}),
            200,
            json!([{"genre": "poetry", "note": "p"}]),
        ),
        (
            "POST",
            "/books?select=id,authors(name)",
            REPRESENTATION,
            book(204, "g"),
            201,
            json!([{"id": 204, "authors": {"name": "Jane Austen"}}]),
        ),
        (
            "PATCH",
            "/authors?id=eq.3&select=born,books(id)",
            REPRESENTATION,
            json!({"born": 1}),
            200,
            json!([{"born": 1, "books": [{"id": 5}]}]),
        ),
        (
            "POST",
            "/authors?select=name,books(id)",
            REPRESENTATION,
            json!({"name": "New"}),
            201,
            json!([{"name": "New", "books": []}]),
        ),
        (
            "DELETE",
            "/books?author_id=eq.1&id=gt.199&id=neq.200&select=authors(id)&id=eq.204",
            REPRESENTATION,
            Value::Null,
            200,
            json!([{"authors": {"id": 1}}]),
        ),
        (
            "POST",
            "/shops",
            REPRESENTATION,
            json!({"id": 1, "name": "s"}),
            201,
            json!([{"id": 1, "name": "s"}]),
        ),
    ] {
        let answer = ada.send(method, target, prefer, body);
        let found: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &found), (status, &expected), "{method} {target}");
    }
    let made = ada.send("POST", "/books", "return=headers-only", book(205, "h"));
    assert_eq!(made.header("location").as_deref(), Some("/books?id=eq.205&author_id=eq.1"));
}

fn faults(ada: &Member<'_>) {
    let book = |author: Value, id: i32, title: &str| json!({"author_id": author, "id": id, "title": title, "genre": "novel", "published": 1900});
    for (prefer, body, status, code) in [
        ("", book(json!(1), 1, "a"), 409, "23505"),
        (REPRESENTATION, book(json!(1), 1, "a"), 409, "23505"),
        ("", json!([book(json!(1), 1, "a"), book(json!(2), 900, "a")]), 409, "23505"),
        ("", book(json!(999), 1, "a"), 409, "23503"),
        ("", json!([book(json!(999), 1, "a"), book(json!(998), 1, "a")]), 409, "23503"),
        ("", book(json!(1), 901, ""), 400, "23514"),
        ("", json!([book(json!(1), 901, ""), book(json!(2), 901, "")]), 400, "23514"),
        ("", book(Value::Null, 902, "a"), 400, "22004"),
    ] {
        let answer = ada.send("POST", "/books", prefer, body);
        assert_eq!((answer.status, answer.code().as_deref()), (status, Some(code)), "{}", answer.text());
    }
    let answer = ada.send("DELETE", "/authors?id=eq.1", "", Value::Null);
    assert_eq!((answer.status, answer.code().as_deref()), (409, Some("23503")));
}

fn grpc(ada: &Member<'_>) {
    let listed = ada.call(
        "BooksService/ListBooks",
        json!({"order_by": "id", "page_size": 2, "read_mask": "id,author.name"}),
    );
    let book = |id: &str| json!({"id": id, "author": {"name": "Jane Austen"}});
    assert_eq!(listed["books"], json!([book("1"), book("2")]), "{listed}");
    let many = ada.call(
        "AuthorsService/ListAuthors",
        json!({"order_by": "id", "page_size": 1, "filter": "id=eq.4", "read_mask": "id,books.id,books.author.name"}),
    );
    let author = json!({"id": "4", "books": [{"id": "6", "author": {"name": "Emily Dickinson"}}]});
    assert_eq!(many["authors"], json!([author]), "{many}");
    let loans = ada.call("LoansService/ListLoans", json!({"order_by": "id", "read_mask": "id"}));
    assert_eq!(loans["loans"], json!([{"id": "1"}, {"id": "2"}]), "{loans}");
    let book =
        json!({"author_id": 1, "id": 300, "title": "t", "genre": "GENRE_ENUM_NOVEL", "published": 1900});
    let created =
        ada.call("BooksService/CreateBook", json!({"book": book, "read_mask": "id,tags,author.name"}));
    assert_eq!(created["book"], json!({"id": "300", "author": {"name": "Jane Austen"}}), "{created}");
    let again = ada.call("BooksService/CreateBook", json!({"book": book}));
    assert_eq!(again["code"], "already_exists", "{again}");
    let update = json!({"book": {"author_id": 1, "id": 300, "title": "u"}, "update_mask": "title", "read_mask": "title,author.name"});
    let updated = ada.call("BooksService/UpdateBook", update);
    assert_eq!(updated["book"], json!({"title": "u", "author": {"name": "Jane Austen"}}), "{updated}");
}
