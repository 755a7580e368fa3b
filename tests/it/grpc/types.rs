//! Every type, in both directions: what comes out of a row and is written to another gives the same text there.

use super::{Served, said, served_from, value};
use crate::support::{database::Database, http::send};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt;

/// Rows of a run: enough for each column to be NULL in some and each alternative to be met.
const ROWS: usize = 60;

const TYPES: &str = r#"
    CREATE SCHEMA api;
    CREATE TYPE api.mood AS ENUM ('sad', 'so-so', 'very happy');
    CREATE TYPE api.sign AS ENUM ('+', '-');
    CREATE TYPE api.pair AS (number int, "Other Text" text, words text[]);
    CREATE TYPE api.nested AS (inner_pair api.pair, at timestamptz, mood api.mood, price numeric, home inet, days date[], pairs api.pair[]);
    CREATE DOMAIN api.positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN api.feeling AS api.mood;
    CREATE DOMAIN api.words AS text[];
    GRANT USAGE ON SCHEMA api TO anonymous;"#;

/// A type as SQL writes it, and expressions of it.
type Column = (String, BoxedStrategy<String>);

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A column of literals.
fn literals<S: Strategy<Value = String> + 'static>(sql: &str, texts: S) -> Column {
    let cast = sql.to_owned();
    (sql.to_owned(), texts.prop_map(move |text| format!("{}::{cast}", quoted(&text))).boxed())
}

/// Arrays of what another column has, none of them empty: what is NULL and what is empty look alike.
fn arrays((sql, elements): Column) -> Column {
    let array = format!("{sql}[]");
    let cast = array.clone();
    let expressions = prop::collection::vec(elements, 1..4)
        .prop_map(move |elements| format!("ARRAY[{}]::{cast}", elements.join(", ")));
    (array, expressions.boxed())
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', ""))
}

fn date() -> impl Strategy<Value = String> {
    (1..=9999, 1..=12, 1..=28).prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
}

fn time() -> impl Strategy<Value = String> {
    (0..24, 0..60, 0..60, 0..1_000_000)
        .prop_map(|(hour, minute, second, micros)| format!("{hour:02}:{minute:02}:{second:02}.{micros:06}"))
}

fn moment() -> impl Strategy<Value = String> {
    (date(), time()).prop_map(|(date, time)| format!("{date} {time}"))
}

fn bits() -> impl Strategy<Value = String> {
    "[01]{8}"
}

