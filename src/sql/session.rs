//! What comes before the statement: the settings of the transaction, in
//! PostgREST's order, and the call of the pre-request function.

use super::Fragment;
use crate::{
    auth::Identity,
    config::Config,
    plan::Plan,
    request::{literal, shape::Told},
};
use bytes::Bytes;
use std::borrow::Cow;

/// The names of the settings that [`TO_WORKERS`] sends.
const SENT: &str = "pgduet.sent";

/// Sends settings of the transaction to the workers of Citus. `set_config` reaches the coordinator alone; of `SET LOCAL`,
/// Citus sends the text to each worker that takes part in the transaction, now or later. SET takes no parameters, so
/// PostgreSQL itself makes the text, of settings that are made already: no value of a request becomes SQL in pgduet, and
/// `format` quotes each for the text that PostgreSQL is about to parse. A worker's search path has the schemas there are,
/// name by name, because a list in quotation marks would be one name.
pub const TO_WORKERS: &str = "DO $pgduet$ DECLARE \"name\" pg_catalog.text; \"value\" pg_catalog.text; BEGIN \
    \"value\" := (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(\"schema\"::pg_catalog.text), ', ') \
        FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS \"schema\"); \
    IF \"value\" IS NOT NULL THEN \
        EXECUTE pg_catalog.format('SET LOCAL search_path TO %s', \"value\"); \
    END IF; \
    FOREACH \"name\" IN ARRAY pg_catalog.current_setting('pgduet.sent')::pg_catalog.text[] LOOP \
        \"value\" := pg_catalog.current_setting(\"name\", true); \
        IF \"value\" IS NOT NULL THEN \
            EXECUTE pg_catalog.format('SET LOCAL %I TO %L', \"name\", \"value\"); \
        END IF; \
    END LOOP; END $pgduet$";

/// What each transaction is told of its request, by what the workers of Citus are told of it, too.
const OF_REQUEST: [&str; 7] = [
    "request.jwt.claims",
    "request.method",
    "request.path",
    "request.headers",
    "request.cookies",
    "request.tls.subject",
    "timezone",
];

/// Settings that are lists of names. Their text in quotation marks would be one name.
const LISTS: [&str; 2] = ["search_path", "temp_tablespaces"];

/// Whether the workers of Citus are sent settings by these.
pub fn reach_workers(settings: &[Setting]) -> bool {
    settings.iter().any(|(name, _)| *name == SENT)
}

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
        if plan.catalog.descriptor().has_citus {
            settings.send_to_workers();
        }
        settings
    }

    /// Those of the role alone are not sent: workers know the role by itself, and make its settings when it logs in.
    fn send_to_workers(&mut self) {
        let own = self
            .after
            .iter()
            .map(|(name, _)| name.as_ref())
            .filter(|name| !LISTS.iter().any(|list| list.eq_ignore_ascii_case(name)));
        let sent = literal::array(OF_REQUEST.into_iter().chain(own));
        self.after.extend([("citus.propagate_set_commands".into(), "local".into()), (SENT.into(), sent)]);
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
