//! From what was asked to what will be done: a request is resolved against
//! the catalog into a plan that can no longer be wrong in shape. It knows no
//! SQL and talks to nobody.

mod aggregate;
pub mod call;
mod code;
mod embed;
mod filter;
mod hint;
pub mod limits;
pub mod mutate;
mod named;
pub mod negotiate;
mod order;
mod reach;
mod read;
mod resolve;
mod targets;
pub mod transaction;
pub mod tree;

use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation},
        routine::Shape,
    },
    config::{Config, TxEnd},
    error::{Error, Fault, Result},
    media::MediaType,
    outcome::{Facts, LegacyName},
    request::{
        Accept, Action, Query,
        literal::Number,
        payload::Arguments,
        prefer::{Count, Handling, Preferences, TransactionEnd},
        range::beyond_the_end,
        select::Texts,
        shape::Shape as Asked,
    },
};
use call::Call;
use mutate::{Change, Mutation, Whole};
pub use named::Named;
use negotiate::{Agreed, Body, Explain, Selected};
use transaction::{Access, End, Expectation, Isolation, Transaction};
use tree::Node;

/// What will be done. It borrows from the catalog and the configuration.
#[derive(Debug)]
pub struct Plan<'c> {
    /// The catalog that it was resolved against.
    pub catalog: &'c Catalog,
    /// The configuration in force.
    pub config: &'c Config,
    /// What is read, and of what.
    pub operation: Operation<'c>,
    /// Which parts of it are wanted as text.
    pub texts: Texts,
    /// What the rows become.
    pub body: Body<'c>,
    /// What that is called; `None` where rows go to an encoder.
    pub media: Option<MediaType>,
    /// How the statement is explained, where it is not to be run.
    pub explain: Option<Explain>,
    /// How the total is found, where it was asked for.
    pub count: Option<Count>,
    /// The transaction it runs in.
    pub transaction: Transaction<'c>,
    /// What answers depend on.
    pub facts: Facts,
}

impl<'c> Plan<'c> {
    /// Changes what is read in the end.
    pub fn adapt(&mut self, change: impl FnOnce(&mut Node<'c>) -> Result<()>) -> Result<()> {
        match &mut self.operation {
            Operation::Read(node) => change(node),
            Operation::Mutation(mutation, node) => {
                change(node)?;
                mutation.returned = mutate::returned(node);
                Ok(())
            }
            Operation::Call(call, node) => {
                change(node)?;
                call.returned = mutate::returned(node);
                Ok(())
            }
        }
    }
}

/// What is done before rows are read, and what is read of them.
#[derive(Debug)]
pub enum Operation<'c> {
    /// Rows of a relation are read.
    Read(Node<'c>),
    /// A relation is changed; the changed rows are read.
    Mutation(Mutation<'c>, Node<'c>),
    /// A function is called; its result is read.
    Call(Call<'c>, Node<'c>),
}

impl<'c> Operation<'c> {
    /// What is read in the end.
    pub fn node(&self) -> &Node<'c> {
        match self {
            Operation::Read(node) | Operation::Mutation(_, node) | Operation::Call(_, node) => node,
        }
    }

    /// Whether there is one result, whatever filters leave of it: that of a
    /// function that returns no set.
    pub fn is_single(&self) -> bool {
        match self {
            Operation::Call(call, _) => !call.function.returns_set,
            Operation::Read(_) | Operation::Mutation(..) => false,
        }
    }

    /// Has rows come back whole where the body is made of such.
    fn serve(&mut self, body: &Body<'_>) {
        if matches!(body, Body::Handler(handler) if handler.relation != 0) {
            match self {
                Operation::Read(_) => {}
                Operation::Mutation(mutation, _) => mutation.returned.row = Whole::Needed,
                Operation::Call(call, _) => call.returned.row = Whole::Needed,
            }
        }
    }
}

/// What the parts of planning give for an action.
struct Planned<'c> {
    operation: Operation<'c>,
    access: Access,
    function: Option<&'c Function>,
    legacy_names: Vec<LegacyName>,
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
        let schema = &self.schema;
        let error = Error::new(
            Fault::RelationMissing,
            format!("Could not find the table '{schema}.{name}' in the schema cache"),
        );
        match self.catalog.relation_like(schema, name, hint::CLOSE) {
            Some(meant) => error.hint(format!("Perhaps you meant the table '{schema}.{meant}'")),
            None => error,
        }
    }
}

