//! The line of a request in the access log: Apache's combined format, or JSON.

use super::{TIME, is_break, json_line};
use crate::{
    config::{LogFormat, LogLevel},
    notes::{Notes, STAGES},
};
use jiff::Timestamp;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// A request and its answer, for the access log.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// The client's address; none on a Unix socket.
    pub address: Option<std::net::IpAddr>,
    /// The role; none where authentication failed.
    pub role: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// Path and query as they came; without the query where values are not to be logged.
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
    /// What only JSON tells.
    pub more: Option<&'a More<'a>>,
}

/// What only JSON tells of a request.
#[derive(Debug, Clone, Copy)]
pub struct More<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// The id of the trace that it belongs to, from `traceparent`.
    pub trace_id: Option<&'a str>,
    /// How long it took.
    pub took: Duration,
    /// What was noted of it.
    pub notes: &'a Notes,
    /// The SQL, where it is to be logged.
    pub query: Option<&'a str>,
}

/// The line as JSON.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    request_id: Option<&'a str>,
    trace_id: Option<&'a str>,
    address: Option<String>,
    method: &'a str,
    path: &'a str,
    version: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_status: Option<&'a str>,
    role: Option<&'a str>,
    rows: Option<u64>,
    bytes: Option<u64>,
    /// In milliseconds, by stage.
    durations: BTreeMap<&'static str, f64>,
    referer: &'a str,
    agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
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
    pub(super) fn line(&self, format: LogFormat, now: Timestamp) -> String {
        match format {
            LogFormat::Text => self.combined(now),
            LogFormat::Json => self.json(now),
        }
    }

    fn json(&self, now: Timestamp) -> String {
        let milliseconds = |time: Duration| time.as_micros() as f64 / 1000.0;
        let mut durations = BTreeMap::new();
        if let Some(more) = self.more {
            durations.insert("total", milliseconds(more.took));
            let told = STAGES.iter().zip(more.notes.stages);
            durations.extend(told.filter_map(|(name, time)| Some((*name, milliseconds(time?)))));
        }
        json_line(&Line {
            time: now.to_string(),
            request_id: self.more.map(|more| more.request_id),
            trace_id: self.more.and_then(|more| more.trace_id),
            address: self.address.map(|address| address.to_string()),
            method: self.method,
            path: self.target,
            version: self.version,
            status: self.status,
            grpc_status: self.grpc,
            role: self.role,
            rows: self.more.and_then(|more| more.notes.rows),
            bytes: self.length,
            durations,
            referer: self.referer,
            agent: self.agent,
            query: self.more.and_then(|more| more.query),
        })
    }

    fn combined(&self, now: Timestamp) -> String {
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
        more: None,
    };

    #[test]
    fn a_line_has_the_combined_format_with_dashes_for_what_is_not_known() {
        assert_eq!(
            ACCESS.line(LogFormat::Text, now()),
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
            known.line(LogFormat::Text, now()),
            "127.0.0.1 - web_anon [23/Nov/2026:03:20:44 +0000] \"GET /x?a=eq.1 HTTP/1.1\" 200 12 \"http://r\" \"curl/8\"\n"
        );
        let call = Access { grpc: Some("NOT_FOUND"), ..ACCESS };
        assert!(
            call.line(LogFormat::Text, now()).ends_with(" 200 - \"\" \"curl/8\" grpc-status=NOT_FOUND\n")
        );
    }

    #[test]
    fn a_client_cannot_write_a_line_of_its_own() {
        let line = Access { agent: "a\" 200\n- - \u{7}", ..ACCESS }.line(LogFormat::Text, now());
        assert_eq!(line.lines().count(), 1);
        assert!(line.ends_with("\"a\\\" 200\\n- - \\u{7}\"\n"), "{line}");
    }

    #[test]
    fn json_tells_more_and_is_one_line() {
        let mut notes = Notes { rows: Some(3), ..Notes::default() };
        notes.stages[0] = Some(Duration::from_micros(1500));
        let more = More {
            request_id: "r1",
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736"),
            took: Duration::from_millis(2),
            notes: &notes,
            query: None,
        };
        let access = Access {
            agent: "a\"\n\u{85}",
            role: Some("web"),
            length: Some(5),
            grpc: Some("OK"),
            more: Some(&more),
            ..ACCESS
        };
        let line = access.line(LogFormat::Json, now());
        assert_eq!(line.chars().filter(|c| is_break(*c)).count(), 1, "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}"));
        let expected = serde_json::json!({
            "time": "2026-11-23T03:20:44Z", "request_id": "r1", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "address": null, "method": "GET", "path": "/x?a=eq.1", "version": "HTTP/1.1", "status": 200,
            "grpc_status": "OK", "role": "web", "rows": 3, "bytes": 5,
            "durations": {"total": 2.0, STAGES[0]: 1.5}, "referer": "", "agent": "a\"\n\u{85}",
        });
        assert_eq!(read, expected);
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
