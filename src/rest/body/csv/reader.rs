//! Records of CSV by the grammar of RFC 4180, section 2. Lines may end in LF or CR alone, too, and blank ones are no records.
//! It takes nothing that the grammar does not, and makes nothing of what it takes.

use std::borrow::Cow;

/// What is wrong, and in which line it begins.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) fault: String,
}

/// A text and how far it was read.
pub(super) struct Reader<'a> {
    rest: &'a str,
    /// The number of the line that `rest` begins in.
    line: usize,
}

/// What ended a field.
enum End {
    Field,
    Record,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 }
    }

    /// The fields of the next record, in place of those in `record`, and the line that it begins in; `None` at the end.
    pub(super) fn read(&mut self, record: &mut Vec<Cow<'a, str>>) -> Result<Option<usize>, Malformed> {
        record.clear();
        while self.line_end() {}
        if self.rest.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        loop {
            record.push(self.field()?);
            match self.end()? {
                End::Field => {}
                End::Record => return Ok(Some(line)),
            }
        }
    }

    fn field(&mut self) -> Result<Cow<'a, str>, Malformed> {
        match self.rest.strip_prefix('"') {
            Some(rest) => self.quoted(rest),
            None => {
                let end = self.rest.find([',', '"', '\n', '\r']).unwrap_or(self.rest.len());
                Ok(Cow::Borrowed(self.take(end)))
            }
        }
    }

    /// The field that `rest` begins with, behind its first quote. Two quotes within stand for one.
    fn quoted(&mut self, rest: &'a str) -> Result<Cow<'a, str>, Malformed> {
        let mut from = 0;
        let mut doubled = false;
        let end = loop {
            let behind = rest.get(from..).unwrap_or_default();
            let Some(at) = behind.find('"') else { return Err(self.malformed("a quote without its end")) };
            if !behind.get(at + 1..).is_some_and(|behind| behind.starts_with('"')) {
                break from + at;
            }
            doubled = true;
            from += at + 2;
        };
        self.rest = rest;
        let inside = self.take(end);
        self.line += lines(inside);
        self.take(1);
        Ok(if doubled { Cow::Owned(inside.replace("\"\"", "\"")) } else { Cow::Borrowed(inside) })
    }

    fn end(&mut self) -> Result<End, Malformed> {
        match self.rest.chars().next() {
            Some(',') => {
                self.take(1);
                Ok(End::Field)
            }
            None => Ok(End::Record),
            Some(_) if self.line_end() => Ok(End::Record),
            Some('"') => Err(self.malformed("a quote within a field that does not begin with one")),
            Some(_) => Err(self.malformed("text behind the end of a quoted field")),
        }
    }

    /// Passes over the end of a line; whether there was one.
    fn line_end(&mut self) -> bool {
        let end = ["\r\n", "\n", "\r"].into_iter().find(|end| self.rest.starts_with(end));
        self.take(end.map_or(0, str::len));
        self.line += usize::from(end.is_some());
        end.is_some()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn malformed(&self, fault: &str) -> Malformed {
        Malformed { line: self.line, fault: fault.to_owned() }
    }
}

/// How many lines end in a text.
fn lines(text: &str) -> usize {
    let alone = |(at, _): &(usize, &str)| !text.get(at + 1..).is_some_and(|behind| behind.starts_with('\n'));
    text.matches('\n').count() + text.match_indices('\r').filter(alone).count()
}
