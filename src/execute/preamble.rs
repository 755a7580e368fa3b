//! What comes before the statement: how the transaction begins, and its
//! settings as one statement that sends no row back. All are local to the
//! transaction: nothing of one request is there in the next, whatever a
//! function set in between.

use super::{Access, End, Isolation, ResponseSettings, Unit};
use crate::sql::Fragment;
use std::{borrow::Cow, time::Duration};

/// How the transaction begins: READ ONLY holds inside functions, too, and they
/// cannot switch it off. Where it cannot begin, as on a standby that refuses
/// READ WRITE and SERIALIZABLE, PostgreSQL skips the rest of the batch.
pub(super) const fn begin(isolation: Isolation, access: Access) -> &'static str {
    match (isolation, access) {
        (Isolation::ReadCommitted, Access::ReadOnly) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        (Isolation::ReadCommitted, Access::ReadWrite) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        (Isolation::RepeatableRead, Access::ReadOnly) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (Isolation::RepeatableRead, Access::ReadWrite) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
        (Isolation::Serializable, Access::ReadOnly) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        (Isolation::Serializable, Access::ReadWrite) => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
    }
}

/// How it ends if nothing fails, and what PostgreSQL says then.
pub(super) const fn end(end: End) -> (&'static [&'static str], &'static str) {
    match end {
        End::Commit => (&["COMMIT"], "COMMIT"),
        End::Rollback => (&["SET CONSTRAINTS ALL IMMEDIATE", "ROLLBACK"], "ROLLBACK"),
    }
}

/// Puts the session back as it was when it began: all that `DISCARD ALL` does, but for plans and for statements that
/// are prepared. Nothing that code of one request left behind is there for the next.
pub(super) const PUT_BACK: [&str; 8] = [
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    "RESET ALL",
    "CLOSE ALL",
    "UNLISTEN *",
    "SELECT FROM pg_catalog.pg_advisory_unlock_all()",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
];

/// What an earlier request's function may have set for the session.
const UNANSWERED: &str = " OR pg_catalog.set_config('response.headers', '', true) IS NULL OR pg_catalog.set_config('response.status', '', true) IS NULL";

/// The settings. `left` is what is left of the unit's deadline.
pub(super) fn settings(unit: &Unit, left: Option<Duration>) -> Fragment {
    let mut fragment = Fragment::new();
    fragment.sql("SELECT WHERE false");
    match unit.response_settings {
        ResponseSettings::Read => fragment.sql(UNANSWERED),
        ResponseSettings::Unset => &mut fragment,
    };
    for (name, value) in &unit.settings {
        fragment.sql(" OR pg_catalog.set_config(");
        match name {
            Cow::Borrowed(name) => fragment.sql("'").sql(name).sql("'"),
            Cow::Owned(name) => fragment.text(name),
        };
        fragment.sql(", ").literal(&value.clone().into()).sql(", true) IS NULL");
    }
    if let Some(left) = left {
        timeout(&mut fragment, left);
    }
    fragment
}

/// A deadline shortens `statement_timeout` and never lengthens it; 0 is none.
/// Rounded up, so that the deadline has passed when PostgreSQL gives up.
fn timeout(fragment: &mut Fragment, left: Duration) {
    let milliseconds = left.as_nanos().div_ceil(1_000_000).clamp(1, i32::MAX as u128).to_string();
    fragment
        .sql(" OR pg_catalog.set_config('statement_timeout', least(")
        .text(milliseconds)
        .sql("::pg_catalog.int8, nullif(extract(epoch FROM pg_catalog.current_setting('statement_timeout')::pg_catalog.interval) * 1000, 0))")
        .sql("::pg_catalog.int8::pg_catalog.text, true) IS NULL");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        execute::Expectation,
        sql::{Layout, Literals, Statement},
    };

    fn unit(settings: &[(&'static str, &'static str)], response_settings: ResponseSettings) -> Unit<'static> {
        Unit {
            settings: settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            access: Access::ReadOnly,
            isolation: Isolation::default(),
            pre_request: None,
            statement: Cow::Owned(Statement {
                fragment: Fragment::new(),
                layout: Layout::Nothing,
                facts: Vec::new(),
            }),
            count: None,
            literals: Cow::default(),
            response_settings,
            expectation: Expectation::Any,
            end: End::Commit,
            deadline: None,
        }
    }

    #[test]
    fn values_are_parameters_in_their_order_and_so_are_names_from_elsewhere() {
        let mut unit = unit(&[("role", "anonymous")], ResponseSettings::Unset);
        unit.settings.push(("app.it's".to_owned().into(), "1'".into()));
        let fragment = super::settings(&unit, None);
        assert_eq!(
            fragment.as_str(),
            "SELECT WHERE false OR pg_catalog.set_config('role', $1, true) IS NULL \
             OR pg_catalog.set_config($2, $3, true) IS NULL"
        );
        let values: Vec<_> = fragment.values(&Literals::default()).into_iter().flatten().collect();
        assert_eq!(values, ["anonymous", "app.it's", "1'"]);
    }

    #[test]
    fn the_text_depends_on_the_names_of_the_settings_alone() {
        let text = |value, left| {
            let unit = unit(&[("request.path", value)], ResponseSettings::Read);
            super::settings(&unit, Some(left)).as_str().to_owned()
        };
        assert_eq!(text("/a", Duration::from_secs(1)), text("/b", Duration::from_micros(1)));
    }
}
