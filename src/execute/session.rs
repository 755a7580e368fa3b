//! One connection and what is known of it: its prepared statements, what a cancel has to show, and what is still to be
//! done before the next unit may have it.

use super::{
    Access, End, Isolation, Unit,
    call::Call,
    connect::{Cancel, Connector, Requests},
    fixed::{self, Fixed, Positions, Start, Tenancy},
    preamble::{Preamble, Shape},
    statement_cache::{Code, Form, Preparing, Statements},
    unit::Naming,
    vet::Owner,
    wire::{self, Drained, Error, Frame, Names, Results, Status, Text, Unlock, Wire},
};
use crate::sql::Setting;
use std::{
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// A connection and what is known of it.
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) statements: Statements,
    pub(super) preparing: Arc<Preparing>,
    cancel: Cancel,
    /// What the last unit may have left in it.
    pub(super) trace: Trace,
    /// Who has made its prepared statements.
    pub(super) owner: Owner,
    /// Which fixed statements are prepared.
    fixed: [Standing; Fixed::SQL.len()],
    /// The settings of the last unit, without their values.
    preamble: Option<Arc<Preamble>>,
    /// How a unit that only reads begins.
    pub(super) start: Start,
    tenancy: Tenancy,
    /// Whether it tells the positions behind commits.
    pub(super) positions: Positions,
    peer: Peer,
    /// Of the pool, when this was made; a flush makes another.
    pub(super) generation: u64,
    /// When the last unit ended.
    quiet_since: Instant,
}

/// What a unit may have left in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// Nothing: it is put back, or what failed is undone with its transaction.
    None,
    /// Settings, locks, tables.
    Possible,
}

