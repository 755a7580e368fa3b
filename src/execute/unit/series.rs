//! Several units as one transaction, one after the other: what one of them gave can decide what the next one is.
//!
//! ```text
//!     pgduet                                    PostgreSQL
//!       │ BEGIN, all settings, the first unit, Sync │
//!       ├──────────────────────────────────────────▶│
//!       │◀──────────────────────────────────────────┤  its rows, and what must hold of them
//!       │ what is set anew, the next unit, Sync     │
//!       ├──────────────────────────────────────────▶│
//!       │◀──────────────────────────────────────────┤  … and so on
//!       │ COMMIT, the session is put back, Sync     │
//!       ├──────────────────────────────────────────▶│
//!       │◀──────────────────────────────────────────┤  deferred constraints fail here
//! ```
//!
//! Within a transaction block a Sync ends nothing, and a pooler lets go of no session. Nothing is reported before the
//! COMMIT has been answered; what fails before it, here or there, leaves the connection to be settled, by a ROLLBACK.

use super::{Conversation, Ending, Failure, Naming, Place, Stop};
use crate::{
    error::Result,
    execute::{Report, Unit, session::Session},
    outcome::Sink,
    position::Position,
};
use std::time::{Duration, Instant};

/// The units of one transaction. They have one access mode, one isolation level, one end and one role; the first of them
/// makes all settings.
pub trait Series: Send {
    /// Where rows go.
    type Sink: Sink;

    /// The role that they run as; empty for the login role.
    fn role(&self) -> &str;

    /// The next unit and where its rows go, or none when all have run.
    fn next(&mut self) -> Result<Option<(Unit<'_>, &mut Self::Sink)>>;

    /// The unit has run, and what must hold of its result does.
    fn ran(&mut self, report: Report) -> Result<()>;

    /// Begins anew: the transaction has been undone.
    fn restart(&mut self) -> Result<()>;
}

/// Runs the units, and gives the position behind their commit where that is told. `left` is what is left of their deadline.
pub(in crate::execute) async fn run<S: Series>(
    session: &mut Session,
    series: &mut S,
    naming: Naming,
    left: Option<Duration>,
) -> std::result::Result<Option<Position>, Failure> {
    let outcome = exchange(session, series, naming, left).await;
    session.wire.is_for_nobody();
    outcome.map_err(Failure::from)
}

async fn exchange<S: Series>(
    session: &mut Session,
    series: &mut S,
    naming: Naming,
    left: Option<Duration>,
) -> std::result::Result<Option<Position>, Stop> {
    let until = left.map(|left| Instant::now() + left);
    let mut place = Place::First;
    let mut ending: Option<Ending> = None;
    while let Some((unit, sink)) = series.next().map_err(Stop::Result)? {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let mut conversation = Conversation::new(session, &unit, naming, place);
        ending = Some(conversation.ending.behind(ending));
        conversation.session.wire.is_for_unit(unit.lease());
        let report = conversation.exchange(left, sink).await?;
        drop(unit);
        series.ran(report).map_err(Stop::Result)?;
        place = Place::Later;
    }
    let Some(ending) = ending else { return Ok(None) };
    ending.send(session)?;
    ending.heard(session).await
}
