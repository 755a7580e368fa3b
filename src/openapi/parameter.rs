//! Parameters: those that all operations share, and those that a relation and its columns make. Each is a component.

use super::{
    comment,
    components::Components,
    embed::{self, Embed},
    filter,
    name::{self, Kind},
    operation::Link,
    schema::string,
};
use crate::catalog::descriptor::{Column, Relation};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use utoipa::openapi::{
    RefOr, Required,
    extensions::Extensions,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Schema, Type},
};

/// A parameter that all operations share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    And,
    Or,
    NotAnd,
    NotOr,
    Limit,
    Offset,
    Range,
    PreferRead,
    PreferInsert,
    PreferUpdate,
    PreferDelete,
    PreferUpsert,
    PreferCall,
    PreferTransaction,
    /// The columns of a body that count.
    Columns,
    OnConflict,
    /// `select` where nothing can be embedded.
    Select,
    IfNoneMatch,
}

/// How rows are chosen, besides by their columns.
pub(super) const LOGIC: [Shared; 4] = [Shared::And, Shared::Or, Shared::NotAnd, Shared::NotOr];
/// Which of the rows are answered.
pub(super) const PAGE: [Shared; 3] = [Shared::Limit, Shared::Offset, Shared::Range];

struct Row {
    key: &'static str,
    name: &'static str,
    place: fn() -> ParameterIn,
    kind: fn() -> ObjectBuilder,
    example: &'static str,
    description: &'static str,
}

const QUERY: Row =
    Row { key: "", name: "", place: || ParameterIn::Query, kind: string, example: "", description: "" };
const HEADER: Row = Row { place: || ParameterIn::Header, ..QUERY };

fn natural() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))
}

/// `(a.eq.1,b.eq.2)`.
fn tree() -> ObjectBuilder {
    string().pattern(Some(r"^\(.*\)$"))
}

fn range() -> ObjectBuilder {
    string().pattern(Some(r"^(\d+-\d*)$"))
}

impl Shared {
    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            Shared::And    => Row { key: "and.p",    name: "and",     kind: tree, example: "(id.gt.1,id.lt.9)", description: "Conditions that all hold, such as `(id.gt.1,or(id.lt.9,id.eq.20))`.", ..QUERY },
            Shared::Or     => Row { key: "or.p",     name: "or",      kind: tree, example: "(id.lt.1,id.gt.9)", description: "Conditions of which one holds.", ..QUERY },
            Shared::NotAnd => Row { key: "not_and.p", name: "not.and", kind: tree, example: "(id.gt.1,id.lt.9)", description: "Conditions that do not all hold.", ..QUERY },
            Shared::NotOr  => Row { key: "not_or.p", name: "not.or",  kind: tree, example: "(id.lt.1,id.gt.9)", description: "Conditions of which none holds.", ..QUERY },
            Shared::Limit  => Row { key: "limit.p",  name: "limit",   kind: natural, description: "The largest number of rows.", ..QUERY },
            Shared::Offset => Row { key: "offset.p", name: "offset",  kind: natural, description: "The number of rows to skip.", ..QUERY },
            Shared::Range  => Row { key: "range.p",  name: "Range",   kind: range, example: "0-24", description: "The rows by their positions, in place of `limit` and `offset`.", ..HEADER },
            Shared::PreferRead   => Row { key: "prefer_read.p",   kind: || preferences(&[COUNT, HANDLING, TIMEZONE, TX]), example: "count=exact", ..PREFER },
            Shared::PreferInsert => Row { key: "prefer_insert.p", kind: || preferences(&[RETURN, RESOLUTION, MISSING, COUNT, HANDLING, TIMEZONE, TX]), example: "return=representation, resolution=merge-duplicates", ..PREFER },
            Shared::PreferUpdate => Row { key: "prefer_update.p", kind: || preferences(&[RETURN, MISSING, COUNT, HANDLING, MAX_AFFECTED, TIMEZONE, TX]), example: "return=representation", ..PREFER },
            Shared::PreferDelete => Row { key: "prefer_delete.p", kind: || preferences(&[RETURN, COUNT, HANDLING, MAX_AFFECTED, TIMEZONE, TX]), example: "handling=strict, max-affected=1", ..PREFER },
            Shared::PreferUpsert => Row { key: "prefer_upsert.p", kind: || preferences(&[RETURN, COUNT, HANDLING, TIMEZONE, TX]), example: "return=representation", ..PREFER },
            Shared::PreferCall   => Row { key: "prefer_call.p",   kind: || preferences(&[COUNT, HANDLING, MAX_AFFECTED, TIMEZONE, TX]), example: "count=exact", ..PREFER },
            Shared::PreferTransaction => Row { key: "prefer_transaction.p", kind: || preferences(&[HANDLING, TIMEZONE, TX]), example: "timezone=Europe/Paris", ..PREFER },
            Shared::Columns     => Row { key: "columns.p",       name: "columns",       example: "id", description: "The keys of the body to write; others are ignored.", ..QUERY },
            Shared::OnConflict  => Row { key: "on_conflict.p",   name: "on_conflict",   example: "id", description: "The columns of the unique key that tells duplicates, where it is not the primary key.", ..QUERY },
            Shared::Select      => Row { key: "select.p",        name: "select",        example: "id", description: SELECT, ..QUERY },
            Shared::IfNoneMatch => Row { key: "if_none_match.p", name: "If-None-Match", description: "The `ETag` of an answer that the client has.", ..HEADER },
        }
    }
}

