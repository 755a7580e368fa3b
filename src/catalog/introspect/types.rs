//! Types, from the rows of `types.sql`: those that the descriptor mentions so
//! far, and what they are made of.

use super::row::{Fields, Parameter, rows};
use crate::{
    catalog::descriptor::{Attribute, Database, Type, TypeKind},
    error::Result,
};
use std::collections::HashSet;
use tokio_postgres::{Row, Transaction, types};

/// Adds the types to a descriptor that has everything else.
pub(super) async fn load(transaction: &Transaction<'_>, database: &mut Database) -> Result<()> {
    let mentioned = mentioned(database);
    let parameter: Parameter = (&mentioned, types::Type::OID_ARRAY);
    let rows = rows(transaction, include_str!("../sql/types.sql"), &[parameter]).await?;
    database.types = rows.iter().map(read).collect::<Result<_>>()?;
    Ok(())
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

fn read(row: &Row) -> Result<Type> {
    let mut fields = Fields::of(row);
    let mut found = Type {
        oid: fields.next()?,
        schema: fields.next()?,
        name: fields.next()?,
        sql_name: fields.next()?,
        ..Type::default()
    };
    let letter = fields.letter()?;
    found.element = fields.next()?;
    found.base = fields.next()?;
    found.relation = fields.next()?;
    found.set_kind(if found.element == 0 { kind(letter) } else { TypeKind::Array });
    found.labels = fields.next()?;
    found.comment = fields.next()?;
    let numbers = fields.next::<Option<Vec<i16>>>()?.unwrap_or_default();
    let names = fields.next::<Option<Vec<String>>>()?.unwrap_or_default();
    let types = fields.next::<Option<Vec<u32>>>()?.unwrap_or_default();
    let sql_types = fields.next::<Option<Vec<String>>>()?.unwrap_or_default();
    let comments = fields.next::<Option<Vec<Option<String>>>>()?.unwrap_or_default();
    let attributes = numbers.into_iter().zip(names).zip(types).zip(sql_types).zip(comments);
    found.attributes = attributes
        .map(|((((number, name), r#type), sql_type), comment)| Attribute {
            number: number.into(),
            name,
            r#type,
            sql_type,
            comment,
        })
        .collect();
    Ok(found)
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
