//! The catalog of a fixture that has one or two of everything: the whole
//! descriptor and all relationships are snapshots, `UPDATE=1` writes them anew.

mod since;

use crate::support::{database::Database, snapshot::matches_snapshot};
use futures_util::stream;
use pgduet::{
    catalog::{
        Catalog,
        descriptor::{self, from_json, to_json},
        introspect::{Exposed, introspect},
        relationship::{Cardinality, Link, Relationship},
        routine::Shape,
        watch::{Event, watch},
    },
    error::{Error, Fault},
};
use std::{collections::HashMap, fmt::Write, time::Duration};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

const FIXTURE: &str = include_str!("../fixtures/catalog.sql");

/// OIDs below this are the same in every cluster of a version.
const FIRST_OF_CLUSTER: u32 = 10_000;

fn exposed() -> Exposed {
    Exposed {
        schemas: vec!["api".to_owned(), "other".to_owned()],
        extra_search_path: vec!["extra".to_owned(), "not_there".to_owned()],
    }
}

async fn read(client: &mut Client) -> descriptor::Database {
    introspect(client, &exposed(), None).await.unwrap().database
}

async fn catalog() -> Catalog {
    let mut client = Database::fresh(FIXTURE).client().await;
    Catalog::new(read(&mut client).await)
}