const SELECT: &str = "Columns, each perhaps with an alias (`alias:column`), a cast (`column::text`) or a JSON path (`column->key`).";

const PREFER: Row = Row {
    name: "Prefer",
    description: "Preferences, separated by commas:\n\n\
        * `return=representation`, `return=headers-only` or `return=minimal`: whether the answer to a write holds the rows\n\
        * `count=exact`, `count=planned` or `count=estimated`: how the total in `Content-Range` is found\n\
        * `resolution=merge-duplicates` or `resolution=ignore-duplicates`: what an insert does with rows that exist\n\
        * `missing=default` or `missing=null`: what keys missing in the body stand for\n\
        * `handling=strict` or `handling=lenient`: whether unknown preferences are an error\n\
        * `max-affected=1`: the largest number of rows that a write may affect, with `handling=strict`\n\
        * `timezone=Europe/Paris`: the time zone of the request\n\
        * `tx=rollback` or `tx=commit`: how the transaction ends, where the server lets clients choose",
    ..HEADER
};

const RETURN: &str = "return=(representation|headers-only|minimal)";
const COUNT: &str = "count=(exact|planned|estimated)";
const RESOLUTION: &str = "resolution=(merge|ignore)-duplicates";
const MISSING: &str = "missing=(default|null)";
const HANDLING: &str = "handling=(strict|lenient)";
const MAX_AFFECTED: &str = r"max-affected=\d+";
const TIMEZONE: &str = "timezone=[A-Za-z0-9_/+:-]+";
const TX: &str = "tx=(commit|rollback)";

/// A list of these preferences.
fn preferences(known: &[&str]) -> ObjectBuilder {
    let one = format!("({})", known.join("|"));
    string().pattern(Some(format!("^{one}(, ?{one})*$")))
}

/// A reference to a shared parameter.
pub(super) fn shared(components: &mut Components<'_>, which: Shared) -> Link {
    let row = which.row();
    components.parameter(row.key, |_| {
        let place = (row.place)();
        let is_header = place == ParameterIn::Header;
        let mut parameter = ParameterBuilder::new()
            .name(row.name)
            .parameter_in(place)
            .description(Some(row.description))
            .schema(Some((row.kind)().build()));
        // A column may be called so too, and Go has one struct for both.
        if is_header {
            let name = name::identifier(row.key.trim_end_matches(".p")).unwrap_or_default() + "Header";
            parameter = parameter.extensions(Some(Extensions::from_iter([("x-go-name", name)])));
        }
        with_example(parameter.build(), Some(row.example.into()).filter(|_| !row.example.is_empty()))
    })
}

/// A reference to the header that chooses the schema, where there are several.
pub(super) fn profile(components: &mut Components<'_>, header: Profile) -> Option<Link> {
    let catalog = components.catalog();
    let schema = components.schema();
    if !components.has_profiles() {
        return None;
    }
    let is_default = catalog.descriptor().schemas.first().is_some_and(|first| first.name == schema);
    let (key, header) = match header {
        Profile::Accept => ("accept_profile.p", "Accept-Profile"),
        Profile::Content => ("content_profile.p", "Content-Profile"),
    };
    Some(components.parameter(key, |_| {
        ParameterBuilder::new()
            .name(header)
            .parameter_in(ParameterIn::Header)
            .required(if is_default { Required::False } else { Required::True })
            .description(Some("The schema that this document describes."))
            .schema(Some(string().enum_values(Some([schema])).build()))
            .build()
    }))
}

