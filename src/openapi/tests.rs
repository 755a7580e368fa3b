//! The document of a small hand-made catalog.

use super::*;
use crate::catalog::descriptor::{
    Argument, Column, Database, ForeignKey, Relation, RelationKind, Schema, Type as PgType, TypeKind,
    Volatility,
};
use serde_json::{Value, json};

pub(super) fn base(oid: u32, name: &str, sql_name: &str) -> PgType {
    PgType {
        oid,
        schema: "pg_catalog".into(),
        name: name.into(),
        sql_name: sql_name.into(),
        kind: TypeKind::Base.into(),
        ..PgType::default()
    }
}

pub(super) fn column(number: i32, name: &str, kind: u32, sql_type: &str) -> Column {
    Column { number, name: name.into(), r#type: kind, sql_type: sql_type.into(), ..Default::default() }
}

pub(super) fn table(oid: u32, name: &str, columns: Vec<Column>) -> Relation {
    Relation {
        oid,
        schema: "api".into(),
        name: name.into(),
        kind: RelationKind::Table.into(),
        primary_key: vec!["id".into()],
        columns,
        insertable: true,
        updatable: true,
        deletable: true,
        ..Relation::default()
    }
}

pub(super) fn catalog() -> Catalog {
    let id = || Column { not_null: true, ..column(1, "id", 23, "integer") };
    Catalog::new(Database {
        schemas: vec![Schema { name: "api".into(), comment: Some("Library\nBooks and people.".into()) }],
        types: vec![
            base(23, "int4", "integer"),
            base(25, "text", "text"),
            PgType {
                labels: vec!["a".into(), "b".into()],
                kind: TypeKind::Enum.into(),
                ..base(90, "genre", "api.genre")
            },
            PgType { kind: TypeKind::Pseudo.into(), ..base(2278, "void", "void") },
        ],
        relations: vec![
            table(
                1,
                "books",
                vec![id(), column(2, "genre", 90, "api.genre"), column(3, "author", 23, "integer")],
            ),
            table(2, "odd name", vec![id()]),
        ],
        foreign_keys: vec![ForeignKey {
            name: "books_author_fkey".into(),
            relation: 1,
            columns: vec!["author".into()],
            referenced: 2,
            referenced_columns: vec!["id".into()],
        }],
        functions: vec![Function {
            oid: 7,
            schema: "api".into(),
            name: "search".into(),
            arguments: vec![Argument {
                name: "q".into(),
                r#type: 25,
                sql_type: "text".into(),
                ..Argument::default()
            }],
            return_type: 2278,
            volatility: Volatility::Stable.into(),
            ..Function::default()
        }],
        ..Database::default()
    })
}

pub(super) fn source<'a>(catalog: &'a Catalog, visibility: Visibility<'a>) -> Source<'a> {
    Source {
        catalog,
        schema: "api",
        visibility,
        security: Security::Bearer,
        server: Server::Listening { host: "0.0.0.0", port: 3000, scheme: "http", base: "" },
        protos: Protos::Downloadable,
        etags: ETags::Omitted,
        extra_search_path: &[],
        contact: None,
        license: None,
    }
}

fn document(source: &Source<'_>) -> Value {
    let written = written(source, OpenApiVersion::V3_1, Format::Json).unwrap();
    serde_json::from_slice(&written).unwrap()
}

fn rendered(visibility: Visibility<'_>) -> Value {
    let catalog = catalog();
    document(&source(&catalog, visibility))
}

#[test]
fn the_schema_comment_is_title_and_description() {
    let document = rendered(Visibility::Everything);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        [&document["info"]["title"], &document["info"]["description"]],
        ["Library", "Books and people."]
    );
}

