//! The sink that makes one body of a statement's rows, as its layout says. It
//! knows neither media types nor statuses, and counts rows for nobody.

use super::{error::no_memory, json};
use crate::{
    error::Result,
    memory::Lease,
    outcome::{Pace, Row, Sink},
    sql::{Column, Elements, Encoder, Layout},
};
use bytes::Bytes;
use std::ops::Deref;

/// Room that a body may keep unused.
const SPARE: usize = 64 * 1024;

/// A body in the making.
#[derive(Debug)]
pub struct Body<F> {
    form: F,
    buffer: Vec<u8>,
    lease: Lease,
    place: Place,
}

/// What rows of a layout become.
#[derive(Debug)]
pub struct Form(Rows);

#[derive(Debug)]
enum Rows {
    /// `[{…}, \n {…}]`
    Array(Object),
    /// `{…}`
    Object(Object),
    /// The first row's value.
    Scalar(Encoder),
    /// `[…, …]`
    Scalars { encoder: Encoder, elements: Elements },
    /// The first row's bytes.
    Bytes,
    /// Rows' bytes, each with a line feed after it.
    Lines,
    /// A header, and a line for each row.
    Csv { header: Vec<u8> },
    /// No body.
    None,
}

/// Whether a row came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First,
    Later,
}

/// How a row becomes an object.
#[derive(Debug)]
struct Object(Vec<Member>);

/// One column of it.
#[derive(Debug)]
struct Member {
    /// `"name":`, with the name escaped.
    key: Vec<u8>,
    encoder: Encoder,
}

impl Form {
    /// That of this layout.
    pub fn of(layout: &Layout) -> Self {
        Form(match layout {
            Layout::Array(columns) => Rows::Array(Object::new(columns)),
            Layout::Object(columns) => Rows::Object(Object::new(columns)),
            Layout::Scalar(encoder) => Rows::Scalar(*encoder),
            Layout::Scalars { encoder, elements } => Rows::Scalars { encoder: *encoder, elements: *elements },
            Layout::Body => Rows::Bytes,
            Layout::Lines => Rows::Lines,
            Layout::Csv(names) => Rows::Csv { header: names.join(",").into_bytes() },
            // Binary columns are for a sink that knows them.
            Layout::Columns | Layout::Nothing => Rows::None,
        })
    }
}

impl<F: Deref<Target = Form>> Body<F> {
    /// A body of this form, which holds what `lease` grants.
    pub fn new(form: F, lease: Lease) -> Self {
        Self { form, buffer: Vec::new(), lease, place: Place::First }
    }

    /// The body, when all rows have come.
    pub fn finish(mut self) -> Bytes {
        match (&self.form.0, self.place) {
            (Rows::Array(_) | Rows::Scalars { .. }, Place::First) => self.buffer.extend_from_slice(b"[]"),
            (Rows::Array(_) | Rows::Scalars { .. }, Place::Later) => self.buffer.push(b']'),
            (Rows::Object(_) | Rows::Scalar(_), Place::First) => self.buffer.extend_from_slice(b"null"),
            // As PostgREST: it takes the names from the first row.
            (Rows::Csv { .. }, Place::First) => self.buffer.push(b'\n'),
            (Rows::Object(_) | Rows::Scalar(_) | Rows::Csv { .. }, Place::Later)
            | (Rows::Bytes | Rows::Lines | Rows::None, Place::First | Place::Later) => {}
        }
        // What grew may have room for twice as much, which a client that reads slowly would hold.
        if self.buffer.capacity() - self.buffer.len() > SPARE {
            self.buffer.shrink_to_fit();
        }
        self.lease.keep(self.buffer)
    }
}

impl<F: Deref<Target = Form> + Send> Sink for Body<F> {
    const PACE: Pace = Pace::Database;

    fn row(&mut self, row: &dyn Row) -> Result<()> {
        // What it becomes may be longer still: that is held below.
        self.lease.cover(self.buffer.len() + row.bytes()).map_err(no_memory)?;
        self.buffer.reserve(row.bytes());
        let place = std::mem::replace(&mut self.place, Place::Later);
        let out = &mut self.buffer;
        match (&self.form.0, place) {
            (Rows::Array(object), place) => {
                out.extend_from_slice(if place == Place::First { b"[" } else { b", \n " });
                object.write(row, out);
            }
            (Rows::Scalars { encoder, elements }, place) => {
                out.extend_from_slice(match (place, elements, row.get(0)) {
                    (Place::First, ..) => b"[",
                    (Place::Later, Elements::Structured, Some(_)) => b", \n ",
                    (Place::Later, Elements::Plain, _) | (Place::Later, Elements::Structured, None) => b", ",
                    (Place::Later, Elements::Stripped, _) => b",",
                });
                write_scalar(*encoder, row, out);
            }
            (Rows::Object(object), Place::First) => object.write(row, out),
            // As `json_agg(…)->0`, which leaves out what stands around the value.
            (Rows::Scalar(Encoder::Verbatim), Place::First) => {
                out.extend_from_slice(row.get(0).unwrap_or(b"null").trim_ascii());
            }
            (Rows::Scalar(encoder), Place::First) => write_scalar(*encoder, row, out),
            (Rows::Bytes, Place::First) => out.extend_from_slice(row.get(0).unwrap_or_default()),
            (Rows::Lines, _) => {
                out.extend_from_slice(row.get(0).unwrap_or_default());
                out.push(b'\n');
            }
            (Rows::Csv { header }, place) => {
                if place == Place::First {
                    out.extend_from_slice(header);
                }
                out.push(b'\n');
                out.extend_from_slice(row.get(0).unwrap_or_default());
            }
            // That there is one row is the unit's expectation.
            (Rows::Object(_) | Rows::Scalar(_) | Rows::Bytes, Place::Later) | (Rows::None, _) => {}
        }
        self.lease.cover(self.buffer.len()).map_err(no_memory)
    }

