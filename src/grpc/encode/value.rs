//! One value, from PostgreSQL's binary form to protobuf's.

use super::{
    ValueEncoder, out_of_range, unexpected,
    wire::{self, Tag, Wire},
};
use crate::error::Result;

/// Reads the parts of a composite or an array.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    column: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], column: &'a str) -> Self {
        Self { rest: bytes, column }
    }

    pub(super) fn int4(&mut self) -> Result<i32> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| unexpected(self.column))?;
        self.rest = rest;
        Ok(i32::from_be_bytes(*head))
    }

    /// A length and so many bytes; −1 is NULL.
    pub(super) fn field(&mut self) -> Result<Option<&'a [u8]>> {
        let Ok(length) = usize::try_from(self.int4()?) else { return Ok(None) };
        let (head, rest) = self.rest.split_at_checked(length).ok_or_else(|| unexpected(self.column))?;
        self.rest = rest;
        Ok(Some(head))
    }
}

/// Seconds from 1970-01-01, where protobuf begins, to 2000-01-01, where PostgreSQL does.
const EPOCH: i64 = 946_684_800;
/// The years 1 to 9999, which are all that `google.protobuf.Timestamp` takes.
pub(crate) const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// What users make has this OID or a higher one: `FirstNormalObjectId` in PostgreSQL's `access/transam.h`.
const FIRST_OWN_OID: i64 = 16_384;

impl ValueEncoder {
    pub(super) fn wire(&self) -> Wire {
        match self {
            Self::Bool | Self::Int2 | Self::Int4 | Self::Int8 | Self::Enum(_) => Wire::Varint,
            Self::Float4 => Wire::Fixed32,
            Self::Float8 => Wire::Fixed64,
            Self::TimestampTz | Self::Bytes | Self::Hstore | Self::Record(_) => Wire::Length,
        }
    }

    /// The type whose binary form it reads, if there is but one.
    pub(super) fn oid(&self) -> Option<u32> {
        match self {
            Self::Bool => Some(16),
            Self::Int8 => Some(20),
            Self::Int2 => Some(21),
            Self::Int4 => Some(23),
            Self::Float4 => Some(700),
            Self::Float8 => Some(701),
            Self::TimestampTz => Some(1184),
            Self::Bytes | Self::Hstore | Self::Enum(_) | Self::Record(_) => None,
        }
    }

    /// An error if values of this type are known to have another binary form. A type that is not PostgreSQL's own is a
    /// domain over the right one.
    pub(super) fn takes(&self, found: i32, column: &str) -> Result<()> {
        let is_other = |oid: u32| i64::from(found) < FIRST_OWN_OID && i64::from(found) != i64::from(oid);
        match self.oid().is_some_and(is_other) {
            true => Err(unexpected(column)),
            false => Ok(()),
        }
    }

    /// Whether every value of its type has a form.
    pub(super) fn is_total(&self) -> bool {
        match self {
            Self::Bool | Self::Int2 | Self::Int4 | Self::Int8 | Self::Float4 | Self::Float8 | Self::Bytes => {
                true
            }
            Self::TimestampTz | Self::Hstore | Self::Enum(_) | Self::Record(_) => false,
        }
    }

    /// Whether several of them are one field without tags between.
    pub(super) fn is_packed(&self) -> bool {
        self.wire() != Wire::Length
    }

    /// Appends the value; its tag is there already.
    pub(super) fn encode(&self, bytes: &[u8], column: &str, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Bool => wire::varint(u64::from(fixed::<1>(bytes, column)? != [0]), out),
            Self::Int2 => signed(i16::from_be_bytes(fixed(bytes, column)?).into(), out),
            Self::Int4 => signed(i32::from_be_bytes(fixed(bytes, column)?).into(), out),
            Self::Int8 => signed(i64::from_be_bytes(fixed(bytes, column)?), out),
            Self::Float4 => {
                out.extend_from_slice(&u32::from_be_bytes(fixed(bytes, column)?).to_le_bytes());
            }
            Self::Float8 => {
                out.extend_from_slice(&u64::from_be_bytes(fixed(bytes, column)?).to_le_bytes());
            }
            Self::TimestampTz => timestamp(i64::from_be_bytes(fixed(bytes, column)?), column, out)?,
            Self::Bytes => wire::bytes(bytes, out),
            Self::Hstore => hstore(bytes, column, out)?,
            Self::Enum(labels) => match labels.get(bytes) {
                Some(number) => signed((*number).into(), out),
                None => {
                    let label = format!("the label \"{}\"", String::from_utf8_lossy(bytes));
                    return Err(out_of_range(column, &label));
                }
            },
            Self::Record(message) => {
                let start = wire::open_untagged(out);
                message.record(bytes, column, out)?;
                wire::close(start, out);
            }
        }
        Ok(())
    }
}

/// The number of pairs and then each key and value, as `pgduet.types.v1.Hstore`.
fn hstore(bytes: &[u8], column: &str, out: &mut Vec<u8>) -> Result<()> {
    let mut reader = Reader::new(bytes, column);
    let start = wire::open_untagged(out);
    for _ in 0..reader.int4()? {
        let key = reader.field()?.ok_or_else(|| unexpected(column))?;
        let value = reader.field()?.ok_or_else(|| out_of_range(column, "an hstore with a NULL"))?;
        let entry = wire::open(1, out);
        for (number, text) in [(1, key), (2, value)] {
            Tag::new(number, Wire::Length).write(out);
            wire::bytes(text, out);
        }
        wire::close(entry, out);
    }
    wire::close(start, out);
    Ok(())
}

fn fixed<const N: usize>(bytes: &[u8], column: &str) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| unexpected(column))
}

/// Negative numbers take ten bytes, whatever their type.
fn signed(number: i64, out: &mut Vec<u8>) {
    wire::varint(number.cast_unsigned(), out);
}

/// Microseconds since 2000 as `google.protobuf.Timestamp`.
fn timestamp(micros: i64, column: &str, out: &mut Vec<u8>) -> Result<()> {
    let seconds = match micros {
        i64::MAX => return Err(out_of_range(column, "infinity")),
        i64::MIN => return Err(out_of_range(column, "-infinity")),
        micros => micros.div_euclid(1_000_000) + EPOCH,
    };
    if !SECONDS.contains(&seconds) {
        return Err(out_of_range(column, "a time outside of the years 1 to 9999"));
    }
    let nanos = micros.rem_euclid(1_000_000) * 1000;
    // Two fields of at most ten bytes: the length is one byte.
    let at = out.len();
    out.push(0);
    for (number, value) in [(1, seconds), (2, nanos)] {
        if value != 0 {
            Tag::new(number, Wire::Varint).write(out);
            signed(value, out);
        }
    }
    let length = out.len() - at - 1;
    if let Some(byte) = out.get_mut(at) {
        *byte = u8::try_from(length).unwrap_or_default();
    }
    Ok(())
}
