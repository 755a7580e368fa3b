//! Bodies are made here of text columns, and are PostgreSQL's own JSON byte for
//! byte. `PROPTEST_CASES` says how many are compared; the seed is fixed.

use super::*;
use bytes::Bytes;
use pgduet::sql::Column;
use proptest::{
    collection::vec,
    num, option,
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

/// A column, how its text becomes JSON, and what may be in it.
struct Sample {
    name: &'static str,
    declaration: &'static str,
    /// `None`: PostgreSQL makes the JSON.
    encoder: Option<Encoder>,
    values: BoxedStrategy<String>,
}

/// One for each type with an encoder, and some without.
fn samples() -> Vec<Sample> {
    let sample =
        |name, declaration, encoder, values| Sample { name, declaration, encoder: Some(encoder), values };
    let made = |name, declaration, values| Sample { name, declaration, encoder: None, values };
    vec![
        sample("bool", "bool", Encoder::Boolean, any::<bool>().prop_map(|v| v.to_string()).boxed()),
        sample("int2", "int2", Encoder::Number, any::<i16>().prop_map(|v| v.to_string()).boxed()),
        sample("int4", "int4", Encoder::Number, any::<i32>().prop_map(|v| v.to_string()).boxed()),
        sample("int8", "int8", Encoder::Number, any::<i64>().prop_map(|v| v.to_string()).boxed()),
        sample("oid", "oid", Encoder::Text, any::<u32>().prop_map(|v| v.to_string()).boxed()),
        sample("float4", "float4", Encoder::Number, num::f32::ANY.prop_map(|v| format!("{v:e}")).boxed()),
        sample("float8", "float8", Encoder::Number, num::f64::ANY.prop_map(|v| format!("{v:e}")).boxed()),
        sample("numeric", "numeric", Encoder::Number, numerics()),
        sample("money", "numeric(12, 2)", Encoder::Number, "-?[0-9]{1,10}\\.[0-9]{0,4}".boxed()),
        sample("text", "text", Encoder::Text, texts(40)),
        sample("a \"key\"\n", "varchar(20)", Encoder::Text, texts(20)),
        sample("name", "name", Encoder::Text, texts(80)),
        sample("uuid", "uuid", Encoder::Text, "[0-9a-f]{32}".boxed()),
        made("date", "date", or_infinite(era(date(4713, 5_874_897)))),
        sample("time", "time", Encoder::Text, time()),
        sample("timetz", "timetz", Encoder::Text, joined(time(), zone())),
        made("timestamp", "timestamp", or_infinite(era(moment()))),
        made("timestamp(0)", "timestamp(0)", or_infinite(era(moment()))),
        made("timestamptz", "timestamptz", or_infinite(era((joined_parts(moment(), zone())).boxed()))),
        sample("json", "json", Encoder::Verbatim, json()),
        sample("jsonb", "jsonb", Encoder::Verbatim, json()),
        sample("domain", "sentence", Encoder::Text, texts(20)),
        made("mood", "mood", select(vec!["sad".to_owned(), "so \"so\"\n".to_owned()]).boxed()),
        made("char", "char(5)", "[a-z\"]{0,5}".boxed()),
        made("bytea", "bytea", "\\\\\\\\x([0-9a-f]{2}){0,9}".boxed()),
        made("interval", "interval", "-?[0-9]{1,4} (month|day|hour)s -?[0-9]{1,6}\\.[0-9]{1,6} s".boxed()),
        made("array", "int[]", select(vec!["{}".to_owned(), "{1,NULL,{2}}".replace("{2}", "2")]).boxed()),
    ]
}

fn numerics() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "-?[0-9]{1,60}(\\.[0-9]{0,60})?",
        1 => "-?[0-9]{1,4}e-?[0-9]{1,2}",
        1 => select(vec!["NaN", "Infinity", "-Infinity", "0.00", "-0"]).prop_map(str::to_owned),
    ]
    .boxed()
}

