//! Follows HTTP/1 messages through a byte stream to know which bytes are a request target (RFC 9112).
//!
//! It does not judge requests: hyper does. Its one duty is never to take for a request line what hyper takes for
//! something else. So it keeps to the framing that has a single reading, and gives up on the connection for good, with
//! [`State::PassThrough`], as soon as there could be a second one: two lengths, a length beside an encoding, an encoding
//! other than `chunked`, a line it could not keep. A byte is then never changed again. HTTP/2 ends there too, with its
//! first line: `PRI * HTTP/2.0`.

use memchr::memchr;

use super::chunked::{Chunked, Progress, take};

/// The bytes of a request target that `http::Uri` refuses or cuts off, although httparse lets them pass.
///
/// RFC 3986 has none of them: `"`, `<`, `>`, backtick, everything beyond ASCII, and `#`, at which `http::Uri` would
/// end the target without a word. Control characters and spaces are not here: they break the request line itself.
const fn refused(byte: u8) -> bool {
    matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`' | 0x80..=0xff)
}

/// Where in a stream of HTTP/1 messages the next byte belongs.
#[derive(Debug, Default)]
pub(super) struct Framing {
    state: State,
    line: Line,
    head: Head,
}

#[derive(Debug, Default)]
enum State {
    /// Before a request line; empty lines may come first.
    #[default]
    Start,
    /// After the carriage return of such an empty line.
    StartLf,
    Method,
    Target,
    Version,
    Header,
    /// Inside a body with this many bytes to come.
    Sized(u64),
    Chunked(Chunked),
    /// Nothing is changed any more.
    PassThrough,
}

/// What the header section says about the body.
#[derive(Debug, Default)]
struct Head {
    version: Version,
    body: Body,
}

#[derive(Debug, Default)]
enum Version {
    #[default]
    Http10,
    Http11,
}

#[derive(Debug, Default)]
enum Body {
    #[default]
    Empty,
    Sized(u64),
    Chunked,
}

/// The stream can be read in more than one way, or in none.
struct Ambiguous;

impl Framing {
    /// Reads on to the next byte that has to be percent-encoded and returns its index; `None` once all are read.
    ///
    /// The byte returned counts as read: the next call takes those behind it.
    pub(super) fn next_refused(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.state {
                State::PassThrough => return None,
                State::Target => {
                    let length =
                        rest.iter().position(|&byte| byte <= b' ' || byte == 0x7f || refused(byte))?;
                    at += length + 1;
                    match rest[length] {
                        b' ' => self.enter(State::Version),
                        byte if refused(byte) => return Some(at - 1),
                        _control => self.state = State::PassThrough,
                    }
                }
                State::Version => {
                    at += self.read_line(rest, Self::version_line);
                }
                State::Header => {
                    at += self.read_line(rest, Self::header_line);
                }
                State::Sized(remaining) => {
                    at += take(remaining, rest.len());
                    if *remaining == 0 {
                        self.state = State::Start;
                    }
                }
                State::Chunked(body) => match body.advance(rest) {
                    Progress::Incomplete => return None,
                    Progress::Complete(length) => {
                        at += length;
                        self.state = State::Start;
                    }
                    Progress::Malformed => self.state = State::PassThrough,
                },
                State::Start | State::StartLf | State::Method => {
                    at += 1;
                    self.request_line_byte(rest[0]);
                }
            }
        }
        None
    }

    /// One byte up to the end of the method.
    fn request_line_byte(&mut self, byte: u8) {
        match (&self.state, byte) {
            (State::Start, b'\r') => self.state = State::StartLf,
            (State::Start | State::StartLf, b'\n') => self.state = State::Start,
            // A tunnel has no messages.
            (State::Method, b' ') if self.line.bytes() == b"CONNECT" => self.state = State::PassThrough,
            (State::Method, b' ') => self.state = State::Target,
            (State::Start | State::Method, byte) if is_token(byte) => {
                if let State::Start = self.state {
                    self.head = Head::default();
                    self.enter(State::Method);
                }
                self.line.push(&[byte]);
            }
            _ => self.state = State::PassThrough,
        }
    }

    fn enter(&mut self, state: State) {
        self.line.clear();
        self.state = state;
    }

    /// Collects a line; once it is whole, `end` says what comes next. Returns the number of bytes it took.
    fn read_line(&mut self, bytes: &[u8], end: fn(&mut Self) -> Result<State, Ambiguous>) -> usize {
        let Some(length) = memchr(b'\n', bytes) else {
            self.line.push(bytes);
            return bytes.len();
        };
        self.line.push(&bytes[..length]);
        let next = end(self).unwrap_or(State::PassThrough);
        self.enter(next);
        length + 1
    }

    fn version_line(&mut self) -> Result<State, Ambiguous> {
        self.head.version = match self.line.text()? {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            _ => return Err(Ambiguous),
        };
        Ok(State::Header)
    }

    fn header_line(&mut self) -> Result<State, Ambiguous> {
        let line = self.line.bytes();
        if let b"" | b"\r" = line {
            return Ok(match self.head.body {
                Body::Empty | Body::Sized(0) => State::Start,
                Body::Sized(length) => State::Sized(length),
                Body::Chunked => State::Chunked(Chunked::default()),
            });
        }
        let Some(colon) = memchr(b':', line) else {
            // A name longer than what is kept is none of ours.
            return self.line.text().map_or(Ok(State::Header), |_| Err(Ambiguous));
        };
        let name = &line[..colon];
        let body = if name.eq_ignore_ascii_case(b"content-length") {
            Body::Sized(decimal(self.line.value(colon)?)?)
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            match (&self.head.version, self.line.value(colon)?) {
                (Version::Http11, value) if value.eq_ignore_ascii_case(b"chunked") => Body::Chunked,
                (Version::Http11 | Version::Http10, _) => return Err(Ambiguous),
            }
        } else if name.iter().all(|&byte| is_token(byte)) {
            return Ok(State::Header);
        } else {
            return Err(Ambiguous);
        };
        match std::mem::replace(&mut self.head.body, body) {
            Body::Empty => Ok(State::Header),
            Body::Sized(_) | Body::Chunked => Err(Ambiguous),
        }
    }
}

/// The start of a line: enough for a method, a version or a header that says how long the body is.
#[derive(Debug)]
struct Line {
    kept: [u8; Line::KEPT],
    /// Of the whole line, which may be longer than what is kept.
    length: usize,
}

impl Line {
    const KEPT: usize = 64;

    fn clear(&mut self) {
        self.length = 0;
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.kept.get_mut(self.length..) {
            let length = room.len().min(bytes.len());
            room[..length].copy_from_slice(&bytes[..length]);
        }
        self.length = self.length.saturating_add(bytes.len());
    }

    /// What was kept.
    fn bytes(&self) -> &[u8] {
        &self.kept[..self.length.min(Self::KEPT)]
    }

    /// The whole line without its carriage return, if it was short enough to be kept.
    fn text(&self) -> Result<&[u8], Ambiguous> {
        let line = self.kept.get(..self.length).ok_or(Ambiguous)?;
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The header value behind the colon, without the white space around it.
    fn value(&self, colon: usize) -> Result<&[u8], Ambiguous> {
        let mut value = self.text()?.get(colon + 1..).ok_or(Ambiguous)?;
        while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
            value = rest;
        }
        Ok(value)
    }
}

impl Default for Line {
    fn default() -> Self {
        Line { kept: [0; Line::KEPT], length: 0 }
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `1*DIGIT` and nothing else: no sign, no list.
fn decimal(digits: &[u8]) -> Result<u64, Ambiguous> {
    if digits.is_empty() {
        return Err(Ambiguous);
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0')).ok_or(Ambiguous)?;
        number.checked_mul(10).and_then(|number| number.checked_add(digit)).ok_or(Ambiguous)
    })
}
