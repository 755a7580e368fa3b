//! Literals: the values that a request gives and that decide nothing of the SQL text. A request is split into its shape,
//! which has a [`Slot`] in place of each literal, and the literals themselves; requests of one shape share one plan.
//!
//! Planning cannot decide by the value of a literal: there is none in a shape. A literal that was not split off stays
//! where it is, becomes a part of the shape, and costs a plan of its own.

use bytes::Bytes;

/// A value, or the place in [`Literals`] that it was moved to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Literal {
    /// The value, as text.
    Given(Bytes),
    /// Its place.
    Moved(Slot),
}

/// A number of rows, or the place in [`Literals`] that it was moved to. Zero stays: statements for no rows differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// The number.
    Given(u64),
    /// The place of a number above zero, and what it is lowered to where it is larger.
    Moved(Slot, Option<u64>),
}

/// A place in [`Literals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(usize);

/// The literals of one request, as text.
#[derive(Clone, Debug, Default)]
pub struct Literals(pub(super) Vec<Bytes>);

impl Literal {
    /// The value, where it was not moved.
    pub fn given(&self) -> Option<&Bytes> {
        match self {
            Literal::Given(value) => Some(value),
            Literal::Moved(_) => None,
        }
    }

    /// The array of these texts.
    pub fn array<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Self {
        array(texts).into()
    }
}

/// The array of these texts in PostgreSQL's notation (its manual, section 8.15.6).
pub fn array<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Bytes {
    let mut array = vec![b'{'];
    for (at, text) in texts.into_iter().enumerate() {
        array.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        for byte in text.as_ref() {
            if matches!(byte, b'"' | b'\\') {
                array.push(b'\\');
            }
            array.push(*byte);
        }
        array.push(b'"');
    }
    array.push(b'}');
    array.into()
}

impl<T: Into<Bytes>> From<T> for Literal {
    fn from(value: T) -> Self {
        Literal::Given(value.into())
    }
}

impl Default for Number {
    fn default() -> Self {
        Number::Given(0)
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Number::Given(number)
    }
}

impl Number {
    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self == Number::Given(0)
    }

    /// The smaller of this number and `most`.
    pub fn at_most(self, most: u64) -> Self {
        match (self, most) {
            (Number::Given(number), _) => Number::Given(number.min(most)),
            (Number::Moved(..), 0) => Number::Given(0),
            (Number::Moved(slot, before), _) => {
                Number::Moved(slot, Some(before.map_or(most, |before| before.min(most))))
            }
        }
    }
}

impl Literals {
    /// The value of a literal.
    pub fn value(&self, literal: &Literal) -> Bytes {
        match literal {
            Literal::Given(value) => value.clone(),
            Literal::Moved(slot) => self.at(*slot),
        }
    }

    /// The value that was moved to this slot.
    pub fn at(&self, slot: Slot) -> Bytes {
        // A slot is made with its value, and a shape is run with the literals of a request of that shape.
        self.0.get(slot.0).cloned().unwrap_or_default()
    }

    /// Moves a literal here.
    pub(super) fn take(&mut self, literal: &mut Literal) {
        if let Literal::Given(value) = literal {
            let value = std::mem::take(value);
            *literal = Literal::Moved(self.push(value));
        }
    }

    /// Moves a number here, unless it is zero.
    pub(super) fn take_number(&mut self, number: &mut Number) {
        match *number {
            Number::Given(0) | Number::Moved(..) => {}
            Number::Given(given) => {
                let text = itoa::Buffer::new().format(given).to_owned();
                *number = Number::Moved(self.push(text.into()), None);
            }
        }
    }

    fn push(&mut self, value: Bytes) -> Slot {
        self.0.push(value);
        Slot(self.0.len() - 1)
    }
}
