//! The measurements as a table. It prints medians and how far the rounds were apart, and judges nothing.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use super::{cases::Case, load::Sample};

/// Everybody, by their name on the command line and in the order of their turns.
pub(crate) const SUBJECTS: [(&str, Subject); 4] = [
    ("rest", Subject::Rest),
    ("grpc", Subject::Grpc),
    ("other", Subject::Other),
    ("pgbench", Subject::Pgbench),
];

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// pgduet over REST.
    Rest,
    /// pgduet over gRPC.
    Grpc,
    /// The server that was named with `--against`, over REST.
    Other,
    /// The same SQL and nothing else.
    Pgbench,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rest => "pgduet REST",
            Self::Grpc => "pgduet gRPC",
            Self::Other => "other REST",
            Self::Pgbench => "pgbench",
        })
    }
}

/// One subject in one case, over all rounds.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) case: &'static Case,
    pub(crate) subject: Subject,
    /// One a round, in the order of the rounds.
    pub(crate) samples: Vec<Sample>,
}

/// The table; the series of a case stand together. A ratio is the median of the rounds' ratios, for what stands in one
/// round was measured together.
pub(crate) fn table(all: &[Series]) -> String {
    let mut references = vec![(Subject::Pgbench, "of pgbench"), (Subject::Other, "of other")];
    references.retain(|(subject, _)| all.iter().any(|series| series.subject == *subject));
    let mut table = format!("{:<28}{:>10}{:>9}{:>10}{:>10}", "", "req/s", "spread", "p50 ms", "p99 ms");
    for (_, title) in &references {
        let _ = write!(table, "{title:>12}");
    }
    table.push('\n');
    for case in all.chunk_by(|one, next| one.case.id == next.case.id) {
        let _ = writeln!(table, "{}", case[0].case.title);
        for Series { subject, samples, .. } in case {
            let rates: Vec<_> = samples.iter().map(|sample| sample.rate).collect();
            let _ = write!(
                table,
                "  {subject:<26}{:>10.0}{:>8.1}%{:>10.2}{:>10.2}",
                median(&rates),
                100.0 * spread(&rates),
                milliseconds(samples, |sample| sample.p50),
                milliseconds(samples, |sample| sample.p99),
            );
            for (reference, _) in &references {
                let reference = case.iter().find(|series| series.subject == *reference);
                let ratio = reference.map_or(f64::NAN, |reference| ratio(samples, &reference.samples));
                let _ = write!(table, "{ratio:>12.2}");
            }
            table.push('\n');
        }
    }
    table
}

/// How much the machine has changed from the first measurement to the same one at the end.
pub(crate) fn drift(first: Sample, last: Sample) -> String {
    format!(
        "drift: the first measurement gave {:.0} req/s, and {:.0} when it was repeated at the end ({:+.1}%)\n",
        first.rate,
        last.rate,
        100.0 * (last.rate / first.rate - 1.0)
    )
}

fn milliseconds(samples: &[Sample], part: impl Fn(&Sample) -> Duration) -> f64 {
    1000.0 * median(&samples.iter().map(|sample| part(sample).as_secs_f64()).collect::<Vec<_>>())
}

fn ratio(samples: &[Sample], reference: &[Sample]) -> f64 {
    median(&samples.iter().zip(reference).map(|(one, other)| one.rate / other.rate).collect::<Vec<_>>())
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
