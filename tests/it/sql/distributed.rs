//! The statements that are sent where Citus keeps the tables, run by PostgreSQL: they answer what the others answer, and
//! have nothing in them of what Citus refuses. Citus itself is tested in `citus`, where it is installed.

use super::{Bench, accepting, mutate, read, snapshot::statements};
use crate::support::snapshot::matches_snapshot;
use pgduet::{
    media::MediaType,
    plan,
    request::{
        Accept, Action, Request,
        payload::{Payload, Rows},
        prefer::{Missing, Resolution, Return},
    },
    sql::{self, Fact},
};
use serde_json::Value;

/// What Citus refuses in the statements of a kind, and what is sent in its place.
const REFUSED: &[(&str, &str)] = &[
    // Computed ahead, without its columns: json_to_recordset.
    (" FROM pg_catalog.json_to_record(", ""),
    // No functions in ON CONFLICT: xmax.
    ("pgduet.updates", ""),
    // No subquery for each row of a mutation: a join by key.
    ("LATERAL (SELECT", "WITH \"pgduet_source\""),
    // The names of columns that a plain join loses.
    ("pg_catalog.row_to_json(\"clients_1\"", "INNER JOIN"),
    // No records without a type that has a name.
    ("coalesce(\"clients_1\".*)", ""),
    ("SELECT pg_catalog.array_agg(", ""),
];

/// What Citus refuses in RETURNING: subqueries, and values that depend on settings.
const NOT_RETURNED: &[&str] = &["EXISTS (", "pg_catalog.to_json(", "pg_catalog.row_to_json("];

fn refused(sql: &str) -> Option<&'static str> {
    // An INSERT of rows that a function gives returns what the coordinator works out.
    let returned = sql
        .split_once(" RETURNING ")
        .filter(|(before, _)| !before.contains("INSERT INTO") || before.contains(" VALUES ("));
    let returned = returned.and_then(|(_, rest)| rest.split(") SELECT ").next()).unwrap_or_default();
    if let Some(part) = NOT_RETURNED.iter().find(|part| returned.contains(**part)) {
        return Some(part);
    }
    let found = REFUSED.iter().find(|(part, beside)| sql.contains(part) && sql.contains(beside));
    found.map(|(part, _)| *part)
}

/// The rows of an answer, in an order of their own.
fn sorted(body: &str) -> Vec<String> {
    let rows: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let mut rows: Vec<String> = rows.as_array().unwrap().iter().map(Value::to_string).collect();
    rows.sort();
    rows
}

fn merging(mut request: Request) -> Request {
    request.preferences.resolution = Some(Resolution::MergeDuplicates);
    request
}

fn minimal(mut request: Request) -> Request {
    request.preferences.representation = None;
    request
}

fn columns(mut request: Request) -> Request {
    request.accept = Accept::Columns;
    request
}

