//! What comes before the statement: the settings of the transaction, in
//! PostgREST's order, and the call of the pre-request function.

use super::Fragment;
use crate::{auth::Identity, config::Config, plan::Plan, request::shape::Told};
use bytes::Bytes;
use std::borrow::Cow;

/// A setting and its value. Names that are known when this is compiled become a part of the statement that sets them.
pub type Setting = (Cow<'static, str>, Bytes);

/// The settings of all transactions of one plan.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Before the role is set: the role's own settings may need privileges that only the connection's user has.
    before: Vec<Setting>,
    /// After what the transaction is told.
    after: Vec<Setting>,
}

impl Settings {
    /// Those of this plan.
    pub fn of(plan: &Plan<'_>) -> Self {
        let transaction = &plan.transaction;
        let mut settings = Self::in_schema(plan.config, &transaction.schema, transaction.role_settings);
        let of_function = transaction.function_settings.iter().map(|(name, value)| pair(name, value));
        settings.after.splice(0..0, of_function);
        // EXPLAIN keeps no plan, and tells the settings that planning depends on.
        if plan.config.db_pre_request.is_some() && plan.explain.is_none() {
            settings.after.push(PLANNED_ANEW);
        }
        settings
    }

    /// Those of what is asked of a schema itself, by a role with these settings.
    pub fn in_schema(config: &Config, schema: &str, role_settings: &[(String, String)]) -> Self {
        let mut before = vec![("search_path".into(), search_path(config, schema).into())];
        before.extend(role_settings.iter().map(|(name, value)| pair(name, value)));
        let after = config.app_settings.iter().map(|(name, value)| pair(name, value)).collect();
        Self { before, after }
    }

    /// The settings of one transaction, in their order.
    pub fn of_transaction(&self, identity: &Identity, told: &Told) -> Vec<Setting> {
        let context = &told.context;
        let mut settings = Vec::with_capacity(self.before.len() + 7 + self.after.len());
        settings.extend_from_slice(&self.before);
        settings.extend([
            ("role".into(), identity.role_value().clone()),
            ("request.jwt.claims".into(), identity.claims_json().clone()),
            ("request.method".into(), context.method.clone()),
            ("request.path".into(), context.path.clone()),
            ("request.headers".into(), context.headers.clone()),
            ("request.cookies".into(), context.cookies.clone()),
        ]);
        settings.extend(
            context.tls_subject.as_ref().map(|subject| ("request.tls.subject".into(), subject.clone())),
        );
        settings
            .extend(context.traceparent.as_ref().map(|parent| ("application_name".into(), parent.clone())));
        settings.extend(told.timezone.as_ref().map(|zone| ("timezone".into(), zone.clone().into())));
        settings.extend_from_slice(&self.after);
        settings
    }

    /// The settings of a further unit of a transaction: all of them, for code that ran before it may have set any, but for the
    /// role's own, which only the connection's user may make.
    pub fn of_further_unit(&self, identity: &Identity, told: &Told) -> Vec<Setting> {
        let search_path = self.before.first().cloned().into_iter().collect();
        let mut settings =
            Self { before: search_path, after: self.after.clone() }.of_transaction(identity, told);
        settings.extend(["response.headers", "response.status"].map(|name| (name.into(), Bytes::new())));
        settings
    }
}

/// PostgreSQL checks the right to EXECUTE a function that it inlines when it plans. The function that comes before the
/// statement may choose another role, which a plan that is kept would not know.
const PLANNED_ANEW: Setting = (Cow::Borrowed("plan_cache_mode"), Bytes::from_static(b"force_custom_plan"));

fn pair(name: &str, value: &str) -> Setting {
    (name.to_owned().into(), value.to_owned().into())
}

/// The request's schema and those that are always searched.
fn search_path(config: &Config, schema: &str) -> String {
    let mut path = Fragment::new();
    let schemas = std::iter::once(schema).chain(config.db_extra_search_path.iter().map(String::as_str));
    path.separated(", ", schemas, |path, schema| {
        path.identifier(schema);
    });
    path.as_str().to_owned()
}

/// The call of `db-pre-request`.
pub fn pre_request(config: &Config) -> Option<Fragment> {
    let function = config.db_pre_request.as_ref()?;
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
