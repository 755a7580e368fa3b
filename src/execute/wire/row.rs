//! Rows as they lie in the message that brought them: where each column begins and ends, and nothing copied.

use super::Error;
use crate::outcome::Row;
use bytes::Buf;
use std::ops::Range;

/// Where the columns of a row are. Used again for the next row.
#[derive(Debug, Default)]
pub(in crate::execute) struct Columns(Vec<Option<Range<usize>>>);

impl Columns {
    /// Reads the body of DataRow.
    pub(in crate::execute) fn read<'a>(&'a mut self, body: &'a [u8]) -> Result<Received<'a>, Error> {
        self.0.clear();
        let mut rest = body;
        let count = rest.try_get_u16().map_err(|_| cut_off())?;
        // Each column has a length, so no more of them are announced than can come.
        self.0.reserve(usize::from(count).min(rest.len() / size_of::<i32>()));
        for _ in 0..count {
            let length = rest.try_get_i32().map_err(|_| cut_off())?;
            let Ok(length) = usize::try_from(length) else {
                self.0.push(None);
                continue;
            };
            let start = body.len() - rest.len();
            rest = rest.get(length..).ok_or_else(cut_off)?;
            self.0.push(Some(start..start + length));
        }
        match rest {
            [] => Ok(Received { body, columns: &self.0 }),
            [..] => Err(Error::protocol("a row that is longer than its columns")),
        }
    }
}

fn cut_off() -> Error {
    Error::protocol("a row that is cut off")
}

/// A row.
#[derive(Clone, Copy)]
pub(in crate::execute) struct Received<'a> {
    body: &'a [u8],
    columns: &'a [Option<Range<usize>>],
}

impl<'a> Received<'a> {
    /// A column's text.
    pub(in crate::execute) fn text(&self, column: usize) -> Option<String> {
        self.get(column).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

impl Row for Received<'_> {
    fn len(&self) -> usize {
        self.columns.len()
    }

    fn get(&self, column: usize) -> Option<&[u8]> {
        self.body.get(self.columns.get(column)?.clone()?)
    }

    /// Lengths included.
    fn bytes(&self) -> usize {
        self.body.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_where_they_lie() {
        let mut columns = Columns::default();
        let row = columns.read(b"\0\x03\0\0\0\x01a\xff\xff\xff\xff\0\0\0\0").unwrap();
        assert_eq!(
            (row.len(), row.get(0), row.get(1), row.get(2), row.get(3)),
            (3, Some(&b"a"[..]), None, Some(&b""[..]), None)
        );
    }

    #[test]
    fn malformed_rows_are_errors() {
        for body in [
            &b""[..],
            b"\0",
            b"\0\x01",
            b"\0\x01\0\0\0\x02a",
            b"\0\x01\x7f\xff\xff\xffa",
            b"\0\0a",
            b"\xff\xff",
        ] {
            assert!(Columns::default().read(body).is_err(), "{body:?}");
        }
    }
}
