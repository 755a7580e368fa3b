//! Fills the schema descriptor from a live PostgreSQL ≥ 14, in one READ ONLY
//! transaction of one snapshot and with an empty `search_path`, so that types
//! and defaults come out with their schemas. It derives nothing: relationships
//! and look-ups are made from the descriptor.
//!
//! ```text
//!     pgduet                                 PostgreSQL
//!       │ SET LOCAL, version, schemas, parts    │   who is asked, and when
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//!       │ [what mentions what has changed]      │   after another introspection
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//!       │ rules                                 │   the tables below views
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//!       │ [which relations there are]           │   after another introspection
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//!       │ relations, columns, keys, functions … │   all of it, in one flush
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//!       │ types                                 │   those that were mentioned
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//! ```
//!
//! After another introspection, relations and foreign keys are read where they may have changed (`since`), and taken from
//! the former descriptor where they have not; everything else is read. Both ways go through the same code and give the same
//! descriptor.

mod code;
mod functions;
mod node_tree;
mod relations;
mod row;
mod since;
mod types;

use super::{
    descriptor::{Database, MediaHandler, Relation, Representation, Schema},
    routine,
};
use crate::error::{Error, Fault, Result, chain};
use node_tree::Origins;
use row::{Fields, Parameter, each_row, rows};
use since::{Moment, Parts};
use std::collections::{HashMap, HashSet};
use tokio_postgres::{Client, IsolationLevel, Row, Transaction, types::Type};

pub use since::Known;

/// The oldest PostgreSQL that is supported.
const OLDEST: i32 = 140_000;

/// JIT costs more than these queries take, whatever the planner thinks.
const SETTINGS: &str =
    concat!("SET LOCAL search_path = ''; SET LOCAL jit = off;\n", include_str!("sql/own_session.sql"));

/// Which schemas are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The exposed ones, in this order.
    pub schemas: Vec<String>,
    /// Where views are followed to and computed fields looked for, too.
    pub extra_search_path: Vec<String>,
}

/// A former introspection.
#[derive(Clone, Copy, Debug)]
pub struct Former<'f> {
    /// What it left.
    pub known: &'f Known,
    /// The descriptor that it filled.
    pub database: &'f Database,
}

/// A descriptor that was filled.
#[derive(Debug)]
pub struct Introspected {
    /// The descriptor.
    pub database: Database,
    /// What the next introspection needs in order to read less.
    pub known: Known,
    /// How much of it was read.
    pub extent: Extent,
}

/// How much of a descriptor was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// So many relations, and all that is not of relations.
    Relations(usize),
}

/// The part of the database that an introspection reads.
struct Scope<'f> {
    /// The exposed schemas.
    schemas: Vec<u32>,
    /// The tables below their views.
    tables: Vec<u32>,
    /// The relations that are read.
    reading: Reading<'f>,
}

/// The relations that an introspection reads.
enum Reading<'f> {
    Everything,
    Changes {
        /// Those to be read, and those of others whose foreign keys are.
        read: Vec<u32>,
        touched: HashSet<u32>,
        /// The others.
        unchanged: Vec<&'f Relation>,
        known: &'f Known,
    },
}

/// What the first queries of a transaction tell.
struct Opening {
    database: Database,
    schemas: Vec<u32>,
    moment: Moment,
    parts: Parts,
    /// Of `changed.sql`.
    changed: Vec<Row>,
}

/// Reads the schemas `exposed` and what they refer to. Views are followed through views in these schemas and in the extra
/// search path, where computed fields are looked for too. What has not changed since the former introspection, if there was
/// one, is taken from it; the descriptor is the same as without.
///
/// # Errors
/// `CatalogUnavailable`: the database cannot be asked, or an exposed schema
/// does not exist; `cause` says which.
pub async fn introspect(
    client: &mut Client,
    exposed: &Exposed,
    former: Option<Former<'_>>,
) -> Result<Introspected> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|error| unavailable(chain(&error)))?;
    let former = former.filter(|former| former.known.exposed == *exposed);
    let Opening { mut database, schemas, moment, parts, changed } =
        open(&transaction, exposed, former).await?;
    let touched = match former {
        Some(former) => since::touched(&transaction, former.known, (&moment, &parts), &changed).await?,
        None => None,
    };
    let since = former.zip(touched);
    let origins = origins(&transaction, exposed, &since).await?;
    let tables = origins.tables();
    let reading = match since {
        Some((former, touched)) => reading(&transaction, (&schemas, &tables), former, touched).await?,
        None => Reading::Everything,
    };
    let extent = match &reading {
        Reading::Everything => Extent::Whole,
        Reading::Changes { read, .. } => Extent::Relations(read.len()),
    };
    let scope = Scope { schemas, tables, reading };
    let foreign_keys = fill(&transaction, &mut database, &scope, (exposed, &origins)).await?;
    types::load(&transaction, &mut database).await?;
    // It has changed nothing: how it ends does not matter, only that it does.
    transaction.commit().await.map_err(|error| unavailable(chain(&error)))?;
    let known = Known { exposed: exposed.clone(), moment, parts, origins, foreign_keys };
    Ok(Introspected { database, known, extent })
}

