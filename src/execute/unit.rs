//! A unit's conversation with PostgreSQL, in the order of the drawing in
//! `wire`. It keeps the rules: everything is sent before anything is
//! awaited, the first error is the one that counts, and nothing is reported
//! before the transaction has ended.

mod answers;
mod encoding;
mod ending;
mod series;

use super::{
    Access, Expectation, Report, ResponseSettings, Unit,
    call::{Call, Doubt},
    count::{self, planned_rows},
    error::{reported, unexpected},
    expectation::check,
    facts::{self, texts},
    fixed::{Fixed, Start, Tenancy},
    format::{self, Described},
    preamble::{self, Shape},
    session::{Session, Trace},
    statement_cache::Form,
    vet::Vetting,
    wire::{self, Columns, Frame, Results},
};
use crate::{
    error::Error,
    notes::{self, Stage},
    outcome::Sink,
    sql::{Fragment, Hashed, Statement},
};
use answers::Said;
use encoding::Encoding;
use ending::Ending;
use std::{sync::Arc, time::Duration};

pub use series::Series;
pub(super) use series::run as run_series;

/// Why a unit gave no report.
pub(super) struct Failure {
    pub(super) error: Box<Error>,
    pub(super) connection: Connection,
    /// Whether it may succeed when it runs once more. Nothing of the unit has had an effect then.
    pub(super) doubt: Option<Doubt>,
}

/// What became of the connection of a unit that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// It can be settled.
    Usable,
    /// It is of no use.
    Broken,
    /// Rows are still to come.
    Busy,
}

/// Whether a unit may use prepared statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    Allowed,
    Forbidden,
}

/// What made the conversation stop.
enum Stop {
    /// PostgreSQL, or the way to it.
    Database(wire::Error, Option<Doubt>),
    /// The result is not what the unit expects.
    Result(Box<Error>),
    /// The sink takes no more rows, or answers are not what they should be.
    Sink(Box<Error>),
}

impl From<wire::Error> for Stop {
    fn from(error: wire::Error) -> Self {
        Self::Database(error, None)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        let failure = |error, connection| Failure { error, connection, doubt: None };
        match stop {
            Stop::Database(error @ wire::Error::Server(_), doubt) => {
                Failure { error: reported(&error), connection: Connection::Usable, doubt }
            }
            Stop::Database(error @ (wire::Error::Io(_) | wire::Error::Protocol(_)), _) => {
                failure(reported(&error), Connection::Broken)
            }
            Stop::Database(error @ wire::Error::Memory(_), _) => failure(reported(&error), Connection::Busy),
            Stop::Result(error) => failure(error, Connection::Usable),
            Stop::Sink(error) => failure(error, Connection::Busy),
        }
    }
}

/// Where a unit stands in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is all of it.
    Alone,
    /// It is the first of several.
    First,
    /// Others were before it.
    Later,
}

/// Sinks are asked whether they can take more after so many rows.
const ROWS_AT_ONCE: u64 = 64;

/// A unit, and the session it runs on.
pub(super) struct Conversation<'a> {
    session: &'a mut Session,
    unit: &'a Unit<'a>,
    statement: &'a Statement,
    look: Look,
    naming: Naming,
    place: Place,
    ending: Ending,
}

/// What looks at what code has left behind, where some can have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Needless,
    /// The unit's own statement.
    Within,
    /// This one, behind it.
    Behind(Fixed),
}

impl<'a> Conversation<'a> {
    pub(super) fn new(session: &'a mut Session, unit: &'a Unit<'a>, naming: Naming, place: Place) -> Self {
        // Whether names are safe may change meanwhile, and what was sent by a name is answered by it.
        let naming = match session.may_name() {
            true => naming,
            false => Naming::Forbidden,
        };
        let ending = Ending::of(session, unit, naming);
        let (statement, look) = match (unit.response_settings, ending.start, session.tenancy(), &unit.looking)
        {
            (ResponseSettings::Unset, ..) => (&unit.statement, Look::Needless),
            (ResponseSettings::Read, Start::Implicit, Tenancy::Sole, Some(looking)) => {
                (looking, Look::Within)
            }
            (ResponseSettings::Read, Start::Implicit, Tenancy::Sole, None) => {
                (&unit.statement, Look::Behind(Fixed::ResponseAndUnlock))
            }
            // What ends the transaction releases locks then.
            (ResponseSettings::Read, ..) => (&unit.statement, Look::Behind(Fixed::Response)),
        };
        Self { session, unit, statement, look, naming, place, ending }
    }

