//! One statement of a unit: how it runs, how far it has come, and what it means that PostgreSQL could not bind it. It
//! sends nothing.

use super::{fixed::Fixed, statement_cache::Form, wire};
use crate::sql::{Hashed, Value};

/// A statement that was sent, or is about to be.
pub(super) struct Call<'u> {
    pub(super) form: Form,
    pub(super) role: &'u str,
    pub(super) sql: Hashed<'u>,
    pub(super) values: Vec<Value>,
    /// Which it is of those that are the same for every unit.
    pub(super) fixed: Option<Fixed>,
    pub(super) progress: Progress,
}

/// How far PostgreSQL has come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Unbound,
    Bound,
}

impl<'u> Call<'u> {
    pub(super) fn new(form: Form, role: &'u str, sql: Hashed<'u>, values: Vec<Value>) -> Self {
        Self { form, role, sql, values, fixed: None, progress: Progress::Unbound }
    }

    pub(super) fn fixed(fixed: Fixed, form: Form) -> Self {
        // It is found by its place in the table, not by a hash.
        let sql = Hashed { text: fixed.sql(), hash: 0 };
        Self { fixed: Some(fixed), ..Self::new(form, "", sql, Vec::new()) }
    }

    /// The error of this call as it is meant. A standby has no transactions that write, which it calls a feature that is
    /// not supported (0A000); to whoever wanted to write it is `read_only_sql_transaction`.
    pub(super) fn explained(&self, mut error: wire::Error) -> wire::Error {
        if let (Some(fixed), wire::Error::Server(report)) = (self.fixed, &mut error)
            && fixed.begins_to_write()
            && report.sqlstate == "0A000"
        {
            report.sqlstate = "25006".to_owned();
        }
        error
    }

    /// What an error says of the prepared statement, if it is one.
    pub(super) fn doubt(&self, error: &wire::Error) -> Option<Doubt> {
        let wire::Error::Server(error) = error else { return None };
        if self.progress == Progress::Bound {
            return None;
        }
        let outdated = || Doubt::Outdated { role: self.role.to_owned(), sql: self.sql.text.to_owned() };
        match (&self.form, error.sqlstate.as_str()) {
            (Form::Unnamed, _) => None,
            (Form::Named(_) | Form::Prepared(_), "26000") => match self.fixed {
                Some(fixed) if fixed.is_behind_code() => Some(Doubt::Deallocated),
                Some(_) | None => Some(Doubt::Missing),
            },
            (Form::Named(_) | Form::Prepared(_), "42P05" | "08P01") => Some(Doubt::Misnamed),
            (Form::Named(_), _) | (Form::Prepared(_), "42501") => None,
            // Types, operators, columns, results: whatever was looked up when it was prepared.
            (Form::Prepared(_), state) => {
                let is_outdated = ["0A", "22", "42", "XX"].iter().any(|class| state.starts_with(class));
                is_outdated.then(outdated)
            }
        }
    }
}

/// Why a unit may succeed when it runs once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The database has changed below this prepared statement, of this role.
    Outdated { role: String, sql: String },
    /// PostgreSQL does not have a prepared statement: somebody deallocated it, or this is another session.
    Missing,
    /// It has another one by this name: this is another session.
    Misnamed,
    /// The unit's own statement deallocated what was to follow. Its rows may have come.
    Deallocated,
    /// A transaction that begins without BEGIN has another isolation level.
    Isolation,
}
