//! What must hold of a unit, whatever the driver: each test is one rule.

use crate::support::database::Database;
use pgduet::{
    config::Connection,
    error::Error,
    execute::{
        Access, Body, End, Expectation, Isolation, Options, Pool, Preparation, Report, ResponseSettings, Unit,
    },
    media::Nulls,
    sql::{Column, Encoder, Fragment, Layout, Statement},
};
use std::{collections::BTreeMap, num::NonZeroUsize, time::Duration};

fn options() -> Options {
    Options {
        size: NonZeroUsize::MIN,
        acquisition_timeout: Duration::from_secs(60),
        max_idle: Duration::from_secs(600),
        max_lifetime: Duration::from_secs(3600),
        preparation: Preparation::Cached(NonZeroUsize::new(16).unwrap()),
    }
}

fn pool_of(database: &Database, options: Options) -> Pool {
    let (target, _) = Connection::parse(&database.uri("authenticator"), &BTreeMap::new()).unwrap();
    Pool::new(&target, options).unwrap()
}

/// One connection, so that each unit follows the one before on the same.
fn pool(database: &Database) -> Pool {
    pool_of(database, options())
}

/// A statement whose columns are these, by name and encoder.
fn select(sql: &'static str, columns: &[(&str, Encoder)]) -> Unit {
    let columns =
        columns.iter().map(|(name, encoder)| Column { name: (*name).to_owned(), encoder: *encoder });
    let mut fragment = Fragment::new();
    fragment.sql(sql);
    unit(Statement { fragment, layout: Layout::Array(columns.collect()), facts: Vec::new() })
}

/// A statement that gives one text column, `v`.
fn show(sql: &'static str) -> Unit {
    select(sql, &[("v", Encoder::Text)])
}

fn unit(statement: Statement) -> Unit {
    Unit {
        settings: setting(&[("role", "anonymous")]),
        access: Access::ReadWrite,
        isolation: Isolation::ReadCommitted,
        pre_request: None,
        statement,
        count: None,
        response_settings: ResponseSettings::Unset,
        expectation: Expectation::Any,
        end: End::Commit,
        deadline: None,
    }
}

fn setting(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn run(pool: &Pool, unit: Unit) -> Result<(String, Report), Box<Error>> {
    let mut body = Body::new(&unit.statement.layout, Nulls::Kept);
    let report = pool.run(unit, &mut body).await?;
    Ok((String::from_utf8(body.finish().to_vec()).unwrap(), report))
}

async fn body(pool: &Pool, unit: Unit) -> String {
    run(pool, unit).await.unwrap().0
}

/// The SQLSTATE or PGRST code that a unit fails with.
async fn code(pool: &Pool, unit: Unit) -> String {
    run(pool, unit).await.map(|(body, _)| body).unwrap_err().code().to_owned()
}

const TABLE: &str = "
    CREATE TABLE item (id int PRIMARY KEY, name text);
    INSERT INTO item VALUES (1, 'one'), (2, 'two \"quoted\"'), (3, NULL);
    GRANT ALL ON item TO anonymous, authenticated";

#[tokio::test]
async fn rows_become_one_json_array() {
    let database = Database::fresh(TABLE);
    let pool = pool(&database);
    for _ in 0..4 {
        let unit = select(
            "SELECT id::text, name FROM item ORDER BY id",
            &[("id", Encoder::Verbatim), ("name", Encoder::Text)],
        );
        let (body, report) = run(&pool, unit).await.unwrap();
        assert_eq!(
            body,
            "[{\"id\":1,\"name\":\"one\"}, \n {\"id\":2,\"name\":\"two \\\"quoted\\\"\"}, \n {\"id\":3,\"name\":null}]"
        );
        assert_eq!(report.rows, 3);
    }
}
