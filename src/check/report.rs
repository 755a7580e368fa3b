//! What was found, as a table for people and as JSON for programs. Names in it come from the database: whatever could
//! steer a terminal is escaped.

use super::{Check, Seen, Severity};
use serde::Serialize;
use std::fmt::Write;

/// The findings, in the order of the checks.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    findings: Vec<Finding>,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    severity: Severity,
    subject: String,
    cause: String,
    consequence: &'static str,
    remedy: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    advice: &'static str,
}

/// What a report comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was found, or notes alone.
    Passed,
    /// There are warnings, or worse.
    Failed,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            Severity::Critical | Severity::Warning => Verdict::Failed,
            Severity::Note => Verdict::Passed,
        }
    }
}

impl Serialize for Severity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Report {
    /// Takes what a check has seen.
    pub(super) fn add(&mut self, check: &Check, seen: impl IntoIterator<Item = Seen>) {
        self.findings.extend(seen.into_iter().map(|Seen { subject, cause, remedy }| Finding {
            check: check.name,
            severity: check.severity,
            subject,
            cause,
            consequence: check.consequence,
            remedy,
            advice: check.advice,
        }));
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let failed = self.findings.iter().any(|finding| finding.severity.verdict() == Verdict::Failed);
        if failed { Verdict::Failed } else { Verdict::Passed }
    }

    /// A table of three columns, and a line that counts.
    pub fn text(&self) -> String {
        let rows: Vec<_> =
            self.findings.iter().map(|finding| [finding.severity.name(), finding.check]).collect();
        let width =
            |at: usize, title: &str| rows.iter().map(|row| row[at].len()).fold(title.len(), usize::max);
        let (severity, check) = (width(0, SEVERITY), width(1, CHECK));
        let mut text = String::new();
        let mut line = |first: &str, second: &str, third: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{first:severity$}  {second:check$}  {}", visible(third));
        };
        if !self.findings.is_empty() {
            line(SEVERITY, CHECK, "FINDING");
        }
        for finding in &self.findings {
            line(finding.severity.name(), finding.check, &finding.subject);
            for sentence in [&finding.cause, finding.consequence, &finding.remedy, finding.advice] {
                if !sentence.is_empty() {
                    line("", "", sentence);
                }
            }
        }
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        let counts = [Severity::Critical, Severity::Warning, Severity::Note]
            .map(|severity| format!("{}: {}", severity.name(), count(severity)));
        let _ = writeln!(text, "{}", counts.join(", "));
        text
    }

    /// The same as JSON: an object with the list `findings`.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

const SEVERITY: &str = "SEVERITY";
const CHECK: &str = "CHECK";

/// With control characters as escapes.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => visible.extend(character.escape_default()),
            false => visible.push(character),
        }
    }
    visible
}