/// Whether a fixed statement is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unparsed,
    Prepared,
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
        positions: Positions,
    ) -> Result<Self, Error> {
        const NOTHING: &str = "";
        let name = match preparing.capacity() {
            Some(_) => preparing.name(NOTHING, wire::LOOK),
            None => NOTHING.into(),
        };
        let ((wire, seen), way) = connector.connect(&Requests { name: &name }).await?;
        let cancel = Cancel::new(way, wire.key());
        let peer = match seen.process.parse() == Ok(wire.key().process) {
            true => Peer::PostgreSql,
            false => Peer::Pooler,
        };
        if peer == Peer::Pooler && seen.names == Names::Kept {
            preparing
                .stop("a pooler stands before PostgreSQL that does not tell apart whose statement is whose");
        }
        let tenancy = match (peer, seen.unlock) {
            (Peer::PostgreSql, Unlock::Allowed) => Tenancy::Sole,
            (Peer::PostgreSql, Unlock::Refused) | (Peer::Pooler, _) => Tenancy::Shared,
        };
        Ok(Self {
            wire,
            statements: Statements::new(Arc::clone(preparing)),
            preparing: Arc::clone(preparing),
            cancel,
            trace: Trace::None,
            owner: Owner::Pgduet,
            fixed: [Standing::Unparsed; _],
            preamble: None,
            start: Start::Implicit,
            tenancy,
            positions,
            peer,
            generation,
            quiet_since: Instant::now(),
        })
    }

    pub(super) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// The process of PostgreSQL that works for it; behind a pooler nobody knows.
    pub(super) fn process(&self) -> Option<i32> {
        match self.peer {
            Peer::PostgreSql => Some(self.wire.key().process),
            Peer::Pooler => None,
        }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) fn tenancy(&self) -> Tenancy {
        self.tenancy
    }

    /// How the transaction of a unit begins. What fails in a session that is shared is undone before anybody else has it,
    /// which a BEGIN sees to.
    pub(super) fn start(&self, unit: &Unit<'_>) -> Start {
        // `SET LOCAL` reaches workers from within a transaction block only.
        if unit.reaches_workers() {
            return Start::Explicit;
        }
        match (unit.isolation, unit.access, unit.end, self.tenancy) {
            (Isolation::ReadCommitted, Access::ReadOnly, End::Commit, Tenancy::Sole) => self.start,
            (_, _, _, Tenancy::Sole | Tenancy::Shared) => Start::Explicit,
        }
    }

    /// Whether statements may have names now. Where code can replace what is prepared, others would run that behind a
    /// pooler, before anybody can look.
    pub(super) fn may_name(&self) -> bool {
        if self.preparing.capacity().is_none() || !self.is_of_use() {
            return false;
        }
        match (self.peer, self.preparing.code()) {
            (Peer::PostgreSql, _) | (Peer::Pooler, Code::Static) => true,
            (Peer::Pooler, Code::Dynamic) => {
                self.preparing.stop(
                    "functions of the database run SQL that they make, which can replace what is prepared, and a \
                     pooler stands before PostgreSQL",
                );
                false
            }
        }
    }

    /// The statement that makes settings of these names.
    pub(super) fn preamble(&mut self, shape: Shape, settings: &[Setting]) -> Arc<Preamble> {
        match &self.preamble {
            Some(preamble) if preamble.fits(shape, settings) => Arc::clone(preamble),
            Some(_) | None => Arc::clone(self.preamble.insert(Arc::new(Preamble::new(shape, settings)))),
        }
    }

    /// Sends a statement, parsed where its form needs that.
    pub(super) fn send(&mut self, call: &Call<'_>, results: Results) -> Result<(), Error> {
        self.send_parse(call)?;
        Ok(self.wire.out.run(call.form.name(), &call.values, results)?)
    }

    /// Sends one with values that are elsewhere.
    pub(super) fn send_with<'v>(
        &mut self,
        call: &Call<'_>,
        values: impl Iterator<Item = &'v [u8]> + Clone,
    ) -> Result<(), Error> {
        self.send_parse(call)?;
        let values = values.map(|value| Some(Text::Own(value)));
        Ok(self.wire.out.run_with(call.form.name(), values, Results::Text)?)
    }

    fn send_parse(&mut self, call: &Call<'_>) -> Result<(), Error> {
        match (&call.form, call.fixed) {
            (Form::Prepared(_), _) => {}
            (Form::Named(name), Some(_)) => {
                // It may have been parsed when nobody waited for that any more.
                self.wire.out.close(name)?;
                self.parse(&call.form, call.sql.text)?;
            }
            (Form::Unnamed, _) | (Form::Named(_), None) => self.parse(&call.form, call.sql.text)?,
        }
        Ok(())
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

    /// A fixed statement, by its name where that is allowed and safe.
    pub(super) fn fixed(&self, fixed: Fixed, naming: Naming) -> Call<'static> {
        let form = match (naming, self.fixed[fixed.at()]) {
            (Naming::Forbidden, _) => Form::Unnamed,
            (Naming::Allowed, _) if fixed.is_behind_code() && self.preparing.is_deallocated() => {
                Form::Unnamed
            }
            (Naming::Allowed, Standing::Prepared) => Form::Prepared(self.preparing.fixed(fixed)),
            (Naming::Allowed, Standing::Unparsed) => Form::Named(self.preparing.fixed(fixed)),
        };
        Call::fixed(fixed, form)
    }

    /// PostgreSQL has parsed a call's statement under its name.
    pub(super) fn keep(&mut self, call: &Call<'_>) {
        match (&call.form, call.fixed) {
            (Form::Named(_), Some(fixed)) => self.fixed[fixed.at()] = Standing::Prepared,
            (Form::Named(name), None) => self.statements.keep(call.role, call.sql, name),
            (Form::Unnamed | Form::Prepared(_), _) => {}
        }
    }

    /// PostgreSQL no longer has some of the prepared statements: all names are closed and given anew.
    pub(super) fn forget_names(&mut self) {
        self.statements.clear();
        let fixed = mem::replace(&mut self.fixed, [Standing::Unparsed; _]);
        for (name, standing) in self.preparing.all_fixed().iter().zip(fixed) {
            if standing == Standing::Prepared {
                self.statements.close(name);
            }
        }
    }

    /// Whether the next unit may have it.
    pub(super) fn is_settled(&self) -> bool {
        self.trace == Trace::None
            && self.owner == Owner::Pgduet
            && !self.wire.is_another_user()
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
        self.wire.drain().await?;
        if self.wire.is_another_user() {
            self.trace = Trace::Possible;
        }
        let rollback = (self.wire.status() == Status::InTransaction).then_some(Fixed::Rollback);
        let put_back = match self.trace {
            Trace::None => &[],
            Trace::Possible => fixed::WHOLE,
        };
        let query: Vec<_> = rollback.iter().chain(put_back).map(|fixed| fixed.sql()).collect();
        if !query.is_empty() {
            self.wire.out.query(&query.join("; "))?;
            if self.wire.drain().await? == Drained::Failed || self.wire.status() != Status::Idle {
                return Err(Error::Protocol("the session cannot be put back".to_owned()));
            }
        }
        self.trace = Trace::None;
        match self.owner {
            Owner::Pgduet | Owner::Another => Ok(()),
            Owner::Doubtful => {
                self.send_look()?;
                self.hear_look().await
            }
        }
    }

    /// Whether another unit may have it, once it is settled: none of its names may stand for somebody else's statement.
    pub(super) fn is_of_use(&self) -> bool {
        match self.owner {
            Owner::Pgduet => true,
            Owner::Doubtful | Owner::Another => false,
        }
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
