//! What the database itself says of configuration: `ALTER ROLE authenticator SET pgrst.…`, the function of
//! `db-pre-config`, and the settings of the roles that requests run as. It reads; what the values mean is `config`'s.
//! Nothing is prepared under a name: behind a transaction pooler, another process may have the same.

use crate::{
    config::FunctionName,
    error::{Error, Fault, Result, chain},
    sql::Fragment,
};
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::{Client, Transaction, types::Type};

/// Settings by role, in the order of their names.
pub type RoleSettings = HashMap<String, Vec<(String, String)>>;

/// No object of a user's schema stands for one of PostgreSQL's, which functions and operators are found among.
const OWN_NAMES: &str = "SET LOCAL search_path = ''";

/// The settings of the login role that end statements do not hold.
const OWN_SESSION: &str = include_str!("../catalog/sql/own_session.sql");

/// The `pgrst.*` settings of the login role, and those among `names` that `pre_config` sets and the role does not.
pub async fn database_settings(
    client: &mut Client,
    names: &[String],
    pre_config: Option<&FunctionName>,
) -> Result<BTreeMap<String, String>> {
    let transaction = client.build_transaction().read_only(true).start().await.map_err(unreadable)?;
    transaction.batch_execute(OWN_SESSION).await.map_err(unreadable)?;
    let mut found = BTreeMap::new();
    if let Some(function) = pre_config {
        let mut call = Fragment::new();
        call.sql("SELECT ");
        match &function.schema {
            Some(schema) => call.qualified(schema, &function.name),
            None => call.identifier(&function.name),
        };
        call.sql("()");
        transaction.batch_execute(call.as_str()).await.map_err(unreadable)?;
    }
    transaction.batch_execute(OWN_NAMES).await.map_err(unreadable)?;
    if pre_config.is_some() {
        found.extend(pairs(
            transaction
                .query_typed(include_str!("sql/current_settings.sql"), &[(&names, Type::TEXT_ARRAY)])
                .await,
        )?);
    }
    found.extend(pairs(transaction.query_typed(include_str!("sql/database_settings.sql"), &[]).await)?);
    transaction.commit().await.map_err(unreadable)?;
    Ok(found)
}

/// The settings of the roles that the login role can become (PostgREST's "impersonated role settings").
pub async fn role_settings(client: &mut Client) -> Result<RoleSettings> {
    let transaction = client.build_transaction().read_only(true).start().await.map_err(unreadable)?;
    transaction.batch_execute(OWN_SESSION).await.map_err(unreadable)?;
    transaction.batch_execute(OWN_NAMES).await.map_err(unreadable)?;
    let granted = granted_parameters(&transaction).await.map_err(unreadable)?;
    let mut found = RoleSettings::new();
    for row in transaction
        .query_typed(include_str!("sql/role_settings.sql"), &[(&granted, Type::TEXT_ARRAY)])
        .await
        .map_err(unreadable)?
    {
        let (role, name, value) = (
            row.try_get(0).map_err(unreadable)?,
            row.try_get(1).map_err(unreadable)?,
            row.try_get(2).map_err(unreadable)?,
        );
        found.entry(role).or_default().push((name, value));
    }
    transaction.commit().await.map_err(unreadable)?;
    Ok(found)
}

/// The parameters beyond everybody's that the login role may set. Before PostgreSQL 15 none could be granted.
async fn granted_parameters(
    transaction: &Transaction<'_>,
) -> std::result::Result<Vec<String>, tokio_postgres::Error> {
    const GRANTABLE: &str = "SELECT current_setting('server_version_num')::int4 >= 150000";
    let grantable = transaction.query_typed(GRANTABLE, &[]).await?;
    if !grantable.first().map_or(Ok(false), |row| row.try_get(0))? {
        return Ok(Vec::new());
    }
    let rows = transaction.query_typed(include_str!("sql/granted_parameters.sql"), &[]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

fn pairs(
    rows: std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>,
) -> Result<Vec<(String, String)>> {
    let pair = |row: tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.and_then(|rows| rows.into_iter().map(pair).collect()).map_err(unreadable)
}

fn unreadable(error: tokio_postgres::Error) -> Box<Error> {
    Error::new(Fault::CatalogUnavailable, "Could not query the database for its settings. Retrying.")
        .cause(chain(&error))
}
