//! The equivalence check: before any time is taken, every subject has to give the answer that the SQL gives.

use anyhow::{Context, ensure};
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    cases::{Case, GrpcAnswer, RestAnswer},
    database::Database,
    exchange::{Connection, message},
    grpc, rest,
};

/// How many keys of each case are tried.
const KEYS: u32 = 3;

/// The rows that the SQL of a case gives, as PostgreSQL's own JSON.
async fn expected(database: &Database, case: &Case, key: u32) -> anyhow::Result<Value> {
    let sql = case.sql_for(key);
    let rows = format!("WITH answer AS ({sql}) SELECT coalesce(json_agg(answer), '[]')::text FROM answer");
    let rows: Value = serde_json::from_str(&database.text_as(case.caller, &rows).await?)?;
    ensure!(rows != json!([]), "{}: there is no row for key {key}", case.title);
    Ok(rows)
}

/// A REST API gives the same JSON, with the keys in the same order.
pub(crate) async fn rest(database: &Database, api: &rest::Api, case: &Case) -> anyhow::Result<()> {
    let mut connection = Connection::open(&api.endpoint).await?;
    for key in case.sample_keys(KEYS) {
        let (head, body) = connection.send(&api.call(case, key)?).await?.into_parts();
        let answer: Value = serde_json::from_slice(&body.to_bytes())?;
        let rows = match case.rest.answer {
            RestAnswer::Rows => answer,
            RestAnswer::Counted => with_total(answer, &total(&head.headers)?),
            RestAnswer::Value => json!([{ "value": answer }]),
        };
        // As text, because maps are equal whatever the order of their keys.
        let (rows, expected) = (rows.to_string(), expected(database, case, key).await?.to_string());
        ensure!(
            rows == expected,
            "{} over REST, key {key}: the answer is\n{rows}\nand the SQL gives\n{expected}",
            case.title
        );
    }
    Ok(())
}

/// A gRPC API gives the same values, in protobuf's forms.
pub(crate) async fn grpc(database: &Database, api: &grpc::Api, case: &Case) -> anyhow::Result<()> {
    let mut connection = Connection::open(&api.endpoint).await?;
    for key in case.sample_keys(KEYS) {
        let answer = message(connection.send(&api.call(case, key)?).await?)?;
        let mut answer = api.decode(case, answer)?;
        let rows = match case.grpc.answer {
            GrpcAnswer::Row(field) => json!([answer[field].take()]),
            GrpcAnswer::Rows(field) => answer[field].take(),
            GrpcAnswer::Counted(field) => {
                let rows = answer[field].take();
                with_total(rows, &answer["total_size"])
            }
            GrpcAnswer::Itself => json!([answer]),
        };
        let expected = expected(database, case, key).await?;
        ensure!(
            agrees(&rows, &expected),
            "{} over gRPC, key {key}: the answer is\n{rows}\nand the SQL gives\n{expected}",
            case.title
        );
    }
    Ok(())
}

/// The number of all rows in `Content-Range: 0-19/100`.
fn total(headers: &HeaderMap) -> anyhow::Result<Value> {
    let range = headers.get(header::CONTENT_RANGE).context("there is no Content-Range")?.to_str()?;
    let (_, total) = range.split_once('/').with_context(|| format!("Content-Range is {range}"))?;
    Ok(serde_json::from_str(total)?)
}

/// Rows with the number of all rows as their last column.
fn with_total(mut rows: Value, total: &Value) -> Value {
    for row in rows.as_array_mut().into_iter().flatten() {
        row["total"] = total.clone();
    }
    rows
}

/// Whether protobuf's JSON form of a value means the same as PostgreSQL's JSON.
///
/// Protobuf leaves out what is NULL or an empty list, writes 64-bit integers and `numeric` as strings, instants in UTC,
/// and JSON columns as strings with JSON in them.
pub(crate) fn agrees(protobuf: &Value, json: &Value) -> bool {
    match (protobuf, json) {
        (Value::Object(fields), Value::Object(columns)) => {
            columns.iter().all(|(name, column)| match fields.get(name) {
                Some(field) => agrees(field, column),
                None => column.is_null() || *column == json!([]),
            }) && fields.keys().all(|name| columns.contains_key(name))
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| agrees(left, right))
        }
        (Value::String(left), Value::String(right)) => left == right || same_instant(left, right),
        (Value::String(text), Value::Number(number)) => text.parse().ok() == number.as_f64(),
        (Value::String(text), Value::Object(_) | Value::Array(_)) => {
            serde_json::from_str::<Value>(text).is_ok_and(|inner| inner == *json)
        }
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (left, right) => left == right,
    }
}

fn same_instant(left: &str, right: &str) -> bool {
    let instants = [left, right].map(|text| text.parse::<Timestamp>().ok());
    instants[0].is_some() && instants[0] == instants[1]
}
