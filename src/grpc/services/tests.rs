//! Messages that hold something of other relations than the one that they are about.

use super::*;
use crate::{
    catalog::descriptor::{Column, Database, ForeignKey, Relation, RelationKind, Schema, Type, TypeKind},
    grpc::fixture::school,
};
use nix::time::{ClockId, clock_gettime};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use std::time::Duration;

fn services(catalog: Catalog) -> Services {
    Services::new(&catalog.into(), &Options::default(), &Lock::default()).unwrap()
}

/// The message in JSON, as those encode it who have the whole description.
fn encoded(services: &Services, message: &str, json: &Value) -> Vec<u8> {
    let pool = DescriptorPool::decode(services.files().unwrap().as_slice()).unwrap();
    let message = pool.get_message_by_name(message).unwrap();
    DynamicMessage::deserialize(message, json).unwrap().encode_to_vec()
}

/// What is read of a request, in JSON.
fn read(services: &Services, path: &str, json: &Value) -> Result<Value> {
    let method = services.method(path).unwrap();
    let name = format!("{}Request", path.trim_start_matches('/').replace('/', "."));
    let (package, _) = name.split_once(".v1.").unwrap();
    let message = format!("{package}.v1.{}", name.rsplit_once('.').unwrap().1);
    let message = services.read(&method, Side::Request, &encoded(services, &message, json))?;
    Ok(serde_json::to_value(message).unwrap())
}

#[test]
fn a_message_is_read_with_all_that_it_holds_of_other_relations() {
    let services = services(school());
    let path = "/api.v1.EnrollmentsService/CreateEnrollment";
    let deep = json!({ "enrollment": {
        "student_id": 1, "course": "Logic",
        "student": { "first_name": "Ada", "enrollments": [{ "course": "Sets", "grade": "GRADE_ENUM_PASS" }] },
    } });
    let flat = json!({ "enrollment": { "student_id": 1, "course": "Logic" } });
    for request in [&flat, &deep, &flat] {
        assert_eq!(read(&services, path, request).unwrap(), *request);
    }
    let method = services.method(path).unwrap();
    let part = services.part_for_json(&method, Side::Request, &deep).unwrap();
    let message = DynamicMessage::deserialize(part.message().clone(), &deep).unwrap();
    assert_eq!(serde_json::to_value(message).unwrap(), deep);
}

#[test]
fn a_message_is_read_with_all_that_it_says_of_related_rows() {
    let services = services(school());
    let path = "/api.v1.EnrollmentsService/ListEnrollments";
    let related = json!({
        "where": { "student": { "exists": {
            "first_name": { "eq": "Ada" }, "enrollments": { "none": { "course": { "eq": "Logic" } } },
        } } },
        "embeds": { "student": { "required": true, "embeds": { "enrollments": { "limit": 2 } } } },
    });
    let plain = json!({ "where": { "course": { "eq": "Logic" } } });
    for request in [&plain, &related, &plain] {
        assert_eq!(read(&services, path, request).unwrap(), *request);
    }
    let fresh = self::services(school());
    let method = fresh.method(path).unwrap();
    let part = fresh.part_for_json(&method, Side::Request, &related).unwrap();
    let message = DynamicMessage::deserialize(part.message().clone(), &related).unwrap();
    assert_eq!(serde_json::to_value(message).unwrap(), related);
}

#[test]
fn a_call_says_of_rows_what_a_read_does() {
    let services = services(school());
    let path = "/api.v1.FunctionsService/SearchStudents";
    let method = services.method(path).unwrap();
    let request = json!({ "embeds": { "enrollments": { "where": { "student": { "exists": {} } } } } });
    let message = encoded(&services, "api.v1.SearchStudentsRequest", &request);
    let message = services.read(&method, Side::Request, &message).unwrap();
    assert_eq!(serde_json::to_value(message).unwrap(), request);
}

