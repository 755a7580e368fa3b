//! What comes before the statement: how the transaction begins, and its
//! settings as one statement that sends no row back. All are local to the
//! transaction: nothing of one request is there in the next, whatever a
//! function set in between.

use super::{Access, Isolation, ResponseSettings, Unit};
use crate::sql::Fragment;
use std::{borrow::Cow, time::Duration};

/// How the transaction begins: READ ONLY holds inside functions, too, and they
/// cannot switch it off.
///
/// A standby refuses READ WRITE and SERIALIZABLE. Were they part of BEGIN, no
/// transaction would begin, and the statement, which has been sent by then,
/// would run outside of one, as the user that pgduet logs in with.
pub(super) const fn begin(isolation: Isolation, access: Access) -> &'static str {
    match (isolation, access) {
        (Isolation::ReadCommitted, Access::ReadOnly) => "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        (Isolation::ReadCommitted, Access::ReadWrite) => {
            "BEGIN; SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE"
        }
        (Isolation::RepeatableRead, Access::ReadOnly) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        (Isolation::RepeatableRead, Access::ReadWrite) => {
            "BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ WRITE"
        }
        (Isolation::Serializable, Access::ReadOnly) => {
            "BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY"
        }
        (Isolation::Serializable, Access::ReadWrite) => {
            "BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE READ WRITE"
        }
    }
}

/// How it ends where all of it stays. Functions may have set something for the
/// session, which committing keeps; a commit that fails has undone that, and
/// what follows it is skipped.
pub(super) const fn commit(response_settings: ResponseSettings) -> &'static str {
    match response_settings {
        ResponseSettings::Unset => "COMMIT",
        ResponseSettings::Read => "COMMIT; RESET ALL; RESET ROLE",
    }
}

/// What JSON and CSV are made of here is the text of PostgreSQL's values, and
/// dates are the ones whose JSON does not follow the session's style.
const PINNED: &str = "SELECT WHERE set_config('DateStyle', 'ISO', true) IS NULL";

/// What an earlier request's function may have set for the session.
const UNANSWERED: &str =
    " OR set_config('response.headers', '', true) IS NULL OR set_config('response.status', '', true) IS NULL";

/// The settings. `left` is what is left of the unit's deadline.
pub(super) fn settings(unit: &Unit, left: Option<Duration>) -> Fragment {
    let mut fragment = Fragment::new();
    fragment.sql(PINNED);
    match unit.response_settings {
        ResponseSettings::Read => fragment.sql(UNANSWERED),
        ResponseSettings::Unset => &mut fragment,
    };
    for (name, value) in &unit.settings {
        fragment.sql(" OR set_config(");
        match name {
            Cow::Borrowed(name) => fragment.sql("'").sql(name).sql("'"),
            Cow::Owned(name) => fragment.text(name),
        };
        fragment.sql(", ").parameter(Some(value.clone())).sql(", true) IS NULL");
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
        .sql(" OR set_config('statement_timeout', least(")
        .text(milliseconds)
        .sql("::int8, nullif(extract(epoch FROM current_setting('statement_timeout')::interval) * 1000, 0))")
        .sql("::int8::text, true) IS NULL");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        execute::{End, Expectation},
        sql::{Layout, Statement},
    };

    fn unit(settings: &[(&'static str, &'static str)], response_settings: ResponseSettings) -> Unit {
        Unit {
            settings: settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            access: Access::ReadOnly,
            isolation: Isolation::default(),
            pre_request: None,
            statement: Statement { fragment: Fragment::new(), layout: Layout::Nothing, facts: Vec::new() },
            count: None,
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
            "SELECT WHERE set_config('DateStyle', 'ISO', true) IS NULL OR set_config('role', $1, true) IS NULL \
             OR set_config($2, $3, true) IS NULL"
        );
        let values: Vec<_> = fragment.parameters().iter().flatten().map(|bytes| bytes.as_ref()).collect();
        assert_eq!(values, [&b"anonymous"[..], b"app.it's", b"1'"]);
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
