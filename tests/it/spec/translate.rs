//! Cases over gRPC: a read of a relation as the List call that says the same, and its rows as REST would show them.
//! Aggregates are in `groups`.
//!
//! What cannot be said is left out: aliases, casts, paths into JSON, spreads, hints, limits without an order. The documented differences are undone: NULL and empty arrays are absent, what is
//! text in protobuf is a string, enum values have their labels' names with a prefix, embeds are called in the singular
//! or plural.

use super::{Case, groups};
use crate::support::{
    grpc::{Client, number},
    http::Answer,
};
use pgduet::request::urlencoded::{encode, pairs};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// How a case fared over gRPC.
pub(super) enum Outcome {
    /// It cannot be said there.
    Unsaid,
    /// The rows are equal.
    Equal,
    /// They are not: what came, and what should have.
    Different(String),
}

/// Runs the case over gRPC, where it can be said, and compares with what REST answered.
pub(super) fn run(case: &Case, answer: &Answer, client: &Client) -> Outcome {
    let target = case.request.strip_prefix("GET /").filter(|_| answer.status == 200 && case.row != "U23");
    if let Some(outcome) = target.and_then(|target| groups::run(target, answer, client)) {
        return outcome;
    }
    let Some(call) = Call::of(case, answer, client) else { return Outcome::Unsaid };
    let Ok(Value::Array(rows)) = serde_json::from_str(&answer.text()) else { return Outcome::Unsaid };
    let Some(wanted) = rows.iter().map(|row| expected(&call.message, row)).collect::<Option<Vec<_>>>() else {
        return Outcome::Unsaid;
    };
    let found = match client.call(&call.path, call.request.clone()) {
        Ok(found) => found,
        Err(status) => return Outcome::Different(format!("{}: {status}", call.request)),
    };
    let mut found = found[&call.rows].as_array().cloned().unwrap_or_default();
    found.iter_mut().for_each(|row| parse_json(&call.message, row));
    compared(&call.request, wanted, found)
}

/// What comes of a call whose rows should be these.
pub(super) fn compared(request: &Value, mut wanted: Vec<Value>, mut found: Vec<Value>) -> Outcome {
    if request.get("orderBy").is_none_or(|order| order == "") {
        // Any order is right.
        wanted.sort_by_key(Value::to_string);
        found.sort_by_key(Value::to_string);
    }
    match found == wanted {
        true => Outcome::Equal,
        false => {
            Outcome::Different(format!("{request}\n    {} over gRPC\n    {}", json!(found), json!(wanted)))
        }
    }
}

/// A List call.
struct Call {
    path: String,
    request: Value,
    /// The rows' message, and the response's field that has them.
    message: MessageDescriptor,
    rows: String,
}

impl Call {
    fn of(case: &Case, answer: &Answer, client: &Client) -> Option<Call> {
        let target = case.request.strip_prefix("GET /")?;
        let counts = |(name, value): (&String, &String)| name == "Prefer" && value.starts_with("count=");
        if !matches!(answer.status, 200 | 206) || !case.headers.iter().all(counts) {
            return None;
        }
        // What a domain is in JSON is REST's alone; messages have its base type.
        if case.row == "U23" {
            return None;
        }
        let (relation, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, message, rows) = list(client, relation)?;
        let mut request = Map::new();
        let mut filter = Vec::new();
        let mut embeds = Map::new();
        let mut pairs = pairs(query).ok()?;
        // What is said of embeds is added to those that are selected.
        pairs.sort_by_key(|(name, _)| name != "select");
        for (name, value) in pairs {
            let value = value?;
            match name.as_ref() {
                "select" => {
                    request
                        .insert("readMask".to_owned(), mask(&message, &value, &mut embeds)?.join(",").into());
                }
                // Messages are ordered by their own fields.
                "order" if value.contains('(') => return None,
                "order" => {
                    request.insert("orderBy".to_owned(), value.into());
                }
                "limit" => {
                    let limit = value.parse::<i32>().ok().filter(|limit| *limit > 0)?;
                    request.insert("pageSize".to_owned(), limit.into());
                }
                "offset" => {
                    request.insert("skip".to_owned(), value.parse::<i32>().ok()?.into());
                }
                "columns" | "on_conflict" => return None,
                name => {
                    let logic = ["and", "or", "not.and", "not.or"].contains(&name);
                    if let Some((path, key)) = name.rsplit_once('.').filter(|_| !logic) {
                        let path: Vec<&str> = path.split('.').collect();
                        of_embed(&mut embeds, &message, &path, key, &value)?;
                        continue;
                    }
                    filter.push(format!("{}={}", encode(name), encode(&value)));
                }
            }
        }
        if request.contains_key("pageSize") && !request.contains_key("orderBy") {
            return None;
        }
        request.insert("filter".to_owned(), filter.join("&").into());
        if !embeds.is_empty() {
            request.insert("embeds".to_owned(), embeds.into());
        }
        Some(Call { path, request: request.into(), message, rows })
    }
}

/// The List method of a relation, the message of its rows, and the field that has them.
pub(super) fn list(client: &Client, relation: &str) -> Option<(String, MessageDescriptor, String)> {
    let flat = relation.replace('_', "");
    let service = client.services().find(|name| name.to_lowercase() == format!("{flat}service"))?;
    let path = format!("{service}/List{}", service.strip_suffix("Service")?);
    let rows = client.method(&path).output().get_field(1)?;
    let name = rows.json_name().to_owned();
    let Kind::Message(message) = rows.kind() else { return None };
    Some((path, message, name))
}

