//! One hundred rows of eight columns as messages, by pgduet's encoder and by way of a `DynamicMessage`.

use super::{
    Length,
    catalog::{COLUMNS, tables},
};
use pgduet::{grpc::measure, outcome::Row};
use prost_reflect::{DynamicMessage, FieldDescriptor, Value, prost::Message};
use std::{
    hint::black_box,
    io::{self, Write},
    time::{Duration, Instant},
};

const ROWS: i32 = 100;
/// Of the table's columns, so many from the first on have values.
const FILLED: usize = 8;

/// A row as it comes from PostgreSQL.
struct Columns([Option<Vec<u8>>; COLUMNS.len()]);

impl Row for Columns {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, column: usize) -> Option<&[u8]> {
        self.0.get(column)?.as_deref()
    }
}

fn row(number: i32) -> Columns {
    // Never a whole second: protobuf leaves zeros out of a time.
    let micros = 750_000_000_000_001 + i64::from(number) * 1_230_000;
    Columns([
        Some(number.to_be_bytes().into()),
        Some(format!("A title of usual length, the {number}th").into()),
        Some(format!("Author {}", number % 17).into()),
        Some(format!("{}.99", number % 100).into()),
        Some(micros.to_be_bytes().into()),
        Some(vec![u8::from(number % 2 == 0)]),
        Some((i64::from(number) * 1_000_003).to_be_bytes().into()),
        Some((f64::from(number) / 7.0).to_be_bytes().into()),
        None,
        None,
    ])
}

pub(crate) fn measure(length: Length, out: &mut impl Write) -> io::Result<()> {
    let made = measure::make(tables(1)).map_err(io::Error::other)?;
    let rows = made.rows("books_1").ok_or_else(|| io::Error::other("there is no such relation"))?;
    let fields: Vec<FieldDescriptor> =
        COLUMNS.iter().filter_map(|(name, ..)| rows.message().get_field_by_name(name)).collect();
    let samples: Vec<Columns> = (0..ROWS).map(row).collect();
    let mut bytes = 0;
    for sample in &samples {
        let mut encoded = Vec::new();
        rows.encode(sample, &mut encoded).map_err(io::Error::other)?;
        bytes += encoded.len();
        let decoded = DynamicMessage::decode(rows.message().clone(), encoded.as_slice());
        if Some(decoded.map_err(io::Error::other)?) != dynamic(sample, &fields) {
            return Err(io::Error::other("both ways do not give the same message"));
        }
    }
    let (rounds, passes) = match length {
        Length::Full => (40, 200),
        Length::Quick => (2, 2),
    };
    let mut out_bytes = Vec::with_capacity(2 * bytes);
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        own.push(timed(passes, || {
            out_bytes.clear();
            for sample in &samples {
                // What fails here has failed above.
                let _ = rows.encode(black_box(sample), &mut out_bytes);
            }
            black_box(&out_bytes);
        }));
        other.push(timed(passes, || {
            out_bytes.clear();
            for sample in &samples {
                let _ = dynamic(black_box(sample), &fields).map(|message| message.encode(&mut out_bytes));
            }
            black_box(&out_bytes);
        }));
    }
    let (own, other) = (median(own), median(other));
    let each = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(ROWS);
    writeln!(out, "{ROWS} rows of {FILLED} columns, {bytes} bytes: the median of {rounds} rounds, per row")?;
    writeln!(out, "pgduet          {:8.0} ns", each(own))?;
    writeln!(out, "DynamicMessage  {:8.0} ns", each(other))?;
    writeln!(out, "ratio           {:8.1}", other.as_secs_f64() / own.as_secs_f64())
}

/// The message of a row, filled by what describes it; `None` if a value is not of its type.
fn dynamic(row: &Columns, fields: &[FieldDescriptor]) -> Option<DynamicMessage> {
    let mut message = DynamicMessage::new(fields.first()?.parent_message().clone());
    for ((field, (_, _, kind, _)), bytes) in fields.iter().zip(COLUMNS).zip(&row.0) {
        if let Some(bytes) = bytes {
            message.set_field(field, value(kind, bytes, field)?);
        }
    }
    Some(message)
}

fn value(kind: &str, bytes: &[u8], field: &FieldDescriptor) -> Option<Value> {
    Some(match kind {
        "int4" => Value::I32(i32::from_be_bytes(bytes.try_into().ok()?)),
        "int8" => Value::I64(i64::from_be_bytes(bytes.try_into().ok()?)),
        "float8" => Value::F64(f64::from_be_bytes(bytes.try_into().ok()?)),
        "bool" => Value::Bool(bytes == [1]),
        "timestamptz" => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            let mut time = DynamicMessage::new(field.kind().as_message()?.clone());
            // From 2000 on, where PostgreSQL's time begins.
            time.set_field_by_number(1, Value::I64(micros.div_euclid(1_000_000) + 946_684_800));
            let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1000).ok()?;
            time.set_field_by_number(2, Value::I32(nanos));
            Value::Message(time)
        }
        _ => Value::String(std::str::from_utf8(bytes).ok()?.to_owned()),
    })
}

/// How long one of so many passes takes.
fn timed(passes: u32, mut pass: impl FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..passes {
        pass();
    }
    begun.elapsed() / passes
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
