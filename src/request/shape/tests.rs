//! What two requests have to have in common to be of one shape.

use super::*;
use crate::{
    media::MediaType,
    request::{CallAccess, literal::Number, parse},
};

/// A read with these filters, and a range of the root and of an embed.
fn read(filters: &[(&str, &str)], logic: &str, range: Range<u64>) -> Request {
    let query = Query {
        select: parse::select("id,other(*)").unwrap(),
        filters: filters.iter().map(|(key, value)| parse::filter(key, value).unwrap()).collect(),
        logic: vec![parse::logic("or", logic).unwrap()],
        ranges: vec![(vec!["other".to_owned()], EmbedRange::Rows(range.into()))],
        range: range.into(),
        ..Query::default()
    };
    request(Action::Read { relation: "item".to_owned() }, query)
}

fn request(action: Action, query: Query) -> Request {
    Request {
        schema: "api".to_owned(),
        action,
        query,
        preferences: Preferences { timezone: Some("UTC".to_owned()), ..Preferences::default() },
        accept: Accept::Media(vec![MediaType::Json]),
        context: Context { path: "/item".into(), ..Context::default() },
        deadline: Some(Duration::from_secs(1)),
    }
}

fn pages(offset: u64, limit: u64) -> Range<u64> {
    Range { offset, limit: Some(limit) }
}

#[test]
fn requests_that_differ_in_values_alone_have_one_shape() {
    let one = read(&[("id", "eq.1"), ("a", "in.(1,2)")], "(b.like.x*,c.not.fts.y)", pages(10, 5));
    let mut other = read(&[("id", "eq.2"), ("a", "in.(3)")], "(b.like.z,c.not.fts.w)", pages(3, 5));
    other.preferences.timezone = None;
    other.preferences.unknown = vec!["anything".to_owned()];
    other.context.path = "/elsewhere".into();
    other.deadline = None;
    let ((one, first, told), (other, second, _)) = (one.split(), other.split());
    assert_eq!(one, other);
    assert_eq!(told.timezone.as_deref(), Some("UTC"));
    let texts = |literals: &Literals| literals.0.iter().map(|text| text.to_vec()).collect::<Vec<_>>();
    let expected = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    assert_eq!(texts(&first), expected(&["1", r#"{"1","2"}"#, "x%", "y", "10", "10"]));
    assert_eq!(texts(&second), expected(&["2", r#"{"3"}"#, "z", "w", "3", "3"]));
}

#[test]
fn whatever_decides_the_statement_decides_the_shape() {
    let shape = |filter, logic, range| read(&[filter], logic, range).split().0;
    let base = shape(("id", "eq.1"), "(b.eq.1)", pages(10, 5));
    for different in [
        shape(("id", "gt.1"), "(b.eq.1)", pages(10, 5)),
        shape(("id", "not.eq.1"), "(b.eq.1)", pages(10, 5)),
        shape(("id", "eq(any).{1}"), "(b.eq.1)", pages(10, 5)),
        shape(("id", "is.null"), "(b.eq.1)", pages(10, 5)),
        shape(("id->>x", "eq.1"), "(b.eq.1)", pages(10, 5)),
        shape(("other.id", "eq.1"), "(b.eq.1)", pages(10, 5)),
        shape(("id", "eq.1"), "(b.eq.1,b.eq.2)", pages(10, 5)),
        // PostgreSQL plans by the limit, and from the first row on there is no offset.
        shape(("id", "eq.1"), "(b.eq.1)", pages(10, 6)),
        shape(("id", "eq.1"), "(b.eq.1)", pages(0, 5)),
    ] {
        assert_ne!(base, different);
    }
}

#[test]
fn names_of_arguments_and_keys_of_bodies_belong_to_the_shape() {
    let call = |name: &str, value: &'static str| {
        let arguments = Arguments::Named(vec![(name.to_owned(), value.into())]);
        let action = Action::Call { function: "f".to_owned(), arguments, access: CallAccess::ReadOnly };
        request(action, Query::default()).split().0
    };
    assert_eq!(call("a", "1"), call("a", "2"));
    assert_ne!(call("a", "1"), call("b", "1"));
    let insert = |json: &'static str, key: &str| {
        let rows = crate::request::payload::Rows::One;
        let payload = Payload { json: json.into(), keys: vec![key.to_owned()], rows };
        let relation = "item".to_owned();
        let action = Action::Insert { relation, payload, columns: None, on_conflict: None };
        request(action, Query::default()).split().0
    };
    assert_eq!(insert(r#"{"a":1}"#, "a"), insert(r#"{"a":2}"#, "a"));
    assert_ne!(insert(r#"{"a":1}"#, "a"), insert(r#"{"b":1}"#, "b"));
}

#[test]
fn an_offset_of_a_call_stays_because_its_refusal_names_it() {
    let arguments = Arguments::Named(Vec::new());
    let action = Action::Call { function: "f".to_owned(), arguments, access: CallAccess::ReadOnly };
    let (shape, literals, _) =
        request(action, Query { range: pages(3, 7).into(), ..Query::default() }).split();
    assert_eq!((shape.query.range.offset, literals.0.len()), (Number::Given(3), 0));
}
