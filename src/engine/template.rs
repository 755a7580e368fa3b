//! What all requests of one shape have in common: the statement, the transaction around it, and what becomes of the rows.
//! A template is made of a plan, borrows nothing of the catalog, and is run with the literals of one request.

use super::templates::Made;
use crate::{
    auth::Identity,
    error::Result,
    execute::{Fitness, Form, Report, Unit, response},
    media::MediaType,
    memory::Memory,
    metrics::Route,
    outcome::{Facts, Outcome},
    plan::{
        Plan,
        transaction::{Access, End, Expectation, Isolation, Reach, ResponseSettings},
    },
    request::{literal::Literals, prefer, range::Range, shape::Told},
    sql::{self, Count, Fact, Fragment, Settings, Statement},
};
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The statement of a plan, its transaction, and the form of its answer, without the values of any request.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) access: Access,
    reach: Reach,
    /// A replica could not do what the primary then did: it is not asked again.
    needs_primary: AtomicBool,
    /// What the rows become, where the answer is a body.
    pub(super) form: Form,
    pub(super) isolation: Isolation,
    pub(super) settings: Settings,
    /// What its requests are counted as.
    pub(super) route: Arc<Route>,
    pre_request: Option<Fragment>,
    statement: Statement,
    looking: Option<Statement>,
    count: Option<Count>,
    response_settings: ResponseSettings,
    expectation: Expectation,
    end: End,
    content_type: Arc<str>,
    facts: Facts,
    numbers: Numbers,
}

/// How an answer counts its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbers {
    /// By the rows that the statement gave.
    Rows,
    /// As one, whatever filters leave: the function returns no set. The total is the statement's.
    OneOf,
    /// As one, and the total is one too.
    One,
}

impl Made for Template {
    fn size(&self) -> usize {
        let statements = std::iter::once(&self.statement).chain(&self.looking);
        statements.map(|statement| statement.fragment.as_str().len()).sum()
    }
}

impl Template {
    pub(super) fn of(plan: &Plan<'_>, route: Arc<Route>) -> Self {
        let transaction = &plan.transaction;
        let is_whole =
            plan.count == Some(prefer::Count::Exact) && plan.operation.node().range == Range::default();
        let statement = sql::statement(plan);
        Self {
            access: transaction.access,
            reach: transaction.reach,
            needs_primary: AtomicBool::new(false),
            form: Form::of(&statement.layout),
            isolation: transaction.isolation,
            settings: Settings::of(plan),
            route,
            pre_request: sql::pre_request(plan.config),
            statement,
            looking: sql::looking(plan),
            count: sql::count(plan),
            response_settings: transaction.response_settings,
            expectation: transaction.expectation,
            end: transaction.end,
            content_type: plan.media.as_ref().map(MediaType::content_type).unwrap_or_default().into(),
            facts: plan.facts.clone(),
            numbers: match (plan.operation.is_single(), is_whole) {
                (false, _) => Numbers::Rows,
                (true, false) => Numbers::OneOf,
                (true, true) => Numbers::One,
            },
        }
    }

    /// The unit of work of one request.
    pub(super) fn unit<'t>(
        &'t self,
        literals: &'t Literals,
        told: &Told,
        identity: &Identity,
        memory: &Memory,
    ) -> Unit<'t> {
        Unit {
            settings: self.settings.of_transaction(identity, told),
            access: self.access,
            isolation: self.isolation,
            pre_request: self.pre_request.as_ref().map(Cow::Borrowed),
            statement: Cow::Borrowed(&self.statement),
            looking: self.looking.as_ref().map(Cow::Borrowed),
            count: self.count.as_ref().map(Cow::Borrowed),
            literals: Cow::Borrowed(literals),
            response_settings: self.response_settings,
            expectation: self.expectation,
            end: self.end,
            seen: told.context.seen,
            deadline: told.deadline,
            memory: memory.request(),
        }
    }

    /// Which servers it may run on.
    pub(super) fn reach(&self) -> Reach {
        match self.needs_primary.load(Ordering::Relaxed) {
            true => Reach::Primary,
            false => self.reach,
        }
    }

    /// What a report says of the request, without the body.
    pub(super) fn outcome(&self, report: Report) -> Result<Outcome> {
        match report.fitness {
            Fitness::Fit => {}
            Fitness::Unfit => self.needs_primary.store(true, Ordering::Relaxed),
        }
        let (rows, total) = match self.numbers {
            Numbers::Rows => (report.rows, report.total),
            Numbers::OneOf => (1, report.total),
            Numbers::One => (1, Some(1)),
        };
        let mut outcome = Outcome {
            content_type: Arc::clone(&self.content_type),
            rows,
            total,
            headers: response::headers(report.headers.as_deref())?,
            status: response::status(report.status.as_deref())?,
            facts: self.facts.clone(),
            position: report.position,
            ..Outcome::default()
        };
        // Where no row came there are no values.
        let values = report.facts.into_iter().chain(std::iter::repeat(None));
        for (fact, value) in self.statement.facts.iter().zip(values) {
            match fact {
                Fact::Inserted => {
                    outcome.inserted = value.map_or(Some(0), |inserted| inserted.parse().ok());
                }
                Fact::IsInserted => outcome.inserted = Some(report.inserted),
                // `Location` names one row.
                Fact::Key(column) if outcome.rows == 1 => {
                    outcome.location.get_or_insert_default().push((column.clone(), value));
                }
                Fact::Key(_) | Fact::Present | Fact::Total | Fact::Rows | Fact::Left => {}
            }
        }
        Ok(outcome)
    }
}
