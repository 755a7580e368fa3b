//! Transactions in JSON: the envelope is read and written here, and each operation in it as the message of its method.

use super::{
    Refusal,
    codec::{Described, broken},
    invalid,
};
use crate::{
    engine::check_count,
    error::Caller,
    grpc::{
        Callable,
        names::default_json,
        services::gone,
        surface::{Operation, Package, REFERENCES},
        transaction::{Written, results},
    },
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use tonic::Status;

/// A request.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Request<'j> {
    #[serde(borrow)]
    operations: Option<Vec<BTreeMap<String, &'j RawValue>>>,
    #[serde(rename = "validateOnly", alias = "validate_only")]
    validates_only: Option<bool>,
}

/// A field that takes its value from an earlier answer.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Reference {
    field: String,
    from: i32,
    #[serde(rename = "fromField", alias = "from_field")]
    from_field: String,
}

/// A request as protobuf.
pub(super) fn request(described: &Described, package: usize, json: &[u8]) -> Result<Bytes, Refusal> {
    let wrong = |error: serde_json::Error| invalid(format!("The JSON is wrong: {error}"));
    let Request { operations, validates_only } = serde_json::from_slice(json).map_err(wrong)?;
    let operations = operations.unwrap_or_default();
    let found = package_of(described, package)?;
    let refused = |error: Box<crate::error::Error>| described.grpc.refusal(&error, Caller::Anonymous);
    check_count(operations.len()).map_err(refused)?;
    let mut written = Written::default();
    for (at, operation) in operations.into_iter().enumerate() {
        let mut references = Vec::new();
        let mut asked = None;
        for (name, json) in operation.into_iter().filter(|(_, json)| json.get() != "null") {
            if name == REFERENCES {
                references = serde_json::from_str(json.get()).map_err(wrong)?;
                continue;
            }
            let known = found.operations().named(&name);
            let known =
                known.ok_or_else(|| invalid(format!("operations[{at}]: there is no field {name}")))?;
            if asked.replace((known, json)).is_some() {
                return Err(invalid(format!("operations[{at}] has more than one request")).into());
            }
        }
        let Some((known, json)) = asked else {
            return Err(invalid(format!("operations[{at}] has no request")).into());
        };
        let json = Bytes::copy_from_slice(json.get().as_bytes());
        let message = operation_of(described, package, known)?.read(&json)?;
        let references = references
            .into_iter()
            .map(|Reference { field, from, from_field }| (field, from, from_field))
            .collect();
        written.operation(known.number, &message, references);
    }
    if validates_only == Some(true) {
        written.validates_only();
    }
    Ok(written.finish().into())
}

/// A response as JSON.
pub(super) fn response(described: &Described, package: usize, message: &[u8]) -> Result<Bytes, Status> {
    let found = package_of(described, package)?;
    let mut json = String::from("{\"results\":[");
    for (at, (number, response)) in results(message).map_err(|error| broken(&error))?.into_iter().enumerate()
    {
        let known =
            found.operations().numbered(number).ok_or_else(|| broken(&"an operation that there is not"))?;
        let text = operation_of(described, package, known)?.written(response)?;
        let text = std::str::from_utf8(&text).map_err(|error| broken(&error))?;
        let comma = if at > 0 { "," } else { "" };
        json.push_str(&format!("{comma}{{\"{}\":{text}}}", default_json(&known.name)));
    }
    json.push_str("]}");
    Ok(json.into())
}

fn package_of(described: &Described, package: usize) -> Result<&Package, Status> {
    let found = described.grpc.services.package(package);
    found.map(|(package, _)| package).ok_or_else(|| broken(&gone()))
}

/// The method that an operation is.
fn operation_of(described: &Described, package: usize, operation: &Operation) -> Result<Described, Status> {
    let found = described.grpc.services.operation(package, operation.target);
    let (method, _) = found.ok_or_else(|| broken(&gone()))?;
    Ok(Described { method: Callable::Catalog(method), ..described.clone() })
}
