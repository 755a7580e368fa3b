//! A unit's conversation with PostgreSQL, in the order of the drawing in
//! `wire`. It keeps the rules: everything is sent before anything is
//! awaited, the first error is the one that counts, and nothing is reported
//! before the transaction has ended.

use super::{
    Access, Expectation, Report, ResponseSettings, Unit,
    call::{Call, Doubt, Progress},
    count::{self, planned_rows},
    error::{reported, unexpected},
    expectation::check,
    facts, preamble,
    session::{Session, Trace},
    statement_cache::Form,
    wire::{self, Columns, Frame, Results},
};
use crate::{
    error::Error,
    outcome::{Row as _, Sink},
    sql::{Fragment, Layout},
};
use std::{sync::Arc, time::Duration};

/// Why a unit gave no report.
pub(super) struct Failure {
    pub(super) error: Box<Error>,
    pub(super) connection: Connection,
    /// Whether it may be the fault of a prepared statement. Nothing of the unit has had an effect then, and no row
    /// has reached its sink.
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

/// Sinks are asked whether they can take more after so many rows.
const ROWS_AT_ONCE: u64 = 64;

const RESPONSE_SETTINGS: &str = "SELECT pg_catalog.current_setting('response.headers', true), \
    pg_catalog.current_setting('response.status', true)";

/// A unit, and the session it runs on.
pub(super) struct Conversation<'a> {
    session: &'a mut Session,
    unit: &'a Unit<'a>,
    naming: Naming,
}

/// What a message says of a statement.
enum Said {
    /// It is still being worked on.
    Progress,
    /// A row.
    Row(Frame),
    /// It has run, and had an effect on so many rows.
    Done(u64),
}

impl<'a> Conversation<'a> {
    pub(super) fn new(session: &'a mut Session, unit: &'a Unit<'a>, naming: Naming) -> Self {
        Self { session, unit, naming }
    }

    /// Runs the unit. `left` is what is left of its deadline.
    pub(super) async fn run(
        mut self,
        left: Option<Duration>,
        sink: &mut impl Sink,
    ) -> Result<Report, Failure> {
        let failure = |error, connection| Failure { error, connection, doubt: None };
        match self.exchange(left, sink).await {
            Ok(report) => Ok(report),
            Err(Stop::Database(error @ wire::Error::Server(_), doubt)) => {
                Err(Failure { error: reported(&error), connection: Connection::Usable, doubt })
            }
            Err(Stop::Database(error @ (wire::Error::Io(_) | wire::Error::Protocol(_)), _)) => {
                Err(failure(reported(&error), Connection::Broken))
            }
            Err(Stop::Result(error)) => Err(failure(error, Connection::Usable)),
            Err(Stop::Sink(error)) => Err(failure(error, Connection::Busy)),
        }
    }

