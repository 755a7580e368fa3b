//! The parts of the benchmark that need no server.

use std::{collections::HashSet, ffi::OsString, time::Duration};

use http::Uri;
use serde_json::json;

use super::compare::{
    Options,
    cases::CASES,
    check::agrees,
    load::{Limit, Sample},
    pgbench, report,
    report::{Series, Subject},
    rest,
};

fn parse(args: &[&str]) -> Result<Options, clap::Error> {
    Options::parse(["compare"].iter().chain(args).map(OsString::from))
}

#[test]
fn all_cases_are_measured_unless_some_are_named() {
    assert_eq!(parse(&["--bench"]).unwrap().cases.len(), CASES.len());
    let some = parse(&["--case", "insert", "--case", "key"]).unwrap().cases;
    assert_eq!(some.iter().map(|case| case.id).collect::<Vec<_>>(), ["key", "insert"]);
}

#[test]
fn a_case_that_does_not_exist_and_zero_rounds_are_errors() {
    assert!(parse(&["--case", "join"]).is_err());
    assert!(parse(&["--rounds", "0"]).is_err());
}

#[test]
fn quick_keeps_the_cases_and_shortens_everything_else() {
    let quick = parse(&["--quick", "--case", "key", "--seconds", "60"]).unwrap();
    assert_eq!(quick.cases.len(), 1);
    assert!(matches!(quick.limit, Limit::Requests(_)));
}

#[test]
fn keys_are_many_and_stay_in_their_range() {
    for case in &CASES {
        let keys: HashSet<_> = case.sample_keys(500).collect();
        assert!(keys.len() > 300, "{} repeats its keys", case.id);
        assert!(keys.iter().all(|key| (1..=case.keys).contains(key)), "{} leaves its range", case.id);
    }
}

#[test]
fn every_form_of_a_case_depends_on_the_key() {
    for case in &CASES {
        assert!(case.sql.contains(":key"), "{}", case.id);
        assert!(case.rest.target.contains("{key}") || case.rest.body.contains("{key}"), "{}", case.id);
        assert!(case.grpc.request.contains("{key}"), "{}", case.id);
    }
}

#[test]
fn the_url_of_another_server_gives_host_port_and_prefix() {
    let api = rest::Api::at_url(&Uri::from_static("http://db.example:8080/rest/v1/")).unwrap();
    assert_eq!((&*api.endpoint.authority, &*api.prefix), ("db.example:8080", "/rest/v1"));
    let api = rest::Api::at_url(&Uri::from_static("http://localhost")).unwrap();
    assert_eq!((&*api.endpoint.authority, &*api.prefix), ("localhost:80", ""));
    assert!(rest::Api::at_url(&Uri::from_static("https://localhost")).is_err());
}

#[test]
fn the_rate_is_read_from_what_pgbench_prints() {
    let output = "transaction type: script.sql\nlatency average = 0.105 ms\n\
                  initial connection time = 6.551 ms\n\
                  tps = 75975.336021 (without initial connection time)\n";
    assert_eq!(pgbench::rate(output), Some(75975.336021));
    assert_eq!(pgbench::rate("pgbench: error: no such database\n"), None);
}

#[test]
fn the_latency_is_the_third_column_of_pgbench_s_log() {
    assert_eq!(pgbench::latency("0 199 2241 0 1175850568 995598"), Some(Duration::from_micros(2241)));
    // A transaction that was given up has a word there.
    assert_eq!(pgbench::latency("0 199 skipped 0 1175850568 995598"), None);
}

#[test]
fn protobuf_s_forms_agree_with_postgresql_s() {
    let protobuf = json!({
        "big": "9007199254740993", "price": "12.50", "at": "2024-01-01T00:01:37.500Z",
        "details": "{\"a\": [1, 2]}", "weight": 3,
    });
    let json = json!({
        "big": 9_007_199_254_740_993_i64, "price": 12.5, "at": "2024-01-01T02:01:37.5+02:00",
        "details": {"a": [1, 2]}, "weight": 3.0, "missing": null, "none": [],
    });
    assert!(agrees(&protobuf, &json));
}

#[test]
fn another_value_a_missing_row_and_a_column_too_many_are_seen() {
    assert!(!agrees(&json!({"id": 1}), &json!({"id": 2})));
    assert!(!agrees(&json!({}), &json!({"id": 2})));
    assert!(!agrees(&json!({"id": 1, "name": "x"}), &json!({"id": 1})));
    assert!(!agrees(&json!([{"id": 1}]), &json!([{"id": 1}, {"id": 2}])));
    assert!(!agrees(&json!("2024-01-01T00:00:00Z"), &json!("2024-01-01T00:00:01Z")));
    assert!(!agrees(&json!("12.5"), &json!(12.6)));
}

fn samples(rates: &[f64]) -> Vec<Sample> {
    let time = Duration::from_micros(1500);
    rates.iter().map(|rate| Sample { rate: *rate, p50: time, p99: 2 * time }).collect()
}

/// The cells behind the subject's name.
fn line(table: &str, subject: &str) -> Vec<String> {
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix(subject)).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_table_has_medians_spread_latencies_and_ratios_of_what_was_measured_in_one_round() {
    let series = |subject, rates| Series { case: &CASES[0], subject, samples: samples(rates) };
    let all = [
        // The machine was twice as fast in the second round, for everybody.
        series(Subject::Rest, &[900.0, 1800.0, 1000.0]),
        series(Subject::Pgbench, &[1800.0, 3600.0, 2000.0]),
    ];
    let table = report::table(&all);
    assert_eq!(line(&table, "pgduet REST"), ["1000", "90.0%", "1.50", "3.00", "0.50"]);
    assert!(!table.contains("of other"), "{table}");
}

#[test]
fn another_server_gets_a_column_of_ratios_too() {
    let series = |subject, rates| Series { case: &CASES[0], subject, samples: samples(rates) };
    let all = [
        series(Subject::Rest, &[1000.0, 3000.0]),
        series(Subject::Other, &[500.0, 1500.0]),
        series(Subject::Pgbench, &[2000.0, 6000.0]),
    ];
    assert_eq!(line(&report::table(&all), "pgduet REST"), ["2000", "100.0%", "1.50", "3.00", "0.50", "2.00"]);
}

#[test]
fn percentiles_come_from_sorted_latencies_and_nothing_measured_is_an_error() {
    let latencies = (1..=100).rev().map(Duration::from_millis).collect();
    let sample = Sample::new(1.0, latencies).unwrap();
    assert_eq!((sample.p50, sample.p99), (Duration::from_millis(51), Duration::from_millis(100)));
    assert!(Sample::new(1.0, Vec::new()).is_err());
}

#[test]
fn drift_is_the_change_from_the_first_measurement_to_its_repetition() {
    let rates = samples(&[1000.0, 950.0]);
    assert!(report::drift(rates[0], rates[1]).contains("(-5.0%)"));
}
