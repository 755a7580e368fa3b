//! The pass that decides whether aggregates may be used, and where.

use super::{
    Context,
    read::Tree,
    tree::{Arity, Form, Item, Node},
};
use crate::error::{Error, Fault, Result};

/// Refuses aggregates unless `db-aggregates-enabled` allows them.
pub(super) fn check<'c>(tree: Tree<'c>, context: &Context<'c>) -> Result<Tree<'c>> {
    if !context.config.db_aggregates_enabled && anywhere(&tree.root) {
        return Err(Error::new(Fault::AggregatesDisabled, "Use of aggregate functions is not allowed"));
    }
    collected(&tree.root)?;
    Ok(tree)
}

/// Refuses aggregates whose result would be an element of an array for each key.
fn collected(node: &Node<'_>) -> Result<()> {
    for item in &node.items {
        let Item::Embed(embed) = item else { continue };
        if embed.form == Form::Spread && embed.arity == Arity::ToMany && spread(&embed.node) {
            return Err(Error::new(Fault::NotImplemented, "Feature not implemented")
                .details("Aggregates are not implemented for one-to-many or many-to-many spreads."));
        }
        collected(&embed.node)?;
    }
    Ok(())
}

/// Whether aggregates are among the keys of a level, its own or those of spreads.
fn spread(node: &Node<'_>) -> bool {
    node.items.iter().any(|item| match item {
        Item::Field(output) => output.aggregate.is_some(),
        Item::Embed(embed) => embed.form == Form::Spread && spread(&embed.node),
    })
}

fn anywhere(node: &Node<'_>) -> bool {
    node.items.iter().any(|item| match item {
        Item::Field(output) => output.aggregate.is_some(),
        Item::Embed(embed) => anywhere(&embed.node),
    })
}