#[test]
fn a_relation_that_nobody_calls_has_its_name_alone_and_a_called_one_leads_no_further() {
    let services = services(hub(50));
    assert!(services.knows("api.v1.Spoke7sService"));
    assert!(services.made[0].resources.iter().all(|parts| parts.get().is_none()));
    let request = json!({ "spoke1": { "id": 1 } });
    assert_eq!(read(&services, "/api.v1.Spoke1sService/CreateSpoke1", &request).unwrap(), request);
    let made = services.made[0].resources.iter().filter(|parts| parts.get().is_some());
    assert_eq!(made.count(), 1);
    let method = services.method("/api.v1.Spoke1sService/CreateSpoke1").unwrap();
    let pool = services.part(&method, Side::Request).unwrap().message().parent_pool().clone();
    let names: Vec<String> = pool.all_messages().map(|message| message.name().to_owned()).collect();
    assert!(!names.iter().any(|name| name.starts_with("Hub")), "{names:?}");
}

#[test]
fn a_message_holds_something_of_so_many_relations_and_others_before_it_do_not_count() {
    let services = services(hub(300));
    let path = "/api.v1.HubsService/CreateHub";
    let holding = |spokes: std::ops::Range<u32>| {
        let mut hub = json!({ "id": 1 });
        for spoke in spokes {
            hub[format!("spoke{spoke}s")] = json!([{ "id": 2 }]);
        }
        json!({ "hub": hub })
    };
    for spokes in [0..200, 100..300, 0..200] {
        let request = holding(spokes);
        assert_eq!(read(&services, path, &request).unwrap(), request);
    }
    let refused = read(&services, path, &holding(0..300)).unwrap_err();
    assert!(matches!(refused.origin, crate::error::Origin::Pgduet(Fault::RequestTooComplex)), "{refused}");
}

/// A table that so many others refer to.
fn hub(spokes: u32) -> Catalog {
    let column = |number, name: &str| Column {
        number,
        name: name.to_owned(),
        r#type: 23,
        sql_type: "integer".to_owned(),
        ..Default::default()
    };
    let table = |oid, name: String, columns| Relation {
        oid,
        schema: "api".to_owned(),
        name,
        kind: RelationKind::Table.into(),
        columns,
        primary_key: vec!["id".to_owned()],
        insertable: true,
        ..Relation::default()
    };
    let spoke = |at| table(1000 + at, format!("spoke{at}"), vec![column(1, "id"), column(2, "hub_id")]);
    let hub = table(1, "hubs".to_owned(), vec![column(1, "id")]);
    let key = |at| ForeignKey {
        name: format!("spoke{at}_hub_id_fkey"),
        relation: 1000 + at,
        columns: vec!["hub_id".to_owned()],
        referenced: 1,
        referenced_columns: vec!["id".to_owned()],
    };
    Catalog::new(Database {
        schemas: vec![Schema { name: "api".to_owned(), comment: None }],
        relations: std::iter::once(hub).chain((0..spokes).map(spoke)).collect(),
        foreign_keys: (0..spokes).map(key).collect(),
        types: vec![Type {
            oid: 23,
            schema: "pg_catalog".to_owned(),
            name: "int4".to_owned(),
            sql_name: "integer".to_owned(),
            kind: TypeKind::Base.into(),
            ..Type::default()
        }],
        ..Database::default()
    })
}

/// The CPU time that this thread takes for it.
fn spent<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let before = now();
    let made = run();
    (now() - before, made)
}

#[test]
fn a_reload_costs_a_fraction_of_the_description_and_a_first_call_does_not_depend_on_the_schema() {
    let first_call = |services: &Services| {
        let path = "/api.v1.Spoke1sService/ListSpoke1s";
        spent(|| services.read(&services.method(path).unwrap(), Side::Request, &[]).unwrap()).0
    };
    let small = services(hub(100));
    // What the process does once is no part of it.
    first_call(&services(hub(2)));
    let of_small = first_call(&small);
    let catalog = Arc::new(hub(2000));
    let (reload, large) = spent(|| Services::new(&catalog, &Options::default(), &Lock::default()).unwrap());
    let of_large = first_call(&large);
    let (description, _) = spent(|| large.files().unwrap());
    assert!(reload * 5 < description, "a reload took {reload:?}, the description {description:?}");
    assert!(of_large < of_small * 5, "{of_small:?} in a small schema, {of_large:?} in a large one");
}
