//! What comments say in a document: a summary and a description, and for a
//! column what PostgREST notes of its keys.

use crate::catalog::{
    Catalog,
    descriptor::{Column, Relation},
    relationship::Cardinality,
};

/// A comment as Markdown. What would end a comment of generated code, or run in a page, is escaped.
pub(super) fn markdown(comment: &str) -> String {
    comment.replace("*/", "*\\/").replace("<script", "\\<script").replace("<SCRIPT", "\\<SCRIPT")
}

/// The first line is the summary, what follows the description.
pub(super) fn split(comment: Option<&str>) -> (Option<&str>, Option<&str>) {
    let Some(comment) = comment else { return (None, None) };
    match comment.split_once('\n') {
        Some((first, rest)) => {
            (Some(first), Some(rest.trim_start_matches('\n')).filter(|rest| !rest.is_empty()))
        }
        None => (Some(comment), None),
    }
}

/// The column's comment and the notes on its keys, which clients read.
pub(super) fn of_column(catalog: &Catalog, relation: &Relation, column: &Column) -> Option<String> {
    let primary = relation.primary_key.contains(&column.name);
    let notes: Vec<_> = primary
        .then(|| "This is a Primary Key.<pk/>".to_owned())
        .into_iter()
        .chain(foreign_key(catalog, relation, column))
        .collect();
    let notes = (!notes.is_empty()).then(|| format!("Note:\n{}", notes.join("\n")));
    match (column.comment.clone(), notes) {
        (Some(comment), Some(notes)) => Some(format!("{comment}\n\n{notes}")),
        (comment, notes) => comment.or(notes),
    }
}

/// The column's comment and its keys in Markdown.
pub(super) fn note(catalog: &Catalog, relation: &Relation, column: &Column) -> Option<String> {
    let primary = relation.primary_key.contains(&column.name).then(|| "Primary key.".to_owned());
    let foreign = target(catalog, relation, column)
        .map(|(target, theirs)| format!("Refers to `{}.{theirs}`.", target.name));
    let parts: Vec<_> = column.comment.clone().into_iter().chain(primary).chain(foreign).collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// PostgREST's note on the foreign key that the column is alone.
fn foreign_key(catalog: &Catalog, relation: &Relation, column: &Column) -> Option<String> {
    let (target, theirs) = target(catalog, relation, column)?;
    Some(format!("This is a Foreign Key to `{0}.{theirs}`.<fk table='{0}' column='{theirs}'/>", target.name))
}

/// What the foreign key that the column is alone refers to: a relation of the
/// same schema, a table before a view. Views have the keys of their tables.
fn target<'c>(
    catalog: &'c Catalog,
    relation: &Relation,
    column: &Column,
) -> Option<(&'c Relation, &'c String)> {
    let keys = catalog.relationships(relation.oid).iter().filter_map(|relationship| {
        let link = match &relationship.cardinality {
            Cardinality::ManyToOne(link) | Cardinality::OneToOneChild(link) => link,
            Cardinality::OneToMany(_)
            | Cardinality::OneToOneParent(_)
            | Cardinality::ManyToMany(_)
            | Cardinality::Computed { .. } => return None,
        };
        let [(own, theirs)] = link.columns.as_slice() else { return None };
        let target = catalog.relation_by_oid(relationship.target)?;
        (*own == column.name && target.schema == relation.schema).then_some((target, theirs))
    });
    keys.min_by_key(|(target, _)| target.is_view())
}
