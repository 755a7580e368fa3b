//! How complex a request may be. Without limits a short URL could ask for
//! a statement that PostgreSQL plans for minutes.

use crate::{
    error::{Error, Fault, Result},
    request::{
        Query,
        filter::{Filter, Is, Logic, Operation},
        select::{Embed, EmbedForm, Field, Join, SelectItem},
    },
};

/// At most so many of something.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// How many.
    pub most: usize,
    /// Of what.
    pub what: &'static str,
}

/// How deep embeds may be nested.
pub const EMBED_DEPTH: Limit = Limit { most: 20, what: "levels of embedding" };
/// How many embeds a request may have in all.
pub const EMBEDS: Limit = Limit { most: 100, what: "embedded resources" };
/// How many of them may decide which rows there are, as `!inner` or by a comparison with null. PostgreSQL tries the orders
/// in which it can join these, so each costs more than the one before.
pub const REQUIRED_EMBEDS: Limit = Limit { most: 10, what: "inner embeds and filters on embeds" };
/// How many items all select lists may have together.
pub const SELECTED: Limit = Limit { most: 3000, what: "selected fields" };
/// How many conditions a request may have in all.
pub const CONDITIONS: Limit = Limit { most: 1000, what: "filters" };
/// How many that may be, multiplied by the embeds: PostgreSQL carries a condition on a column that is joined by over to
/// every relation that it is joined with.
pub const CONDITIONS_BY_EMBEDS: Limit = Limit { most: 10_000, what: "filters times embedded resources" };
/// How deep logic trees may be nested.
pub const LOGIC_DEPTH: Limit = Limit { most: 50, what: "levels of logic" };
/// How many terms all orders may have together.
pub const ORDER_TERMS: Limit = Limit { most: 200, what: "order terms" };
/// How many steps a path into JSON may have.
pub const PATH_STEPS: Limit = Limit { most: 100, what: "steps in a path" };

/// All of them; LIMITS.md has the same.
pub const ALL: [Limit; 9] = [
    EMBED_DEPTH,
    EMBEDS,
    REQUIRED_EMBEDS,
    SELECTED,
    CONDITIONS,
    CONDITIONS_BY_EMBEDS,
    LOGIC_DEPTH,
    ORDER_TERMS,
    PATH_STEPS,
];

/// Refuses what is over the limits.
pub(super) fn check(query: &Query) -> Result<()> {
    let mut size = Size::default();
    size.select(&query.select, 0)?;
    within(size.count(), EMBEDS)?;
    for (path, logic) in &query.logic {
        size.logic(logic, 1, path.len())?;
    }
    within(size.count(), EMBEDS)?;
    for (_, filter) in &query.filters {
        size.filter(filter)?;
    }
    for term in query.order.iter().flat_map(|(_, terms)| terms) {
        path(&term.field)?;
    }
    within(size.required, REQUIRED_EMBEDS)?;
    within(size.selected, SELECTED)?;
    within(size.conditions, CONDITIONS)?;
    within(size.conditions * size.count(), CONDITIONS_BY_EMBEDS)?;
    within(query.order.iter().map(|(_, terms)| terms.len()).sum(), ORDER_TERMS)
}

/// Refuses a select list that names more columns than all of them may have, by stars that stand for every one.
pub(super) fn columns(count: usize) -> Result<()> {
    within(count, SELECTED)
}

#[derive(Default)]
struct Size<'q> {
    /// What they are called in filters.
    embeds: Vec<&'q str>,
    /// How many more relations conditions look into.
    related: usize,
    required: usize,
    selected: usize,
    conditions: usize,
}

impl<'q> Size<'q> {
    fn select(&mut self, items: &'q [SelectItem], depth: usize) -> Result<()> {
        within(depth, EMBED_DEPTH)?;
        self.selected += items.len();
        for item in items {
            match item {
                SelectItem::Every => {}
                SelectItem::Field { field, .. } => path(field)?,
                SelectItem::Embed(embed) => {
                    self.embeds.push(name(embed));
                    self.required += usize::from(embed.join == Some(Join::Inner));
                    self.select(&embed.select, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn filter(&mut self, filter: &Filter) -> Result<()> {
        self.conditions += 1;
        let compares_with_null = matches!(filter.operation, Operation::Is(Is::Null | Is::NotNull));
        self.required += usize::from(compares_with_null && self.embeds.contains(&filter.field.name.as_str()));
        path(&filter.field)
    }

    /// A tree at this depth, about rows of this level of embedding.
    fn logic(&mut self, logic: &Logic, depth: usize, level: usize) -> Result<()> {
        within(depth, LOGIC_DEPTH)?;
        match logic {
            Logic::Filter(filter) => self.filter(filter),
            Logic::Group { members, .. } => {
                members.iter().try_for_each(|member| self.logic(member, depth + 1, level))
            }
            Logic::Related(related) => {
                within(level + 1, EMBED_DEPTH)?;
                self.related += 1;
                self.required += 1;
                related.members.iter().try_for_each(|member| self.logic(member, depth + 1, level + 1))
            }
        }
    }

    fn count(&self) -> usize {
        self.embeds.len() + self.related
    }
}

/// What an embed is called in filters.
fn name(embed: &Embed) -> &str {
    match &embed.form {
        EmbedForm::Nested { alias: Some(alias) } | EmbedForm::Count { alias } => alias,
        EmbedForm::Nested { alias: None } | EmbedForm::Spread => &embed.target,
    }
}

fn path(field: &Field) -> Result<()> {
    within(field.path.len(), PATH_STEPS)
}

fn within(size: usize, Limit { most, what }: Limit) -> Result<()> {
    if size <= most {
        return Ok(());
    }
    Err(Error::new(Fault::RequestTooComplex, "The request is too complex")
        .details(format!("A request can have at most {most} {what}.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::parse;

    #[test]
    fn the_limits_are_those_of_limits_md() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/LIMITS.md")).unwrap();
        let rows: Vec<_> = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1).collect();
        let rows: Vec<_> = rows.into_iter().take_while(|line| line.starts_with('|')).collect();
        let limits = ALL.map(|Limit { most, what }| format!("| {what} | {most} |"));
        assert_eq!(rows, limits);
        assert!(text.contains(&format!("deeper than {} levels", parse::MAX_DEPTH)));
    }

    #[test]
    fn the_details_name_the_limit() {
        let query = Query {
            select: parse::select("a,".repeat(3001).trim_end_matches(',')).unwrap(),
            ..Query::default()
        };
        let error = check(&query).unwrap_err();
        assert_eq!(error.code(), "PGDUET09");
        assert_eq!(error.details.unwrap(), "A request can have at most 3000 selected fields.");
    }

    #[test]
    fn embeds_that_decide_which_rows_there_are_are_counted_however_that_is_said() {
        let query = |select: &str, filters: usize| {
            let filter = parse::filter("a", "not.is.null").unwrap();
            let select = parse::select(select).unwrap();
            Query { select, filters: vec![filter; filters], ..Query::default() }
        };
        let nested = format!("a:b!inner({}{}", "c!inner(".repeat(8), ")".repeat(9));
        assert!(check(&query(&nested, 1)).is_ok());
        assert!(check(&query(&nested, 2)).is_err());
        assert!(check(&query("b(*)", 11)).is_ok());
        assert!(check(&query("x:a(*)", 11)).is_ok());
    }
}
