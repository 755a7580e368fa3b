//! Diagnostics: each event is one line, in text or JSON, whatever a client or a database put into it. What comes after a
//! line feed would pass for an event of its own.

use super::{TIME, json_line, one_line, outlet::Outlet, repeats::Repeats};
use crate::config::LogFormat;
use jiff::Timestamp;
use serde::Serialize;
use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// The longest text that is told. A longer one, such as a database's, is cut.
const LONGEST: usize = 64 << 10;

/// Takes events. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Events {
    outlet: Outlet,
    format: LogFormat,
    repeats: Arc<Mutex<Repeats>>,
}

/// An event as JSON.
#[derive(Serialize)]
struct Line<'l> {
    time: String,
    level: &'l str,
    message: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<u64>,
}

impl Events {
    pub(super) fn new(outlet: Outlet, format: LogFormat) -> Self {
        Self { outlet, format, repeats: Arc::default() }
    }

    /// Tells what was said again in the last second.
    pub(super) fn tell_repetitions(&self) {
        let over = self.repeats().over(Instant::now());
        for (text, again) in over {
            self.write(Level::WARN, &text, Some(again));
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.outlet.dropped()
    }

    pub(super) fn flush(&self, patience: Duration) {
        self.outlet.flush(patience);
    }

    fn repeats(&self) -> MutexGuard<'_, Repeats> {
        self.repeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, level: Level, message: &str, repeated: Option<u64>) {
        self.outlet.write(&line(self.format, Timestamp::now(), level, message, repeated));
    }
}

fn line(format: LogFormat, now: Timestamp, level: Level, message: &str, repeated: Option<u64>) -> String {
    match format {
        LogFormat::Text => {
            let mut text = format!("{}: {message}", now.strftime(TIME));
            if let Some(times) = repeated {
                let _ = write!(text, " ({times} more of this in the last second)");
            }
            let mut line = one_line(&text);
            line.push('\n');
            line
        }
        LogFormat::Json => {
            json_line(&Line { time: now.to_string(), level: level.as_str(), message, repeated })
        }
    }
}

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let Text(mut text) = text;
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        let level = *event.metadata().level();
        // What is no failure is told each time.
        if level > Level::WARN || self.repeats().is_told(&text, Instant::now()) {
            self.write(level, &text, None);
        }
    }
}

/// The message, and behind it the fields.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, "{}{name}={value:?}", if self.0.is_empty() { "" } else { " " }),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T03:20:44Z".parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_database_cannot_write_a_line_of_its_own() {
        let event = "failed: x\n23/Nov/2026: all is well\r\u{1b}[2J\u{2028}\u{85}é";
        assert_eq!(
            line(LogFormat::Text, now(), Level::ERROR, event, None),
            "23/Nov/2026:03:20:44 +0000: failed: x\\n23/Nov/2026: all is well\\r\\u{1b}[2J\\u{2028}\\u{85}é\n"
        );
        let json = line(LogFormat::Json, now(), Level::ERROR, event, Some(3));
        assert_eq!(json.chars().filter(|c| super::super::is_break(*c)).count(), 1, "{json}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&read["message"], &read["level"], &read["repeated"]),
            (&event.into(), &"ERROR".into(), &3.into())
        );
        assert_eq!(read["time"], "2026-11-23T03:20:44Z");
    }
}
