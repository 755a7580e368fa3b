//! The first question to a session: who answers, whether it takes writes, what it makes of a statement's name, and
//! whether everybody may release locks.

use super::{Columns, Error, Results, Wire};

/// Its text, of which a statement's name may be made.
pub(in crate::execute) const LOOK: &str = "SELECT pg_catalog.pg_backend_pid(), \
    pg_catalog.current_setting('transaction_read_only'), \
    EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE name = $1), \
    pg_catalog.has_function_privilege('public', 'pg_catalog.pg_advisory_unlock_all()', 'execute')";

/// What was found.
#[derive(Debug)]
pub(in crate::execute) struct Seen {
    /// The process that answers.
    pub(in crate::execute) process: String,
    pub(in crate::execute) writes: Writes,
    pub(in crate::execute) names: Names,
    pub(in crate::execute) unlock: Unlock,
}

/// Whether a session takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum Writes {
    Taken,
    Refused,
}

/// What a session knows a statement by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum Names {
    /// The name that was given.
    Kept,
    /// Another one, by somebody in between; or there was none.
    Changed,
}

/// Whether every role may release the locks of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::execute) enum Unlock {
    Allowed,
    Refused,
}

/// Looks around, by a statement of this name, which is closed then.
pub(in crate::execute) async fn look(wire: &mut Wire, name: &str) -> Result<Seen, Error> {
    wire.out.parse(name, LOOK)?;
    wire.out.run(name, &[Some(name.to_owned().into())], Results::Text)?;
    if !name.is_empty() {
        wire.out.close(name)?;
    }
    wire.out.sync();
    let mut seen = None;
    loop {
        let frame = wire.frame().await?;
        match frame.tag() {
            b'1' | b'2' | b'3' | b'C' => {}
            b'D' => {
                let mut columns = Columns::default();
                let row = columns.read(frame.body())?;
                let is = |column, text| row.text(column).as_deref() == Some(text);
                seen = Some(Seen {
                    process: row.text(0).unwrap_or_default(),
                    writes: if is(1, "on") { Writes::Refused } else { Writes::Taken },
                    names: if is(2, "t") { Names::Kept } else { Names::Changed },
                    unlock: if is(3, "t") { Unlock::Allowed } else { Unlock::Refused },
                });
            }
            b'Z' => return seen.ok_or_else(|| Error::protocol("PostgreSQL does not say who it is")),
            _ => return Err(frame.unexpected()),
        }
    }
}
