//! A small parser with backtracking and memory: it remembers what was expected
//! at the furthest position reached. It knows nothing of the grammar.
//!
//! Clients compare error texts, so choice, look-ahead and the merging of
//! expectations follow the rules of the Parsec library
//! (<https://hackage.haskell.org/package/parsec/docs/Text-Parsec-Error.html>):
//! an alternative is tried only if the one before it consumed nothing, and of
//! two errors the further one counts, both if they are equally far.
//!
//! Well-formed input is the rule: it is parsed without a trace, and only input
//! that is refused is parsed again with one.

use super::trace::{Message, Trace};
use crate::error::{Error, Fault, Result};

/// How deep embeds and logic trees may nest.
pub const MAX_DEPTH: usize = 64;

/// Why a parser failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Not of the grammar; an alternative may be.
    Syntax,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A name without a letter, which no alternative makes better.
    Unnamed {
        /// Where it stands.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
}

/// What a parser returns. Something was consumed if the position moved, in
/// failure too.
pub(super) type Parsed<T> = std::result::Result<T, Failure>;

/// The input and how far it was read.
pub(super) struct Parser<'a> {
    input: &'a str,
    at: usize,
    depth: usize,
    trace: Option<Trace>,
}

/// Parses the beginning of `input`. `what` and `given` go into the message:
/// `"failed to parse {what} ({given})"`.
pub(super) fn run<'a, T>(
    what: &str,
    given: &str,
    input: &'a str,
    grammar: impl Fn(&mut Parser<'a>) -> Parsed<T>,
) -> Result<T> {
    let mut parser = Parser { input, at: 0, depth: 0, trace: None };
    let trace = match grammar(&mut parser) {
        Ok(parsed) => return Ok(parsed),
        Err(Failure::TooDeep) => {
            return Err(Error::new(
                Fault::RequestTooComplex,
                format!("failed to parse {what}: more than {MAX_DEPTH} levels of nesting"),
            ));
        }
        Err(Failure::Unnamed { at, expected }) => {
            Trace::new(at, [Message::Unexpected("empty name".to_owned()), Message::expected(expected)])
        }
        Err(Failure::Syntax) => {
            let mut parser = Parser { input, at: 0, depth: 0, trace: Some(Trace::at(0)) };
            // The same failure again, this time for its trace.
            let _ = grammar(&mut parser);
            parser.trace.unwrap_or_else(|| Trace::at(0))
        }
    };
    let (line, column) = trace.line_and_column(input);
    Err(Error::new(
        Fault::QueryParse,
        format!("\"failed to parse {what} ({given})\" (line {line}, column {column})"),
    )
    .details(trace.to_string()))
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// How far the input was read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The word in small letters that comes next. None where traces are kept, which tell of every alternative that was tried.
    pub(super) fn known_word(&self) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(rest.len());
        rest.get(..end).filter(|_| self.trace.is_none())
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Something was consumed: what was expected before no longer matters.
    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        self.forget();
    }

    fn forget(&mut self) {
        if let Some(trace) = &mut self.trace {
            *trace = Trace::at(self.at);
        }
    }

    /// Notes why nothing could be consumed here.
    fn note(&mut self, messages: impl IntoIterator<Item = Message>) {
        if let Some(trace) = &mut self.trace {
            trace.merge(Trace::new(self.at, messages));
        }
    }

    fn expected<T>(&mut self, label: Option<&'static str>) -> Parsed<T> {
        let found = Message::Found(self.peek());
        self.note([found].into_iter().chain(label.map(Message::expected)));
        Err(Failure::Syntax)
    }

    /// Runs `inner` with a trace of its own and joins the traces afterwards,
    /// unless something was consumed.
    fn apart<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
        then: impl FnOnce(&mut Self, &mut Parsed<T>),
    ) -> Parsed<T> {
        let start = self.at;
        let fresh = self.trace.is_some().then(|| Trace::at(start));
        let outer = std::mem::replace(&mut self.trace, fresh);
        let mut result = inner(self);
        then(self, &mut result);
        if self.at == start
            && let Some(mut outer) = outer
        {
            if let Some(trace) = self.trace.take() {
                outer.merge(trace);
            }
            self.trace = Some(outer);
        }
        result
    }

    /// One character that `accept` takes.
    pub(super) fn one(&mut self, label: Option<&'static str>, accept: impl Fn(char) -> bool) -> Parsed<char> {
        match self.peek() {
            Some(found) if accept(found) => {
                self.advance(found.len_utf8());
                Ok(found)
            }
            _ => self.expected(label),
        }
    }

    /// This text, or nothing of it. A part of it counts as consumed.
    pub(super) fn text(&mut self, text: &'static str) -> Parsed<()> {
        let rest = self.rest();
        if rest.starts_with(text) {
            self.advance(text.len());
            return Ok(());
        }
        let same: usize =
            text.chars().zip(rest.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        let found = rest.get(same..).and_then(|rest| rest.chars().next());
        let start = self.at;
        if same > 0 {
            self.advance(same);
        }
        if let Some(trace) = &mut self.trace {
            let error = Trace::new(start, [Message::Found(found), Message::expected_text(text)]);
            if same > 0 { *trace = error } else { trace.merge(error) }
        }
        Err(Failure::Syntax)
    }

    /// As long a stretch as there is of characters that `accept` takes;
    /// `labels` say what else could have followed.
    pub(super) fn stretch(
        &mut self,
        labels: &[Option<&'static str>],
        accept: impl Fn(char) -> bool,
    ) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        if end > 0 {
            self.advance(end);
        }
        if self.trace.is_some() {
            let found = self.peek();
            let labels = labels.iter().flatten().map(|label| Message::expected(label));
            self.note([Message::Found(found)].into_iter().chain(labels));
        }
        rest.get(..end).unwrap_or_default()
    }

    /// As [`Parser::stretch`], of one character at the least.
    pub(super) fn stretch1(
        &mut self,
        labels: &[Option<&'static str>],
        accept: impl Fn(char) -> bool,
    ) -> Parsed<&'a str> {
        match self.stretch(labels, accept) {
            "" => Err(Failure::Syntax),
            stretch => Ok(stretch),
        }
    }

    /// Everything that is left.
    pub(super) fn remainder(&mut self) -> &'a str {
        self.stretch(&[], |_| true)
    }

    /// The end of the input.
    pub(super) fn end(&mut self) -> Parsed<()> {
        self.label("end of input", |p| match p.peek() {
            None => {
                p.note([Message::Found(None)]);
                Ok(())
            }
            Some(found) => {
                p.note([Message::unexpected(found)]);
                Err(Failure::Syntax)
            }
        })
    }

    /// That `accept` does not take the next character. Consumes nothing.
    pub(super) fn not_followed_by(
        &mut self,
        label: Option<&'static str>,
        accept: impl Fn(char) -> bool,
    ) -> Parsed<()> {
        match self.peek() {
            Some(found) if accept(found) => {
                self.at += found.len_utf8();
                self.note([Message::unexpected(found)]);
                self.at -= found.len_utf8();
                Err(Failure::Syntax)
            }
            _ => {
                let _: Parsed<()> = self.expected(label);
                Ok(())
            }
        }
    }

    /// What `inner` finds; a failure consumes nothing.
    pub(super) fn attempt<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let start = self.at;
        self.apart(inner, |p, result| {
            if matches!(result, Err(Failure::Syntax)) {
                p.at = start;
            }
        })
    }

    /// What `inner` finds, without consuming it.
    pub(super) fn look_ahead<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let start = self.at;
        self.apart(inner, |p, result| {
            if result.is_ok() {
                p.at = start;
                p.forget();
            }
        })
    }

    /// What `inner` finds; if it consumes nothing, errors speak of `label`.
    pub(super) fn label<T>(
        &mut self,
        label: &'static str,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let start = self.at;
        self.apart(inner, |p, result| {
            let consumed = p.at != start;
            if let Some(trace) = &mut p.trace
                && !consumed
                && !(result.is_ok() && trace.is_empty())
            {
                trace.expect_only(label);
            }
        })
    }

    /// What `inner` finds, or `None` if it fails and consumes nothing.
    pub(super) fn optional<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<Option<T>> {
        let start = self.at;
        match inner(self) {
            Ok(found) => Ok(Some(found)),
            Err(Failure::Syntax) if self.at == start => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// `inner` as often as it is there.
    pub(super) fn many<T>(&mut self, mut inner: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut found = Vec::new();
        loop {
            let start = self.at;
            match self.optional(&mut inner)? {
                Some(item) if self.at != start => found.push(item),
                Some(_) | None => return Ok(found),
            }
            self.forget();
        }
    }

    /// `item`s with `separator`s between them, one at the least.
    pub(super) fn separated<T, S>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
        mut separator: impl FnMut(&mut Self) -> Parsed<S>,
    ) -> Parsed<Vec<T>> {
        let first = item(self)?;
        let mut found = self.many(|p| {
            separator(p)?;
            item(p)
        })?;
        found.insert(0, first);
        Ok(found)
    }

    /// What `inner` finds between blanks.
    pub(super) fn padded<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.blanks();
        let found = inner(self)?;
        self.blanks();
        Ok(found)
    }

    fn blanks(&mut self) {
        self.stretch(&[], |c| matches!(c, ' ' | '\t'));
    }

    /// What `inner` finds, one level of nesting further in.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure::TooDeep);
        }
        self.depth += 1;
        let found = inner(self);
        self.depth -= 1;
        found
    }
}