#[test]
fn rows_inserts_and_updates_are_different() {
    let schemas = &rendered(Visibility::Everything)["components"]["schemas"];
    assert_eq!(schemas["Book"].get("required"), None, "select may leave any member out");
    assert_eq!(schemas["BookInsert"]["required"], json!(["id"]));
    assert_eq!(schemas["BookUpdate"].get("required"), None);
    let genre = &schemas["Book"]["properties"]["genre"];
    assert_eq!((&genre["type"], &genre["enum"]), (&json!(["string", "null"]), &json!(["a", "b", null])));
    assert_eq!(schemas["Book"]["properties"]["author"]["description"], "Refers to `odd name.id`.");
}

#[test]
fn names_that_openapi_forbids_have_a_hash() {
    let document = rendered(Visibility::Everything);
    let names: Vec<_> =
        document["components"]["schemas"].as_object().into_iter().flat_map(|all| all.keys()).collect();
    assert!(names.iter().any(|name| name.starts_with("OddName_")), "{names:?}");
    assert!(document["paths"]["/odd name"]["get"].is_object());
}

#[test]
fn a_role_sees_only_what_it_may_do() {
    let only = |numbers: &[i32]| Columns::Only(numbers.iter().copied().collect());
    let mut privileges = Privileges::default();
    let may =
        RelationPrivileges { select: only(&[1, 2]), update: only(&[2]), ..RelationPrivileges::default() };
    privileges.relations.insert(1, may);
    let document = rendered(Visibility::Role(&privileges));
    let methods: Vec<_> =
        document["paths"]["/books"].as_object().into_iter().flat_map(|path| path.keys()).collect();
    assert_eq!(methods, ["parameters", "get", "head", "patch"]);
    assert_eq!(document["paths"].as_object().map(|paths| paths.len()), Some(2));
    let members = |name: &str| {
        let schema = &document["components"]["schemas"][name]["properties"];
        schema.as_object().into_iter().flat_map(|members| members.keys().cloned()).collect::<Vec<_>>()
    };
    assert_eq!(members("Book"), ["id", "genre"]);
    assert_eq!(members("BookUpdate"), ["genre"]);
    let parameters = document["components"]["parameters"].as_object().cloned().unwrap_or_default();
    assert!(parameters.contains_key("books.genre.f") && !parameters.contains_key("author.int4.q"));
}

#[test]
fn operations_keep_their_names_whatever_is_beside_them() {
    let names = |database: Database| {
        let catalog = Catalog::new(database);
        let source = source(&catalog, Visibility::Everything);
        let document = document(&source);
        let paths = document["paths"].as_object().cloned().unwrap_or_default();
        let ids = paths.iter().flat_map(|(path, item)| {
            let operations =
                item.as_object().into_iter().flatten().filter(|(method, _)| *method != "parameters");
            operations.map(move |(method, operation)| {
                (format!("{method} {path}"), operation["operationId"].clone())
            })
        });
        ids.collect::<std::collections::BTreeMap<_, _>>()
    };
    let alone = names(catalog().descriptor().clone());
    assert_eq!(alone["get /books"], "listBooks");
    assert_eq!(alone["put /books"], "upsertBook");
    assert_eq!(alone["post /rpc/search"], "callSearch");
    let mut more = catalog().descriptor().clone();
    for (oid, name) in (50..).zip(["book", "Books", "book_inserts", "odd_name", "rpc_search"]) {
        more.relations.push(table(oid, name, vec![column(1, "id", 23, "integer")]));
    }
    let among_others = names(more);
    for (operation, id) in &alone {
        assert_eq!(among_others[operation], *id, "{operation}");
    }
    let distinct: std::collections::HashSet<_> = among_others.values().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), among_others.len());
}

#[test]
fn a_stable_void_function_has_get_and_post_and_no_content() {
    let path = &rendered(Visibility::Everything)["paths"]["/rpc/search"];
    assert_eq!(path["get"]["parameters"][0]["name"], "q");
    assert!(path["post"]["responses"]["204"].is_object());
}

#[test]
fn the_ui_is_complete_without_a_network() {
    for name in ["", "swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert!(ui::file(name).is_some_and(|file| !file.bytes.is_empty()), "{name}");
    }
    assert!(ui::file("../Cargo.toml").is_none());
}
