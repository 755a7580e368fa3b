//! The statements themselves: each is run, and compared with what was agreed on.

use super::{Bench, accepting, call, mutate, read};
use crate::support::snapshot::matches_snapshot;
use pgduet::{
    media::{MediaType, Nulls},
    request::{
        Accept, Action, Request,
        prefer::{Count, Missing, Resolution, Return},
    },
};
use std::{fs, path::Path};

/// The statements of these requests, one after the other.
pub(super) fn statements(bench: &Bench, requests: Vec<(&str, Request)>) -> String {
    let one = |(title, request): (&str, Request)| {
        let answer = bench.run(request).unwrap_or_else(|error| panic!("{title}: {error}"));
        let parameters = answer.parameters.iter().enumerate();
        let parameters: String =
            parameters.map(|(at, value)| format!("-- ${} = {value}\n", at + 1)).collect();
        format!("-- {title}\n{parameters}{};\n", answer.sql)
    };
    requests.into_iter().map(one).collect::<Vec<_>>().join("\n")
}

fn counting(mut request: Request) -> Request {
    request.preferences.count = Some(Count::Exact);
    request
}

#[test]
fn reads_are_written_as_in_the_snapshot() {
    let titles = [
        "clients?id=eq.1",
        "clients?select=id,n:name::text,loud&order=loud.desc.nullslast,id&limit=2&offset=1",
        "types?select=u,ts,m,c,j,arr,col&col=in.(#ff)&ts_vector=fts(english).cat&b=not.is.true",
        "projects?select=data->a->>b&data->a->0=eq.1&name=like(any).{A*,B*}&or=(id.eq.1,not.and(id.gt.2,name.is.null))",
        "projects?select=id,clients(name)&order=clients(name)",
        "clients?select=id,projects(id,tasks(name))&projects.order=id&projects.limit=2&projects.tasks.name=neq.x",
        "clients?select=id,projects!inner(id)&projects.name=eq.Beta",
        "projects?select=id,clients!inner(id)",
        "users?select=name,tasks(name)",
        "people?select=name,boss(name),people(name)",
        "clients?select=id,first_project(id)",
        "clients?select=id,projects()&projects=is.null",
        "projects?select=id,...clients(name)",
        "clients?select=id,...projects(name)",
        "projects?select=client_id,count(),...clients(id.max())",
    ];
    let mut requests: Vec<_> = titles
        .into_iter()
        .map(|title| {
            let (relation, query) = title.split_once('?').unwrap();
            (title, read(relation, query))
        })
        .collect();
    let all = || read("clients", "select=id&limit=2");
    requests.extend([
        ("clients?select=id&limit=2, counted", counting(all())),
        ("clients?select=id&limit=2, HEAD, counted", {
            let mut request = counting(all());
            request.accept = Accept::Head(vec![MediaType::Json]);
            request
        }),
        ("clients?select=id&limit=2, as CSV", accepting(all(), MediaType::Csv)),
        ("clients?select=id&limit=2, without nulls", accepting(all(), MediaType::ArrayStripped)),
        (
            "clients?id=eq.1, as one object",
            accepting(read("clients", "id=eq.1"), MediaType::Object(Nulls::Kept)),
        ),
        (
            "clients?limit=2, by a handler",
            accepting(read("clients", "limit=2"), MediaType::Other("text/names".into())),
        ),
        ("projects?select=id,data,clients(id),tasks(name), as columns", {
            let mut request = read("projects", "select=id,data,clients(id),tasks(name)");
            request.accept = Accept::Columns;
            request
        }),
    ]);
    let bench = Bench::with(&[("DB_AGGREGATES_ENABLED", "true")]);
    matches_snapshot("sql/read.sql", &statements(&bench, requests));
}

