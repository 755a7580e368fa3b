//! The query string: which key means what, and to which embed it is addressed.
//! What the values mean is the grammar's business (`request::parse`).

use super::range::Bounds;
use crate::{
    error::Result,
    request::{
        EmbedPath, Query,
        filter::{Filter, Operation},
        literal::Literal,
        parse,
        select::SelectItem,
        urlencoded::{self, Pair},
    },
};
use std::collections::HashMap;

/// What a key without an operator in its value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// A mistake.
    Refused,
    /// An argument of the function called.
    Argument,
}

impl Plain {
    /// The condition; `None` for an argument.
    fn condition(self, value: &str) -> Result<Option<(bool, Operation)>> {
        match self {
            Plain::Refused => parse::condition(value).map(Some),
            Plain::Argument => parse::condition_if_any(value),
        }
    }
}

/// A query string, split and decoded.
pub(super) struct Parameters<'a> {
    pairs: Vec<Pair<'a>>,
}

/// What a query string says.
pub(super) struct Parsed {
    /// All but the range of the root.
    pub(super) query: Query,
    /// `limit` and `offset` of the root.
    pub(super) bounds: Bounds,
    /// `columns=`.
    pub(super) columns: Option<Vec<String>>,
    /// `on_conflict=`.
    pub(super) on_conflict: Option<Vec<String>>,
    /// Arguments of a call.
    pub(super) arguments: Vec<(String, Literal)>,
}

/// The keys that mean something, by their last word; everything else filters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Select,
    Columns,
    OnConflict,
    Order,
    Limit,
    Offset,
    Logic,
    Filter,
}

impl Key {
    fn of(key: &str) -> Key {
        match key {
            "select" => Key::Select,
            "columns" => Key::Columns,
            "on_conflict" => Key::OnConflict,
            _ => match key.as_bytes().rsplit(|letter| *letter == b'.').next() {
                Some(b"order") => Key::Order,
                Some(b"limit") => Key::Limit,
                Some(b"offset") => Key::Offset,
                Some(b"and" | b"or") => Key::Logic,
                Some(_) | None => Key::Filter,
            },
        }
    }
}

impl<'a> Parameters<'a> {
    pub(super) fn new(query: Option<&'a str>) -> Result<Parameters<'a>> {
        Ok(Parameters { pairs: urlencoded::pairs(query.unwrap_or_default())? })
    }

    /// Keys with their values, without those that have none.
    fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().filter_map(|(key, value)| Some((key.as_ref(), value.as_deref()?)))
    }

    /// The value of the first pair with this key.
    fn first(&self, wanted: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == wanted).and_then(|(_, value)| value.as_deref())
    }

    /// The pairs of this sort.
    fn of(&self, sort: Key) -> impl Iterator<Item = (&str, &str)> {
        self.given().filter(move |(key, _)| Key::of(key) == sort)
    }

    /// Of several mistakes the one is told that PostgREST finds first, so the sorts are taken in its order.
    pub(super) fn parse(&self, plain: Plain) -> Result<Parsed> {
        let mut query = Query::default();
        for (key, value) in self.of(Key::Order) {
            query.order.push((parse::tree_path(key)?.0, parse::order(value)?));
        }
        for (key, value) in self.of(Key::Logic) {
            query.logic.push(parse::logic(key, value)?);
        }
        let columns = self.first("columns").map(parse::columns).transpose()?;
        query.select = match self.first("select") {
            Some(select) => parse::select(select)?,
            None => vec![SelectItem::Every],
        };
        let mut arguments = Vec::new();
        for (key, value) in self.of(Key::Filter) {
            let (path, field) = parse::tree_path(key)?;
            match plain.condition(value)? {
                Some((negated, operation)) => {
                    query.filters.push((path, Filter { field, negated, operation }))
                }
                None => arguments.push((field.name, value.to_owned().into())),
            }
        }
        let on_conflict = self.first("on_conflict").map(parse::on_conflict).transpose()?;
        let mut ranges = Ranges::default();
        for (key, value) in self.of(Key::Limit) {
            ranges.of(key)?.1 = Some(value);
        }
        for (key, value) in self.of(Key::Offset) {
            ranges.of(key)?.2 = Some(value);
        }
        let (bounds, embedded) = ranges.split();
        for (path, bounds) in embedded {
            query.ranges.push((path, bounds.of_embed()));
        }
        Ok(Parsed { query, bounds, columns, on_conflict, arguments })
    }

    /// The same query in the one form that all who ask it share: sorted by key,
    /// values of one key joined with commas.
    pub(super) fn canonical(&self) -> String {
        let mut pairs: Vec<&Pair<'a>> = self.pairs.iter().collect();
        // Stable: values of one key stay in their order.
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut text = String::new();
        let mut last = None;
        for (key, value) in pairs {
            if last == Some(key) {
                text.push(',');
            } else {
                if last.is_some() {
                    text.push('&');
                }
                text.extend(urlencoded::encode(key));
                text.push('=');
                last = Some(key);
            }
            text.extend(urlencoded::encode(value.as_deref().unwrap_or_default()));
        }
        text
    }
}

