//! Methods: THE table of what can be done with a relation. A row of `table` fixes a
//! method's name, its request's fields and whether it streams; descriptors and
//! decoders read it. A new kind is a variant here and its row there.

pub(crate) mod call;
mod kind;
pub(crate) mod number;
mod table;

pub(crate) use kind::{Effects, Responses};

use super::{
    options::Aggregates,
    surface::{Resource, ResourceNames},
};
use crate::{catalog::descriptor::Relation, metrics::Method};

/// A method of a relation's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RelationMethod {
    /// The row with this key.
    Get,
    /// One page of rows.
    List,
    /// All rows.
    Stream,
    /// A new row.
    Create,
    /// New values for the row with this key.
    Update,
    /// No more row with this key.
    Delete,
    /// The rows with these keys.
    BatchGet,
    /// New rows.
    BatchCreate,
    /// New values for the rows with these keys.
    BatchUpdate,
    /// No more rows with these keys.
    BatchDelete,
    /// New values for the rows that meet conditions.
    Patch,
    /// No more rows that meet conditions.
    Purge,
    /// Groups of rows.
    Aggregate,
}

/// A field of a request that is there whatever the relation.
#[derive(Debug)]
pub(crate) struct FixedField {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its number.
    pub(crate) number: u32,
    /// Its type.
    pub(crate) kind: FixedKind,
    /// What it is for.
    pub(crate) comment: &'static str,
}

/// The type of a fixed field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FixedKind {
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `string`.
    Text,
    /// `bool`.
    Bool,
    /// `google.protobuf.FieldMask`.
    Mask,
    /// `pgduet.query.v1.CountMode`.
    Count,
    /// The relation's predicates.
    Where,
    /// What is said of its embeds. Relations without embeds have no such field.
    Embeds,
    /// What becomes of rows that are there already. Relations without unique keys have no such field.
    OnConflict,
    /// The relation's message, in a field called after it.
    Resource,
    /// `pgduet.query.v1.Aggregates`.
    Aggregates,
    /// Requests of another of the relation's methods.
    Requests(RelationMethod),
}

/// Where a request has the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// It has none.
    Nowhere,
    /// As fields of its own, with the columns' numbers.
    Request,
    /// In the resource.
    Resource,
}

/// What a response holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing.
    Empty,
    /// One row.
    Row,
    /// One page.
    Page,
    /// One row, and whether it is new.
    CreatedRow,
    /// Several rows.
    Batch,
    /// Several rows, and how many of them are new.
    CreatedRows,
    /// How many rows were affected, and those rows.
    Affected,
    /// A message for each row.
    Rows,
    /// Groups of rows.
    Groups,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The method's name, before the resource's.
    pub(crate) verb: &'static str,
    /// What it does, before the resource's name.
    pub(crate) comment: &'static str,
    /// Where the key is.
    pub(crate) key: KeyPlace,
    /// The request's fields.
    pub(crate) request: &'static [FixedField],
    /// The response.
    pub(crate) answer: Answer,
}

