//! The measurements as tables in Markdown. They have medians and how far the rounds were apart, and judge nothing.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use super::{
    cases::Case,
    load::{Pace, Sample},
    usage::Cpu,
};

/// Everybody, by their name on the command line.
pub(crate) const SUBJECTS: [(&str, Subject); 6] = [
    ("rest", Subject::Rest),
    ("grpc", Subject::Grpc),
    ("handwritten", Subject::HandWritten),
    ("other", Subject::Other),
    ("limit", Subject::Limit),
    ("statement", Subject::Statement),
];

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// pgduet over REST.
    Rest,
    /// pgduet over gRPC.
    Grpc,
    /// A handler that answers these requests only.
    HandWritten,
    /// The server that was named with `--against`, over REST.
    Other,
    /// The same transaction through pgbench.
    Limit,
    /// The statement of it through pgbench.
    Statement,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rest => "pgduet REST",
            Self::Grpc => "pgduet gRPC",
            Self::HandWritten => "hand-written REST",
            Self::Other => "other REST",
            Self::Limit => "limit",
            Self::Statement => "bare statement",
        })
    }
}

/// What is made of the cases, by its name on the command line.
pub(crate) const SCENES: [(&str, Scene); 3] =
    [("load", Scene::Load), ("latency", Scene::Latency), ("distance", Scene::Distance)];

/// Requests each second of [`Scene::Latency`].
const RATE: u32 = 200;

/// How much longer a round trip to PostgreSQL takes in [`Scene::Distance`].
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(5);

/// How a case is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    /// As many requests as there can be.
    Load,
    /// Few requests, one after the other.
    Latency,
    /// As many requests as there can be, and PostgreSQL a network away.
    Distance,
}

impl Scene {
    /// Whether a case is measured so.
    pub(crate) fn has(self, case: &Case) -> bool {
        match self {
            Self::Load => true,
            Self::Latency => case.id == "key",
            Self::Distance => ["key", "page"].contains(&case.id),
        }
    }

    pub(crate) fn pace(self) -> Pace {
        match self {
            Self::Load | Self::Distance => Pace::Full,
            Self::Latency => Pace::Rate(RATE),
        }
    }
}

/// CPU time of one request in microseconds, where it could be seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    user: Option<f64>,
    kernel: Option<f64>,
    postgresql: Option<f64>,
    client: Option<f64>,
}

impl Cost {
    /// From what was spent on so many requests.
    pub(crate) fn of_each(
        own: Option<Cpu>,
        postgresql: Option<Cpu>,
        client: Option<Cpu>,
        requests: usize,
    ) -> Self {
        let each = |time: Duration| 1e6 * time.as_secs_f64() / requests as f64;
        Self {
            user: own.map(|own| each(own.user)),
            kernel: own.map(|own| each(own.kernel)),
            postgresql: postgresql.map(|all| each(all.user + all.kernel)),
            client: client.map(|all| each(all.user + all.kernel)),
        }
    }
}

/// One subject in one scene and case, over all rounds.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) scene: Scene,
    pub(crate) case: &'static Case,
    pub(crate) subject: Subject,
    /// One a round, in the order of the rounds.
    pub(crate) samples: Vec<Sample>,
    /// Likewise.
    pub(crate) costs: Vec<Cost>,
}

impl Series {
    /// The scene and case.
    pub(crate) fn title(&self) -> String {
        match self.scene {
            Scene::Load => self.case.title.to_owned(),
            Scene::Latency => format!("{}, one connection, {RATE}/s", self.case.title),
            Scene::Distance => format!("{}, PostgreSQL {} ms away", self.case.title, ROUND_TRIP.as_millis()),
        }
    }

    fn rates(&self) -> Vec<f64> {
        self.samples.iter().map(|sample| sample.rate).collect()
    }

    /// A percentile in milliseconds.
    fn latency(&self, percentile: impl Fn(&Sample) -> Duration) -> f64 {
        median(
            &self.samples.iter().map(|sample| 1000.0 * percentile(sample).as_secs_f64()).collect::<Vec<_>>(),
        )
    }

    /// A part of the CPU time; NaN where it could not be seen.
    fn cost(&self, part: impl Fn(&Cost) -> Option<f64>) -> f64 {
        median(&self.costs.iter().filter_map(part).collect::<Vec<_>>())
    }

    /// The rate as a part of another's; where the rate is given, the latency. It is the median of the rounds' ratios,
    /// for what stands in one round was measured together.
    fn ratio(&self, reference: Option<&Self>) -> f64 {
        let Some(reference) = reference else { return f64::NAN };
        let both = self.samples.iter().zip(&reference.samples);
        median(&match self.scene.pace() {
            Pace::Full => both.map(|(one, other)| one.rate / other.rate).collect::<Vec<_>>(),
            Pace::Rate(_) => both.map(|(one, other)| one.p50.div_duration_f64(other.p50)).collect(),
        })
    }
}

