//! What runs on a connection as one transaction: a unit alone, or several one after the other. It sends nothing itself.

use super::{
    Report, Series, Unit,
    call::Doubt,
    session::Session,
    unit::{Conversation, Failure, Naming, Place, run_series},
};
use crate::{error::Result, notes::Notes, outcome::Sink, position::Position};
use std::time::Duration;

/// What runs as one transaction.
pub(super) trait Work: Send {
    /// What it gives.
    type Report: Send;

    /// The role that it runs as; empty for the login role.
    fn role(&self) -> &str;

    /// Runs it. `left` is what is left of its deadline.
    fn run(
        &mut self,
        session: &mut Session,
        naming: Naming,
        left: Option<Duration>,
    ) -> impl Future<Output = std::result::Result<Self::Report, Failure>> + Send;

    /// It runs once more, because of this.
    fn restart(&mut self, doubt: &Doubt) -> Result<()>;

    /// Notes what it was; `report` is there if it succeeded.
    fn note(&self, report: Option<&Self::Report>, notes: &mut Notes);
}

/// A unit, and where its rows go.
pub(super) struct Alone<'w, S> {
    pub(super) unit: &'w Unit<'w>,
    pub(super) sink: &'w mut S,
}

impl<S: Sink> Work for Alone<'_, S> {
    type Report = Report;

    fn role(&self) -> &str {
        self.unit.role()
    }

    async fn run(
        &mut self,
        session: &mut Session,
        naming: Naming,
        left: Option<Duration>,
    ) -> std::result::Result<Report, Failure> {
        Conversation::new(session, self.unit, naming, Place::Alone).run(left, self.sink).await
    }

    fn restart(&mut self, doubt: &Doubt) -> Result<()> {
        match doubt {
            Doubt::Deallocated => self.sink.restart(),
            // No row has come.
            Doubt::Outdated { .. } | Doubt::Missing | Doubt::Misnamed | Doubt::Isolation => Ok(()),
        }
    }

    fn note(&self, report: Option<&Report>, notes: &mut Notes) {
        notes.rows = report.map(|report| report.rows);
        notes.query = Some(self.unit.statement.fragment.as_str().to_owned());
    }
}

/// The units of one transaction.
pub(super) struct Together<'w, S>(pub(super) &'w mut S);

impl<S: Series> Work for Together<'_, S> {
    type Report = Option<Position>;

    fn role(&self) -> &str {
        self.0.role()
    }

    async fn run(
        &mut self,
        session: &mut Session,
        naming: Naming,
        left: Option<Duration>,
    ) -> std::result::Result<Option<Position>, Failure> {
        run_series(session, self.0, naming, left).await
    }

    fn restart(&mut self, _: &Doubt) -> Result<()> {
        self.0.restart()
    }

    fn note(&self, _: Option<&Option<Position>>, _: &mut Notes) {}
}