/// Says of the embed at `path` what `key=value` says of it in a URL.
fn of_embed(
    embeds: &mut Map<String, Value>,
    message: &MessageDescriptor,
    path: &[&str],
    key: &str,
    value: &str,
) -> Option<()> {
    let (first, rest) = path.split_first()?;
    let field = embed(message, first)?;
    let Kind::Message(target) = field.kind() else { return None };
    let said = embeds.entry(field.json_name()).or_insert_with(|| json!({})).as_object_mut()?;
    if !rest.is_empty() {
        let inner = said.entry("embeds").or_insert_with(|| json!({})).as_object_mut()?;
        return of_embed(inner, &target, rest, key, value);
    }
    match key {
        "order" => said.insert("orderBy".to_owned(), value.into()),
        "limit" => said.insert("limit".to_owned(), value.parse::<u32>().ok()?.into()),
        "offset" => said.insert("skip".to_owned(), value.parse::<u32>().ok()?.into()),
        "not" | "select" => return None,
        column => {
            let condition = format!("{}={}", encode(column), encode(value));
            let filter = match said.get("filter").and_then(Value::as_str) {
                Some(others) => format!("{others}&{condition}"),
                None => condition,
            };
            said.insert("filter".to_owned(), filter.into())
        }
    };
    Some(())
}

/// A select list as the paths of a mask; what it says of embeds besides is added to `embeds`.
fn mask(message: &MessageDescriptor, select: &str, embeds: &mut Map<String, Value>) -> Option<Vec<String>> {
    let mut paths = Vec::new();
    for item in split(select)? {
        match item.split_once('(') {
            None if item == "*" => paths.push("*".to_owned()),
            None => {
                let field = columns(message).find(|field| field.json_name() == item)?;
                paths.push(field.name().to_owned());
            }
            Some((relation, inner)) => {
                let (relation, required) = match relation.strip_suffix("!inner") {
                    Some(relation) => (relation, true),
                    None => (relation, false),
                };
                let field = embed(message, relation)?;
                let Kind::Message(target) = field.kind() else { return None };
                let mut below = Map::new();
                let inner = mask(&target, inner.strip_suffix(')')?, &mut below)?;
                let mut said = Map::new();
                if required {
                    said.insert("required".to_owned(), true.into());
                }
                if !below.is_empty() {
                    said.insert("embeds".to_owned(), below.into());
                }
                if !said.is_empty() {
                    embeds.insert(field.json_name().to_owned(), said.into());
                }
                paths.extend(inner.iter().map(|path| format!("{}.{path}", field.name())));
            }
        }
    }
    (!paths.is_empty()).then_some(paths)
}

/// Splits at commas outside of parentheses.
pub(super) fn split(select: &str) -> Option<Vec<&str>> {
    let (mut depth, mut start, mut items) = (0_i32, 0, Vec::new());
    for (at, letter) in select.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&select[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&select[start..]);
    (depth == 0).then_some(items)
}

fn columns(message: &MessageDescriptor) -> impl Iterator<Item = FieldDescriptor> {
    message.fields().filter(is_column)
}

/// A column has the number of its name.
fn is_column(field: &FieldDescriptor) -> bool {
    field.number() == number(field.json_name())
}

/// The embed of a relation: called by it, in the singular or plural.
fn embed(message: &MessageDescriptor, relation: &str) -> Option<FieldDescriptor> {
    let mut embeds = message.fields().filter(|field| !is_column(field));
    embeds.find(|field| field.name() == relation || format!("{}s", field.name()) == relation)
}

/// A row of REST as gRPC shows it; `None` if that cannot be told from its JSON.
pub(super) fn expected(message: &MessageDescriptor, row: &Value) -> Option<Value> {
    let mut out = Map::new();
    for (name, value) in row.as_object()? {
        let column = columns(message).find(|field| field.json_name() == name);
        let field = column.or_else(|| embed(message, name))?;
        let is_absent = value.is_null() || (field.is_list() && value.as_array().is_some_and(Vec::is_empty));
        if is_absent {
            continue;
        }
        let one = |value: &Value| match field.kind() {
            Kind::Message(target) => expected(&target, value),
            Kind::Enum(labels) => {
                let label =
                    value.as_str()?.replace(|letter: char| !letter.is_alphanumeric(), "_").to_uppercase();
                let value = labels.values().find(|value| value.name().ends_with(&format!("_{label}")))?;
                Some(value.name().into())
            }
            Kind::String if value.is_number() => Some(value.to_string().into()),
            _ => Some(value.clone()),
        };
        let value = match value.as_array().filter(|_| field.is_list()) {
            Some(values) => Value::Array(values.iter().map(one).collect::<Option<_>>()?),
            None => one(value)?,
        };
        out.insert(field.json_name().to_owned(), value);
    }
    Some(out.into())
}

/// Shows text that is JSON as what it says, as REST does.
fn parse_json(message: &MessageDescriptor, row: &mut Value) {
    let Some(row) = row.as_object_mut() else { return };
    for (name, value) in row.iter_mut() {
        let text = value
            .as_str()
            .filter(|text| text.starts_with(['{', '[']) && message.get_field_by_json_name(name).is_some());
        if let Some(parsed) = text.and_then(|text| serde_json::from_str(text).ok()) {
            *value = parsed;
        }
    }
}
