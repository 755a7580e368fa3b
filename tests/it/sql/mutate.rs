//! Mutations.

use super::{Answer, Bench, read};
use pgduet::{
    media::MediaType,
    request::{
        Accept, Action, Request,
        payload::{Payload, Rows},
        prefer::{Missing, Resolution, Return},
    },
    sql::Fact,
};
use serde_json::Value;

/// The rows of a body, as the front doors make them.
pub(super) fn payload(json: &'static str) -> Payload {
    let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect();
    let value: Value = serde_json::from_str(json).unwrap();
    let (keys, rows) = match &value {
        Value::Array(objects) => (objects.first().map(keys).unwrap_or_default(), Rows::Many),
        object => (keys(object), Rows::One),
    };
    Payload { json: json.into(), keys, rows }
}

pub(super) fn insert(relation: &str, json: &'static str) -> Action {
    Action::Insert { relation: relation.to_owned(), payload: payload(json), columns: None, on_conflict: None }
}

pub(super) fn update(relation: &str, json: &'static str) -> Action {
    Action::Update { relation: relation.to_owned(), payload: payload(json), columns: None, parts: Vec::new() }
}

pub(super) fn request(action: Action, query: &str) -> Request {
    let mut request = read("", query);
    request.action = action;
    request.preferences.representation = Some(Return::Representation);
    request
}

