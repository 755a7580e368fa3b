//! Pages: keysets that neither repeat nor lose a row, whatever is written between them.

use super::{FIXTURE, Served, said, served, served_with};
use serde_json::{Value, json};
use tonic::Code;

/// The ids of all pages; `between` is called after each.
fn walk(served: &Served, order: &str, size: i32, mut between: impl FnMut(usize)) -> Vec<i64> {
    let mut ids = Vec::new();
    let mut token = String::new();
    for page in 0.. {
        let request = json!({"pageSize": size, "orderBy": order, "pageToken": token, "readMask": "id"});
        let answer = served.call("StudentsService/ListStudents", request).unwrap();
        let rows = answer["students"].as_array().cloned().unwrap_or_default();
        ids.extend(rows.iter().map(|row| row["id"].as_i64().unwrap()));
        match answer["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => return ids,
        }
        between(page);
    }
    unreachable!()
}

#[test]
fn every_order_is_walked_through_with_nulls_and_equal_values() {
    let served = served();
    served.database.execute(
        "INSERT INTO api.students (id, name, grade, level)
         SELECT n, 's' || n % 3, nullif(n % 4, 0), nullif(n % 3, 0) FROM generate_series(10, 40) n",
    );
    for order in [
        "",
        "grade",
        "grade desc",
        "grade desc nulls last",
        "grade nulls first, level desc, name",
        "level desc nulls last, grade nulls first",
        "name desc, id desc",
        "joined, nickname desc",
    ] {
        let whole =
            served.call("StudentsService/ListStudents", json!({"pageSize": 100, "orderBy": order})).unwrap();
        let whole: Vec<i64> =
            whole["students"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assert_eq!(whole.len(), 35);
        for size in [1, 2, 7, 35] {
            assert_eq!(walk(&served, order, size, |_| {}), whole, "{order:?} by {size}");
        }
    }
}

#[test]
fn rows_written_between_pages_neither_repeat_nor_hide_others() {
    let served = served();
    served.database.execute(
        "INSERT INTO api.students (id, name, grade) SELECT n, 'n', n % 5 FROM generate_series(10, 39) n",
    );
    let ids = walk(&served, "grade, id", 4, |page| {
        // Before the place where the page ended, and after it; and rows gone on both sides.
        served.database.execute(&format!(
            "INSERT INTO api.students (id, name, grade) VALUES ({}, 'before', -1), ({}, 'after', 9999);
             DELETE FROM api.students WHERE name = 'before';
             DELETE FROM api.enrollments WHERE student_id = 3; DELETE FROM api.students WHERE id = 3",
            1000 + 2 * page,
            1001 + 2 * page
        ));
    });
    let mut stayed: Vec<i64> = ids.iter().copied().filter(|id| (10..40).contains(id)).collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "no row came twice");
    stayed.sort_unstable();
    assert_eq!(stayed, (10..40).collect::<Vec<_>>(), "no row that stayed was lost");
}

#[test]
fn a_token_is_of_its_query_alone() {
    let served = served();
    let list =
        |service: &str, request: Value| served.call(&format!("{service}Service/List{service}"), request);
    let first =
        list("Students", json!({"pageSize": 1, "orderBy": "name", "where": {"id": {"gt": 0}}})).unwrap();
    let token = first["nextPageToken"].as_str().unwrap().to_owned();
    let again = json!({"pageSize": 3, "orderBy": "name", "where": {"id": {"gt": 0}}, "pageToken": token, "readMask": "name"});
    assert_eq!(list("Students", again).unwrap()["students"][0]["name"], "Alan", "size and mask may differ");
    let mut forged = token.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for (service, request) in [
        ("Students", json!({"orderBy": "name desc", "where": {"id": {"gt": 0}}, "pageToken": token})),
        ("Students", json!({"orderBy": "name", "where": {"id": {"gt": 1}}, "pageToken": token})),
        (
            "Students",
            json!({"orderBy": "name", "where": {"id": {"gt": 0}}, "filter": "id=gt.0", "pageToken": token}),
        ),
        ("Teachers", json!({"orderBy": "name", "pageToken": token})),
        ("Students", json!({"orderBy": "name", "where": {"id": {"gt": 0}}, "pageToken": forged})),
    ] {
        assert_eq!(said(list(service, request.clone())).0, Code::InvalidArgument, "{request}");
    }
}

