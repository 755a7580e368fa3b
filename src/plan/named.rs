//! What a request refers to in the database by name. Where PostgreSQL does not know a name, or finds another kind of
//! value than a statement takes for granted, one of these may have changed since the catalog was read. It compares
//! nothing itself.

use super::{
    Operation, Plan,
    tree::{Condition, Embed, Item, Link, Node, Source},
};
use crate::{
    catalog::{
        Catalog,
        descriptor::{Function, Relation, Type},
    },
    request::Action,
};

/// What a request refers to by name. Something can be in it more than once.
#[derive(Debug)]
pub struct Named<'c> {
    catalog: &'c Catalog,
    /// Relations, which are named with their columns.
    pub relations: Vec<&'c Relation>,
    /// Functions that are called, or that compute fields and embeds.
    pub functions: Vec<&'c Function>,
    /// The types of columns, arguments and results.
    pub types: Vec<&'c Type>,
}

impl<'c> Named<'c> {
    /// What a plan refers to.
    pub fn of(plan: &Plan<'c>) -> Self {
        let mut named = Self::new(plan.catalog);
        named.node(plan.operation.node());
        match &plan.operation {
            Operation::Read(_) => {}
            Operation::Mutation(mutation, _) => {
                named.relation(mutation.relation);
                mutation.conditions.iter().for_each(|condition| named.condition(condition));
            }
            Operation::Call(call, _) => named.function(call.function),
        }
        named
    }

    /// What a request refers to that has no plan: the relation that it is about, if there is one.
    pub fn of_action(action: &Action, schema: &str, catalog: &'c Catalog) -> Self {
        let mut named = Self::new(catalog);
        let relation = match action {
            Action::Read { relation }
            | Action::Insert { relation, .. }
            | Action::Upsert { relation, .. }
            | Action::Update { relation, .. }
            | Action::UpdateEach { relation, .. }
            | Action::Delete { relation } => catalog.relation(schema, relation),
            Action::Call { .. } => None,
        };
        relation.into_iter().for_each(|relation| named.relation(relation));
        named
    }

    fn new(catalog: &'c Catalog) -> Self {
        Self { catalog, relations: Vec::new(), functions: Vec::new(), types: Vec::new() }
    }

    fn node(&mut self, node: &Node<'c>) {
        node.shape.relation().into_iter().for_each(|relation| self.relation(relation));
        match node.source {
            Source::Relation(_) | Source::Result => {}
            Source::Computed(function) => self.function(function),
        }
        for item in &node.items {
            let Item::Embed(embed) = item else { continue };
            self.embed(embed);
        }
        node.conditions.iter().for_each(|condition| self.condition(condition));
    }

    fn embed(&mut self, embed: &Embed<'c>) {
        match embed.link {
            Link::Columns(_) => {}
            Link::Junction { relation, .. } | Link::Computed(relation) => self.relation(relation),
        }
        self.node(&embed.node);
    }

    fn condition(&mut self, condition: &Condition<'c>) {
        match condition {
            Condition::Group { members, .. } => members.iter().for_each(|member| self.condition(member)),
            Condition::Related { embed, .. } => self.embed(embed),
            // What they name is the level's own, or among its items.
            Condition::Compare { .. } | Condition::Embed { .. } => {}
        }
    }

    fn relation(&mut self, relation: &'c Relation) {
        if self.relations.iter().any(|known| known.oid == relation.oid) {
            return;
        }
        self.relations.push(relation);
        relation.columns.iter().for_each(|column| self.r#type(column.r#type));
        self.functions.extend(self.catalog.computed(relation.oid));
    }

    fn function(&mut self, function: &'c Function) {
        self.functions.push(function);
        self.r#type(function.return_type);
        function.arguments.iter().for_each(|argument| self.r#type(argument.r#type));
        function.result_columns.iter().for_each(|column| self.r#type(column.r#type));
    }

    /// PostgreSQL's own types do not change.
    fn r#type(&mut self, oid: u32) {
        let found = self.catalog.type_of(oid).filter(|found| found.schema != "pg_catalog");
        self.types.extend(found.filter(|found| self.types.iter().all(|known| known.oid != found.oid)));
    }
}
