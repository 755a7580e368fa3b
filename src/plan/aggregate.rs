//! The pass that decides whether aggregates may be used.

use super::{
    Context,
    read::Tree,
    tree::{Item, Node},
};
use crate::error::{Error, Fault, Result};

/// Refuses aggregates unless `db-aggregates-enabled` allows them.
pub(super) fn check<'c>(tree: Tree<'c>, context: &Context<'c>) -> Result<Tree<'c>> {
    if !context.config.db_aggregates_enabled && anywhere(&tree.root) {
        return Err(Error::new(Fault::AggregatesDisabled, "Use of aggregate functions is not allowed"));
    }
    Ok(tree)
}

fn anywhere(node: &Node<'_>) -> bool {
    node.items.iter().any(|item| match item {
        Item::Field(output) => output.aggregate.is_some(),
        Item::Embed(embed) => anywhere(&embed.node),
    })
}
