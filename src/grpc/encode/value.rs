//! One value, from PostgreSQL's binary form to protobuf's.

use super::{
    ValueEncoder, out_of_range, unexpected,
    wire::{self, Tag, Wire},
};
use crate::{
    error::{Error, Result},
    grpc::lock,
};

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
            Self::TimestampTz | Self::TimestampText | Self::Bytes | Self::Hstore | Self::Record(_) => {
                Wire::Length
            }
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
            Self::TimestampTz | Self::TimestampText => Some(1184),
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
            Self::Bool
            | Self::Int2
            | Self::Int4
            | Self::Int8
            | Self::Float4
            | Self::Float8
            | Self::TimestampText
            | Self::Bytes => true,
            Self::TimestampTz | Self::Hstore | Self::Enum(_) | Self::Record(_) => false,
        }
    }

    /// Whether several of them are one field without tags between.
    pub(super) fn is_packed(&self) -> bool {
        self.wire() != Wire::Length
    }

    /// A value for people, where it is short; none if it has no plain form.
    pub(super) fn told(&self, bytes: &[u8]) -> Option<String> {
        const LONGEST: usize = 100;
        Some(match self {
            Self::Bool => (bytes == [1]).to_string(),
            Self::Int2 => i16::from_be_bytes(bytes.try_into().ok()?).to_string(),
            Self::Int4 => i32::from_be_bytes(bytes.try_into().ok()?).to_string(),
            Self::Int8 => i64::from_be_bytes(bytes.try_into().ok()?).to_string(),
            Self::Float4 => f32::from_be_bytes(bytes.try_into().ok()?).to_string(),
            Self::Float8 => f64::from_be_bytes(bytes.try_into().ok()?).to_string(),
            Self::TimestampTz | Self::TimestampText => {
                timestamp_text(i64::from_be_bytes(bytes.try_into().ok()?))
            }
            Self::Bytes | Self::Enum(_) if bytes.len() <= LONGEST => {
                std::str::from_utf8(bytes).ok()?.to_owned()
            }
            Self::Bytes | Self::Enum(_) | Self::Hstore | Self::Record(_) => return None,
        })
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
            Self::TimestampText => {
                wire::bytes(timestamp_text(i64::from_be_bytes(fixed(bytes, column)?)).as_bytes(), out);
            }
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

fn without_form(column: &str, what: &str) -> Box<Error> {
    out_of_range(column, what).hint(format!(
        "A field that is a string takes any time: declare it so in {}, or set grpc-timestamps to string",
        lock::FILE
    ))
}

/// Microseconds since 2000 in ISO 8601, as PostgreSQL reads it: in UTC, with as many digits of the second as it has, and
/// with infinity and years before Christ.
fn timestamp_text(micros: i64) -> String {
    match micros {
        i64::MAX => return "infinity".to_owned(),
        i64::MIN => return "-infinity".to_owned(),
        _ => {}
    }
    const DAY: i64 = 86_400_000_000;
    let (days, rest) = (micros.div_euclid(DAY) + EPOCH / 86_400, micros.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    // There is no year 0: it is the first before Christ.
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:06}").trim_end_matches('0').to_owned(),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z{era}")
}

/// The date so many days after 1970-01-01, in the calendar that PostgreSQL knows alone, the Gregorian one: year, month
/// and day. Years begin in March, so that the leap day is the last
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil(days: i64) -> (i64, i64, i64) {
    /// Days from 0000-03-01 to 1970-01-01, and in 400 years.
    const MARCH: i64 = 719_468;
    const ERA: i64 = 146_097;
    let days = days + MARCH;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Microseconds since 2000 as `google.protobuf.Timestamp`.
fn timestamp(micros: i64, column: &str, out: &mut Vec<u8>) -> Result<()> {
    let seconds = match micros {
        i64::MAX => return Err(without_form(column, "infinity")),
        i64::MIN => return Err(without_form(column, "-infinity")),
        micros => micros.div_euclid(1_000_000) + EPOCH,
    };
    if !SECONDS.contains(&seconds) {
        return Err(without_form(column, "a time outside of the years 1 to 9999"));
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

#[cfg(test)]
mod tests {
    use super::timestamp_text;

    #[test]
    fn a_time_is_written_as_postgresql_reads_it() {
        const DAY: i64 = 86_400_000_000;
        for (micros, text) in [
            (0, "2000-01-01T00:00:00Z"),
            (-1, "1999-12-31T23:59:59.999999Z"),
            (59 * DAY + 1_500_000, "2000-02-29T00:00:01.5Z"),
            (60 * DAY, "2000-03-01T00:00:00Z"),
            (-730_119 * DAY, "0001-01-01T00:00:00Z"),
            (-730_120 * DAY, "0001-12-31T00:00:00Z BC"),
            // The first and the last that PostgreSQL has.
            (-211_813_488_000_000_000, "4714-11-24T00:00:00Z BC"),
            (9_223_371_331_199_999_999, "294276-12-31T23:59:59.999999Z"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(timestamp_text(micros), text);
        }
    }
}
