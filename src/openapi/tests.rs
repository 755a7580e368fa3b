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
        server: Server::Listening { host: "0.0.0.0", port: 3000 },
        extra_search_path: &[],
    }
}

fn rendered(visibility: Visibility<'_>) -> Value {
    let catalog = catalog();
    let source = source(&catalog, visibility);
    serde_json::to_value(document(&source, OpenApiVersion::V3_1)).unwrap_or_default()
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
fn nullable_enums_take_null_and_keys_are_noted() {
    let books = &rendered(Visibility::Everything)["components"]["schemas"]["books"];
    assert_eq!(books["required"], json!(["id"]));
    assert_eq!(books["properties"]["genre"]["type"], json!(["string", "null"]));
    assert_eq!(books["properties"]["genre"]["enum"], json!(["a", "b", null]));
    let author = books["properties"]["author"]["description"].as_str().unwrap_or_default();
    assert!(author.contains("<fk table='odd name' column='id'/>"), "{author}");
}

#[test]
fn names_that_openapi_or_paths_forbid_are_replaced() {
    let document = rendered(Visibility::Everything);
    assert!(document["components"]["schemas"]["odd.20.name"].is_object());
    assert!(document["paths"]["/odd%20name"]["get"].is_object());
}

#[test]
fn a_role_sees_only_what_it_may_do() {
    let mut privileges = Privileges::default();
    privileges.relations.insert(1, RelationPrivileges { select: true, ..RelationPrivileges::default() });
    let document = rendered(Visibility::Role(&privileges));
    let methods: Vec<_> =
        document["paths"]["/books"].as_object().into_iter().flat_map(|path| path.keys()).collect();
    assert_eq!(methods, ["get"]);
    assert_eq!(document["paths"].as_object().map(|paths| paths.len()), Some(1));
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