/// The catalog refers to what it does not have: no catalog that was derived from a database does.
fn contradiction() -> Box<Error> {
    Error::new(Fault::Internal, "The schema cache contradicts itself")
}

/// The relation of this name; PGRST205 if there is none.
pub fn relation<'c>(
    schema: &str,
    name: &str,
    catalog: &'c Catalog,
    config: &'c Config,
) -> Result<&'c Relation> {
    Context { catalog, config, schema: schema.to_owned(), max_rows: None }.relation(name)
}

/// The function that a GET with these arguments calls; PGRST202 or PGRST203 if that is not one.
pub fn function<'c>(
    schema: &str,
    name: &str,
    arguments: &Arguments,
    catalog: &'c Catalog,
    config: &'c Config,
) -> Result<&'c Function> {
    let context = Context { catalog, config, schema: schema.to_owned(), max_rows: None };
    call::resolve(name, arguments, &context)
}

/// Plans what was asked by a role with these settings.
pub fn plan<'c>(
    asked: Asked,
    catalog: &'c Catalog,
    config: &'c Config,
    role_settings: &'c [(String, String)],
) -> Result<Plan<'c>> {
    let Asked { schema, action, query, preferences, accept } = asked;
    let max_rows = config.db_max_rows;
    let context = Context { catalog, config, schema, max_rows };
    let selected = Selected::by(&query.select);
    let texts = query.texts.clone();
    let Planned { mut operation, access, function, legacy_names } =
        by_action(action, query, &preferences, &context)?;
    let agreed = negotiate::agree(&accept, selected, &operation, &context);
    let Agreed { body, media, explain } = match operation {
        // Of two faults, PostgREST tells this one first.
        Operation::Mutation(..) => known_preferences(&preferences).and(agreed)?,
        Operation::Read(_) | Operation::Call(..) => {
            agreed.and_then(|agreed| known_preferences(&preferences).map(|()| agreed))?
        }
    };
    if explain.is_none() {
        has_value(&operation, &body)?;
    }
    let expectation = expectation(&operation, &body, &accept, explain.as_ref(), &preferences)?;
    let body = negotiate::wanted(body, &accept, &operation, &preferences);
    match (&operation, &body) {
        // Nothing is selected.
        (Operation::Mutation(..), Body::Nothing) => {}
        (Operation::Mutation(..) | Operation::Read(_) | Operation::Call(..), _) => {
            embed::once_each(operation.node(), 1)?;
        }
    }
    operation.serve(&body);
    let isolation = isolation(role_settings, function);
    let transaction = Transaction {
        access,
        reach: reach::reach(access, isolation, &preferences, &operation),
        isolation,
        end: end(config.db_tx_end, preferences.transaction_end),
        expectation,
        response_settings: code::response_settings(config, &operation, &body, catalog),
        schema: context.schema,
        role_settings,
        function_settings: function.map(|function| hoisted(function, config)).unwrap_or_default(),
    };
    let facts = Facts {
        resolution_applied: resolves(&operation),
        returns_void: matches!(operation, Operation::Call(Call { shape: Shape::Void, .. }, _)),
        has_body: !matches!(body, Body::Nothing),
        legacy_names,
    };
    let count = match operation {
        Operation::Read(_) => preferences.count,
        // As PostgREST has it: what the planner thinks of a function is worth nothing.
        Operation::Call(..) => match preferences.count {
            Some(Count::Exact | Count::Estimated) => Some(Count::Exact),
            Some(Count::Planned) | None => None,
        },
        // A mutation's total is the number of its rows.
        Operation::Mutation(..) => None,
    };
    Ok(Plan { catalog, config, operation, texts, body, media, explain, count, transaction, facts })
}

