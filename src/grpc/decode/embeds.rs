//! `embeds`: conditions, order, number and necessity of embedded rows. They are added to the embeds that the mask selects;
//! an embed that the mask does not name can only be required, and nothing of it is returned.

use super::{Relation, all_known, order};
use crate::{
    error::Result,
    grpc::{
        method::number,
        refuse::{refuse, within},
        selection::selected,
        surface::{self, Resource},
    },
    request::{
        EmbedPath, Query,
        range::{EmbedRange, Range},
        select::{Embed, EmbedForm, Join, SelectItem},
    },
};
use prost_reflect::DynamicMessage;

impl Relation<'_> {
    /// Adds what the field of this number says of embeds to a query that has its select list.
    pub(super) fn embeds(&self, number: u32, query: &mut Query) -> Result<()> {
        let mut select = std::mem::take(&mut query.select);
        self.embeds_below(number, &EmbedPath::new(), &mut select, query)?;
        query.select = select;
        Ok(())
    }

    /// The same, where the relation itself is embedded, at `path` and with this select list.
    fn embeds_below(
        &self,
        number: u32,
        path: &EmbedPath,
        select: &mut Vec<SelectItem>,
        query: &mut Query,
    ) -> Result<()> {
        if !self.message.has_field_by_number(number) {
            return Ok(());
        }
        let place = self.request_field(number);
        let value = self.message.get_field_by_number(number);
        let Some(said) = value.as_deref().and_then(|value| value.as_message()) else { return Ok(()) };
        all_known(said, &place)?;
        for (descriptor, value) in said.fields() {
            let embed = self.resource.embeds.iter().find(|embed| embed.number == descriptor.number());
            let (Some(embed), Some(message)) = (embed, value.as_message()) else { continue };
            let Some(target) = self.package.resource(embed.resource) else { continue };
            all_known(message, &format!("{place}.{}", embed.name))?;
            self.embed(embed, target, message, path, select, query)
                .map_err(|error| within(&format!("{place}.{}", embed.name), error))?;
        }
        Ok(())
    }

    /// What `message` says of one embed of the rows at `path`.
    fn embed(
        &self,
        embed: &surface::Embed,
        target: &Resource,
        message: &DynamicMessage,
        path: &EmbedPath,
        select: &mut Vec<SelectItem>,
        query: &mut Query,
    ) -> Result<()> {
        let inner = Relation { resource: target, at: embed.resource, message, ..*self };
        let required = inner.flag(number::EMBED_REQUIRED);
        let found = match select.iter().position(|item| is_called(item, &embed.name)) {
            Some(at) => select.get_mut(at),
            None if required => {
                select.push(SelectItem::Embed(selected(embed, Vec::new())));
                select.last_mut()
            }
            None => {
                return Err(refuse(
                    "required",
                    "is not set, and no read_mask names the embed: it would change nothing",
                ));
            }
        };
        let Some(SelectItem::Embed(item)) = found else { return Ok(()) };
        if required {
            item.join = Some(Join::Inner);
        }
        let mut path = path.clone();
        path.push(embed.name.clone());
        let mut said = Query::default();
        inner.conditions(&mut said)?;
        let below = |rest: EmbedPath| [path.as_slice(), &rest].concat();
        query.filters.extend(said.filters.into_iter().map(|(rest, filter)| (below(rest), filter)));
        query.logic.extend(said.logic.into_iter().map(|(rest, tree)| (below(rest), tree)));
        let order = order::terms(target, &inner.grammar(number::ORDER_BY)?)?;
        if !order.is_empty() {
            query.order.push((path.clone(), order));
        }
        let offset = inner.count_field(number::SKIP)?;
        let limit = match message.has_field_by_number(number::EMBED_LIMIT) {
            true => Some(inner.count_field(number::EMBED_LIMIT)?),
            false => None,
        };
        if offset > 0 || limit.is_some() {
            query.ranges.push((path.clone(), EmbedRange::Rows(Range { offset: offset.into(), limit })));
        }
        inner.embeds_below(number::EMBEDS, &path, &mut item.select, query)
    }
}

/// Whether an item is the embed of this name.
fn is_called(item: &SelectItem, name: &str) -> bool {
    match item {
        SelectItem::Embed(Embed { target, form: EmbedForm::Nested { alias }, .. }) => {
            alias.as_deref().unwrap_or(target) == name
        }
        SelectItem::Embed(Embed { form: EmbedForm::Spread, .. })
        | SelectItem::Every
        | SelectItem::Field { .. } => false,
    }
}
