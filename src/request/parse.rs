//! The texts of the URL grammar: filters, logic trees, orders, select lists,
//! names. Both front doors use them; splitting a query string and deciding
//! which key means what is theirs. Nothing is looked up.
//!
//! What follows a filter's list or a closed embed is dropped, as PostgREST does.

mod filter;
mod name;
mod order;
mod parser;
mod select;
#[cfg(test)]
mod tests;
mod trace;

use super::{
    EmbedPath,
    filter::{Filter, Logic, Operation},
    order::OrderTerm,
    select::{Field, SelectItem},
};
use crate::error::Result;

pub use self::parser::MAX_DEPTH;

/// `a.b.field->key`: the embeds on the way, and the field.
pub fn tree_path(key: &str) -> Result<(EmbedPath, Field)> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    // Most keys are the name of a column and nothing else.
    match !key.is_empty() && key.bytes().all(is_plain) {
        true => Ok((EmbedPath::new(), Field { name: key.to_owned(), path: Vec::new() })),
        false => parser::run("tree path", key, key, name::tree_path),
    }
}

/// `not.eq.1`: whether it is negated, and the condition.
pub fn condition(value: &str) -> Result<(bool, Operation)> {
    parser::run("filter", value, value, |p| filter::condition(p, filter::whole_value))
}

/// As [`condition`]; `None` for a value that does not begin with an operator.
pub fn condition_if_any(value: &str) -> Result<Option<(bool, Operation)>> {
    parser::run("filter", value, value, |p| p.optional(|p| filter::condition(p, filter::whole_value)))
}

/// `a.b.field=eq.1` as key and value.
pub fn filter(key: &str, value: &str) -> Result<(EmbedPath, Filter)> {
    let (path, field) = tree_path(key)?;
    let (negated, operation) = condition(value)?;
    Ok((path, Filter { field, negated, operation }))
}

/// `a.b.not.or=(id.eq.1,id.eq.2)` as key and value.
pub fn logic(key: &str, value: &str) -> Result<(EmbedPath, Logic)> {
    let (path, junction) = parser::run("logic path", key, key, filter::tree_key)?;
    let tree = parser::run("logic tree", value, &format!("{junction}{value}"), filter::tree)?;
    Ok((path, tree))
}

/// `a.desc.nullslast,rel(b)`.
pub fn order(value: &str) -> Result<Vec<OrderTerm>> {
    parser::run("order", value, value, order::order)
}

/// `id,alias:col::type,rel(*)`; empty for every column.
pub fn select(value: &str) -> Result<Vec<SelectItem>> {
    parser::run("select parameter", value, value, select::select)
}

/// The names of `columns=a,b`.
pub fn columns(value: &str) -> Result<Vec<String>> {
    parser::run("columns parameter", value, value, name::columns)
}

/// The names of `on_conflict=a,b`.
pub fn on_conflict(value: &str) -> Result<Vec<String>> {
    parser::run("on_conflict parameter", value, value, name::columns)
}
