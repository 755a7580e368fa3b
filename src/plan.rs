//! From what was asked to what will be done: a request is resolved against
//! the catalog into a plan that can no longer be wrong in shape. It knows no
//! SQL and talks to nobody.

mod aggregate;
mod embed;
mod filter;
mod hint;
pub mod limits;
pub mod negotiate;
mod order;
mod read;
mod resolve;
pub mod transaction;
pub mod tree;

use crate::{
    catalog::{Catalog, descriptor::Relation, routine::Shape},
    config::{Config, TxEnd},
    error::{Error, Fault, Result},
    outcome::Facts,
    request::{
        Action, Request,
        prefer::{Count, Handling, Preferences, TransactionEnd},
    },
};
use negotiate::Body;
use transaction::{Access, Caller, End, Expectation, Isolation, ResponseSettings, Session, Transaction};
use tree::{Item, Node, Origin, Source};

/// What will be done. It borrows from the catalog and the configuration.
#[derive(Debug)]
pub struct Plan<'c> {
    /// The catalog that it was resolved against.
    pub catalog: &'c Catalog,
    /// The configuration in force.
    pub config: &'c Config,
    /// What is read, and of what.
    pub operation: Operation<'c>,
    /// What the rows become.
    pub body: Body<'c>,
    /// How the total is found, where it was asked for.
    pub count: Option<Count>,
    /// The transaction it runs in.
    pub transaction: Transaction<'c>,
    /// What answers depend on.
    pub facts: Facts,
}

/// What is done before rows are read, and the rows.
#[derive(Debug)]
pub enum Operation<'c> {
    /// Nothing.
    Read(Node<'c>),
}

impl<'c> Operation<'c> {
    /// What is read in the end.
    pub fn node(&self) -> &Node<'c> {
        match self {
            Operation::Read(node) => node,
        }
    }
}

/// What every part of planning looks at.
pub(crate) struct Context<'c> {
    catalog: &'c Catalog,
    config: &'c Config,
    schema: String,
    /// `db-max-rows`, where it applies to this request.
    max_rows: Option<u64>,
}

impl<'c> Context<'c> {
    /// The relation of this name, or PGRST205.
    fn relation(&self, name: &str) -> Result<&'c Relation> {
        self.catalog.relation(&self.schema, name).ok_or_else(|| self.relation_missing(name))
    }

    /// A relation that the catalog itself refers to.
    fn relation_of(&self, oid: u32) -> Result<&'c Relation> {
        self.catalog.relation_by_oid(oid).ok_or_else(contradiction)
    }

    fn relation_missing(&self, name: &str) -> Box<Error> {
        /// In larger schemas nothing is suggested: it would take too long.
        const SEARCHED: usize = 500;
        let schema = &self.schema;
        let error = Error::new(
            Fault::RelationMissing,
            format!("Could not find the table '{schema}.{name}' in the schema cache"),
        );
        let names: Vec<_> =
            self.catalog.relations_in(schema).map(|relation| relation.name.as_str()).collect();
        match hint::closest(name, names.iter().copied().filter(|_| names.len() < SEARCHED), hint::CLOSE) {
            Some(meant) => error.hint(format!("Perhaps you meant the table '{schema}.{meant}'")),
            None => error,
        }
    }
}

/// The catalog refers to what it does not have: no catalog that was derived from a database does.
fn contradiction() -> Box<Error> {
    Error::new(Fault::Internal, "The schema cache contradicts itself")
}

