//! `Engine::run(Request, Identity) → Outcome`: the whole of a request, from
//! what was asked to what came back. It knows no protocol.

mod message;
mod outdated;
mod privileges;
mod renewal;
mod template;
mod templates;
mod transaction;

use crate::{
    admission::RoleLimits,
    auth::Identity,
    catalog::{
        Catalog,
        descriptor::{Function, Relation},
    },
    config::Config,
    error::Result,
    execute::{Body, Code, Pool, Targets, Unit, configuration::RoleSettings},
    memory::Memory,
    metrics::{Meters, Route, Subject},
    notes::{self, Laps, Stage},
    outcome::{Outcome, Sink},
    plan::{
        self, Plan,
        transaction::{Access, End, Expectation, Isolation, Reach, ResponseSettings},
    },
    request::{Action, Request, payload::Arguments, shape::Shape},
    sql::{Setting, Statement},
};
use outdated::{Attempts, Watched};
use privileges::Kept;
use std::{borrow::Cow, sync::Arc, time::Instant};
use template::Template;
use templates::Templates;

pub use renewal::Renewal;
pub use transaction::{MOST_OPERATIONS, Operation, Operations, check_count};

/// A catalog, a configuration and a pool that belong together. A reload makes
/// a new one; requests under way keep theirs.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
    config: Arc<Config>,
    targets: Targets,
    roles: RoleSettings,
    limits: RoleLimits,
    renewal: Arc<Renewal>,
    memory: Memory,
    templates: Templates,
    privileges: Kept,
}

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// The catalog of the database's schemas.
    pub catalog: Arc<Catalog>,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Where units run.
    pub targets: Targets,
    /// The settings of the roles that requests run as.
    pub roles: RoleSettings,
    /// How many requests these roles may have.
    pub limits: RoleLimits,
    /// Where it finds its successor.
    pub renewal: Arc<Renewal>,
    /// What bodies and answers may hold.
    pub memory: Memory,
}

