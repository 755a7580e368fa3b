//! Rows and parameters as bytes: what PostgreSQL sent is looked at where it
//! lies, and what it infers the type of is sent as text.

use crate::{outcome::Row, sql::Value};
use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type};

type Failure = Box<dyn Error + Sync + Send>;

/// A row of tokio-postgres.
pub(super) struct Received<'a>(pub(super) &'a tokio_postgres::Row);

impl Row for Received<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, column: usize) -> Option<&[u8]> {
        // It fails for a column that is not there, and for nothing else.
        self.0.try_get::<_, Option<Raw<'_>>>(column).ok().flatten().map(|raw| raw.0)
    }
}

/// The bytes of a column, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A parameter in text format, whatever its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a>(pub(super) &'a Value);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        self.to_sql(ty, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
}