impl RelationMethod {
    /// Every method, in the order of a service.
    pub(crate) const ALL: &'static [RelationMethod] = &[
        Self::Get,
        Self::List,
        Self::Stream,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::BatchGet,
        Self::BatchCreate,
        Self::BatchUpdate,
        Self::BatchDelete,
        Self::Patch,
        Self::Purge,
        Self::Aggregate,
    ];

    /// What its calls are counted as.
    pub(crate) const fn counted(self) -> Method {
        match self {
            Self::Get => Method::Get,
            Self::List => Method::List,
            Self::Stream => Method::Stream,
            Self::Create => Method::Create,
            Self::Update => Method::Update,
            Self::Delete => Method::Delete,
            Self::BatchGet => Method::BatchGet,
            Self::BatchCreate => Method::BatchCreate,
            Self::BatchUpdate => Method::BatchUpdate,
            Self::BatchDelete => Method::BatchDelete,
            Self::Patch => Method::Patch,
            Self::Purge => Method::Purge,
            Self::Aggregate => Method::Aggregate,
        }
    }

    /// The method's row in the table.
    pub(crate) const fn row(self) -> &'static Row {
        match self {
            Self::Get => &table::GET,
            Self::List => &table::LIST,
            Self::Stream => &table::STREAM,
            Self::Create => &table::CREATE,
            Self::Update => &table::UPDATE,
            Self::Delete => &table::DELETE,
            Self::BatchGet => &table::BATCH_GET,
            Self::BatchCreate => &table::BATCH_CREATE,
            Self::BatchUpdate => &table::BATCH_UPDATE,
            Self::BatchDelete => &table::BATCH_DELETE,
            Self::Patch => &table::PATCH,
            Self::Purge => &table::PURGE,
            Self::Aggregate => &table::AGGREGATE,
        }
    }

    /// The fields of its request for a resource.
    pub(crate) fn request(self, resource: &Resource) -> impl Iterator<Item = &'static FixedField> {
        let (has_embeds, has_uniques) = (resource.has_embeds(), resource.uniques.is_some());
        self.row().request.iter().filter(move |field| match field.kind {
            FixedKind::Embeds => has_embeds,
            FixedKind::OnConflict => has_uniques,
            FixedKind::Int32
            | FixedKind::Int64
            | FixedKind::Text
            | FixedKind::Bool
            | FixedKind::Mask
            | FixedKind::Count
            | FixedKind::Where
            | FixedKind::Resource
            | FixedKind::Aggregates
            | FixedKind::Requests(_) => true,
        })
    }

    /// The method's name for a resource.
    pub(crate) fn name(self, names: &ResourceNames) -> String {
        format!("{}{}", self.row().verb, self.noun(names))
    }

    /// What its name is about.
    fn noun(self, names: &ResourceNames) -> &str {
        match self {
            Self::List
            | Self::Stream
            | Self::BatchGet
            | Self::BatchCreate
            | Self::BatchUpdate
            | Self::BatchDelete
            | Self::Patch
            | Self::Purge
            | Self::Aggregate => &names.plural,
            Self::Get | Self::Create | Self::Update | Self::Delete => &names.singular,
        }
    }

    /// Whether the method has this name for a resource.
    pub(crate) fn is_called(self, name: &str, names: &ResourceNames) -> bool {
        name.strip_prefix(self.row().verb).is_some_and(|noun| noun == self.noun(names))
    }

    /// How many messages it answers with.
    pub(crate) const fn responses(self) -> Responses {
        match self.row().answer {
            Answer::Rows => Responses::Stream,
            Answer::Empty
            | Answer::Row
            | Answer::CreatedRow
            | Answer::Page
            | Answer::Batch
            | Answer::CreatedRows
            | Answer::Affected
            | Answer::Groups => Responses::One,
        }
    }

    /// What the names of its messages begin with.
    pub(crate) fn messages(self, names: &ResourceNames) -> String {
        // Locks that are older than this method can have given its messages' names away.
        match self == Self::Aggregate && names.related != names.singular {
            true => format!("{}{}", self.row().verb, names.related),
            false => self.name(names),
        }
    }

    /// Whether this can work at all with a relation of this key.
    pub(crate) fn is_offered(self, relation: &Relation, key: &[usize], aggregates: Aggregates) -> bool {
        match self {
            Self::Aggregate => aggregates == Aggregates::Enabled,
            Self::List | Self::Stream => true,
            Self::Get | Self::BatchGet => !key.is_empty(),
            Self::Create | Self::BatchCreate => relation.insertable,
            Self::Update | Self::BatchUpdate => relation.updatable && !key.is_empty(),
            Self::Delete | Self::BatchDelete => relation.deletable && !key.is_empty(),
            Self::Patch => relation.updatable,
            Self::Purge => relation.deletable,
        }
    }

    /// What calling it changes.
    pub(crate) fn effects(self) -> Effects {
        match self {
            Self::Get | Self::List | Self::Stream | Self::BatchGet | Self::Aggregate => Effects::None,
            Self::Create
            | Self::Update
            | Self::Delete
            | Self::BatchCreate
            | Self::BatchUpdate
            | Self::BatchDelete
            | Self::Patch
            | Self::Purge => Effects::Some,
        }
    }

    /// The columns that stand in the request as fields of their own.
    pub(crate) fn key_fields(self, resource: &Resource) -> impl Iterator<Item = &super::surface::Field> {
        let key = match self.row().key {
            KeyPlace::Request => resource.key.as_slice(),
            KeyPlace::Nowhere | KeyPlace::Resource => &[],
        };
        key.iter().filter_map(|at| resource.fields.get(*at))
    }
}