fn by_action<'c>(
    action: Action,
    query: Query,
    preferences: &Preferences,
    context: &Context<'c>,
) -> Result<Planned<'c>> {
    let (relation, asked) = match action {
        Action::Read { relation } => return read::plan(&relation, query, context),
        Action::Call { function, arguments, access } => {
            return call::plan(&function, arguments, access, query, context);
        }
        Action::Insert { relation, payload, columns, on_conflict } => {
            (relation, mutate::Asked::Insert { payload, columns, on_conflict })
        }
        Action::Upsert { relation, payload, columns } => {
            (relation, mutate::Asked::Upsert { payload, columns })
        }
        Action::Update { relation, payload, columns, parts } => {
            (relation, mutate::Asked::Update { payload, columns, parts })
        }
        Action::UpdateEach { relation, payload, key, parts } => {
            (relation, mutate::Asked::UpdateEach { payload, key, parts })
        }
        Action::Delete { relation } => (relation, mutate::Asked::Delete),
    };
    // What was changed is told whole.
    let context = Context { max_rows: None, schema: context.schema.clone(), ..*context };
    mutate::plan(&relation, asked, query, preferences, &context)
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
/// To undo is always allowed: the REST side asks for it only where it is configured.
fn end(configured: TxEnd, preferred: Option<TransactionEnd>) -> End {
    match (configured, preferred) {
        (TxEnd::Rollback, _) | (_, Some(TransactionEnd::Rollback)) => End::Rollback,
        (TxEnd::Commit | TxEnd::CommitAllowOverride, Some(TransactionEnd::Commit) | None) => End::Commit,
        (TxEnd::RollbackAllowOverride, Some(TransactionEnd::Commit)) => End::Commit,
        (TxEnd::RollbackAllowOverride, None) => End::Rollback,
    }
}

/// The function's isolation level, or the role's.
pub fn isolation(role_settings: &[(String, String)], function: Option<&Function>) -> Isolation {
    const LEVEL: &str = "default_transaction_isolation";
    let of_function = function.and_then(|f| f.settings.iter().rfind(|setting| setting.name == LEVEL));
    let of_role = || role_settings.iter().rfind(|(name, _)| name == LEVEL).map(|(_, value)| value);
    let level = of_function.map(|setting| &setting.value).or_else(of_role);
    level.and_then(|level| Isolation::named(level)).unwrap_or_default()
}

/// Those settings of a function that hold for the whole transaction.
fn hoisted<'c>(function: &'c Function, config: &Config) -> Vec<(&'c str, &'c str)> {
    let settings = function.settings.iter();
    let settings = settings.filter(|setting| config.db_hoisted_tx_settings.contains(&setting.name));
    settings.map(|setting| (setting.name.as_str(), setting.value.as_str())).collect()
}

/// Refuses to pass over the one value that a body is made of.
fn has_value(operation: &Operation<'_>, body: &Body<'_>) -> Result<()> {
    let Operation::Call(call, node) = operation else { return Ok(()) };
    let is_value = match body {
        Body::Raw => true,
        Body::Handler(_) => call.is_scalar() && operation.is_single(),
        Body::Array(_) | Body::Object(_) | Body::Csv | Body::GeoJson | Body::Columns | Body::Nothing => false,
    };
    match node.range.offset {
        Number::Given(offset @ 1..) if is_value => Err(beyond_the_end(offset, 1)),
        Number::Given(_) | Number::Moved(_) => Ok(()),
    }
}

/// What must hold of the row count.
fn expectation(
    operation: &Operation<'_>,
    body: &Body<'_>,
    accept: &Accept,
    explain: Option<&Explain>,
    preferences: &Preferences,
) -> Result<Expectation> {
    if explain.is_some() {
        return Ok(Expectation::Any);
    }
    let limit = preferences.max_affected.filter(|_| preferences.handling == Some(Handling::Strict));
    let limit = match operation {
        Operation::Mutation(Mutation { change: Change::Upsert { .. }, .. }, _) => {
            return Ok(Expectation::UpsertedOne);
        }
        Operation::Call(..) if limit.is_some() && operation.is_single() => {
            return Err(Error::new(
                Fault::MaxAffectedUnusable,
                "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
            ));
        }
        Operation::Call(..) => limit,
        Operation::Mutation(
            Mutation { change: Change::Update(_) | Change::UpdateEach { .. } | Change::Delete, .. },
            _,
        ) => limit,
        Operation::Mutation(Mutation { change: Change::Insert { .. }, .. }, _) | Operation::Read(_) => None,
    };
    Ok(match (body.is_singular() && !operation.is_single(), limit, accept) {
        (true, ..) => Expectation::One,
        (false, Some(limit), _) => Expectation::AtMost(limit),
        (false, None, Accept::CheckedColumns) => Expectation::Sink,
        (false, None, Accept::Media(_) | Accept::Head(_) | Accept::Columns) => Expectation::Any,
    })
}

/// Whether `resolution` has an effect.
fn resolves(operation: &Operation<'_>) -> bool {
    match operation {
        Operation::Mutation(Mutation { change: Change::Insert { conflict, .. }, .. }, _) => {
            conflict.is_some()
        }
        Operation::Mutation(..) | Operation::Read(_) | Operation::Call(..) => false,
    }
}
