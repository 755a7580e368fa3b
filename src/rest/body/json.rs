//! The keys of JSON rows, found without building a tree: values are passed
//! over, and the text goes on as it came.

use super::invalid;
use crate::{
    error,
    request::payload::{Payload, Rows},
};
use bytes::Bytes;
use serde::{
    Deserializer as _,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, collections::HashMap, fmt};

/// An object, or an array of objects with the same keys. Any other value is an
/// empty array, as in PostgREST.
pub(super) fn rows(json: Bytes) -> error::Result<Payload> {
    let malformed = || invalid("Empty or invalid json");
    let text = std::str::from_utf8(&json).map_err(|error| malformed().cause(error))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let shape = reader
        .deserialize_any(ShapeVisitor)
        .and_then(|shape| reader.end().map(|()| shape))
        .map_err(|error| malformed().cause(error))?;
    match shape {
        Shape::Object(keys) => Ok(Payload { json: json.into(), keys, rows: Rows::One }),
        Shape::Array(keys) => Ok(Payload { json: json.into(), keys, rows: Rows::Many }),
        Shape::Mixed => Err(invalid("All object keys must match")),
        Shape::Other => Ok(Payload { json: "[]".into(), keys: Vec::new(), rows: Rows::Many }),
    }
}

/// What sort of value it is at the top.
enum Shape {
    Object(Vec<String>),
    /// The keys of every element.
    Array(Vec<String>),
    /// An array of anything else.
    Mixed,
    Other,
}

/// What a visitor makes of every value that is neither object nor array.
macro_rules! scalars {
    ($type:ty, $value:expr) => {
        fn visit_unit<E>(self) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_bool<E>(self, _: bool) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<$type, E> {
            Ok($value)
        }

        fn visit_str<E>(self, _: &str) -> Result<$type, E> {
            Ok($value)
        }
    };
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
        let mut known = Known::default();
        known.learn(map)?;
        Ok(Shape::Object(known.keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Shape, A::Error> {
        let mut known = Known::default();
        match elements.next_element_seed(First(&mut known))? {
            None => return Ok(Shape::Array(Vec::new())),
            Some(Element::Fits) => {}
            Some(Element::Other) => {
                pass_over(elements)?;
                return Ok(Shape::Mixed);
            }
        }
        loop {
            match elements.next_element_seed(Next(&mut known))? {
                Some(Element::Fits) => {}
                Some(Element::Other) => {
                    pass_over(elements)?;
                    return Ok(Shape::Mixed);
                }
                None => return Ok(Shape::Array(known.keys)),
            }
        }
    }

    scalars!(Shape, Shape::Other);
}

/// The rest still has to be JSON.
fn pass_over<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<(), A::Error> {
    while elements.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// The keys of the first object. A key is found by its hash, and whether a later object has all keys is counted without
/// looking at those that it lacks: the work is that of reading the text.
#[derive(Default)]
struct Known {
    /// Each once, in their order.
    keys: Vec<String>,
    places: HashMap<String, usize>,
    /// In which object each was seen last.
    seen: Vec<usize>,
    /// How many objects came after the first one.
    objects: usize,
}

impl Known {
    /// Takes the keys of the first object.
    fn learn<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<Element, A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            map.next_value::<IgnoredAny>()?;
            if !self.places.contains_key(key.as_ref()) {
                self.places.insert(key.as_ref().to_owned(), self.keys.len());
                self.keys.push(key.into_owned());
                self.seen.push(0);
            }
        }
        Ok(Element::Fits)
    }

    /// Whether another object has exactly these keys.
    fn compare<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<Element, A::Error> {
        self.objects += 1;
        let mut found = 0;
        let mut others = false;
        // Rows mostly have their keys in the same order, each once.
        let mut next = 0;
        while let Some(Key(key)) = map.next_key()? {
            map.next_value::<IgnoredAny>()?;
            let place = match self.keys.get(next) {
                Some(expected) if *expected == key => Some(next),
                Some(_) | None => self.places.get(key.as_ref()).copied(),
            };
            match place.and_then(|place| self.seen.get_mut(place)) {
                Some(seen) if *seen != self.objects => {
                    *seen = self.objects;
                    found += 1;
                }
                Some(_) => {}
                None => others = true,
            }
            next += 1;
        }
        Ok(if !others && found == self.keys.len() { Element::Fits } else { Element::Other })
    }
}

/// A key, copied only where it has escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }

        reader.deserialize_str(KeyVisitor)
    }
}

