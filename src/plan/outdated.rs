//! A plan whose catalog is behind its database: between `DROP COLUMN` and the next load, columns that are gone are read as
//! NULL, so that requests for whole rows do not fail. What a client filters, orders or writes by stays as it is.

use super::{
    Operation, Plan,
    mutate::returned,
    tree::{Item, Node, Origin},
};
use crate::catalog::descriptor::Relation;

impl<'c> Plan<'c> {
    /// The relations whose columns are read, outermost first.
    pub fn relations(&self) -> Vec<&'c Relation> {
        let mut found = Vec::new();
        relations(self.operation.node(), &mut found);
        found
    }

    /// Reads NULL for the columns of which this is said; whether there were any.
    pub fn forget(&mut self, is_gone: impl Fn(&Relation, &str) -> bool) -> bool {
        match &mut self.operation {
            Operation::Read(node) => forget(node, &is_gone),
            Operation::Mutation(mutation, node) => {
                let found = forget(node, &is_gone);
                mutation.returned = returned(node);
                found
            }
            Operation::Call(call, node) => {
                let found = forget(node, &is_gone);
                call.returned = returned(node);
                found
            }
        }
    }
}

fn relations<'c>(node: &Node<'c>, found: &mut Vec<&'c Relation>) {
    found.extend(node.shape.relation());
    for item in &node.items {
        match item {
            Item::Embed(embed) => relations(&embed.node, found),
            Item::Field(_) => {}
        }
    }
}

fn forget<'c>(node: &mut Node<'c>, is_gone: &impl Fn(&Relation, &str) -> bool) -> bool {
    let relation = node.shape.relation();
    let mut found = false;
    for item in &mut node.items {
        match item {
            Item::Field(output) => {
                if let (Some(relation), Origin::Column(declared)) = (relation, output.field.origin)
                    && is_gone(relation, &output.field.name)
                {
                    output.field.origin = Origin::Gone(declared);
                    found = true;
                }
            }
            Item::Embed(embed) => found |= forget(&mut embed.node, is_gone),
        }
    }
    found
}
