//! Several requests as one transaction: all of them take effect, or none. They run one after the other, so that what one
//! gave can be in the next. Both front doors have them answered here; what a list of operations looks like is theirs.
//!
//! ```text
//!     each request ─ plan ─ does it write? ─┐           nothing has been sent by now
//!                                           ▼
//!     BEGIN ─ request 0 ─ its answer ─ request 1, with what it refers to ─ … ─ COMMIT
//!       └──────────── a catalog that is behind the database: undone, and all of it once more ◀─┘
//! ```

use super::{
    Engine,
    outdated::{Attempts, MOST_RENEWALS},
    template::Template,
};
use crate::{
    auth::Identity,
    error::{Error, Fault, Origin, Result},
    execute::{Body, Form, Report, Series, Unit},
    memory::{Lease, Memory},
    outcome::{Outcome, Pace, Row, Sink},
    plan::transaction::{Access, Isolation},
    request::{Request, literal::Literals, shape::Told},
};
use std::{ops::Deref, sync::Arc, time::Duration};

/// `invalid_parameter_value`.
const INVALID_VALUE: &str = "22023";

/// The most operations that a transaction may have.
pub const MOST_OPERATIONS: usize = 1000;

/// The operations of one transaction: what is asked, and who takes the answers.
pub trait Operations: Send {
    /// Where rows go, where that is not a body.
    type Sink: Sink;

    /// How many there are.
    fn count(&self) -> usize;

    /// What an operation asks. Where it refers to one that is not answered, it has any value in place of that one's.
    fn operation(&mut self, at: usize) -> Result<Operation<Self::Sink>>;

    /// The answer to an operation, and the sink that has its rows. An error undoes everything.
    fn answered(&mut self, at: usize, outcome: Outcome, sink: Option<Self::Sink>) -> Result<()>;

    /// All answers so far are worth nothing: the operations run once more.
    fn restart(&mut self);

    /// What all of it may hold.
    fn memory(&self) -> &Memory;
}

/// One operation.
#[derive(Debug)]
pub struct Operation<S> {
    /// The request to run.
    pub request: Request,
    /// The request to run in its place if `request` affects no row.
    pub otherwise: Option<Box<Request>>,
    /// Where rows go; they become a body if it is `None`.
    pub sink: Option<S>,
}

/// Refuses more operations than there may be.
pub fn check_count(count: usize) -> Result<()> {
    match count {
        0 => Err(Error::new(Fault::InvalidTransaction, "A transaction has at least one operation")),
        1..=MOST_OPERATIONS => Ok(()),
        _ => Err(Error::new(Fault::RequestTooComplex, "The request is too complex")
            .details(format!("A transaction can have at most {MOST_OPERATIONS} operations."))),
    }
}

impl Engine {
    /// Runs operations as one transaction. It has ended when this returns; where that is an error, which tells the
    /// operation that is to blame, nothing has been carried out.
    pub async fn transact<O: Operations>(&self, operations: &mut O, identity: &Identity) -> Result<()> {
        check_count(operations.count())?;
        let mut renewed: Option<Arc<Engine>> = None;
        let mut renewals = 0;
        loop {
            let engine = renewed.as_deref().unwrap_or(self);
            operations.restart();
            let Err(error) = engine.attempt(self, operations, identity).await else { return Ok(()) };
            let Some(at) = error.operation.filter(|_| renewals < MOST_RENEWALS) else { return Err(error) };
            renewals += 1;
            let Ok(Operation { request, .. }) = operations.operation(at) else { return Err(error) };
            let next = Attempts::at(request).successor(engine, &error, identity).await;
            renewed = Some(next.ok_or(error)?);
        }
    }

    async fn attempt<O: Operations>(
        &self,
        first: &Engine,
        operations: &mut O,
        identity: &Identity,
    ) -> Result<()> {
        let isolation = Isolation::default();
        let mut running =
            Running { engine: self, first, identity, operations, isolation, at: 0, due: None, step: None };
        let deadline = running.check().await.map_err(|error| running.blame(error))?;
        running.at = 0;
        let outcome = self.pool.run_series(&mut running, deadline).await;
        outcome.map_err(|error| match &running.step {
            Some(step) if is_of_timezone(&step.told, &error) => {
                error.hint("This timezone is that of the whole transaction")
            }
            Some(_) => running.blame(error),
            // No operation has begun, or all have ended.
            None => error,
        })
    }
}

/// Whether PostgreSQL refuses the time zone, which is set with the settings of the first operation and is none of its own.
fn is_of_timezone(told: &Told, error: &Error) -> bool {
    let Origin::PostgreSql(report) = &error.origin else { return false };
    // PostgreSQL may say the rest in another language.
    let says = |text: &str| error.message.contains(&format!("\"{text}\""));
    report.sqlstate == INVALID_VALUE && says("TimeZone") && told.timezone.as_deref().is_some_and(says)
}

/// The operations while they run.
struct Running<'r, O: Operations> {
    engine: &'r Engine,
    /// The engine that the operations were read for.
    first: &'r Engine,
    identity: &'r Identity,
    operations: &'r mut O,
    isolation: Isolation,
    /// The operation that is next, or runs.
    at: usize,
    /// What it asks in place of what it asked first.
    due: Option<Operation<O::Sink>>,
    /// What runs.
    step: Option<Step<O::Sink>>,
}

