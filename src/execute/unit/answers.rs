//! What PostgreSQL says of the statements of a unit. It sends nothing.

use super::Stop;
use crate::execute::{
    call::{Call, Progress},
    error::unexpected,
    session::Session,
    wire::Frame,
};

/// What a message says of a statement.
pub(super) enum Said {
    /// It is still being worked on.
    Progress,
    /// A row.
    Row(Frame),
    /// It has run: CommandComplete, or EmptyQueryResponse.
    Done(Frame),
}

impl Session {
    /// What a message says of the statement that is being answered.
    pub(super) fn said(&mut self, call: &mut Call<'_>, frame: Frame) -> Result<Said, Stop> {
        match frame.tag() {
            b'1' => self.keep(call),
            b'2' => call.progress = Progress::Bound,
            // A statement that fell out is closed, parameters are described.
            b'3' | b't' => {}
            b'D' => return Ok(Said::Row(frame)),
            b'C' | b'I' => return Ok(Said::Done(frame)),
            _ => {
                let error = call.explained(frame.unexpected());
                let doubt = call.doubt(&error);
                return Err(Stop::Database(error, doubt));
            }
        }
        Ok(Said::Progress)
    }

    /// Waits for a statement to run.
    pub(super) async fn last_row(&mut self, call: &mut Call<'_>) -> Result<Option<Frame>, Stop> {
        let mut last = None;
        loop {
            let frame = self.wire.frame().await?;
            match self.said(call, frame)? {
                Said::Progress => {}
                Said::Row(frame) => last = Some(frame),
                Said::Done(_) => return Ok(last),
            }
        }
    }

    /// Waits for a statement to run, which has to be this command, and nothing that somebody prepared under its name: the
    /// transaction would not begin, or end, as it should.
    pub(super) async fn commanded(&mut self, call: &mut Call<'_>, command: &str) -> Result<(), Stop> {
        loop {
            let frame = self.wire.frame().await?;
            if let Said::Done(frame) = self.said(call, frame)? {
                return match frame.completed()?.0 == command.as_bytes() {
                    true => Ok(()),
                    false => Err(Stop::Sink(unexpected("another command than was asked for"))),
                };
            }
        }
    }

    /// Waits until everything before the Sync is answered.
    pub(super) async fn ready(&mut self) -> Result<(), Stop> {
        let frame = self.wire.frame().await?;
        match frame.tag() {
            b'Z' => Ok(()),
            _ => Err(frame.unexpected().into()),
        }
    }
}
