//! Rows to messages: from PostgreSQL's binary columns straight to protobuf's
//! wire format. Tags and encoders are chosen once; a row is one pass over its
//! bytes. In which form each column comes is fixed by `catalog::form`.
//!
//! Nothing is clamped or dropped: a value without a form in protobuf is an
//! error that names the column.

mod progress;
mod sink;
mod value;
mod whole;
mod wire;

pub(crate) use progress::Progress;
pub(crate) use sink::{Envelope, Page, PageSink, StreamSink, number_field, text_field};
pub(crate) use value::SECONDS;
pub(crate) use whole::{KeyedSink, Missing, Wanted, WholeSink};

use super::{
    extent::{Extent, Parts},
    surface::{EnumValue, Multiplicity, Package, Scalar, Shape},
};
use crate::{
    error::{Error, Fault, Origin, Result},
    outcome::Row,
};
use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};
use value::Reader;
use wire::Tag;

/// Encodes the columns of a row, in the order of the select list.
#[derive(Debug, Default)]
pub(crate) struct MessageEncoder {
    columns: Vec<Arc<ColumnEncoder>>,
    /// Which of them tell a row from others: none if that is not known.
    key: Vec<usize>,
}

/// Encodes one column.
#[derive(Debug)]
pub(crate) struct ColumnEncoder {
    /// For errors.
    name: String,
    number: u32,
    shape: ValueShape,
}

/// Once or repeated.
#[derive(Debug)]
enum ValueShape {
    One(ValueEncoder),
    Many(ValueEncoder),
    /// As this column of the message that the field holds.
    Within(Arc<ColumnEncoder>),
    /// Not at all: it is there, and nobody asked for it.
    Skipped,
}

/// The labels of an enum and their numbers.
type Labels = HashMap<Vec<u8>, i32>;

/// Encodes one value.
#[derive(Clone, Debug)]
enum ValueEncoder {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    TimestampTz,
    TimestampText,
    Bytes,
    Hstore,
    Enum(Arc<Labels>),
    Record(Arc<MessageEncoder>),
}

impl MessageEncoder {
    /// An encoder of these columns.
    pub(crate) fn new(columns: Vec<Arc<ColumnEncoder>>) -> Self {
        Self { columns, key: Vec::new() }
    }

    /// The same, where the columns at these places are the key: errors name rows by it.
    #[must_use]
    pub(crate) fn keyed(self, key: Vec<usize>) -> Self {
        Self { key, ..self }
    }

    /// What a row is called that is the one with this number: by its key, if that can be said.
    fn place(&self, row: &dyn Row, number: u64) -> String {
        let value = |at: &usize| {
            let column = self.columns.get(*at)?;
            let ValueShape::One(encoder) = &column.shape else { return None };
            Some(format!("{}={}", column.name, encoder.told(row.get(*at)?)?))
        };
        let key: Option<Vec<String>> = self.key.iter().map(value).collect();
        match key.filter(|key| !key.is_empty()) {
            Some(key) => key.join(", "),
            None => number.to_string(),
        }
    }

    /// What encodes its columns.
    pub(crate) fn columns(&self) -> &[Arc<ColumnEncoder>] {
        &self.columns
    }

    /// How many columns it takes.
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether every value of its columns has a form: of columns that
    /// [`MessageEncoder::fits`], it refuses no row.
    pub(crate) fn is_total(&self) -> bool {
        self.columns.iter().all(|column| column.is_total())
    }

    /// The columns are of the types that they were when this was made, as far as
    /// their binary forms depend on it.
    pub(crate) fn fits(&self, types: &mut dyn Iterator<Item = u32>) -> Result<()> {
        for (column, found) in self.columns.iter().zip(types) {
            if let Some(value) = column.single()
                && value.oid().is_some_and(|oid| oid != found)
            {
                return Err(unexpected(&column.name));
            }
        }
        Ok(())
    }

    /// Appends the fields of a row.
    pub(crate) fn row(&self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        for (at, column) in self.columns.iter().enumerate() {
            if let Some(bytes) = row.get(at) {
                column.encode(bytes, out)?;
            }
        }
        Ok(())
    }

    /// Appends the fields of a composite in its binary form.
    fn record(&self, bytes: &[u8], column: &str, out: &mut Vec<u8>) -> Result<()> {
        let mut reader = Reader::new(bytes, column);
        let count = usize::try_from(reader.int4()?).unwrap_or_default();
        if count != self.columns.len() {
            return Err(unexpected(column));
        }
        for encoder in &self.columns {
            let found = reader.int4()?;
            if let ValueShape::One(value) = &encoder.shape {
                value.takes(found, &encoder.name)?;
            }
            if let Some(bytes) = reader.field()? {
                encoder.encode(bytes, out)?;
            }
        }
        Ok(())
    }
}

