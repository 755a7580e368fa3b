//! The rows of a relation by their use: as they are read, inserted and updated. Each shows the columns that the role may
//! read, insert or update.

use super::{
    comment,
    components::Components,
    constraint::{self, Bounds},
    embed::{self, Embed},
    members::{Members, Others},
    schema::{anything, array, described, nullable, of_type},
};
use crate::{
    catalog::descriptor::{Column, Identity, Relation},
    outcome::RelationPrivileges,
};
use utoipa::openapi::{
    Ref, RefOr,
    schema::{AnyOfBuilder, Object, OneOfBuilder, Schema},
};

/// What a row is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Insert,
    Update,
}

impl Use {
    /// The columns that the role may use so, in the relation's order.
    pub(super) fn columns<'r>(self, relation: &'r Relation, may: &RelationPrivileges) -> Vec<&'r Column> {
        let granted = match self {
            Use::Read => &may.select,
            Use::Insert => &may.insert,
            Use::Update => &may.update,
        };
        let possible = |column: &Column| match self {
            Use::Read => true,
            Use::Insert | Use::Update => {
                !column.generated && !column.read_only && column.identity() != Identity::Always
            }
        };
        relation.columns.iter().filter(|column| granted.contain(column.number) && possible(column)).collect()
    }
}

/// A reference to a row as it is read. `select` may leave members out, so none is required, and add others: embeds.
pub(super) fn read(components: &mut Components<'_>, relation: &Relation, may: &RelationPrivileges) -> Ref {
    let stem = components.stem(&relation.name);
    if components.claim(&stem) {
        let mut object = Members::new(relation.comment.clone(), Others::Allowed);
        for column in Use::Read.columns(relation, may) {
            let note = comment::note(components.catalog(), relation, column);
            object.add(&column.name, described(of_column(components, relation, column), note));
        }
        for (name, embed) in embeds(components, relation) {
            object.add(&name, embed);
        }
        components.schema_named(&stem, object.build());
    }
    Ref::from_schema_name(&*stem)
}

/// A reference to the row that a function answers with, whose members are all null where it has found none.
pub(super) fn or_nulls(
    components: &mut Components<'_>,
    relation: &Relation,
    may: &RelationPrivileges,
) -> Ref {
    let name = components.stem(&relation.name).to_string() + "Result";
    if components.claim(&name) {
        let description = format!("A row of `{}`, or nulls where there is none.", relation.name);
        let mut object = Members::new(Some(description), Others::Allowed);
        for column in Use::Read.columns(relation, may) {
            object.add(&column.name, nullable(not_null(components, column)));
        }
        for (name, embed) in embeds(components, relation) {
            object.add(&name, embed);
        }
        components.schema_named(&name, object.build());
    }
    Ref::from_schema_name(name)
}

/// A reference to a row as it is inserted.
pub(super) fn insert(components: &mut Components<'_>, relation: &Relation, may: &RelationPrivileges) -> Ref {
    let name = components.stem(&relation.name).to_string() + "Insert";
    if components.claim(&name) {
        let object = Members::new(None, Others::Refused);
        let made = to_insert(components, object, relation, may, is_needed);
        components.schema_named(&name, made);
    }
    Ref::from_schema_name(name)
}

/// A reference to a row as PUT takes it: the key, which the query string has, is there too.
pub(super) fn upsert(components: &mut Components<'_>, relation: &Relation, may: &RelationPrivileges) -> Ref {
    let is_key = |column: &Column| relation.primary_key.contains(&column.name);
    if relation.columns.iter().filter(|column| is_key(column)).all(is_needed) {
        return insert(components, relation, may);
    }
    let name = components.stem(&relation.name).to_string() + "Upsert";
    if components.claim(&name) {
        let object = Members::new(None, Others::Refused);
        let made = to_insert(components, object, relation, may, |column| is_needed(column) || is_key(column));
        components.schema_named(&name, made);
    }
    Ref::from_schema_name(name)
}

/// Whether an insert fails without the column.
fn is_needed(column: &Column) -> bool {
    column.not_null && column.default.is_none() && column.identity() == Identity::Unspecified
}

fn to_insert(
    components: &mut Components<'_>,
    mut object: Members,
    relation: &Relation,
    may: &RelationPrivileges,
    is_required: impl Fn(&Column) -> bool,
) -> Object {
    for column in Use::Insert.columns(relation, may) {
        let value = described(of_column(components, relation, column), with_default(column));
        match is_required(column) {
            true => object.add_required(&column.name, value),
            false => object.add(&column.name, value),
        }
    }
    object.build()
}

