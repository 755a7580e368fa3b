//! The settings of a unit, as one statement that sends no row back. All are local to the transaction: nothing of one
//! request is there in the next, whatever a function set in between.

use super::{
    Unit,
    fixed::{Start, Tenancy},
};
use crate::sql::Fragment;
use std::{borrow::Cow, time::Duration};

/// What makes a transaction that began without BEGIN what it has to be. A level cannot be changed any more: where it is
/// another one, this is an error (25001), and PostgreSQL skips the rest of the batch.
const READ: &str = " OR pg_catalog.set_config('transaction_isolation', 'read committed', true) IS NULL \
    OR pg_catalog.set_config('transaction_read_only', 'on', true) IS NULL";

/// Locks of the session that code took of which the catalog does not know.
const UNLOCK: &str = " OR pg_catalog.pg_advisory_unlock_all() IS NULL";

/// For units that set no role.
const NO_ROLE: &str = " OR pg_catalog.set_config('role', NULL, false) IS NULL";

/// The settings. `left` is what is left of the unit's deadline.
pub(super) fn settings(unit: &Unit, left: Option<Duration>, start: Start, tenancy: Tenancy) -> Fragment {
    let mut fragment = Fragment::new();
    fragment.sql("SELECT WHERE false");
    if start == Start::Implicit {
        fragment.sql(READ);
    }
    if tenancy == Tenancy::Sole {
        fragment.sql(UNLOCK);
        if unit.role().is_empty() {
            fragment.sql(NO_ROLE);
        }
    }
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

impl Unit<'_> {
    /// The role that the statement runs as; empty for the login role.
    pub(super) fn role(&self) -> &str {
        let roles = self.settings.iter().rev().filter(|(name, _)| name.eq_ignore_ascii_case("role"));
        roles.map(|(_, role)| std::str::from_utf8(role).unwrap_or_default()).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        execute::{Access, End, Expectation, Isolation, ResponseSettings},
        memory::Memory,
        sql::{Layout, Literals, Statement},
    };

    fn unit(settings: &[(&'static str, &'static str)]) -> Unit<'static> {
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
            response_settings: ResponseSettings::Unset,
            expectation: Expectation::Any,
            end: End::Commit,
            deadline: None,
            memory: Memory::new(usize::MAX),
        }
    }

    #[test]
    fn values_are_parameters_in_their_order_and_so_are_names_from_elsewhere() {
        let mut unit = unit(&[("role", "anonymous")]);
        unit.settings.push(("app.it's".to_owned().into(), "1'".into()));
        let fragment = super::settings(&unit, None, Start::Explicit, Tenancy::Shared);
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
            let unit = unit(&[("request.path", value)]);
            super::settings(&unit, Some(left), Start::Implicit, Tenancy::Sole).as_str().to_owned()
        };
        assert_eq!(text("/a", Duration::from_secs(1)), text("/b", Duration::from_micros(1)));
    }
}