async fn open(
    transaction: &Transaction<'_>,
    exposed: &Exposed,
    former: Option<Former<'_>>,
) -> Result<Opening> {
    let settings =
        async { transaction.batch_execute(SETTINGS).await.map_err(|error| unavailable(chain(&error))) };
    let of_exposed: [Parameter; 1] = [(&exposed.schemas, Type::TEXT_ARRAY)];
    let changed = async {
        let Some(former) = former else { return Ok(Vec::new()) };
        let horizon = former.known.moment.horizon();
        rows(transaction, include_str!("sql/changed.sql"), &[(&horizon, Type::TEXT)]).await
    };
    let ((), moments, schemas, parts, changed) = tokio::try_join!(
        settings,
        rows(transaction, include_str!("sql/moment.sql"), &[]),
        rows(transaction, include_str!("sql/schemas.sql"), &of_exposed),
        rows(transaction, include_str!("sql/parts.sql"), &[]),
        changed,
    )?;
    let Some(moment) = moments.first() else { return Err(unavailable("nothing tells the version")) };
    let moment = Moment::of(moment)?;
    if moment.version < OLDEST {
        return Err(unavailable(format_args!("PostgreSQL 14 or later is needed")));
    }
    let mut database = Database { server_version: moment.version, ..Database::default() };
    let mut found = HashMap::new();
    for row in &schemas {
        let mut fields = Fields::of(row);
        let oid: u32 = fields.next()?;
        let schema = Schema { name: fields.next()?, comment: fields.next()? };
        found.insert(schema.name.clone(), (oid, schema));
    }
    let mut schemas = Vec::with_capacity(exposed.schemas.len());
    for name in &exposed.schemas {
        let (oid, schema) = match found.get(name) {
            Some(found) => found.clone(),
            None => return Err(unavailable(format_args!("schema {name:?} does not exist"))),
        };
        schemas.push(oid);
        database.schemas.push(schema);
    }
    Ok(Opening { database, schemas, moment, parts: Parts::of(&parts)?, changed })
}

/// Where the columns of views come from.
async fn origins(
    transaction: &Transaction<'_>,
    exposed: &Exposed,
    since: &Option<(Former<'_>, HashSet<u32>)>,
) -> Result<Origins> {
    let searched: Vec<&str> =
        exposed.schemas.iter().chain(&exposed.extra_search_path).map(String::as_str).collect();
    let mut origins = Origins::default();
    let mut of_views: Option<Vec<u32>> = None;
    if let Some((former, touched)) = since {
        origins.clone_from(&former.known.origins);
        origins.forget(touched);
        of_views = Some(touched.iter().copied().collect());
    }
    let parameters: [Parameter; 2] = [(&searched, Type::TEXT_ARRAY), (&of_views, Type::OID_ARRAY)];
    each_row(transaction, include_str!("sql/rules.sql"), &parameters, |row| {
        let mut fields = Fields::of(row);
        origins.add(fields.next()?, fields.next()?);
        Ok(())
    })
    .await?;
    Ok(origins)
}

/// What of these schemas and tables has to be read, and what can be taken from the former introspection.
async fn reading<'f>(
    transaction: &Transaction<'_>,
    (schemas, tables): (&Vec<u32>, &Vec<u32>),
    former: Former<'f>,
    touched: HashSet<u32>,
) -> Result<Reading<'f>> {
    let within: [Parameter; 2] = [(schemas, Type::OID_ARRAY), (tables, Type::OID_ARRAY)];
    let mut read: HashSet<u32> = HashSet::new();
    for row in &rows(transaction, include_str!("sql/scope.sql"), &within).await? {
        read.extend(Fields::of(row).next::<Vec<u32>>()?);
    }
    let mut unchanged = Vec::with_capacity(former.database.relations.len());
    for relation in &former.database.relations {
        if !touched.contains(&relation.oid) && read.remove(&relation.oid) {
            unchanged.push(relation);
        }
    }
    Ok(Reading::Changes { read: read.into_iter().collect(), touched, unchanged, known: former.known })
}

