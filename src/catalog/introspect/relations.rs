//! Relations with their columns, keys and foreign keys, from the rows of
//! `relations.sql`, `columns.sql`, `defaults.sql`, `checks.sql`, `keys.sql` and `foreign_keys.sql`.

use super::{node_tree::Origins, row::Fields};
use crate::{
    catalog::descriptor::{
        Check, Column, ForeignKey, Identity, Origin, Relation, RelationKind, Schema, UniqueKey,
    },
    error::Result,
};
use std::collections::{HashMap, HashSet};
use tokio_postgres::Row;

/// The bits of `pg_relation_is_updatable`: `1 << CmdType`.
const UPDATE: i32 = 1 << 2;
const INSERT: i32 = 1 << 3;
const DELETE: i32 = 1 << 4;

/// The columns of each relation, taken one by one as they come.
#[derive(Default)]
pub(super) struct Columns(HashMap<u32, Vec<Column>>);

impl Columns {
    pub(super) fn add(&mut self, row: &Row) -> Result<()> {
        let mut fields = Fields::of(row);
        self.0.entry(fields.next()?).or_default().push(Column {
            number: fields.next::<i16>()?.into(),
            name: fields.next()?,
            r#type: fields.next()?,
            sql_type: fields.next()?,
            not_null: fields.next()?,
            default: fields.next()?,
            identity: identity(fields.letter()?).into(),
            generated: fields.next()?,
            comment: fields.next()?,
            max_length: fields.next()?,
            read_only: fields.next()?,
            origin: None,
            checks: Vec::new(),
        });
        Ok(())
    }

    /// Those of a relation, in the order of their numbers.
    fn take(&mut self, relation: u32) -> Vec<Column> {
        let mut columns = self.0.remove(&relation).unwrap_or_default();
        columns.sort_unstable_by_key(|column| column.number);
        columns.shrink_to_fit();
        columns
    }
}

/// What was loaded so far.
pub(super) struct Relations {
    all: Vec<Relation>,
    by_oid: HashMap<u32, usize>,
}

