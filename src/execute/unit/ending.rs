//! How a transaction ends, and what puts the session back behind it. It knows no statement of any unit.

use super::{Naming, Stop};
use crate::execute::{
    Access, End, ResponseSettings, Unit,
    fixed::{self, Fixed, Start},
    session::{Session, Trace},
    vet::Vetting,
    wire::{self, Results},
};

/// How a transaction ends.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    pub(super) start: Start,
    end: End,
    /// What puts the session back.
    put_back: &'static [Fixed],
    naming: Naming,
    pub(super) vetting: Vetting,
    /// The trace that stays in the session.
    pub(super) left: Trace,
}

impl Ending {
    /// The end of the transaction of a unit, or of the last of several.
    pub(super) fn of(session: &Session, unit: &Unit<'_>, naming: Naming) -> Self {
        let start = session.start(unit);
        // Code can reset `transaction_read_only`, and then write what is temporary.
        let access = match unit.response_settings {
            ResponseSettings::Unset => unit.access,
            ResponseSettings::Read => Access::ReadWrite,
        };
        Self {
            start,
            end: unit.end,
            put_back: fixed::put_back(session.tenancy(), start, access),
            naming,
            vetting: session.vetting(unit),
            left: Trace::None,
        }
    }

    /// The same, behind what units before have done.
    pub(super) fn behind(mut self, before: Option<Self>) -> Self {
        if before.is_some_and(|before| before.vetting == Vetting::Needed) {
            self.vetting = Vetting::Needed;
        }
        self
    }

    /// Writes what ends the transaction, and what puts the session back.
    pub(super) fn send(&self, session: &mut Session) -> Result<(), wire::Error> {
        for fixed in self.statements().iter().map(|(fixed, _)| fixed).chain(self.put_back) {
            session.send(&session.fixed(*fixed, self.naming), Results::Text)?;
        }
        session.wire.out.sync();
        match self.vetting {
            Vetting::Needless => Ok(()),
            Vetting::Needed => session.send_look(),
        }
    }

    /// What ends the transaction besides the Sync, and what PostgreSQL says then.
    fn statements(&self) -> &'static [(Fixed, &'static str)] {
        match self.start {
            Start::Implicit => &[],
            Start::Explicit => fixed::end(self.end),
        }
    }

    /// Waits until the transaction has ended as it should, and the session is put back.
    pub(super) async fn heard(&self, session: &mut Session) -> Result<(), Stop> {
        for (fixed, command) in self.statements() {
            let mut call = session.fixed(*fixed, self.naming);
            session.commanded(&mut call, command).await?;
        }
        let outcome = self.is_put_back(session).await;
        match (outcome, self.start) {
            (Ok(()), _) => session.trace = self.left,
            // The transaction ends with the Sync.
            (Err(stop), Start::Implicit) => return Err(stop),
            // It has ended already. The session is put back before anybody gets it.
            (Err(_), Start::Explicit) => {}
        }
        Ok(())
    }

    async fn is_put_back(&self, session: &mut Session) -> Result<(), Stop> {
        for fixed in self.put_back {
            let mut call = session.fixed(*fixed, self.naming);
            session.last_row(&mut call).await?;
        }
        session.ready().await?;
        match self.vetting {
            Vetting::Needless => Ok(()),
            Vetting::Needed => Ok(session.hear_look().await?),
        }
    }
}
