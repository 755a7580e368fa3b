//! The passes for orders and ranges, and the cap on both by `db-max-rows`.

use super::{
    Context,
    embed::level,
    read::Tree,
    targets::not_embedded,
    tree::{Arity, Item, Node, OrderTerm},
};
use crate::{
    catalog::routine::Shape,
    error::{Error, Fault, Result},
    request::{
        self, Excess,
        range::{EmbedRange, negative_limit},
    },
};

/// Orders, by own fields and by those of embeds. Of several for one level the first counts.
pub(super) fn orders<'c>(mut tree: Tree<'c>, context: &Context<'c>) -> Result<Tree<'c>> {
    for (path, terms) in std::mem::take(&mut tree.query.order).into_iter().rev() {
        let node = level(&mut tree, &path, context)?;
        let terms = terms.into_iter().map(|term| order_term(node, term, context));
        node.order = terms.collect::<Result<_>>()?;
    }
    Ok(tree)
}

/// Ranges of the root and of embeds. Those that cannot be are told after everything else.
pub(super) fn ranges<'c>(mut tree: Tree<'c>, context: &Context<'c>) -> Result<Tree<'c>> {
    tree.root.range = tree.query.range;
    for (path, range) in std::mem::take(&mut tree.query.ranges) {
        match range {
            EmbedRange::Rows(range) => level(&mut tree, &path, context)?.range = range,
            EmbedRange::Negative => tree.query.ranges.push((path, range)),
        }
    }
    Ok(tree)
}

/// Refuses limits of embeds below zero.
pub(super) fn negative<'c>(tree: Tree<'c>, _: &Context<'c>) -> Result<Tree<'c>> {
    if tree.query.ranges.is_empty() { Ok(tree) } else { Err(negative_limit()) }
}

/// No level gives more rows than `db-max-rows`, but those of a mutation.
pub(super) fn max_rows<'c>(mut tree: Tree<'c>, context: &Context<'c>) -> Result<Tree<'c>> {
    if let Some(max) = context.max_rows {
        let asked = tree.root.range.limit;
        restrict(&mut tree.root, Arity::ToMany, max);
        if tree.query.excess == Excess::Told {
            let told = max.saturating_add(1);
            tree.root.range.limit = Some(asked.map_or(told.into(), |limit| limit.at_most(told)));
        }
    }
    Ok(tree)
}

fn restrict(node: &mut Node<'_>, arity: Arity, max: u64) {
    match arity {
        Arity::ToMany => {
            node.range.limit = Some(node.range.limit.map_or(max.into(), |limit| limit.at_most(max)))
        }
        // It has one row anyway, and a limit keeps PostgreSQL from joining it by a hash.
        Arity::ToOne => {}
    }
    for item in &mut node.items {
        match item {
            Item::Embed(embed) => restrict(&mut embed.node, embed.arity, max),
            Item::Field(_) => {}
        }
    }
}

fn order_term<'c>(
    node: &Node<'c>,
    term: request::order::OrderTerm,
    context: &Context<'c>,
) -> Result<OrderTerm<'c>> {
    let Some(name) = &term.relation else { return Ok(context.order_term(node.shape, term)) };
    let mut embeds = node.items.iter().enumerate().filter_map(|(at, item)| match item {
        Item::Embed(embed) => Some((at, embed)),
        Item::Field(_) => None,
    });
    let (item, embed) = embeds.find(|(_, embed)| embed.name() == name).ok_or_else(|| not_embedded(name))?;
    match embed.arity {
        Arity::ToOne => Ok(OrderTerm { embed: Some(item), ..context.order_term(embed.node.shape, term) }),
        Arity::ToMany => Err(not_to_one(node.shape, embed.name())),
    }
}

fn not_to_one(shape: Shape<'_>, embed: &str) -> Box<Error> {
    let origin = shape.relation().map_or("", |relation| relation.name.as_str());
    Error::new(Fault::RelatedOrder, format!("A related order on '{embed}' is not possible"))
        .details(format!("'{origin}' and '{embed}' do not form a many-to-one or one-to-one relationship"))
}