/// Fills in everything but types, and gives the foreign keys as they were read.
async fn fill(
    transaction: &Transaction<'_>,
    database: &mut Database,
    scope: &Scope<'_>,
    (exposed, origins): (&Exposed, &Origins),
) -> Result<Vec<relations::KeyRow>> {
    let (of_relations, of_touched) = match &scope.reading {
        Reading::Everything => (None, None),
        Reading::Changes { read, touched, .. } => {
            (Some(read), Some(touched.iter().copied().collect::<Vec<_>>()))
        }
    };
    let within: [Parameter; 3] = [
        (&scope.schemas, Type::OID_ARRAY),
        (&scope.tables, Type::OID_ARRAY),
        (&of_relations, Type::OID_ARRAY),
    ];
    let touched: [Parameter; 1] = [(&of_touched, Type::OID_ARRAY)];
    let callable: [Parameter; 2] =
        [(&scope.schemas, Type::OID_ARRAY), (&exposed.extra_search_path, Type::TEXT_ARRAY)];
    let (of_schemas, _) = within.split_at(1);
    // The most rows by far: taken while PostgreSQL works on the other queries.
    let columns = async {
        let mut columns = relations::Columns::default();
        each_row(transaction, include_str!("sql/columns.sql"), &within, |row| columns.add(row)).await?;
        Ok(columns)
    };
    let (
        relations,
        columns,
        defaults,
        column_checks,
        keys,
        checks,
        foreign_keys,
        code,
        functions,
        representations,
        media_handlers,
        operators,
        dynamic,
        citus,
    ) = tokio::try_join!(
        rows(transaction, include_str!("sql/relations.sql"), &within),
        columns,
        rows(transaction, include_str!("sql/defaults.sql"), &within),
        rows(transaction, include_str!("sql/column_checks.sql"), &within),
        rows(transaction, include_str!("sql/keys.sql"), &within),
        rows(transaction, include_str!("sql/checks.sql"), &within),
        rows(transaction, include_str!("sql/foreign_keys.sql"), &touched),
        rows(transaction, include_str!("sql/code.sql"), &[]),
        rows(transaction, include_str!("sql/functions.sql"), &callable),
        rows(transaction, include_str!("sql/representations.sql"), &[]),
        rows(transaction, include_str!("sql/media_handlers.sql"), of_schemas),
        rows(transaction, include_str!("sql/own_operators.sql"), &[]),
        rows(transaction, include_str!("sql/dynamic_code.sql"), &[]),
        rows(transaction, include_str!("sql/citus.sql"), &[]),
    )?;
    for row in &operators {
        database.has_own_operators = Fields::of(row).next()?;
    }
    for row in &dynamic {
        database.has_dynamic_code = Fields::of(row).next()?;
    }
    for row in &citus {
        database.has_citus = Fields::of(row).next()?;
    }
    let mut distributed = HashSet::new();
    if database.has_citus {
        for row in &rows(transaction, include_str!("sql/distributed.sql"), &[]).await? {
            distributed.insert(Fields::of(row).next::<u32>()?);
        }
    }
    let mut loaded = relations::Relations::new(&relations, columns)?;
    loaded.add_defaults(&defaults)?;
    loaded.add_column_checks(&column_checks)?;
    loaded.add_keys(&keys)?;
    loaded.add_checks(&checks)?;
    let foreign_keys = match &scope.reading {
        Reading::Everything => {
            loaded.add_unchanged([].into_iter());
            relations::key_rows(&foreign_keys, &[], |_| true)?
        }
        Reading::Changes { unchanged, known, touched, .. } => {
            loaded.add_unchanged(unchanged.iter().copied());
            relations::key_rows(&foreign_keys, &known.foreign_keys, |relation| touched.contains(&relation))?
        }
    };
    loaded.add_origins(origins);
    loaded.carry_keys();
    database.foreign_keys = loaded.foreign_keys(&foreign_keys, &database.schemas);
    let running = code::closure(&code)?;
    database.relations = loaded.finish(&running, &distributed);
    database.functions = functions::functions(&functions)?;
    for row in &representations {
        let mut fields = Fields::of(row);
        database.representations.push(Representation {
            source: fields.next()?,
            target: fields.next()?,
            function_schema: fields.next()?,
            function_name: fields.next()?,
        });
    }
    let relations: HashSet<u32> = database.relations.iter().map(|relation| relation.oid).collect();
    for row in &media_handlers {
        let mut fields = Fields::of(row);
        let handler = MediaHandler {
            media_type: fields.next()?,
            function_schema: fields.next()?,
            function_name: fields.next()?,
            relation: fields.next()?,
        };
        let known = handler.relation == 0 || relations.contains(&handler.relation);
        if known && routine::is_media_type(&handler.media_type) {
            database.media_handlers.push(handler);
        }
    }
    Ok(foreign_keys)
}

fn unavailable(cause: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "Could not query the database for the schema cache. Retrying.")
        .cause(cause)
}