fn scalars() -> Vec<Column> {
    vec![
        literals("bool", any::<bool>().prop_map(|value| value.to_string())),
        literals("int2", any::<i16>().prop_map(|value| value.to_string())),
        literals("int4", any::<i32>().prop_map(|value| value.to_string())),
        literals("int8", any::<i64>().prop_map(|value| value.to_string())),
        literals(
            "float4",
            prop_oneof![9 => any::<f32>().prop_map(|value| value.to_string()), 1 => one_of(&["NaN", "Infinity", "-Infinity", "-0"])],
        ),
        literals(
            "float8",
            prop_oneof![9 => any::<f64>().prop_map(|value| format!("{value:e}")), 1 => one_of(&["NaN", "Infinity", "-Infinity", "-0"])],
        ),
        literals(
            "numeric",
            prop_oneof![9 => "-?[0-9]{1,30}\\.[0-9]{1,20}", 1 => one_of(&["NaN", "0.000", "1e100"])],
        ),
        literals("text", text()),
        literals("varchar(40)", "\\PC{0,40}"),
        literals("char(5)", "[a-z]{0,5}"),
        literals("name", "[a-z ]{1,20}"),
        literals("uuid", "[0-9a-f]{32}"),
        literals(
            "inet",
            (any::<[u8; 4]>(), 0..=32).prop_map(|([a, b, c, d], bits)| format!("{a}.{b}.{c}.{d}/{bits}")),
        ),
        literals("cidr", one_of(&["10.0.0.0/8", "192.168.7.1/32", "2001:db8::/32", "0.0.0.0/0"])),
        literals("macaddr", "[0-9a-f]{12}"),
        literals(
            "interval",
            (-99..99, -99..99, any::<i32>())
                .prop_map(|(months, days, seconds)| format!("{months} months {days} days {seconds} seconds")),
        ),
        literals(
            "date",
            prop_oneof![9 => date().boxed(), 1 => one_of(&["infinity", "-infinity", "0044-03-15 BC"]).boxed()],
        ),
        literals("time", time()),
        literals("timetz", (time(), -12..=12).prop_map(|(time, zone)| format!("{time}{zone:+03}"))),
        literals(
            "timestamp",
            prop_oneof![9 => moment().boxed(), 1 => one_of(&["infinity", "0044-03-15 12:00 BC"]).boxed()],
        ),
        literals("timestamptz", moment().prop_map(|moment| format!("{moment}+00"))),
        literals("json", json_text()),
        literals("jsonb", json_text()),
        literals("jsonpath", one_of(&["$.a", "$[*].b ? (@ > 2)"])),
        literals("bytea", "([0-9a-f]{2}){0,20}".prop_map(|hex| format!("\\x{hex}"))),
        literals("xml", one_of(&["<a>1</a>", "<a b='\"'/>", "text &amp; more"])),
        literals("tsvector", one_of(&["'a':1 'b':2A,3", "", "'it''s'"])),
        literals("tsquery", one_of(&["'a' & 'b'", "!'c' <-> 'd'"])),
        literals("bit(8)", bits()),
        literals("varbit", bits()),
        literals("money", one_of(&["$1.23", "-$45,678.90"])),
        literals("oid", any::<u32>().prop_map(|value| value.to_string())),
        literals("pg_lsn", one_of(&["16/B374D848", "0/0"])),
        literals("point", one_of(&["(1,2.5)", "(-1e10,0)"])),
        literals("box", one_of(&["(3,4),(1,2)"])),
        literals("polygon", one_of(&["((0,0),(1,1),(1,0))"])),
        literals("int4range", one_of(&["[1,10)", "empty", "(,5)", "(,)"])),
        literals("numrange", one_of(&["[1.50,2]", "(,1.0)", "empty"])),
        literals("tstzrange", one_of(&["[2024-01-01 00:00+00,infinity)", "(,2024-01-01 00:00+00]"])),
        literals("int4multirange", one_of(&["{}", "{[1,3),[5,9)}"])),
        literals("api.mood", one_of(&["sad", "so-so", "very happy"])),
        literals("api.sign", one_of(&["+", "-"])),
        literals("api.positive", (1..i32::MAX).prop_map(|value| value.to_string())),
        literals("api.feeling", one_of(&["sad", "very happy"])),
        pair(),
        nested(),
    ]
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        one_of(&["true", "12345678901234567890", "1.50", "-0.0", "\"\"", "{}", "[]", "[null]"]),
        "[a-z ]{0,9}".prop_map(|text| json!(text).to_string()),
    ];
    prop_oneof![
        leaf.clone(),
        (leaf.clone(), leaf).prop_map(|(one, other)| format!("{{\"b\": [{one}, {other}],  \"a\":{one}}}")),
    ]
}

fn nullable(strategy: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop_oneof![1 => Just("NULL".to_owned()), 3 => strategy].boxed()
}

fn pair() -> Column {
    let words = arrays(literals("text", text())).1;
    let attributes = (
        nullable(literals("int", any::<i32>().prop_map(|value| value.to_string())).1),
        nullable(literals("text", text()).1),
        nullable(words),
    );
    let rows =
        attributes.prop_map(|(number, text, words)| format!("ROW({number}, {text}, {words})::api.pair"));
    ("api.pair".to_owned(), rows.boxed())
}

