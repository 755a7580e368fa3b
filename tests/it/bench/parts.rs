//! The parts of the benchmark that need no server.

use std::{collections::HashSet, ffi::OsString, time::Duration};

use bytes::Bytes;
use http::Uri;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::compare::{
    Options,
    callgrind::{self, Count},
    cases::CASES,
    check::agrees,
    exchange::{Call, Endpoint, Protocol},
    http1::{Http1, Written},
    load::{Limit, Sample},
    pgbench, report,
    report::{Cost, Scene, Series, Subject},
    rest,
    usage::{self, Cpu, Spender},
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
fn an_option_that_is_given_twice_counts_as_it_stands_last_and_parts_can_be_chosen() {
    let options =
        parse(&["--rounds", "5", "--rounds", "1", "--part", "latency", "--part", "distance"]).unwrap();
    assert_eq!(options.rounds, 1);
    assert_eq!(options.scenes, [Scene::Latency, Scene::Distance]);
    assert!(!options.instructions && parse(&[]).unwrap().instructions);
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
    let output = "transaction type: script.sql\nnumber of transactions actually processed: 75921\nlatency average = 0.105 ms\n\
                  initial connection time = 6.551 ms\n\
                  tps = 75975.336021 (without initial connection time)\n";
    assert_eq!(pgbench::result(output), Some((75975.336021, 75921)));
    // Where each client has a number of transactions to do.
    let output =
        "number of transactions actually processed: 40/40\ntps = 1000.5 (without initial connection time)\n";
    assert_eq!(pgbench::result(output), Some((1000.5, 40)));
    assert_eq!(pgbench::result("pgbench: error: no such database\n"), None);
}

#[test]
fn the_latency_is_the_third_column_of_pgbench_s_log() {
    assert_eq!(pgbench::latency("0 199 2241 0 1175850568 995598"), Some(Duration::from_micros(2241)));
    // At a rate, the last column is by how much it began too late.
    assert_eq!(pgbench::latency("0 1 2241 0 1175850568 995598 2000"), Some(Duration::from_micros(241)));
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

fn series(subject: Subject, rates: &[f64]) -> Series {
    let time = Duration::from_micros(1500);
    let sample = |rate: &f64| Sample { rate: *rate, p50: time, p99: 2 * time, answered: 1000 };
    let own = Cpu { user: Duration::from_millis(60), kernel: Duration::from_millis(20) };
    let all = Cpu { user: Duration::from_millis(90), kernel: Duration::from_millis(10) };
    Series {
        scene: Scene::Load,
        case: &CASES[0],
        subject,
        samples: rates.iter().map(sample).collect(),
        costs: rates.iter().map(|_| Cost::of_each(Some(own), Some(all), Some(own), 1000)).collect(),
    }
}

/// The cells behind the first one of a line that begins so.
fn line(table: &str, first: &str) -> Vec<String> {
    let mut lines =
        table.lines().map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()));
    lines.find_map(|mut cells| (cells.next().as_deref() == Some(first)).then(|| cells.collect())).unwrap()
}

#[test]
fn the_table_has_medians_spread_latencies_costs_and_ratios_of_what_was_measured_in_one_round() {
    let all = [
        // The machine was twice as fast in the second round, for everybody.
        series(Subject::Rest, &[900.0, 1800.0, 1000.0]),
        series(Subject::Limit, &[1800.0, 3600.0, 2000.0]),
    ];
    let table = report::table(&all);
    let rest = ["1000", "90.0%", "1.50", "3.00", "60", "20", "100", "80", "0.50"];
    assert_eq!(line(&table, "pgduet REST"), rest);
    assert!(!table.contains("of other"), "{table}");
    let summary = report::summary(&all);
    assert_eq!(line(&summary, "req/s (of limit)"), ["pgduet REST", "limit"]);
    assert_eq!(line(&summary, "row by key"), ["1000 (0.50)", "2000"]);
}

#[test]
fn another_server_gets_a_column_of_ratios_too() {
    let all = [
        series(Subject::Rest, &[1000.0, 3000.0]),
        series(Subject::Other, &[500.0, 1500.0]),
        series(Subject::Limit, &[2000.0, 6000.0]),
    ];
    assert_eq!(line(&report::table(&all), "pgduet REST")[8..], ["0.50", "2.00"]);
}

#[test]
fn where_the_rate_is_given_latencies_are_compared() {
    let mut all = [series(Subject::Rest, &[200.0]), series(Subject::Limit, &[200.0])];
    for series in &mut all {
        series.scene = Scene::Latency;
    }
    all[1].samples[0].p50 = Duration::from_micros(1200);
    let summary = report::summary(&all);
    assert_eq!(line(&summary, "row by key, one connection, 200/s"), ["1.50 ms (1.25)", "1.20 ms"]);
}

