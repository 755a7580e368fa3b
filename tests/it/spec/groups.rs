//! Cases with aggregates over gRPC: as the Aggregate call that says the same, and its groups as REST would show them.

use super::translate::{Outcome, compared, expected, list, split};
use crate::support::{grpc::Client, http::Answer};
use pgduet::request::urlencoded::{encode, pairs};
use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// One item of a select list, as the key that REST has for it and the path that a group's message has.
enum Item {
    /// What the rows have in common.
    InCommon(String),
    /// The number of rows.
    Count,
    /// What this function gives of this column.
    Result { function: String, column: String },
}

/// Runs the target of a GET over gRPC, if it has aggregates and can be said there.
pub(super) fn run(target: &str, answer: &Answer, client: &Client) -> Option<Outcome> {
    let (relation, query) = target.split_once('?')?;
    let pairs: Vec<_> = pairs(query).ok()?.into_iter().collect();
    let value = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name == wanted)?;
        Some(found.1.as_ref()?.to_string())
    };
    let items: Vec<Item> = split(&value("select")?)?.into_iter().map(item).collect::<Option<_>>()?;
    if items.iter().all(|item| matches!(item, Item::InCommon(_))) {
        return None;
    }
    let (path, message, _) = list(client, relation)?;
    let path = path.replace("/List", "/Aggregate");
    let Kind::Message(group) = client.method(&path).output().get_field(1)?.kind() else { return None };
    let mut aggregates: Map<String, Value> = Map::new();
    let mut in_common = Vec::new();
    for item in &items {
        match item {
            Item::Count => {}
            Item::InCommon(column) => in_common.push(column.clone()),
            // A key that two results would have stands for the last of them.
            Item::Result { function, column } => {
                if aggregates.insert(function.clone(), camel(column).into()).is_some() {
                    return None;
                }
            }
        }
    }
    let others = pairs.iter().filter(|(name, _)| name != "select" && name != "order");
    let filter = others.map(|(name, value)| Some(format!("{}={}", encode(name), encode(value.as_ref()?))));
    let request = json!({
        "groupBy": camel(&in_common.join(",")),
        "aggregates": aggregates,
        "filter": filter.collect::<Option<Vec<_>>>()?.join("&"),
        "orderBy": value("order").unwrap_or_default(),
    });
    let rows: Vec<Value> = serde_json::from_str(&answer.text()).ok()?;
    let wanted = rows.iter().map(|row| wanted(&items, row, &message, &group)).collect::<Option<Vec<_>>>()?;
    let mut found = match client.call(&path, request.clone()) {
        Ok(mut found) => found["groups"].take().as_array().cloned().unwrap_or_default(),
        Err(status) => return Some(Outcome::Different(format!("{request}: {status}"))),
    };
    if !items.iter().any(|item| matches!(item, Item::Count)) {
        found.iter_mut().for_each(|group| group["rowCount"] = Value::Null);
        found
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|group| group.retain(|_, value| !value.is_null()));
    }
    Some(compared(&request, wanted, found))
}

/// Names as the JSON of masks has them.
fn camel(names: &str) -> String {
    let mut parts = names.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| {
        let (head, rest) = part.split_at(part.len().min(1));
        all + &head.to_uppercase() + rest
    })
}

fn item(text: &str) -> Option<Item> {
    let is_plain = |name: &str| name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    match text.strip_suffix("()") {
        Some("count") => Some(Item::Count),
        Some(result) => {
            let (column, function) = result.rsplit_once('.').filter(|(column, _)| is_plain(column))?;
            Some(Item::Result { function: function.to_owned(), column: column.to_owned() })
        }
        None => is_plain(text).then(|| Item::InCommon(text.to_owned())),
    }
}

/// A row of REST as the group's message; `None` if that cannot be told from its JSON.
fn wanted(
    items: &[Item],
    row: &Value,
    message: &MessageDescriptor,
    group: &MessageDescriptor,
) -> Option<Value> {
    let mut out = Map::new();
    let mut add = |field: &str, message: &MessageDescriptor, column: &str, value: &Value| {
        let part = expected(message, &json!({ column: value }))?;
        let part = part.as_object().filter(|part| !part.is_empty());
        if let Some(part) = part {
            let whole = out.entry(field).or_insert_with(|| json!({}));
            whole.as_object_mut()?.extend(part.clone());
        }
        Some(())
    };
    let mut count = None;
    for item in items {
        match item {
            Item::Count => count = row.get("count"),
            Item::InCommon(column) => add("group", message, column, &row[column])?,
            Item::Result { function, column } => {
                let Kind::Message(results) = group.get_field_by_name(function)?.kind() else { return None };
                add(function, &results, column, &row[function])?;
            }
        }
    }
    // In JSON a field without presence is not there where it is 0.
    if let Some(count) = count.filter(|count| **count != 0) {
        out.insert("rowCount".to_owned(), count.clone());
    }
    Some(out.into())
}
