//! What comes before the statement: the settings of the transaction, in
//! PostgREST's order, and the call of the pre-request function.

use super::Fragment;
use crate::plan::Plan;
use serde_json::{Map, Value};

/// `set_config` pairs in their order: the role's own settings come before the
/// role, for they may need privileges that only the connection's user has.
pub fn settings(plan: &Plan<'_>) -> Vec<(String, String)> {
    let session = &plan.transaction.session;
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut settings = vec![("search_path".to_owned(), search_path(plan))];
    settings.extend(session.caller.settings.iter().cloned());
    settings.extend([
        pair(("role", &session.caller.identity.role)),
        pair(("request.jwt.claims", session.caller.identity.claims_json())),
        pair(("request.method", &session.context.method)),
        pair(("request.path", &session.context.path)),
        ("request.headers".to_owned(), object(&session.context.headers)),
        ("request.cookies".to_owned(), object(&session.context.cookies)),
    ]);
    settings.extend(session.timezone.as_deref().map(|zone| pair(("timezone", zone))));
    settings.extend(session.function.iter().copied().map(pair));
    settings.extend(plan.config.app_settings.iter().map(|(name, value)| pair((name, value))));
    settings
}

/// The request's schema and those that are always searched.
fn search_path(plan: &Plan<'_>) -> String {
    let mut path = Fragment::new();
    let schemas = std::iter::once(&plan.transaction.session.schema).chain(&plan.config.db_extra_search_path);
    path.separated(", ", schemas, |path, schema| {
        path.identifier(schema);
    });
    path.as_str().to_owned()
}

/// A JSON object; of several values of one name the last counts.
fn object(pairs: &[(String, String)]) -> String {
    let object: Map<_, _> =
        pairs.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    Value::Object(object).to_string()
}

/// The call of `db-pre-request`.
pub fn pre_request(plan: &Plan<'_>) -> Option<Fragment> {
    let function = plan.config.db_pre_request.as_ref()?;
    let mut out = Fragment::new();
    // What it returns, of whatever type, is nobody's.
    out.sql("SELECT FROM ");
    match &function.schema {
        Some(schema) => out.qualified(schema, &function.name),
        None => out.identifier(&function.name),
    };
    out.sql("()");
    Some(out)
}
