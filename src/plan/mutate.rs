//! Mutations: what is written where, under which conditions, what becomes of
//! rows that are there already, and what has to come back of them.

use super::{
    Context, Planned, embed, read,
    transaction::Access,
    tree::{Condition, Item, Link, Node, Origin, Source, Taken},
};
use crate::{
    catalog::{
        descriptor::{Column, Relation, Representation, Type},
        routine::Shape,
    },
    error::{Error, Fault, Result},
    plan::Operation,
    request::{
        EmbedPath, Query,
        filter::{Filter, Operation as Test},
        literal::Literal,
        operator::Operator,
        payload::{Payload, Rows},
        prefer::{Identities, Missing, Preferences, Resolution, Return},
        range::Range,
        select::Field as Named,
    },
};
use std::collections::{BTreeSet, HashSet};

/// A change to a relation.
#[derive(Debug)]
pub struct Mutation<'c> {
    /// What is changed.
    pub relation: &'c Relation,
    /// How.
    pub change: Change<'c>,
    /// What must hold of a row that is changed, or written by PUT.
    pub conditions: Vec<Condition<'c>>,
    /// What the answer needs of the changed rows besides the select list.
    pub returned: Returned,
    /// The columns whose values say where a created row is, in their order.
    pub location: Vec<&'c str>,
    /// What must be readable of the changed rows though the answer does not have it.
    pub readable: Returned,
}

/// How a relation is changed.
#[derive(Debug)]
pub enum Change<'c> {
    /// Rows are inserted.
    Insert {
        /// The rows.
        values: Values<'c>,
        /// What happens to those that are there already.
        conflict: Option<Conflict>,
    },
    /// PUT: one row is inserted or updated.
    Upsert {
        /// The row.
        values: Values<'c>,
        /// By the primary key.
        conflict: Conflict,
    },
    /// Rows are updated.
    Update(Values<'c>),
    /// Rows are updated, each by its key with values of its own.
    UpdateEach {
        /// The rows, their keys included.
        values: Values<'c>,
        /// The columns of the key.
        key: Vec<String>,
    },
    /// Rows are deleted.
    Delete,
}

/// The values that are written.
#[derive(Debug)]
pub struct Values<'c> {
    /// A JSON object or an array of them.
    pub json: Literal,
    /// Which of the two.
    pub rows: Rows,
    /// The columns that take them.
    pub columns: Vec<Target<'c>>,
    /// What a key stands for that an object does not have.
    pub missing: Missing,
    /// What becomes of values for identity columns.
    pub identities: Identities,
    /// The columns of which only the attributes that an object has are written.
    pub parts: Vec<String>,
}

/// A column that is written.
#[derive(Debug)]
pub struct Target<'c> {
    /// The column.
    pub column: &'c Column,
    /// Its type.
    pub declared: &'c Type,
    /// The cast from json to its domain.
    pub representation: Option<&'c Representation>,
}

/// What happens to rows that are there already.
#[derive(Debug)]
pub struct Conflict {
    /// Whether they are updated or left.
    pub resolution: Resolution,
    /// The columns that decide what is there already.
    pub columns: Vec<String>,
}

/// What is needed of the rows that a mutation changed or a call gave, where
/// more is done with them than to send them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// Columns and computed fields, each once.
    pub names: Vec<String>,
    /// Whether a function takes the row.
    pub row: Whole,
}

/// Whether the row as a whole is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Whole {
    Needed,
    #[default]
    NotNeeded,
}

/// What a request says of a mutation.
pub(super) enum Asked {
    Insert { payload: Payload, columns: Option<Vec<String>>, on_conflict: Option<Vec<String>> },
    Upsert { payload: Payload, columns: Option<Vec<String>> },
    Update { payload: Payload, columns: Option<Vec<String>>, parts: Vec<String> },
    UpdateEach { payload: Payload, key: Vec<String>, parts: Vec<String> },
    Delete,
}

