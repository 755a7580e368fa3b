//! How much of a field a mask names: all of it, or parts of the composite that it is. Parts are read and written by the
//! same paths that protobuf's own masks have (<https://protobuf.dev/reference/protobuf/google.protobuf/#field-mask>);
//! none leads through an array.

use super::surface::{Package, Scalar, Shape};
use std::collections::BTreeMap;

/// How much of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// These attributes, by their places in the composite.
    Parts(Parts),
}

/// Attributes of a composite.
pub(crate) type Parts = BTreeMap<usize, Extent>;

impl Extent {
    /// Nothing yet.
    pub(crate) fn nothing() -> Self {
        Self::Parts(Parts::new())
    }

    /// Adds what a path names within a field of this type; none if it leads nowhere.
    pub(crate) fn add(&mut self, package: &Package, shape: Shape, path: &[&str]) -> Option<()> {
        let Some((first, rest)) = path.split_first() else {
            *self = Self::Whole;
            return Some(());
        };
        let Shape::One(Scalar::Record(at)) = shape else { return None };
        let fields = &package.records.get(at)?.fields;
        let of_column = || fields.iter().position(|field| field.column == **first);
        let at = fields.iter().position(|field| field.name == **first).or_else(of_column)?;
        let shape = fields.get(at)?.shape;
        match self {
            // It is among it, if it is there at all.
            Self::Whole => Self::nothing().add(package, shape, rest),
            Self::Parts(parts) => parts.entry(at).or_insert_with(Self::nothing).add(package, shape, rest),
        }
    }
}