/// Plans a request of `caller`.
pub fn plan<'c>(
    request: Request,
    catalog: &'c Catalog,
    config: &'c Config,
    caller: Caller<'c>,
) -> Result<Plan<'c>> {
    let Request { schema, action, query, preferences, accept, context: told, deadline } = request;
    let mut context = Context { catalog, config, schema, max_rows: config.db_max_rows };
    known_preferences(&preferences)?;
    let (operation, access, warnings) = match action {
        Action::Read { relation } => {
            let relation = context.relation(&relation)?;
            let source = Source::Relation(relation);
            let tree = read::tree(Shape::Relation(relation), source, relation.name.clone(), query, &context)?;
            (Operation::Read(tree.root), Access::ReadOnly, tree.warnings)
        }
        _ => {
            context.max_rows = None;
            return Err(Error::new(Fault::NotImplemented, "Feature not implemented"));
        }
    };
    let body = negotiate::body(accept, &context)?;
    let expectation = match body.is_singular() {
        true => Expectation::One,
        false => Expectation::Any,
    };
    let transaction = Transaction {
        access,
        isolation: isolation(caller),
        end: end(config.db_tx_end, preferences.transaction_end),
        expectation,
        response_settings: response_settings(config, operation.node()),
        session: Session {
            schema: context.schema,
            caller,
            context: told,
            timezone: preferences.timezone,
            function: Vec::new(),
        },
        deadline,
    };
    let facts = Facts { has_body: true, warnings, ..Facts::default() };
    Ok(Plan { catalog, config, operation, body, count: preferences.count, transaction, facts })
}

/// Under strict handling there may be no unknown preferences.
fn known_preferences(preferences: &Preferences) -> Result<()> {
    if preferences.handling != Some(Handling::Strict) || preferences.unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new(Fault::InvalidPreferences, "Invalid preferences given with handling=strict")
        .details(format!("Invalid preferences: {}", preferences.unknown.join(", "))))
}

/// What the configuration says, unless the client may and does say otherwise.
fn end(configured: TxEnd, preferred: Option<TransactionEnd>) -> End {
    match (configured, preferred) {
        (TxEnd::Commit, _) => End::Commit,
        (TxEnd::Rollback, _) => End::Rollback,
        (TxEnd::CommitAllowOverride, Some(TransactionEnd::Rollback)) => End::Rollback,
        (TxEnd::CommitAllowOverride, Some(TransactionEnd::Commit) | None) => End::Commit,
        (TxEnd::RollbackAllowOverride, Some(TransactionEnd::Commit)) => End::Commit,
        (TxEnd::RollbackAllowOverride, Some(TransactionEnd::Rollback) | None) => End::Rollback,
    }
}

/// The role's isolation level.
fn isolation(caller: Caller<'_>) -> Isolation {
    let settings = caller.settings.iter().rev();
    let level = settings.into_iter().find(|(name, _)| name == "default_transaction_isolation");
    level.and_then(|(_, value)| Isolation::named(value)).unwrap_or_default()
}

/// Whether any code that is not PostgreSQL's own takes part.
fn response_settings(config: &Config, node: &Node<'_>) -> ResponseSettings {
    match config.db_pre_request.is_some() || runs_code(node) {
        true => ResponseSettings::Read,
        false => ResponseSettings::Unset,
    }
}

fn runs_code(node: &Node<'_>) -> bool {
    let source = match node.source {
        Source::Relation(relation) => relation.runs_code,
        Source::Computed(_) => true,
        Source::Result => false,
    };
    // What is no column can only be a function.
    let computed = |field: &tree::Field<'_>| !field.name.is_empty() && !is_column(field);
    let items = node.items.iter().any(|item| match item {
        Item::Field(output) => computed(&output.field) || output.representation.is_some(),
        Item::Embed(embed) => runs_code(&embed.node),
    });
    source
        || items
        || node.order.iter().any(|term| computed(&term.field))
        || node.conditions.iter().any(compares)
}

fn compares(condition: &tree::Condition<'_>) -> bool {
    match condition {
        tree::Condition::Group { members, .. } => members.iter().any(compares),
        tree::Condition::Compare { field, representation, .. } => {
            !is_column(field) || representation.is_some()
        }
        tree::Condition::Embed { .. } => false,
    }
}

fn is_column(field: &tree::Field<'_>) -> bool {
    match field.origin {
        Origin::Column(_) => true,
        Origin::Computed(_) | Origin::Unknown => false,
    }
}
