//! The schema descriptor's types, generated from `proto/pgduet/schema/v1`, and
//! the little they can say of themselves.

#[allow(missing_docs, clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/pgduet.schema.v1.rs"));
}

pub use generated::*;

/// The encoded descriptors of everything in `proto/`, imports and comments included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pgduet.binpb"));

impl Relation {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