fn nested() -> Column {
    let attributes = (
        nullable(pair().1),
        nullable(literals("timestamptz", moment().prop_map(|moment| format!("{moment}+00"))).1),
        nullable(literals("api.mood", one_of(&["sad", "so-so"])).1),
        nullable(literals("numeric", one_of(&["1.50", "NaN", "-12345678901234567890"])).1),
        nullable(literals("inet", one_of(&["10.0.0.1", "10.0.0.0/8"])).1),
        nullable(arrays(literals("date", date())).1),
        nullable(arrays(pair()).1),
    );
    let rows = attributes.prop_map(|(pair, at, mood, price, home, days, pairs)| {
        format!("ROW({pair}, {at}, {mood}, {price}, {home}, {days}, {pairs})::api.nested")
    });
    ("api.nested".to_owned(), rows.boxed())
}

/// Types of extensions, of those that the server has.
fn extended(database: &Database) -> Vec<Column> {
    let points = || {
        (-179_000..179_000, -89_000..89_000)
            .prop_map(|(x, y)| format!("SRID=4326;POINT({} {})", f64::from(x) / 1e3, f64::from(y) / 1e3))
    };
    let pairs = || {
        prop::collection::vec((text(), text()), 0..3).prop_map(|pairs| {
            let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let pairs = pairs.iter().map(|(key, value)| format!("{}=>{}", quoted(key), quoted(value)));
            pairs.collect::<Vec<_>>().join(",")
        })
    };
    let all: [(&str, Vec<Column>); 4] = [
        ("hstore", vec![literals("hstore", pairs()), arrays(literals("hstore", pairs()))]),
        ("citext", vec![literals("citext", text()), arrays(literals("citext", text()))]),
        ("ltree", vec![literals("ltree", one_of(&["a.b", ""]))]),
        (
            "postgis",
            vec![
                literals("geometry", points()),
                literals("geography", points()),
                arrays(literals("geometry", points())),
            ],
        ),
    ];
    let is_there = |name: &str| {
        value(database, &format!("SELECT count(*) FROM pg_available_extensions WHERE name = '{name}'")) == "1"
    };
    let mut found = Vec::new();
    for (extension, columns) in all {
        if is_there(extension) {
            database.execute(&format!("CREATE EXTENSION {extension}"));
            found.extend(columns);
        }
    }
    found
}

/// A table with a column for each type and rows of values, some of them NULL.
fn samples(database: &Database, columns: &[Column]) {
    let declared: Vec<String> =
        columns.iter().enumerate().map(|(at, (sql, _))| format!("c{at} {sql}")).collect();
    database.execute(&format!(
        "CREATE TABLE api.samples (id int PRIMARY KEY, {});
         GRANT SELECT, INSERT, UPDATE ON api.samples TO anonymous",
        declared.join(", ")
    ));
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut rows = Vec::new();
    for id in 1..=ROWS {
        let values: Vec<String> = columns
            .iter()
            .map(|(_, values)| nullable(values.clone()).new_tree(&mut runner).unwrap().current())
            .collect();
        rows.push(format!("({id}, {})", values.join(", ")));
    }
    database.execute(&format!("INSERT INTO api.samples VALUES {}", rows.join(", ")));
}

fn sampled() -> (Served, Vec<String>) {
    let database = Database::fresh(TYPES);
    let mut columns = scalars();
    columns.extend(scalars().into_iter().map(arrays));
    let (_, words) = arrays(literals("text", text()));
    columns.push(("api.words".to_owned(), words));
    columns.extend(extended(&database));
    samples(&database, &columns);
    let types = columns.into_iter().map(|(sql, _)| sql).collect();
    (served_from(database, &[]), types)
}

