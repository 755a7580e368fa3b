//! Which relationship a target and a hint mean. The rules are PostgREST's
//! (its documentation, «Resource Embedding»): a relation's name, a foreign
//! key's constraint or a column of it; of several that fit, none is taken.

use super::Context;
use crate::{
    catalog::{
        descriptor::{Relation, RelationKind},
        relationship::{Cardinality, Link, Relationship},
    },
    error::{Error, Fault, Result},
    plan::{hint::SIMILAR, tree::Node},
};
use serde_json::{Value, json};

/// The one relationship from `above` that fits.
pub(super) fn find<'c>(
    above: &Node<'c>,
    target: &str,
    hint: Option<&str>,
    context: &Context<'c>,
) -> Result<&'c Relationship> {
    let Some(source) = above.shape.relation() else {
        return Err(missing(&above.alias, target, hint, context));
    };
    let candidates = candidates(source, context)?;
    let fitting: Vec<_> = candidates.iter().filter(|candidate| candidate.fits(target, hint)).collect();
    match fitting.as_slice() {
        [one] => Ok(one.relationship),
        [] => Err(missing(&source.name, target, hint, context)),
        several => Err(ambiguous(&source.name, target, several)),
    }
}

struct Candidate<'c> {
    relationship: &'c Relationship,
    source: &'c Relation,
    target: &'c Relation,
    junction: Option<&'c Relation>,
}

/// The relationships of a relation to what the request's schema has: a target, or a function that finds it.
fn candidates<'c>(source: &'c Relation, context: &Context<'c>) -> Result<Vec<Candidate<'c>>> {
    let mut candidates = Vec::new();
    for relationship in context.catalog.relationships(source.oid) {
        let target = context.relation_of(relationship.target)?;
        let (junction, schema) = match &relationship.cardinality {
            Cardinality::ManyToMany(junction) => {
                (Some(context.relation_of(junction.relation)?), &target.schema)
            }
            Cardinality::ManyToOne(_)
            | Cardinality::OneToMany(_)
            | Cardinality::OneToOneChild(_)
            | Cardinality::OneToOneParent(_) => (None, &target.schema),
            Cardinality::Computed { function_schema, .. } => (None, function_schema),
        };
        if *schema == context.schema {
            candidates.push(Candidate { relationship, source, target, junction });
        }
    }
    Ok(candidates)
}

impl Candidate<'_> {
    fn fits(&self, target: &str, hint: Option<&str>) -> bool {
        let named = self.target.name == target;
        let link = match &self.relationship.cardinality {
            Cardinality::Computed { function_name, .. } => return function_name == target,
            _ if self.source.oid == self.target.oid => return self.fits_itself(target, hint),
            Cardinality::ManyToMany(_) => {
                let through = |hint| self.junction.is_some_and(|junction| junction.name == hint);
                return named && hint.is_none_or(through);
            }
            Cardinality::ManyToOne(link)
            | Cardinality::OneToMany(link)
            | Cardinality::OneToOneChild(link)
            | Cardinality::OneToOneParent(link) => link,
        };
        match hint {
            // Views have neither constraints nor foreign keys to be named by.
            None => {
                named || (!is_view(self.target) && (link.constraint == target || has_source(link, target)))
            }
            Some(hint) => {
                named && (link.constraint == hint || has_source(link, hint) || has_target(link, hint))
            }
        }
    }

    /// A relation with itself has one foreign key and two directions: the many
    /// by the relation's name, the one by the foreign key's column.
    fn fits_itself(&self, target: &str, hint: Option<&str>) -> bool {
        let named = self.target.name == target;
        match (&self.relationship.cardinality, hint) {
            (Cardinality::OneToMany(_), None) => named,
            (Cardinality::OneToMany(link), Some(hint)) => named && has_target(link, hint),
            (Cardinality::ManyToOne(link), None) => has_source(link, target),
            (Cardinality::ManyToOne(_), Some(_))
            | (Cardinality::OneToOneChild(_) | Cardinality::OneToOneParent(_), _)
            | (Cardinality::ManyToMany(_) | Cardinality::Computed { .. }, _) => false,
        }
    }

    /// What tells it apart from others, for people.
    fn described(&self) -> Value {
        let embedding = format!("{} with {}", self.source.name, self.target.name);
        let (cardinality, relationship) = match &self.relationship.cardinality {
            Cardinality::ManyToOne(link) => ("many-to-one", self.by(link)),
            Cardinality::OneToMany(link) => ("one-to-many", self.by(link)),
            Cardinality::OneToOneChild(link) | Cardinality::OneToOneParent(link) => {
                ("one-to-one", self.by(link))
            }
            Cardinality::ManyToMany(junction) => {
                let name = self.hint();
                let source = listed(junction.source.columns.iter().map(|(_, column)| column));
                let target = listed(junction.target.columns.iter().map(|(column, _)| column));
                let [first, second] = [&junction.source.constraint, &junction.target.constraint];
                ("many-to-many", format!("{name} using {first}{source} and {second}{target}"))
            }
            Cardinality::Computed { function_name, .. } => ("computed", function_name.clone()),
        };
        json!({ "cardinality": cardinality, "embedding": embedding, "relationship": relationship })
    }

    fn by(&self, link: &Link) -> String {
        let source = listed(link.columns.iter().map(|(column, _)| column));
        let target = listed(link.columns.iter().map(|(_, column)| column));
        format!("{} using {}{source} and {}{target}", link.constraint, self.source.name, self.target.name)
    }

    /// The hint that would have chosen it.
    fn hint(&self) -> &str {
        match &self.relationship.cardinality {
            Cardinality::ManyToOne(link)
            | Cardinality::OneToMany(link)
            | Cardinality::OneToOneChild(link)
            | Cardinality::OneToOneParent(link) => &link.constraint,
            Cardinality::ManyToMany(_) => self.junction.map_or("", |junction| &junction.name),
            Cardinality::Computed { function_name, .. } => function_name,
        }
    }
}

