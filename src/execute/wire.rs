//! pgduet's own connection to PostgreSQL, for requests: protocol 3.0 on `postgres-protocol`'s helpers. One unit at a
//! time runs on it, as one batch that leaves in one write:
//!
//! ```text
//!     pgduet                                    PostgreSQL
//!       │ Close of statements that fell out         │
//!       │ [BEGIN ISOLATION LEVEL … READ …]          │  each of these is Parse, Bind, Execute;
//!       │ SELECT WHERE set_config(…) …              │  of a prepared statement Bind, Execute
//!       │ [SELECT FROM pre_request()]               │
//!       │ [EXPLAIN, where the planner counts]       │
//!       │ the statement                             │
//!       │ [SELECT response settings]                │  unless they are columns of the statement's own row
//!       │ [COMMIT]                                  │
//!       │ RESET ALL, CLOSE ALL, UNLISTEN *, …       │  the session is put back
//!       │ Sync                                      │
//!       │ [a look at what is prepared, Sync]        │  where code can replace that
//!       ├──────────────────────────────────────────▶│
//!       │◀──────────────────────────────────────────┤  one ReadyForQuery for each Sync
//! ```
//!
//! What only reads, as READ COMMITTED, has no BEGIN and no COMMIT: the settings make the transaction READ ONLY, and it
//! ends with the Sync. `fixed` says what else puts the session back, and when.
//!
//! The exceptions, each a second flush:
//!
//! | When | First | Then |
//! |---|---|---|
//! | Something fails | PostgreSQL skips the rest up to Sync | `ROLLBACK` where there was a BEGIN, and the session is put back where code ran, before anybody gets the connection |
//! | Another level is the default where there is no BEGIN | the settings fail, and the rest is skipped | the batch with BEGIN, now and always on this connection |
//! | A prepared statement is not what it was | the batch fails | the batch without names |
//! | The result decides how the transaction ends | the batch without COMMIT | COMMIT, or ROLLBACK |
//! | The sink must see the types of columns that are not known yet | up to Parse and Describe, and Flush | Bind, Execute and the rest |
//!
//! A transaction block under a single Sync is right for one unit at a time only: units behind a failed one would run
//! in its failed transaction. Nothing is ever queued behind a unit.
//!
//! Whatever the peer announces is a claim. Room is made for bytes that came, never for a length that was announced;
//! lengths are bounded; what is malformed is an error, and the connection is not used again. It knows neither units
//! nor the pool.

mod authenticate;
mod binding;
mod error;
mod incoming;
mod look;
mod outgoing;
mod row;
mod startup;

pub(super) use self::{
    error::{Error, ServerError},
    incoming::Frame,
    outgoing::{Outgoing, Results, Text},
    row::{Columns, Received},
};

pub(super) use self::{
    binding::{element, end_point},
    look::{LOOK, Names, Seen, Unlock, Writes, look},
    startup::start,
};

use crate::memory::Lease;
use incoming::{Incoming, Reader};
use std::{
    fmt, io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A socket, with TLS around it or without.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Line for T {}

/// What a cancel has to show.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    pub(super) process: i32,
    pub(super) secret: i32,
}

/// Where the session stands, as ReadyForQuery says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// In no transaction.
    Idle,
    /// In one, failed or not.
    InTransaction,
}

/// A connection to PostgreSQL.
pub(super) struct Wire {
    line: Box<dyn Line>,
    incoming: Incoming,
    /// What is to be said.
    pub(super) out: Outgoing,
    key: Key,
    /// Writing failed with it. PostgreSQL may have said why before.
    unwritable: Option<io::Error>,
    status: Status,
    user: User,
}

/// Who has logged in, as PostgreSQL says whenever that changes.
#[derive(Debug, Default)]
enum User {
    /// It did not say.
    #[default]
    Unknown,
    /// Who began the session.
    First(Box<[u8]>),
    /// Code made it another, who is not the first.
    Another(Box<[u8]>),
}

