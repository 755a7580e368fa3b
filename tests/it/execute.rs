//! What must hold of a unit, whatever the driver: each test is one rule.

mod cancel;
mod encoders;
mod errors;
mod proxy;
mod session;
mod startup;
mod statements;
mod tls;
mod transaction;
mod turns;
mod workers;

use crate::support::database::Database;
use bytes::Bytes;
use pgduet::{
    config::Connection,
    error::{Error, Result},
    execute::{
        Access, Body, End, Expectation, Form, Isolation, Options, Pool, Positions, Preparation, Report,
        ResponseSettings, Unit,
    },
    memory::Memory,
    outcome::{Pace, Row, Sink},
    sql::{Encoder, Fragment, Layout, Statement},
};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    num::NonZeroUsize,
    time::{Duration, Instant},
};
use tokio_postgres::Client;

/// One connection, so that each unit follows the one before on the same.
fn options() -> Options {
    Options {
        size: NonZeroUsize::MIN,
        acquisition_timeout: Duration::from_secs(60),
        max_idle: Duration::from_secs(600),
        max_lifetime: Duration::from_secs(3600),
        query_timeout: None,
        preparation: Preparation::Cached(NonZeroUsize::new(16).unwrap()),
        positions: Positions::Untold,
    }
}

fn pool_of(uri: &str, options: Options) -> Pool {
    let (target, _) = Connection::parse(uri, &BTreeMap::new()).unwrap();
    Pool::new(&target, options, std::sync::Arc::default()).unwrap()
}

fn pool(database: &Database) -> Pool {
    pool_of(&database.uri("authenticator"), options())
}

fn fragment(sql: &'static str) -> Fragment {
    let mut fragment = Fragment::new();
    fragment.sql(sql);
    fragment
}

/// A statement whose rows become what `layout` says.
fn unit(fragment: Fragment, layout: Layout) -> Unit<'static> {
    Unit {
        settings: settings(&[("role", "anonymous")]),
        access: Access::ReadWrite,
        isolation: Isolation::ReadCommitted,
        pre_request: None,
        statement: Cow::Owned(Statement { fragment, layout, facts: Vec::new() }),
        looking: None,
        count: None,
        literals: Cow::default(),
        response_settings: ResponseSettings::Unset,
        expectation: Expectation::Any,
        end: End::Commit,
        seen: None,
        deadline: None,
        memory: Memory::new(usize::MAX),
    }
}

/// A statement that gives one text column.
fn show(sql: &'static str) -> Unit<'static> {
    unit(fragment(sql), Layout::Scalar(Encoder::Text))
}

/// A statement that gives nothing.
fn act(sql: &'static str) -> Unit<'static> {
    unit(fragment(sql), Layout::Nothing)
}

fn settings(pairs: &[(&'static str, &str)]) -> Vec<(Cow<'static, str>, Bytes)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).to_owned().into())).collect()
}

async fn run(pool: &Pool, unit: Unit<'_>) -> Result<(String, Report)> {
    let form = Form::of(&unit.statement.layout);
    let mut body = Body::new(&form, unit.lease());
    let report = pool.run(&unit, &mut body).await?;
    Ok((String::from_utf8(body.finish().to_vec()).unwrap(), report))
}

/// The body of a unit that succeeds.
async fn body(pool: &Pool, unit: Unit<'_>) -> String {
    run(pool, unit).await.unwrap().0
}

/// The SQLSTATE or PGRST code that a unit fails with.
async fn code(pool: &Pool, unit: Unit<'_>) -> String {
    run(pool, unit).await.map(|(body, _)| body).unwrap_err().code().to_owned()
}

/// Counts rows.
#[derive(Default)]
struct Counter(u64);

impl Sink for Counter {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, _: &dyn Row) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
}

/// Takes no row.
struct Refusal;

impl Sink for Refusal {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, _: &dyn Row) -> Result<()> {
        Err(Error::new(pgduet::error::Fault::ValueOutOfRange, "refused"))
    }
}

/// Waits until a query gives true.
async fn until(client: &Client, condition: &str) {
    let start = Instant::now();
    while !client.query_one(condition, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(start.elapsed() < Duration::from_secs(60), "it never comes true: {condition}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What a superuser's query gives.
async fn seen<T: for<'r> tokio_postgres::types::FromSql<'r>>(client: &Client, sql: &str) -> T {
    client.query_one(sql, &[]).await.unwrap().get(0)
}