#[test]
fn what_is_read_and_written_again_has_the_same_text_whatever_its_type() {
    let (served, types) = sampled();
    // As messages: JSON knows no NaN and has no bytes.
    let list = served.client.method("SamplesService/ListSamples");
    let request = crate::support::grpc::from_json(&list.input(), json!({"pageSize": 1000, "orderBy": "id"}));
    let listed = served.client.exchange("SamplesService/ListSamples", &request).unwrap();
    let rows = listed.get_field_by_number(1).unwrap().into_owned();
    let rows = rows.as_list().unwrap();
    assert_eq!(rows.len(), ROWS);

    let create = served.client.method("SamplesService/BatchCreateSamples");
    let one = served.client.message("CreateSampleRequest");
    let mut batch = prost_reflect::DynamicMessage::new(create.input());
    let requests = rows.iter().zip(1..).map(|(row, id)| {
        let mut row = row.as_message().unwrap().clone();
        row.set_field_by_name("id", prost_reflect::Value::I32(1000 + id));
        let mut request = prost_reflect::DynamicMessage::new(one.clone());
        request.set_field_by_name("sample", prost_reflect::Value::Message(row));
        prost_reflect::Value::Message(request)
    });
    batch.set_field_by_name("requests", prost_reflect::Value::List(requests.collect()));
    served.client.exchange("SamplesService/BatchCreateSamples", &batch).unwrap();

    let mut different = Vec::new();
    for (at, sql) in types.iter().enumerate() {
        let found = served.sql(&format!(
            "SELECT string_agg(format('%s became %s', a.c{at}, b.c{at}), '; ')
             FROM api.samples a LEFT JOIN api.samples b ON b.id = 1000 + a.id
             WHERE a.id < 1000 AND (b.id IS NULL OR a.c{at}::text IS DISTINCT FROM b.c{at}::text)"
        ));
        if !found.is_empty() {
            different.push(format!("{sql}: {found}"));
        }
    }
    assert!(different.is_empty(), "{} types change:\n{}", different.len(), different.join("\n"));
}

