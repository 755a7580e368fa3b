//! One connection and what is known of it: its prepared statements, what a cancel has to show, and what is still to be
//! done before the next unit may have it.

use super::{
    connect::{Cancel, Connected, Connector},
    preamble::PUT_BACK,
    statement_cache::{Form, Preparing, Statements},
    wire::{self, Drained, Error, Frame, Names, Results, Status, Wire},
};
use crate::sql::Value;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// A connection and what is known of it.
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) statements: Statements,
    pub(super) preparing: Arc<Preparing>,
    cancel: Cancel,
    /// What code of the database's authors may have left in it.
    pub(super) trace: Trace,
    /// The names of what puts it back, where that is prepared.
    eraser: Option<Arc<[Arc<str>]>>,
    peer: Peer,
    /// Of the pool, when this was made; a flush makes another.
    pub(super) generation: u64,
    /// When the last unit ended.
    quiet_since: Instant,
}

/// What code of the database's authors may have left in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// Nothing: none ran.
    None,
    /// Settings, locks, tables.
    Possible,
    /// The same, and what erases it has been sent.
    BeingErased,
}

/// Who is on the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// PostgreSQL itself, or what gives all of a connection to one client.
    PostgreSql,
    /// What hides PostgreSQL, and may give each transaction another session.
    Pooler,
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Session").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Session {
    /// Connects, and finds out whether a pooler stands before PostgreSQL: the key for cancels names another process
    /// than the one that answers then. Where the name of a statement is found as it was given, the pooler does not know
    /// of names, and passes them on to whatever session is next.
    pub(super) async fn connect(
        connector: &Connector,
        preparing: &Arc<Preparing>,
        generation: u64,
    ) -> Result<Self, Error> {
        const NOTHING: &str = "";
        let name = match preparing.capacity() {
            Some(_) => preparing.name(NOTHING, wire::LOOK),
            None => NOTHING.into(),
        };
        let Connected { wire, cancel, seen } = connector.connect(&name).await?;
        let peer = match seen.process.parse() == Ok(wire.key().process) {
            true => Peer::PostgreSql,
            false => Peer::Pooler,
        };
        if peer == Peer::Pooler && seen.names == Names::Kept {
            preparing
                .stop("a pooler stands before PostgreSQL that does not tell apart whose statement is whose");
        }
        Ok(Self {
            wire,
            statements: Statements::new(Arc::clone(preparing)),
            preparing: Arc::clone(preparing),
            cancel,
            trace: Trace::None,
            eraser: None,
            peer,
            generation,
            quiet_since: Instant::now(),
        })
    }

    pub(super) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    /// Sends a statement, parsed where its form needs that.
    pub(super) fn send(
        &mut self,
        form: &Form,
        sql: &str,
        values: &[Value],
        results: Results,
    ) -> Result<(), Error> {
        match form {
            Form::Unnamed | Form::Named(_) => self.parse(form, sql)?,
            Form::Prepared(_) => {}
        }
        Ok(self.wire.out.run(form.name(), values, results)?)
    }

    /// Has a statement parsed. A pooler that keeps prepared statements apart does so by their text, and would let one role
    /// run what PostgreSQL has planned for another: there the name, which says whose statement it is, is a part of the text.
    pub(super) fn parse(&mut self, form: &Form, sql: &str) -> Result<(), Error> {
        match (form, self.peer) {
            (Form::Named(name), Peer::Pooler) => self.wire.out.parse(name, &format!("{sql} /* {name} */"))?,
            (Form::Named(_), Peer::PostgreSql) | (Form::Unnamed | Form::Prepared(_), _) => {
                self.wire.out.parse(form.name(), sql)?;
            }
        }
        Ok(())
    }

    /// Writes what prepares that which puts the session back, unless it is prepared or nothing is: the names, for
    /// whoever reads that it was parsed.
    pub(super) fn send_eraser(&mut self) -> Result<Option<Arc<[Arc<str>]>>, Error> {
        if self.eraser.is_some() || self.preparing.capacity().is_none() {
            return Ok(None);
        }
        let names: Arc<[_]> = PUT_BACK.iter().map(|sql| self.preparing.name("", sql)).collect();
        for (name, sql) in names.iter().zip(PUT_BACK) {
            // There may be one left of before.
            self.wire.out.close(name)?;
            self.wire.out.parse(name, sql)?;
        }
        Ok(Some(names))
    }

    /// It is parsed.
    pub(super) fn keep_eraser(&mut self, names: Arc<[Arc<str>]>) {
        self.eraser = Some(names);
    }

    /// Writes what puts the session back.
    pub(super) fn put_back(&mut self) -> Result<(), Error> {
        let names = self.eraser.clone().filter(|_| self.preparing.capacity().is_some());
        for (at, sql) in PUT_BACK.iter().enumerate() {
            match names.as_ref().and_then(|names| names.get(at)) {
                Some(name) => self.wire.out.run(name, &[], Results::Text)?,
                None => self.send(&Form::Unnamed, sql, &[], Results::Text)?,
            }
        }
        Ok(())
    }

    /// Of what was prepared, some is gone.
    pub(super) fn forget_names(&mut self) {
        self.statements.clear();
        self.forget_eraser();
    }

    fn forget_eraser(&mut self) {
        if let Some(names) = self.eraser.take() {
            self.statements.close(&names);
        }
    }

    /// Whether the next unit may have it.
    pub(super) fn is_settled(&self) -> bool {
        self.trace == Trace::None
            && self.wire.status() == Status::Idle
            && !self.wire.out.is_unsynced()
            && !self.wire.out.awaits_ready()
    }

    /// Makes it what the next unit may have: everything is answered, no transaction is open, and nothing is left of
    /// what ran. Where that fails, it is of no use.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        if self.wire.out.is_unsynced() {
            self.wire.out.sync();
        }
        let drained = self.wire.drain().await?;
        if (self.trace, drained) == (Trace::BeingErased, Drained::Failed) {
            self.forget_eraser();
        }
        let put_back = || PUT_BACK.join("; ");
        let query = match (self.wire.status(), self.trace, drained) {
            (Status::Idle, Trace::None, _) | (Status::Idle, Trace::BeingErased, Drained::Clean) => None,
            (Status::Idle, Trace::Possible, _) | (Status::Idle, Trace::BeingErased, Drained::Failed) => {
                Some(put_back())
            }
            (Status::InTransaction, Trace::None, _) => Some("ROLLBACK".to_owned()),
            (Status::InTransaction, Trace::Possible | Trace::BeingErased, _) => {
                Some(format!("ROLLBACK; {}", put_back()))
            }
        };
        if let Some(query) = query {
            self.wire.out.query(&query)?;
            if self.wire.drain().await? == Drained::Failed || self.wire.status() != Status::Idle {
                return Err(Error::Protocol("the session cannot be put back".to_owned()));
            }
        }
        self.trace = Trace::None;
        Ok(())
    }

    /// Nothing runs on it any more.
    pub(super) fn rest(&mut self) {
        self.wire.shrink();
        self.quiet_since = Instant::now();
    }

    /// How long nothing has run on it.
    pub(super) fn idle(&self) -> Duration {
        self.quiet_since.elapsed()
    }

    /// Whether it still works, as far as this side knows.
    pub(super) fn look(&mut self) -> Result<(), Error> {
        self.wire.look()
    }

    /// Reads to the end of what PostgreSQL still says, and throws it away.
    pub(super) async fn listen_to_the_end(&mut self) -> Result<(), Error> {
        self.wire.is_for_nobody();
        if self.wire.is_unsaid() {
            // The rest would be run. As it is, PostgreSQL waits for it.
            self.wire.out.discard();
            self.wire.hang_up().await;
            loop {
                let _: Frame = self.wire.frame().await?;
            }
        }
        if self.wire.out.is_unsynced() {
            self.wire.out.sync();
        }
        self.wire.drain().await.map(drop)
    }
}
