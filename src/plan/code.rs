//! Whether code of the database's authors can run in a transaction: then it may have set response headers, and may hold
//! locks of the session. Nothing is guessed: what is not known to be a plain read of PostgreSQL's own types
//! counts as code.

use super::{
    Operation,
    negotiate::Body,
    transaction::ResponseSettings,
    tree::{Condition, Embed, Field, Item, Link, Node, Origin, Source},
};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Relation, Type, TypeKind},
    },
    config::Config,
    request::select::AggregateFunction,
};

/// Whether `response.*` can have been set.
pub(super) fn response_settings(
    config: &Config,
    operation: &Operation<'_>,
    body: &Body<'_>,
    catalog: &Catalog,
) -> ResponseSettings {
    let plain = Plain { catalog };
    let is_plain = match operation {
        Operation::Read(node) => config.db_pre_request.is_none() && is_own_body(body) && plain.node(node),
        // Defaults, checks, triggers, rules, keys that cascade, expressions of indexes.
        Operation::Mutation(..) | Operation::Call(..) => false,
    };
    if is_plain { ResponseSettings::Unset } else { ResponseSettings::Read }
}

/// Whether PostgreSQL or pgduet makes it.
fn is_own_body(body: &Body<'_>) -> bool {
    match body {
        Body::Array(_) | Body::Object(_) | Body::Csv | Body::Raw | Body::Columns | Body::Nothing => true,
        Body::GeoJson | Body::Handler(_) => false,
    }
}

/// What is plain.
#[derive(Clone, Copy)]
struct Plain<'c> {
    catalog: &'c Catalog,
}

impl Plain<'_> {
    fn node(self, node: &Node<'_>) -> bool {
        let Source::Relation(relation) = node.source else { return false };
        !relation.runs_code
            && node.items.iter().all(|item| self.item(item, relation))
            && node.conditions.iter().all(|condition| self.condition(condition, relation))
            && node.order.iter().all(|term| term.aggregate.is_none() && self.field(&term.field))
    }

    fn item(self, item: &Item<'_>, above: &Relation) -> bool {
        match item {
            Item::Field(output) => {
                let is_plain = output.representation.is_none() && output.cast.is_none();
                let is_own = match &output.aggregate {
                    None => true,
                    // The others may be somebody's for a type that PostgreSQL has none for.
                    Some(aggregate) => {
                        aggregate.function == AggregateFunction::Count && aggregate.cast.is_none()
                    }
                };
                is_plain && is_own && (output.field.name.is_empty() || self.field(&output.field))
            }
            Item::Embed(embed) => self.link(embed, above) && self.node(&embed.node),
        }
    }

    fn link(self, embed: &Embed<'_>, above: &Relation) -> bool {
        let Source::Relation(here) = embed.node.source else { return false };
        let column = |relation: &Relation, name: &str| {
            let found = relation.columns.iter().find(|column| column.name == *name);
            found.is_some_and(|column| self.is_own(self.catalog.type_of(column.r#type)))
        };
        self.operators_are_known()
            && match &embed.link {
                Link::Columns(pairs) => {
                    pairs.iter().all(|(one, other)| column(above, one) && column(here, other))
                }
                Link::Junction { relation, above: up, here: down, .. } => {
                    !relation.runs_code
                        && up.iter().all(|(one, other)| column(above, one) && column(relation, other))
                        && down.iter().all(|(one, other)| column(relation, one) && column(here, other))
                }
                Link::Computed(_) => false,
            }
    }

    fn condition(self, condition: &Condition<'_>, of: &Relation) -> bool {
        match condition {
            Condition::Group { members, .. } => members.iter().all(|member| self.condition(member, of)),
            Condition::Compare { field, representation, .. } => {
                self.operators_are_known() && representation.is_none() && self.field(field)
            }
            Condition::Embed { .. } => true,
            Condition::Related { embed, .. } => self.link(embed, of) && self.node(&embed.node),
        }
    }

    /// A column of one of PostgreSQL's types. An operator leads into what it is made of.
    fn field(self, field: &Field<'_>) -> bool {
        match field.origin {
            Origin::Column(declared) => {
                self.is_own(declared) && (field.path.is_empty() || self.operators_are_known())
            }
            Origin::Dropped(_) => true,
            Origin::Computed(_) | Origin::Unknown => false,
        }
    }

    /// Whether all operators are PostgreSQL's or an extension's.
    fn operators_are_known(self) -> bool {
        !self.catalog.descriptor().has_own_operators
    }

    /// Whether a type is PostgreSQL's, an enum, or an array of such.
    fn is_own(self, declared: Option<&Type>) -> bool {
        let Some(declared) = declared else { return false };
        match declared.kind() {
            TypeKind::Enum => true,
            TypeKind::Array => self.is_own(self.catalog.type_of(declared.element)),
            TypeKind::Domain => false,
            TypeKind::Base
            | TypeKind::Composite
            | TypeKind::Range
            | TypeKind::Pseudo
            | TypeKind::Unspecified => declared.schema == "pg_catalog",
        }
    }
}
