//! The benchmark: that its parts count and compare as they say, and that a short run of the whole works. Its numbers
//! are nobody's promise and no test looks at them.

#[allow(dead_code, reason = "its main function is the benchmark's own")]
#[path = "../../benches/compare/main.rs"]
mod compare;

mod distance;
mod load;
mod parts;

use std::ffi::OsString;

use compare::Options;

#[test]
fn a_short_run_finds_equal_answers_and_reports_every_case() {
    // All parts but the counting of instructions, for which everything has to run under valgrind.
    let arguments = ["compare", "--quick", "--part", "load", "--part", "latency", "--part", "distance"];
    let options = Options::parse(arguments.map(OsString::from)).unwrap();
    let mut report = Vec::new();
    compare::run(&options, &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    assert!(report.contains("All give the same answers."), "{report}");
    let lines = |first: &str| report.lines().filter(|line| line.contains(&format!("| {first}"))).count();
    for case in &compare::cases::CASES {
        // In the table, and in the summary.
        assert_eq!(
            (lines(&format!("**{}**", case.title)), lines(&format!("{}  ", case.title))),
            (1, 1),
            "{report}"
        );
    }
    // Each case, one of them at a low rate too, and two of them with a distance to PostgreSQL.
    let all = compare::cases::CASES.len();
    for (subject, times) in [
        ("pgduet REST", all + 3),
        ("pgduet gRPC", all + 3),
        ("limit", all + 3),
        ("bare statement", all),
        ("hand-written REST", 3),
    ] {
        assert_eq!(lines(&format!("{subject}  ")), times, "{subject}: {report}");
    }
    // pgbench is no server of its own: what PostgreSQL and the client spend is seen all the same.
    let limit = report.lines().find(|line| line.starts_with("| limit ")).unwrap();
    let dashes = limit.split('|').filter(|cell| cell.trim() == "–").count();
    assert_eq!(dashes, 2, "{limit}");
}
