//! Fills the schema descriptor from a live PostgreSQL ≥ 14, in one READ ONLY
//! transaction of one snapshot and with an empty `search_path`, so that types
//! and defaults come out with their schemas. It derives nothing: relationships
//! and look-ups are made from the descriptor.
//!
//! ```text
//!     pgduet                                 PostgreSQL
//!       │ SET LOCAL, version, schemas, rules    │   which schemas, and the
//!       ├──────────────────────────────────────▶│   tables below their views
//!       │◀──────────────────────────────────────┤
//!       │ relations, columns, keys, functions … │   all of it, in one flush
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//!       │ types                                 │   those that were mentioned
//!       ├──────────────────────────────────────▶│
//!       │◀──────────────────────────────────────┤
//! ```

mod code;
mod functions;
mod node_tree;
mod relations;
mod row;
mod types;

use super::{
    descriptor::{Database, MediaHandler, Representation, Schema},
    routine,
};
use crate::error::{Error, Fault, Result, chain};
use node_tree::Origins;
use row::{Fields, Parameter, rows};
use std::collections::{HashMap, HashSet};
use tokio_postgres::{Client, IsolationLevel, Transaction, types::Type};

/// The oldest PostgreSQL that is supported.
const OLDEST: i32 = 140_000;

/// JIT costs more than these queries take, whatever the planner thinks.
const SETTINGS: &str =
    concat!("SET LOCAL search_path = ''; SET LOCAL jit = off;\n", include_str!("sql/own_session.sql"));
const VERSION: &str = "SELECT current_setting('server_version_num')::int4";

/// What the transaction is about: the exposed schemas and the tables below
/// their views.
struct Scope {
    schemas: Vec<u32>,
    tables: Vec<u32>,
    origins: Origins,
}

/// Reads the schemas `exposed`, in this order, and what they refer to. Views
/// are followed through views in these schemas and in `extra_search_path`,
/// where computed fields are looked for too.
///
/// # Errors
/// `CatalogUnavailable`: the database cannot be asked, or an exposed schema
/// does not exist; `cause` says which.
pub async fn introspect(
    client: &mut Client,
    exposed: &[String],
    extra_search_path: &[String],
) -> Result<Database> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|error| unavailable(chain(&error)))?;
    let searched: Vec<&str> = exposed.iter().chain(extra_search_path).map(String::as_str).collect();
    let (mut database, scope) = scope(&transaction, exposed, &searched).await?;
    fill(&transaction, &mut database, scope, extra_search_path).await?;
    types::load(&transaction, &mut database).await?;
    // It has changed nothing: how it ends does not matter, only that it does.
    transaction.commit().await.map_err(|error| unavailable(chain(&error)))?;
    Ok(database)
}

async fn scope(
    transaction: &Transaction<'_>,
    exposed: &[String],
    searched: &[&str],
) -> Result<(Database, Scope)> {
    let settings =
        async { transaction.batch_execute(SETTINGS).await.map_err(|error| unavailable(chain(&error))) };
    let of_exposed: [Parameter; 1] = [(&exposed, Type::TEXT_ARRAY)];
    let of_searched: [Parameter; 1] = [(&searched, Type::TEXT_ARRAY)];
    let ((), version, schemas, rules) = tokio::try_join!(
        settings,
        rows(transaction, VERSION, &[]),
        rows(transaction, include_str!("sql/schemas.sql"), &of_exposed),
        rows(transaction, include_str!("sql/rules.sql"), &of_searched),
    )?;
    let mut database = Database::default();
    for row in &version {
        database.server_version = Fields::of(row).next()?;
    }
    if database.server_version < OLDEST {
        return Err(unavailable(format_args!("PostgreSQL 14 or later is needed")));
    }
    let mut found = HashMap::new();
    for row in &schemas {
        let mut fields = Fields::of(row);
        let oid: u32 = fields.next()?;
        let schema = Schema { name: fields.next()?, comment: fields.next()? };
        found.insert(schema.name.clone(), (oid, schema));
    }
    let mut schemas = Vec::with_capacity(exposed.len());
    for name in exposed {
        let (oid, schema) = match found.get(name) {
            Some(found) => found.clone(),
            None => return Err(unavailable(format_args!("schema {name:?} does not exist"))),
        };
        schemas.push(oid);
        database.schemas.push(schema);
    }
    let mut origins = Origins::default();
    for row in &rules {
        let mut fields = Fields::of(row);
        origins.add(fields.next()?, fields.next()?);
    }
    let tables = origins.tables();
    Ok((database, Scope { schemas, tables, origins }))
}

async fn fill(
    transaction: &Transaction<'_>,
    database: &mut Database,
    scope: Scope,
    extra_search_path: &[String],
) -> Result<()> {
    let within: [Parameter; 2] = [(&scope.schemas, Type::OID_ARRAY), (&scope.tables, Type::OID_ARRAY)];
    let callable: [Parameter; 2] =
        [(&scope.schemas, Type::OID_ARRAY), (&extra_search_path, Type::TEXT_ARRAY)];
    let (of_schemas, _) = within.split_at(1);
    // The most rows by far: read while PostgreSQL works on the other queries.
    let columns = async {
        let found = rows(transaction, include_str!("sql/columns.sql"), &within).await?;
        relations::columns(&found)
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
        rows(transaction, include_str!("sql/foreign_keys.sql"), &[]),
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
    let distributed = match database.has_citus {
        true => rows(transaction, include_str!("sql/distributed.sql"), &[]).await?,
        // Then there is no such table.
        false => Vec::new(),
    };
    let mut loaded = relations::Relations::new(&relations, columns)?;
    loaded.add_defaults(&defaults)?;
    loaded.add_column_checks(&column_checks)?;
    loaded.add_origins(&scope.origins);
    loaded.add_keys(&keys)?;
    loaded.add_checks(&checks)?;
    loaded.add_distributed(&distributed)?;
    database.foreign_keys = loaded.foreign_keys(&foreign_keys, &database.schemas)?;
    let running = code::closure(&code)?;
    database.relations = loaded.finish(&running);
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
    Ok(())
}

fn unavailable(cause: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "Could not query the database for the schema cache. Retrying.")
        .cause(cause)
}