#[test]
fn what_could_not_be_seen_has_a_dash() {
    let mut all = [series(Subject::Statement, &[1000.0])];
    all[0].costs = vec![Cost::of_each(None, None, None, 1000)];
    let dashes = line(&report::table(&all), "bare statement");
    assert_eq!(dashes[4..], ["–", "–", "–", "–"]);
}

#[test]
fn cpu_time_is_in_the_columns_behind_a_name_that_may_have_parentheses() {
    let line = "7 (a (b) c) S 3 7 7 0 -1 4194560 1 0 0 0 250 50 30 20 20 0 1 0 88";
    let columns = usage::columns(line).unwrap();
    assert_eq!((columns[1], columns[11], columns[12], columns[13], columns[14]), (3, 250, 50, 30, 20));
    assert_eq!(usage::columns("7 (short) S 3"), None);
}

#[test]
fn the_process_that_listens_on_a_port_is_found_and_its_time_grows() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let spender = Spender::listening_on(listener.local_addr().unwrap().port());
    assert!(matches!(spender, Spender::Process(pid) if pid == std::process::id()), "{spender:?}");
    let before = spender.cpu().unwrap();
    while spender.cpu().unwrap() == before {
        std::hint::black_box((0..100_000).sum::<u64>());
    }
    assert!(spender.resident().unwrap() > 1 << 20);
    assert!(Spender::Client { without: "nobody" }.cpu().is_some());
    assert_eq!(Spender::Unknown.cpu(), None);
}

#[test]
fn a_callgrind_dump_gives_instructions_and_calls_that_give_memory() {
    let dump = "positions: line\nevents: Ir\n\nob=(1) /usr/bin/pgduet\nfn=(1) main\n16 400\n\
                cob=(2) libc.so.6\ncfn=(2) malloc\ncalls=3 0\n16 90\n\
                cfn=(3) free\ncalls=5 0\n16 10\n\
                fn=(4) later\n0 100\ncfn=(2)\ncalls=2 0\n0 60\n\
                cfn=(5) realloc'2\ncalls=1 0\n0 60\ncfn=(1)\ncalls=7 0\n0 60\n\
                fn=(2)\n0 100\ncfn=(6) _int_malloc\ncalls=5 0\n0 20\ntotals: 1234\n";
    assert_eq!(callgrind::read(dump.as_bytes()).unwrap(), Count { instructions: 1234, allocations: 6 });
    assert!(callgrind::read("totals: 0\n".as_bytes()).is_err());
}

#[test]
fn percentiles_come_from_sorted_latencies_and_nothing_measured_is_an_error() {
    let latencies = (1..=100).rev().map(Duration::from_millis).collect();
    let sample = Sample::new(1.0, 100, latencies).unwrap();
    assert_eq!((sample.p50, sample.p99), (Duration::from_millis(51), Duration::from_millis(100)));
    assert!(Sample::new(1.0, 0, Vec::new()).is_err());
}

#[test]
fn drift_is_the_change_from_the_first_measurement_to_its_repetition() {
    let samples = series(Subject::Rest, &[1000.0, 950.0]).samples;
    assert!(report::drift(samples[0], samples[1]).contains("(-5.0%)"));
}

/// What [`Http1`] makes of an answer that comes in these pieces.
async fn answered(pieces: &'static [&'static str]) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let authority = listener.local_addr()?.to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        for piece in pieces {
            let mut request = [0; 1024];
            // The first piece answers the request, and each of the others comes when it is asked for.
            let _ = stream.read(&mut request).await?;
            stream.write_all(piece.as_bytes()).await?;
        }
        anyhow::Ok(())
    });
    let endpoint = Endpoint { authority, protocol: Protocol::Rest };
    let call = Call::rest(&endpoint, http::Method::GET, "/items", Bytes::new(), http::StatusCode::OK)?;
    let request = Written::of(&call)?;
    let mut connection = Http1::open(&endpoint).await?;
    for _ in pieces {
        connection.send(&request).await?;
    }
    server.await?
}

#[tokio::test]
async fn the_load_reads_answers_to_their_end_and_looks_at_their_status() {
    const SIZED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n";
    // What is left of one answer would be the beginning of the next one.
    answered(&[SIZED, CHUNKED, SIZED, "HTTP/1.1 200 OK\r\n\r\n"]).await.unwrap();
    let refused = answered(&["HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone"]).await.unwrap_err();
    assert!(refused.to_string().ends_with("was answered 404 Not Found: none"), "{refused}");
    assert!(answered(&["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]"]).await.is_err());
}