/// Plans a mutation of the relation of this name.
pub(super) fn plan<'c>(
    relation: &str,
    asked: Asked,
    mut query: Query,
    preferences: &Preferences,
    context: &Context<'c>,
) -> Result<Planned<'c>> {
    let relation = context.relation(relation)?;
    let shape = Shape::Relation(relation);
    let is_keyed = match asked {
        Asked::Upsert { .. } => by_key(relation, &query),
        Asked::Insert { .. } | Asked::Update { .. } | Asked::UpdateEach { .. } | Asked::Delete => Ok(()),
    };
    // The root's filters are the mutation's; ranges do not apply to it.
    query.range = Range::default();
    query.ranges.clear();
    let filters = of_root(&mut query.filters).map(|filter| Ok(context.compare(shape, filter)));
    let above = embed::empty(shape, Source::Relation(relation), relation.name.clone(), Taken::ByName);
    let trees = of_root(&mut query.logic).map(|logic| context.logic(&above, logic, 1));
    let conditions = match asked {
        // It takes every row.
        Asked::Insert { .. } => Vec::new(),
        Asked::Upsert { .. } | Asked::Update { .. } | Asked::UpdateEach { .. } | Asked::Delete => {
            filters.chain(trees).collect::<Result<_>>()?
        }
    };
    let taken = Taken::by_request(&query.select);
    let tree = read::tree(shape, Source::Result, relation.name.clone(), query, context)?;
    is_keyed?;
    let change = context.change(relation, asked, preferences)?;
    let creates = matches!(change, Change::Insert { .. });
    let (location, readable) = match preferences.representation {
        Some(Return::HeadersOnly) => {
            let location = if creates { location(relation, taken) } else { Vec::new() };
            (location, readable(&tree.root, relation))
        }
        Some(Return::Minimal | Return::Representation) | None => (Vec::new(), Returned::default()),
    };
    let returned = returned(&tree.root);
    let mutation = Mutation { relation, change, conditions, returned, location, readable };
    Ok(Planned {
        operation: Operation::Mutation(mutation, tree.root),
        access: Access::ReadWrite,
        function: None,
        legacy_names: tree.legacy_names,
    })
}

/// The columns of the primary key: in the relation's order where rows are whole, else in the alphabet's.
fn location(relation: &Relation, taken: Taken) -> Vec<&str> {
    let is_key = |column: &&str| relation.primary_key.iter().any(|key| key == column);
    let mut key: Vec<_> = relation.columns.iter().map(|column| column.name.as_str()).filter(is_key).collect();
    match taken {
        Taken::Whole => {}
        Taken::ByName => key.sort_unstable(),
    }
    key
}

/// What is selected and the key: where only headers are wanted, PostgREST has both come back.
fn readable(node: &Node<'_>, relation: &Relation) -> Returned {
    let mut needed = Needed::default();
    needed.select(node);
    relation.primary_key.iter().for_each(|key| needed.add(key));
    needed.returned
}

/// Takes out what is about the root.
fn of_root<T>(all: &mut Vec<(EmbedPath, T)>) -> impl Iterator<Item = T> + use<T> {
    all.extract_if(.., |(path, _)| path.is_empty()).map(|(_, about)| about).collect::<Vec<_>>().into_iter()
}

impl<'c> Context<'c> {
    fn change(&self, relation: &'c Relation, asked: Asked, preferences: &Preferences) -> Result<Change<'c>> {
        let missing = preferences.missing.unwrap_or(Missing::Null);
        Ok(match asked {
            Asked::Insert { payload, columns, on_conflict } => {
                let conflict = preferences.resolution.map(|resolution| Conflict {
                    resolution,
                    columns: on_conflict.unwrap_or_else(|| relation.primary_key.clone()),
                });
                let conflict = conflict.filter(|conflict| !conflict.columns.is_empty());
                let values = self.values(relation, payload, columns, missing)?;
                Change::Insert { values: Values { identities: preferences.identities, ..values }, conflict }
            }
            Asked::Upsert { payload, columns } => Change::Upsert {
                values: self.values(relation, payload, columns, Missing::Null)?,
                conflict: Conflict {
                    resolution: Resolution::MergeDuplicates,
                    columns: relation.primary_key.clone(),
                },
            },
            Asked::Update { payload, columns, parts } => {
                let values = self.values(relation, payload, columns, missing)?;
                Change::Update(Values { parts, ..values })
            }
            Asked::UpdateEach { payload, key, parts } => {
                let columns = Some(payload.keys.clone());
                let values = self.values(relation, payload, columns, missing)?;
                Change::UpdateEach { values: Values { parts, ..values }, key }
            }
            Asked::Delete => Change::Delete,
        })
    }

    fn values(
        &self,
        relation: &'c Relation,
        payload: Payload,
        columns: Option<Vec<String>>,
        missing: Missing,
    ) -> Result<Values<'c>> {
        // Without a list of columns every object has every key.
        let missing = if columns.is_some() { missing } else { Missing::Null };
        // In this order, so that the first mistake is the same whatever the order of keys.
        let names: BTreeSet<_> = columns.unwrap_or(payload.keys).into_iter().collect();
        let columns = names.iter().map(|name| self.target(relation, name)).collect::<Result<_>>()?;
        let identities = Identities::Generated;
        Ok(Values { json: payload.json, rows: payload.rows, columns, missing, identities, parts: Vec::new() })
    }

