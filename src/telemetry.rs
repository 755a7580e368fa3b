//! Logs: diagnostics on standard error through `tracing`, one line for each request on
//! standard output in Apache's combined format. Counts nothing; metrics are elsewhere.

use std::{
    fmt,
    io::{self, Write},
};

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Registry,
    filter::Targets,
    fmt::{format::Writer, time::FormatTime},
    layer::SubscriberExt,
    reload,
};

use crate::config::LogLevel;

/// How both logs write the time, always in UTC: `23/Nov/2026:03:20:44 +0000`.
const TIME: &str = "%d/%b/%Y:%H:%M:%S %z";

/// The diagnostics of this process; a reload of the configuration sets their level anew.
#[derive(Debug)]
pub struct Diagnostics(reload::Handle<Targets, Registry>);

impl Diagnostics {
    /// Sends diagnostics to standard error from now on. Where somebody else takes them
    /// already (a test), that stays.
    pub fn start(level: LogLevel) -> Diagnostics {
        let (filter, handle) = reload::Layer::new(targets(level));
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(|| OneLine(io::stderr()))
            .with_ansi(false)
            .with_target(false)
            .with_level(false)
            .with_timer(Clock);
        let _ =
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(lines));
        Diagnostics(handle)
    }

    /// Shows as much as this level asks for.
    pub fn set(&self, level: LogLevel) {
        // Fails only where another subscriber is in use.
        let _ = self.0.reload(targets(level));
    }
}

/// What starts, reloads and is lost is always told, as PostgREST does; `debug` adds what the
/// pool and the caches do. Of other crates only warnings are of use, and not that a connection which nobody uses is lost.
fn targets(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Crit | LogLevel::Error | LogLevel::Warn | LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new()
        .with_target(env!("CARGO_PKG_NAME"), own)
        .with_target("deadpool.postgres", LevelFilter::OFF)
        .with_default(LevelFilter::WARN)
}

/// Writes each event as one line, whatever a client or a database put into it: what comes after a line feed would pass
/// for an event of its own.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole event, with its line break at the end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = one_line(text.strip_suffix('\n').unwrap_or(&text));
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The text with its control characters escaped: one line, which no terminal acts upon.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match is_break(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// Whether a terminal or a reader of lines acts upon a character; to Unicode there are two more line breaks.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}:", Timestamp::now().strftime(TIME))
    }
}

/// A request and its answer, for the access log.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The client's address; none on a Unix socket.
    pub address: Option<std::net::IpAddr>,
    /// The role; none where authentication failed.
    pub role: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// Path and query as they came.
    pub target: &'a str,
    /// `HTTP/1.1`.
    pub version: &'a str,
    /// The status.
    pub status: u16,
    /// The length of the body, where it is known.
    pub length: Option<u64>,
    /// The header `Referer`.
    pub referer: &'a str,
    /// The header `User-Agent`.
    pub agent: &'a str,
    /// The name of the status of a gRPC call, which is not that of HTTP.
    pub grpc: Option<&'a str>,
}

/// Whether a request with this answer is logged; its SQL follows the same rule. Of a gRPC call it is
/// the HTTP status that says what its own does.
pub fn shows(level: LogLevel, status: u16) -> bool {
    match level {
        LogLevel::Crit => false,
        LogLevel::Error => status >= 500,
        LogLevel::Warn => status >= 400,
        LogLevel::Info | LogLevel::Debug => true,
    }
}

impl Access<'_> {
    /// The line at this time, with its line break. What a client sends cannot end it early.
    pub fn line(&self, now: Timestamp) -> String {
        let mut line = String::with_capacity(128 + self.target.len() + self.referer.len() + self.agent.len());
        match self.address {
            Some(address) => line.push_str(&address.to_string()),
            None => line.push('-'),
        }
        line.push_str(" - ");
        push(&mut line, self.role.unwrap_or("-"));
        line.push_str(" [");
        line.push_str(&now.strftime(TIME).to_string());
        line.push_str("] \"");
        for part in [self.method, " ", self.target, " ", self.version] {
            push(&mut line, part);
        }
        line.push_str("\" ");
        line.push_str(itoa::Buffer::new().format(self.status));
        line.push(' ');
        match self.length {
            Some(length) => line.push_str(itoa::Buffer::new().format(length)),
            None => line.push('-'),
        }
        for header in [self.referer, self.agent] {
            line.push_str(" \"");
            push(&mut line, header);
            line.push('"');
        }
        if let Some(status) = self.grpc {
            line.push_str(" grpc-status=");
            line.push_str(status);
        }
        line.push('\n');
        line
    }

    /// Writes the line to standard output, in one piece. A log that cannot be written does
    /// not fail the request.
    pub fn log(&self) {
        let line = self.line(Timestamp::now());
        let mut out = io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// Control characters and, as Apache does it, `"` and `\` are escaped.
fn push(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            c if is_break(c) => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T03:20:44Z".parse().unwrap_or_else(|error| panic!("{error}"))
    }

    const ACCESS: Access<'static> = Access {
        address: None,
        role: None,
        method: "GET",
        target: "/x?a=eq.1",
        version: "HTTP/1.1",
        status: 200,
        length: None,
        referer: "",
        agent: "curl/8",
        grpc: None,
    };

    #[test]
    fn a_line_has_the_combined_format_with_dashes_for_what_is_not_known() {
        assert_eq!(
            ACCESS.line(now()),
            "- - - [23/Nov/2026:03:20:44 +0000] \"GET /x?a=eq.1 HTTP/1.1\" 200 - \"\" \"curl/8\"\n"
        );
        let known = Access {
            address: Some([127, 0, 0, 1].into()),
            role: Some("web_anon"),
            length: Some(12),
            referer: "http://r",
            ..ACCESS
        };
        assert_eq!(
            known.line(now()),
            "127.0.0.1 - web_anon [23/Nov/2026:03:20:44 +0000] \"GET /x?a=eq.1 HTTP/1.1\" 200 12 \"http://r\" \"curl/8\"\n"
        );
        let call = Access { grpc: Some("NOT_FOUND"), ..ACCESS };
        assert!(call.line(now()).ends_with(" 200 - \"\" \"curl/8\" grpc-status=NOT_FOUND\n"));
    }

    #[test]
    fn a_client_cannot_write_a_line_of_its_own() {
        let line = Access { agent: "a\" 200\n- - \u{7}", ..ACCESS }.line(now());
        assert_eq!(line.lines().count(), 1);
        assert!(line.ends_with("\"a\\\" 200\\n- - \\u{7}\"\n"), "{line}");
    }

    #[test]
    fn a_database_cannot_write_a_line_of_its_own_either() {
        let mut written = Vec::new();
        let event = "now: failed: x\n23/Nov/2026: all is well\r\u{1b}[2J\u{2028}\u{85}é\n";
        OneLine(&mut written).write_all(event.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let line = String::from_utf8_lossy(&written).into_owned();
        assert_eq!(line, "now: failed: x\\n23/Nov/2026: all is well\\r\\u{1b}[2J\\u{2028}\\u{85}é\n");
    }

    #[test]
    fn the_level_decides_which_answers_are_shown() {
        for (level, shown) in [
            (LogLevel::Crit, vec![]),
            (LogLevel::Error, vec![500]),
            (LogLevel::Warn, vec![404, 500]),
            (LogLevel::Info, vec![200, 404, 500]),
            (LogLevel::Debug, vec![200, 404, 500]),
        ] {
            let found: Vec<u16> =
                [200, 404, 500].into_iter().filter(|status| shows(level, *status)).collect();
            assert_eq!(found, shown, "{level:?}");
        }
    }
}