    async fn exchange(&mut self, left: Option<Duration>, sink: &mut impl Sink) -> Result<Report, Stop> {
        let unit = self.unit;
        let settings = preamble::settings(unit, left);
        let role = unit.role();
        self.session.statements.begin();
        // Settings are for the login role to make.
        let mut before =
            vec![Call::unnamed(preamble::begin(unit.isolation, unit.access)), self.call("", &settings)];
        before.extend(unit.pre_request.as_ref().map(|call| self.call(role, call)));
        let mut planned = count::planned(unit.count.as_deref()).map(|explain| self.call(role, explain));
        let (mut statement, types) = self.statement(role, sink);
        let mut response = match unit.response_settings {
            // A function may have deallocated what was prepared.
            ResponseSettings::Read => Some(Call::unnamed(RESPONSE_SETTINGS)),
            ResponseSettings::Unset => None,
        };
        if unit.response_settings == ResponseSettings::Read {
            self.session.trace = Trace::Possible;
        }

        // Where that cannot be written, nobody sees any of it.
        let eraser =
            self.begin(&before, planned.as_ref(), &statement, types.as_deref(), response.as_ref())?;
        let (begin, others) = before.split_at_mut(1);
        for call in begin {
            self.answer(call).await?;
        }
        if let Some(names) = eraser {
            self.parsed(names.len()).await?;
            self.session.keep_eraser(names);
        }
        for call in others {
            self.answer(call).await?;
        }
        let plan = match &mut planned {
            Some(planned) => self.answer(planned).await?,
            None => None,
        };
        if types.is_none() && described(unit) == Described::First {
            self.describe(&mut statement, sink).await?;
            self.send_end(response.as_ref())?;
        }
        let mut report = self.deliver(&mut statement, sink).await?;
        sink.complete().map_err(Stop::Result)?;
        if let Some(count) = &unit.count {
            let planned = match planned {
                Some(_) => Some(
                    planned_rows(plan.as_ref().and_then(|row| row.first()?.as_deref()))
                        .map_err(Stop::Sink)?,
                ),
                None => None,
            };
            count::complete(&mut report, count, planned);
        }
        if let Some(response) = &mut response {
            let mut settings = self.answer(response).await?.unwrap_or_default().into_iter();
            (report.headers, report.status) = (settings.next().flatten(), settings.next().flatten());
        }
        if !self.ends_at_once() {
            self.ready().await?;
            check(unit.expectation, report.rows).map_err(Stop::Result)?;
            self.end()?;
        }
        self.ended().await?;
        // What has written nothing is nothing to undo.
        check(unit.expectation, report.rows).map_err(Stop::Result)?;
        Ok(report)
    }

    fn call<'u>(&mut self, role: &'u str, fragment: &'u Fragment) -> Call<'u> {
        let (sql, values) = (fragment.as_str(), fragment.values(&self.unit.literals));
        let form = match self.naming {
            Naming::Allowed => self.session.statements.choose(role, sql),
            Naming::Forbidden => Form::Unnamed,
        };
        Call { form, role, sql, values, progress: Progress::Unbound }
    }

    /// The statement, and the types of its columns where the sink has to know them and accepts those that are known.
    fn statement(&mut self, role: &'a str, sink: &mut impl Sink) -> (Call<'a>, Option<Arc<[u32]>>) {
        let fragment = &self.unit.statement.fragment;
        match (described(self.unit), self.naming) {
            (Described::First, Naming::Allowed) => {
                let (sql, values) = (fragment.as_str(), fragment.values(&self.unit.literals));
                let fits = |types: &[u32]| sink.columns(&mut types.iter().copied()).is_ok();
                let (form, types) = self.session.statements.choose_described(role, sql, fits);
                (Call { form, role, sql, values, progress: Progress::Unbound }, types)
            }
            (Described::First, Naming::Forbidden) | (Described::Never, _) => {
                (self.call(role, fragment), None)
            }
        }
    }