    /// Runs the unit. `left` is what is left of its deadline.
    pub(super) async fn run(
        mut self,
        left: Option<Duration>,
        sink: &mut impl Sink,
    ) -> Result<Report, Failure> {
        self.session.wire.is_for_unit(self.unit.lease());
        let outcome = self.exchange(left, sink).await;
        self.session.wire.is_for_nobody();
        outcome.map_err(Failure::from)
    }

    async fn exchange(&mut self, left: Option<Duration>, sink: &mut impl Sink) -> Result<Report, Stop> {
        let unit = self.unit;
        let shape = Shape::new(self.ending.start, self.tenancy(), left, unit.seen);
        let preamble = self.session.preamble(shape, &unit.settings);
        let mut digits = itoa::Buffer::new();
        let milliseconds = left.map(|left| digits.format(preamble::milliseconds(left)));
        let seen = unit.seen.map(preamble::Seen::of);
        let role = unit.role();
        self.session.statements.begin();
        self.session.trace = self.trace();
        if self.ending.vetting == Vetting::Needed {
            self.session.doubt_owner();
        }
        let mut begin = match (self.ending.start, self.place) {
            (Start::Implicit, _) | (Start::Explicit, Place::Later) => None,
            (Start::Explicit, Place::Alone | Place::First) => {
                Some(self.fixed(Fixed::begin(unit.isolation, unit.access)))
            }
        };
        // Settings are for the login role to make, until there is another.
        let maker = match self.place {
            Place::Alone | Place::First => "",
            Place::Later => role,
        };
        let mut told = Call::new(self.form(maker, preamble.sql()), maker, preamble.sql(), Vec::new());
        let mut to_workers = unit.reaches_workers().then(|| self.fixed(Fixed::ToWorkers));
        let mut pre_request = unit.pre_request.as_ref().map(|call| self.call(role, call));
        let mut planned = count::planned(unit.count.as_deref()).map(|explain| self.call(role, explain));
        let (mut statement, types) = self.statement(role, sink);

        // Where that cannot be written, nobody sees any of it.
        for name in self.session.statements.fallen_out() {
            self.session.wire.out.close(&name).map_err(wire::Error::from)?;
        }
        if let Some(begin) = &begin {
            self.session.send(begin, Results::Text)?;
        }
        self.session.send_with(&told, preamble::values(seen.as_ref(), &unit.settings, milliseconds))?;
        for call in to_workers.iter().chain(&pre_request).chain(&planned) {
            self.session.send(call, Results::Text)?;
        }
        self.send_statement(&statement, types.as_deref())?;

        if let Some(begin) = &mut begin {
            self.session.commanded(begin, "BEGIN").await?;
        }
        self.session.last_row(&mut told).await.map_err(|stop| self.told(stop))?;
        for call in to_workers.iter_mut().chain(&mut pre_request) {
            self.session.last_row(call).await?;
        }
        let plan = match &mut planned {
            Some(planned) => self.session.last_row(planned).await?,
            None => None,
        };
        if types.is_none() && format::described(self.statement) == Described::First {
            self.describe(&mut statement, sink).await?;
            self.send_rest()?;
        }
        let mut report = self.deliver(&mut statement, sink).await?;
        sink.complete().map_err(Stop::Result)?;
        if let Some(count) = &unit.count {
            let planned = match planned {
                Some(_) => Some(planned_rows(texts::<1>(plan.as_ref())?[0].as_deref()).map_err(Stop::Sink)?),
                None => None,
            };
            count::complete(&mut report, count, planned);
        }
        let [headers, status, has_written, _] = match self.look {
            Look::Needless => [const { None }; _],
            Look::Within => facts::left(&mut report).map_err(Stop::Sink)?,
            Look::Behind(fixed) => {
                let row = self.session.last_row(&mut self.fixed(fixed)).await?;
                texts(row.as_ref())?
            }
        };
        (report.headers, report.status) = (headers, status);
        if has_written.as_deref() == Some("t") {
            // Code has reset `transaction_read_only`. A trigger may be deferred to the Sync, which comes behind what puts
            // the session back.
            self.ending.left = Trace::Possible;
        }
        if !self.ends_at_once() {
            self.session.ready().await?;
            check(unit.expectation, report.rows).map_err(Stop::Result)?;
            match self.place {
                Place::Alone => self.ending.send(self.session)?,
                Place::First | Place::Later => return Ok(report),
            }
        }
        report.position = self.ending.heard(self.session).await?;
        // What has written nothing is nothing to undo.
        check(unit.expectation, report.rows).map_err(Stop::Result)?;
        Ok(report)
    }