fn requests() -> Vec<(&'static str, Request)> {
    let note = || mutate::insert("notes", r##"{"title":"A\u00e9","colour":"#ff","stars":null}"##);
    let tags = || mutate::insert("notes", r#"{"title":"A","tags":["x","y"]}"#);
    let pairs = || mutate::insert("pairs", r#"[{"a":71,"b":"x","note":"n"},{"a":72,"b":"x","note":"m"}]"#);
    let pair = || mutate::insert("pairs", r#"{"a":7,"b":"x","note":"n"}"#);
    let put = || Action::Upsert {
        relation: "pairs".into(),
        payload: mutate::payload(r#"{"a":9,"b":"q"}"#),
        columns: None,
    };
    let partial = Action::Update {
        relation: "pairs".into(),
        payload: mutate::payload(r#"{"note":"n"}"#),
        columns: Some(vec!["note".into()]),
        parts: Vec::new(),
    };
    let each = Action::UpdateEach {
        relation: "pairs".into(),
        payload: Payload {
            json: r#"[{"a":7,"b":"x","note":"each"}]"#.into(),
            keys: vec!["a".into(), "b".into(), "note".into()],
            rows: Rows::Many,
        },
        key: vec!["a".into(), "b".into()],
        parts: Vec::new(),
    };
    let clients = |json| mutate::insert("clients", json);
    let headers = || {
        let mut request = mutate::request(note(), "");
        request.preferences.representation = Some(Return::HeadersOnly);
        request
    };
    let defaults = || {
        let action = Action::Insert {
            relation: "notes".into(),
            payload: mutate::payload(r#"[{"title":"A"}]"#),
            columns: Some(vec!["title".into(), "stars".into()]),
            on_conflict: None,
        };
        let mut request = mutate::request(action, "select=title,stars");
        request.preferences.missing = Some(Missing::Default);
        request
    };
    vec![
        ("insert", minimal(mutate::request(note(), ""))),
        ("insert, return=headers-only", headers()),
        ("insert, return=representation", mutate::request(note(), "select=title,colour,stars")),
        ("insert of an array", mutate::request(tags(), "select=title,tags")),
        ("insert of many", minimal(mutate::request(pairs(), ""))),
        ("insert, resolution=merge-duplicates", merging(mutate::request(pairs(), ""))),
        ("insert of one, resolution=merge-duplicates", merging(mutate::request(pair(), ""))),
        ("insert, merge-duplicates, seen by nobody", minimal(merging(mutate::request(pairs(), "")))),
        ("insert, missing=default", defaults()),
        ("put", mutate::request(put(), "a=eq.9&b=eq.q")),
        ("put again", mutate::request(put(), "a=eq.9&b=eq.q")),
        ("update", mutate::request(mutate::update("pairs", r#"{"note":"u"}"#), "a=eq.9")),
        (
            "update, seen by nobody",
            minimal(mutate::request(mutate::update("pairs", r#"{"note":"v"}"#), "a=eq.9")),
        ),
        ("update by columns", mutate::request(partial, "a=eq.9&select=note")),
        (
            "update of an array",
            mutate::request(mutate::update("notes", r#"{"tags":["z"]}"#), "select=title,tags"),
        ),
        ("update of each", mutate::request(each, "select=note")),
        (
            "insert, select=title,clients(name)",
            mutate::request(
                mutate::insert("notes", r#"[{"title":"B","client_id":1},{"title":"C"}]"#),
                "select=title,clients(name)",
            ),
        ),
        (
            "update, select=id,projects(name,tasks(name))",
            mutate::request(
                mutate::update("clients", r#"{"name":"Acme"}"#),
                "id=eq.1&select=id,projects(name,tasks(name))",
            ),
        ),
        (
            "insert, select=name,projects(name)",
            mutate::request(clients(r#"{"id":77,"name":"New"}"#), "select=name,projects(name)"),
        ),
        (
            "update, select=id,...projects(name)",
            mutate::request(
                mutate::update("clients", r#"{"name":"Acme"}"#),
                "id=in.(1,77)&select=id,...projects(names:name)",
            ),
        ),
        (
            "update, select=name,...clients(client:name)",
            mutate::request(
                mutate::update("projects", r#"{"data":null}"#),
                "id=eq.1&select=name,...clients(client:name)",
            ),
        ),
        ("delete", mutate::request(Action::Delete { relation: "pairs".into() }, "a=eq.9")),
        ("projects?select=id,clients!inner(id,name)", read("projects", "select=id,clients!inner(id,name)")),
        ("clients?select=id,projects!inner(id)", read("clients", "select=id,projects!inner(id)")),
        ("clients?order=id, without nulls", accepting(read("clients", "order=id"), MediaType::ArrayStripped)),
    ]
}

#[test]
fn statements_for_citus_are_written_as_in_the_snapshot_and_have_nothing_that_it_refuses() {
    let bench = Bench::distributed();
    for (title, request) in requests() {
        let answer = bench.run(request).unwrap_or_else(|error| panic!("{title}: {error}"));
        assert_eq!(refused(&answer.sql), None, "{title}: {}", answer.sql);
    }
    for (title, request) in [
        ("projects, as columns", columns(read("projects", "select=id,clients(id),tasks(name)"))),
        (
            "an update, as columns",
            columns(mutate::request(
                mutate::update("projects", r#"{"data":null}"#),
                "select=id,clients(id),tasks(name)",
            )),
        ),
    ] {
        let (shape, ..) = request.split();
        let plan = plan::plan(shape, &bench.catalog, &bench.config, &[]).unwrap();
        let statement = sql::statement(&plan);
        assert_eq!(refused(statement.fragment.as_str()), None, "{title}");
    }
    matches_snapshot("sql/distributed.sql", &statements(&Bench::distributed(), requests()));
}

#[test]
fn statements_for_citus_answer_what_those_for_postgresql_answer() {
    let (plain, distributed) = (Bench::with(&[("DB_AGGREGATES_ENABLED", "true")]), Bench::distributed());
    for (title, request) in requests() {
        let expected = plain.run(request.clone()).unwrap_or_else(|error| panic!("{title}: {error}"));
        let found = distributed.run(request).unwrap_or_else(|error| panic!("{title}: {error}"));
        assert_eq!(found.rows, expected.rows, "{title}");
        match expected.body.is_empty() {
            true => assert_eq!(found.body, "", "{title}"),
            false => assert_eq!(sorted(&found.body), sorted(&expected.body), "{title}"),
        }
        let inserted = |answer: &super::Answer| {
            answer.facts.iter().find_map(|(fact, value)| match fact {
                Fact::Inserted => Some(value.clone().unwrap_or_default().parse().unwrap_or(0)),
                Fact::IsInserted => Some(answer.inserted),
                Fact::Present | Fact::Total | Fact::Rows | Fact::Key(_) | Fact::Left => None,
            })
        };
        assert_eq!(inserted(&found), inserted(&expected), "{title}");
    }
}

#[test]
fn a_column_that_the_catalog_does_not_know_is_noticed_where_citus_keeps_the_table() {
    let bench = Bench::distributed();
    for (change, query) in [
        ("ALTER TABLE api.pairs ADD COLUMN extra int", ""),
        ("ALTER TABLE api.pairs ALTER COLUMN note TYPE int USING 1", "select=note"),
    ] {
        bench.runtime.block_on(bench.client.batch_execute(change)).unwrap();
        for action in
            [mutate::insert("pairs", r#"{"a":70,"b":"x"}"#), mutate::update("pairs", r#"{"b":"x"}"#)]
        {
            let error = bench.fails(mutate::request(action, query));
            assert!(error.starts_with("42"), "{change}: {error}");
        }
    }
}