fn run(bench: &Bench, action: Action, query: &str) -> Answer {
    bench.run(request(action, query)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn inserts_return_what_was_selected() {
    let bench = Bench::new();
    let one = run(&bench, insert("notes", r##"{"title":"A","tags":["x","y"],"colour":"#ff"}"##), "");
    let wanted =
        r##"[{"id":1,"title":"A","stars":3,"tags":["x","y"],"colour":"#ff","client_id":null,"loud":"A"}]"##;
    assert_eq!((one.body.as_str(), one.sql.contains("WITH")), (wanted, false));
    let many =
        run(&bench, insert("notes", r#"[{"title":"B"},{"title":"C"}]"#), "select=id,summary&order=id.desc");
    assert_eq!(many.body.replace(", \n ", ", "), r#"[{"id":3,"summary":"C!"}, {"id":2,"summary":"B!"}]"#);
    let embeds = run(
        &bench,
        insert("notes", r#"{"client_id":1}"#),
        "select=title,clients(name,projects(id)),payer(id)&clients.projects.id=gt.1",
    );
    let wanted = r#"[{"title":"untitled","clients":{"name":"Acme","projects":[{"id":2}]},"payer":{"id":1}}]"#;
    assert_eq!(embeds.body, wanted);
    assert_eq!(run(&bench, insert("notes", "{}"), "select=id").body, r#"[{"id":5}]"#);
    assert_eq!(run(&bench, insert("notes", "[{},{}]"), "select=stars").rows, 2);
    assert_eq!(run(&bench, insert("notes", "[]"), "select=id").body, "[]");
}

#[test]
fn other_forms_of_changed_rows_are_made_by_postgresql() {
    let bench = Bench::new();
    let mut csv = request(insert("notes", r#"[{"title":"a,b"},{"title":"C"}]"#), "select=id,title");
    csv.accept = Accept::Media(vec![MediaType::Csv]);
    assert_eq!(bench.run(csv).unwrap().body, "id,title\n1,\"a,b\"\n2,C");
    let mut stripped = request(update("notes", r#"{"tags":null}"#), "id=eq.1&select=id,tags");
    stripped.accept = Accept::Media(vec![MediaType::ArrayStripped]);
    assert_eq!(bench.run(stripped).unwrap().body, r#"[{"id":1}]"#);
    let mut columns = request(update("notes", r#"{"stars":9}"#), "select=id,clients(id)");
    columns.accept = Accept::Columns;
    assert_eq!(bench.run(columns).unwrap().rows, 2);
}

#[test]
fn keys_that_are_missing_take_the_default_where_that_is_preferred() {
    let bench = Bench::new();
    let body = r#"[{"title":"A","stars":null},{"id":7,"stars":1},{}]"#;
    let columns = Some(["id", "title", "stars"].map(str::to_owned).to_vec());
    let action =
        Action::Insert { relation: "notes".to_owned(), payload: payload(body), columns, on_conflict: None };
    let mut asked = request(action, "select=id,title,stars");
    asked.preferences.missing = Some(Missing::Default);
    let wanted = r#"[{"id":1,"title":"A","stars":null}, {"id":7,"title":"untitled","stars":1}, {"id":3,"title":"untitled","stars":3}]"#;
    assert_eq!(bench.run(asked).unwrap().body.replace(", \n ", ", "), wanted);
    let columns = Some(["title", "stars"].map(str::to_owned).to_vec());
    let action = Action::Update {
        relation: "notes".to_owned(),
        payload: payload(r#"{"title":"Z"}"#),
        columns,
        parts: Vec::new(),
    };
    let mut asked = request(action, "id=eq.7&select=title,stars");
    asked.preferences.missing = Some(Missing::Default);
    assert_eq!(bench.run(asked).unwrap().body, r#"[{"title":"Z","stars":3}]"#);
}

#[test]
fn duplicates_are_merged_or_left_and_those_inserted_are_counted() {
    let bench = Bench::new();
    let body = r#"[{"a":1,"b":"x","note":"new"},{"a":2,"b":"y","note":"new"}]"#;
    let mut merge = request(insert("pairs", body), "");
    merge.preferences.resolution = Some(Resolution::MergeDuplicates);
    let answer = bench.run(merge.clone()).unwrap();
    assert_eq!((answer.rows, &answer.facts), (2, &vec![(Fact::Inserted, Some("1".to_owned()))]));
    assert_eq!(bench.ask("SELECT string_agg(note, ' ' ORDER BY a) FROM api.pairs"), "new new");
    // Seen by nobody, counted all the same.
    merge.preferences.representation = None;
    let answer = bench.run(merge).unwrap();
    let counted = [(Fact::Rows, Some("2".to_owned())), (Fact::Inserted, Some("0".to_owned()))];
    assert_eq!(answer.facts, counted);
    let body = r#"[{"a":1,"b":"x","note":"newer"},{"a":3,"b":"z","note":"newer"}]"#;
    let mut ignore = request(insert("pairs", body), "");
    ignore.preferences.resolution = Some(Resolution::IgnoreDuplicates);
    assert_eq!(bench.run(ignore).unwrap().body, r#"[{"a":3,"b":"z","note":"newer"}]"#);
}

#[test]
fn put_writes_the_row_that_its_filters_name() {
    let bench = Bench::new();
    let put = |json, query| {
        let action = Action::Upsert { relation: "pairs".to_owned(), payload: payload(json), columns: None };
        bench.run(request(action, query))
    };
    let inserted = put(r#"{"a":5,"b":"q","note":"n"}"#, "a=eq.5&b=eq.q").unwrap();
    assert_eq!(inserted.body, r#"[{"a":5,"b":"q","note":"n"}]"#);
    assert_eq!(inserted.facts, [(Fact::Inserted, Some("1".to_owned()))]);
    let updated = put(r#"{"a":5,"b":"q","note":"m"}"#, "a=eq.5&b=eq.q&select=note").unwrap();
    assert_eq!((updated.body.as_str(), &updated.facts[0].1), (r#"[{"note":"m"}]"#, &Some("0".to_owned())));
    assert_eq!(put(r#"{"a":6,"b":"q","note":"n"}"#, "a=eq.5&b=eq.q").unwrap().rows, 0);
    for query in
        ["a=eq.5", "a=eq.5&b=gt.q", "a=eq.5&b=eq.q&note=eq.n", "a=eq.5&b=eq.q&or=(a.eq.1,a.eq.2)", ""]
    {
        assert_eq!(put(r#"{"a":5,"b":"q"}"#, query).unwrap_err().code(), "PGRST105", "{query}");
    }
    assert_eq!(put(r#"{"a":5,"b":"q"}"#, "a=eq.5&b=eq.q&limit=1").unwrap_err().code(), "PGRST114");
}

#[test]
fn updates_and_deletes_touch_what_their_filters_leave() {
    let bench = Bench::new();
    let changed = run(
        &bench,
        update("projects", r#"{"name":"New"}"#),
        "select=id,clients(name)&or=(id.eq.1,id.eq.4)&order=id.desc&clients.name=eq.Acme",
    );
    let wanted = r#"[{"id":4,"clients":null}, {"id":1,"clients":{"name":"Acme"}}]"#;
    assert_eq!(changed.body.replace(", \n ", ", "), wanted);
    assert_eq!(run(&bench, update("projects", "{}"), "select=id,clients(name)").body, "[]");
    assert_eq!(run(&bench, update("projects", "{}"), "").body, "[]");
    let delete = || Action::Delete { relation: "tasks".to_owned() };
    let deleted = run(&bench, delete(), "id=eq.4&select=name,projects(name)");
    assert_eq!(deleted.body, r#"[{"name":"Rest","projects":null}]"#);
    let mut unseen = request(delete(), "id=eq.3");
    unseen.preferences.representation = None;
    assert_eq!(
        bench.run(unseen).unwrap().sql,
        r#"DELETE FROM "api"."tasks" AS "tasks" WHERE "tasks"."id" = $1"#
    );
    assert_eq!(bench.ask("SELECT count(*)::text FROM api.tasks"), "2");
}

#[test]
fn the_key_of_a_created_row_is_told_where_only_headers_are_wanted() {
    let bench = Bench::new();
    let mut asked = request(insert("pairs", r#"[{"a":8,"b":"k, 'l"}]"#), "select=b");
    asked.preferences.representation = Some(Return::HeadersOnly);
    let key = |name: &str, value: &str| (Fact::Key(name.to_owned()), Some(value.to_owned()));
    let wanted = [(Fact::Rows, Some("1".to_owned())), key("a", "8"), key("b", "k, 'l")];
    assert_eq!(bench.run(asked).unwrap().facts, wanted);
}

#[test]
fn unknown_columns_are_named() {
    let bench = Bench::new();
    let error = bench.run(request(insert("notes", r#"{"titel":"A"}"#), "")).unwrap_err();
    assert_eq!(
        (error.code(), error.message.as_str()),
        ("PGRST204", "Could not find the 'titel' column of 'notes' in the schema cache")
    );
}

#[test]
fn each_row_is_updated_by_its_key_and_keeps_what_its_object_lacks() {
    let bench = Bench::new();
    run(
        &bench,
        insert("notes", r#"[{"title":"A","stars":1},{"title":"B","stars":2},{"title":"C","stars":3}]"#),
        "",
    );
    let each = |json, missing| {
        let action = Action::UpdateEach {
            relation: "notes".to_owned(),
            payload: payload(json),
            key: vec!["id".to_owned()],
            parts: Vec::new(),
        };
        let mut request = request(action, "select=id,title,stars&order=id");
        request.preferences.missing = missing;
        bench.run(request).unwrap().body.replace(", \n ", ", ")
    };
    let wanted = r#"[{"id":1,"title":"F","stars":null}, {"id":3,"title":"D","stars":8}]"#;
    assert_eq!(each(r#"[{"id":3,"title":"D","stars":8},{"id":1,"title":"F","stars":null}]"#, None), wanted);
    let wanted = r#"[{"id":2,"title":"E","stars":9}, {"id":3,"title":"D","stars":6}]"#;
    let uneven = r#"[{"id":2,"title":"E","stars":9},{"id":3,"stars":6}]"#;
    assert_eq!(each(uneven, Some(Missing::Default)), wanted);
}