/// The series of each scene and case, which stand together.
fn groups(all: &[Series]) -> impl Iterator<Item = &[Series]> {
    all.chunk_by(|one, next| (one.scene, one.case.id) == (next.scene, next.case.id))
}

fn find(group: &[Series], subject: Subject) -> Option<&Series> {
    group.iter().find(|series| series.subject == subject)
}

/// Everything that was measured, a line for each subject.
pub(crate) fn table(all: &[Series]) -> String {
    let mut references = vec![(Subject::Limit, "of limit"), (Subject::Other, "of other")];
    references.retain(|(subject, _)| all.iter().any(|series| series.subject == *subject));
    let mut titles =
        vec!["req/s", "spread", "p50 ms", "p99 ms", "user µs", "kernel µs", "PostgreSQL µs", "client µs"];
    titles.extend(references.iter().map(|(_, title)| title));
    let mut table = head("", &titles);
    for group in groups(all) {
        line(&mut table, &format!("**{}**", group[0].title()), titles.iter().map(|_| String::new()));
        for series in group {
            let rates = series.rates();
            let mut cells = vec![
                number(median(&rates), 0),
                format!("{}%", number(100.0 * spread(&rates), 1)),
                number(series.latency(|sample| sample.p50), 2),
                number(series.latency(|sample| sample.p99), 2),
                number(series.cost(|cost| cost.user), 0),
                number(series.cost(|cost| cost.kernel), 0),
                number(series.cost(|cost| cost.postgresql), 0),
                number(series.cost(|cost| cost.client), 0),
            ];
            let ratios = references.iter().map(|(subject, _)| series.ratio(find(group, *subject)));
            cells.extend(ratios.map(|ratio| number(ratio, 2)));
            line(&mut table, &series.subject.to_string(), cells);
        }
    }
    table
}

/// The same in short: a line for each case, with requests per second, or the median latency where the rate is given,
/// and which part of the limit that is.
pub(crate) fn summary(all: &[Series]) -> String {
    let mut subjects = SUBJECTS.map(|(_, subject)| subject).to_vec();
    subjects.retain(|subject| all.iter().any(|series| series.subject == *subject));
    let titles: Vec<_> = subjects.iter().map(Subject::to_string).collect();
    let mut table = head("req/s (of limit)", &titles.iter().map(String::as_str).collect::<Vec<_>>());
    for group in groups(all) {
        let cells = subjects.iter().map(|subject| {
            let Some(series) = find(group, *subject) else { return number(f64::NAN, 0) };
            let value = match series.scene.pace() {
                Pace::Full => number(median(&series.rates()), 0),
                Pace::Rate(_) => format!("{} ms", number(series.latency(|sample| sample.p50), 2)),
            };
            match (subject, find(group, Subject::Limit)) {
                (Subject::Limit, _) | (_, None) => value,
                (_, limit) => format!("{value} ({})", number(series.ratio(limit), 2)),
            }
        });
        line(&mut table, &group[0].title(), cells);
    }
    table
}

/// What servers occupy at the end.
pub(crate) fn memory(all: &[(Subject, u64)]) -> String {
    let mut text = String::from("Resident memory after the run:");
    for (subject, bytes) in all {
        let _ = write!(text, " {subject} {:.1} MiB;", *bytes as f64 / f64::from(1 << 20));
    }
    text
}

/// How much the machine has changed from the first measurement to the same one at the end.
pub(crate) fn drift(first: Sample, last: Sample) -> String {
    format!(
        "drift: the first measurement gave {:.0} req/s, and {:.0} when it was repeated at the end ({:+.1}%)",
        first.rate,
        last.rate,
        100.0 * (last.rate / first.rate - 1.0)
    )
}

fn head(first: &str, titles: &[&str]) -> String {
    let mut table = String::new();
    line(&mut table, first, titles.iter().map(|title| (*title).to_owned()));
    table.push_str("|:--|");
    table.extend(titles.iter().map(|_| "--:|"));
    table.push('\n');
    table
}

fn line(table: &mut String, first: &str, cells: impl IntoIterator<Item = String>) {
    let _ = write!(table, "| {first:<38} |");
    for cell in cells {
        let _ = write!(table, " {cell:>13} |");
    }
    table.push('\n');
}

fn number(value: f64, decimals: usize) -> String {
    if value.is_nan() { "–".to_owned() } else { format!("{value:.decimals$}") }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// From the lowest to the highest, as a part of the median.
fn spread(values: &[f64]) -> f64 {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (highest - lowest) / median(values)
}
