//! The sample of `pgduet demo`: what it holds, and that it is loaded once.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use pgduet::demo::{self, Demo, Source};
use tokio_postgres::{Client, NoTls};

use crate::support::{database::Database, http::send, server::Server};
use std::process::Command;

/// The test's database as one that the demo is given.
pub(crate) fn given(database: &Database) -> Source {
    let uri = database.superuser_uri();
    Source::Given { database: Box::new(uri.parse().unwrap()), uri }
}

async fn prepare(database: &Database) -> Demo {
    demo::prepare(given(database)).await.unwrap()
}

async fn login(database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.uri("authenticator"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn every_table_view_column_and_function_of_the_sample_is_explained() {
    let database = Database::fresh("");
    prepare(&database).await;
    let bare = "
        SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'api'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0
          AND col_description(a.attrelid, a.attnum) IS NULL
        UNION ALL
        SELECT relname FROM pg_class
        WHERE relnamespace = 'api'::regnamespace AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL
        UNION ALL
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'api'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL";
    let rows = database.client().await.query(bare, &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), Vec::<String>::new());
}

#[tokio::test]
async fn a_member_sees_and_makes_only_loans_of_their_own() {
    let database = Database::fresh("");
    prepare(&database).await;
    let client = login(&database).await;
    client
        .batch_execute(r#"SET ROLE authenticated; SET "request.jwt.claims" = '{"sub": "grace"}'"#)
        .await
        .unwrap();
    let members = client.query("SELECT DISTINCT member FROM api.loans", &[]).await.unwrap();
    assert_eq!(members.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["grace"]);
    let own =
        client.query_one("INSERT INTO api.loans (book_id) VALUES (1) RETURNING member", &[]).await.unwrap();
    assert_eq!(own.get::<_, &str>(0), "grace");
    let other =
        client.execute("INSERT INTO api.loans (book_id, member) VALUES (2, 'ada')", &[]).await.unwrap_err();
    assert_eq!(other.code().unwrap().code(), "42501");
}

#[tokio::test]
async fn without_a_token_the_catalogue_is_read_and_loans_are_not() {
    let database = Database::fresh("");
    prepare(&database).await;
    let client = login(&database).await;
    client.batch_execute("SET ROLE anonymous").await.unwrap();
    let found = client.query("SELECT title FROM api.search_books('MOON')", &[]).await.unwrap();
    let titles: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    assert_eq!(titles, ["Around the Moon", "From the Earth to the Moon", "The First Men in the Moon"]);
    let available = client.query_one("SELECT count(*) FROM api.available_books", &[]).await.unwrap();
    assert_eq!(available.get::<_, i64>(0), 13);
    let refused = client.query("SELECT FROM api.loans", &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
}

#[tokio::test]
async fn what_was_changed_in_the_sample_survives_the_next_start() {
    let database = Database::fresh("");
    prepare(&database).await;
    database.execute("UPDATE api.books SET title = 'Frankenstein; or, The Modern Prometheus' WHERE id = 3");
    prepare(&database).await;
    let row =
        database.client().await.query_one("SELECT title FROM api.books WHERE id = 3", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "Frankenstein; or, The Modern Prometheus");
}

#[tokio::test]
async fn the_guide_has_three_lines_for_each_protocol_and_a_token_that_verifies() {
    let database = Database::fresh("");
    let demo = prepare(&database).await;
    let guide = demo::guide(&demo, "http://localhost:3000/");
    assert_eq!(
        guide.lines().filter(|line| line.trim().starts_with("curl 'http://localhost:3000/")).count(),
        3
    );
    assert_eq!(
        guide.lines().filter(|line| line.contains("grpcurl") && line.contains(" localhost:3000 ")).count(),
        3
    );
    assert!(guide.contains("http://localhost:3000/docs/\n"));

    let token = guide.lines().find_map(|line| line.trim().strip_prefix("TOKEN=")).unwrap();
    let key = DecodingKey::from_secret(demo::JWT_SECRET.as_bytes());
    let claims: serde_json::Value =
        jsonwebtoken::decode(token, &key, &Validation::new(Algorithm::HS256)).unwrap().claims;
    assert_eq!((claims["role"].as_str(), claims["sub"].as_str()), (Some("authenticated"), Some("ada")));
}

/// Whether the sample is in the database.
fn has_sample(database: &Database) -> bool {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = database.client().await;
        client.query_one("SELECT to_regclass('api.books') IS NOT NULL", &[]).await.unwrap().get(0)
    })
}

#[test]
fn the_sample_is_loaded_into_the_database_that_is_configured_and_into_no_other() {
    // What it is said by, from what counts most to what counts least.
    let ways = ["flag", "PGDUET_DB_URI", "PGRST_DB_URI", "file"];
    for way in 0..ways.len() {
        let (right, wrong) = (Database::fresh(""), Database::fresh(""));
        let file = std::env::temp_dir().join(format!("{}.conf", right.name()));
        let mut command = Command::new(crate::support::server::binary());
        command.env_clear().args(["demo", "--server-port", "0"]);
        for (at, name) in ways.iter().enumerate().skip(way) {
            let uri = if at == way { right.superuser_uri() } else { wrong.superuser_uri() };
            match *name {
                "flag" => command.args(["--db-uri", &uri]),
                "file" => {
                    std::fs::write(&file, format!("db-uri = \"{uri}\"\n")).unwrap();
                    command.arg(&file)
                }
                variable => command.env(variable, uri),
            };
        }
        let server = Server::run(command);
        assert_eq!(
            send(server.address(), "GET", "/books?select=id&id=eq.1", &[], None).text(),
            r#"[{"id":1}]"#
        );
        assert!(has_sample(&right) && !has_sample(&wrong), "{}", ways[way]);
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn a_schema_of_that_name_that_is_not_the_sample_is_left_alone() {
    let database = Database::fresh("CREATE SCHEMA api; CREATE TABLE api.theirs ()");
    let error = demo::prepare(given(&database)).await.unwrap_err();
    assert!(error.to_string().contains("schema \"api\" already exists"), "{error}");
    database.execute("SELECT FROM api.theirs");
}
