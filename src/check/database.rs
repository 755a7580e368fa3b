//! Running the queries of this folder: one READ ONLY transaction of one snapshot, with an empty `search_path`. What they
//! find is theirs to say; nothing here knows what is looked for.
//!
//! Each query is given the same four parameters, three of them lists of OIDs, and takes those that it needs:
//!
//! | | |
//! |---|---|
//! | `$1` | the API roles: the anonymous one, and those that the login role can become |
//! | `$2` | the exposed schemas |
//! | `$3` | these and the schemas of `db-extra-search-path` |
//! | `$4` | the name of the anonymous role, or NULL |
//!
//! It returns subject, cause and remedy. SQL in a remedy is written by PostgreSQL's own `format`.

use super::Seen;
use crate::{
    config::Config,
    error::{Error, Fault, Result, chain},
};
use tokio_postgres::{Client, IsolationLevel, Row, Transaction, types::Type};

/// JIT costs more than these queries take, and no query of ours may take long.
const SETTINGS: &str = "SET LOCAL search_path = ''; SET LOCAL jit = off; SET LOCAL statement_timeout = '30s'";

/// A database that is looked at.
pub(super) struct Database<'a> {
    transaction: Transaction<'a>,
    roles: Vec<u32>,
    exposed: Vec<u32>,
    path: Vec<u32>,
    anonymous: Option<String>,
}

impl<'a> Database<'a> {
    /// Fails where an exposed schema does not exist.
    pub(super) async fn open(client: &'a mut Client, config: &Config) -> Result<Self> {
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await
            .map_err(unreadable)?;
        transaction.batch_execute(SETTINGS).await.map_err(unreadable)?;
        let mut exposed = Vec::new();
        for name in &*config.db_schemas {
            match schema(&transaction, name).await? {
                Some(oid) => exposed.push(oid),
                None => return Err(failure(format_args!("schema {name:?} does not exist"))),
            }
        }
        let mut path = exposed.clone();
        for name in &config.db_extra_search_path {
            path.extend(schema(&transaction, name).await?);
        }
        let anonymous = config.db_anon_role.as_deref();
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 1] = [(&anonymous, Type::TEXT)];
        let rows = transaction.query_typed(include_str!("api_roles.sql"), &parameters).await;
        let roles =
            rows.map_err(unreadable)?.iter().map(|row| row.try_get(0)).collect::<std::result::Result<_, _>>();
        Ok(Self {
            roles: roles.map_err(unreadable)?,
            transaction,
            exposed,
            path,
            anonymous: config.db_anon_role.clone(),
        })
    }

    /// What a query of this folder finds.
    pub(super) async fn look(&self, sql: &str) -> Result<Vec<Seen>> {
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
            (&self.roles, Type::OID_ARRAY),
            (&self.exposed, Type::OID_ARRAY),
            (&self.path, Type::OID_ARRAY),
            (&self.anonymous, Type::TEXT),
        ];
        let rows = self.transaction.query_typed(sql, &parameters).await.map_err(unreadable)?;
        rows.iter().map(seen).collect::<std::result::Result<_, _>>().map_err(unreadable)
    }

    /// Ends the transaction.
    pub(super) async fn close(self) -> Result<()> {
        self.transaction.commit().await.map_err(unreadable)
    }
}

async fn schema(transaction: &Transaction<'_>, name: &str) -> Result<Option<u32>> {
    const FIND: &str = "SELECT oid FROM pg_namespace WHERE nspname = $1";
    let rows = transaction.query_typed(FIND, &[(&name, Type::TEXT)]).await.map_err(unreadable)?;
    rows.first().map(|row| row.try_get(0)).transpose().map_err(unreadable)
}

fn seen(row: &Row) -> std::result::Result<Seen, tokio_postgres::Error> {
    Ok(Seen { subject: row.try_get(0)?, cause: row.try_get(1)?, remedy: row.try_get(2)? })
}

/// An error of the driver.
pub(super) fn unreadable(error: tokio_postgres::Error) -> Box<Error> {
    failure(chain(&error))
}

fn failure(cause: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "The database cannot be looked at").cause(cause)
}
