//! How complex a request may be. Without limits a short URL could ask for
//! a statement that PostgreSQL plans for minutes.

use crate::{
    error::{Error, Fault, Result},
    request::{
        Query,
        filter::{Filter, Logic},
        select::{Field, SelectItem},
    },
};

/// How deep embeds may be nested.
pub const EMBED_DEPTH: usize = 20;
/// How many embeds a request may have in all.
pub const EMBEDS: usize = 200;
/// How many items all select lists may have together.
pub const SELECTED: usize = 3000;
/// How many conditions a request may have in all.
pub const CONDITIONS: usize = 1000;
/// How deep logic trees may be nested.
pub const LOGIC_DEPTH: usize = 50;
/// How many terms all orders may have together.
pub const ORDER_TERMS: usize = 200;
/// How many steps a path into JSON may have.
pub const PATH_STEPS: usize = 100;

/// Refuses what is over the limits.
pub(super) fn check(query: &Query) -> Result<()> {
    let mut size = Size::default();
    size.select(&query.select, 0)?;
    for (_, logic) in &query.logic {
        size.logic(logic, 1)?;
    }
    for (_, filter) in &query.filters {
        size.filter(filter)?;
    }
    for term in query.order.iter().flat_map(|(_, terms)| terms) {
        path(&term.field)?;
    }
    within(size.embeds, EMBEDS, "embedded resources")?;
    within(size.selected, SELECTED, "selected fields")?;
    within(size.conditions, CONDITIONS, "filters")?;
    within(query.order.iter().map(|(_, terms)| terms.len()).sum(), ORDER_TERMS, "order terms")
}

#[derive(Default)]
struct Size {
    embeds: usize,
    selected: usize,
    conditions: usize,
}

impl Size {
    fn select(&mut self, items: &[SelectItem], depth: usize) -> Result<()> {
        within(depth, EMBED_DEPTH, "levels of embedding")?;
        self.selected += items.len();
        for item in items {
            match item {
                SelectItem::Field { field, .. } => path(field)?,
                SelectItem::Embed(embed) => {
                    self.embeds += 1;
                    self.select(&embed.select, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn filter(&mut self, filter: &Filter) -> Result<()> {
        self.conditions += 1;
        path(&filter.field)
    }

    fn logic(&mut self, logic: &Logic, depth: usize) -> Result<()> {
        within(depth, LOGIC_DEPTH, "levels of logic")?;
        match logic {
            Logic::Filter(filter) => self.filter(filter),
            Logic::Group { members, .. } => {
                members.iter().try_for_each(|member| self.logic(member, depth + 1))
            }
        }
    }
}

fn path(field: &Field) -> Result<()> {
    within(field.path.len(), PATH_STEPS, "steps in a path")
}

fn within(size: usize, limit: usize, what: &str) -> Result<()> {
    if size <= limit {
        return Ok(());
    }
    Err(Error::new(Fault::RequestTooComplex, "The request is too complex")
        .details(format!("A request can have at most {limit} {what}.")))
}