impl Relations {
    /// These, of which no more is known yet than their columns.
    pub(super) fn new(rows: &[Row], mut columns: Columns) -> Result<Self> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let mut fields = Fields::of(row);
            let mut relation = Relation {
                oid: fields.next()?,
                schema: fields.next()?,
                name: fields.next()?,
                kind: kind(fields.letter()?).into(),
                is_partition: fields.next()?,
                row_type: fields.next()?,
                comment: fields.next()?,
                ..Relation::default()
            };
            relation.columns = columns.take(relation.oid);
            let writes: i32 = fields.next()?;
            relation.insertable = writes & INSERT != 0;
            relation.updatable = writes & UPDATE != 0;
            relation.deletable = writes & DELETE != 0;
            all.push(relation);
        }
        Ok(Self { by_oid: places(&all), all })
    }

    /// Adds relations that are as they were, but for what depends on others, and puts all in their order.
    pub(super) fn add_unchanged<'r>(&mut self, unchanged: impl Iterator<Item = &'r Relation>) {
        self.all.extend(unchanged.map(alone));
        // As PostgreSQL compares names.
        self.all.sort_unstable_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
        self.by_oid = places(&self.all);
    }

    fn get_mut(&mut self, oid: u32) -> Option<&mut Relation> {
        self.all.get_mut(*self.by_oid.get(&oid)?)
    }

    fn get(&self, oid: u32) -> Option<&Relation> {
        self.all.get(*self.by_oid.get(&oid)?)
    }

    /// Adds what columns have of their own instead of a domain's default.
    pub(super) fn add_defaults(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let mut fields = Fields::of(row);
            let Some(relation) = self.get_mut(fields.next()?) else { continue };
            let number: i32 = fields.next()?;
            let Some(at) = position(relation, number) else { continue };
            let Some(column) = relation.columns.get_mut(at) else { continue };
            // These take no value but their own.
            if !column.generated && column.identity() != Identity::Always {
                column.default = Some(fields.next()?);
            }
        }
        Ok(())
    }

    /// Adds the conditions that columns alone have to fulfil.
    pub(super) fn add_column_checks(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let mut fields = Fields::of(row);
            let Some(relation) = self.get_mut(fields.next()?) else { continue };
            let number: i16 = fields.next()?;
            let Some(at) = position(relation, number) else { continue };
            let Some(column) = relation.columns.get_mut(at) else { continue };
            column.checks.push(fields.next()?);
        }
        Ok(())
    }

    /// Adds where the columns of views come from.
    pub(super) fn add_origins(&mut self, origins: &Origins) {
        for (view, table) in origins.all() {
            let Some(column) = self.get(table.0).and_then(|relation| name(relation, table.1)) else {
                continue;
            };
            let Some(relation) = self.get_mut(view.0) else { continue };
            let Some(at) = position(relation, view.1) else { continue };
            if let Some(passed_on) = relation.columns.get_mut(at) {
                passed_on.origin = Some(Origin { relation: table.0, column });
            }
        }
    }

    /// Adds primary and unique keys.
    pub(super) fn add_keys(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let mut fields = Fields::of(row);
            let Some(relation) = self.get_mut(fields.next()?) else { continue };
            let key = fields.next()?;
            let is_primary: bool = fields.next()?;
            let constraint = fields.next()?;
            let numbers: Vec<i16> = fields.next()?;
            let Some(columns) = names(relation, &numbers) else { continue };
            if is_primary {
                relation.primary_key = columns;
            } else {
                relation.unique_keys.push(UniqueKey { name: key, columns, constraint });
            }
        }
        Ok(())
    }

    /// Gives views the primary keys of their tables.
    pub(super) fn carry_keys(&mut self) {
        let carried: Vec<_> = self.all.iter().map(|relation| self.carried_key(relation)).collect();
        for (relation, key) in self.all.iter_mut().zip(carried) {
            relation.primary_key.extend(key);
        }
    }

    /// Adds CHECK constraints.
    pub(super) fn add_checks(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let mut fields = Fields::of(row);
            let Some(relation) = self.get_mut(fields.next()?) else { continue };
            let name = fields.next()?;
            let numbers: Vec<i16> = fields.next()?;
            let Some(columns) = names(relation, &numbers) else { continue };
            relation.checks.push(Check { name, columns });
        }
        Ok(())
    }

    /// The columns of a view that carry the whole primary key of a table below
    /// it, or of several; where a column is there twice, the first.
    fn carried_key(&self, view: &Relation) -> Vec<String> {
        let mut first: HashMap<(u32, &str), &str> = HashMap::new();
        let mut tables = Vec::new();
        for column in &view.columns {
            let Some(origin) = &column.origin else { continue };
            if !tables.contains(&origin.relation) {
                tables.push(origin.relation);
            }
            first.entry((origin.relation, &origin.column)).or_insert(&column.name);
        }
        let mut key = Vec::new();
        for table in tables.into_iter().filter_map(|table| self.get(table)) {
            let columns = table.primary_key.iter().map(|column| first.get(&(table.oid, column.as_str())));
            if let Some(columns) = columns.collect::<Option<Vec<_>>>() {
                key.extend(columns.into_iter().map(|column| column.to_string()));
            }
        }
        key
    }

    /// The foreign keys between the relations loaded, and which of these meet in one that is not exposed.
    pub(super) fn foreign_keys(&mut self, rows: &[KeyRow], exposed: &[Schema]) -> Vec<ForeignKey> {
        let mut found = Vec::new();
        let mut unseen: HashMap<u32, Vec<u32>> = HashMap::new();
        for KeyRow { name, from, columns, to, referenced_columns } in rows {
            if !self.get(*from).is_some_and(|from| exposed.iter().any(|schema| schema.name == from.schema)) {
                unseen.entry(*from).or_default().push(*to);
            }
            let (Some(relation), Some(referenced)) = (self.get(*from), self.get(*to)) else { continue };
            let (Some(columns), Some(referenced_columns)) =
                (names(relation, columns), names(referenced, referenced_columns))
            else {
                continue;
            };
            found.push(ForeignKey {
                name: name.clone(),
                relation: *from,
                columns,
                referenced: *to,
                referenced_columns,
            });
        }
        for met in unseen.values().filter(|met| met.len() > 1).flatten() {
            if let Some(relation) = self.get_mut(*met) {
                relation.meets_unseen = true;
            }
        }
        found
    }

    /// The relations, once it is known which of them run code, and which of them Citus keeps.
    pub(super) fn finish(mut self, running: &HashSet<u32>, distributed: &HashSet<u32>) -> Vec<Relation> {
        for relation in &mut self.all {
            relation.is_distributed = distributed.contains(&relation.oid);
            relation.runs_code = running.contains(&relation.oid);
        }
        self.all
    }
}