/// Limit and offset by path; of several for one path the last one counts.
#[derive(Default)]
struct Ranges<'a> {
    /// In the order in which the paths were first named.
    all: Vec<Limits<'a>>,
    places: HashMap<EmbedPath, usize>,
}

/// A path, its limit and its offset.
type Limits<'a> = (EmbedPath, Option<&'a str>, Option<&'a str>);

impl<'a> Ranges<'a> {
    fn of(&mut self, key: &str) -> Result<&mut Limits<'a>> {
        let (path, _) = parse::tree_path(key)?;
        let place = match self.places.get(&path) {
            Some(place) => *place,
            None => {
                self.places.insert(path.clone(), self.all.len());
                self.all.push((path, None, None));
                self.all.len() - 1
            }
        };
        Ok(&mut self.all[place])
    }

    /// The root's, and the embeds'.
    fn split(self) -> (Bounds, Vec<(EmbedPath, Bounds)>) {
        let bounds = self.all.into_iter().map(|(path, limit, offset)| (path, Bounds::new(limit, offset)));
        let (root, embedded): (Vec<_>, Vec<_>) = bounds.partition(|(path, _)| path.is_empty());
        let root = root.into_iter().next().map_or(Bounds::new(None, None), |(_, bounds)| bounds);
        (root, embedded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{
        range::{EmbedRange, Range},
        select::Field,
    };

    fn parsed(query: &str, plain: Plain) -> Result<Parsed> {
        Parameters::new(Some(query))?.parse(plain)
    }

    #[test]
    fn keys_are_addressed_to_embeds_by_their_paths() {
        let found = parsed(
            "a.b.order=c.desc&a.limit=3&a.offset=1&a.or=(x.eq.1,y.eq.2)&a.z=gt.4&id=eq.1&order=id",
            Plain::Refused,
        )
        .unwrap()
        .query;
        assert_eq!(found.order[0].0, ["a", "b"]);
        assert_eq!(found.order[1].0, Vec::<String>::new());
        let range = EmbedRange::Rows(Range { offset: 1, limit: Some(3) }.into());
        assert_eq!(found.ranges, [(vec!["a".to_owned()], range)]);
        assert_eq!(found.logic[0].0, ["a"]);
        assert_eq!(found.filters[0].0, ["a"]);
        assert_eq!(found.filters[1].1.field, Field::column("id"));
    }

    #[test]
    fn keys_without_a_value_and_of_two_selects_the_second_are_nothing() {
        let found = parsed("flag&select=id&select=name,id", Plain::Refused).unwrap();
        assert_eq!(found.query.select.len(), 1);
        assert!(found.query.filters.is_empty());
    }

    #[test]
    fn a_star_is_selected_where_nothing_is_said_but_not_by_an_empty_list() {
        let select = |query| parsed(query, Plain::Refused).unwrap().query.select;
        assert_eq!(select(""), select("select=*"));
        assert_eq!((select("").len(), select("select=").len()), (1, 0));
    }

    #[test]
    fn values_without_an_operator_are_arguments_of_functions_and_faults_elsewhere() {
        let found = parsed("name=x&name=y&id=eq.1&select=id", Plain::Argument).unwrap();
        let pair = |key: &str, value: &'static str| (key.to_owned(), value.into());
        assert_eq!(found.arguments, [pair("name", "x"), pair("name", "y")]);
        assert_eq!(found.query.filters.len(), 1);
        assert_eq!(parsed("id=in.1,2", Plain::Argument).map(|_| ()).unwrap_err().code(), "PGRST100");
        assert_eq!(parsed("name=x", Plain::Refused).map(|_| ()).unwrap_err().code(), "PGRST100");
    }

    #[test]
    fn names_of_columns_are_taken_apart() {
        let found = parsed("columns=a,b&on_conflict=c", Plain::Refused).unwrap();
        assert_eq!(found.columns.unwrap(), ["a", "b"]);
        assert_eq!(found.on_conflict.unwrap(), ["c"]);
    }

    #[test]
    fn the_canonical_form_is_sorted_and_encoded() {
        let canonical = |query| Parameters::new(Some(query)).unwrap().canonical();
        assert_eq!(canonical("a=1&c=3&b=2&d"), "a=1&b=2&c=3&d=");
        assert_eq!(canonical("select=a->>b,c&id=gt.1&id=lt.9"), "id=gt.1,lt.9&select=a-%3E%3Eb%2Cc");
        assert_eq!(canonical(""), "");
    }
}
