//! Reads.

use super::{Bench, STRIPPED, accepting, read};
use pgduet::{
    media::MediaType,
    request::{Accept, prefer::Count},
    sql::Fact,
};

/// Requests on one bench: a relation, a query string, the JSON that comes.
const ANSWERS: &[(&str, &str, &str)] = &[
    (
        "clients",
        "select=id,name&order=id",
        r#"[{"id":1,"name":"Acme"}, {"id":2,"name":"Bolt"}, {"id":3,"name":"Idle"}]"#,
    ),
    ("clients", "select=*&id=eq.1", r#"[{"id":1,"name":"Acme","odd \"name":7}]"#),
    ("clients", "id=in.(1,3)&select=n:name&order=name.desc", r#"[{"n":"Idle"}, {"n":"Acme"}]"#),
    ("clients", "id=in.()&select=id", "[]"),
    ("clients", "select=id::text,loud&loud=eq.ACME", r#"[{"id":"1","loud":"ACME"}]"#),
    ("clients", "select=id&name=like.*o*", r#"[{"id":2}]"#),
    ("clients", "select=id&name=ilike(any).{a*,b*}&order=id", r#"[{"id":1}, {"id":2}]"#),
    ("clients", "select=id&id=not.gt(all).{1,2}&order=id.desc", r#"[{"id":2}, {"id":1}]"#),
    (
        "clients",
        "select=id&or=(id.eq.1,and(name.match.^B,not.or(id.eq.9,id.is.null)))&order=id",
        r#"[{"id":1}, {"id":2}]"#,
    ),
    ("clients", r#"select=id,"odd \"name"&"odd \"name"=not.is.null"#, r#"[{"id":1,"odd \"name":7}]"#),
    ("clients", "select=id&order=id.desc&limit=1&offset=1", r#"[{"id":2}]"#),
    ("projects", "select=id,data->a->b->>-1&data->a->b->0=eq.1", r#"[{"id":1,"b":"3"}]"#),
    ("projects", "select=data->a->b->1,x:data->a&id=eq.1", r#"[{"b":2,"x":{"b": [1, 2, 3]}}]"#),
    ("projects", "select=id&order=data->a->b->0.asc.nullslast,id.desc&limit=2", r#"[{"id":1}, {"id":4}]"#),
    ("projects", "select=id&client_id=isdistinct.1&order=id", r#"[{"id":3}, {"id":4}]"#),
    ("types", "select=id&ts_vector=fts(english).cat", r#"[{"id":1}]"#),
    ("types", "select=id&t=plfts(simple).q", r#"[{"id":1}]"#),
    ("types", "select=id&arr=cs.{1}", r#"[{"id":1}]"#),
    ("types", "select=col&col=eq.#ff", r##"[{"col":"#ff"}]"##),
    ("types", "select=col&col=in.(#ff,#fe)", r##"[{"col":"#ff"}]"##),
    // Embeds: to one, to many, through a junction, one to one, to itself, computed.
    (
        "projects",
        "select=id,clients(id,name)&order=id&limit=1",
        r#"[{"id":1,"clients":{"id":1,"name":"Acme"}}]"#,
    ),
    ("projects", "select=clients(name),id&id=eq.4", r#"[{"clients":null,"id":4}]"#),
    (
        "clients",
        "select=id,projects(id)&order=id",
        r#"[{"id":1,"projects":[{"id":1}, {"id":2}]}, {"id":2,"projects":[{"id":3}]}, {"id":3,"projects":[]}]"#,
    ),
    (
        "users",
        "select=name,tasks(name)&order=id&tasks.order=name",
        r#"[{"name":"Ada","tasks":[{"name":"Build"}, {"name":"Plan"}]}, {"name":"Bob","tasks":[{"name":"Build"}]}]"#,
    ),
    (
        "projects",
        "select=id,details(note)&id=lt.3&order=id",
        r#"[{"id":1,"details":{"note":"first"}}, {"id":2,"details":null}]"#,
    ),
    ("people", "select=name,boss(name)&id=eq.2", r#"[{"name":"Left","boss":{"name":"Root"}}]"#),
    (
        "people",
        "select=name,people(name)&people.order=id&id=eq.1",
        r#"[{"name":"Root","people":[{"name":"Left"}, {"name":"Right"}]}]"#,
    ),
    (
        "clients",
        "select=id,first_project(id,name)&id=eq.1",
        r#"[{"id":1,"first_project":{"id":1,"name":"Alpha"}}]"#,
    ),
    (
        "orders",
        "select=id,b:addresses!billing_key(street),shipping(street)",
        r#"[{"id":1,"b":{"street":"Here"},"shipping":{"street":"There"}}]"#,
    ),
    (
        "clients",
        "select=id,projects(id,tasks(id,users(name)))&id=eq.1&projects.limit=1&projects.order=id&projects.tasks.order=id.desc",
        r#"[{"id":1,"projects":[{"id":1,"tasks":[{"id":2,"users":[{"name":"Ada"}, {"name":"Bob"}]}, {"id":1,"users":[{"name":"Ada"}]}]}]}]"#,
    ),
    (
        "clients",
        "select=id,projects(name)&projects.name=eq.Beta&order=id",
        r#"[{"id":1,"projects":[{"name":"Beta"}]}, {"id":2,"projects":[]}, {"id":3,"projects":[]}]"#,
    ),
    (
        "clients",
        "select=id,projects!inner(name)&projects.name=eq.Beta",
        r#"[{"id":1,"projects":[{"name":"Beta"}]}]"#,
    ),
    (
        "projects",
        "select=id,clients!inner(name)&clients.name=eq.Bolt",
        r#"[{"id":3,"clients":{"name":"Bolt"}}]"#,
    ),
    (
        "clients",
        "select=id,projects!inner(tasks!inner(id))&projects.tasks.id=eq.3",
        r#"[{"id":1,"projects":[{"tasks":[{"id":3}]}]}]"#,
    ),
    ("clients", "select=id,projects()&projects=is.null", r#"[{"id":3}]"#),
    (
        "projects",
        "select=id,clients()&or=(clients.not.is.null,id.eq.4)&order=id",
        r#"[{"id":1}, {"id":2}, {"id":3}, {"id":4}]"#,
    ),
    (
        "projects",
        "select=id,clients(name)&order=clients(name).desc,id&limit=2",
        r#"[{"id":4,"clients":null}, {"id":3,"clients":{"name":"Bolt"}}]"#,
    ),
    ("projects", "select=id,clients()&order=clients(name).desc.nullslast,id&limit=1", r#"[{"id":3}]"#),
    (
        "projects",
        "select=id,...clients(client:name,cid:id)&id=in.(3,4)&order=id",
        r#"[{"id":3,"client":"Bolt","cid":2}, {"id":4,"client":null,"cid":null}]"#,
    ),
    (
        "clients",
        "select=id,...projects(p:id,name)&projects.order=id.desc&order=id",
        r#"[{"id":1,"p":[2, 1],"name":["Beta", "Alpha"]}, {"id":2,"p":[3],"name":["Gamma"]}, {"id":3,"p":[],"name":[]}]"#,
    ),
];

#[test]
fn requests_are_answered_with_postgresql_s_json() {
    let bench = Bench::new();
    for (relation, query, wanted) in ANSWERS {
        let answer = bench.get(relation, query);
        assert_eq!(answer.body.replace(", \n ", ", "), *wanted, "{relation}?{query}\n{}", answer.sql);
    }
}

#[test]
fn every_type_is_written_as_json_agg_writes_it() {
    let bench = Bench::new();
    let answer = bench.get("types", "order=id");
    let columns =
        "id,b,i2,i8,o,f4,f8,n,t,v,c,nm,u,d,tm,tz,ts,tstz,j,jb,m,ip,arr,iv,by,ts_vector,api.json(col) AS col";
    let oracle = format!("SELECT json_agg(x.*)::text FROM (SELECT {columns} FROM api.types ORDER BY id) x");
    assert_eq!(answer.body, bench.ask(&oracle));
}

#[test]
fn aggregates_group_by_everything_else() {
    let bench = Bench::with(&[("DB_AGGREGATES_ENABLED", "true")]);
    let wanted = r#"[{"client_id":1,"count":2,"max":2}, {"client_id":2,"count":1,"max":3}, {"client_id":null,"count":1,"max":4}]"#;
    let answer = bench.get("projects", "select=client_id,count(),id.max()&order=client_id");
    assert_eq!(answer.body.replace(", \n ", ", "), wanted);
    assert_eq!(bench.get("projects", "select=n:count()::text").body, r#"[{"n":"4"}]"#);
    let nested = bench.get("clients", "select=id,projects(total:id.sum())&id=eq.1");
    assert_eq!(nested.body, r#"[{"id":1,"projects":[{"total":3}]}]"#);
    let spread = bench.get(
        "projects",
        "select=count(),...clients(name,n:count(),total:id.sum()::text)&order=clients(name)",
    );
    let wanted = r#"[{"count":2,"name":"Acme","n":2,"total":"2"}, {"count":1,"name":"Bolt","n":1,"total":"2"}, {"count":1,"name":null,"n":0,"total":null}]"#;
    assert_eq!(spread.body.replace(", \n ", ", "), wanted);
    let deep = bench.get("tasks", "select=...projects(...clients(id.max()))");
    assert_eq!(deep.body, r#"[{"max":1}]"#);
    let beside = bench.get("projects", "select=clients(name),count()&client_id=eq.1");
    assert_eq!(beside.body, r#"[{"clients":{"name": "Acme"},"count":2}]"#);
}

#[test]
fn aggregates_do_not_go_into_arrays() {
    let bench = Bench::with(&[("DB_AGGREGATES_ENABLED", "true")]);
    for query in ["select=...projects(id.sum())", "select=...projects(name,...details(count()))"] {
        assert_eq!(bench.run(read("clients", query)).unwrap_err().code(), "PGRST127", "{query}");
    }
}

#[test]
fn the_total_comes_with_the_page_and_also_without_rows() {
    let bench = Bench::new();
    for (query, rows, total) in [
        ("select=id&limit=1", 1, "3"),
        ("select=id&offset=9", 0, "3"),
        ("select=id,projects!inner(id)&limit=1", 1, "2"),
        ("select=id,projects()&projects=is.null&limit=5", 1, "1"),
    ] {
        let mut request = read("clients", query);
        request.preferences.count = Some(Count::Exact);
        let answer = bench.run(request).unwrap();
        assert_eq!(answer.rows, rows, "{query}");
        assert_eq!(answer.facts.last(), Some(&(Fact::Total, Some(total.to_owned()))), "{query}");
    }
    // All rows come: they are counted on the way.
    let mut request = read("clients", "select=id");
    request.preferences.count = Some(Count::Exact);
    assert!(bench.run(request).unwrap().facts.is_empty());
}

#[test]
fn an_estimate_counts_no_further_than_the_largest_page() {
    let bench = Bench::with(&[("DB_MAX_ROWS", "1")]);
    let mut request = read("clients", "select=id,projects(id)&order=id");
    request.preferences.count = Some(Count::Estimated);
    let answer = bench.run(request).unwrap();
    assert_eq!(answer.body, r#"[{"id":1,"projects":[{"id":1}]}]"#);
    assert_eq!(answer.facts.last(), Some(&(Fact::Total, Some("2".to_owned()))));
    let mut request = read("clients", "select=id,projects!inner(id)&id=gt.0");
    request.preferences.count = Some(Count::Planned);
    assert_eq!(bench.run(request).unwrap().rows, 1);
}

#[test]
fn other_forms_of_rows_are_made_by_postgresql() {
    let bench = Bench::new();
    let stripped = bench.run(accepting(read("clients", "id=eq.2"), STRIPPED)).unwrap();
    assert_eq!(stripped.body, r#"{"id":2,"name":"Bolt"}"#);
    let stripped =
        bench.run(accepting(read("clients", "id=gt.1&order=id"), MediaType::ArrayStripped)).unwrap();
    assert_eq!(stripped.body, r#"[{"id":2,"name":"Bolt"},{"id":3,"name":"Idle"}]"#);
    let csv = bench.run(accepting(read("projects", "id=in.(1,2)&order=id"), MediaType::Csv)).unwrap();
    assert_eq!(
        csv.body,
        "id,name,client_id,data\n1,Alpha,1,\"{\"\"a\"\": {\"\"b\"\": [1, 2, 3]}}\"\n2,Beta,1,"
    );
}

#[test]
fn binary_columns_can_be_had_of_everything() {
    let bench = Bench::new();
    for (relation, query, rows) in [
        ("types", "", 2),
        ("clients", "select=id,loud,first_project(id),projects(id,tasks(*))", 3),
        ("projects", "select=id,clients(*)", 4),
    ] {
        let mut request = read(relation, query);
        request.accept = Accept::Columns;
        assert_eq!(bench.run(request).unwrap().rows, rows, "{relation}");
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let bench = Bench::new();
    for (relation, query, code, message, hint) in [
        (
            "client",
            "",
            "PGRST205",
            "Could not find the table 'api.client' in the schema cache",
            "Perhaps you meant the table 'api.clients'",
        ),
        (
            "projects",
            "select=client(*)",
            "PGRST200",
            "Could not find a relationship between 'projects' and 'client' in the schema cache",
            "Perhaps you meant 'clients' instead of 'client'.",
        ),
        (
            "orders",
            "select=addresses(*)",
            "PGRST201",
            "Could not embed because more than one relationship was found for 'orders' and 'addresses'",
            "Try changing 'addresses' to one of the following: 'addresses!billing_key', 'addresses!shipping_key'. Find the desired relationship in the 'details' key.",
        ),
        (
            "projects",
            "clients.name=eq.x",
            "PGRST108",
            "'clients' is not an embedded resource in this request",
            "Verify that 'clients' is included in the 'select' query parameter.",
        ),
        (
            "clients",
            "select=projects(*)&order=projects(id)",
            "PGRST118",
            "A related order on 'projects' is not possible",
            "",
        ),
        (
            "clients",
            "select=projects(*)&projects=eq.1",
            "PGRST120",
            "Bad operator on the 'projects' embedded resource",
            "",
        ),
        ("clients", "select=count()", "PGRST123", "Use of aggregate functions is not allowed", ""),
    ] {
        let error = bench.run(read(relation, query)).unwrap_err();
        assert_eq!((error.code(), error.message.as_str()), (code, message));
        assert_eq!(error.hint.as_deref().unwrap_or_default(), hint, "{query}");
    }
}
