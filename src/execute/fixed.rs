//! Statements that are the same for every unit: how a transaction begins and ends, what looks up the response, and what
//! puts the session back. Tables: nothing is sent here.

use super::{Access, End, Isolation};
use crate::sql::TO_WORKERS;

/// One of them. Each connection prepares it when it first needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fixed {
    ReadCommittedReadOnly,
    ReadCommittedReadWrite,
    RepeatableReadReadOnly,
    RepeatableReadReadWrite,
    SerializableReadOnly,
    SerializableReadWrite,
    /// Sends settings to the workers of Citus.
    ToWorkers,
    // From here on, what comes after the unit's statement, which may have deallocated it.
    Response,
    /// The same, and whether anything was written; releases locks in passing.
    ResponseAndUnlock,
    /// Deferred constraints are checked now.
    Check,
    Commit,
    Rollback,
    /// The position behind what has been committed: the timeline as the name of a file of the log begins with it, and the LSN.
    Position,
    ResetSessionAuthorization,
    ResetRole,
    Unlock,
    ResetAll,
    CloseAll,
    Unlisten,
    DiscardSequences,
    DiscardTemp,
}

impl Fixed {
    /// Whether it begins a transaction that writes.
    pub(super) fn begins_to_write(self) -> bool {
        matches!(
            self,
            Self::ReadCommittedReadWrite | Self::RepeatableReadReadWrite | Self::SerializableReadWrite
        )
    }

    /// Their texts, in their order.
    pub(super) const SQL: [&str; 21] = [
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE",
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
        TO_WORKERS,
        "SELECT pg_catalog.current_setting('response.headers', true), \
            pg_catalog.current_setting('response.status', true)",
        "SELECT pg_catalog.current_setting('response.headers', true), \
            pg_catalog.current_setting('response.status', true), \
            pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL, pg_catalog.pg_advisory_unlock_all()",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SELECT pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8), \
            pg_catalog.pg_current_wal_insert_lsn()",
        "RESET SESSION AUTHORIZATION",
        "RESET ROLE",
        "SELECT pg_catalog.pg_advisory_unlock_all()",
        "RESET ALL",
        "CLOSE ALL",
        "UNLISTEN *",
        "DISCARD SEQUENCES",
        "DISCARD TEMP",
    ];

    /// READ ONLY holds inside functions, too. Where a transaction cannot begin like this,
    /// as on a standby that refuses READ WRITE and SERIALIZABLE, PostgreSQL skips the rest of the batch.
    pub(super) const fn begin(isolation: Isolation, access: Access) -> Self {
        match (isolation, access) {
            (Isolation::ReadCommitted, Access::ReadOnly) => Self::ReadCommittedReadOnly,
            (Isolation::ReadCommitted, Access::ReadWrite) => Self::ReadCommittedReadWrite,
            (Isolation::RepeatableRead, Access::ReadOnly) => Self::RepeatableReadReadOnly,
            (Isolation::RepeatableRead, Access::ReadWrite) => Self::RepeatableReadReadWrite,
            (Isolation::Serializable, Access::ReadOnly) => Self::SerializableReadOnly,
            (Isolation::Serializable, Access::ReadWrite) => Self::SerializableReadWrite,
        }
    }

    pub(super) const fn sql(self) -> &'static str {
        Self::SQL[self.at()]
    }

    /// Its place in the table.
    pub(super) const fn at(self) -> usize {
        self as usize
    }

    /// Whether code of the database's authors can have run before it, in the same batch.
    pub(super) const fn is_behind_code(self) -> bool {
        self.at() >= Self::Response.at()
    }
}

/// How a unit's transaction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// By its first statement: it is READ COMMITTED and READ ONLY by its settings, and ends with the Sync.
    Implicit,
    /// By BEGIN.
    Explicit,
}

/// Whether the end of what wrote tells the position behind its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// It does not: there are no replicas.
    Untold,
    /// It does.
    Told,
}

