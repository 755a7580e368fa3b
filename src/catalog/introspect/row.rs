//! Running a query of this folder and reading its rows column by column, in the
//! order in which its SQL lists them.

use super::unavailable;
use crate::error::{Error, Result};
use futures_util::TryStreamExt;
use std::pin::pin;
use tokio_postgres::{
    Row, Transaction,
    types::{FromSql, ToSql, Type},
};

/// A parameter and its type.
pub(super) type Parameter<'p> = (&'p (dyn ToSql + Sync), Type);

/// The rows of `sql`, without a round trip to prepare it.
pub(super) async fn rows(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>> {
    transaction.query_typed(sql, parameters).await.map_err(failed)
}

/// Takes each row of `sql` as it comes, and keeps none.
pub(super) async fn each_row(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: &[Parameter<'_>],
    mut take: impl FnMut(&Row) -> Result<()>,
) -> Result<()> {
    let parameters = parameters.iter().map(|(value, of)| (*value, of.clone()));
    let mut found = pin!(transaction.query_typed_raw(sql, parameters).await.map_err(failed)?);
    while let Some(row) = found.try_next().await.map_err(failed)? {
        take(&row)?;
    }
    Ok(())
}

fn failed(error: tokio_postgres::Error) -> Box<Error> {
    // The driver's own text only says that it was an error of the database.
    match error.as_db_error() {
        Some(reported) => unavailable(format_args!("{}: {}", reported.code().code(), reported)),
        None => unavailable(error),
    }
}

/// The columns of a row, from the first to the last.
pub(super) struct Fields<'r> {
    row: &'r Row,
    at: usize,
}

impl<'r> Fields<'r> {
    pub(super) fn of(row: &'r Row) -> Self {
        Self { row, at: 0 }
    }

    /// The next column.
    pub(super) fn next<T: FromSql<'r>>(&mut self) -> Result<T> {
        let value = self.row.try_get(self.at).map_err(unavailable)?;
        self.at += 1;
        Ok(value)
    }

    /// The next column, which is of the type `"char"`.
    pub(super) fn letter(&mut self) -> Result<u8> {
        Ok(self.next::<i8>()?.cast_unsigned())
    }
}