    fn restart(&mut self) -> Result<()> {
        self.buffer.clear();
        self.place = Place::First;
        Ok(())
    }
}

impl Object {
    fn new(columns: &[Column]) -> Self {
        let member = |column: &Column| {
            let mut key = Vec::with_capacity(column.name.len() + 3);
            json::write_string(column.name.as_bytes(), &mut key);
            key.push(b':');
            Member { key, encoder: column.encoder }
        };
        Self(columns.iter().map(member).collect())
    }

    fn write(&self, row: &dyn Row, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, member) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&member.key);
            match row.get(at) {
                Some(text) => json::write_value(member.encoder, text, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
    }
}

fn write_scalar(encoder: Encoder, row: &dyn Row, out: &mut Vec<u8>) {
    match row.get(0) {
        Some(text) => json::write_value(encoder, text, out),
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    struct Texts(&'static [Option<&'static str>]);

    impl Row for Texts {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn get(&self, column: usize) -> Option<&[u8]> {
            self.0[column].map(str::as_bytes)
        }
    }

    fn body(layout: &Layout, rows: &[&'static [Option<&'static str>]]) -> String {
        let form = Form::of(layout);
        let mut body = Body::new(&form, Memory::new(1 << 20).lease());
        for row in rows {
            body.row(&Texts(row)).unwrap();
        }
        String::from_utf8(body.finish().to_vec()).unwrap()
    }

    fn columns() -> Vec<Column> {
        let column = |name: &str, encoder| Column { name: name.to_owned(), encoder };
        vec![column("id", Encoder::Verbatim), column("a \"b\"", Encoder::Text)]
    }

    fn scalars(elements: Elements) -> Layout {
        Layout::Scalars { encoder: Encoder::Verbatim, elements }
    }

    const ROWS: &[&[Option<&str>]] = &[&[Some("1"), Some("x y"), Some("fact")], &[Some("2"), None, None]];

    #[test]
    fn an_array_has_the_separators_of_json_agg() {
        let layout = Layout::Array(columns());
        assert_eq!(
            body(&layout, ROWS),
            "[{\"id\":1,\"a \\\"b\\\"\":\"x y\"}, \n {\"id\":2,\"a \\\"b\\\"\":null}]"
        );
        assert_eq!(body(&layout, &[]), "[]");
    }

    #[test]
    fn stripped_arrays_have_no_white_space() {
        let layout = scalars(Elements::Stripped);
        assert_eq!(body(&layout, &[&[Some("{}")], &[Some("{\"a\":1}")]]), r#"[{},{"a":1}]"#);
    }

    #[test]
    fn scalars_stand_alone_or_in_an_array() {
        assert_eq!(body(&Layout::Scalar(Encoder::Text), &[&[Some("a")]]), r#""a""#);
        assert_eq!(body(&Layout::Scalar(Encoder::Text), &[&[None]]), "null");
        assert_eq!(body(&Layout::Scalar(Encoder::Text), &[]), "null");
        assert_eq!(body(&scalars(Elements::Plain), ROWS), "[1, 2]");
        assert_eq!(body(&scalars(Elements::Plain), &[]), "[]");
    }

    #[test]
    fn arrays_in_an_array_begin_lines_and_nulls_do_not() {
        let rows: &[&[Option<&str>]] = &[&[Some("[1]")], &[None], &[Some("[2]")]];
        assert_eq!(body(&scalars(Elements::Structured), rows), "[[1], null, \n [2]]");
    }

    #[test]
    fn csv_has_a_header_and_no_final_line_feed() {
        let layout = Layout::Csv(vec!["id".to_owned(), "name".to_owned()]);
        let rows: &[&[Option<&str>]] = &[&[Some("1,\"x y\"")], &[Some("2,")]];
        assert_eq!(body(&layout, rows), "id,name\n1,\"x y\"\n2,");
        assert_eq!(body(&layout, &[]), "\n");
    }

    #[test]
    fn rows_beyond_the_memory_there_is_are_refused() {
        let memory = Memory::new(20);
        let form = Form::of(&Layout::Lines);
        let mut body = Body::new(&form, memory.lease());
        let row = Texts(&[Some("twelve bytes")]);
        assert!(body.row(&row).is_ok());
        assert_eq!(body.row(&row).unwrap_err().code(), "PGDUET10", "more than there ever is");
        let mut late = Body::new(&form, memory.lease());
        assert_eq!(late.row(&row).unwrap_err().code(), "PGDUET16", "others hold it");
    }

    #[test]
    fn what_postgresql_wrote_passes_as_it_is() {
        assert_eq!(body(&Layout::Body, ROWS), "1");
        assert_eq!(body(&Layout::Lines, ROWS), "1\n2\n");
        assert_eq!(body(&Layout::Nothing, ROWS), "");
        assert_eq!(body(&Layout::Columns, ROWS), "");
    }
}
