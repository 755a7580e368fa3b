//! What a parser found and what it expected, and how that is told to a client.
//! It neither parses nor decides what is an error.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// What stood there where something else was expected; `None` at the end.
    Found(Option<char>),
    /// What must not stand there, as it is shown.
    Unexpected(String),
    /// What could have stood there.
    Expected(Cow<'static, str>),
}

impl Message {
    pub(super) fn expected(label: &'static str) -> Message {
        Message::Expected(Cow::Borrowed(label))
    }

    pub(super) fn expected_text(text: &str) -> Message {
        Message::Expected(Cow::Owned(format!("\"{text}\"")))
    }

    pub(super) fn unexpected(found: char) -> Message {
        Message::Unexpected(format!("'{}'", shown(found, '\'')))
    }
}

/// Observations at one position, in bytes from the beginning.
#[derive(Debug)]
pub(super) struct Trace {
    at: usize,
    messages: Vec<Message>,
}

impl Trace {
    /// Nothing was observed yet.
    pub(super) fn at(at: usize) -> Trace {
        Trace { at, messages: Vec::new() }
    }

    pub(super) fn new(at: usize, messages: impl IntoIterator<Item = Message>) -> Trace {
        Trace { at, messages: messages.into_iter().collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Joins both; the further one wins, and one without messages never does.
    pub(super) fn merge(&mut self, other: Trace) {
        match self.at.cmp(&other.at) {
            _ if self.is_empty() => *self = other,
            _ if other.is_empty() => {}
            Ordering::Less => *self = other,
            Ordering::Equal => self.messages.extend(other.messages),
            Ordering::Greater => {}
        }
    }

    /// Speaks of `label` instead of all that was expected.
    pub(super) fn expect_only(&mut self, label: &'static str) {
        self.messages.retain(|message| !matches!(message, Message::Expected(_)));
        self.messages.push(Message::expected(label));
    }

    /// The position for people: both from 1, a tabulator reaching to the next
    /// multiple of eight.
    pub(super) fn line_and_column(&self, input: &str) -> (usize, usize) {
        let before = input.get(..self.at).unwrap_or(input);
        before.chars().fold((1, 1), |(line, column), c| match c {
            '\n' => (line + 1, 1),
            '\t' => (line, column + 8 - (column - 1) % 8),
            _ => (line, column + 1),
        })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("unknown parse error");
        }
        let mut unexpected = Vec::new();
        let mut expected = Vec::new();
        let mut found = None;
        for message in &self.messages {
            match message {
                Message::Found(c) => found = found.or(Some(*c)),
                Message::Unexpected(shown) if !unexpected.contains(&shown.as_str()) => unexpected.push(shown),
                Message::Expected(label) if !expected.contains(&label.as_ref()) => expected.push(label),
                Message::Unexpected(_) | Message::Expected(_) => {}
            }
        }
        let mut lines = Vec::with_capacity(2);
        match found {
            _ if !unexpected.is_empty() => lines.push(format!("unexpected {}", listed(&unexpected))),
            Some(Some(c)) => lines.push(format!("unexpected \"{}\"", shown(c, '"'))),
            Some(None) => lines.push("unexpected end of input".to_owned()),
            None => {}
        }
        if !expected.is_empty() {
            lines.push(format!("expecting {}", listed(&expected)));
        }
        out.write_str(&lines.join(" "))
    }
}

/// `a, b or c`.
fn listed(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
    }
}

/// A character as Haskell shows it inside of `quote`s.
fn shown(c: char, quote: char) -> String {
    match c {
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\r' => "\\r".to_owned(),
        '\\' => "\\\\".to_owned(),
        c if c == quote => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        c => format!("\\{}", u32::from(c)),
    }
}