/// A foreign key as PostgreSQL has it: columns by number.
#[derive(Clone, Debug)]
pub(super) struct KeyRow {
    name: String,
    from: u32,
    columns: Vec<i16>,
    to: u32,
    referenced_columns: Vec<i16>,
}

/// The foreign keys that were read, and of the former ones those of relations that were not `touched`; by relation and name.
pub(super) fn key_rows(
    rows: &[Row],
    former: &[KeyRow],
    touched: impl Fn(u32) -> bool,
) -> Result<Vec<KeyRow>> {
    let unchanged = former.iter().filter(|key| !touched(key.from)).cloned().map(Ok);
    let read = rows.iter().map(|row| {
        let mut fields = Fields::of(row);
        Ok(KeyRow {
            name: fields.next()?,
            from: fields.next()?,
            columns: fields.next()?,
            to: fields.next()?,
            referenced_columns: fields.next()?,
        })
    });
    let mut all = unchanged.chain(read).collect::<Result<Vec<_>>>()?;
    all.sort_unstable_by(|one, other| (one.from, &one.name).cmp(&(other.from, &other.name)));
    Ok(all)
}

fn places(all: &[Relation]) -> HashMap<u32, usize> {
    all.iter().enumerate().map(|(at, relation)| (relation.oid, at)).collect()
}

/// A relation without what it has of others.
fn alone(relation: &Relation) -> Relation {
    let mut alone = Relation { meets_unseen: false, runs_code: false, ..relation.clone() };
    if alone.is_view() {
        alone.primary_key.clear();
        alone.columns.iter_mut().for_each(|column| column.origin = None);
    }
    alone
}

fn position(relation: &Relation, number: impl Into<i32>) -> Option<usize> {
    let number = number.into();
    relation.columns.binary_search_by_key(&number, |column| column.number).ok()
}

fn name(relation: &Relation, number: i16) -> Option<String> {
    Some(relation.columns.get(position(relation, number)?)?.name.clone())
}

fn names(relation: &Relation, numbers: &[i16]) -> Option<Vec<String>> {
    numbers.iter().map(|number| name(relation, *number)).collect()
}

/// By `pg_class.relkind`; the query asks for no other.
fn kind(letter: u8) -> RelationKind {
    match letter {
        b'r' => RelationKind::Table,
        b'v' => RelationKind::View,
        b'm' => RelationKind::MaterializedView,
        b'f' => RelationKind::ForeignTable,
        b'p' => RelationKind::PartitionedTable,
        _ => RelationKind::Unspecified,
    }
}

/// By `pg_attribute.attidentity`.
fn identity(letter: u8) -> Identity {
    match letter {
        b'a' => Identity::Always,
        b'd' => Identity::ByDefault,
        _ => Identity::Unspecified,
    }
}
