//! Whether a request may run on a read replica. Nothing is guessed: what could need the primary goes there. Which replica,
//! and whether there is one, is decided where it runs.

use super::{
    Operation,
    transaction::{Access, Isolation, Reach},
    tree::{Condition, Embed, Item, Link, Node, Source},
};
use crate::{
    catalog::descriptor::{Function, Relation, Volatility},
    request::prefer::Preferences,
};

/// Where a request may run.
pub(super) fn reach(
    access: Access,
    isolation: Isolation,
    preferences: &Preferences,
    operation: &Operation<'_>,
) -> Reach {
    let may_leave = match (access, isolation) {
        (Access::ReadWrite, _) => false,
        // A standby has no transactions of this level.
        (Access::ReadOnly, Isolation::Serializable) => false,
        (Access::ReadOnly, Isolation::ReadCommitted | Isolation::RepeatableRead) => {
            preferences.transaction_end.is_none()
        }
    };
    let reads_elsewhere = match operation {
        Operation::Mutation(..) => false,
        Operation::Read(node) => may_read(node),
        Operation::Call(call, node) => is_steady(call.function) && may_call(call.function) && may_read(node),
    };
    if may_leave && reads_elsewhere { Reach::Replica } else { Reach::Primary }
}

/// Whether a function says of itself that it has no side effects.
fn is_steady(function: &Function) -> bool {
    match function.volatility() {
        Volatility::Stable | Volatility::Immutable => true,
        Volatility::Volatile | Volatility::Unspecified => false,
    }
}

fn may_call(function: &Function) -> bool {
    !function.primary_only
}

fn may_take(relation: &Relation) -> bool {
    !relation.primary_only
}

fn may_read(node: &Node<'_>) -> bool {
    let source = match node.source {
        Source::Relation(relation) => may_take(relation),
        Source::Computed(function) => may_call(function),
        Source::Result => true,
    };
    let item = |item: &Item<'_>| match item {
        Item::Field(_) => true,
        Item::Embed(embed) => may_embed(embed),
    };
    source && node.items.iter().all(item) && node.conditions.iter().all(may_ask)
}

fn may_embed(embed: &Embed<'_>) -> bool {
    let link = match &embed.link {
        Link::Columns(_) | Link::Computed(_) => true,
        Link::Junction { relation, .. } => may_take(relation),
    };
    link && may_read(&embed.node)
}

fn may_ask(condition: &Condition<'_>) -> bool {
    match condition {
        Condition::Group { members, .. } => members.iter().all(may_ask),
        Condition::Related { embed, .. } => may_embed(embed),
        Condition::Compare { .. } | Condition::Embed { .. } => true,
    }
}
