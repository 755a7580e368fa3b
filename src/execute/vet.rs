//! A look at what is prepared in a session, after code of the database's authors that may have prepared statements of its
//! own. It can do so under the name of a statement that it has deallocated, and whoever binds that name next would run
//! it, with another role and other claims.
//!
//! The look is a transaction of its own, behind the one that puts the session back: no trigger is deferred to after it.
//! It has no name that could stand for something else, and nothing in it depends on settings, roles or search paths.
//! Where PostgreSQL refuses it, nothing is known, and the session is not used again.

use super::{
    ResponseSettings, Unit,
    session::{Peer, Session},
    statement_cache::Code,
    wire::{Error, Results},
};

/// Finds a statement that SQL's PREPARE made under a name such as pgduet gives by the protocol.
const LOOK: &str = "SELECT FROM pg_catalog.pg_prepared_statement() \
    WHERE from_sql AND pg_catalog.starts_with(name, 'pgduet_') LIMIT 1";

/// Who has made the statements that stand behind pgduet's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// pgduet itself.
    Pgduet,
    /// Code has run that may have replaced some, and nobody has looked.
    Doubtful,
    /// Somebody else's: none of the names is bound any more.
    Another,
}

/// Whether a session has to be looked at after a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vetting {
    Needless,
    Needed,
}

impl Session {
    /// Whether it has to be looked at after this unit. Behind a pooler nothing is prepared where code is dynamic.
    pub(super) fn vetting(&self, unit: &Unit<'_>) -> Vetting {
        let (prepares, code) = (self.preparing.capacity(), self.preparing.code());
        match (prepares, code, self.peer(), unit.response_settings) {
            (Some(_), Code::Dynamic, Peer::PostgreSql, ResponseSettings::Read) => Vetting::Needed,
            (None, ..) | (_, Code::Static, ..) | (.., Peer::Pooler, _) | (.., ResponseSettings::Unset) => {
                Vetting::Needless
            }
        }
    }

    /// Code runs now that may replace statements.
    pub(super) fn doubt_owner(&mut self) {
        self.owner = match self.owner {
            Owner::Pgduet | Owner::Doubtful => Owner::Doubtful,
            Owner::Another => Owner::Another,
        };
    }

    /// Writes the look.
    pub(super) fn send_look(&mut self) -> Result<(), Error> {
        self.wire.out.parse("", LOOK)?;
        self.wire.out.run("", &[], Results::Text)?;
        self.wire.out.sync();
        Ok(())
    }

    /// Waits for what it finds.
    pub(super) async fn hear_look(&mut self) -> Result<(), Error> {
        let mut found = Owner::Pgduet;
        loop {
            let frame = self.wire.frame().await?;
            match frame.tag() {
                b'1' | b'2' | b'C' => {}
                b'D' | b'E' => found = Owner::Another,
                b'Z' => break,
                _ => return Err(frame.unexpected()),
            }
        }
        if found == Owner::Another {
            self.preparing.replaced();
        }
        self.owner = found;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement_cache::PREFIX;
    use super::*;

    #[test]
    fn it_looks_for_the_names_that_are_given() {
        assert!(LOOK.contains(&format!("'{PREFIX}'")));
    }
}
