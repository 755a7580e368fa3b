//! The schema descriptor's types, generated from `proto/pgduet/schema/v1`, the
//! little they can say of themselves, and their JSON form. It reads and writes
//! no files.

use crate::error::{Error, Fault, Result};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, SerializeOptions};

#[allow(missing_docs, clippy::all, reason = "generated")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/pgduet.schema.v1.rs"));
}

pub use generated::*;

/// The encoded descriptors of everything in `proto/`, imports and comments included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pgduet.binpb"));

/// The descriptor in protobuf's JSON mapping, indented
/// (<https://protobuf.dev/programming-guides/json/>).
///
/// # Errors
/// `Internal`: the generated types and the embedded descriptors differ.
pub fn to_json(database: &Database) -> Result<String> {
    let mut message = empty()?;
    message.transcode_from(database).map_err(internal)?;
    let mut json = serde_json::Serializer::pretty(Vec::new());
    message.serialize_with_options(&mut json, &SerializeOptions::new()).map_err(internal)?;
    String::from_utf8(json.into_inner()).map_err(internal)
}

/// Reads what `to_json` wrote.
///
/// # Errors
/// `InvalidMessage`: it is no JSON, or has fields, values or enum names that the
/// descriptor does not; the message says what and where.
pub fn from_json(json: &str) -> Result<Database> {
    let invalid = |error: serde_json::Error| {
        Error::new(Fault::InvalidMessage, format!("The schema descriptor cannot be read: {error}"))
    };
    let mut source = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(empty()?.descriptor(), &mut source).map_err(invalid)?;
    source.end().map_err(invalid)?;
    message.transcode_to().map_err(internal)
}

fn empty() -> Result<DynamicMessage> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).map_err(internal)?;
    let descriptor = pool.get_message_by_name("pgduet.schema.v1.Database");
    descriptor.map(DynamicMessage::new).ok_or_else(|| internal("no descriptor of the schema descriptor"))
}

fn internal(cause: impl std::fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "The schema descriptor has no JSON form.").cause(cause)
}

impl Relation {
    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether it is a view or a materialized view.
    pub fn is_view(&self) -> bool {
        match self.kind() {
            RelationKind::View | RelationKind::MaterializedView => true,
            RelationKind::Table
            | RelationKind::ForeignTable
            | RelationKind::PartitionedTable
            | RelationKind::Unspecified => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Database {
        let origin = Some(Origin { relation: 7, column: "id".into() });
        let column = Column {
            number: 1,
            name: "a\"b".into(),
            origin,
            default: Some(String::new()),
            ..Default::default()
        };
        let view = Relation {
            oid: u32::MAX,
            kind: RelationKind::View.into(),
            columns: vec![column],
            ..Relation::default()
        };
        Database { server_version: 150_018, relations: vec![view], ..Database::default() }
    }

    #[test]
    fn a_descriptor_survives_its_json_form() {
        let json = to_json(&sample()).unwrap();
        assert!(json.contains("\"kind\": \"RELATION_KIND_VIEW\""), "{json}");
        assert_eq!(from_json(&json).unwrap(), sample());
    }

    #[test]
    fn unknown_fields_and_values_are_named_with_their_line() {
        for (json, wanted) in [
            ("{\"relations\": [{\n\"colour\": 1}]}", "colour"),
            ("{\n\"relations\": [{\"kind\": \"RELATION_KIND_TREE\"}]}", "RELATION_KIND_TREE"),
            ("{}\n{}", "trailing characters"),
        ] {
            let error = from_json(json).unwrap_err();
            assert_eq!(error.code(), "PGDUET03");
            assert!(error.message.contains(wanted) && error.message.contains("line 2"), "{}", error.message);
        }
    }
}