    /// Writes the first flush. Gives the names of what puts the session back, where that is prepared behind BEGIN:
    /// before it, a level of isolation would come too late.
    fn begin(
        &mut self,
        before: &[Call<'_>],
        planned: Option<&Call<'_>>,
        statement: &Call<'_>,
        types: Option<&[u32]>,
        response: Option<&Call<'_>>,
    ) -> Result<Option<Arc<[Arc<str>]>>, wire::Error> {
        for name in self.session.statements.fallen_out() {
            self.session.wire.out.close(&name)?;
        }
        let mut eraser = None;
        for (at, call) in before.iter().chain(planned).enumerate() {
            self.send(call, Results::Text)?;
            if (at, self.unit.response_settings, self.naming) == (0, ResponseSettings::Read, Naming::Allowed)
            {
                eraser = self.session.send_eraser()?;
            }
        }
        match (described(self.unit), types) {
            (Described::First, None) => {
                self.session.parse(&statement.form, statement.sql)?;
                let out = &mut self.session.wire.out;
                out.describe(statement.form.name())?;
                out.flush();
            }
            (Described::First, Some(types)) => {
                self.send(statement, self.results(types.len()))?;
                self.send_end(response)?;
            }
            (Described::Never, _) => {
                self.send(statement, self.results(1))?;
                self.send_end(response)?;
            }
        }
        Ok(eraser)
    }

    /// Waits until the statement is described, and shows its columns to the sink.
    async fn describe(&mut self, statement: &mut Call<'_>, sink: &mut impl Sink) -> Result<(), Stop> {
        loop {
            let frame = self.session.wire.frame().await?;
            let types: Arc<[u32]> = match frame.tag() {
                b'T' => frame.types()?.into(),
                b'n' => [].into(),
                _ => match self.said(statement, frame)? {
                    Said::Progress => continue,
                    Said::Row(_) | Said::Done(_) => {
                        return Err(Stop::Sink(unexpected("a result before its description")));
                    }
                },
            };
            sink.columns(&mut types.iter().copied()).map_err(Stop::Result)?;
            self.session.statements.describe(statement.role, statement.sql, &types);
            let results = self.results(types.len());
            self.session
                .wire
                .out
                .run(statement.form.name(), &statement.values, results)
                .map_err(wire::Error::from)?;
            return Ok(());
        }
    }

    /// In which format the columns come, of which there are so many.
    fn results(&self, columns: usize) -> Results {
        let text = self.unit.statement.facts.len();
        match self.unit.statement.layout {
            Layout::Columns => {
                Results::Binary { binary: columns.saturating_sub(text), text: text.min(columns) }
            }
            Layout::Body => Results::Binary { binary: 1, text },
            Layout::Array(_)
            | Layout::Object(_)
            | Layout::Scalar(_)
            | Layout::Scalars { .. }
            | Layout::Lines
            | Layout::Csv(_)
            | Layout::Nothing => Results::Text,
        }
    }

    fn send(&mut self, call: &Call<'_>, results: Results) -> Result<(), wire::Error> {
        self.session.send(&call.form, call.sql, &call.values, results)
    }

    /// Writes what comes behind the statement.
    fn send_end(&mut self, response: Option<&Call<'_>>) -> Result<(), wire::Error> {
        if let Some(response) = response {
            self.send(response, Results::Text)?;
        }
        match self.ends_at_once() {
            true => self.end(),
            false => {
                self.session.wire.out.sync();
                Ok(())
            }
        }
    }

    /// Writes what ends the transaction, and what erases the traces of what ran in it.
    fn end(&mut self) -> Result<(), wire::Error> {
        let (statements, _) = preamble::end(self.unit.end);
        for sql in statements {
            self.session.send(&Form::Unnamed, sql, &[], Results::Text)?;
        }
        if self.unit.response_settings == ResponseSettings::Read {
            self.session.wire.out.flush();
            self.session.put_back()?;
        }
        self.session.wire.out.sync();
        Ok(())
    }

    /// Waits until the transaction has ended as it should.
    async fn ended(&mut self) -> Result<(), Stop> {
        let (statements, expected) = preamble::end(self.unit.end);
        for (at, sql) in statements.iter().enumerate() {
            let mut call = Call::unnamed(sql);
            loop {
                let frame = self.session.wire.frame().await?;
                if frame.tag() == b'C' && at + 1 == statements.len() && frame.completed()?.0 != expected {
                    return Err(Stop::Sink(unexpected("a transaction that ends as it should not")));
                }
                if let Said::Done(_) = self.said(&mut call, frame)? {
                    break;
                }
            }
        }
        match self.unit.response_settings {
            // Nobody waits for that.
            ResponseSettings::Read => self.session.trace = Trace::BeingErased,
            ResponseSettings::Unset => self.ready().await?,
        }
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), Stop> {
        let frame = self.session.wire.frame().await?;
        match frame.tag() {
            b'Z' => Ok(()),
            _ => Err(frame.unexpected().into()),
        }
    }

    /// Waits until so many statements are parsed.
    async fn parsed(&mut self, count: usize) -> Result<(), Stop> {
        let mut parsed = 0;
        while parsed < count {
            let frame = self.session.wire.frame().await?;
            match frame.tag() {
                b'1' => parsed += 1,
                b'3' => {}
                _ => return Err(frame.unexpected().into()),
            }
        }
        Ok(())
    }

    /// What a message says of the statement that is being answered.
    fn said(&mut self, call: &mut Call<'_>, frame: Frame) -> Result<Said, Stop> {
        match frame.tag() {
            b'1' => {
                if let Form::Named(name) = &call.form {
                    self.session.statements.keep(call.role, call.sql, name);
                }
            }
            b'2' => call.progress = Progress::Bound,
            // A statement that fell out is closed, parameters are described.
            b'3' | b't' => {}
            b'D' => return Ok(Said::Row(frame)),
            b'C' => return Ok(Said::Done(frame.completed()?.1)),
            // There was nothing to run.
            b'I' => return Ok(Said::Done(0)),
            _ => {
                let error = frame.unexpected();
                let doubt = call.doubt(&error);
                return Err(Stop::Database(error, doubt));
            }
        }
        Ok(Said::Progress)
    }

    /// Waits for a statement to run. Its last row, as text.
    async fn answer(&mut self, call: &mut Call<'_>) -> Result<Option<Vec<Option<String>>>, Stop> {
        let mut last = None;
        let mut columns = Columns::default();
        loop {
            let frame = self.session.wire.frame().await?;
            match self.said(call, frame)? {
                Said::Progress => {}
                Said::Row(frame) => {
                    let row = columns.read(frame.body())?;
                    last = Some((0..row.len()).map(|column| row.text(column)).collect());
                }
                Said::Done(_) => return Ok(last),
            }
        }
    }

    /// Hands rows to the sink as they come.
    async fn deliver(&mut self, statement: &mut Call<'_>, sink: &mut impl Sink) -> Result<Report, Stop> {
        let facts = &self.unit.statement.facts;
        let mut report = Report::default();
        let mut columns = Columns::default();
        let mut last: Option<Frame> = None;
        loop {
            let frame = match self.session.wire.buffered()? {
                Some(frame) => frame,
                None => {
                    if report.rows > 0 {
                        sink.ready().await.map_err(Stop::Sink)?;
                    }
                    self.session.wire.frame().await?
                }
            };
            match self.said(statement, frame)? {
                Said::Progress => {}
                Said::Row(frame) => {
                    let row = columns.read(frame.body())?;
                    if facts::has_data(&row, facts) {
                        sink.row(&row).map_err(Stop::Sink)?;
                        report.rows += 1;
                        if report.rows.is_multiple_of(ROWS_AT_ONCE) {
                            sink.ready().await.map_err(Stop::Sink)?;
                        }
                    }
                    if !facts.is_empty() {
                        last = Some(frame);
                    }
                }
                Said::Done(affected) => {
                    match last {
                        Some(last) => facts::read(&mut report, &columns.read(last.body())?, facts),
                        // What returns no rows says how many it affected.
                        None => report.rows = report.rows.max(affected),
                    }
                    return Ok(report);
                }
            }
        }
    }

    /// Whether the end can be sent with the rest.
    fn ends_at_once(&self) -> bool {
        // The result does not decide it, or there is nothing that could be undone.
        self.unit.expectation == Expectation::Any || self.unit.access == Access::ReadOnly
    }
}

/// Whether a statement's columns are described before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Described {
    /// The sink has to see their types.
    First,
    Never,
}

fn described(unit: &Unit) -> Described {
    match unit.statement.layout {
        Layout::Columns => Described::First,
        Layout::Body
        | Layout::Array(_)
        | Layout::Object(_)
        | Layout::Scalar(_)
        | Layout::Scalars { .. }
        | Layout::Lines
        | Layout::Csv(_)
        | Layout::Nothing => Described::Never,
    }
}

impl Unit<'_> {
    /// The role that the statement runs as; empty for the login role.
    pub(super) fn role(&self) -> &str {
        let roles = self.settings.iter().rev().filter(|(name, _)| name.eq_ignore_ascii_case("role"));
        roles.map(|(_, role)| std::str::from_utf8(role).unwrap_or_default()).next().unwrap_or_default()
    }
}
