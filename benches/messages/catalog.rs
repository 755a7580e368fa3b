//! Catalogs of tables of ten columns, each table with a foreign key to the one before it.

use pgduet::catalog::{
    Catalog,
    descriptor::{Column, Database, ForeignKey, Relation, RelationKind, Schema, Type, TypeKind},
};

/// The columns: name, type's OID, name in `pg_catalog`, name in SQL.
pub(crate) const COLUMNS: [(&str, u32, &str, &str); 10] = [
    ("id", 23, "int4", "integer"),
    ("title", 25, "text", "text"),
    ("author", 1043, "varchar", "character varying"),
    ("price", 1700, "numeric", "numeric"),
    ("added_at", 1184, "timestamptz", "timestamp with time zone"),
    ("in_print", 16, "bool", "boolean"),
    ("sold", 20, "int8", "bigint"),
    ("rating", 701, "float8", "double precision"),
    ("isbn", 2950, "uuid", "uuid"),
    ("parent_id", 23, "int4", "integer"),
];

/// A catalog of so many tables, `books_1` and on.
pub(crate) fn tables(count: u32) -> Catalog {
    let types = COLUMNS.map(|(_, oid, name, sql_name)| Type {
        oid,
        schema: "pg_catalog".to_owned(),
        name: name.to_owned(),
        sql_name: sql_name.to_owned(),
        kind: TypeKind::Base.into(),
        ..Type::default()
    });
    let mut types = Vec::from(types);
    types.sort_by_key(|found| found.oid);
    types.dedup_by_key(|found| found.oid);
    Catalog::new(Database {
        server_version: 170_000,
        schemas: vec![Schema { name: "bench".to_owned(), comment: None }],
        relations: (1..=count).map(table).collect(),
        foreign_keys: (2..=count).map(foreign_key).collect(),
        types,
        ..Database::default()
    })
}

fn table(number: u32) -> Relation {
    let columns = (1..).zip(COLUMNS).map(|(at, (name, oid, _, sql_type))| Column {
        number: at,
        name: name.to_owned(),
        r#type: oid,
        sql_type: sql_type.to_owned(),
        not_null: name == "id",
        ..Default::default()
    });
    Relation {
        oid: 100_000 + number,
        schema: "bench".to_owned(),
        name: format!("books_{number}"),
        kind: RelationKind::Table.into(),
        columns: columns.collect(),
        primary_key: vec!["id".to_owned()],
        insertable: true,
        updatable: true,
        deletable: true,
        ..Relation::default()
    }
}

fn foreign_key(number: u32) -> ForeignKey {
    ForeignKey {
        name: format!("books_{number}_parent_id_fkey"),
        relation: 100_000 + number,
        columns: vec!["parent_id".to_owned()],
        referenced: 100_000 + number - 1,
        referenced_columns: vec!["id".to_owned()],
    }
}
