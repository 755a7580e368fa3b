//! Statements as `plan` and `sql` make them, run by PostgreSQL: what they
//! answer, beside what PostgreSQL itself says of the same question.

mod call;
mod distributed;
mod media;
mod mutate;
mod read;
mod snapshot;
mod transaction;

use crate::support::database::Database;
use pgduet::{
    catalog::{
        Catalog, descriptor,
        introspect::{Exposed, introspect},
    },
    config::{Config, Connection, Sources},
    error::{Error, Result},
    execute::{Access, Body, End, Expectation, Form, Isolation, Options, Pool, ResponseSettings, Unit},
    media::{MediaType, Nulls},
    memory::Memory,
    plan::{self, Plan},
    request::{
        Accept, Action, Context, Query, Request,
        literal::Number,
        parse,
        prefer::Preferences,
        range::{EmbedRange, Range},
    },
    sql::{self, Fact},
};
use std::{borrow::Cow, collections::BTreeMap};
use tokio::runtime::Runtime;
use tokio_postgres::Client;

/// A database with the fixture, its catalog, and a connection.
pub(super) struct Bench {
    runtime: Runtime,
    client: Client,
    pool: Pool,
    catalog: Catalog,
    config: Config,
    _database: Database,
}

/// What a statement gave.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) sql: String,
    pub(super) parameters: Vec<String>,
    pub(super) body: String,
    pub(super) rows: u64,
    pub(super) facts: Vec<(Fact, Option<String>)>,
    /// The rows that say that they were inserted.
    pub(super) inserted: u64,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    /// With these options set.
    pub(super) fn with(options: &[(&str, &str)]) -> Self {
        Self::of(options, |_| ())
    }

    /// With the statements that Citus is sent where it keeps all tables. PostgreSQL runs them as well.
    pub(super) fn distributed() -> Self {
        Self::of(&[("DB_AGGREGATES_ENABLED", "true")], |descriptor| {
            descriptor.has_citus = true;
            let tables = descriptor.relations.iter_mut();
            for table in tables.filter(|found| found.kind() == descriptor::RelationKind::Table) {
                table.is_distributed = true;
            }
        })
    }

    fn of(options: &[(&str, &str)], change: impl FnOnce(&mut descriptor::Database)) -> Self {
        let database = Database::fresh(include_str!("../fixtures/plan.sql"));
        let runtime = Runtime::new().unwrap();
        let (client, catalog) = runtime.block_on(async {
            let mut client = database.client().await;
            let exposed = Exposed { schemas: vec!["api".to_owned()], extra_search_path: Vec::new() };
            let mut descriptor = introspect(&mut client, &exposed, None).await.unwrap().database;
            change(&mut descriptor);
            client.batch_execute("SET search_path = api; SET timezone = 'UTC'").await.unwrap();
            (client, Catalog::new(descriptor))
        });
        let environment =
            options.iter().map(|(name, value)| (format!("PGRST_{name}"), (*value).to_owned())).collect();
        let mut sources = Sources::default();
        sources.environment = environment;
        let (config, _) = Config::load(&sources).unwrap();
        let (target, _) = Connection::parse(&database.superuser_uri(), &BTreeMap::new()).unwrap();
        let pool = Pool::new(&target, Options::from(&config), std::sync::Arc::default()).unwrap();
        Self { runtime, client, pool, catalog, config, _database: database }
    }

    /// Plans and runs a request.
    pub(super) fn run(&self, request: Request) -> Result<Answer> {
        Ok(self.tried(request)?.unwrap_or_else(|(error, sql)| panic!("{error}\n{sql}")))
    }

    /// The SQLSTATE that a request fails with.
    pub(super) fn fails(&self, request: Request) -> String {
        self.tried(request).unwrap().map(|answer| answer.body).unwrap_err().0.code().to_owned()
    }

    /// Plans and runs a request; PostgreSQL may refuse it.
    fn tried(&self, request: Request) -> Result<std::result::Result<Answer, (Box<Error>, String)>> {
        let (shape, literals, _) = request.split();
        let plan = plan::plan(shape, &self.catalog, &self.config, &[])?;
        let statement = sql::statement(&plan);
        let count = sql::count(&plan);
        let form = Form::of(&statement.layout);
        let unit = Unit {
            settings: vec![("search_path".into(), "api".into()), ("timezone".into(), "UTC".into())],
            access: Access::ReadWrite,
            isolation: Isolation::default(),
            pre_request: None,
            statement: Cow::Borrowed(&statement),
            looking: None,
            count: count.as_ref().map(Cow::Borrowed),
            literals: Cow::Borrowed(&literals),
            response_settings: ResponseSettings::Unset,
            expectation: Expectation::Any,
            end: End::Commit,
            seen: None,
            deadline: None,
            memory: Memory::new(usize::MAX).request(),
        };
        let mut body = Body::new(&form, unit.lease());
        let (text, values) = (statement.fragment.as_str(), statement.fragment.values(&literals));
        let report = self.runtime.block_on(self.pool.run(&unit, &mut body));
        let report = match report {
            Ok(report) => report,
            Err(error) => return Ok(Err((error, format!("{text}\n{values:?}")))),
        };
        let value = |value: sql::Value| value.map(|value| String::from_utf8_lossy(&value).into_owned());
        Ok(Ok(Answer {
            sql: text.to_owned(),
            parameters: values.into_iter().filter_map(value).collect(),
            body: String::from_utf8(body.finish().to_vec()).unwrap(),
            rows: report.rows,
            inserted: report.inserted,
            facts: statement.facts.iter().cloned().zip(report.facts).collect(),
        }))
    }

    /// Plans a request of a role with these settings.
    pub(super) fn plan_as(
        &self,
        request: Request,
        settings: &[(String, String)],
        see: impl FnOnce(&Plan<'_>),
    ) {
        let (shape, ..) = request.split();
        see(&plan::plan(shape, &self.catalog, &self.config, settings).unwrap());
    }

    /// Plans a request.
    pub(super) fn plan(&self, request: Request, see: impl FnOnce(&Plan<'_>)) {
        self.plan_as(request, &[], see);
    }

    /// The answer to a GET of `relation`.
    pub(super) fn get(&self, relation: &str, query: &str) -> Answer {
        self.run(read(relation, query)).unwrap_or_else(|error| panic!("{query}: {error} {error:?}"))
    }

    /// What PostgreSQL says.
    pub(super) fn ask(&self, sql: &str) -> String {
        self.runtime.block_on(self.client.query_one(sql, &[])).unwrap().get(0)
    }
}

/// A GET of `relation`.
pub(super) fn read(relation: &str, query: &str) -> Request {
    let mut request = Request {
        schema: "api".to_owned(),
        action: Action::Read { relation: relation.to_owned() },
        query: Query::default(),
        preferences: Preferences::default(),
        accept: Accept::Media(vec![MediaType::Json]),
        context: Context::default(),
        deadline: None,
    };
    request.query = parsed(query);
    request
}

/// A query string without the percent signs.
pub(super) fn parsed(text: &str) -> Query {
    let mut query = Query { select: parse::select("*").unwrap(), ..Query::default() };
    for (key, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
        let words: Vec<_> = key.split('.').collect();
        let (last, path) = words.split_last().unwrap();
        let path: Vec<_> = path.iter().map(|&name| name.to_owned()).filter(|name| name != "not").collect();
        match *last {
            "select" => query.select = parse::select(value).unwrap(),
            "order" => query.order.push((path, parse::order(value).unwrap())),
            "limit" if path.is_empty() => query.range.limit = value.parse().ok(),
            "offset" if path.is_empty() => query.range.offset = value.parse::<u64>().unwrap().into(),
            "limit" => {
                let range = Range { limit: value.parse().ok(), offset: Number::default() };
                query.ranges.push((path, EmbedRange::Rows(range)));
            }
            "and" | "or" => query.logic.push(parse::logic(key, value).unwrap()),
            _ => query.filters.push(parse::filter(key, value).unwrap()),
        }
    }
    query
}

/// The statement for rows that are not an array.
pub(super) fn accepting(mut request: Request, media: MediaType) -> Request {
    request.accept = Accept::Media(vec![media]);
    request
}

pub(super) const STRIPPED: MediaType = MediaType::Object(Nulls::Stripped);