/// An element of an array.
enum Element {
    /// An object with the keys of the first one.
    Fits,
    /// Something else, or an object with other keys.
    Other,
}

/// Reads the first element.
struct First<'k>(&'k mut Known);

/// Reads another one.
struct Next<'k>(&'k mut Known);

macro_rules! elements {
    ($($reader:ident $read:ident;)*) => {$(
        impl<'de> DeserializeSeed<'de> for $reader<'_> {
            type Value = Element;

            fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Element, D::Error> {
                reader.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for $reader<'_> {
            type Value = Element;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                self.0.$read(map)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Element, A::Error> {
                pass_over(elements).map(|()| Element::Other)
            }

            scalars!(Element, Element::Other);
        }
    )*};
}

elements! {
    First learn;
    Next compare;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &'static str) -> error::Result<Payload> {
        rows(Bytes::from_static(json.as_bytes()))
    }

    fn message(json: &'static str) -> String {
        let error = found(json).unwrap_err();
        assert_eq!(error.code(), "PGRST102");
        error.message
    }

    #[test]
    fn the_text_goes_on_as_it_came() {
        let payload =
            found(" [{\"a\": 1.50, \"b\": {\"x\": [1, 2]}},\n{\"b\": null, \"a\": \"2\"}] ").unwrap();
        assert_eq!(
            payload.json,
            " [{\"a\": 1.50, \"b\": {\"x\": [1, 2]}},\n{\"b\": null, \"a\": \"2\"}] ".into()
        );
        assert_eq!((payload.keys, payload.rows), (vec!["a".to_owned(), "b".to_owned()], Rows::Many));
    }

    #[test]
    fn keys_are_compared_without_their_escapes_and_count_once() {
        let payload = found(r#"[{"a":1,"a":2,"b":3},{"b":1,"\u0061":2}]"#).unwrap();
        assert_eq!(payload.keys, ["a", "b"]);
    }

    #[test]
    fn rows_with_other_keys_or_no_keys_at_all_do_not_match() {
        for json in [
            r#"[{"a":1},{"b":1}]"#,
            r#"[{"a":1},{"a":1,"b":2}]"#,
            r#"[{"a":1,"b":1},{"a":1}]"#,
            r#"[{"a":1,"b":1},{"a":1,"b":1},{"a":1,"a":1}]"#,
            r#"[{"a":1},{}]"#,
            "[{},1]",
            "[1,{}]",
        ] {
            assert_eq!(message(json), "All object keys must match", "{json}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_wherever_the_fault_is() {
        for json in ["", "}{ x = 2", "{\"a\":1", "[{\"a\":1},{\"a\":}]", "[1,}", "{} {}", "{\"a\":01}"] {
            assert_eq!(message(json), "Empty or invalid json", "{json}");
        }
        assert_eq!(rows(Bytes::from_static(b"{\"a\":\"\xff\"}")).unwrap_err().code(), "PGRST102");
    }

    #[test]
    fn other_values_are_no_rows() {
        for json in ["1", "\"x\"", "null", "true", "-1.5", "[]"] {
            let payload = found(json).unwrap();
            assert_eq!(
                (payload.json.given().unwrap().as_ref(), payload.keys.len(), payload.rows),
                (b"[]".as_slice(), 0, Rows::Many)
            );
        }
    }

    #[test]
    fn depth_of_values_is_of_no_matter() {
        let json = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(rows(Bytes::from(json)).unwrap().keys, ["a"]);
    }
}