impl User {
    /// Reads the body of ParameterStatus.
    fn notice(&mut self, body: &[u8]) {
        let Some(now) = body.strip_prefix(b"session_authorization\0") else { return };
        *self = match std::mem::take(self) {
            Self::Unknown => Self::First(now.into()),
            Self::First(first) | Self::Another(first) if *first == *now => Self::First(first),
            Self::First(first) | Self::Another(first) => Self::Another(first),
        };
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Wire").field("process", &self.key.process).finish_non_exhaustive()
    }
}

impl Wire {
    fn new(line: Box<dyn Line>) -> Self {
        Self {
            line,
            incoming: Incoming::new(),
            out: Outgoing::default(),
            key: Key::default(),
            unwritable: None,
            status: Status::Idle,
            user: User::Unknown,
        }
    }

    /// Whether it is not who began the session that has it now.
    pub(super) fn is_another_user(&self) -> bool {
        matches!(self.user, User::Another(_))
    }

    /// What a cancel has to show.
    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// What the last ReadyForQuery said.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Messages that arrive from now on belong to a unit: its lease counts their bytes.
    pub(super) fn is_for_unit(&mut self, lease: Lease) {
        self.incoming.is_for(Reader::Unit(lease));
    }

    /// Messages that arrive from now on belong to no unit: long ones are thrown away as they come.
    pub(super) fn is_for_nobody(&mut self) {
        self.incoming.is_for(Reader::Nobody);
    }

    /// Whether a part of what was to be said is not.
    pub(super) fn is_unsaid(&self) -> bool {
        !self.out.is_empty()
    }

    /// The next message, if it is here already.
    pub(super) fn buffered(&mut self) -> Result<Option<Frame>, Error> {
        while let Some(frame) = self.incoming.frame()? {
            match frame.tag() {
                // Notices are for people, and notifications go to the listener's connection.
                b'N' | b'A' => {}
                b'S' => {
                    self.user.notice(frame.body());
                    frame.check_parameter()?;
                }
                b'Z' => {
                    self.status = frame.status()?;
                    self.out.answered();
                    return Ok(Some(frame));
                }
                _ => return Ok(Some(frame)),
            }
        }
        Ok(None)
    }

    /// The next message. What is to be said goes out meanwhile.
    pub(super) async fn frame(&mut self) -> Result<Frame, Error> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            std::future::poll_fn(|cx| self.poll_progress(cx)).await?;
        }
    }

    /// Reads to the last ReadyForQuery that was asked for, and says whether an error came first.
    pub(super) async fn drain(&mut self) -> Result<Drained, Error> {
        let mut drained = Drained::Clean;
        while self.out.awaits_ready() {
            if self.frame().await?.tag() == b'E' {
                drained = Drained::Failed;
            }
        }
        Ok(drained)
    }

    /// Says that nothing more will be said.
    pub(super) async fn hang_up(&mut self) {
        // If that fails, the other side knows already.
        let _ = self.line.shutdown().await;
    }

    /// Reads what PostgreSQL may have said while nobody listened, such as good-bye: an error then.
    pub(super) fn look(&mut self) -> Result<(), Error> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            match self.poll_progress(&mut cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(read) => read?,
            }
            if let Some(frame) = self.buffered()? {
                return Err(frame.unexpected());
            }
        }
    }

    /// Gives back the room that a large message took.
    pub(super) fn shrink(&mut self) {
        self.incoming.shrink();
        self.out.shrink();
    }

    /// Says what it can and reads what there is. Ready when something was read.
    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.unwritable.is_none() && !self.out.is_empty() {
            self.out.seal();
            match pin!(self.line.write_buf(&mut self.out)).poll(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => self.unwritable = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => self.unwritable = Some(error),
            }
        }
        if let (None, Poll::Ready(Err(error))) = (&self.unwritable, Pin::new(&mut *self.line).poll_flush(cx))
        {
            self.unwritable = Some(error);
        }
        match pin!(self.line.read_buf(self.incoming.room())).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => {
                let error = self.unwritable.take().unwrap_or(io::ErrorKind::UnexpectedEof.into());
                Poll::Ready(Err(error.into()))
            }
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
        }
    }
}

/// What came before the last ReadyForQuery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// No error.
    Clean,
    /// At least one.
    Failed,
}
