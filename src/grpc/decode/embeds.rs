//! `embeds`: fields, conditions, order, number and necessity of embedded rows. They are added to the embeds that the mask
//! selects; an embed that neither the mask nor a mask of its own names can only be required, and nothing of it is returned.

use super::{Relation, all_known, order};
use crate::{
    error::Result,
    grpc::{
        method::number,
        refuse::{refuse, within},
        selection::{Selection, selected},
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
    /// What the mask in one field of a reading request selects, and the masks of embeds in another one.
    pub(super) fn selection_with_embeds(&self, mask: u32, embeds: u32) -> Result<Selection> {
        let mut selection = self.selection(mask)?;
        self.select_embeds(embeds, &mut selection)?;
        Ok(selection)
    }

    fn select_embeds(&self, number: u32, selection: &mut Selection) -> Result<()> {
        if !self.message.has_field_by_number(number) {
            return Ok(());
        }
        let value = self.message.get_field_by_number(number);
        let Some(said) = value.as_deref().and_then(|value| value.as_message()) else { return Ok(()) };
        for (descriptor, value) in said.fields() {
            let at = self.resource.embeds.iter().position(|embed| embed.number == descriptor.number());
            let Some((at, embed)) = at.and_then(|at| Some((at, self.resource.embeds.get(at)?))) else {
                continue;
            };
            let (Some(message), Some(resource)) = (value.as_message(), self.package.resource(embed.resource))
            else {
                continue;
            };
            let inner = Relation { resource, at: embed.resource, message, ..*self };
            let place = format!("{}.{}", self.request_field(number), embed.name);
            let mut below = match message.has_field_by_number(number::READ_MASK) {
                true => inner.selection(number::READ_MASK).map_err(|error| within(&place, error))?,
                false => selection.embed(at).cloned().unwrap_or_default(),
            };
            inner.select_embeds(number::EMBEDS, &mut below).map_err(|error| within(&place, error))?;
            if !below.is_empty() {
                selection.set_embed(at, below);
            }
        }
        Ok(())
    }

    /// Adds what the field of this number says of embeds to a query that has its select list.
    pub(super) fn embeds(&self, number: u32, query: &mut Query) -> Result<()> {
        let mut select = std::mem::take(&mut query.select);
        self.embeds_below(number, Unnamed::Refused, &EmbedPath::new(), &mut select, query)?;
        query.select = select;
        Ok(())
    }

    /// The same, where the relation itself is embedded, at `path` and with this select list.
    fn embeds_below(
        &self,
        number: u32,
        unnamed: Unnamed,
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
            let is_required = Relation { message, ..*self }.flag(number::EMBED_REQUIRED);
            if unnamed == Unnamed::Ignored && !is_required {
                continue;
            }
            self.embed(embed, target, message, path, select, query)
                .map_err(|error| within(&format!("{place}.{}", embed.name), error))?;
        }
        Ok(())
    }

    /// What `message` says of one embed of the rows at `path`. Its conditions hold for its number, too; order and part of
    /// its rows do not change that.
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
        let counted = embed.count.as_ref().and_then(|count| {
            let at = select.iter().position(|item| is_called(item, &count.name))?;
            Some((at, count))
        });
        if let Some((at, count)) = counted
            && let Some(SelectItem::Embed(item)) = select.get_mut(at)
        {
            let path = below(path, &count.name);
            inner.conditions_below(&path, query)?;
            inner.embeds_below(number::EMBEDS, Unnamed::Ignored, &path, &mut item.select, query)?;
        }
        let found = match select.iter().position(|item| is_called(item, &embed.name)) {
            Some(at) => select.get_mut(at),
            None if required => {
                select.push(SelectItem::Embed(selected(embed, Vec::new())));
                select.last_mut()
            }
            None if counted.is_some() => None,
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
        let path = below(path, &embed.name);
        inner.conditions_below(&path, query)?;
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
        inner.embeds_below(number::EMBEDS, Unnamed::Refused, &path, &mut item.select, query)
    }

    /// Adds `where` and `filter` as conditions on the rows at `path`.
    fn conditions_below(&self, path: &EmbedPath, query: &mut Query) -> Result<()> {
        let mut said = Query::default();
        self.conditions(&mut said)?;
        let below = |rest: EmbedPath| [path.as_slice(), &rest].concat();
        query.filters.extend(said.filters.into_iter().map(|(rest, filter)| (below(rest), filter)));
        query.logic.extend(said.logic.into_iter().map(|(rest, tree)| (below(rest), tree)));
        Ok(())
    }
}

/// What becomes of what is said of an embed that no mask names and that is not required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unnamed {
    /// It is refused: it would change nothing.
    Refused,
    /// It is about rows, and here they are counted.
    Ignored,
}

/// The path of the embed of this name.
fn below(path: &EmbedPath, name: &str) -> EmbedPath {
    let mut path = path.clone();
    path.push(name.to_owned());
    path
}

/// Whether an item is the embed of this name, or its number of rows under this name.
fn is_called(item: &SelectItem, name: &str) -> bool {
    match item {
        SelectItem::Embed(Embed { target, form: EmbedForm::Nested { alias }, .. }) => {
            alias.as_deref().unwrap_or(target) == name
        }
        SelectItem::Embed(Embed { form: EmbedForm::Count { alias }, .. }) => alias == name,
        SelectItem::Embed(Embed { form: EmbedForm::Spread, .. })
        | SelectItem::Every
        | SelectItem::Field { .. } => false,
    }
}