    /// What the unit may leave in the session if it fails: what is not undone with its transaction.
    fn trace(&self) -> Trace {
        match (self.ending.start, self.unit.response_settings) {
            (Start::Implicit, ResponseSettings::Unset) => Trace::None,
            (Start::Implicit, ResponseSettings::Read) | (Start::Explicit, _) => Trace::Possible,
        }
    }

    /// Whose session it is, as far as the settings are concerned: within a transaction nothing of others is in it.
    fn tenancy(&self) -> Tenancy {
        match self.place {
            Place::Alone | Place::First => self.session.tenancy(),
            Place::Later => Tenancy::Shared,
        }
    }

    /// An error of the settings may say that BEGIN is needed.
    fn told(&self, stop: Stop) -> Stop {
        match (stop, self.ending.start) {
            (Stop::Database(wire::Error::Server(error), _), Start::Implicit) if error.sqlstate == "25001" => {
                Stop::Database(wire::Error::Server(error), Some(Doubt::Isolation))
            }
            (stop, Start::Implicit | Start::Explicit) => stop,
        }
    }

    fn fixed(&self, fixed: Fixed) -> Call<'static> {
        self.session.fixed(fixed, self.naming)
    }

    fn call<'u>(&mut self, role: &'u str, fragment: &'u Fragment) -> Call<'u> {
        let (sql, values) = (fragment.hashed(), fragment.values(&self.unit.literals));
        Call::new(self.form(role, sql), role, sql, values)
    }

    fn form(&mut self, role: &str, sql: Hashed<'_>) -> Form {
        match self.naming {
            Naming::Allowed => self.session.statements.choose(role, sql),
            Naming::Forbidden => Form::Unnamed,
        }
    }

    /// The statement, and the types of its columns where the sink has to know them and accepts those that are known.
    fn statement(&mut self, role: &'a str, sink: &mut impl Sink) -> (Call<'a>, Option<Arc<[u32]>>) {
        let fragment = &self.statement.fragment;
        match (format::described(self.statement), self.naming) {
            (Described::First, Naming::Allowed) => {
                let (sql, values) = (fragment.hashed(), fragment.values(&self.unit.literals));
                let fits = |types: &[u32]| sink.columns(&mut types.iter().copied()).is_ok();
                let (form, types) = self.session.statements.choose_described(role, sql, fits);
                (Call::new(form, role, sql, values), types)
            }
            (Described::First, Naming::Forbidden) | (Described::Never, _) => {
                (self.call(role, fragment), None)
            }
        }
    }

    /// Writes the statement, and what follows unless its columns have to be described first.
    fn send_statement(&mut self, statement: &Call<'_>, types: Option<&[u32]>) -> Result<(), wire::Error> {
        match (format::described(self.statement), types) {
            (Described::First, None) => {
                self.session.parse(&statement.form, statement.sql.text)?;
                let out = &mut self.session.wire.out;
                out.describe(statement.form.name())?;
                out.flush();
                Ok(())
            }
            (Described::First, Some(types)) => {
                self.session.send(statement, format::results(self.statement, types.len()))?;
                self.send_rest()
            }
            (Described::Never, _) => {
                self.session.send(statement, format::results(self.statement, 1))?;
                self.send_rest()
            }
        }
    }

    /// Waits until the statement is described, and shows its columns to the sink.
    async fn describe(&mut self, statement: &mut Call<'_>, sink: &mut impl Sink) -> Result<(), Stop> {
        loop {
            let frame = self.session.wire.frame().await?;
            let types: Arc<[u32]> = match frame.tag() {
                b'T' => frame.types()?.into(),
                b'n' => [].into(),
                _ => match self.session.said(statement, frame)? {
                    Said::Progress => continue,
                    Said::Row(_) | Said::Done(_) => {
                        return Err(Stop::Sink(unexpected("a result before its description")));
                    }
                },
            };
            sink.columns(&mut types.iter().copied()).map_err(Stop::Result)?;
            self.session.statements.describe(statement.role, statement.sql, &types);
            let results = format::results(self.statement, types.len());
            self.session
                .wire
                .out
                .run(statement.form.name(), &statement.values, results)
                .map_err(wire::Error::from)?;
            return Ok(());
        }
    }

    /// Writes what comes behind the statement.
    fn send_rest(&mut self) -> Result<(), wire::Error> {
        if let Look::Behind(fixed) = self.look {
            self.session.send(&self.fixed(fixed), Results::Text)?;
        }
        match self.ends_at_once() {
            true => self.ending.send(self.session),
            false => {
                self.session.wire.out.sync();
                Ok(())
            }
        }
    }

    /// Hands rows to the sink as they come, and counts them.
    async fn deliver(&mut self, statement: &mut Call<'_>, sink: &mut impl Sink) -> Result<Report, Stop> {
        let mut encoding = Encoding::start();
        let report = self.hand_on(statement, sink, &mut encoding).await?;
        let (taken, meters) = (encoding.taken(), self.session.preparing.meters());
        meters.encode.observe(taken);
        meters.rows.add(report.rows);
        notes::took(Stage::Encode, taken);
        Ok(report)
    }

    async fn hand_on(
        &mut self,
        statement: &mut Call<'_>,
        sink: &mut impl Sink,
        encoding: &mut Encoding,
    ) -> Result<Report, Stop> {
        let facts = &self.statement.facts;
        let mut report = Report::default();
        let mut columns = Columns::default();
        let mut last: Option<Frame> = None;
        loop {
            let frame = match self.session.wire.buffered()? {
                Some(frame) => frame,
                None => {
                    if report.rows > 0 {
                        encoding.except(sink.ready()).await.map_err(Stop::Sink)?;
                    }
                    encoding.except(self.session.wire.frame()).await?
                }
            };
            match self.session.said(statement, frame)? {
                Said::Progress => {}
                Said::Row(frame) => {
                    let row = columns.read(frame.body())?;
                    if facts::has_data(&row, facts) {
                        sink.row(&row).map_err(Stop::Sink)?;
                        report.rows += 1;
                        if report.rows.is_multiple_of(ROWS_AT_ONCE) {
                            encoding.except(sink.ready()).await.map_err(Stop::Sink)?;
                        }
                    }
                    if !facts.is_empty() {
                        facts::add(&mut report, &row, facts);
                        last = Some(frame);
                    }
                }
                Said::Done(frame) => {
                    match last {
                        Some(last) => facts::read(&mut report, &columns.read(last.body())?, facts),
                        // What returns no rows says how many it affected.
                        None => report.rows = report.rows.max(frame.completed()?.1),
                    }
                    return Ok(report);
                }
            }
        }
    }

    /// Whether the end can be sent with the rest.
    fn ends_at_once(&self) -> bool {
        match self.place {
            // The result does not decide it, or there is nothing that could be undone.
            Place::Alone => self.unit.expectation == Expectation::Any || self.unit.access == Access::ReadOnly,
            Place::First | Place::Later => false,
        }
    }
}
