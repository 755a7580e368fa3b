//! What comes before the statement: the settings of the transaction, in
//! PostgREST's order, and the call of the pre-request function.

use super::Fragment;
use crate::plan::{Plan, transaction::Caller};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// `set_config` pairs in their order: the role's own settings come before the
/// role, for they may need privileges that only the connection's user has.
pub fn settings(plan: &Plan<'_>) -> Vec<(Cow<'static, str>, Bytes)> {
    let session = &plan.transaction.session;
    let Caller { identity, settings: of_role } = session.caller;
    let pair = |name: &str, value: &str| (name.to_owned().into(), value.to_owned().into());
    let mut settings = vec![("search_path".into(), search_path(plan).into())];
    settings.extend(of_role.iter().map(|(name, value)| pair(name, value)));
    settings.extend([
        ("role".into(), identity.role.clone().into()),
        ("request.jwt.claims".into(), identity.claims_json().clone()),
        ("request.method".into(), session.context.method.clone().into()),
        ("request.path".into(), session.context.path.clone().into()),
        ("request.headers".into(), object(&session.context.headers).into()),
        ("request.cookies".into(), object(&session.context.cookies).into()),
    ]);
    settings.extend(session.timezone.as_ref().map(|zone| ("timezone".into(), zone.clone().into())));
    settings.extend(session.function.iter().map(|(name, value)| pair(name, value)));
    settings.extend(plan.config.app_settings.iter().map(|(name, value)| pair(name, value)));
    // EXPLAIN keeps no plan, and tells the settings that planning depends on.
    if plan.config.db_pre_request.is_some() && plan.explain.is_none() {
        settings.push(PLANNED_ANEW);
    }
    settings
}

/// PostgreSQL checks the right to EXECUTE a function that it inlines when it plans. The function that comes before the
/// statement may choose another role, which a plan that is kept would not know.
const PLANNED_ANEW: (Cow<'static, str>, Bytes) =
    (Cow::Borrowed("plan_cache_mode"), Bytes::from_static(b"force_custom_plan"));

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