fn is_view(relation: &Relation) -> bool {
    matches!(relation.kind(), RelationKind::View | RelationKind::MaterializedView)
}

/// Whether the foreign key has this column alone on the source's side.
fn has_source(link: &Link, name: &str) -> bool {
    matches!(link.columns.as_slice(), [(source, _)] if source == name)
}

/// Whether it has this column alone on the target's side.
fn has_target(link: &Link, name: &str) -> bool {
    matches!(link.columns.as_slice(), [(_, target)] if target == name)
}

fn listed<'s>(columns: impl Iterator<Item = &'s String>) -> String {
    format!("({})", columns.map(String::as_str).collect::<Vec<_>>().join(", "))
}

fn missing(source: &str, target: &str, hint: Option<&str>, context: &Context<'_>) -> Box<Error> {
    let schema = &context.schema;
    let using = hint.map(|hint| format!(" using the hint '{hint}'")).unwrap_or_default();
    let error = Error::new(
        Fault::RelationshipMissing,
        format!("Could not find a relationship between '{source}' and '{target}' in the schema cache"),
    )
    .details(format!(
        "Searched for a foreign key relationship between '{source}' and '{target}'{using} in the schema \
         '{schema}', but no matches were found."
    ));
    match suggestion(source, target, context) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A name that was perhaps meant: of the target, or of a source that is related to nothing.
fn suggestion(source: &str, target: &str, context: &Context<'_>) -> Option<String> {
    let Context { catalog, schema, .. } = context;
    let relation = catalog.relation(schema, source);
    let found = relation.map(|relation| candidates(relation, context)).transpose().ok()?.unwrap_or_default();
    // For PostgREST what is related through a junction that is not exposed is not alone, though nothing can be suggested.
    let is_unrelated = found.is_empty() && !relation.is_some_and(|relation| relation.meets_unseen);
    let (instead, meant) = match (is_unrelated, relation) {
        (false, Some(relation)) => {
            let targets = found.iter().map(|candidate| candidate.target.name.as_str());
            let meant = catalog.target_like((schema, relation.oid), targets, target, SIMILAR)?;
            // Where the name is right it is the hint that is wrong.
            (target, Some(meant).filter(|meant| meant.to_lowercase() != target.to_lowercase())?)
        }
        (true, _) | (_, None) => (source, catalog.source_like(schema, source, SIMILAR)?.to_owned()),
    };
    Some(format!("Perhaps you meant '{meant}' instead of '{instead}'."))
}

fn ambiguous(source: &str, target: &str, several: &[&Candidate<'_>]) -> Box<Error> {
    let hints: Vec<_> =
        several.iter().map(|candidate| format!("'{}!{}'", candidate.target.name, candidate.hint())).collect();
    Error::new(
        Fault::RelationshipAmbiguous,
        format!("Could not embed because more than one relationship was found for '{source}' and '{target}'"),
    )
    .details(several.iter().map(|candidate| candidate.described()).collect::<Vec<_>>())
    .hint(format!(
        "Try changing '{target}' to one of the following: {}. Find the desired relationship in the 'details' key.",
        hints.join(", ")
    ))
}
