//! How a transaction ends, what tells the position behind its commit, and what puts the session back behind that. It knows
//! no statement of any unit.

use super::{Naming, Stop};
use crate::execute::{
    Access, End, ResponseSettings, Unit,
    facts::texts,
    fixed::{self, Fixed, Positions, Start},
    session::{Session, Trace},
    vet::Vetting,
    wire::{self, Results},
};
use crate::position::Position;

/// How a transaction ends.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    pub(super) start: Start,
    end: End,
    /// What tells the position behind the commit, where somebody has to know it.
    position: Option<Fixed>,
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
            position: match (session.positions, start, unit.access, unit.end) {
                (Positions::Told, Start::Explicit, Access::ReadWrite, End::Commit) => Some(Fixed::Position),
                (Positions::Told | Positions::Untold, ..) => None,
            },
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
        let ends = self.statements().iter().map(|(fixed, _)| fixed);
        for fixed in ends.chain(&self.position).chain(self.put_back) {
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

    /// Waits until the transaction has ended as it should, and the session is put back. It gives the position behind the
    /// commit, if that was asked for.
    pub(super) async fn heard(&self, session: &mut Session) -> Result<Option<Position>, Stop> {
        for (fixed, command) in self.statements() {
            let mut call = session.fixed(*fixed, self.naming);
            session.commanded(&mut call, command).await?;
        }
        // Where PostgreSQL cannot tell it, it skips the rest of the batch, too: the session is put back later.
        let position = self.position(session).await.unwrap_or_default();
        let outcome = self.is_put_back(session).await;
        match (outcome, self.start) {
            (Ok(()), _) => session.trace = self.left,
            // The transaction ends with the Sync.
            (Err(stop), Start::Implicit) => return Err(stop),
            // It has ended already. The session is put back before anybody gets it.
            (Err(_), Start::Explicit) => {}
        }
        Ok(position)
    }

    async fn position(&self, session: &mut Session) -> Result<Option<Position>, Stop> {
        let Some(fixed) = self.position else { return Ok(None) };
        let mut call = session.fixed(fixed, self.naming);
        let row = session.last_row(&mut call).await?;
        let [timeline, lsn] = texts(row.as_ref())?;
        let timeline = timeline.and_then(|digits| u32::from_str_radix(&digits, 16).ok());
        Ok(timeline
            .zip(lsn.and_then(|lsn| lsn.parse().ok()))
            .map(|(timeline, lsn)| Position { timeline, lsn }))
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
