//! Pages. A page token is a keyset: the values that the last row has in the
//! columns of the order, to which the key is always added. The next page begins
//! after them, so that rows inserted or deleted meanwhile neither repeat others
//! nor hide them. Without a key, or ordered by an embed, it is an offset.

use super::{Answer, Call, Relation, Surroundings, order, predicate::leaf};
use crate::{
    error::Result,
    grpc::{
        encode::Page,
        method::number,
        page_token::{Binding, Position},
        refuse::refuse,
        surface::{self, Presence, Resource},
    },
    request::{
        Action, Excess, Request,
        filter::{Is, Junction, Logic, Operation},
        operator::Operator,
        order::{Direction, Nulls, OrderTerm},
        prefer::{Count, Preferences},
        select::{Field, SelectItem},
    },
};

/// `page_size` 0.
const DEFAULT_ROWS: u64 = 100;
/// The most rows on a page.
const MAX_ROWS: u64 = 10_000;
/// The most bytes on a page: clients take 4 MiB by default, and the token and
/// the total come after the rows.
pub(crate) const MAX_BYTES: usize = (4 << 20) - (64 << 10);

/// What a page is made by.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    /// How much goes on it.
    pub(crate) page: Page,
    /// What its token is bound to.
    pub(crate) binding: Binding,
    /// Rows that were passed over, where a token is an offset.
    pub(crate) offset: u64,
    /// Finds the total, where the request itself cannot.
    pub(crate) count: Option<Box<Request>>,
}

impl Paging {
    /// The place of the page after one that ended with these keys.
    pub(crate) fn next(&self, keys: Vec<Option<String>>, taken: u64) -> Position {
        if self.page.keys == 0 { Position::Offset(self.offset + taken) } else { Position::Keyset(keys) }
    }
}

impl Relation<'_> {
    pub(super) fn list(self, surroundings: Surroundings<'_>) -> Result<Call> {
        let selection = self.selection_with_embeds(number::READ_MASK, number::EMBEDS)?;
        let mut query = self.query(&selection);
        self.conditions(&mut query)?;
        self.embeds(number::EMBEDS, &mut query)?;
        let order_text = self.grammar(number::ORDER_BY)?;
        let mut terms = order::terms(self.resource, &order_text)?;
        let keyset = add_key(self.resource, &mut terms);
        let binding = self.binding();
        let mut offset = self.count_field(number::SKIP)?;
        let token = self.text(number::PAGE_TOKEN);
        let rows = match self.count_field(number::PAGE_SIZE)? {
            0 => DEFAULT_ROWS,
            rows => rows.min(MAX_ROWS),
        };
        let rows = rows.min(surroundings.max_rows.unwrap_or(rows));

        let preferences = Preferences { count: self.count()?, ..Preferences::default() };
        let without_place = query.clone();
        if !token.is_empty() {
            match surroundings.sealer.open(&token, &binding)? {
                Position::Offset(passed) => offset = offset.saturating_add(passed),
                Position::Keyset(values) if keyset && values.len() == terms.len() => {
                    query.logic.push((Vec::new(), after(self.resource, &terms, &values)));
                }
                Position::Keyset(_) => return Err(refuse("page_token", "is of another query")),
            }
        }
        let keys = if keyset { terms.len() } else { 0 };
        if keyset {
            query.select.extend(terms.iter().enumerate().map(key_column));
        }
        if !terms.is_empty() {
            query.order.push((Vec::new(), terms));
        }
        query.range.offset = offset.into();
        // One more, to know whether there is a next page.
        query.range.limit = Some(rows + 1);
        query.excess = Excess::Told;

        let paging = Paging { page: Page { rows, bytes: MAX_BYTES, keys }, binding, offset, count: None };
        let action = Action::Read { relation: self.resource.relation.clone() };
        let counts = preferences.count.is_some() && !token.is_empty() && keyset;
        let mut call =
            self.call(surroundings, action, query, preferences, &selection, Answer::Page(Box::new(paging)));
        if counts && let Answer::Page(paging) = &mut call.answer {
            // With the keyset among the conditions only what is left would be counted.
            let mut count = Request { query: without_place, ..(*call.request).clone() };
            count.query.range.limit = Some(0);
            paging.count = Some(Box::new(count));
            call.request.preferences.count = None;
        }
        Ok(call)
    }

    fn count(&self) -> Result<Option<Count>> {
        let mode = self.message.get_field_by_number(number::COUNT).and_then(|mode| mode.as_enum_number());
        match mode.unwrap_or_default() {
            0 => Ok(None),
            1 => Ok(Some(Count::Exact)),
            2 => Ok(Some(Count::Planned)),
            3 => Ok(Some(Count::Estimated)),
            other => Err(refuse("count", format!("{other} is no value of its enum"))),
        }
    }

    /// A token is of this query: method, conditions, order and embeds, which can be conditions.
    fn binding(&self) -> Binding {
        let mut query =
            prost_reflect::DynamicMessage::new(prost_reflect::ReflectMessage::descriptor(self.message));
        for number in [number::WHERE, number::FILTER, number::ORDER_BY, number::EMBEDS] {
            if let Some(value) = self.message.get_field_by_number(number)
                && self.message.has_field_by_number(number)
            {
                query.set_field_by_number(number, value.into_owned());
            }
        }
        Binding::new(prost_reflect::ReflectMessage::descriptor(self.message).full_name(), &query)
    }
}