/// The column's comment and its default. The keyword for defaults is not used: openapi-typescript would demand such
/// members, and what it says is often no value but an expression.
fn with_default(column: &Column) -> Option<String> {
    let default = column.default.as_ref().map(|default| format!("Default: `{default}`."));
    let parts: Vec<_> = column.comment.iter().cloned().chain(default).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// A reference to one row to insert or many.
pub(super) fn insert_body(
    components: &mut Components<'_>,
    relation: &Relation,
    may: &RelationPrivileges,
) -> Ref {
    let name = components.stem(&relation.name).to_string() + "InsertBody";
    let row = insert(components, relation, may);
    if components.claim(&name) {
        let one_or_many = OneOfBuilder::new().item(row.clone()).item(array(row)).build();
        components.schema_named(&name, Schema::OneOf(one_or_many));
    }
    Ref::from_schema_name(name)
}

/// A reference to a row as it is updated.
pub(super) fn update(components: &mut Components<'_>, relation: &Relation, may: &RelationPrivileges) -> Ref {
    let name = components.stem(&relation.name).to_string() + "Update";
    if components.claim(&name) {
        let mut object = Members::new(None, Others::Refused);
        for column in Use::Update.columns(relation, may) {
            let value = of_column(components, relation, column);
            object.add(&column.name, described(value, column.comment.clone()));
        }
        components.schema_named(&name, object.build());
    }
    Ref::from_schema_name(name)
}

/// A column's value.
fn of_column(components: &mut Components<'_>, relation: &Relation, column: &Column) -> RefOr<Schema> {
    let value = not_null(components, column);
    match column.not_null && !relation.is_view() {
        true => value,
        false => nullable(value),
    }
}

/// A column's value where it is not NULL.
fn not_null(components: &mut Components<'_>, column: &Column) -> RefOr<Schema> {
    let value = of_type(components, column.r#type, &column.sql_type);
    let mut bounds = Bounds::default();
    if let Some(length) = column.max_length.and_then(|length| u32::try_from(length).ok()) {
        bounds.limit_length(length);
    }
    for check in &column.checks {
        bounds.add_check(check, &column.name);
    }
    // What a view passes on fulfils what its table demands.
    let origin = column.origin.as_ref().and_then(|origin| {
        let table = components.catalog().relation_by_oid(origin.relation)?;
        table.column(&origin.column)
    });
    for (check, origin) in
        origin.iter().flat_map(|origin| origin.checks.iter().map(move |check| (check, origin)))
    {
        bounds.add_check(check, &origin.name);
    }
    constraint::bounded(value, &bounds)
}

/// What can be selected besides columns, by its name: rows of other relations, and what functions compute of the row.
fn embeds(components: &mut Components<'_>, relation: &Relation) -> Vec<(String, RefOr<Schema>)> {
    let source = components.source();
    let mut found: Vec<(String, RefOr<Schema>)> = Vec::new();
    for Embed { name, target, is_one, .. } in embed::embeds(source, relation) {
        // Its component is made in its turn: a long chain of foreign keys is no deep recursion.
        let row = RefOr::Ref(Ref::from_schema_name(&*components.stem(&target.name)));
        let value = if is_one { nullable(row) } else { array(row) };
        match found.iter_mut().find(|(known, _)| known == name) {
            // By another key it may be several rows, or one; a hint decides.
            Some((_, known)) if *known != value => {
                let either = AnyOfBuilder::new().item(known.clone()).item(value).build();
                *known = RefOr::T(Schema::AnyOf(either));
            }
            Some(_) => {}
            None => found.push((name.to_owned(), value)),
        }
    }
    let computed = components.catalog().computed(relation.oid);
    for function in computed.filter(|function| function.schema == relation.schema && !function.returns_set) {
        let is_known =
            relation.column(&function.name).is_some() || found.iter().any(|(name, _)| *name == function.name);
        if is_known || !source.may_execute(function) {
            continue;
        }
        let name = components.catalog().type_of(function.return_type).map(|found| found.sql_name.as_str());
        let value = name.map_or_else(anything, |name| of_type(components, function.return_type, name));
        found.push((function.name.clone(), described(nullable(value), function.comment.clone())));
    }
    found
}