/// A header that chooses the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// Where something is read.
    Accept,
    /// Where something is written.
    Content,
}

/// The columns of a relation that are parameters: generators make one identifier of some names, and of others none.
pub(super) fn filterable(relation: &Relation) -> HashSet<&str> {
    let mut identifiers = HashSet::new();
    let names = relation.columns.iter().map(|column| column.name.as_str());
    names
        .filter(|name| name::in_query(name).is_some_and(|identifier| identifiers.insert(identifier)))
        .collect()
}

/// A reference to the filter that a column makes. Columns of one name and one of PostgreSQL's own types share it, unless
/// there is more to say of one.
pub(super) fn filter(components: &mut Components<'_>, relation: &Relation, column: &Column) -> Link {
    let shared = match column.comment {
        None => filter::own_type(components.catalog(), column.r#type),
        Some(_) => None,
    };
    let (key, sql_type) = match shared {
        Some((word, sql_name)) => (name::of_filter(&column.name, &word), sql_name),
        None => (name::of_column(&relation.name, &column.name), column.sql_type.as_str()),
    };
    components.parameter(key, |components| {
        let kind = format!("Type `{sql_type}`.");
        let description = match &column.comment {
            Some(comment) => format!("{}\n\n{kind}", comment::markdown(comment)),
            None => kind,
        };
        let schema = filter::of_type(components, column.r#type);
        query(&column.name, Required::False, description, schema)
    })
}

/// A reference to the filter by which PUT names the row.
pub(super) fn of_key(components: &mut Components<'_>, column: &str) -> Link {
    components.parameter(name::key(column, Kind::Key), |_| {
        let description = "The key of the row, which the body has too.".to_owned();
        let schema = string().pattern(Some(r"^eq\.")).build();
        with_example(query(column, Required::True, description, schema), Some("eq.1".into()))
    })
}

/// A reference to `select` with what can be embedded in the relation.
pub(super) fn select(components: &mut Components<'_>, relation: &Relation) -> Link {
    let embeds = embed::embeds(components.source(), relation);
    if embeds.is_empty() {
        return shared(components, Shared::Select);
    }
    components.parameter(name::key(&relation.name, Kind::Select), |_| {
        let mut named: HashMap<&str, usize> = HashMap::new();
        embeds.iter().for_each(|embed| *named.entry(embed.name).or_default() += 1);
        let is_alone = |embed: &&Embed<'_>| named.get(embed.name) == Some(&1);
        let texts = embeds.iter().filter_map(|embed| match is_alone(&embed) {
            true => Some(embed.alone()),
            false => embed.told_apart(),
        });
        let texts: Vec<_> = texts.map(|text| format!("`{text}`")).collect();
        let mut description = SELECT.to_owned();
        if !texts.is_empty() {
            description.push_str(&format!("\n\nRelated: {}.", texts.join(", ")));
        }
        let example = embeds.iter().find(is_alone).map(|embed| format!("*,{}", embed.alone()).into());
        with_example(query("select", Required::False, description, string().build()), example)
    })
}

/// A reference to `order` with the relation's columns.
pub(super) fn order(components: &mut Components<'_>, relation: &Relation, columns: &[&Column]) -> Link {
    components.parameter(name::key(&relation.name, Kind::Order), |_| {
        let names: Vec<_> = columns.iter().map(|column| format!("`{}`", column.name)).collect();
        let description = format!(
            "Columns to sort by, each perhaps with `.desc`, `.nullsfirst` or `.nullslast`: {}.",
            names.join(", ")
        );
        let example = columns.first().map(|column| format!("{}.desc", name::quoted(&column.name)).into());
        with_example(query("order", Required::False, description, string().build()), example)
    })
}

/// A parameter in the query string.
pub(super) fn query(
    name: &str,
    required: Required,
    description: String,
    schema: impl Into<RefOr<Schema>>,
) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(required)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// The parameter with an example. It stands in the schema: one of the parameter itself is what Swagger UI would send.
pub(super) fn with_example(mut parameter: Parameter, example: Option<Value>) -> Parameter {
    if let (Some(RefOr::T(Schema::Object(object))), Some(example)) = (&mut parameter.schema, example) {
        object.examples = vec![example];
    }
    parameter
}
