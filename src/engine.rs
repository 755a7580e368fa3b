//! `Engine::run(Request, Identity) → Outcome`: the whole of a request, from
//! what was asked to what came back. It knows no protocol.

mod message;
mod outdated;
mod privileges;
mod renewal;

use crate::{
    auth::Identity,
    catalog::{
        Catalog,
        descriptor::{Function, Relation},
    },
    config::Config,
    error::Result,
    execute::{Body, Pool, Report, Unit, configuration::RoleSettings, response},
    media::MediaType,
    memory::Memory,
    outcome::{Outcome, Privileges, Sink},
    plan::{
        self, Plan,
        transaction::{Access, Caller, End, Expectation, Isolation, ResponseSettings},
    },
    request::{Request, payload::Arguments, prefer::Count, range::Range},
    sql::{self, Fact, Layout, Statement},
};
use bytes::Bytes;
use outdated::{Attempts, Watched};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

pub use renewal::Renewal;

/// A catalog, a configuration and a pool that belong together. A reload makes
/// a new one; requests under way keep theirs.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
    config: Arc<Config>,
    pool: Pool,
    roles: RoleSettings,
    renewal: Arc<Renewal>,
    memory: Memory,
}

impl Engine {
    /// An engine; `roles` are the settings of the roles that requests run as, by `renewal` it finds its successor, and
    /// `memory` is what answers may hold.
    pub fn new(
        catalog: Arc<Catalog>,
        config: Arc<Config>,
        pool: Pool,
        roles: RoleSettings,
        renewal: Arc<Renewal>,
        memory: Memory,
    ) -> Self {
        Self { catalog, config, pool, roles, renewal, memory }
    }

    /// What is known of the database.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The memory that bodies and answers may hold.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The relation of this name; PGRST205 if there is none.
    pub fn relation(&self, schema: &str, name: &str) -> Result<&Relation> {
        plan::relation(schema, name, &self.catalog, &self.config)
    }

    /// The function that a call with these arguments finds; PGRST202 or PGRST203 if that is not one.
    pub fn function(&self, schema: &str, name: &str, arguments: &Arguments) -> Result<&Function> {
        plan::function(schema, name, arguments, &self.catalog, &self.config)
    }

    /// Runs a request whose answer is a body. Where the catalog turns out to be behind the database, it waits for an
    /// engine that knows and has the request answered by that.
    pub async fn run(&self, request: Request, identity: &Identity) -> Result<Outcome> {
        let mut attempts = Attempts::at(request);
        let mut renewed: Option<Arc<Engine>> = None;
        loop {
            let engine = renewed.as_deref().unwrap_or(self);
            let error = match engine.answer(attempts.request(), identity).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            renewed = Some(attempts.successor(engine, &error, identity).await.ok_or(error)?);
        }
    }

    async fn answer(&self, request: Request, identity: &Identity) -> Result<Outcome> {
        let plan = self.plan(request, identity)?;
        let unit = self.unit(&plan);
        let planned = self.config.server_timing_enabled.then(Instant::now);
        let facts = unit.statement.facts.clone();
        let mut body = Body::new(&unit.statement.layout, unit.lease());
        let report = self.pool.run(unit, &mut body).await?;
        let outcome = outcome(&plan, &facts, report)?;
        Ok(Outcome { body: body.finish(), planned, ..outcome })
    }

    /// Runs a request whose rows go into `sink` as binary columns, in the order
    /// of the select list; the outcome comes when the transaction has ended.
    /// Where the catalog turns out to be behind the database, the request is
    /// answered by an engine that knows, unless the rows have changed their form.
    pub async fn stream<S: Sink>(
        &self,
        request: Request,
        identity: &Identity,
        sink: &mut S,
    ) -> Result<Outcome> {
        let mut attempts = Attempts::at(request);
        let mut renewed: Option<Arc<Engine>> = None;
        loop {
            let engine = renewed.as_deref().unwrap_or(self);
            let mut watched = Watched::new(sink);
            let delivered = engine.deliver(attempts.request(), identity, self, &mut watched);
            let error = match delivered.await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            let had_rows = watched.had_rows;
            let next = match attempts.successor(engine, &error, identity).await {
                Some(next) => next,
                None => return Err(error),
            };
            if had_rows {
                // What is wrong is perhaps better said by what has changed.
                next.plan_for(self, attempts.request(), identity)?;
                return Err(error);
            }
            renewed = Some(next);
        }
    }

