//! The benchmark: that its parts count and compare as they say, and that a short run of the whole works. Its numbers
//! are nobody's promise and no test looks at them.

#[allow(dead_code, reason = "its main function is the benchmark's own")]
#[path = "../../benches/compare/main.rs"]
mod compare;

mod load;
mod parts;

use std::ffi::OsString;

use compare::Options;

#[test]
fn a_short_run_finds_equal_answers_and_reports_every_case() {
    let options = Options::parse(["compare", "--quick"].map(OsString::from)).unwrap();
    let mut report = Vec::new();
    compare::run(&options, &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    assert!(report.contains("All give the same answers."), "{report}");
    for case in &compare::cases::CASES {
        assert!(report.contains(case.title), "{report}");
    }
    for subject in ["pgduet REST", "pgduet gRPC", "pgbench"] {
        let lines = report.lines().filter(|line| line.trim_start().starts_with(subject)).count();
        assert_eq!(lines, compare::cases::CASES.len(), "{report}");
    }
}
