//! What to do where a request fails as it would if the catalog were behind the database: look whether what the request
//! names has changed, and if so wait for an engine that knows. A client that asks for what does not exist costs one more
//! small query, and no load of the catalog.

use super::{Engine, as_role_of, question};
use crate::{
    auth::Identity,
    error::{Error, Fault, Origin, Result},
    outcome::{Pace, Row, Sink},
    plan::Named,
    request::{
        Request,
        literal::Literals,
        shape::{Shape, Told},
    },
    sql,
};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

/// A schema may change again while a request waits for the catalog. After so many times it is told the error.
pub(super) const MOST_RENEWALS: u32 = 3;

/// SQLSTATE's class of errors that PostgreSQL finds in a statement as such: names and types that it does not know, or
/// that do not go together.
const STATEMENT: &str = "42";
/// In that class, but about rights, not names: `insufficient_privilege`.
const NO_PRIVILEGE: &str = "42501";
/// `invalid_schema_name`.
const NO_SCHEMA: &str = "3F000";

/// Whether an outdated catalog can show like this. It may be the client's mistake as well.
fn is_evidence(error: &Error) -> bool {
    match &error.origin {
        Origin::PostgreSql(report) => {
            let code = report.sqlstate.as_str();
            report.raised.is_none()
                && (code.starts_with(STATEMENT) && code != NO_PRIVILEGE || code == NO_SCHEMA)
        }
        Origin::Pgduet(fault) => matches!(fault, Fault::ColumnMissing | Fault::UnexpectedResult),
    }
}

/// The attempts at one request.
pub(super) struct Attempts {
    pub(super) shape: Shape,
    pub(super) literals: Literals,
    told: Told,
    began: Instant,
    renewals: u32,
}

impl Attempts {
    pub(super) fn at(request: Request) -> Self {
        let (shape, literals, told) = request.split();
        Self { shape, literals, told, began: Instant::now(), renewals: 0 }
    }

    /// What the transaction is told, with what is left of the deadline.
    pub(super) fn told(&self) -> Cow<'_, Told> {
        match self.renewals {
            0 => Cow::Borrowed(&self.told),
            _ => Cow::Owned(Told { deadline: self.left(), ..self.told.clone() }),
        }
    }

    fn left(&self) -> Option<Duration> {
        self.told.deadline.map(|deadline| deadline.saturating_sub(self.began.elapsed()))
    }

    /// An engine for another attempt, if this error comes of a catalog that is behind the database.
    pub(super) async fn successor(
        &mut self,
        engine: &Engine,
        error: &Error,
        identity: &Identity,
    ) -> Option<Arc<Engine>> {
        if self.renewals == MOST_RENEWALS || !is_evidence(error) {
            return None;
        }
        // Apart from the request, which seldom needs room for this.
        Box::pin(self.looked_for(engine, identity)).await
    }

    async fn looked_for(&mut self, engine: &Engine, identity: &Identity) -> Option<Arc<Engine>> {
        self.renewals += 1;
        if !engine.is_outdated(&self.shape, self.left(), identity).await {
            return None;
        }
        // Nobody waits longer for a catalog than for a connection.
        let most = engine.config.db_pool_acquisition_timeout;
        engine.renewal.successor(engine, self.left().map_or(most, |left| left.min(most))).await
    }
}

impl Engine {
    /// Whether something that the request names is not in the database as the catalog has it.
    async fn is_outdated(&self, shape: &Shape, left: Option<Duration>, identity: &Identity) -> bool {
        let plan = self.plan(shape.clone(), identity);
        let named = match &plan {
            Ok(plan) => Named::of(plan),
            Err(_) => Named::of_action(&shape.action, &shape.schema, &self.catalog),
        };
        let statement = sql::differences(&named);
        let mut unit = question(&statement, as_role_of(identity), &self.memory);
        unit.deadline = left;
        let mut found = Found::Nothing;
        self.primary().run(&unit, &mut found).await.is_ok() && found == Found::Something
    }
}

/// Whether rows come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Something,
}

impl Sink for Found {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, _: &dyn Row) -> Result<()> {
        *self = Found::Something;
        Ok(())
    }
}

/// A sink that is looked at: what has had rows cannot have them again.
pub(super) struct Watched<'s, S> {
    sink: &'s mut S,
    pub(super) had_rows: bool,
}

impl<'s, S> Watched<'s, S> {
    pub(super) fn new(sink: &'s mut S) -> Self {
        Self { sink, had_rows: false }
    }
}

impl<S: Sink> Sink for Watched<'_, S> {
    const PACE: Pace = S::PACE;

    fn columns(&mut self, types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        self.sink.columns(types)
    }

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.had_rows = true;
        self.sink.row(row)
    }

    fn ready(&mut self) -> impl Future<Output = Result<()>> + Send {
        self.sink.ready()
    }

    fn restart(&mut self) -> Result<()> {
        self.had_rows = false;
        self.sink.restart()
    }

    fn complete(&mut self) -> Result<()> {
        self.sink.complete()
    }
}
