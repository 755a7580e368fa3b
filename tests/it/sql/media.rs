//! What rows become besides JSON.

use super::{Bench, accepting, call::get, mutate, read};
use pgduet::{
    media::{MediaType, Nulls, PlanFormat, PlanOption},
    request::{Accept, Request, prefer::Count},
    sql::Fact,
};

fn other(name: &str) -> MediaType {
    MediaType::Other(name.to_owned())
}

#[test]
fn handlers_make_bodies_of_rows() {
    let bench = Bench::new();
    let tab = bench
        .run(accepting(read("clients", "select=id,projects(id)&id=lt.3&order=id"), other("text/tab")))
        .unwrap();
    assert_eq!(tab.body, "(1,\"[{\"\"id\"\": 1}, {\"\"id\"\": 2}]\")\n(2,\"[{\"\"id\"\": 3}]\")\n");
    assert_eq!(tab.facts, [(Fact::Rows, Some("2".to_owned()))]);
    let sum = bench.run(accepting(get("add", &[("a", "1")], ""), other("text/tab"))).unwrap();
    assert_eq!(sum.body, "3\n");
    let names = bench.run(accepting(read("clients", "id=gt.1&order=id.desc"), other("text/names"))).unwrap();
    assert_eq!(names.body, "Idle;Bolt;");
    let called =
        bench.run(accepting(get("some_clients", &[("lowest", "3")], ""), other("text/names"))).unwrap();
    assert_eq!(called.body, "Idle;");
    let written = mutate::insert("clients", r#"{"id":9,"name":"New"}"#);
    assert_eq!(bench.run(accepting(mutate::request(written, ""), other("text/names"))).unwrap().body, "New;");
    let any = bench.run(accepting(read("users", "order=id"), other("x/y"))).unwrap();
    assert_eq!(any.body, "AdaBob");
    assert_eq!(bench.run(accepting(get("dot", &[], ""), other("image/dot"))).unwrap().body, ".");
}

#[test]
fn handlers_of_one_relation_take_whole_rows_only() {
    let bench = Bench::new();
    for query in ["select=id", "select=*,projects(*)", "select=name,id"] {
        let error = bench.run(accepting(read("clients", query), other("text/names"))).unwrap_err();
        assert_eq!(error.code(), "PGRST107", "{query}");
        assert_eq!(error.message, "None of these media types are available: text/names");
    }
    let both = Accept::Media(vec![other("text/nonsense"), MediaType::Text, MediaType::Any]);
    let request = pgduet::request::Request { accept: both, ..read("clients", "select=id&id=eq.1") };
    assert_eq!(bench.run(request).unwrap().body, r#"[{"id":1}]"#);
}

#[test]
fn totals_come_beside_bodies_too() {
    let bench = Bench::new();
    let mut request = accepting(read("clients", "limit=1&offset=1&order=id"), other("text/names"));
    request.preferences.count = Some(Count::Exact);
    let answer = bench.run(request).unwrap();
    assert_eq!(answer.body, "Bolt;");
    let facts: Vec<_> = answer.facts.iter().map(|(fact, value)| (fact, value.as_deref().unwrap())).collect();
    assert_eq!(facts, [(&Fact::Rows, "1"), (&Fact::Present, "t"), (&Fact::Total, "3")]);
}

#[test]
fn plans_are_shown_where_that_is_allowed() {
    let plan = MediaType::Plan {
        target: Box::new(MediaType::Json),
        format: PlanFormat::Text,
        options: vec![PlanOption::Verbose, PlanOption::Settings],
    };
    let request = || accepting(read("clients", "id=eq.1"), plan.clone());
    assert_eq!(Bench::new().run(request()).unwrap_err().code(), "PGRST107");
    let bench = Bench::with(&[("DB_PLAN_ENABLED", "true")]);
    let shown = bench.run(request()).unwrap().body;
    assert!(shown.contains("->  Index Scan using clients_pkey"), "{shown}");
    assert!(shown.contains("Output:"), "{shown}");
}

#[test]
fn plans_have_the_aggregate_of_the_body_at_their_top() {
    let bench = Bench::with(&[("DB_PLAN_ENABLED", "true")]);
    let plan = |mut request: Request, target: MediaType, count| {
        let (format, options) = (PlanFormat::Text, vec![PlanOption::Verbose]);
        request.preferences.count = count;
        bench
            .run(accepting(request, MediaType::Plan { target: Box::new(target), format, options }))
            .unwrap()
            .body
    };
    let asked = [
        (read("clients", ""), MediaType::Json, None, "count(*), COALESCE(json_agg("),
        (read("clients", ""), MediaType::Object(Nulls::Stripped), None, "json_strip_nulls((json_agg("),
        (read("clients", ""), MediaType::Csv, None, "string_agg("),
        (read("clients", "limit=1"), MediaType::Json, Some(Count::Exact), ", count(*), COALESCE(json_agg("),
        (get("add", &[("a", "1")], ""), MediaType::Json, None, "COALESCE((json_agg("),
    ];
    for (request, target, count, expected) in asked {
        let shown = plan(request, target, count);
        assert!(shown.starts_with("Aggregate  (cost="), "{shown}");
        let output = shown.lines().nth(1).unwrap();
        assert!(output.contains(expected), "{output}");
        // The total, whatever PostgreSQL calls what it is computed by.
        assert_eq!(output.contains("NULL::"), count.is_none(), "{output}");
    }
}

#[test]
fn plans_show_embedded_rows_by_the_name_of_the_embed() {
    let bench = Bench::with(&[("DB_PLAN_ENABLED", "true")]);
    let (format, options) = (PlanFormat::Text, vec![PlanOption::Verbose]);
    let plan = MediaType::Plan { target: Box::new(MediaType::Json), format, options };
    let request = read("clients", "select=name,projects!inner(name)&projects.or=(id.eq.1,name.eq.Paris)");
    let shown = bench.run(accepting(request, plan)).unwrap().body;
    let filter = "((projects_1.client_id = clients.id) AND ((projects_1.id = 1) OR (projects_1.name = 'Paris'::text)))";
    assert!(shown.contains(filter), "{shown}");
}

#[test]
fn head_counts_and_makes_nothing() {
    let bench = Bench::new();
    let mut request = read("clients", "select=id,projects(id)");
    request.accept = Accept::Head(vec![MediaType::Json]);
    let counted = (Fact::Rows, Some("3".to_owned()));
    let answer = bench.run(request.clone()).unwrap();
    assert_eq!((answer.body.as_str(), answer.facts.first()), ("", Some(&counted)));
    request.preferences.count = Some(Count::Exact);
    let answer = bench.run(request).unwrap();
    assert_eq!((answer.body.as_str(), answer.facts.first()), ("", Some(&counted)));
}

#[test]
fn head_counts_groups() {
    let bench = Bench::with(&[("DB_AGGREGATES_ENABLED", "true")]);
    let accept = Accept::Head(vec![MediaType::Json]);
    let request = Request { accept, ..read("projects", "select=client_id,count()") };
    assert_eq!(bench.run(request).unwrap().facts, [(Fact::Rows, Some("3".to_owned()))]);
}
