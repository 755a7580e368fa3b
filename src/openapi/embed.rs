//! What can be embedded in the rows of a relation, and how `select` has to say it. What is called like a column is left
//! out: it cannot be told from the column.

use super::{Source, name};
use crate::catalog::{
    descriptor::Relation,
    relationship::{Cardinality, Link, Relationship},
};

/// One way to embed a relation that is shown.
pub(super) struct Embed<'r> {
    /// What it is called in `select`, and in the rows.
    pub(super) name: &'r str,
    pub(super) target: &'r Relation,
    /// Whether it is one row at the most.
    pub(super) is_one: bool,
    /// What tells it from others of its name.
    hint: Option<&'r str>,
}

impl Embed<'_> {
    /// What `select` says where it has to be told from others; `None` where nothing tells it.
    pub(super) fn told_apart(&self) -> Option<String> {
        Some(format!("{}!{}(*)", name::quoted(self.name), name::quoted(self.hint?)))
    }

    /// What `select` says where nothing else is called so.
    pub(super) fn alone(&self) -> String {
        format!("{}(*)", name::quoted(self.name))
    }
}

/// What can be embedded in the relation.
pub(super) fn embeds<'r>(source: &'r Source<'_>, relation: &'r Relation) -> Vec<Embed<'r>> {
    let catalog = source.catalog;
    let found = catalog.relationships(relation.oid).iter().filter_map(|relationship| {
        let target = catalog.relation_by_oid(relationship.target)?;
        let embed = embed(source, relation, relationship, target)?;
        let is_shown = target.schema == source.schema
            && relation.column(embed.name).is_none()
            && source.relation_privileges(target).is_some_and(|may| !may.select.is_empty());
        is_shown.then_some(embed)
    });
    found.collect()
}

fn embed<'r>(
    source: &'r Source<'_>,
    relation: &Relation,
    relationship: &'r Relationship,
    target: &'r Relation,
) -> Option<Embed<'r>> {
    let is_itself = relation.oid == target.oid;
    let by =
        |link: &'r Link, is_one| Embed { name: &target.name, target, is_one, hint: Some(&link.constraint) };
    match &relationship.cardinality {
        Cardinality::Computed { function_name, to_one, .. } => {
            Some(Embed { name: function_name, target, is_one: *to_one, hint: None })
        }
        // Of the two directions, the relation's name means the many, and a column's name the one.
        Cardinality::OneToMany(link) if is_itself => {
            let hint = match link.columns.as_slice() {
                [(_, column)] => Some(column.as_str()),
                _ => None,
            };
            Some(Embed { hint, ..by(link, false) })
        }
        _ if is_itself => None,
        Cardinality::ManyToOne(link)
        | Cardinality::OneToOneChild(link)
        | Cardinality::OneToOneParent(link) => Some(by(link, true)),
        Cardinality::OneToMany(link) => Some(by(link, false)),
        Cardinality::ManyToMany(junction) => {
            let through = source.catalog.relation_by_oid(junction.relation)?;
            Some(Embed { name: &target.name, target, is_one: false, hint: Some(&through.name) })
        }
    }
}