/// Gives OIDs that differ between clusters small numbers, in the order of the descriptor.
fn number(database: &mut descriptor::Database) {
    let mut numbers = HashMap::from([(0, 0)]);
    let relations = database.relations.iter().flat_map(|relation| [relation.oid, relation.row_type]);
    let functions = database.functions.iter().map(|function| function.oid);
    let types = database.types.iter().map(|found| found.oid);
    for oid in relations.chain(functions).chain(types) {
        let next = u32::try_from(numbers.len()).unwrap();
        numbers.entry(oid).or_insert(if oid < FIRST_OF_CLUSTER { oid } else { FIRST_OF_CLUSTER + next });
    }
    let of = |oid: &mut u32| *oid = numbers[oid];
    for relation in &mut database.relations {
        of(&mut relation.oid);
        of(&mut relation.row_type);
        for column in &mut relation.columns {
            of(&mut column.r#type);
            column.origin.iter_mut().for_each(|origin| of(&mut origin.relation));
        }
    }
    for key in &mut database.foreign_keys {
        of(&mut key.relation);
        of(&mut key.referenced);
    }
    for function in &mut database.functions {
        of(&mut function.oid);
        of(&mut function.return_type);
        function.arguments.iter_mut().for_each(|argument| of(&mut argument.r#type));
        function.result_columns.iter_mut().for_each(|column| of(&mut column.r#type));
    }
    for found in &mut database.types {
        [&mut found.oid, &mut found.element, &mut found.base, &mut found.relation].into_iter().for_each(of);
        found.attributes.iter_mut().for_each(|attribute| of(&mut attribute.r#type));
    }
    for representation in &mut database.representations {
        [&mut representation.source, &mut representation.target].into_iter().for_each(of);
    }
    database.media_handlers.iter_mut().for_each(|handler| of(&mut handler.relation));
    database.server_version = 0;
}

#[tokio::test]
async fn the_descriptor_has_all_that_is_in_the_database() {
    let mut client = Database::fresh(FIXTURE).client().await;
    let mut database = read(&mut client).await;
    assert!(database.server_version >= 140_000);
    number(&mut database);
    let json = to_json(&database).unwrap();
    assert_eq!(from_json(&json).unwrap(), database);
    matches_snapshot("catalog.json", &(json + "\n"));
}

#[tokio::test]
async fn relationships_come_from_keys_views_junctions_and_functions() {
    let catalog = catalog().await;
    let mut lines = String::new();
    for source in &catalog.descriptor().relations {
        for relationship in catalog.relationships(source.oid) {
            writeln!(lines, "{}", line(&catalog, relationship)).unwrap();
        }
    }
    matches_snapshot("catalog_relationships.txt", &lines);
}

fn line(catalog: &Catalog, relationship: &Relationship) -> String {
    let name = |oid| catalog.relation_by_oid(oid).map_or("?", |relation| relation.name.as_str());
    let by = |link: &Link| {
        let pairs: Vec<_> = link.columns.iter().map(|(from, to)| format!("{from}={to}")).collect();
        format!("{}({})", link.constraint, pairs.join(", "))
    };
    let how = match &relationship.cardinality {
        Cardinality::ManyToOne(link) => format!("many to one by {}", by(link)),
        Cardinality::OneToMany(link) => format!("one to many by {}", by(link)),
        Cardinality::OneToOneChild(link) => format!("one to one, child, by {}", by(link)),
        Cardinality::OneToOneParent(link) => format!("one to one, parent, by {}", by(link)),
        Cardinality::ManyToMany(junction) => {
            let through = name(junction.relation);
            format!("many to many through {through} by {} and {}", by(&junction.source), by(&junction.target))
        }
        Cardinality::Computed { function_schema, function_name, to_one } => {
            format!(
                "computed by {function_schema}.{function_name}, to {}",
                if *to_one { "one" } else { "many" }
            )
        }
    };
    let view = if relationship.through_view { " [view]" } else { "" };
    format!("{} → {}: {how}{view}", name(relationship.source), name(relationship.target))
}

#[tokio::test]
async fn partitions_and_foreign_schemas_are_not_found_by_name() {
    let catalog = catalog().await;
    assert!(catalog.relation("api", "events").is_some());
    assert!(catalog.relation("api", "events_2024").is_none());
    assert!(catalog.relations_in("api").all(|relation| !relation.is_partition));
    assert!(catalog.relation("api", "rooms").is_none() && catalog.relation("other", "rooms").is_some());
    assert!(catalog.is_exposed("other") && !catalog.is_exposed("private"));
}

#[tokio::test]
async fn functions_are_found_if_they_can_be_called_fewest_arguments_first() {
    let catalog = catalog().await;
    let arguments =
        |name: &str| catalog.functions("api", name).map(|f| f.arguments.len()).collect::<Vec<_>>();
    assert_eq!(arguments("add"), [1, 2]);
    assert_eq!(arguments("take"), [1]);
    for absent in ["not_callable", "not_a_function", "not_offered", "initials"] {
        assert!(arguments(absent).is_empty(), "{absent}");
    }
    assert_eq!(catalog.functions("private", "not_exposed").count(), 0);
    assert!(catalog.functions_in("api").all(|function| function.is_callable(&catalog)));
}

#[tokio::test]
async fn a_functions_shape_is_what_one_row_of_its_result_is() {
    let catalog = catalog().await;
    let shape = |name: &str| catalog.functions("api", name).next().unwrap().shape(&catalog).unwrap();
    assert!(matches!(shape("add"), Shape::Scalar(found) if found.sql_name == "text"));
    assert!(matches!(shape("fixed"), Shape::Void));
    assert!(matches!(shape("pairs"), Shape::Columns([k, v]) if k.name == "k" && v.name == "v"));
    assert!(matches!(shape("outs"), Shape::Columns([a, b]) if a.name == "a" && b.name == "b"));
    assert!(matches!(shape("some_clients"), Shape::Relation(found) if found.name == "clients"));
    assert!(matches!(shape("home"), Shape::Composite(found) if found.name == "address"));
    assert!(matches!(shape("anything"), Shape::Record));
    let image = catalog.functions("api", "image").next().unwrap();
    assert_eq!(image.media_type(&catalog), Some("*/*"));
}

#[tokio::test]
async fn computed_fields_are_found_in_exposed_schemas_and_on_the_extra_search_path() {
    let catalog = catalog().await;
    let clients = catalog.relation("api", "clients").unwrap().oid;
    let schema = |name: &str| catalog.computed_field(clients, name).map(|function| function.schema.as_str());
    assert_eq!((schema("initials"), schema("age")), (Some("api"), Some("extra")));
    // In a schema on neither; one that returns a set; one of another relation.
    assert_eq!((schema("unreachable"), schema("remotes"), schema("nothing")), (None, None, None));
}

#[tokio::test]
async fn reading_a_relation_runs_code_by_itself_or_by_what_it_reads() {
    let catalog = catalog().await;
    let runs = |name: &str| catalog.relation("api", name).unwrap().runs_code;
    // What runs where they are written does not matter: writing always may.
    for quiet in [
        "clients",
        "employees",
        "project_names",
        "project_counts",
        "tasks_unseen",
        "odd {view}",
        "letterbox",
        "defaulted",
        "cascaded",
        "cascading",
    ] {
        assert!(!runs(quiet), "{quiet}");
    }
    for loud in ["guarded", "over_guarded", "talking", "remote"] {
        assert!(runs(loud), "{loud}");
    }
    assert!(!catalog.descriptor().has_own_operators);
}

/// Functions, and whether they may prepare statements.
const CODE: [(&str, bool); 22] = [
    ("LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$", false),
    ("LANGUAGE plpgsql AS $$ BEGIN executes := prepared + undo; END $$", false),
    ("LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING; END $$", false),
    (
        "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1) ON CONFLICT (a) DO\n UPDATE SET a = 1; END $$",
        false,
    ),
    ("LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE t (); RETURN 1; END $$", false),
    ("LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT 1'; END $$", true),
    ("LANGUAGE plpgsql AS $$ BEGIN execute/**/'SELECT 1'; END $$", true),
    ("LANGUAGE plpgsql AS $$ BEGIN eXeCuTe$a$SELECT 1$a$; END $$", true),
    ("LANGUAGE plpgsql AS $$ BEGIN DEALLOCATE ALL; END $$", true),
    ("LANGUAGE plpgsql AS $$ BEGIN PREPARE x AS SELECT 1; END $$", true),
    ("LANGUAGE plpgsql AS $$ BEGIN do E'begin \\x64eallocate all; end'; END $$", true),
    ("LANGUAGE plpgsql AS $$ BEGIN DO LANGUAGE plpgsql ''; END $$", true),
    (
        "LANGUAGE plpgsql AS $$ BEGIN CREATE OR REPLACE FUNCTION g() RETURNS int LANGUAGE sql AS E''; END $$",
        true,
    ),
    ("LANGUAGE plpgsql AS $$ BEGIN CREATE /* a */ PROCEDURE g() LANGUAGE sql AS E''; END $$", true),
    ("LANGUAGE plpgsql AS $$ BEGIN CREATE EXTENSION plperl; END $$", true),
    ("LANGUAGE sql AS 'SELECT 1'", false),
    ("LANGUAGE sql RETURN 1", false),
    ("LANGUAGE sql BEGIN ATOMIC SELECT 1; END", false),
    ("LANGUAGE sql AS 'DEALLOCATE ALL; SELECT 1'", true),
    ("LANGUAGE internal AS 'pg_backend_pid'", false),
    ("LANGUAGE c AS '$libdir/pgxml', 'xpath_table'", true),
    ("LANGUAGE other AS 'pg_backend_pid'", true),
];

#[tokio::test]
async fn code_that_may_prepare_statements_is_found_wherever_it_is() {
    let mut client = Database::fresh(FIXTURE).client().await;
    assert!(!read(&mut client).await.has_dynamic_code, "the fixture's own");
    // A language whose code nobody can judge.
    client
        .batch_execute("CREATE LANGUAGE other HANDLER plpgsql_call_handler; CREATE SCHEMA unseen")
        .await
        .unwrap();
    for (function, expected) in CODE {
        let sql =
            format!("SET check_function_bodies = off; CREATE FUNCTION unseen.f() RETURNS int {function}");
        client.batch_execute(&sql).await.unwrap();
        assert_eq!(read(&mut client).await.has_dynamic_code, expected, "{function}");
        client.batch_execute("DROP FUNCTION unseen.f()").await.unwrap();
    }
}

#[tokio::test]
async fn writes_are_offered_where_postgresql_can_make_them() {
    let catalog = catalog().await;
    let writes = |name: &str| {
        let relation = catalog.relation("api", name).unwrap();
        (relation.insertable, relation.updatable, relation.deletable)
    };
    for name in ["clients", "events", "tasks"] {
        assert_eq!(writes(name), (true, true, true), "{name}");
    }
    for name in ["project_counts", "either", "remote"] {
        assert_eq!(writes(name), (false, false, false), "{name}");
    }
    assert_eq!(writes("letterbox"), (true, false, false));
}

#[tokio::test]
async fn introspection_leaves_the_connection_as_it_was() {
    let database = Database::fresh(FIXTURE);
    let mut client = database.client().await;
    client.batch_execute("SET search_path = api").await.unwrap();
    read(&mut client).await;
    let absent = Exposed { schemas: vec!["api".into(), "absent".into()], extra_search_path: Vec::new() };
    let missing = introspect(&mut client, &absent, None).await.unwrap_err();
    assert_eq!(missing.code(), "PGRST002");
    assert_eq!(missing.cause.as_deref(), Some("schema \"absent\" does not exist"));
    // Neither a transaction is open nor a setting left.
    let row = client
        .query_one("SELECT current_setting('search_path'), current_setting('transaction_read_only')", &[])
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1)), ("api", "off"));
}

/// Longer than the first delay of a listener.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn notifications_become_events_and_a_lost_connection_a_reload() {
    let database = Database::fresh("");
    let uri = database.uri("postgres");
    let connect = move || {
        let uri = uri.clone();
        async move {
            let connecting = tokio_postgres::connect(&uri, NoTls);
            connecting.await.map_err(|error| Error::new(Fault::DatabaseUnreachable, error.to_string()))
        }
    };
    let mut events = watch("LISTEN \"pg duet\"", connect, stream::pending());
    let client = database.client().await;
    listening(&client).await;
    for (sql, expected) in [
        (
            "NOTIFY \"pg duet\", 'something else'; NOTIFY \"pg duet\", 'reload schema'",
            &[Event::Listening, Event::ReloadChanges][..],
        ),
        ("NOTIFY \"pg duet\", 'reload schema api.books'", &[Event::ReloadChanges]),
        ("NOTIFY \"pg duet\", 'reload config'", &[Event::ReloadConfig]),
        ("NOTIFY \"pg duet\"", &[Event::ReloadConfig]),
        (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
            &[Event::Lost, Event::Listening, Event::ReloadCatalog],
        ),
        ("NOTIFY \"pg duet\", 'reload config'", &[Event::ReloadConfig]),
    ] {
        client.batch_execute(sql).await.unwrap();
        for expected in expected {
            let event =
                timeout(PATIENCE, events.recv()).await.unwrap_or_else(|_| panic!("nothing after {sql}"));
            assert_eq!(event, Some(*expected), "after {sql}");
        }
    }
    drop(events);
    timeout(PATIENCE, gone(&client)).await.unwrap();
}

/// Returns when some connection to this database listens.
async fn listening(client: &Client) {
    timeout(PATIENCE, async { while listeners(client).await == 0 {} }).await.unwrap();
}

async fn gone(client: &Client) {
    while listeners(client).await > 0 {}
}

async fn listeners(client: &Client) -> i64 {
    const SQL: &str = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'";
    client.query_one(SQL, &[]).await.unwrap().get(0)
}