/// Of characters that somebody might escape, and others.
fn texts(length: usize) -> BoxedStrategy<String> {
    let special = select(
        "\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/'<>&\u{7f}\u{80}\u{2028}{}[],:".chars().collect::<Vec<_>>(),
    );
    let character = prop_oneof![special, any::<char>().prop_filter("no text has it", |c| *c != '\0')];
    vec(character, 0..=length).prop_map(String::from_iter).boxed()
}

/// Joins two texts.
fn joined(first: BoxedStrategy<String>, second: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (first, second).prop_map(|(first, second)| first + &second).boxed()
}

/// A date before or after the first year, of at most so many years.
fn date(before: u32, after: u32) -> BoxedStrategy<(String, &'static str)> {
    let years = prop_oneof![
        3 => (1..10_000_u32).prop_map(|year| (year, "")),
        1 => (1..after).prop_map(|year| (year, "")),
        1 => (1..before).prop_map(|year| (year, " BC")),
    ];
    (years, 1..=12, 1..=28)
        .prop_map(|((year, era), month, day)| (format!("{year:04}-{month:02}-{day:02}"), era))
        .boxed()
}

fn time() -> BoxedStrategy<String> {
    let fraction = prop_oneof![Just(String::new()), "\\.[0-9]{1,6}"];
    (0..24, 0..60, 0..60, fraction)
        .prop_map(|(hour, minute, second, fraction)| format!("{hour:02}:{minute:02}:{second:02}{fraction}"))
        .boxed()
}

fn moment() -> BoxedStrategy<(String, &'static str)> {
    (date(4713, 294_276), time()).prop_map(|((date, era), time)| (format!("{date} {time}"), era)).boxed()
}

fn zone() -> BoxedStrategy<String> {
    let seconds = prop_oneof![Just(String::new()), ":[0-5][0-9]"];
    ("[+-]", 0..15, 0..60, seconds)
        .prop_map(|(sign, hours, minutes, seconds)| format!("{sign}{hours:02}:{minutes:02}{seconds}"))
        .boxed()
}