#[test]
fn what_is_text_is_postgresqls_own_but_for_iso_8601() {
    let (served, types) = sampled();
    let listed =
        served.call("SamplesService/ListSamples", json!({"pageSize": 1000, "orderBy": "id"})).unwrap();
    let message = served.client.message("Sample");
    let mut compared = 0;
    for (at, sql) in types.iter().enumerate() {
        let field = message.get_field_by_name(&format!("c{at}")).unwrap();
        let is_map = sql.starts_with("geo");
        if field.is_list() || is_map || !matches!(field.kind(), prost_reflect::Kind::String) {
            continue;
        }
        compared += 1;
        let column = format!("c{at}");
        let text = match sql.as_str() {
            // ISO 8601, with a T between date and time, whatever the session's style is.
            "date" | "timestamp" => format!("to_json({column}) #>> '{{}}'"),
            _ => format!("format('%s', {column})"),
        };
        let texts = format!("SELECT json_agg(CASE WHEN {column} IS NOT NULL THEN {text} END ORDER BY id)");
        let texts: Vec<Value> =
            serde_json::from_str(&served.sql(&format!("{texts} FROM api.samples"))).unwrap();
        let rows = listed["samples"].as_array().unwrap();
        assert!(rows.iter().map(|row| &row[&column]).eq(&texts), "{sql}: {texts:?}");
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn null_absent_and_empty_differ_where_protobuf_can_say_so() {
    let database = Database::fresh(TYPES);
    database.execute(
        "CREATE TABLE api.things (id int PRIMARY KEY, label text DEFAULT 'new', tags text[] DEFAULT '{a}', pair api.pair);
         GRANT SELECT, INSERT, UPDATE ON api.things TO anonymous",
    );
    let served = served_from(database, &[]);
    let text = |id: i32| served.sql(&format!("SELECT things FROM api.things WHERE id = {id}"));
    let create = |request: Value| served.call("ThingsService/CreateThing", request).unwrap();
    for (id, request, row) in [
        (1, json!({"thing": {"id": 1}}), "(1,new,{a},)"),
        (2, json!({"thing": {"id": 2, "label": ""}, "insertMask": "id,label,tags,pair"}), "(2,\"\",{},)"),
        (3, json!({"thing": {"id": 3}, "insertMask": "id,label"}), "(3,,{a},)"),
        (
            4,
            json!({"thing": {"id": 4, "label": "x", "pair": {}}, "nullMask": "tags,label"}),
            "(4,,,\"(,,)\")",
        ),
    ] {
        create(request);
        assert_eq!(text(id), row);
    }
    let update = |request: Value| served.call("ThingsService/UpdateThing", request).unwrap();
    assert_eq!(
        update(json!({"thing": {"id": 1}, "nullMask": "tags"}))["thing"],
        json!({"id": 1, "label": "new"})
    );
    assert_eq!(text(1), "(1,new,,)");
    update(json!({"thing": {"id": 1}, "updateMask": "tags,label"}));
    assert_eq!(text(1), "(1,,{},)");
    let find = |predicate: Value| {
        let found =
            served.call("ThingsService/ListThings", json!({"where": {"tags": predicate}, "readMask": "id"}));
        found.unwrap()["things"].clone()
    };
    assert_eq!(find(json!({"isNull": true})), json!([{"id": 4}]));
    assert_eq!(find(json!({"eq": "{}"})), json!([{"id": 1}, {"id": 2}]));
}

#[test]
fn values_without_a_form_are_errors_that_name_the_column() {
    let database = Database::fresh(TYPES);
    database.execute(
        "CREATE TABLE api.odd (id int PRIMARY KEY, at timestamptz, tags text[], grid int[], small smallint, mood api.mood);
         INSERT INTO api.odd (id, at) VALUES (1, 'infinity'), (2, '0044-03-15 BC');
         INSERT INTO api.odd (id, tags) VALUES (3, '{a,NULL}');
         INSERT INTO api.odd (id, grid) VALUES (4, '{{1,2},{3,4}}');
         ALTER TABLE api.odd ADD pairs api.pair[];
         INSERT INTO api.odd (id, pairs) VALUES (5, ARRAY[NULL::api.pair]), (6, ARRAY[ARRAY[NULL::api.pair]]);
         GRANT SELECT, INSERT ON api.odd TO anonymous",
    );
    let served = served_from(database, &[]);
    for (id, column) in [(1, "at"), (2, "at"), (3, "tags"), (4, "grid"), (5, "pairs"), (6, "pairs")] {
        let status = served.call("OddsService/GetOdd", json!({"id": id})).unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status}");
        assert!(status.message().contains(&format!("column \"{column}\"")), "{status}");
        let hint =
            status.get_error_details().error_info().and_then(|info| info.metadata.get("hint").cloned());
        let way_out =
            hint.is_some_and(|hint| hint.contains("string instead of repeated in pgduet.lock.json"));
        assert_eq!(way_out, column != "at", "{id}");
        let rest = served.call("OddsService/GetOdd", json!({"id": id, "readMask": "id"}));
        assert_eq!(rest.unwrap(), json!({"odd": {"id": id}}));
    }
    for (field, value) in [("small", json!(40000)), ("mood", json!(17)), ("mood", json!("MOOD_UNSPECIFIED"))]
    {
        let request = json!({"odd": {"id": 9, field: value}});
        let (code, message) = said(served.call("OddsService/CreateOdd", request));
        assert_eq!(
            (code, message.starts_with(&format!("odd.{field}: "))),
            (Code::InvalidArgument, true),
            "{message}"
        );
    }
}

/// Times that protobuf's type just has, and some that it has not.
#[test]
fn every_time_that_can_be_read_can_be_written_and_looked_for() {
    let database = Database::fresh(TYPES);
    database.execute(
        "CREATE TABLE api.moments (id int PRIMARY KEY, at timestamptz, local timestamp, day date);
         INSERT INTO api.moments (id, at) VALUES
            (1, '0001-01-01 00:00:00+00'), (2, '9999-12-30 22:00:00.000001+00'), (3, '9999-12-31 23:59:59.999999+00');
         INSERT INTO api.moments (id, local, day) VALUES (4, '2024-02-29 01:02:03.5', '2024-02-29');
         GRANT SELECT, INSERT ON api.moments TO anonymous;",
    );
    // ISO 8601, whatever this says.
    database.execute(&format!("ALTER DATABASE {} SET datestyle = 'German, DMY'", database.name()));
    let served = served_from(database, &[]);
    let at = |id: i32| {
        let got = served.call("MomentsService/GetMoment", json!({"id": id, "readMask": "at"})).unwrap();
        got["moment"]["at"].clone()
    };
    for id in 1..=3 {
        let at = at(id);
        let written = json!({"moment": {"id": 10 + id, "at": at}, "readMask": "at"});
        assert_eq!(
            served.call("MomentsService/CreateMoment", written).unwrap(),
            json!({"moment": {"at": at}})
        );
        let found = json!({"where": {"at": {"eq": at}}, "readMask": "id", "orderBy": "id"});
        let found = served.call("MomentsService/ListMoments", found).unwrap();
        assert_eq!(found["moments"], json!([{"id": id}, {"id": 10 + id}]), "{at}");
    }
    let got = served.call("MomentsService/GetMoment", json!({"id": 4, "readMask": "local,day"})).unwrap();
    assert_eq!(got["moment"], json!({"local": "2024-02-29T01:02:03.5", "day": "2024-02-29"}));
    let connect = |at: &str| {
        let body = json!({"moment": {"id": 20, "at": at}}).to_string();
        let target = "/api.v1.MomentsService/CreateMoment";
        send(served.server.address(), "POST", target, &[("Content-Type", "application/json")], Some(&body))
    };
    for wrong in
        ["2016-12-31T23:59:60Z", "2016-12-31T24:00:00Z", "10000-01-01T00:00:00Z", "0000-12-31T23:59:59Z"]
    {
        let answer = connect(wrong);
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("invalid_argument")), "{wrong}");
    }
    assert_eq!(served.sql("SELECT count(*) FROM api.moments WHERE id = 20"), "0");
    // What only looks like one is a text.
    let label = json!({"where": {"local": {"neq": "2016-12-31T23:59:60"}}, "readMask": "id"}).to_string();
    let target = "/api.v1.MomentsService/ListMoments";
    let kind = [("Content-Type", "application/json")];
    assert_eq!(send(served.server.address(), "POST", target, &kind, Some(&label)).status, 200);
}

