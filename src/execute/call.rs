//! One statement of a unit: how it runs, how far it has come, and what it means that PostgreSQL could not bind it. It
//! sends nothing.

use super::{statement_cache::Form, wire};
use crate::sql::Value;

/// A statement that was sent, or is about to be.
pub(super) struct Call<'u> {
    pub(super) form: Form,
    pub(super) role: &'u str,
    pub(super) sql: &'u str,
    pub(super) values: Vec<Value>,
    pub(super) progress: Progress,
}

/// How far PostgreSQL has come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Unbound,
    Bound,
}

impl<'u> Call<'u> {
    /// Of what is always parsed anew.
    pub(super) fn unnamed(sql: &'u str) -> Self {
        Self { form: Form::Unnamed, role: "", sql, values: Vec::new(), progress: Progress::Unbound }
    }

    /// What an error says of the prepared statement, if it is one.
    pub(super) fn doubt(&self, error: &wire::Error) -> Option<Doubt> {
        let wire::Error::Server(error) = error else { return None };
        if self.progress == Progress::Bound {
            return None;
        }
        let outdated = || Doubt::Outdated { role: self.role.to_owned(), sql: self.sql.to_owned() };
        match (&self.form, error.sqlstate.as_str()) {
            (Form::Unnamed, _) => None,
            (Form::Named(_) | Form::Prepared(_), "26000") => Some(Doubt::Missing),
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

/// What may be wrong with a prepared statement that could not be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The database has changed below this statement, of this role.
    Outdated { role: String, sql: String },
    /// PostgreSQL does not have it: somebody deallocated it, or this is another session.
    Missing,
    /// It has another one by this name: this is another session.
    Misnamed,
}