impl ColumnEncoder {
    /// Whether every value of it has a form.
    fn is_total(&self) -> bool {
        match &self.shape {
            ValueShape::One(value) => value.is_total(),
            ValueShape::Many(_) => false,
            ValueShape::Within(column) => column.is_total(),
            ValueShape::Skipped => true,
        }
    }

    /// What encodes it, where it is one value.
    fn single(&self) -> Option<&ValueEncoder> {
        match &self.shape {
            ValueShape::One(value) => Some(value),
            ValueShape::Within(column) => column.single(),
            ValueShape::Many(_) | ValueShape::Skipped => None,
        }
    }

    fn encode(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match &self.shape {
            ValueShape::One(value) => {
                Tag::new(self.number, value.wire()).write(out);
                value.encode(bytes, &self.name, out)
            }
            ValueShape::Many(value) => self.array(value, bytes, out),
            ValueShape::Within(column) => {
                let start = wire::open(self.number, out);
                column.encode(bytes, out)?;
                wire::close(start, out);
                Ok(())
            }
            ValueShape::Skipped => Ok(()),
        }
    }

    /// <https://www.postgresql.org/docs/current/arrays.html>: the number of
    /// dimensions, a flag for NULLs, the element's type, length and lower bound
    /// of each dimension, then the elements.
    fn array(&self, value: &ValueEncoder, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut reader = Reader::new(bytes, &self.name);
        let dimensions = reader.int4()?;
        let _has_nulls = reader.int4()?;
        let element = reader.int4()?;
        match dimensions {
            0 => return Ok(()),
            1 => {}
            _ => return Err(self.without_form("an array of more than one dimension")),
        }
        value.takes(element, &self.name)?;
        let count = reader.int4()?;
        let _lower_bound = reader.int4()?;
        let packed = value.is_packed();
        let start = packed.then(|| wire::open(self.number, out));
        for _ in 0..count {
            let Some(element) = reader.field()? else {
                return Err(self.without_form("an array with a NULL element"));
            };
            if !packed {
                Tag::new(self.number, value.wire()).write(out);
            }
            value.encode(element, &self.name, out)?;
        }
        if let Some(start) = start {
            wire::close(start, out);
        }
        Ok(())
    }

    fn without_form(&self, what: &str) -> Box<Error> {
        out_of_range(&self.name, what).hint(format!(
            "A field declared as string instead of repeated in {} takes any array as PostgreSQL writes it",
            super::lock::FILE
        ))
    }
}

/// A value that protobuf has no form for.
fn out_of_range(column: &str, what: &str) -> Box<Error> {
    let message = format!("column \"{column}\" holds {what}, which its protobuf type cannot");
    Error::new(Fault::ValueOutOfRange, message).details(serde_json::json!({ "field": column }))
}

/// The same error, of a row that is called so.
fn in_row(mut error: Box<Error>, place: &str) -> Box<Error> {
    if !matches!(error.origin, Origin::Pgduet(Fault::ValueOutOfRange)) {
        return error;
    }
    error.message.insert_str(0, &format!("row {place}: "));
    if let Some(details) = error.details.as_mut().and_then(serde_json::Value::as_object_mut) {
        details.insert("row".to_owned(), place.into());
    }
    error
}

fn unexpected(column: &str) -> Box<Error> {
    Error::new(Fault::UnexpectedResult, "The database answered in an unexpected form")
        .cause(format!("binary form of column {column}"))
}

/// The encoders of a package: those of a resource are made when its rows are first asked for.
#[derive(Debug, Default)]
pub(crate) struct Encoders {
    /// By resource, then by field.
    resources: Vec<OnceLock<Vec<Arc<ColumnEncoder>>>>,
    labels: Vec<Arc<Labels>>,
    records: Vec<Arc<MessageEncoder>>,
}

/// How deep composites may hold composites. PostgreSQL lets none hold itself; a
/// saved descriptor could claim it.
const MAX_DEPTH: usize = 32;

impl Encoders {
    /// The encoders of this package.
    pub(crate) fn new(package: &Package) -> Self {
        let labels = package.enums.iter().map(|found| {
            let number = |value: &EnumValue| i32::try_from(value.number).unwrap_or_default();
            let pairs = found.values.iter().map(|value| (value.label.clone().into_bytes(), number(value)));
            Arc::new(pairs.collect::<Labels>())
        });
        let mut encoders = Encoders { labels: labels.collect(), ..Encoders::default() };
        encoders.records =
            (0..package.records.len()).map(|at| encoders.record(package, at, MAX_DEPTH)).collect();
        encoders.resources.resize_with(package.resource_count(), OnceLock::new);
        encoders
    }

