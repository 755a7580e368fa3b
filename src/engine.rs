//! `Engine::run(Request, Identity) → Outcome`: the whole of a request, from
//! what was asked to what came back. It knows no protocol.

mod outdated;
mod privileges;

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
    sql::{self, Fact, Statement},
};
use std::{sync::Arc, time::Instant};

/// A catalog, a configuration and a pool that belong together. A reload makes
/// a new one; requests under way keep theirs.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
    config: Arc<Config>,
    pool: Pool,
    roles: RoleSettings,
    memory: Memory,
}

impl Engine {
    /// An engine; `roles` are the settings of the roles that requests run as, and `memory` is what answers may hold.
    pub fn new(
        catalog: Arc<Catalog>,
        config: Arc<Config>,
        pool: Pool,
        roles: RoleSettings,
        memory: Memory,
    ) -> Self {
        Self { catalog, config, pool, roles, memory }
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

    /// Runs a request whose answer is a body.
    pub async fn run(&self, request: Request, identity: &Identity) -> Result<Outcome> {
        let mut plan = plan::plan(request, &self.catalog, &self.config, self.caller(identity))?;
        let unit = unit(&plan);
        let planned = self.config.server_timing_enabled.then(Instant::now);
        let facts = unit.statement.facts.clone();
        // What has been carried out is answered, whatever others hold: a client that is told to try again would do it twice.
        let lease = match unit.access {
            Access::ReadOnly => self.memory.lease(),
            Access::ReadWrite => self.memory.overdraft(),
        };
        let mut body = Body::new(&unit.statement.layout, lease);
        let report = self.execute(unit, &mut plan, identity, &mut body).await?;
        let outcome = outcome(&plan, &facts, report)?;
        Ok(Outcome { body: body.finish(), planned, ..outcome })
    }

    /// Runs a request whose rows go into `sink` as binary columns, in the order
    /// of the select list; the outcome comes when the transaction has ended.
    pub async fn stream<S: Sink>(
        &self,
        request: Request,
        identity: &Identity,
        sink: &mut S,
    ) -> Result<Outcome> {
        let mut plan = plan::plan(request, &self.catalog, &self.config, self.caller(identity))?;
        let unit = unit(&plan);
        let facts = unit.statement.facts.clone();
        let report = self.execute(unit, &mut plan, identity, sink).await?;
        outcome(&plan, &facts, report)
    }

    /// What the role of `identity` may do in `schema`.
    pub async fn privileges(&self, schema: &str, identity: &Identity) -> Result<Privileges> {
        let unit = question(sql::privileges(schema), identity);
        let mut collector = privileges::Collector::default();
        self.pool.run(unit, &mut collector).await?;
        Ok(collector.0)
    }

    /// Runs the unit of a plan, a second time where the plan read columns that were dropped since the last load.
    async fn execute<S: Sink>(
        &self,
        unit: Unit,
        plan: &mut Plan<'_>,
        identity: &Identity,
        sink: &mut S,
    ) -> Result<Report> {
        match self.pool.run(unit, sink).await {
            Err(error) if outdated::is_suspect(&error) => {
                match Box::pin(self.forget_dropped(plan, identity)).await {
                    Ok(true) => self.pool.run(self::unit(plan), sink).await,
                    Ok(false) | Err(_) => Err(error),
                }
            }
            report => report,
        }
    }

    fn caller<'e>(&'e self, identity: &'e Identity) -> Caller<'e> {
        let settings = self.roles.get(&identity.role).map(Vec::as_slice).unwrap_or_default();
        Caller { identity, settings }
    }
}

/// The plan as one unit of work.
fn unit(plan: &Plan<'_>) -> Unit {
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
    }
}

/// A unit that asks something of the database for pgduet's own use, as the role of `identity`.
fn question(statement: Statement, identity: &Identity) -> Unit {
    Unit {
        settings: vec![
            ("role".into(), identity.role.clone().into()),
            ("request.jwt.claims".into(), identity.claims_json().clone()),
        ],
        access: Access::ReadOnly,
        isolation: Isolation::default(),
        pre_request: None,
        statement,
        count: None,
        response_settings: ResponseSettings::Unset,
        expectation: Expectation::Any,
        end: End::Commit,
        deadline: None,
    }
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