#[test]
fn a_column_whose_name_is_a_star_is_a_column() {
    let database = Database::fresh(TYPES);
    database.execute(
        r#"CREATE TABLE api.stars (id int PRIMARY KEY, "*" text, name text, "a,b" text);
           INSERT INTO api.stars VALUES (1, 'star', 'Vega', 'comma'), (2, NULL, 'Deneb', NULL);
           CREATE VIEW api.skies AS SELECT * FROM api.stars;
           GRANT SELECT, INSERT, UPDATE ON api.stars, api.skies TO anonymous;"#,
    );
    let served = served_from(database, &[]);
    let all = json!({"id": 1, "*": "star", "name": "Vega", "a,b": "comma"});
    let get = |mask: Value| served.call("StarsService/GetStar", json!({"id": 1, "readMask": mask})).unwrap();
    assert_eq!(served.call("StarsService/GetStar", json!({"id": 1})).unwrap()["star"], all);
    assert_eq!(get(json!("*"))["star"], all);
    let listed = served.call("StarsService/ListStars", json!({"orderBy": "name"})).unwrap();
    assert_eq!(listed["stars"], json!([{"id": 2, "name": "Deneb"}, all]));
    let streamed = served.client.all("SkiesService/StreamSkies", json!({"orderBy": "id"})).unwrap();
    assert_eq!(streamed[0]["sky"], all);
    let created = json!({"star": {"id": 3, "*": "new", "name": "Altair"}});
    assert_eq!(served.call("StarsService/CreateStar", created).unwrap()["star"]["*"], "new");
    let found = json!({"where": {"*": {"eq": "new"}}, "readMask": "id"});
    assert_eq!(served.call("StarsService/ListStars", found).unwrap()["stars"], json!([{"id": 3}]));
    let updated = json!({"star": {"id": 3, "*": "newer"}, "readMask": "*"});
    assert_eq!(served.call("StarsService/UpdateStar", updated).unwrap()["star"]["*"], "newer");
}