    fn record(&self, package: &Package, at: usize, depth: usize) -> Arc<MessageEncoder> {
        let fields = package.records.get(at).map(|record| record.fields.as_slice()).unwrap_or_default();
        let column = |field: &super::surface::Field| {
            let value = match field.shape.scalar() {
                Scalar::Record(inner) if depth > 0 => {
                    ValueEncoder::Record(self.record(package, inner, depth - 1))
                }
                scalar => self.value(scalar),
            };
            Arc::new(ColumnEncoder::of(&field.column, field.number, field.shape, value))
        };
        Arc::new(MessageEncoder::new(fields.iter().map(column).collect()))
    }

    /// Encoders of columns that are no resource's: results of functions.
    pub(crate) fn fields(&self, fields: &[super::surface::Field]) -> Vec<Arc<ColumnEncoder>> {
        fields.iter().map(|field| self.column(&field.column, field.number, field.shape)).collect()
    }

    /// The encoder of one column.
    pub(crate) fn column(&self, name: &str, number: u32, shape: Shape) -> Arc<ColumnEncoder> {
        Arc::new(ColumnEncoder::of(name, number, shape, self.value(shape.scalar())))
    }

    fn value(&self, scalar: Scalar) -> ValueEncoder {
        match scalar {
            Scalar::Bool => ValueEncoder::Bool,
            Scalar::Int2 => ValueEncoder::Int2,
            Scalar::Int4 => ValueEncoder::Int4,
            Scalar::Int8 => ValueEncoder::Int8,
            Scalar::Float4 => ValueEncoder::Float4,
            Scalar::Float8 => ValueEncoder::Float8,
            Scalar::TimestampTz => ValueEncoder::TimestampTz,
            Scalar::TimestampText => ValueEncoder::TimestampText,
            Scalar::Hstore => ValueEncoder::Hstore,
            Scalar::Bytea | Scalar::Text | Scalar::Json | Scalar::OwnText => ValueEncoder::Bytes,
            Scalar::Enum(at) => ValueEncoder::Enum(self.labels.get(at).cloned().unwrap_or_default()),
            Scalar::Record(at) => ValueEncoder::Record(self.records.get(at).cloned().unwrap_or_default()),
        }
    }

    /// The encoders of a resource's columns.
    pub(crate) fn of_resource(&self, package: &Package, at: usize) -> &[Arc<ColumnEncoder>] {
        let made = || package.resource(at).map(|resource| self.fields(&resource.fields)).unwrap_or_default();
        self.resources.get(at).map(|encoders| encoders.get_or_init(made).as_slice()).unwrap_or_default()
    }
}

impl ColumnEncoder {
    fn of(name: &str, number: u32, shape: Shape, value: ValueEncoder) -> Self {
        let shape = match shape {
            Shape::One(_) => ValueShape::One(value),
            Shape::Many(_) => ValueShape::Many(value),
        };
        Self { name: name.to_owned(), number, shape }
    }

    /// The same of a composite of which only these attributes are wanted.
    pub(crate) fn of_parts(&self, parts: &Parts) -> Self {
        let shape = match &self.shape {
            ValueShape::One(ValueEncoder::Record(rows)) => {
                let column = |(at, column): (usize, &Arc<ColumnEncoder>)| match parts.get(&at) {
                    Some(Extent::Whole) => column.clone(),
                    Some(Extent::Parts(parts)) => Arc::new(column.of_parts(parts)),
                    None => {
                        Arc::new(Self { shape: ValueShape::Skipped, name: column.name.clone(), ..**column })
                    }
                };
                let columns = rows.columns.iter().enumerate().map(column).collect();
                ValueShape::One(ValueEncoder::Record(Arc::new(MessageEncoder::new(columns))))
            }
            // Nothing else has parts.
            ValueShape::One(_) | ValueShape::Many(_) | ValueShape::Within(_) | ValueShape::Skipped => {
                ValueShape::Skipped
            }
        };
        Self { name: self.name.clone(), number: self.number, shape }
    }

    /// The same column in a message that the field of this number holds. Several columns of one message are as many
    /// fields, which readers merge (<https://protobuf.dev/programming-guides/encoding/#last-one-wins>).
    pub(crate) fn within(column: &Arc<Self>, number: u32) -> Arc<Self> {
        Arc::new(Self { name: column.name.clone(), number, shape: ValueShape::Within(column.clone()) })
    }

    /// The encoder of an embed: a composite or an array of them.
    pub(crate) fn embed(name: &str, number: u32, multiplicity: Multiplicity, rows: MessageEncoder) -> Self {
        let value = ValueEncoder::Record(Arc::new(rows));
        let shape = match multiplicity {
            Multiplicity::One => ValueShape::One(value),
            Multiplicity::Many => ValueShape::Many(value),
        };
        Self { name: name.to_owned(), number, shape }
    }
}

#[cfg(test)]
mod tests;
