//! CSV as PostgREST serves it: a header of bare names, and rows in the text
//! form that PostgreSQL gives a composite value, without its parentheses
//! (<https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX>).

use crate::outcome::Row;

/// Adds the names, with commas between them.
pub(super) fn write_header(names: &[String], out: &mut Vec<u8>) {
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
    }
}

/// Adds the first `columns` of a row, with commas between them. NULL is
/// nothing at all, the empty string is `""`.
pub(super) fn write_row(row: &dyn Row, columns: usize, out: &mut Vec<u8>) {
    for column in 0..columns {
        if column > 0 {
            out.push(b',');
        }
        if let Some(text) = row.get(column) {
            write_field(text, out);
        }
    }
}

fn write_field(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && !text.iter().any(|byte| is_quoted(*byte)) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(*byte);
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Whether a field with this byte stands in quotes.
fn is_quoted(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'(' | b')' | b',' | b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> String {
        let mut out = Vec::new();
        write_field(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_are_quoted_where_a_composite_value_quotes_them() {
        let quoted = ["", "a b", "a,b", "(a", "a\nb", "a\u{b}b"];
        for text in quoted {
            assert_eq!(field(text), format!("\"{text}\""));
        }
        assert_eq!(field("a\"b\\c"), r#""a""b\\c""#);
        assert_eq!(field("zażółć-1.5'"), "zażółć-1.5'");
    }
}
