//! What the fuzz targets share: a catalog, a configuration, and requests as text. They talk to nobody.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri, request::Parts};
use pgduet::{
    catalog::{
        Catalog,
        descriptor::{
            Argument, Column, Database, ForeignKey, Function, Relation, RelationKind, Schema, Type, TypeKind,
            UniqueKey,
        },
    },
    config::{Config, Connection, Sources},
};
use std::{collections::BTreeMap, path::Path};

/// The configuration that requests are read under.
pub fn config() -> Config {
    let options = [
        ("db-uri", "postgresql://"),
        ("db-schemas", "api"),
        ("db-aggregates-enabled", "true"),
        ("db-plan-enabled", "true"),
    ];
    let flags = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&Sources::new(None, BTreeMap::new(), flags)).expect("the options are right").0
}

/// A database behind a socket in this directory.
pub fn database(directory: &Path) -> Connection {
    let uri = format!("host={} user=authenticator dbname=fuzz", directory.display());
    let flags = BTreeMap::from([("db-uri".to_owned(), uri)]);
    let config = Config::load(&Sources::new(None, BTreeMap::new(), flags)).expect("the options are right").0;
    config.connection().expect("the address is right").0
}

const INT4: u32 = 23;
const TEXT: u32 = 25;
const JSONB: u32 = 3802;
const TEXTS: u32 = 1009;
/// Relations have OIDs from here on, their row types the same plus [`ROWS`].
const RELATIONS: u32 = 20_000;
const ROWS: u32 = 1_000;

/// Some tables as those of `tests/spec`, and functions.
pub fn catalog() -> Catalog {
    let tables: [(&str, &[(&str, u32)]); 4] = [
        ("directors", &[("id", INT4), ("name", TEXT), ("country", TEXT)]),
        ("films", &[("id", INT4), ("title", TEXT), ("director_id", INT4), ("tags", TEXTS), ("extra", JSONB)]),
        ("reviews", &[("film_id", INT4), ("author", TEXT), ("stars", INT4)]),
        ("notes", &[("id", INT4), ("body", TEXT)]),
    ];
    let relations = tables.iter().zip(RELATIONS..).map(|((name, columns), oid)| relation(oid, name, columns));
    let key = |name: &str, relation, column: &str, referenced| ForeignKey {
        name: name.into(),
        relation: RELATIONS + relation,
        columns: vec![column.into()],
        referenced: RELATIONS + referenced,
        referenced_columns: vec!["id".into()],
    };
    let base = [
        (INT4, "int4", "integer"),
        (TEXT, "text", "text"),
        (JSONB, "jsonb", "jsonb"),
        (TEXTS, "_text", "text[]"),
    ];
    let mut types: Vec<_> = base.map(|(oid, name, sql)| declared(oid, name, sql)).into();
    if let Some(texts) = types.last_mut() {
        texts.kind = TypeKind::Array.into();
        texts.element = TEXT;
    }
    for ((name, _), oid) in tables.iter().zip(RELATIONS..) {
        let kind = TypeKind::Composite.into();
        types.push(Type { schema: "api".into(), kind, relation: oid, ..declared(oid + ROWS, name, name) });
    }
    Catalog::new(Database {
        server_version: 150_000,
        schemas: vec![Schema { name: "api".into(), ..Schema::default() }],
        relations: relations.collect(),
        foreign_keys: vec![
            key("films_director_id_fkey", 1, "director_id", 0),
            key("reviews_film_id_fkey", 2, "film_id", 1),
        ],
        functions: vec![
            function(1, "overloaded", &[("a", INT4), ("b", INT4)], INT4),
            function(2, "overloaded", &[("a", INT4)], INT4),
            function(3, "raw", &[("", JSONB)], JSONB),
            function(4, "all_films", &[("tags", TEXTS)], RELATIONS + 1 + ROWS),
            function(5, "upper_name", &[("", RELATIONS + ROWS)], TEXT),
        ],
        types,
        ..Database::default()
    })
}

fn relation(oid: u32, name: &str, columns: &[(&str, u32)]) -> Relation {
    let columns = columns.iter().zip(1..).map(|((name, kind), number)| Column {
        number,
        name: (*name).into(),
        r#type: *kind,
        not_null: number == 1,
        ..Default::default()
    });
    Relation {
        oid,
        schema: "api".into(),
        name: name.into(),
        kind: RelationKind::Table.into(),
        columns: columns.collect(),
        primary_key: vec![if name == "reviews" { "film_id" } else { "id" }.into()],
        unique_keys: vec![UniqueKey {
            name: format!("{name}_pkey"),
            columns: vec!["id".into()],
            constraint: true,
        }],
        insertable: true,
        updatable: true,
        deletable: true,
        row_type: oid + ROWS,
        ..Relation::default()
    }
}

fn declared(oid: u32, name: &str, sql: &str) -> Type {
    let (schema, kind) = ("pg_catalog".into(), TypeKind::Base.into());
    Type { oid, schema, name: name.into(), sql_name: sql.into(), kind, ..Type::default() }
}

fn function(oid: u32, name: &str, arguments: &[(&str, u32)], returns: u32) -> Function {
    let arguments = arguments.iter().map(|(name, kind)| Argument {
        name: (*name).into(),
        r#type: *kind,
        ..Argument::default()
    });
    Function {
        oid,
        schema: "api".into(),
        name: name.into(),
        arguments: arguments.collect(),
        return_type: returns,
        returns_set: returns > RELATIONS,
        ..Function::default()
    }
}

/// A request as text: `METHOD target`, headers, an empty line, the body. None where HTTP itself would refuse it.
pub fn request(text: &[u8]) -> Option<(Parts, Bytes)> {
    let end = text.windows(2).position(|two| two == b"\n\n").unwrap_or(text.len());
    let (head, body) = text.split_at(end);
    let mut lines = std::str::from_utf8(head).ok()?.split('\n');
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = http::Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = target.bytes().map(escaped).collect::<String>().parse::<Uri>().ok()?;
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_str(value).ok()?);
    }
    let body = body.get(2..).unwrap_or_default();
    Some((request.into_parts().0, Bytes::copy_from_slice(body)))
}

/// What no URL has in itself is sent as an escape.
fn escaped(byte: u8) -> String {
    match byte {
        b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | ..=b' ' | 0x7f.. => {
            format!("%{byte:02X}")
        }
        byte => char::from(byte).to_string(),
    }
}