impl Engine {
    /// An engine of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { catalog, config, targets, roles, limits, renewal, memory } = parts;
        targets.expect(match catalog.descriptor().has_dynamic_code {
            true => Code::Dynamic,
            false => Code::Static,
        });
        Self {
            catalog,
            config,
            targets,
            roles,
            limits,
            renewal,
            memory,
            templates: Templates::default(),
            privileges: Kept::default(),
        }
    }

    /// The catalog of the database's schemas.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Where requests are counted.
    pub fn meters(&self) -> &Meters {
        self.primary().meters()
    }

    /// What a request about a relation of this name is counted as.
    pub fn route_of_relation(&self, schema: &str, name: &str) -> Arc<Route> {
        match self.catalog.relation(schema, name) {
            Some(_) => self.meters().routes.of(Subject::Relation(schema, name)),
            None => self.meters().routes.unknown.clone(),
        }
    }

    /// What a request about a function of this name is counted as.
    pub fn route_of_function(&self, schema: &str, name: &str) -> Arc<Route> {
        match self.catalog.functions(schema, name).next() {
            Some(_) => self.meters().routes.of(Subject::Function(schema, name)),
            None => self.meters().routes.unknown.clone(),
        }
    }

    /// How many requests roles may have.
    pub fn limits(&self) -> &RoleLimits {
        &self.limits
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
            let error = match engine.answer(&attempts, identity).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            };
            renewed = Some(attempts.successor(engine, &error, identity).await.ok_or(error)?);
        }
    }

    async fn answer(&self, attempt: &Attempts, identity: &Identity) -> Result<Outcome> {
        let template = self.template(&attempt.shape, identity)?;
        let unit = template.unit(&attempt.literals, &attempt.told(), identity, &self.memory);
        let is_timed = self.config.server_timing_enabled || notes::are_taken();
        let planned = is_timed.then(Instant::now);
        let mut body = Body::new(&template.form, unit.lease());
        let report = self.targets.run(unit, self.reach(&template, identity), &mut body).await?;
        let outcome = template.outcome(report)?;
        Ok(Outcome { body: body.finish(), planned, route: Some(Arc::clone(&template.route)), ..outcome })
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
            let delivered = engine.deliver(&attempts, identity, self, &mut watched);
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
                next.plan_for(self, &attempts.shape, identity)?;
                return Err(error);
            }
            renewed = Some(next);
        }
    }

    async fn deliver<S: Sink>(
        &self,
        attempt: &Attempts,
        identity: &Identity,
        first: &Engine,
        sink: &mut S,
    ) -> Result<Outcome> {
        let mut laps = Laps::start();
        let template = match std::ptr::eq(self, first) {
            true => self.template(&attempt.shape, identity)?,
            false => Arc::new(Template::of(
                &self.plan_for(first, &attempt.shape, identity)?,
                self.route(&attempt.shape),
            )),
        };
        laps.lap(Stage::Plan);
        let unit = template.unit(&attempt.literals, &attempt.told(), identity, &self.memory);
        let report = self.targets.run(unit, self.reach(&template, identity), sink).await?;
        template.outcome(report)
    }

    fn template(&self, shape: &Shape, identity: &Identity) -> Result<Arc<Template>> {
        let make = |asked| self.plan(asked, identity).map(|plan| Template::of(&plan, self.route(shape)));
        self.templates.get(&identity.role, shape, &self.meters().templates, make)
    }

    fn route(&self, shape: &Shape) -> Arc<Route> {
        match &shape.action {
            Action::Read { relation }
            | Action::Insert { relation, .. }
            | Action::Upsert { relation, .. }
            | Action::Update { relation, .. }
            | Action::UpdateEach { relation, .. }
            | Action::Delete { relation } => self.route_of_relation(&shape.schema, relation),
            Action::Call { function, .. } => self.route_of_function(&shape.schema, function),
        }
    }

    fn plan(&self, shape: Shape, identity: &Identity) -> Result<Plan<'_>> {
        plan::plan(shape, &self.catalog, &self.config, self.role_settings(identity))
    }

    /// Which servers a request of this template and identity may run on.
    fn reach(&self, template: &Template, identity: &Identity) -> Reach {
        match self.config.db_primary_roles.contains(&identity.role) {
            true => Reach::Primary,
            false => template.reach(),
        }
    }

    /// Where what writes runs, and what asks about the catalog, which comes from there.
    fn primary(&self) -> &Pool {
        self.targets.primary()
    }

    /// What `ALTER ROLE … SET` gave the role of `identity`.
    fn role_settings(&self, identity: &Identity) -> &[(String, String)] {
        self.roles.get(&identity.role).map(Vec::as_slice).unwrap_or_default()
    }

    /// A plan whose rows are those that the engine `first` would have had.
    fn plan_for<'e>(&'e self, first: &'e Engine, shape: &Shape, identity: &Identity) -> Result<Plan<'e>> {
        let mut plan = self.plan(shape.clone(), identity)?;
        message::keep(&first.plan(shape.clone(), identity)?, &mut plan)?;
        Ok(plan)
    }
}

/// The settings that make a unit run as the role of `identity`.
fn as_role_of(identity: &Identity) -> Vec<Setting> {
    vec![
        ("role".into(), identity.role_value().clone()),
        ("request.jwt.claims".into(), identity.claims_json().clone()),
    ]
}

/// A unit that asks something of the database for pgduet's own use.
fn question<'s>(statement: &'s Statement, settings: Vec<Setting>, memory: &Memory) -> Unit<'s> {
    Unit {
        settings,
        access: Access::ReadOnly,
        isolation: Isolation::default(),
        pre_request: None,
        statement: Cow::Borrowed(statement),
        looking: None,
        count: None,
        literals: Cow::default(),
        response_settings: ResponseSettings::Unset,
        expectation: Expectation::Any,
        end: End::Commit,
        seen: None,
        deadline: None,
        memory: memory.request(),
    }
}