#[test]
fn counts_are_of_all_pages_and_skip_passes_rows_over() {
    let served = served();
    let list = |request: Value| served.call("StudentsService/ListStudents", request).unwrap();
    let first =
        list(json!({"pageSize": 1, "count": "COUNT_MODE_EXACT", "filter": "id=lt.4", "orderBy": "id"}));
    assert_eq!(first["totalSize"], 3);
    let token = &first["nextPageToken"];
    let second = list(json!({
        "pageSize": 1, "count": "COUNT_MODE_EXACT", "filter": "id=lt.4", "orderBy": "id", "pageToken": token
    }));
    assert_eq!((&second["totalSize"], &second["students"][0]["id"]), (&json!(3), &json!(2)));
    assert_eq!(list(json!({"count": "COUNT_MODE_EXACT", "filter": "id=gt.9"})), json!({"totalSize": 0}));
    assert!(list(json!({"count": "COUNT_MODE_PLANNED"}))["totalSize"].is_i64());
    assert_eq!(list(json!({})).get("totalSize"), None);
    let skipped = list(json!({"skip": 2, "orderBy": "id", "readMask": "id"}));
    assert_eq!(skipped["students"], json!([{"id": 3}, {"id": 4}]));
    assert_eq!(list(json!({"skip": 9})), json!({}));
}

#[test]
fn pages_within_db_max_rows_lead_to_every_row_and_a_batch_beyond_it_is_refused() {
    let served = served_with(super::FIXTURE, &[("PGRST_DB_MAX_ROWS", "2")]);
    let all: i64 = served.sql("SELECT count(*) FROM api.students").parse().unwrap();
    for size in [1, 2, 100] {
        assert_eq!(walk(&served, "", size, |_| {}).len() as i64, all, "by {size}");
    }
    let whole = json!({"pageSize": 2, "where": {"id": {"lte": 2}}, "readMask": "id"});
    let whole = served.call("StudentsService/ListStudents", whole).unwrap();
    assert_eq!(whole, json!({"students": [{"id": 1}, {"id": 2}]}), "a page that is full may be the last");
    let keys = |count: i64| {
        let requests: Vec<Value> = (1..=count).map(|id| json!({"id": id})).collect();
        json!({"requests": requests, "readMask": "id"})
    };
    assert!(served.call("StudentsService/BatchGetStudents", keys(2)).is_ok());
    let refused = served.call("StudentsService/BatchGetStudents", keys(3));
    assert_eq!(said(refused).0, Code::ResourceExhausted);
}

/// A client takes 4 MiB.
#[test]
fn a_page_counts_the_bytes_of_its_embeds() {
    let children = "
        CREATE TABLE api.parents (id int PRIMARY KEY);
        CREATE TABLE api.children (id int PRIMARY KEY, parent_id int REFERENCES api.parents, text text);
        INSERT INTO api.parents SELECT generate_series(1, 6);
        INSERT INTO api.children SELECT n, n % 6 + 1, repeat('x', 1000) FROM generate_series(1, 12000) n;
        GRANT SELECT ON ALL TABLES IN SCHEMA api TO anonymous;";
    let served = served_with(&format!("{FIXTURE};{children}"), &[]);
    let mut token = String::new();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let request = json!({"readMask": "id,children.text", "pageToken": token});
        let page = served.call("ParentsService/ListParents", request).unwrap();
        for parent in page["parents"].as_array().unwrap() {
            assert_eq!(parent["children"].as_array().unwrap().len(), 2000);
            seen.push(parent["id"].as_i64().unwrap());
        }
        pages += 1;
        token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((seen, pages), (vec![1, 2, 3, 4, 5, 6], 3), "three parents are more than one message");
}
