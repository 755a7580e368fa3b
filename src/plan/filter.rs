//! The passes for filters and logic trees: each goes to the level that its
//! path names, and what compares an embed with null becomes a question for
//! its rows.

use super::{
    Context,
    embed::level,
    read::Tree,
    tree::{Condition, Item, Node, Origin},
};
use crate::{
    error::{Error, Fault, Result},
    request::filter::{Existence, Is, Operation},
};

/// Filters on single fields.
pub(super) fn filters<'c>(mut tree: Tree<'c>, context: &Context<'c>) -> Result<Tree<'c>> {
    for (path, filter) in std::mem::take(&mut tree.query.filters).into_iter().rev() {
        let node = level(&mut tree, &path, context)?;
        let condition = about_embeds(context.compare(node.shape, filter), node)?;
        node.conditions.insert(0, condition);
    }
    Ok(tree)
}

/// Logic trees.
pub(super) fn logic<'c>(mut tree: Tree<'c>, context: &Context<'c>) -> Result<Tree<'c>> {
    for (path, logic) in std::mem::take(&mut tree.query.logic).into_iter().rev() {
        let node = level(&mut tree, &path, context)?;
        let condition = about_embeds(context.logic(node, logic, path.len() + 1)?, node)?;
        node.conditions.insert(0, condition);
    }
    Ok(tree)
}

/// Turns comparisons of an embed with null into questions for its rows.
fn about_embeds<'c>(condition: Condition<'c>, node: &Node<'c>) -> Result<Condition<'c>> {
    let (negated, field, operation) = match condition {
        Condition::Group { negated, junction, members } => {
            let members = members.into_iter().map(|member| about_embeds(member, node));
            return Ok(Condition::Group { negated, junction, members: members.collect::<Result<_>>()? });
        }
        Condition::Embed { .. } | Condition::Related { .. } => return Ok(condition),
        Condition::Compare { negated, ref field, ref operation, .. } => (negated, field, operation),
    };
    let embedded = |item: &Item<'_>| matches!(item, Item::Embed(embed) if embed.name() == field.name);
    let Some(item) = node.items.iter().position(embedded).filter(|_| field.path.is_empty()) else {
        return Ok(condition);
    };
    match (operation, negated) {
        (Operation::Is(Is::Null), false) | (Operation::Is(Is::NotNull), true) => {
            Ok(Condition::Embed { item, existence: Existence::None })
        }
        (Operation::Is(Is::Null), true) | (Operation::Is(Is::NotNull), false) => {
            Ok(Condition::Embed { item, existence: Existence::Some })
        }
        // A column may have the name of an embed.
        _ if matches!(field.origin, Origin::Column(_)) => Ok(condition),
        _ => Err(bad_operator(&field.name)),
    }
}

fn bad_operator(name: &str) -> Box<Error> {
    Error::new(Fault::EmbedOperator, format!("Bad operator on the '{name}' embedded resource"))
        .details("Only is null or not is null filters are allowed on embedded resources")
}