/// Adds to an order what makes it total; whether that is possible.
fn add_key(resource: &Resource, terms: &mut Vec<OrderTerm>) -> bool {
    if resource.key.is_empty() || terms.iter().any(|term| term.relation.is_some()) {
        return false;
    }
    for field in resource.key.iter().filter_map(|at| resource.fields.get(*at)) {
        let field = Field::column(&field.column);
        if !terms.iter().any(|term| term.field == field) {
            terms.push(OrderTerm { relation: None, field, aggregate: None, direction: None, nulls: None });
        }
    }
    true
}

/// The value of a term, as text, under a name that no column has.
fn key_column((at, term): (usize, &OrderTerm)) -> SelectItem {
    SelectItem::Field {
        field: term.field.clone(),
        cast: Some("text".to_owned()),
        aggregate: None,
        alias: Some(format!("pgduet_key_{at}")),
    }
}

/// What holds for the rows after the one with these values: for one of the
/// terms they come later, and in all terms before it they are equal.
fn after(resource: &Resource, terms: &[OrderTerm], values: &[Option<String>]) -> Logic {
    let mut equal: Vec<Logic> = Vec::new();
    let mut later = Vec::new();
    for (term, value) in terms.iter().zip(values) {
        if let Some(step) = later_in(resource, term, value.as_deref()) {
            let members = equal.iter().cloned().chain([step]).collect();
            later.push(Logic::Group { negated: false, junction: Junction::And, members });
        }
        equal.push(match value {
            Some(value) => compare(term, Operator::Eq, value),
            None => leaf(term.field.clone(), Operation::Is(Is::Null)),
        });
    }
    if later.is_empty() {
        // Nothing comes after NULL where NULLs are last: no row has a key that is and is not NULL.
        later = terms
            .iter()
            .take(1)
            .map(|term| Logic::Group {
                negated: false,
                junction: Junction::And,
                members: [Is::Null, Is::NotNull].map(|is| leaf(term.field.clone(), Operation::Is(is))).into(),
            })
            .collect();
    }
    Logic::Group { negated: false, junction: Junction::Or, members: later }
}

/// What holds for the rows that come later by one term; none if none do.
fn later_in(resource: &Resource, term: &OrderTerm, value: Option<&str>) -> Option<Logic> {
    let descending = term.direction == Some(Direction::Desc);
    let default = if descending { Nulls::First } else { Nulls::Last };
    let nulls = term.nulls.unwrap_or(default);
    let Some(value) = value else {
        return match nulls {
            Nulls::First => Some(leaf(term.field.clone(), Operation::Is(Is::NotNull))),
            Nulls::Last => None,
        };
    };
    let beyond = compare(term, if descending { Operator::Lt } else { Operator::Gt }, value);
    let is_required = |field: &surface::Field| match field.presence {
        Presence::Required | Presence::Defaulted => field.column == term.field.name,
        Presence::Optional | Presence::Computed => false,
    };
    let never_null = term.field.path.is_empty() && resource.fields.iter().any(is_required);
    if nulls == Nulls::First || never_null {
        return Some(beyond);
    }
    let null = leaf(term.field.clone(), Operation::Is(Is::Null));
    Some(Logic::Group { negated: false, junction: Junction::Or, members: vec![beyond, null] })
}

fn compare(term: &OrderTerm, operator: Operator, value: &str) -> Logic {
    leaf(
        term.field.clone(),
        Operation::Compare { operator, quantifier: None, value: value.to_owned().into() },
    )
}
