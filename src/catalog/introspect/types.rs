//! Types, from the rows of `types.sql` and `attributes.sql`: those that the descriptor mentions so
//! far, and what they are made of.

use super::row::{Fields, Parameter, rows};
use crate::{
    catalog::descriptor::{Attribute, Column, Database, Type, TypeKind},
    error::Result,
};
use std::collections::{HashMap, HashSet};
use tokio_postgres::{Row, Transaction, types};

/// Adds the types to a descriptor that has everything else.
pub(super) async fn load(transaction: &Transaction<'_>, database: &mut Database) -> Result<()> {
    let mentioned = mentioned(database);
    let parameter: Parameter = (&mentioned, types::Type::OID_ARRAY);
    let found = rows(transaction, include_str!("../sql/types.sql"), &[parameter]).await?;
    let mut found = found.iter().map(Found::read).collect::<Result<Vec<_>>>()?;
    let mut attributes: HashMap<u32, Vec<Attribute>> = HashMap::new();
    let row_types: HashSet<u32> = found.iter().map(|found| found.attributes_of).collect();
    for relation in database.relations.iter().filter(|relation| row_types.contains(&relation.oid)) {
        attributes.insert(relation.oid, relation.columns.iter().map(attribute).collect());
    }
    let missing: Vec<u32> =
        row_types.into_iter().filter(|oid| *oid != 0 && !attributes.contains_key(oid)).collect();
    if !missing.is_empty() {
        let parameter: Parameter = (&missing, types::Type::OID_ARRAY);
        for row in &rows(transaction, include_str!("../sql/attributes.sql"), &[parameter]).await? {
            let mut fields = Fields::of(row);
            attributes.entry(fields.next()?).or_default().push(Attribute {
                number: fields.next::<i16>()?.into(),
                name: fields.next()?,
                r#type: fields.next()?,
                sql_type: fields.next()?,
                comment: fields.next()?,
            });
        }
    }
    for Found { declared, attributes_of } in &mut found {
        declared.attributes = attributes.remove(attributes_of).unwrap_or_default();
    }
    database.types = found.into_iter().map(|found| found.declared).collect();
    Ok(())
}

/// A relation's column as an attribute of its row type.
fn attribute(column: &Column) -> Attribute {
    Attribute {
        number: column.number,
        name: column.name.clone(),
        r#type: column.r#type,
        sql_type: column.sql_type.clone(),
        comment: column.comment.clone(),
    }
}

fn mentioned(database: &Database) -> Vec<u32> {
    let mut oids = HashSet::new();
    for relation in &database.relations {
        oids.extend(relation.columns.iter().map(|column| column.r#type));
    }
    for function in &database.functions {
        oids.extend(function.arguments.iter().map(|argument| argument.r#type));
        oids.extend(function.result_columns.iter().map(|column| column.r#type));
        oids.insert(function.return_type);
    }
    for representation in &database.representations {
        oids.extend([representation.source, representation.target]);
    }
    oids.into_iter().collect()
}

/// A type without its attributes, and the relation whose columns these are; 0
/// if there are none.
struct Found {
    declared: Type,
    attributes_of: u32,
}

impl Found {
    fn read(row: &Row) -> Result<Self> {
        let mut fields = Fields::of(row);
        let mut declared = Type {
            oid: fields.next()?,
            schema: fields.next()?,
            name: fields.next()?,
            sql_name: fields.next()?,
            ..Type::default()
        };
        let letter = fields.letter()?;
        declared.element = fields.next()?;
        declared.base = fields.next()?;
        let attributes_of = fields.next()?;
        if fields.next()? {
            declared.relation = attributes_of;
        }
        declared.set_kind(if declared.element == 0 { kind(letter) } else { TypeKind::Array });
        declared.labels = fields.next()?;
        declared.comment = fields.next()?;
        declared.checks = fields.next()?;
        declared.base_sql_type = fields.next()?;
        Ok(Self { declared, attributes_of })
    }
}

/// By `pg_type.typtype`.
fn kind(letter: u8) -> TypeKind {
    match letter {
        b'b' => TypeKind::Base,
        b'e' => TypeKind::Enum,
        b'c' => TypeKind::Composite,
        b'd' => TypeKind::Domain,
        b'r' | b'm' => TypeKind::Range,
        b'p' => TypeKind::Pseudo,
        _ => TypeKind::Unspecified,
    }
}