/// A request that runs.
struct Step<S> {
    template: Arc<Template>,
    literals: Literals,
    told: Told,
    otherwise: Option<Box<Request>>,
    rows: Rows<S>,
}

impl<O: Operations> Running<'_, O> {
    /// Whether all operations can be planned, and write. It gives their deadline.
    async fn check(&mut self) -> Result<Option<Duration>> {
        let mut deadline = None;
        for at in 0..self.operations.count() {
            // Others come in between: all of it may take as long as a thousand requests.
            tokio::task::yield_now().await;
            self.at = at;
            let step = self.step(at)?;
            self.isolation = self.isolation.max(step.template.isolation);
            deadline = step.told.deadline;
        }
        Ok(deadline)
    }

    fn step(&mut self, at: usize) -> Result<Step<O::Sink>> {
        let Operation { request, otherwise, sink } = match self.due.take() {
            Some(due) => due,
            None => self.operations.operation(at)?,
        };
        let (shape, literals, told) = request.split();
        let template = match (&sink, std::ptr::eq(self.engine, self.first)) {
            (None, _) | (Some(_), true) => self.engine.template(&shape, self.identity)?,
            (Some(_), false) => {
                let plan = self.engine.plan_for(self.first, &shape, self.identity)?;
                Arc::new(Template::of(&plan, self.engine.route(&shape)))
            }
        };
        // What only reads as long as there is a row, and else inserts it, is a write.
        if template.access == Access::ReadOnly && otherwise.is_none() {
            return Err(Error::new(
                Fault::InvalidTransaction,
                "The operations of a transaction write, and this one only reads",
            ));
        }
        let rows = match sink {
            Some(sink) => Rows::Own(sink),
            None => {
                let lease: Lease = self.operations.memory().overdraft();
                Rows::Body(Body::new(FormOf(Arc::clone(&template)), lease))
            }
        };
        Ok(Step { template, literals, told, otherwise, rows })
    }

    /// The error of the operation that is next, or runs.
    fn blame(&self, mut error: Box<Error>) -> Box<Error> {
        error.operation = Some(self.at);
        error
    }
}

impl<O: Operations> Series for Running<'_, O> {
    type Sink = Rows<O::Sink>;

    fn role(&self) -> &str {
        &self.identity.role
    }

    fn next(&mut self) -> Result<Option<(Unit<'_>, &mut Self::Sink)>> {
        if self.at == self.operations.count() {
            return Ok(None);
        }
        let is_further = self.at > 0 || self.due.is_some();
        let step = self.step(self.at).map_err(|error| self.blame(error))?;
        let Step { template, literals, told, rows, .. } = self.step.insert(step);
        let memory = self.operations.memory();
        let mut unit = template.unit(literals, told, self.identity, memory);
        unit.memory = memory.clone();
        unit.isolation = self.isolation;
        unit.access = Access::ReadWrite;
        if is_further {
            unit.settings = template.settings.of_further_unit(self.identity, told);
        }
        Ok(Some((unit, rows)))
    }

    fn ran(&mut self, report: Report) -> Result<()> {
        let Some(step) = self.step.take() else { return Ok(()) };
        if let (0, Some(request)) = (report.rows, step.otherwise) {
            let sink = step.rows.into_sink();
            self.due = Some(Operation { request: *request, otherwise: None, sink });
            return Ok(());
        }
        let outcome = step.template.outcome(report);
        let answered = outcome.and_then(|outcome| match step.rows {
            Rows::Body(body) => {
                self.operations.answered(self.at, Outcome { body: body.finish(), ..outcome }, None)
            }
            Rows::Own(sink) => self.operations.answered(self.at, outcome, Some(sink)),
        });
        answered.map_err(|error| self.blame(error))?;
        self.at += 1;
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        (self.at, self.due, self.step) = (0, None, None);
        self.operations.restart();
        Ok(())
    }
}

/// The form of a template's answer.
struct FormOf(Arc<Template>);

impl Deref for FormOf {
    type Target = Form;

    fn deref(&self) -> &Form {
        &self.0.form
    }
}

/// Where the rows of an operation go.
enum Rows<S> {
    Body(Body<FormOf>),
    Own(S),
}

impl<S> Rows<S> {
    fn into_sink(self) -> Option<S> {
        match self {
            Rows::Body(_) => None,
            Rows::Own(sink) => Some(sink),
        }
    }
}

impl<S: Sink> Sink for Rows<S> {
    const PACE: Pace = Pace::Database;

    fn columns(&mut self, types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        match self {
            Rows::Body(body) => body.columns(types),
            Rows::Own(sink) => sink.columns(types),
        }
    }

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        match self {
            Rows::Body(body) => body.row(row),
            Rows::Own(sink) => sink.row(row),
        }
    }

    fn complete(&mut self) -> Result<()> {
        match self {
            Rows::Body(body) => body.complete(),
            Rows::Own(sink) => sink.complete(),
        }
    }
}
