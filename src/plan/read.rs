//! From a query as typed to a tree: first the select list, which gives the
//! tree its shape, then one pass for each other part of the query. The passes
//! take what they have resolved out of the query; afterwards nothing is left.

use super::{
    Context, Operation, Planned, aggregate, embed,
    filter::{filters, logic},
    limits, order, targets,
    transaction::Access,
    tree::{Node, Source},
};
use crate::{catalog::routine::Shape, error::Result, outcome::LegacyName, request::Query};

/// A tree in the making.
#[derive(Debug)]
pub(super) struct Tree<'c> {
    /// What is resolved.
    pub(super) root: Node<'c>,
    /// What is still as typed.
    pub(super) query: Query,
    /// Embeds that were addressed by names that will mean nothing one day.
    pub(super) legacy_names: Vec<LegacyName>,
}

type Pass = for<'c> fn(Tree<'c>, &Context<'c>) -> Result<Tree<'c>>;

/// The passes, in their order. That decides which of several mistakes is told, as does that each begins with what was
/// typed last.
const PASSES: [Pass; 7] =
    [order::orders, filters, logic, order::ranges, aggregate::check, order::max_rows, order::negative];

/// Plans a read of the relation of this name.
pub(super) fn plan<'c>(relation: &str, query: Query, context: &Context<'c>) -> Result<Planned<'c>> {
    let relation = context.relation(relation)?;
    let source = Source::Relation(relation);
    let tree = tree(Shape::Relation(relation), source, relation.name.clone(), query, context)?;
    Ok(Planned {
        operation: Operation::Read(tree.root),
        access: Access::ReadOnly,
        function: None,
        legacy_names: tree.legacy_names,
    })
}

/// What is read from `source`.
pub(super) fn tree<'c>(
    shape: Shape<'c>,
    source: Source<'c>,
    alias: String,
    mut query: Query,
    context: &Context<'c>,
) -> Result<Tree<'c>> {
    limits::check(&query)?;
    targets::check(&query, context)?;
    let select = std::mem::take(&mut query.select);
    let root = embed::root(shape, source, alias, select, context)?;
    let tree = Tree { root, query, legacy_names: Vec::new() };
    PASSES.iter().try_fold(tree, |tree, pass| pass(tree, context))
}