#[test]
fn mutations_are_written_as_in_the_snapshot() {
    let prefer = |mut request: Request, representation, resolution, missing| {
        request.preferences.representation = representation;
        request.preferences.resolution = resolution;
        request.preferences.missing = missing;
        request
    };
    let rows = || mutate::insert("pairs", r#"[{"a":7,"b":"x","note":"new"}]"#);
    let note = || mutate::insert("notes", r##"{"title":"A","colour":"#ff"}"##);
    let put = || Action::Upsert {
        relation: "pairs".into(),
        payload: mutate::payload(r#"{"a":9,"b":"q"}"#),
        columns: None,
    };
    let defaults = Action::Insert {
        relation: "notes".into(),
        payload: mutate::payload(r#"[{"title":"A"}]"#),
        columns: Some(vec!["id".into(), "title".into(), "stars".into()]),
        on_conflict: None,
    };
    let delete = || Action::Delete { relation: "pairs".into() };
    let full = Some(Return::Representation);
    let merge = Some(Resolution::MergeDuplicates);
    let requests = vec![
        ("insert", prefer(mutate::request(rows(), ""), None, None, None)),
        (
            "insert, return=headers-only",
            prefer(mutate::request(note(), ""), Some(Return::HeadersOnly), None, None),
        ),
        ("insert, return=representation", mutate::request(note(), "select=id,colour")),
        (
            "insert, select=title,clients(name),payer(id)",
            mutate::request(note(), "select=title,clients(name),payer(id)"),
        ),
        (
            "insert, missing=default",
            prefer(mutate::request(defaults, ""), None, None, Some(Missing::Default)),
        ),
        ("insert, resolution=merge-duplicates", prefer(mutate::request(rows(), ""), None, merge, None)),
        (
            "insert, resolution=ignore-duplicates",
            prefer(mutate::request(rows(), "select=a"), full, Some(Resolution::IgnoreDuplicates), None),
        ),
        ("put", prefer(mutate::request(put(), "a=eq.9&b=eq.q"), full, None, None)),
        (
            "update",
            prefer(mutate::request(mutate::update("pairs", r#"{"note":"n"}"#), "a=eq.9"), None, None, None),
        ),
        ("update of nothing", mutate::request(mutate::update("pairs", "{}"), "a=eq.9&select=note")),
        (
            "update, order=a",
            mutate::request(mutate::update("pairs", r#"{"note":"n"}"#), "order=a&select=note"),
        ),
        ("delete", mutate::request(delete(), "or=(a.eq.9,b.is.null)&select=a")),
    ];
    matches_snapshot("sql/mutate.sql", &statements(&Bench::new(), requests));
}

#[test]
fn calls_are_written_as_in_the_snapshot() {
    let requests = vec![
        ("add(a)", call::get("add", &[("a", "1")], "")),
        ("add(a, b), by POST", call::post("add", r#"{"a":1,"b":7}"#, &["a", "b"], "")),
        ("words(VARIADIC words)", call::get("words", &[("words", "a"), ("words", "b")], "")),
        ("numbers(n), limit=2", call::get("numbers", &[("n", "3")], "limit=2")),
        ("nothing()", call::get("nothing", &[], "")),
        ("take(json)", call::post("take", r#"{"x":1}"#, &["x"], "")),
        ("outs(a)", call::get("outs", &[("a", "1")], "")),
        (
            "some_clients(), id=gt.1, select=name,projects(id)",
            call::get("some_clients", &[], "select=name,projects(id)&id=gt.1"),
        ),
        (
            "some_clients(), select=name,first_project(id), limit=1, counted",
            counting(call::get("some_clients", &[], "select=name,first_project(id)&limit=1")),
        ),
    ];
    matches_snapshot("sql/call.sql", &statements(&Bench::new(), requests));
}

/// Words before a parenthesis that are SQL's own and no function, and aggregates that a client asks for: types that are not
/// PostgreSQL's own come with some.
const SYNTAX: &[&str] = &[
    "ALL", "AND", "ANY", "ARRAY", "AS", "CAST", "CONFLICT", "ELSE", "EXISTS", "EXPLAIN", "FROM", "IN",
    "LATERAL", "NOT", "OPERATOR", "OR", "ROW", "SELECT", "VALUES", "WHEN", "WHERE", "coalesce", "sum", "avg",
    "min", "max",
];

#[test]
fn what_is_written_is_postgresqls_own_whatever_a_schema_has() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/sql");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // A column's default, as PostgreSQL wrote it down.
        let text = text.replace("'untitled'::text", "");
        for line in text.lines().filter(|line| !line.starts_with("--")) {
            wrong.extend(
                unqualified(line).into_iter().map(|what| format!("{}: {what} in {line}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_that_depend_on_the_search_path_are_found() {
    let line = r#"SELECT to_json("a"."x"), CAST(a AS text), "b"->'c' #>> '{}', x::json FROM "api"."f"(1) WHERE "to_json(" = $1"#;
    assert_eq!(unqualified(line), ["to_json(", "->", "#>>", "::json", "AS text"]);
    let line = r#"SELECT pg_catalog.to_json(x)::pg_catalog.text OPERATOR(pg_catalog.->) '1' FROM (VALUES (1)) AS "x"("value")"#;
    assert_eq!(unqualified(line), Vec::<String>::new());
}

/// Functions, operators and types in a statement that the search path decides about. Comparisons are the caller's: their
/// operators are those of the columns' types.
fn unqualified(statement: &str) -> Vec<String> {
    let bare = outside_of_quotes(statement);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = |at: usize| bare[..at].chars().next_back();
    let mut found = Vec::new();
    for (at, _) in bare.match_indices('(') {
        let name = bare[..at].rsplit(|c| !is_word(c)).next().unwrap_or_default();
        let is_qualified = before(at - name.len()) == Some('.');
        if !name.is_empty() && !is_qualified && !SYNTAX.contains(&name) {
            found.push(format!("{name}("));
        }
    }
    for operator in ["->", "#>>", " ? ", " + ", " - ", "||"] {
        let mut places = bare.match_indices(operator).map(|(at, _)| at);
        if places.any(|at| before(at) != Some('.')) {
            found.push(operator.trim().to_owned());
        }
    }
    for opening in ["::", "AS "] {
        for (at, _) in bare.match_indices(opening) {
            let name: String = bare[at + opening.len()..].chars().take_while(|c| is_word(*c)).collect();
            if !name.is_empty() && name != "pg_catalog" {
                found.push(format!("{opening}{name}"));
            }
        }
    }
    found
}

/// A statement without what is in quotes.
fn outside_of_quotes(statement: &str) -> String {
    let mut within = None;
    let outside = statement.chars().filter(|c| match within {
        Some(quote) => {
            if *c == quote {
                within = None;
            }
            false
        }
        None if matches!(c, '"' | '\'') => {
            within = Some(*c);
            false
        }
        None => true,
    });
    outside.collect()
}
