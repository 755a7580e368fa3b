//! The names that filters, orders, ranges and logic trees are addressed to: each must be an embed of the select list.
//! That is told before any relationship is looked for, as PostgREST has it. What the names are of is not looked up.

use super::Context;
use crate::{
    error::{Error, Fault, Result},
    request::{
        Query,
        select::{self, EmbedForm, SelectItem},
    },
};

/// Refuses what is addressed to nothing. Of several mistakes the one is told that was typed last, but of ranges.
pub(super) fn check(query: &Query, context: &Context<'_>) -> Result<()> {
    let paths = |path| target(&query.select, path, context);
    query.filters.iter().rev().try_for_each(|(path, _)| paths(path))?;
    query.order.iter().rev().try_for_each(|(path, _)| paths(path))?;
    query.ranges.iter().try_for_each(|(path, _)| paths(path))?;
    query.logic.iter().rev().try_for_each(|(path, _)| paths(path))
}

fn target(mut select: &[SelectItem], path: &[String], context: &Context<'_>) -> Result<()> {
    for name in path {
        let embeds = select.iter().filter_map(|item| match item {
            SelectItem::Embed(embed) => Some(Named { embed, target: &embed.target, alias: alias(embed) }),
            SelectItem::Every | SelectItem::Field { .. } => None,
        });
        select = &addressed(embeds, name, context)?.select;
    }
    Ok(())
}

fn alias(embed: &select::Embed) -> Option<&str> {
    match &embed.form {
        EmbedForm::Nested { alias } => alias.as_deref(),
        EmbedForm::Count { alias } => Some(alias),
        EmbedForm::Spread => None,
    }
}

/// An embed, and what it is called.
#[derive(Clone)]
pub(super) struct Named<'n, E> {
    pub(super) embed: E,
    pub(super) target: &'n str,
    pub(super) alias: Option<&'n str>,
}

/// The embed of this name. By its target one that has an alias goes only where the configuration still allows it, and
/// only if nothing goes by that name by right.
pub(super) fn addressed<'n, E>(
    mut embeds: impl Iterator<Item = Named<'n, E>> + Clone,
    name: &str,
    context: &Context<'_>,
) -> Result<E> {
    if let Some(found) = embeds.clone().find(|named| named.alias.unwrap_or(named.target) == name) {
        return Ok(found.embed);
    }
    match embeds.find(|named| named.target == name) {
        Some(found) if context.config.url_use_legacy_target_names => Ok(found.embed),
        Some(Named { alias: Some(alias), .. }) => Err(target_name(name, alias)),
        Some(Named { alias: None, .. }) | None => Err(not_embedded(name)),
    }
}

/// PGRST108: a name that is no embed's.
pub(super) fn not_embedded(name: &str) -> Box<Error> {
    Error::new(Fault::NotEmbedded, format!("'{name}' is not an embedded resource in this request"))
        .hint(format!("Verify that '{name}' is included in the 'select' query parameter."))
}

fn target_name(name: &str, alias: &str) -> Box<Error> {
    Error::new(Fault::NotEmbedded, format!("'{name}' is not an embedded resource in this request"))
        .details("Target names are not allowed in filters if they have an alias")
        .hint(format!("Change '{name}' to '{alias}' in filters, orders or limits."))
}
