//! Statements as `plan` and `sql` make them, run by PostgreSQL: what they
//! answer, beside what PostgreSQL itself says of the same question.

mod call;
mod media;
mod mutate;
mod read;
mod snapshot;
mod transaction;

use crate::support::database::Database;
use pgduet::{
    catalog::{Catalog, introspect::introspect},
    config::{Config, Sources},
    error::Result,
    media::{MediaType, Nulls},
    plan::{self, Plan},
    request::{
        Accept, Action, Context, Query, Request,
        literal::Number,
        parse,
        prefer::Preferences,
        range::{EmbedRange, Range},
    },
    sql::{self, Encoder, Fact, Layout, Statement},
};
use serde_json::Value;
use std::error::Error;
use tokio::runtime::Runtime;
use tokio_postgres::{
    Client, Row,
    types::{Format, FromSql, IsNull, ToSql, Type, private::BytesMut},
};

/// A database with the fixture, its catalog, and a connection.
pub(super) struct Bench {
    runtime: Runtime,
    client: Client,
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
    pub(super) rows: usize,
    pub(super) facts: Vec<(Fact, Option<String>)>,
}

/// A value in PostgreSQL's text format, of whatever type it infers.
#[derive(Debug)]
struct Text<'v>(&'v sql::Value);

impl ToSql for Text<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(value) = self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(value);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    tokio_postgres::types::to_sql_checked!();
}

/// The bytes of a value, of whatever type.
struct Raw(Vec<u8>);

impl FromSql<'_> for Raw {
    fn from_sql(_: &Type, raw: &[u8]) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    /// With these options set.
    pub(super) fn with(options: &[(&str, &str)]) -> Self {
        let database = Database::fresh(include_str!("../fixtures/plan.sql"));
        let runtime = Runtime::new().unwrap();
        let (client, catalog) = runtime.block_on(async {
            let mut client = database.client().await;
            let descriptor = introspect(&mut client, &["api".to_owned()], &[]).await.unwrap();
            client.batch_execute("SET search_path = api; SET timezone = 'UTC'").await.unwrap();
            (client, Catalog::new(descriptor))
        });
        let environment =
            options.iter().map(|(name, value)| (format!("PGRST_{name}"), (*value).to_owned())).collect();
        let mut sources = Sources::default();
        sources.environment = environment;
        let (config, _) = Config::load(&sources).unwrap();
        Self { runtime, client, catalog, config, _database: database }
    }

    /// Plans and runs a request.
    pub(super) fn run(&self, request: Request) -> Result<Answer> {
        let (shape, literals, _) = request.split();
        let plan = plan::plan(shape, &self.catalog, &self.config, &[])?;
        let statement = sql::statement(&plan);
        let values = statement.fragment.values(&literals);
        let parameters: Vec<_> = values.iter().map(Text).collect();
        let parameters: Vec<_> = parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let text = statement.fragment.as_str();
        let rows = self.runtime.block_on(self.client.query(text, &parameters));
        let rows = rows.unwrap_or_else(|error| {
            let reason = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
            panic!("{reason}\n{text}\n{parameters:?}")
        });
        if let Some(sql::Count::Planned(explain) | sql::Count::Estimated { planned: explain, .. }) =
            sql::count(&plan)
        {
            let values = explain.values(&literals);
            let parameters: Vec<_> = values.iter().map(Text).collect();
            let parameters: Vec<_> = parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
            self.runtime.block_on(self.client.query(explain.as_str(), &parameters)).unwrap();
        }
        Ok(answer(&statement, &values, &rows))
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

fn number(text: &str) -> Option<Number> {
    text.parse::<u64>().ok().map(Number::from)
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
            "limit" if path.is_empty() => query.range.limit = number(value),
            "offset" if path.is_empty() => query.range.offset = number(value).unwrap(),
            "limit" => {
                let range = Range { limit: number(value), offset: Number::default() };
                query.ranges.push((path, EmbedRange::Rows(range)));
            }
            "and" | "or" => query.logic.push(parse::logic(key, value).unwrap()),
            _ => query.filters.push(parse::filter(key, value).unwrap()),
        }
    }
    query
}

fn answer(statement: &Statement, values: &[sql::Value], rows: &[Row]) -> Answer {
    let facts = statement.facts.len();
    let is_data = |row: &&Row| {
        let first = row.len() - facts;
        statement.facts.first() != Some(&Fact::Present)
            || row.try_get::<_, Option<bool>>(first).unwrap().is_some()
    };
    let data: Vec<_> = rows.iter().filter(is_data).collect();
    let bytes = |row: &Row| match row.try_get::<_, Option<Raw>>(0).unwrap() {
        Some(Raw(bytes)) => String::from_utf8(bytes).unwrap(),
        None => String::new(),
    };
    let text = |row: &Row, at: usize| row.try_get::<_, Option<String>>(at).unwrap();
    let value = |encoder: Encoder, row: &Row, at: usize| match (encoder, text(row, at)) {
        (_, None) => "null".to_owned(),
        (Encoder::Verbatim, Some(text)) => text,
        (Encoder::Number, Some(text)) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => text,
            _ => Value::String(text).to_string(),
        },
        (Encoder::Text, Some(text)) => Value::String(text).to_string(),
    };
    let object = |row: &Row, columns: &[sql::Column]| {
        let pairs = columns.iter().enumerate().map(|(at, column)| {
            format!("{}:{}", Value::String(column.name.clone()), value(column.encoder, row, at))
        });
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    };
    let list = |items: Vec<String>| format!("[{}]", items.join(", \n "));
    let body = match &statement.layout {
        Layout::Array(columns) => list(data.iter().map(|row| object(row, columns)).collect()),
        Layout::Object(columns) => data.first().map(|row| object(row, columns)).unwrap_or_default(),
        Layout::Scalars { encoder, .. } => list(data.iter().map(|row| value(*encoder, row, 0)).collect()),
        Layout::Scalar(encoder) => data.first().map(|row| value(*encoder, row, 0)).unwrap_or_default(),
        Layout::Csv(names) => {
            let lines = data.iter().map(|row| text(row, 0).unwrap());
            std::iter::once(names.join(",")).chain(lines).collect::<Vec<_>>().join("\n")
        }
        Layout::Lines => data.iter().map(|row| text(row, 0).unwrap() + "\n").collect(),
        Layout::Body => data.first().map(|row| bytes(row)).unwrap_or_default(),
        Layout::Columns | Layout::Nothing => String::new(),
    };
    let fact = |at: usize| {
        let row = rows.last()?;
        let at = row.len() - facts + at;
        match *row.columns()[at].type_() {
            Type::INT8 => row.get::<_, Option<i64>>(at).map(|n| n.to_string()),
            Type::INT4 => row.get::<_, Option<i32>>(at).map(|n| n.to_string()),
            Type::BOOL => row.get::<_, Option<bool>>(at).map(|b| b.to_string()),
            _ => row.get::<_, Option<String>>(at),
        }
    };
    let facts = statement.facts.iter().enumerate().map(|(at, name)| (name.clone(), fact(at))).collect();
    let parameters = values.iter().map(|value| match value {
        Some(value) => String::from_utf8_lossy(value).into_owned(),
        None => "NULL".to_owned(),
    });
    let parameters = parameters.collect();
    Answer { sql: statement.fragment.as_str().to_owned(), parameters, body, rows: data.len(), facts }
}

/// The statement for rows that are not an array.
pub(super) fn accepting(mut request: Request, media: MediaType) -> Request {
    request.accept = Accept::Media(vec![media]);
    request
}

pub(super) const STRIPPED: MediaType = MediaType::Object(Nulls::Stripped);