/// Who else may have a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenancy {
    /// Nobody. PostgreSQL says when somebody else has logged in, and the settings of a unit set the role and release
    /// locks before anything of it runs.
    Sole,
    /// Whoever is given it after the Sync, or nobody knows.
    Shared,
}

/// How a transaction that began by BEGIN ends if nothing fails, and what PostgreSQL says of each statement then.
pub(super) const fn end(end: End) -> &'static [(Fixed, &'static str)] {
    match end {
        End::Commit => &[(Fixed::Commit, "COMMIT")],
        End::Rollback => &[(Fixed::Check, "SET"), (Fixed::Rollback, "ROLLBACK")],
    }
}

/// What puts a session back as it was when it began, but for statements that are prepared and plans: all that
/// `DISCARD ALL` does. Where no code can have run, what only reads has no new temporary tables and has used no sequence:
/// PostgreSQL refuses both.
pub(super) const fn put_back(tenancy: Tenancy, start: Start, access: Access) -> &'static [Fixed] {
    use Fixed::*;
    match (tenancy, start, access) {
        // In the transaction, where no trigger is deferred unless something was written, which shows where the response is
        // looked up. Locks are released there.
        (Tenancy::Sole, Start::Implicit, Access::ReadOnly) => &[ResetAll, CloseAll, Unlisten],
        (Tenancy::Sole, Start::Implicit, Access::ReadWrite) => {
            &[ResetAll, CloseAll, Unlisten, DiscardSequences, DiscardTemp]
        }
        (Tenancy::Sole, Start::Explicit, Access::ReadOnly) => &[Unlock, ResetAll, CloseAll, Unlisten],
        (Tenancy::Sole, Start::Explicit, Access::ReadWrite) => {
            &[Unlock, ResetAll, CloseAll, Unlisten, DiscardSequences, DiscardTemp]
        }
        (Tenancy::Shared, _, Access::ReadOnly) => {
            &[ResetSessionAuthorization, ResetRole, Unlock, ResetAll, CloseAll, Unlisten]
        }
        (Tenancy::Shared, _, Access::ReadWrite) => WHOLE,
    }
}

/// All of it.
pub(super) const WHOLE: &[Fixed] = &[
    Fixed::ResetSessionAuthorization,
    Fixed::ResetRole,
    Fixed::Unlock,
    Fixed::ResetAll,
    Fixed::CloseAll,
    Fixed::Unlisten,
    Fixed::DiscardSequences,
    Fixed::DiscardTemp,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::LEFT;

    #[test]
    fn each_has_its_text() {
        let isolation = [
            (Isolation::ReadCommitted, "READ COMMITTED"),
            (Isolation::RepeatableRead, "REPEATABLE READ"),
            (Isolation::Serializable, "SERIALIZABLE"),
        ];
        for (isolation, level) in isolation {
            for (access, name) in [(Access::ReadOnly, "READ ONLY"), (Access::ReadWrite, "READ WRITE")] {
                let expected = format!("BEGIN ISOLATION LEVEL {level} {name}");
                assert_eq!(Fixed::begin(isolation, access).sql(), expected);
            }
        }
        assert_eq!((Fixed::Commit.sql(), Fixed::Rollback.sql()), ("COMMIT", "ROLLBACK"));
        assert_eq!(Fixed::Check.sql(), "SET CONSTRAINTS ALL IMMEDIATE");
        assert_eq!(Fixed::Response.sql(), format!("SELECT {}", LEFT[..2].join(", ")));
        assert_eq!(Fixed::ResponseAndUnlock.sql(), format!("SELECT {}", LEFT.join(", ")));
        assert_eq!(Fixed::DiscardTemp.sql(), "DISCARD TEMP");
        assert_eq!(Fixed::DiscardTemp.at() + 1, Fixed::SQL.len());
        assert!(Fixed::Response.is_behind_code() && !Fixed::SerializableReadWrite.is_behind_code());
    }
}
