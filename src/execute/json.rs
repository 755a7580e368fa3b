//! JSON as PostgreSQL writes it, byte for byte: what `to_json` makes of a
//! value, from the text that the value's type prints. Writes into one buffer
//! and knows nothing of rows.

use crate::sql::Encoder;

/// Adds a value that is not NULL.
pub(super) fn write_value(encoder: Encoder, text: &[u8], out: &mut Vec<u8>) {
    match encoder {
        Encoder::Verbatim => out.extend_from_slice(text),
        Encoder::Boolean => out.extend_from_slice(if text == b"t" { b"true" } else { b"false" }),
        Encoder::Number => write_number(text, out),
        Encoder::Text => write_string(text, out),
    }
}

/// `NaN` and the infinities are no JSON numbers: PostgreSQL quotes them.
fn write_number(text: &[u8], out: &mut Vec<u8>) {
    match text.last() {
        Some(b'0'..=b'9') => out.extend_from_slice(text),
        Some(_) | None => write_string(text, out),
    }
}

/// Adds a string, quoted and escaped as by PostgreSQL's `escape_json`: only
/// `"`, `\` and control characters below space are escaped.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut plain_from = 0;
    for (at, byte) in text.iter().copied().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == Escape::None {
            continue;
        }
        out.extend_from_slice(&text[plain_from..at]);
        plain_from = at + 1;
        match escape {
            Escape::None => {}
            Escape::Short(letter) => out.extend_from_slice(&[b'\\', letter]),
            Escape::Long => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
    out.extend_from_slice(&text[plain_from..]);
    out.push(b'"');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Short(u8),
    Long,
}

const ESCAPES: [Escape; 256] = {
    let mut table = [Escape::None; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = Escape::Long;
        control += 1;
    }
    table[0x08] = Escape::Short(b'b');
    table[0x09] = Escape::Short(b't');
    table[0x0a] = Escape::Short(b'n');
    table[0x0c] = Escape::Short(b'f');
    table[0x0d] = Escape::Short(b'r');
    table[b'"' as usize] = Escape::Short(b'"');
    table[b'\\' as usize] = Escape::Short(b'\\');
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn value(encoder: Encoder, text: &str) -> String {
        let mut out = Vec::new();
        write_value(encoder, text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_postgresql_does() {
        assert_eq!(value(Encoder::Text, "a\"b\\c/d"), r#""a\"b\\c/d""#);
        assert_eq!(
            value(Encoder::Text, "\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}"),
            "\"\\b\\t\\n\\f\\r\\u0001\\u001f\u{7f}\""
        );
        assert_eq!(value(Encoder::Text, "zażółć 🦀"), "\"zażółć 🦀\"");
        assert_eq!(value(Encoder::Text, ""), r#""""#);
    }

    #[test]
    fn numbers_that_json_does_not_know_are_quoted() {
        for plain in ["0", "-1.50", "1e+20", "1.5e-07"] {
            assert_eq!(value(Encoder::Number, plain), plain);
        }
        for quoted in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(value(Encoder::Number, quoted), format!("\"{quoted}\""));
        }
    }
}