    fn target(&self, relation: &'c Relation, name: &str) -> Result<Target<'c>> {
        let column = relation.column(name).ok_or_else(|| column_missing(&relation.name, name))?;
        let declared = self.catalog.type_of(column.r#type).ok_or_else(super::contradiction)?;
        Ok(Target { column, declared, representation: self.json_cast(column.r#type) })
    }
}

/// PGRST204.
fn column_missing(relation: &str, column: &str) -> Box<Error> {
    Error::new(
        Fault::ColumnMissing,
        format!("Could not find the '{column}' column of '{relation}' in the schema cache"),
    )
}

/// PUT is about one row: the filters are its whole key, and nothing else is said.
fn by_key(relation: &Relation, query: &Query) -> Result<()> {
    if query.range != Range::default() {
        return Err(Error::new(
            Fault::UpsertRange,
            "limit/offset querystring parameters are not allowed for PUT",
        ));
    }
    let equals = |(path, filter): &(EmbedPath, Filter)| {
        let compares = matches!(
            filter.operation,
            Test::Compare { operator: Operator::Eq, quantifier: None, .. } if !filter.negated
        );
        path.is_empty() && compares && filter.field.path.is_empty()
    };
    let names = |field: &Named| relation.primary_key.contains(&field.name);
    let filtered = |key: &String| query.filters.iter().any(|(_, filter)| filter.field.name == *key);
    let fits = !relation.primary_key.is_empty()
        && query.logic.is_empty()
        && query.filters.iter().all(|found| equals(found) && names(&found.1.field))
        && relation.primary_key.iter().all(filtered);
    match fits {
        true => Ok(()),
        false => Err(Error::new(
            Fault::UpsertFilters,
            "Filters must include all and only primary key columns with 'eq' operators",
        )),
    }
}

/// What reading `node` needs of the rows that it reads from.
pub(super) fn returned(node: &Node<'_>) -> Returned {
    let mut needed = Needed::default();
    needed.select(node);
    node.order.iter().filter(|term| term.embed.is_none()).for_each(|term| needed.add(&term.field.name));
    node.conditions.iter().for_each(|condition| needed.compare(condition));
    needed.returned
}

/// Collects what is needed of rows.
#[derive(Default)]
struct Needed<'n> {
    returned: Returned,
    names: HashSet<&'n str>,
}

impl<'n> Needed<'n> {
    fn add(&mut self, name: &'n str) {
        if !name.is_empty() && self.names.insert(name) {
            self.returned.names.push(name.to_owned());
        }
    }

    /// For the select list.
    fn select(&mut self, node: &'n Node<'_>) {
        for item in &node.items {
            match item {
                Item::Field(output) => match output.field.origin {
                    Origin::Dropped(_) => {}
                    Origin::Column(_) | Origin::Computed(_) | Origin::Unknown => self.add(&output.field.name),
                },
                Item::Embed(embed) => self.link(&embed.link),
            }
        }
    }

    fn link(&mut self, link: &'n Link<'_>) {
        match link {
            Link::Columns(columns) | Link::Junction { above: columns, .. } => {
                columns.iter().for_each(|(above, _)| self.add(above));
            }
            Link::Computed(_) => self.returned.row = Whole::Needed,
        }
    }

    fn compare(&mut self, condition: &'n Condition<'_>) {
        match condition {
            Condition::Group { members, .. } => members.iter().for_each(|member| self.compare(member)),
            Condition::Compare { field, .. } => self.add(&field.name),
            // Its link is among the items.
            Condition::Embed { .. } => {}
            Condition::Related { embed, .. } => self.link(&embed.link),
        }
    }
}
