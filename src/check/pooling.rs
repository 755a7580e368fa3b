//! Whether a transaction pooler stands between pgduet and PostgreSQL, seen from what only such a pooler can do: give one
//! server process to two connections that are both open, or two to one of them. A session pooler shows neither, and
//! does no harm.
//!
//! ```text
//!     one      which process? ─ 7                                      which process? ─ 8
//!     other                       BEGIN  which process? ─ 7 or another                     ROLLBACK
//! ```

use super::database::unreadable;
use crate::error::Result;
use tokio_postgres::{Client, SimpleQueryMessage};

/// What the connections behave like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Each has a server process of its own.
    None,
    /// They have one for each transaction.
    Transaction,
}

/// On a busy pooler another client may take the process in question first: the more rounds, the less likely each time.
const ROUNDS: usize = 5;

pub(super) async fn pooling(one: &Client, other: &Client) -> Result<Pooling> {
    for _ in 0..ROUNDS {
        let before = process(one).await?;
        other.batch_execute("BEGIN READ ONLY").await.map_err(unreadable)?;
        let held = process(other).await?;
        // Were it the same, the first would wait for it: a pool of one connection answers nobody else meanwhile.
        let pooled = before == held || before != process(one).await?;
        other.batch_execute("ROLLBACK").await.map_err(unreadable)?;
        if pooled {
            return Ok(Pooling::Transaction);
        }
    }
    Ok(Pooling::None)
}

/// The server process that answers now. As a simple query, which prepares nothing.
async fn process(client: &Client) -> Result<Option<String>> {
    let messages = client.simple_query("SELECT pg_catalog.pg_backend_pid()").await.map_err(unreadable)?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