    async fn deliver<S: Sink>(
        &self,
        request: Request,
        identity: &Identity,
        first: &Engine,
        sink: &mut S,
    ) -> Result<Outcome> {
        let plan = self.plan_for(first, request, identity)?;
        let unit = self.unit(&plan);
        let facts = unit.statement.facts.clone();
        let report = self.pool.run(unit, sink).await?;
        outcome(&plan, &facts, report)
    }

    /// What the role of `identity` may do in `schema`.
    pub async fn privileges(&self, schema: &str, identity: &Identity) -> Result<Privileges> {
        let unit = self.question(sql::privileges(schema), as_role_of(identity));
        let mut collector = privileges::Collector::default();
        self.pool.run(unit, &mut collector).await?;
        Ok(collector.0)
    }

    fn plan<'e>(&'e self, request: Request, identity: &'e Identity) -> Result<Plan<'e>> {
        plan::plan(request, &self.catalog, &self.config, self.caller(identity))
    }

    /// A plan whose rows are those that the engine `first` would have had.
    fn plan_for<'e>(
        &'e self,
        first: &'e Engine,
        request: Request,
        identity: &'e Identity,
    ) -> Result<Plan<'e>> {
        if std::ptr::eq(self, first) {
            return self.plan(request, identity);
        }
        let mut plan = self.plan(request.clone(), identity)?;
        message::keep(&first.plan(request, identity)?, &mut plan)?;
        Ok(plan)
    }

    /// Whether the database answers on a connection of the pool, within this time.
    pub async fn is_answered(&self, within: Duration) -> bool {
        let mut unit = self.question(sql::ping(), Vec::new());
        unit.deadline = Some(within);
        let mut nothing = Body::new(&Layout::Nothing, unit.lease());
        self.pool.run(unit, &mut nothing).await.is_ok()
    }

    fn caller<'e>(&'e self, identity: &'e Identity) -> Caller<'e> {
        let settings = self.roles.get(&identity.role).map(Vec::as_slice).unwrap_or_default();
        Caller { identity, settings }
    }

    /// The plan as one unit of work.
    fn unit(&self, plan: &Plan<'_>) -> Unit {
        let transaction = &plan.transaction;
        Unit {
            settings: sql::settings(plan),
            access: transaction.access,
            isolation: transaction.isolation,
            pre_request: sql::pre_request(plan),
            statement: sql::statement(plan),
            count: sql::count(plan),
            response_settings: transaction.response_settings,
            expectation: transaction.expectation,
            end: transaction.end,
            deadline: transaction.deadline,
            memory: self.memory.request(),
        }
    }

    /// A unit that asks something of the database for pgduet's own use.
    fn question(&self, statement: Statement, settings: Settings) -> Unit {
        Unit {
            settings,
            access: Access::ReadOnly,
            isolation: Isolation::default(),
            pre_request: None,
            statement,
            count: None,
            response_settings: ResponseSettings::Unset,
            expectation: Expectation::Any,
            end: End::Commit,
            deadline: None,
            memory: self.memory.request(),
        }
    }
}

/// Settings of a unit, as `Unit` has them.
type Settings = Vec<(Cow<'static, str>, Bytes)>;

/// Those that make a unit run as the role of `identity`.
fn as_role_of(identity: &Identity) -> Settings {
    vec![
        ("role".into(), identity.role.clone().into()),
        ("request.jwt.claims".into(), identity.claims_json().clone()),
    ]
}

fn outcome(plan: &Plan<'_>, facts: &[Fact], report: Report) -> Result<Outcome> {
    let is_whole = plan.count == Some(Count::Exact) && plan.operation.node().range == Range::default();
    let (rows, total) = match (plan.operation.is_single(), is_whole) {
        (false, _) => (report.rows, report.total),
        (true, false) => (1, report.total),
        (true, true) => (1, Some(1)),
    };
    let mut outcome = Outcome {
        content_type: plan.media.as_ref().map(MediaType::content_type).unwrap_or_default(),
        rows,
        total,
        headers: response::headers(report.headers.as_deref())?,
        status: response::status(report.status.as_deref())?,
        facts: plan.facts.clone(),
        ..Outcome::default()
    };
    // Where no row came there are no values.
    let values = report.facts.into_iter().chain(std::iter::repeat(None));
    for (fact, value) in facts.iter().zip(values) {
        match fact {
            Fact::Inserted => {
                outcome.inserted = value.map_or(Some(0), |inserted| inserted.parse().ok());
            }
            // Of several rows there is no one place.
            Fact::Key(column) if outcome.rows == 1 => {
                outcome.location.get_or_insert_default().push((column.clone(), value));
            }
            Fact::Key(_) | Fact::Present | Fact::Total | Fact::Rows => {}
        }
    }
    Ok(outcome)
}