fn joined_parts(
    moment: BoxedStrategy<(String, &'static str)>,
    zone: BoxedStrategy<String>,
) -> BoxedStrategy<(String, &'static str)> {
    (moment, zone).prop_map(|((moment, era), zone)| (moment + &zone, era)).boxed()
}

fn era(parts: BoxedStrategy<(String, &'static str)>) -> BoxedStrategy<String> {
    parts.prop_map(|(text, era)| text + era).boxed()
}

fn or_infinite(values: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let infinite = select(vec!["infinity".to_owned(), "-infinity".to_owned()]);
    prop_oneof![9 => values, 1 => infinite].boxed()
}

fn json() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|v| v.to_string()),
        any::<i64>().prop_map(|v| v.to_string()),
        "-?(0|[1-9][0-9]{0,30})\\.[0-9]{1,30}(e[+-]?[0-9]{1,2})?",
        texts(10).prop_map(|v| serde_json::to_string(&v).unwrap()),
    ];
    let nested = leaf.prop_recursive(3, 12, 4, |inner| {
        let space = select(vec!["", " ", "\n\t"]);
        let key = texts(5).prop_map(|v| serde_json::to_string(&v).unwrap());
        prop_oneof![
            (vec(inner.clone(), 0..4), space.clone())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!(",{space}")))),
            (vec((key, inner), 0..4), space).prop_map(|(members, space)| {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("{key}:{space}{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    nested.boxed()
}

/// What the text of values depends on, and bodies must not, or only as PostgreSQL's own.
fn sessions() -> BoxedStrategy<Vec<(Cow<'static, str>, Bytes)>> {
    let zones = select(vec![
        "UTC",
        "Asia/Kathmandu",
        "America/St_Johns",
        "Africa/Monrovia",
        "Europe/Amsterdam",
        "Pacific/Apia",
        "Etc/GMT+12",
        "<odd>-07:12",
        "<even>+11:59",
    ]);
    let intervals = select(vec!["postgres", "iso_8601", "sql_standard", "postgres_verbose"]);
    let dates = select(vec!["ISO, MDY", "German", "SQL, DMY", "Postgres, MDY"]);
    (zones, intervals, select(vec!["1", "0", "-3", "3"]), select(vec!["hex", "escape"]), dates)
        .prop_map(|(zone, interval, digits, bytea, dates)| {
            settings(&[
                ("role", "anonymous"),
                ("TimeZone", zone),
                ("DateStyle", dates),
                ("IntervalStyle", interval),
                ("extra_float_digits", digits),
                ("bytea_output", bytea),
            ])
        })
        .boxed()
}

/// Rows as the pool makes a body of them.
fn ours(samples: &[Sample]) -> Unit<'static> {
    let mut out = fragment("SELECT ");
    out.separated(", ", samples, |out, sample| {
        out.sql(if sample.encoder.is_some() { "(" } else { "to_json(" }).identifier(sample.name).sql(")");
    });
    out.sql(" FROM sample ORDER BY n");
    let column = |sample: &Sample| Column {
        name: sample.name.to_owned(),
        encoder: sample.encoder.unwrap_or(Encoder::Verbatim),
    };
    unit(out, Layout::Array(samples.iter().map(column).collect()))
}

/// The same rows as PostgreSQL makes it.
fn theirs(samples: &[Sample]) -> Unit<'static> {
    let mut out = fragment("SELECT coalesce(json_agg(\"row\"), '[]')::text FROM (SELECT ");
    out.separated(", ", samples, |out, sample| {
        out.identifier(sample.name);
    });
    out.sql(" FROM sample ORDER BY n) AS \"row\"");
    unit(out, Layout::Body)
}

fn insert(samples: &[Sample], rows: Vec<Vec<Option<String>>>) -> Unit<'static> {
    let mut out = fragment("INSERT INTO sample (");
    out.separated(", ", samples, |out, sample| {
        out.identifier(sample.name);
    });
    out.sql(") VALUES (");
    out.separated("), (", rows, |out, row| {
        out.separated(", ", row, |out, value| {
            match value {
                Some(value) => out.text(value),
                None => out.sql("NULL"),
            };
        });
    });
    out.sql(")");
    unit(out, Layout::Nothing)
}

fn declared(samples: &[Sample]) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns: Vec<_> =
        samples.iter().map(|sample| format!("{} {}", quoted(sample.name), sample.declaration)).collect();
    format!(
        "CREATE TYPE mood AS ENUM ('sad', E'so \"so\"\\n');
         CREATE DOMAIN sentence AS text;
         CREATE TABLE sample (n serial, {});
         GRANT ALL ON sample, sample_n_seq TO anonymous",
        columns.join(", ")
    )
}

#[test]
fn bodies_are_postgresql_s_own_json_byte_for_byte() {
    let samples = samples();
    let database = Database::fresh(&declared(&samples));
    let pool = pool(&database);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let row: Vec<_> = samples.iter().map(|sample| option::weighted(0.9, sample.values.clone())).collect();
    let default = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(default, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&(sessions(), vec(row, 0..6)), |(session, rows)| {
        runtime.block_on(async {
            body(&pool, act("DELETE FROM sample")).await;
            let told = |unit| Unit { settings: session.clone(), ..unit };
            if !rows.is_empty() {
                let inserted = run(&pool, told(insert(&samples, rows))).await;
                inserted.map_err(|error| TestCaseError::fail(format!("no value: {error:?}")))?;
            }
            let (ours, theirs) =
                (body(&pool, told(ours(&samples))).await, body(&pool, told(theirs(&samples))).await);
            prop_assert_eq!(ours, theirs);
            Ok(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
